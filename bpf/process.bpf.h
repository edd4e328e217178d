/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * The state of a thread: compared at each event with what its last description was made from.
 */
#ifndef FALCOTRACE_PROCESS_BPF_H
#define FALCOTRACE_PROCESS_BPF_H

#include "cgroups.bpf.h"
#include "file.bpf.h"
#include "image.bpf.h"

/* Has anything changed that a description tells? This runs at each event. Pointers are compared,
 * never followed. */
static __always_inline bool has_changed(struct task_struct *task, struct ft_thread *thread)
{
	const struct ft_origin *was = &thread->origin;
	struct fs_struct *fs = task->fs;
	struct signal_struct *signal = task->signal;

	if (thread->pending | thread->stdio_changed)
		return true;
	if (was->cred != (u64)task->cred || was->nsproxy != (u64)task->nsproxy ||
	    was->cgroups != (u64)task->cgroups)
		return true;
	if (was->parent != (u64)task->real_parent || was->pgrp != (u64)signal->pids[PIDTYPE_PGID] ||
	    was->session != (u64)signal->pids[PIDTYPE_SID] || was->tty != (u64)signal->tty)
		return true;
	if (was->pwd_dentry != (u64)fs->pwd.dentry || was->pwd_mnt != (u64)fs->pwd.mnt ||
	    was->root_dentry != (u64)fs->root.dentry || was->root_mnt != (u64)fs->root.mnt)
		return true;
	if (was->comm[0] != ((u64 *)task->comm)[0] || was->comm[1] != ((u64 *)task->comm)[1])
		return true;
	if (bpf_core_field_exists(task->loginuid) && was->loginuid != task->loginuid.val)
		return true;
	return was->exec_count != task->self_exec_id || was->tid != (u32)task->pid;
}

/* As much of a thread that is not described yet as the description of its files needs. */
static __always_inline void remember_place(struct task_struct *task, struct ft_thread *thread)
{
	thread->origin.tid = task->pid;
	thread->origin.root_dentry = (u64)task->fs->root.dentry;
	thread->origin.root_mnt = (u64)task->fs->root.mnt;
}

static __always_inline void remember_origin(struct task_struct *task, struct ft_thread *thread)
{
	struct ft_origin *origin = &thread->origin;
	struct fs_struct *fs = task->fs;
	struct signal_struct *signal = task->signal;

	origin->cred = (u64)task->cred;
	origin->nsproxy = (u64)task->nsproxy;
	origin->parent = (u64)task->real_parent;
	origin->cgroups = (u64)task->cgroups;
	origin->pgrp = (u64)signal->pids[PIDTYPE_PGID];
	origin->session = (u64)signal->pids[PIDTYPE_SID];
	origin->tty = (u64)signal->tty;
	origin->pwd_dentry = (u64)fs->pwd.dentry;
	origin->pwd_mnt = (u64)fs->pwd.mnt;
	origin->root_dentry = (u64)fs->root.dentry;
	origin->root_mnt = (u64)fs->root.mnt;
	origin->comm[0] = ((u64 *)task->comm)[0];
	origin->comm[1] = ((u64 *)task->comm)[1];
	origin->exec_count = task->self_exec_id;
	origin->tid = task->pid;
	if (bpf_core_field_exists(task->loginuid))
		origin->loginuid = task->loginuid.val;
}

/* A pid's place in the namespace of that level. Computed of a number: before v6.4 the verifier let
 * nobody add an unknown offset to a pointer of the kernel's. */
static __always_inline struct upid *upid_at(struct pid *pid, u32 level)
{
	u64 first = as_number(pid) + bpf_core_field_offset(pid->numbers);

	return (struct upid *)(first + (u64)level * bpf_core_type_size(struct upid));
}

/* The pid's number in the namespace `ns` of that level; 0 where it has none there. */
static __always_inline u32 number_in(struct pid *pid, u32 level, struct pid_namespace *ns)
{
	struct upid upid = {};

	if (BPF_CORE_READ(pid, level) < level)
		return 0;
	struct upid *at = upid_at(pid, level);
	bpf_core_read(&upid.nr, sizeof(upid.nr), &at->nr);
	bpf_core_read(&upid.ns, sizeof(upid.ns), &at->ns);
	return upid.ns == ns ? upid.nr : 0;
}

static __always_inline struct pid_namespace *own_pid_namespace(struct pid *pid, u32 level)
{
	struct pid_namespace *ns = NULL;

	bpf_core_read(&ns, sizeof(ns), &upid_at(pid, level)->ns);
	return ns;
}

