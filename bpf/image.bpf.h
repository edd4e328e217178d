/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * The program that a process runs: described at exec, or when a process is met that ran before.
 */
#ifndef FALCOTRACE_IMAGE_BPF_H
#define FALCOTRACE_IMAGE_BPF_H

#include "path.bpf.h"

#define FT_GROUPS_MAX 32 /* supplementary groups that are looked through */

/** What is given only at exec; zero otherwise. */
struct ft_exec {
	const char *filename;
	const char *interp;
	u32 flags; /**< enum ft_image_flag */
};

static __always_inline u64 nanoseconds(s64 seconds, s64 rest)
{
	return (u64)seconds * 1000000000ull + rest;
}

static __always_inline u64 read_ctime(struct inode *inode)
{
	struct inode___v6_7 *middle = (void *)inode;
	struct inode___old *old = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec))
		return nanoseconds(BPF_CORE_READ(inode, i_ctime_sec),
				   BPF_CORE_READ(inode, i_ctime_nsec) & ~I_CTIME_QUERIED);
	if (bpf_core_field_exists(middle->__i_ctime))
		return nanoseconds(BPF_CORE_READ(middle, __i_ctime.tv_sec),
				   BPF_CORE_READ(middle, __i_ctime.tv_nsec));
	return nanoseconds(BPF_CORE_READ(old, i_ctime.tv_sec), BPF_CORE_READ(old, i_ctime.tv_nsec));
}

static __always_inline u64 read_mtime(struct inode *inode)
{
	struct inode___v6_7 *middle = (void *)inode;
	struct inode___old *old = (void *)inode;

	if (bpf_core_field_exists(inode->i_mtime_sec))
		return nanoseconds(BPF_CORE_READ(inode, i_mtime_sec),
				   BPF_CORE_READ(inode, i_mtime_nsec));
	if (bpf_core_field_exists(middle->__i_mtime))
		return nanoseconds(BPF_CORE_READ(middle, __i_mtime.tv_sec),
				   BPF_CORE_READ(middle, __i_mtime.tv_nsec));
	return nanoseconds(BPF_CORE_READ(old, i_mtime.tv_sec), BPF_CORE_READ(old, i_mtime.tv_nsec));
}

