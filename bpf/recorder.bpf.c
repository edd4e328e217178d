// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/**
 * The recorder's kernel side: one hook at the exit of every system call, and what gives its events their meaning.
 *
 * In: tracepoints and iterators. Out: the samples of event.h in one ring buffer. Nothing here decides what
 * an event means to a rule; names, roles and paths are told as the kernel has them.
 */
#include "kernel.h"
#include "event.h"
#include "maps.bpf.h"
#include "parts.bpf.h"
#include "process.bpf.h"

/* A system call as its exit shows it. */
struct ft_call {
	struct pt_regs *regs;
	s64 ret;
	u16 nr;
	u8 flags; /* enum ft_header_flag */
};

static __always_inline u64 argument(struct pt_regs *regs, u32 n)
{
#if defined(__TARGET_ARCH_x86)
	switch (n) {
	case 0: return regs->di;
	case 1: return regs->si;
	case 2: return regs->dx;
	case 3: return regs->r10;
	case 4: return regs->r8;
	default: return regs->r9;
	}
#else
	switch (n) { /* the result overwrote the first */
	case 0: return regs->orig_x0;
	case 1: return regs->regs[1];
	case 2: return regs->regs[2];
	case 3: return regs->regs[3];
	case 4: return regs->regs[4];
	default: return regs->regs[5];
	}
#endif
}

static __always_inline s64 call_number(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return (s32)regs->orig_ax;
#else
	return regs->syscallno;
#endif
}

static __always_inline bool is_compat(struct task_struct *task, s64 nr)
{
#if defined(__TARGET_ARCH_x86)
	return (task->thread_info.status & TS_COMPAT) || (nr & X32_SYSCALL_BIT);
#else
	return task->thread_info.flags & (1ul << TIF_32BIT);
#endif
}

static __always_inline void fill_event(struct ft_event *event, const struct ft_call *call, struct ft_thread *thread,
				       u64 file_id, u8 type)
{
	u64 now = bpf_ktime_get_boot_ns(), latency = 0;

	if (targ_latency && thread->enter_ns) {
		latency = now - thread->enter_ns;
		if (latency >> 48)
			latency = (1ull << 48) - 1;
	}
	event->header.magic = targ_magic;
	event->header.type = type;
	event->header.flags = call->flags;
	event->header.cpu = bpf_get_smp_processor_id();
	event->header.ts_ns = now;
	event->process_id = thread->process_id;
	event->file_id = file_id;
	event->ret = call->ret;
	event->nr = call->nr;
	event->latency_high = latency >> 32;
	event->latency_low = latency;
#pragma unroll
	for (int i = 0; i < FT_ARGS; i++)
		event->args[i] = argument(call->regs, i);
}

static __always_inline void emit_event(const struct ft_call *call, struct ft_thread *thread, u64 file_id)
{
	struct ft_event *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);

	count_made(FT_EVENT);
	if (!event) {
		count_lost(FT_EVENT);
		return;
	}
	fill_event(event, call, thread, file_id, FT_EVENT);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/* The event's second files: directories, the other end of a pair, what dup2 closed. */
static __always_inline void fill_files(struct ft_event_data *sample, const struct ft_call *call, struct task_struct *task,
				       struct ft_thread *thread, const volatile struct ft_syscall *row, u64 other_file_id)
{
#pragma unroll
	for (int i = 0; i < 2; i++) {
		s8 arg = row->dir_arg[i];
		sample->dir_file_id[i] = arg < 0 ? 0 : identify_fd(task, thread, argument(call->regs, arg), 0);
	}
	sample->other_file_id = other_file_id;
	if (row->other_arg >= 0)
		sample->other_file_id = identify_fd(task, thread, argument(call->regs, row->other_arg), 0);
}