static __always_inline void fill_ids(struct ft_process *sample, struct task_struct *task)
{
	struct pid *pid = task->thread_pid;
	struct signal_struct *signal = task->signal;
	u32 level = BPF_CORE_READ(pid, level);
	struct pid_namespace *ns = own_pid_namespace(pid, level);
	struct task_struct *parent = task->real_parent;

	sample->tid = task->pid;
	sample->pid = task->tgid;
	sample->ptid = parent->pid;
	sample->ppid = parent->tgid;
	sample->start_ns = task->start_boottime;
	sample->pid_start_ns = task->group_leader->start_boottime;
	sample->ppid_start_ns = parent->group_leader->start_boottime;
	sample->pidns_start_ns = BPF_CORE_READ(ns, child_reaper, start_boottime);
	sample->pidns = BPF_CORE_READ(ns, ns.inum);
	sample->pidns_level = level;
	sample->pgid = BPF_CORE_READ(signal, pids[PIDTYPE_PGID], numbers[0].nr);
	sample->sid = BPF_CORE_READ(signal, pids[PIDTYPE_SID], numbers[0].nr);
	sample->vtid = number_in(pid, level, ns);
	sample->vpid = number_in(BPF_CORE_READ(task, group_leader, thread_pid), level, ns);
	sample->vpgid = number_in(signal->pids[PIDTYPE_PGID], level, ns);
	sample->vsid = number_in(signal->pids[PIDTYPE_SID], level, ns);
	sample->process_flags |= task->flags & PF_KTHREAD ? FT_PROCESS_KERNEL : 0;
	sample->process_flags |= task->pid == task->tgid ? FT_PROCESS_LEADER : 0;
	sample->process_flags |=
		BPF_CORE_READ_BITFIELD_PROBED(signal, is_child_subreaper) ? FT_PROCESS_REAPER : 0;
	sample->fd_limit = signal->rlim[RLIMIT_NOFILE].rlim_cur;
}

static __always_inline void fill_credentials(struct ft_process *sample, struct task_struct *task)
{
	const struct cred *cred = task->cred;

	sample->uid = cred->uid.val;
	sample->gid = cred->gid.val;
	sample->euid = cred->euid.val;
	sample->egid = cred->egid.val;
	sample->suid = cred->suid.val;
	sample->sgid = cred->sgid.val;
	sample->fsuid = cred->fsuid.val;
	sample->fsgid = cred->fsgid.val;
	bpf_core_read(&sample->cap_permitted, sizeof(u64), &cred->cap_permitted);
	bpf_core_read(&sample->cap_effective, sizeof(u64), &cred->cap_effective);
	bpf_core_read(&sample->cap_inheritable, sizeof(u64), &cred->cap_inheritable);
	bpf_core_read(&sample->cap_bounding, sizeof(u64), &cred->cap_bset);
	bpf_core_read(&sample->cap_ambient, sizeof(u64), &cred->cap_ambient);
	sample->userns = cred->user_ns->ns.inum;
	sample->loginuid = sample->audit_session = ~0u;
	if (bpf_core_field_exists(task->loginuid)) {
		sample->loginuid = task->loginuid.val;
		sample->audit_session = task->sessionid;
	}
}

static __always_inline void fill_surroundings(struct ft_process *sample, struct task_struct *task)
{
	struct nsproxy *nsproxy = task->nsproxy;
	struct tty_struct *tty = task->signal->tty;

	sample->mntns = nsproxy->mnt_ns->ns.inum;
	sample->netns = nsproxy->net_ns->ns.inum;
	sample->cgroupns = nsproxy->cgroup_ns->ns.inum;
	sample->utsns = nsproxy->uts_ns->ns.inum;
	sample->ipcns = nsproxy->ipc_ns->ns.inum;
	/* tty_devnum(), drivers/tty/tty_io.c */
	sample->tty = 0;
	if (tty)
		sample->tty = encode_dev((tty->driver->major << 20 | tty->driver->minor_start) +
					 tty->index);
}

static __always_inline void append_directories(struct ft_scratch *scratch,
					       struct ft_process *sample, struct ft_thread *thread)
{
	const struct ft_origin *origin = &thread->origin;
	u32 flags = 0;

