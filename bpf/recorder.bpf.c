// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/**
 * The recorder's kernel side: one hook at the exit of every system call, and what gives its events
 * their meaning.
 *
 * In: tracepoints and iterators. Out: the samples of event.h in one ring buffer. Nothing here
 * decides what an event means to a rule; names, roles and paths are told as the kernel has them.
 */
#include "kernel.h"
#include "event.h"
#include "maps.bpf.h"
#include "call.bpf.h"
#include "io_uring.bpf.h"

/* A thread without storage is one that is left out, or one for which there was no memory. */
static __always_inline int count_unrecorded(struct task_struct *task)
{
	u32 pid = task->tgid;

	if (pid != self_pid && (!targ_follow || pid == follow_pid))
		FT_COUNT(no_state);
	return 0;
}

/* A program may ask for any number; one that has no call must not look like one that has. */
static __always_inline u16 short_number(s64 nr)
{
	return nr >= 0 && nr < FT_X32 ? nr : FT_SYSCALLS;
}

static __always_inline bool is_off(s64 nr)
{
	u64 row = nr & (FT_SYSCALLS - 1);

	/* Comparing first, the compiler would drop the mask that the verifier wants to see. */
	barrier_var(row);
	return syscalls[row].flags & FT_CALL_OFF && nr == (s64)row;
}

static __always_inline bool is_compat_off(u32 nr)
{
	u32 row = nr & (FT_SYSCALLS - 1);

	barrier_var(row);
	return compat_syscalls[row].flags & FT_CALL_OFF;
}

#define I386_SOCKETCALL 102 /* arch/x86/entry/syscalls/syscall_32.tbl */
#define I386_OURS 509	    /* from here on numbers are socketcall's calls and no program's */

/* socketcall(number, arguments): as the call that it stands for. */
static __always_inline void resolve_socket_call(struct ft_call *call, u32 *memory)
{
#if defined(__TARGET_ARCH_x86)
	u32 which = call->regs->bx, nr = FT_SYSCALLS;
	u64 from = (u32)call->regs->cx;

	if (call->nr != I386_SOCKETCALL)
		return;
	if (which < 32)
		nr = socket_calls[which];
	if (nr >= FT_SYSCALLS)
		return;
		/* One by one: behind those that the call has there may be no memory. */
#pragma unroll
	for (int i = 0; i < FT_ARGS; i++)
		bpf_probe_read_user(&memory[i], sizeof(u32), (void *)(from + i * sizeof(u32)));
	call->nr = nr;
	call->in_memory = memory;
#endif
}

/* A 32-bit call, whose number and arguments are others; false if it is not recorded. */
static __always_inline bool resolve_compat(struct ft_call *call, s64 nr, u32 *memory)
{
	call->flags = FT_COMPAT;
#if defined(__TARGET_ARCH_x86)
	if (nr & X32_SYSCALL_BIT) {
		call->nr = short_number(nr & ~X32_SYSCALL_BIT) | FT_X32;
		return true;
	}
#endif
	call->narrow = 1;
#if defined(__TARGET_ARCH_x86)
	if (nr >= I386_OURS)
		call->nr = FT_SYSCALLS;
#endif
	resolve_socket_call(call, memory);
	return !is_compat_off(call->nr);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	s64 nr = call_number(regs);
	bool compat = is_compat(task, nr);

	if (!compat && is_off(nr))
		return 0;
	struct ft_thread *thread = find_thread(task);
	if (!thread)
		return count_unrecorded(task);
	struct ft_call call = {.regs = regs, .ret = ret, .nr = short_number(nr)};
	u32 memory[FT_ARGS];
	if (thread->exec_pending) {
		/* x86 shows the new program's execve, whatever the call was
		 * (arch/x86/kernel/process_64.c, set_personality_64bit); arm64 none
		 * (arch/arm64/include/asm/processor.h, start_thread_common). */
		call.nr = nr = targ_execve_nr;
		thread->exec_pending = 0;
	} else if (compat && !resolve_compat(&call, nr, memory)) {
		return 0;
	}
	if (nr < 0) /* a return from a signal handler: not a call */
		return 0;
	record_call(&call, task, thread);
	thread->enter_ns = 0;
	return 0;
}

/* What tracepoints of single system calls get: kernel/trace/trace_syscalls.c,
 * perf_call_bpf_enter(). */
struct ft_enter {
	u64 entry;
	u64 nr;
	u64 args[FT_ARGS];
};

/* Describes what a descriptor is before the call that closes it. */
static __always_inline void note_closing(struct task_struct *task, u32 fd)
{
	struct ft_thread *thread = find_thread(task);

	if (!thread)
		return;
	if (!thread->process_id)
		remember_place(task, thread);
	thread->closing_file_id = identify_closing(task, thread, fd);
}