static __always_inline void emit_event_data(const struct ft_call *call, struct task_struct *task, struct ft_thread *thread,
					    const volatile struct ft_syscall *row, u64 file_id, u64 other_file_id)
{
	struct ft_event_data files = {};
	struct ft_scratch *scratch;

	fill_files(&files, call, task, thread, row, other_file_id);
	scratch = claim_scratch();
	if (!scratch) {
		count_made(FT_EVENT_DATA);
		count_lost(FT_EVENT_DATA);
		return;
	}
	struct ft_event_data *sample = (void *)scratch->sample;
	*sample = files;
	fill_event(&sample->event, call, thread, file_id, FT_EVENT_DATA);
	__builtin_memcpy(scratch->args, sample->event.args, sizeof(scratch->args));
	scratch->ret = call->ret;
	scratch->len = sizeof(*sample);
	u64 file = row->fd_arg < 0 ? 0 : file_at(task, argument(call->regs, row->fd_arg));
	for (u32 i = 0; i < FT_PARTS; i++) {
		if (i >= row->part_count)
			break;
		append_part(scratch, i, *(const volatile u64 *)&row->part[i], file);
	}
	submit_scratch(scratch, FT_EVENT_DATA);
}

/* Does the row mean this call, or one that asks for something else under the same number? */
static __always_inline bool is_meant(const struct ft_call *call, const volatile struct ft_syscall *row)
{
	if (row->when_arg < 0)
		return true;
	u64 value = argument(call->regs, row->when_arg);
	return value == row->when_value || (value < 64 && row->when_below_64 >> value & 1);
}

static __always_inline bool has_data(const struct ft_call *call, const volatile struct ft_syscall *row)
{
	u32 when = row->data_when;

	if (when >= FT_DATA_ARG && !argument(call->regs, when - FT_DATA_ARG))
		return false;
	return when != FT_DATA_NEVER && is_meant(call, row);
}

/* What the call says about a socket's address and role. */
static __always_inline u32 naming_of(const struct ft_call *call, u32 flags)
{
	u16 address[2] = {}; /* sa_family, sin_port */

	if (call->ret < 0 && !(flags & FT_CALL_CONNECTS && call->ret == -EINPROGRESS))
		return 0;
	if (flags & FT_CALL_CONNECTS)
		return FT_HOW_NAMED | FT_HOW_CLIENT;
	if (flags & FT_CALL_LISTENS)
		return FT_HOW_NAMED | FT_HOW_SERVER;
	bpf_probe_read_user(address, sizeof(address), (void *)argument(call->regs, 1));
	return FT_HOW_NAMED | (address[0] == AF_UNIX || address[1] ? FT_HOW_SERVER : 0);
}

static __always_inline u32 how_of(const struct ft_call *call, u32 flags)
{
	u32 how = (flags & FT_CALL_SENDS ? FT_HOW_SENT : 0) | (flags & FT_CALL_RECEIVES ? FT_HOW_RECEIVED : 0);

	if (call->ret < 0)
		how = 0;
	return flags & FT_CALL_NAMES ? how | naming_of(call, flags) : how;
}

/* Two new descriptors that the call wrote into memory: pipe, socketpair. */
static __always_inline u64 identify_pair(const struct ft_call *call, struct task_struct *task, struct ft_thread *thread,
					 u32 arg, u64 *second)
{
	u32 fds[2] = {~0u, ~0u};

	if (call->ret < 0)
		return 0;
	bpf_probe_read_user(fds, sizeof(fds), (void *)argument(call->regs, arg));
	*second = identify_fd(task, thread, fds[1], FT_HOW_NEW);
	thread->stdio_changed |= fds[0] < 3 || fds[1] < 3;
	return identify_fd(task, thread, fds[0], FT_HOW_NEW);
}

