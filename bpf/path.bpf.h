/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * Walks from a dentry or a kernfs node up to the root and writes the path from right to left.
 *
 * The functions are not static: the verifier then checks each once, not once for each caller.
 */
#ifndef FALCOTRACE_PATH_BPF_H
#define FALCOTRACE_PATH_BPF_H

#include <stddef.h>
#include "scratch.bpf.h"

#define FT_WALK_MAX 96	      /* components and mounts */
#define FT_CGROUP_WALK_MAX 32 /* components */

enum ft_walk_flag {
	FT_WALK_CUT = 1,     /* deeper or longer than can be walked */
	FT_WALK_DELETED = 2, /* the last component was unlinked */
};

/* Puts "/name" before what is there; false without room. */
static __always_inline bool prepend_name(struct ft_scratch *scratch, const void *name, u32 len)
{
	u32 start = scratch->path_start;

	if (len > FT_NAME_MAX || start > FT_PATH_MAX || start < len + 1)
		return false;
	start -= len + 1;
	scratch->path_start = start;
	start &= FT_PATH_MAX - 1;
	scratch->path[start] = '/';
	bpf_probe_read_kernel(scratch->path + start + 1, len & FT_NAME_MAX, name);
	return true;
}

/** Parent and name of a dentry, as they lie side by side in it. */
struct ft_entry {
	struct dentry *parent;
	u32 hash;
	u32 len;
	const void *name;
};

static __always_inline void read_entry(struct dentry *dentry, struct ft_entry *entry)
{
	u32 at = bpf_core_field_offset(struct dentry, d_parent);

	if (bpf_core_field_offset(struct dentry, d_name) == at + offsetof(struct ft_entry, hash) &&
	    bpf_core_field_offset(struct qstr, len) == 4 &&
	    bpf_core_field_offset(struct qstr, name) == 8) {
		/* One read for three: a walk takes half the time. */
		bpf_probe_read_kernel(entry, sizeof(*entry), (void *)dentry + at);
		return;
	}
	entry->parent = BPF_CORE_READ(dentry, d_parent);
	entry->len = BPF_CORE_READ(dentry, d_name.len);
	entry->name = BPF_CORE_READ(dentry, d_name.name);
}

/** Walks up from a dentry in its mount to the given root or the top; the path is in scratch. */
__noinline int walk_path(struct ft_scratch *scratch, u64 dentry, u64 vfsmount, u64 root_dentry,
			 u64 root_mnt)
{
	struct dentry *at = (void *)dentry, *top;
	struct mount *mount = (void *)(vfsmount - bpf_core_field_offset(struct mount, mnt));
	struct ft_entry entry = {};

	if (!scratch)
		return 0;
	scratch->path_start = FT_PATH_MAX;
	scratch->path_flags = 0;
	top = BPF_CORE_READ(mount, mnt.mnt_root);
	for (int i = 0; i < FT_WALK_MAX; i++) {
		if ((u64)at == root_dentry &&
		    (u64)mount + bpf_core_field_offset(struct mount, mnt) == root_mnt)
			return 0;
		read_entry(at, &entry);
		if (!i && at == entry.parent && at != top) { /* in no directory: a memfd */
			prepend_name(scratch, entry.name, entry.len);
			scratch->path_flags |= FT_WALK_DELETED;
			return 0;
		}
		if (at == top || at == entry.parent) {
			struct mount *above = BPF_CORE_READ(mount, mnt_parent);
			if (above == mount || !above)
				return 0;
			at = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			top = BPF_CORE_READ(mount, mnt.mnt_root);
			continue;
		}
		if (!i && !BPF_CORE_READ(at, d_hash.pprev))
			scratch->path_flags |= FT_WALK_DELETED;
		if (!prepend_name(scratch, entry.name, entry.len))
			break;
		at = entry.parent;
	}
	scratch->path_flags |= FT_WALK_CUT;
	FT_COUNT(cut_paths);
	return 0;
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___v6_15 *newer = (void *)node;

	if (bpf_core_field_exists(newer->__parent))
		return BPF_CORE_READ(newer, __parent);
	return BPF_CORE_READ(node, parent);
}

/** Walks up from a control group's node; the path is in scratch->path. */
__noinline int walk_cgroup(struct ft_scratch *scratch, u64 kernfs_node)
{
	struct kernfs_node *at = (void *)kernfs_node;

	if (!scratch)
		return 0;
	scratch->path_start = FT_PATH_MAX;
	scratch->path_flags = 0;
	for (int i = 0; i < FT_CGROUP_WALK_MAX; i++) {
		struct kernfs_node *parent = kernfs_parent(at);
		if (!parent)
			return 0;
		/* A node's name carries no length. */
		long n = bpf_probe_read_kernel_str(scratch->name, sizeof(scratch->name),
						   BPF_CORE_READ(at, name));
		if (n < 1 || !prepend_name(scratch, BPF_CORE_READ(at, name), n - 1))
			break;
		at = parent;
	}
	scratch->path_flags |= FT_WALK_CUT;
	FT_COUNT(cut_paths);
	return 0;
}

/** Appends the walked path to the sample, "/" for the root itself; returns its length. */
static __always_inline u32 append_path(struct ft_scratch *scratch)
{
	u32 start = scratch->path_start;
	u8 *to = next_string(scratch);

	if (!to || start > FT_PATH_MAX)
		return 0;
	u32 len = FT_PATH_MAX - start;
	if (!len) {
		*to = '/';
		scratch->len += 1;
		return 1;
	}
	/* len in 1..FT_PATH_MAX, start + len == FT_PATH_MAX: said again for the verifier */
	start &= FT_PATH_MAX - 1;
	len &= 2 * FT_PATH_MAX - 1;
	if (len > FT_PATH_MAX)
		return 0;
	bpf_probe_read_kernel(to, len, scratch->path + start);
	scratch->len += len;
	return len;
}

#endif