/* new_encode_dev(), include/linux/kdev_t.h: what stat(2) shows on 64-bit systems. */
static __always_inline u32 encode_dev(u32 dev)
{
	u32 major = dev >> 20;
	u32 minor = dev & 0xfffff;

	return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

/** Which layer of an overlay holds the inode: 1 upper, 2 lower, 0 no overlay. `magic` is its
 * superblock's. */
static __always_inline u32 overlay_layer(struct inode *inode, u64 magic)
{
	struct dentry *upper = NULL;

	if (magic != OVERLAYFS_SUPER_MAGIC)
		return 0;
	/* fs/overlayfs/ovl_entry.h: in struct ovl_inode __upperdentry follows the inode. */
	bpf_probe_read_kernel(&upper, sizeof(upper),
			      (void *)inode + bpf_core_type_size(struct inode));
	return upper && BPF_CORE_READ(upper, d_inode) ? 1 : 2;
}

static __always_inline bool is_memfd(struct dentry *dentry, u64 magic)
{
	char name[8] = {};

	if (magic != TMPFS_MAGIC && magic != HUGETLBFS_MAGIC)
		return false;
	if (BPF_CORE_READ(dentry, d_parent) != dentry) /* mm/memfd.c: has no directory */
		return false;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
	return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' &&
	       name[4] == 'd' && name[5] == ':';
}

static __always_inline bool in_groups(const struct cred *cred, u32 gid)
{
	struct group_info *groups = BPF_CORE_READ(cred, group_info);
	int count = BPF_CORE_READ(groups, ngroups);

	if (BPF_CORE_READ(cred, fsgid.val) == gid)
		return true;
	for (int i = 0; i < FT_GROUPS_MAX && i < count; i++) {
		u32 member = ~0u;
		bpf_probe_read_kernel(&member, sizeof(member), (u32 *)&groups->gid + i);
		if (member == gid)
			return true;
	}
	return false;
}

/* inode_permission(inode, MAY_WRITE), fs/namei.c, without access control lists and security
 * modules. */
static __always_inline bool may_write(struct inode *inode, struct vfsmount *mnt,
				      const struct cred *cred)
{
	u32 mode = BPF_CORE_READ(inode, i_mode);
	u64 capabilities = 0;

	if (BPF_CORE_READ(inode, i_sb, s_flags) & SB_RDONLY ||
	    BPF_CORE_READ(mnt, mnt_flags) & MNT_READONLY ||
	    BPF_CORE_READ(inode, i_flags) & S_IMMUTABLE)
		return false;
	bpf_core_read(&capabilities, sizeof(capabilities), &cred->cap_effective);
	if (capabilities & (1ull << CAP_DAC_OVERRIDE))
		return true;
	if (BPF_CORE_READ(cred, fsuid.val) == BPF_CORE_READ(inode, i_uid.val))
		return mode & 0200;
	return mode & (in_groups(cred, BPF_CORE_READ(inode, i_gid.val)) ? 0020 : 0002);
}

static __always_inline u32 describe_executable(struct ft_image *sample, struct file *file,
					       const struct cred *cred)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct super_block *super = BPF_CORE_READ(inode, i_sb);
	u64 magic = BPF_CORE_READ(super, s_magic);
	u32 layer = overlay_layer(inode, magic);

	sample->ino = BPF_CORE_READ(inode, i_ino);
	sample->ctime_ns = read_ctime(inode);
	sample->mtime_ns = read_mtime(inode);
	sample->dev = encode_dev(BPF_CORE_READ(super, s_dev));
	sample->mode = BPF_CORE_READ(inode, i_mode);
	sample->uid = BPF_CORE_READ(inode, i_uid.val);
	sample->gid = BPF_CORE_READ(inode, i_gid.val);
	sample->superblock_magic = magic;
	return (may_write(inode, BPF_CORE_READ(file, f_path.mnt), cred) ? FT_IMAGE_WRITABLE : 0) |
	       (layer == 1 ? FT_IMAGE_UPPER_LAYER : 0) | (layer == 2 ? FT_IMAGE_LOWER_LAYER : 0) |
	       (is_memfd(BPF_CORE_READ(file, f_path.dentry), magic) ? FT_IMAGE_MEMFD : 0);
}

/* Appends at most `limit` bytes of another address space's or this one's memory; returns how many,
 * -1 on a fault. */
static __always_inline long append_block(struct ft_scratch *scratch, u64 from, u32 len, u32 limit,
					 struct task_struct *other)
{
	u8 *to = next_string(scratch);
	long err;

	if (len > limit)
		len = limit;
	if (!to || !len)
		return 0;
	if (len > FT_BLOCK_MAX)
		len = FT_BLOCK_MAX;
	if (other)
		err = bpf_copy_from_user_task(to, len, (void *)from, other, 0);
	else
		err = bpf_probe_read_user(to, len, (void *)from);
	if (err) {
		FT_COUNT(faults);
		return -1;
	}
	scratch->len += len;
	return len;
}

/* How whole a block is; one that nobody asked for is not cut. */
static __always_inline u32 wholeness(long n, u32 full_len, u32 limit, u32 cut, u32 fault)
{
	if (n < 0)
		return fault;
	return limit && n < full_len ? cut : 0;
}

/* argv and environment, as mm_struct has their places. */
static __always_inline u32 append_blocks(struct ft_scratch *scratch, struct ft_image *sample,
					 struct mm_struct *mm, struct task_struct *other)
{
	u64 argv = BPF_CORE_READ(mm, arg_start), env = BPF_CORE_READ(mm, env_start);
	u32 flags = 0;