static __always_inline void note_replacing(struct task_struct *task, u32 from, u32 to)
{
	if (from != to)
		note_closing(task, to);
}

/** For the latency, and for what is closed where handle_enter_* cannot be attached: it runs at
 * every call. */
SEC("tp_btf/sys_enter")
int BPF_PROG(handle_sys_enter, struct pt_regs *regs, long id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 flags = syscalls[id & (FT_SYSCALLS - 1)].flags;

	if (id < 0 || id >= FT_SYSCALLS || is_compat(task, id))
		return 0;
	if (targ_latency) {
		struct ft_thread *thread = find_thread(task);
		if (thread)
			thread->enter_ns = bpf_ktime_get_boot_ns();
	}
	if (targ_close_at_enter && flags & FT_CALL_CLOSES)
		note_closing(task, native_argument(regs, 0));
	if (targ_close_at_enter && flags & FT_CALL_REPLACES)
		note_replacing(task, native_argument(regs, 0), native_argument(regs, 1));
	return 0;
}

/* The kernel calls these only for their own system call, after testing a bit:
 * kernel/trace/trace_syscalls.c. */
SEC("tracepoint/syscalls/sys_enter_close")
int handle_enter_close(struct ft_enter *enter)
{
	note_closing(bpf_get_current_task_btf(), enter->args[0]);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_dup2")
int handle_enter_dup2(struct ft_enter *enter)
{
	note_replacing(bpf_get_current_task_btf(), enter->args[0], enter->args[1]);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_dup3")
int handle_enter_dup3(struct ft_enter *enter)
{
	note_replacing(bpf_get_current_task_btf(), enter->args[0], enter->args[1]);
	return 0;
}

/* Where a child's first return is not traced, its creator tells of it, with the creator's
 * arguments. */
static __always_inline void record_child(struct task_struct *parent, struct task_struct *child,
					 struct ft_thread *thread)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(parent);
	struct ft_call call = {.regs = regs, .flags = FT_CHILD, .nr = call_number(regs)};

	if (!is_compat(parent, call.nr))
		record_call(&call, child, thread);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(handle_fork, struct task_struct *parent, struct task_struct *child)
{
	struct ft_thread *from = find_thread(parent), *thread;

	if (!from)
		return 0;
	thread = bpf_task_storage_get(&threads, child, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!thread)
		return 0;
	thread->previous_id = from->process_id;
	thread->image_id = from->image_id;
	thread->image_pending = from->image_pending;
	thread->origin.exec_count = child->self_exec_id;
	thread->followed = from->followed;
	__builtin_memcpy(thread->comm, child->comm, FT_COMM_LEN);
	if (targ_child_at_fork)
		record_child(parent, child, thread);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(handle_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct ft_thread *thread = find_thread(task);
	struct ft_exec exec = {.filename = bprm->filename, .interp = bprm->interp};

	if (!thread)
		return 0;
	if (exec.interp == exec.filename)
		exec.interp = NULL;
	if (is_compat(task, 0))
		exec.flags |= FT_IMAGE_COMPAT;
	if (bpf_core_field_exists(bprm->fdpath) && bprm->fdpath)
		exec.flags |= FT_IMAGE_EXECVEAT;
	__builtin_memcpy(thread->comm, task->comm, FT_COMM_LEN);
	thread->image_pending = 0;
	thread->exec_pending = !is_off(targ_execve_nr);
	describe_image(task, thread, &exec, NULL, 0);
	return 0;
}

/* find_new_reaper(), kernel/exit.c: who adopts the children, as far as a bounded walk finds it. */
static __always_inline u32 find_reaper(struct task_struct *task, bool group_dead)
{
	struct task_struct *at = task->real_parent;
	u32 level = BPF_CORE_READ(task, thread_pid, level);

	if (!group_dead)
		return task->tgid;
	for (int i = 0; i < 16; i++) {
		struct signal_struct *signal = BPF_CORE_READ(at, signal);
		if (BPF_CORE_READ(at, thread_pid, level) != level ||
		    !BPF_CORE_READ(at, real_parent))
			break;
		if (BPF_CORE_READ_BITFIELD_PROBED(signal, is_child_subreaper))
			return BPF_CORE_READ(at, tgid);
		at = BPF_CORE_READ(at, real_parent);
	}
	return BPF_CORE_READ(own_pid_namespace(task->thread_pid, level), child_reaper, tgid);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(handle_exit, struct task_struct *task)
{
	struct ft_thread *thread = task->flags & PF_KTHREAD ? NULL : find_thread(task);

	if (!thread)
		return 0;
	if (has_changed(task, thread))
		describe_current(task, thread);
	struct ft_exit *sample = bpf_ringbuf_reserve(&ring, sizeof(*sample), 0);
	count_made(FT_EXIT);
	if (!sample) {
		count_lost_event(FT_EXIT, FT_CLASS_PROCESS << FT_CALL_CLASS_SHIFT);
		return 0;
	}
	fill_header(&sample->header, FT_EXIT, 0);
	sample->process_id = thread->process_id;
	sample->code = task->exit_code;
	sample->tid = task->pid;
	sample->pid = task->tgid;
	sample->group_dead = task->signal->live.counter == 0;
	sample->reaper_tid = find_reaper(task, sample->group_dead);
	sample->reserved = 0;
	bpf_ringbuf_submit(sample, BPF_RB_NO_WAKEUP);
	return 0;
}

/** A ring's request that the kernel has taken. Before v6.3 the tracepoint has another name and other
 * arguments; requests are not recorded there. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(handle_request, struct io_kiocb *req)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const volatile struct ft_operation *operation =
		&operations[req->opcode & (FT_OPERATIONS - 1)];
	struct ft_sqe sqe = {};

	if (operation->nr >= FT_SYSCALLS || is_off(operation->nr))
		return 0;
	struct ft_thread *thread = find_thread(task);
	if (!thread)
		return count_unrecorded(task);
	bool is_whole = read_request(&sqe, req);
	if (!is_whole)
		sqe = (struct ft_sqe){.fd = -1};
	take_request((u64)req, &sqe, is_whole, task, thread, operation);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_complete, void *ring_ctx, struct io_kiocb *req)
{
	u64 key = (u64)req;
	struct ft_long_request *told = bpf_map_lookup_elem(&long_requests, &key);

	if (told) {
		complete_request(told->sample, FT_REQUEST_BYTES, req);
		bpf_map_delete_elem(&long_requests, &key);
		return 0;
	}
	struct ft_event_data *request = bpf_map_lookup_elem(&requests, &key);
	if (request) {
		complete_request((u8 *)request, sizeof(*request), req);
		bpf_map_delete_elem(&requests, &key);
	}
	return 0;
}

/* Is the task follow_pid or one of its descendants? Finds follow_pid itself first. */
static __always_inline bool is_followed(struct task_struct *task)
{
	struct pid *reader = bpf_get_current_task_btf()->thread_pid;
	u32 level = BPF_CORE_READ(reader, level);
	struct task_struct *at = task;

	if (follow_vpid && task->pid == task->tgid &&
	    number_in(task->thread_pid, level, own_pid_namespace(reader, level)) == follow_vpid)
		follow_pid = task->tgid;
	for (int i = 0; follow_pid && i < 32; i++) {
		u32 pid = BPF_CORE_READ(at, tgid);
		if (pid == follow_pid)
			return true;
		if (pid <= 1)
			break;
		at = BPF_CORE_READ(at, real_parent);
	}
	return false;
}

static __always_inline void describe_existing(struct task_struct *task, struct task_struct *other)
{
	struct ft_thread *thread =
		bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	self_pid = bpf_get_current_pid_tgid() >> 32; /* an iterator runs in its reader */
	if (!thread)
		return;
	if (!thread->process_id)
		describe_process(task, thread, other, FT_SNAPSHOT);
	if (targ_follow)
		thread->followed |= is_followed(task);
}

/** Describes the threads that exist already. Its reader is the recorder. */
SEC("iter.s/task")
int handle_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		describe_existing(task, task);
	return 0;
}

/** The same for kernels without bpf_copy_from_user_task: leaves argv and environment to user space.
 */
SEC("iter/task")
int handle_task_without_memory(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		describe_existing(task, NULL);
	return 0;
}

/** Describes the files that are open already. */
SEC("iter/task_file")
int handle_task_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;

	if (!task || !file)
		return 0;
	struct ft_thread *thread = bpf_task_storage_get(&threads, task, 0, 0);
	if (thread && (!targ_follow || thread->followed))
		identify_file(thread, as_number(file), as_number(file->f_inode), ctx->fd,
			      FT_HOW_SNAPSHOT);
	return 0;
}

/* Puts the samples' types into the object, for the test that compares them with layout.py. */
const struct ft_event_data *unused_event_data __attribute__((unused));
const struct ft_process *unused_process __attribute__((unused));
const struct ft_image *unused_image __attribute__((unused));
const struct ft_file *unused_file __attribute__((unused));
const struct ft_cgroups *unused_cgroups __attribute__((unused));
const struct ft_exit *unused_exit __attribute__((unused));
const struct ft_usage *unused_usage __attribute__((unused));
const struct ft_backlog *unused_backlog __attribute__((unused));
const struct ft_polled *unused_polled __attribute__((unused));

char LICENSE[] SEC("license") = "GPL";