	walk_path(scratch, origin->pwd_dentry, origin->pwd_mnt, origin->root_dentry,
		  origin->root_mnt);
	flags |= scratch->path_flags & FT_WALK_CUT ? FT_PROCESS_CWD_CUT : 0;
	flags |= scratch->path_flags & FT_WALK_DELETED ? FT_PROCESS_CWD_DELETED : 0;
	sample->cwd_len = append_path(scratch);
	walk_path(scratch, origin->root_dentry, origin->root_mnt, 0, 0);
	sample->root_len = 0;
	if (scratch->path_start < FT_PATH_MAX) {
		flags |= FT_PROCESS_CHROOT |
			 (scratch->path_flags & FT_WALK_CUT ? FT_PROCESS_ROOT_CUT : 0);
		sample->root_len = append_path(scratch);
	}
	sample->process_flags |= flags;
}

/* What is described before it, because its sample names their numbers: files 0 to 2, control
 * groups. */
static __always_inline bool describe_before(struct task_struct *task, struct ft_thread *thread,
					    u64 *std_file_id, u8 header_flags)
{
	for (u32 fd = 0; fd < 3; fd++) {
		u64 file = file_at(task, fd);
		std_file_id[fd] =
			file ? identify_file(thread, file, inode_of(file), fd, header_flags) : 0;
	}
	thread->cgroups_id = identify_cgroups(as_number(task->cgroups), header_flags);
	return thread->cgroups_id;
}

/* The program of a thread whose exec was not seen. */
static __always_inline void meet_image(struct task_struct *task, struct ft_thread *thread,
				       struct task_struct *other, u8 header_flags)
{
	struct ft_exec none = {};

	if (!thread->image_pending)
		__builtin_memcpy(thread->comm, task->comm, FT_COMM_LEN);
	if (task->mm && !find_image(task, thread))
		describe_image(task, thread, &none, other, header_flags);
}

/** Makes an FT_PROCESS sample of the thread's new state, and before it of what that state refers
 * to. */
static __always_inline void describe_process(struct task_struct *task, struct ft_thread *thread,
					     struct task_struct *other, u8 header_flags)
{
	u64 std_file_id[3] = {};

	if (!thread->pending || thread->stdio_changed) {
		thread->previous_id = thread->process_id ?: thread->previous_id;
		thread->process_id = FT_NEW_ID(last_process_id);
	}
	if (!thread->image_id || thread->image_pending ||
	    thread->origin.exec_count != task->self_exec_id)
		meet_image(task, thread, other, header_flags);
	remember_origin(task, thread);
	thread->stdio_changed = 0;
	thread->pending =
		!describe_before(task, thread, std_file_id, header_flags) | thread->image_pending;

	struct ft_scratch *scratch = claim_scratch();
	if (!scratch) {
		thread->pending = 1;
		count_made(FT_PROCESS);
		count_lost(FT_PROCESS);
		return;
	}
	struct ft_process *sample = (void *)scratch->sample;
	scratch->len = sizeof(*sample);
	fill_header(&sample->header, FT_PROCESS, header_flags);
	sample->process_id = thread->process_id;
	sample->previous_id = thread->previous_id;
	sample->image_id = thread->image_id;
	sample->cgroups_id = thread->cgroups_id;
	sample->process_flags = 0;
	sample->reserved = 0;
	__builtin_memcpy(sample->std_file_id, std_file_id, sizeof(std_file_id));
	__builtin_memcpy(sample->comm, thread->comm, FT_COMM_LEN);
	__builtin_memcpy(sample->thread_comm, thread->origin.comm, FT_COMM_LEN);
	fill_ids(sample, task);
	fill_credentials(sample, task);
	fill_surroundings(sample, task);
	append_directories(scratch, sample, thread);
	if (submit_scratch(scratch, FT_PROCESS))
		thread->pending = 1;
}

static __noinline int describe_current(struct task_struct *task, struct ft_thread *thread)
{
	describe_process(task, thread, NULL, 0);
	return 0;
}

/** The thread's storage, made at first sight; NULL for threads that are left out. */
static __always_inline struct ft_thread *find_thread(struct task_struct *task)
{
	struct ft_thread *thread;
	u32 pid = task->tgid;

	if (pid == self_pid)
		return NULL;
	if (!targ_follow || pid == follow_pid)
		thread = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	else
		thread = bpf_task_storage_get(&threads, task, 0, 0);
	if (!targ_follow)
		return thread;
	if (thread && pid == follow_pid)
		thread->followed = 1;
	return thread && thread->followed ? thread : NULL;
}

#endif