	sample->argv_full_len = BPF_CORE_READ(mm, arg_end) - argv;
	sample->env_full_len = BPF_CORE_READ(mm, env_end) - env;
	sample->argv_len = sample->env_len = 0;
	if (!other && sample->header.flags & FT_SNAPSHOT) /* this memory is not that process's */
		return FT_IMAGE_ARGV_FAULT | FT_IMAGE_ENV_FAULT;
	long n = append_block(scratch, argv, sample->argv_full_len, targ_argv_bytes, other);
	sample->argv_len = n < 0 ? 0 : n;
	flags |= wholeness(n, sample->argv_full_len, targ_argv_bytes, FT_IMAGE_ARGV_CUT,
			   FT_IMAGE_ARGV_FAULT);
	n = append_block(scratch, env, sample->env_full_len, targ_env_bytes, other);
	sample->env_len = n < 0 ? 0 : n;
	flags |= wholeness(n, sample->env_full_len, targ_env_bytes, FT_IMAGE_ENV_CUT,
			   FT_IMAGE_ENV_FAULT);
	if (flags & (FT_IMAGE_ARGV_CUT | FT_IMAGE_ENV_CUT))
		FT_COUNT(cut_parts);
	return flags;
}

/* The image of a thread that was not seen to be made: another thread of its process may have
 * described it. */
static __always_inline bool find_image(struct task_struct *task, struct ft_thread *thread)
{
	struct ft_space space = {(u64)task->mm, task->mm->arg_start};
	u64 *known = bpf_map_lookup_elem(&spaces, &space);

	if (thread->image_pending || thread->image_id || !known)
		return false;
	thread->image_id = *known;
	thread->origin.exec_count = task->self_exec_id;
	return true;
}

/**
 * Makes an FT_IMAGE sample of the program that `task` runs.
 *
 * `other` is `task` where its memory is another address space's, which needs a program that may
 * sleep.
 */
static __always_inline void describe_image(struct task_struct *task, struct ft_thread *thread,
					   const struct ft_exec *exec, struct task_struct *other,
					   u8 header_flags)
{
	struct mm_struct *mm = task->mm;
	struct ft_scratch *scratch;

	if (!thread->image_pending)
		thread->image_id = mm ? FT_NEW_ID(last_image_id) : 0;
	thread->origin.exec_count = task->self_exec_id;
	thread->image_pending = mm != NULL;
	if (!mm)
		return;
	scratch = claim_scratch();
	if (!scratch) {
		count_made(FT_IMAGE);
		count_lost(FT_IMAGE);
		return;
	}
	struct ft_image *sample = (void *)scratch->sample;
	struct file *file = BPF_CORE_READ(mm, exe_file);
	scratch->len = sizeof(*sample);
	fill_header(&sample->header, FT_IMAGE, header_flags);
	sample->image_id = thread->image_id;
	sample->tid = task->pid;
	sample->pid = task->tgid;
	u32 flags = exec->flags | describe_executable(sample, file, task->cred);
	sample->filename_len = append_kernel_string(scratch, exec->filename, FT_PATH_MAX);
	walk_path(scratch, (u64)BPF_CORE_READ(file, f_path.dentry),
		  (u64)BPF_CORE_READ(file, f_path.mnt), (u64)BPF_CORE_READ(task, fs, root.dentry),
		  (u64)BPF_CORE_READ(task, fs, root.mnt));
	flags |= scratch->path_flags & FT_WALK_CUT ? FT_IMAGE_EXEPATH_CUT : 0;
	flags |= scratch->path_flags & FT_WALK_DELETED ? FT_IMAGE_DELETED : 0;
	sample->exepath_len = append_path(scratch);
	sample->interp_len = append_kernel_string(scratch, exec->interp, FT_PATH_MAX);
	sample->image_flags = flags | append_blocks(scratch, sample, mm, other);
	thread->image_pending = submit_scratch(scratch, FT_IMAGE) != 0;
	struct ft_space space = {(u64)mm, mm->arg_start};
	bpf_map_update_elem(&spaces, &space, &thread->image_id, BPF_ANY);
}

#endif
