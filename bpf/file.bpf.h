/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * Open files: from a descriptor to the number of the file's description, which is made at first
 * sight.
 */
#ifndef FALCOTRACE_FILE_BPF_H
#define FALCOTRACE_FILE_BPF_H

#include "image.bpf.h"
#include "socket.bpf.h"

/* How a file was met: bits of identify_file()'s last argument. */
enum ft_file_how {
	FT_HOW_NEW = 1,	  /* this call opened it: whatever is known of its address is outdated */
	FT_HOW_NAMED = 2, /* this call may have given it an address */
	FT_HOW_CLIENT = 4,
	FT_HOW_SERVER = 8,
	FT_HOW_SNAPSHOT = 16, /* = FT_SNAPSHOT */
	FT_HOW_SENT = 32,
	FT_HOW_RECEIVED = 64,
};

static __always_inline u64 file_at(struct task_struct *task, u32 fd)
{
	struct fdtable *table = task->files->fdt;
	u64 file = 0;

	if (fd < table->max_fds)
		bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd);
	return file;
}

static __always_inline u64 inode_of(u64 file)
{
	u64 inode = 0;

	bpf_core_read(&inode, sizeof(inode), &((struct file *)file)->f_inode);
	return inode;
}

static __always_inline u32 *generation_of(u64 file)
{
	return &file_generations[(file * 0x9E3779B97F4A7C15ull >> 48) & (FT_GENERATIONS - 1)];
}

static __always_inline u32 kind_of(u64 file, u64 inode)
{
	u64 magic = BPF_CORE_READ((struct inode *)inode, i_sb, s_magic);

	if (magic == SOCKFS_MAGIC)
		return FT_FILE_SOCKET;
	if (magic == PIPEFS_MAGIC)
		return FT_FILE_PIPE;
	if (magic == ANON_INODE_FS_MAGIC || magic == PID_FS_MAGIC)
		return FT_FILE_ANON;
	if (is_memfd(BPF_CORE_READ((struct file *)file, f_path.dentry), magic))
		return FT_FILE_MEMFD;
	return FT_FILE_PATH;
}

static __always_inline void append_name(struct ft_scratch *scratch, struct ft_file *sample,
					struct dentry *dentry)
{
	/* fs/pidfs.c gives its dentries no name; before Linux commit cb12fd8e0dab (in v6.9) it was
	 * this one */
	if (sample->superblock_magic == PID_FS_MAGIC)
		sample->name_len = append_kernel_string(scratch, "[pidfd]", 8);
	else
		sample->name_len = append_kernel_string(scratch, BPF_CORE_READ(dentry, d_name.name),
							FT_NAME_MAX + 1);
}

static __always_inline void append_file_path(struct ft_scratch *scratch, struct ft_file *sample,
					     struct file *file, const struct ft_origin *origin)
{
	walk_path(scratch, (u64)BPF_CORE_READ(file, f_path.dentry),
		  (u64)BPF_CORE_READ(file, f_path.mnt), origin->root_dentry, origin->root_mnt);
	sample->file_flags |= scratch->path_flags & FT_WALK_CUT ? FT_FILE_PATH_CUT : 0;
	sample->file_flags |= scratch->path_flags & FT_WALK_DELETED ? FT_FILE_DELETED : 0;
	sample->path_len = append_path(scratch);
}

static __always_inline void fill_inode(struct ft_file *sample, struct file *file,
				       struct inode *inode)
{
	struct super_block *super = BPF_CORE_READ(inode, i_sb);
	u64 magic = BPF_CORE_READ(super, s_magic);
	u32 layer = overlay_layer(inode, magic);

	sample->ino = BPF_CORE_READ(inode, i_ino);
	sample->dev = encode_dev(BPF_CORE_READ(super, s_dev));
	sample->rdev = encode_dev(BPF_CORE_READ(inode, i_rdev));
	sample->mode = BPF_CORE_READ(inode, i_mode);
	sample->superblock_magic = magic;
	sample->open_flags = BPF_CORE_READ(file, f_flags);
	sample->file_mode = BPF_CORE_READ(file, f_mode);
	sample->file_flags = (layer == 1 ? FT_FILE_UPPER_LAYER : 0) |
			     (layer == 2 ? FT_FILE_LOWER_LAYER : 0) |
			     (sample->file_mode & FMODE_CREATED ? FT_FILE_CREATED : 0);
}

/** Makes an FT_FILE sample; `known` has the number, the kind and the role. 0 if it fitted into the
 * ring. */