/** The call's file, and in `other` its second one as far as that is not simply an argument. */
static __always_inline u64 identify_call(struct ft_call *call, struct task_struct *task, struct ft_thread *thread,
					 const volatile struct ft_syscall *row, u64 *other)
{
	u32 flags = row->flags;

	if (flags & FT_CALL_CLOSES) {
		u64 closed = thread->closing_file_id;
		thread->closing_file_id = 0;
		call->flags |= FT_CLOSED;
		thread->stdio_changed |= argument(call->regs, row->fd_arg) < 3;
		return closed;
	}
	if (flags & FT_CALL_REPLACES) {
		*other = thread->closing_file_id;
		thread->closing_file_id = 0;
	}
	if (flags & FT_CALL_RESULT_FD && call->ret >= 0 && is_meant(call, row)) {
		call->flags |= FT_RESULT_FD;
		thread->stdio_changed |= call->ret < 3;
		u32 how = flags & FT_CALL_NEW_FILE ? FT_HOW_NEW | (flags & FT_CALL_LISTENS ? FT_HOW_SERVER : 0) : 0;
		return identify_fd(task, thread, call->ret, how);
	}
	if (row->pair_arg >= 0)
		return identify_pair(call, task, thread, row->pair_arg, other);
	if (row->fd_arg >= 0)
		return identify_fd(task, thread, argument(call->regs, row->fd_arg), how_of(call, flags));
	return 0;
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

static __always_inline void record_call(struct ft_call *call, struct task_struct *task, struct ft_thread *thread)
{
	const volatile struct ft_syscall *row = &syscalls[call->nr & (FT_SYSCALLS - 1)];
	bool decoded = !(call->flags & FT_COMPAT) && call->nr < FT_SYSCALLS;
	u64 file_id = 0, other_file_id = 0;

	if (!thread->process_id)
		remember_place(task, thread);
	if (decoded)
		file_id = identify_call(call, task, thread, row, &other_file_id);
	if (has_changed(task, thread))
		describe_current(task, thread);
	if (decoded && has_data(call, row))
		emit_event_data(call, task, thread, row, file_id, other_file_id);
	else
		emit_event(call, thread, file_id);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ft_thread *thread = find_thread(task);
	s64 nr = call_number(regs);

	if (!thread)
		return 0;
	struct ft_call call = {.regs = regs, .ret = ret, .nr = nr, .flags = is_compat(task, nr) ? FT_COMPAT : 0};
	if (thread->exec_pending) {
		/* x86 shows the new program's execve, whatever the call was (arch/x86/kernel/process_64.c,
		 * set_personality_64bit); arm64 none (arch/arm64/include/asm/processor.h, start_thread_common). */
		call.nr = nr = targ_execve_nr;
		call.flags = 0;
		thread->exec_pending = 0;
	}
	if (nr < 0) /* a return from a signal handler: not a call */
		return 0;
	record_call(&call, task, thread);
	thread->enter_ns = 0;
	return 0;
}

/* What tracepoints of single system calls get: kernel/trace/trace_syscalls.c, perf_call_bpf_enter(). */
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

/** For the latency, and for what is closed where handle_enter_* cannot be attached: it runs at every call. */
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
		note_closing(task, argument(regs, 0));
	if (targ_close_at_enter && flags & FT_CALL_REPLACES)
		note_replacing(task, argument(regs, 0), argument(regs, 1));
	return 0;
}

/* The kernel calls these only for their own system call, after testing a bit: kernel/trace/trace_syscalls.c. */
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

/* Where a child's first return is not traced, its creator tells of it, with the creator's arguments. */
static __always_inline void record_child(struct task_struct *parent, struct task_struct *child, struct ft_thread *thread)
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
	if (!thread) {
		FT_COUNT(no_state);
		return 0;
	}
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
	thread->exec_pending = 1;
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
		if (BPF_CORE_READ(at, thread_pid, level) != level || !BPF_CORE_READ(at, real_parent))
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
		count_lost(FT_EXIT);
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
	struct ft_thread *thread = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

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

/** The same for kernels without bpf_copy_from_user_task: leaves argv and environment to user space. */
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
		identify_file(thread, as_number(file), as_number(file->f_inode), ctx->fd, FT_HOW_SNAPSHOT);
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

char LICENSE[] SEC("license") = "GPL";