static __always_inline long describe_file(const struct ft_thread *thread, u64 address, u32 fd,
					  u8 header_flags, const struct ft_open_file *known,
					  u64 previous_id)
{
	struct file *file = (void *)address;
	struct ft_scratch *scratch = claim_scratch();

	if (!scratch) {
		count_made(FT_FILE);
		count_lost(FT_FILE);
		return -1;
	}
	struct ft_file *sample = (void *)scratch->sample;
	__builtin_memset(sample, 0, sizeof(*sample));
	scratch->len = sizeof(*sample);
	fill_header(&sample->header, FT_FILE, header_flags);
	sample->file_id = known->file_id;
	sample->previous_id = previous_id;
	sample->tid = thread->origin.tid;
	sample->fd = fd;
	sample->kind = known->kind;
	sample->role = known->role;
	fill_inode(sample, file, (void *)known->inode);
	if (known->kind == FT_FILE_SOCKET)
		fill_socket(scratch, sample, sock_of(address));
	else if (known->kind == FT_FILE_PATH)
		append_file_path(scratch, sample, file, &thread->origin);
	else
		append_name(scratch, sample, BPF_CORE_READ(file, f_path.dentry));
	return submit_scratch(scratch, FT_FILE);
}

/* The role after this call: what it says itself, or for a datagram socket the direction of its
 * first traffic. */
static __always_inline u32 next_role(struct sock *sk, u32 role, u32 how)
{
	if (how & FT_HOW_CLIENT)
		return role ?: FT_ROLE_CLIENT;
	if (how & FT_HOW_SERVER)
		return FT_ROLE_SERVER;
	if (role || BPF_CORE_READ(sk, sk_type) == SOCK_STREAM)
		return role;
	u32 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return role;
	return how & FT_HOW_SENT       ? FT_ROLE_CLIENT
	       : how & FT_HOW_RECEIVED ? FT_ROLE_SERVER
				       : FT_ROLE_NONE;
}

/* Fills what a socket's description depends on; true if it is as `was`. */
static __always_inline bool check_socket(u64 file, u32 how, u32 old_role, struct ft_open_file *now)
{
	struct sock *sk = sock_of(file);

	now->role = next_role(sk, old_role, how);
	now->naming = digest_naming(sk);
	now->settled = is_settled(sk, now->role);
	return now->role == old_role;
}

static __always_inline void remember_recent(struct ft_thread *thread, u64 file, u32 fd,
					    const struct ft_open_file *known)
{
	struct ft_recent *recent = &thread->recent[fd & (FT_RECENT - 1)];

	recent->file = known->settled ? file : 0;
	recent->file_id = known->file_id;
	recent->generation = *generation_of(file) + file_epoch;
}

/** Number of the open file's description, which is made if there is none or if it is outdated; 0 if
 * it was lost. */
__noinline u64 identify_file(struct ft_thread *thread, u64 file, u64 inode, u32 fd, u32 how)
{
	struct ft_open_file now = {.inode = inode, .settled = 1};
	struct ft_open_file *known;
	u64 previous_id = 0;

	if (!thread)
		return 0;
	known = bpf_map_lookup_elem(&files, &file);
	if (known && known->inode == inode && !(how & FT_HOW_NEW)) {
		if (known->kind != FT_FILE_SOCKET || (known->settled && !(how & FT_HOW_NAMED))) {
			remember_recent(thread, file, fd, known);
			return known->file_id;
		}
		if (check_socket(file, how, known->role, &now) && now.naming == known->naming) {
			known->settled = now.settled;
			remember_recent(thread, file, fd, known);
			return known->file_id;
		}
		previous_id = known->file_id;
	}
	now.kind = kind_of(file, inode);
	if (now.kind == FT_FILE_SOCKET && !previous_id)
		check_socket(file, how, FT_ROLE_NONE, &now);
	now.file_id = FT_NEW_ID(last_file_id);
	if (describe_file(thread, file, fd, how & FT_HOW_SNAPSHOT, &now, previous_id))
		return 0;
	if (known) /* an address that was another file's: replacing the entry would cost ten times
		      as much */
		*known = now;
	else if (bpf_map_update_elem(&files, &file, &now, BPF_ANY))
		FT_COUNT(map_full);
	__sync_fetch_and_add(generation_of(file), 1);
	remember_recent(thread, file, fd, &now);
	return now.file_id;
}

/**
 * The same, from a thread's descriptor; files that the thread used lately are found without a map.
 *
 * The address alone tells them: whatever opens or closes a file changes the address's generation.
 */
static __always_inline u64 identify_fd(struct task_struct *task, struct ft_thread *thread, u32 fd,
				       u32 how)
{
	const struct ft_recent *recent = &thread->recent[fd & (FT_RECENT - 1)];
	u64 file = file_at(task, fd);

	if (!file)
		return 0;
	if (recent->file == file && recent->generation == *generation_of(file) + file_epoch &&
	    !(how & (FT_HOW_NEW | FT_HOW_NAMED)))
		return recent->file_id;
	return identify_file(thread, file, inode_of(file), fd, how);
}

/** What a descriptor is that is about to be closed; threads that remember the address must look
 * again. */
static __always_inline u64 identify_closing(struct task_struct *task, struct ft_thread *thread,
					    u32 fd)
{
	u64 file = file_at(task, fd);

	if (!file)
		return 0;
	u64 file_id = identify_file(thread, file, inode_of(file), fd, 0);
	__sync_fetch_and_add(generation_of(file), 1);
	return file_id;
}

#endif
