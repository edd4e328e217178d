/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * A system call at its exit: which files it concerns, what travels with it, and its event.
 */
#ifndef FALCOTRACE_CALL_BPF_H
#define FALCOTRACE_CALL_BPF_H

#include "parts.bpf.h"
#include "process.bpf.h"

/* A system call as its exit shows it. */
struct ft_call {
	struct pt_regs *regs;
	s64 ret;
	u16 nr;
	u8 flags;	/* enum ft_header_flag */
	u8 narrow;	/* passes its arguments as 32-bit programs do; x32 does not */
	u32 *in_memory; /* socketcall: the arguments are these */
};

/* An argument of a 32-bit call. */
static __always_inline u32 compat_argument(const struct ft_call *call, u32 n)
{
#if defined(__TARGET_ARCH_x86)
	switch (n) { /* arch/x86/include/asm/syscall_wrapper.h, SC_IA32_REGS_TO_ARGS */
	case 0: return call->in_memory ? call->in_memory[0] : call->regs->bx;
	case 1: return call->in_memory ? call->in_memory[1] : call->regs->cx;
	case 2: return call->in_memory ? call->in_memory[2] : call->regs->dx;
	case 3: return call->in_memory ? call->in_memory[3] : call->regs->si;
	case 4: return call->in_memory ? call->in_memory[4] : call->regs->di;
	default: return call->in_memory ? call->in_memory[5] : call->regs->bp;
	}
#else
	switch (n) {
	case 0: return call->regs->orig_x0;
	case 1: return call->regs->regs[1];
	case 2: return call->regs->regs[2];
	case 3: return call->regs->regs[3];
	case 4: return call->regs->regs[4];
	default: return call->regs->regs[5];
	}
#endif
}

static __always_inline u64 native_argument(struct pt_regs *regs, u32 n)
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

static __always_inline u64 argument(const struct ft_call *call, u32 n)
{
	return call->narrow ? compat_argument(call, n) : native_argument(call->regs, n);
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

static __always_inline void fill_event(struct ft_event *event, const struct ft_call *call,
				       struct ft_thread *thread, u64 file_id, u8 type)
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
	if (call->narrow) {
#pragma unroll
		for (int i = 0; i < FT_ARGS; i++)
			event->args[i] = compat_argument(call, i);
		return;
	}
#pragma unroll
	for (int i = 0; i < FT_ARGS; i++)
		event->args[i] = native_argument(call->regs, i);
}

static __always_inline void emit_event(const struct ft_call *call, struct ft_thread *thread,
				       u64 file_id, u32 flags)
{
	if (flags & FT_CALL_SHEDS && is_shed(FT_EVENT, flags, find_pressure()))
		return;
	struct ft_event *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);

	count_made(FT_EVENT);
	if (!event) {
		count_lost_event(FT_EVENT, flags);
		return;
	}
	fill_event(event, call, thread, file_id, FT_EVENT);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/** The numbers of an event's files, found before there is a sample to put them into. */
struct ft_event_files {
	u64 file_id;
	u64 dir_file_id[2];
	u64 other_file_id;
};

static __always_inline void put_files(struct ft_event_data *sample,
				      const struct ft_event_files *files)
{
	__builtin_memset(sample, 0, sizeof(*sample));
	sample->event.file_id = files->file_id;
	sample->dir_file_id[0] = files->dir_file_id[0];
	sample->dir_file_id[1] = files->dir_file_id[1];
	sample->other_file_id = files->other_file_id;
}

/* The event's second files: directories, the other end of a pair, what dup2 closed. */
static __always_inline void fill_files(struct ft_event_files *files, const struct ft_call *call,
				       struct task_struct *task, struct ft_thread *thread,
				       const volatile struct ft_syscall *row, u64 other_file_id)
{
#pragma unroll
	for (int i = 0; i < 2; i++) {
		s8 arg = row->dir_arg[i];
		files->dir_file_id[i] =
			arg < 0 ? 0 : identify_fd(task, thread, argument(call, arg), 0);
	}
	files->other_file_id = other_file_id;
	if (row->other_arg >= 0)
		files->other_file_id =
			identify_fd(task, thread, argument(call, row->other_arg), 0);
}

static __always_inline void emit_event_data(const struct ft_call *call, struct task_struct *task,
					    struct ft_thread *thread,
					    const volatile struct ft_syscall *row, u64 file_id,
					    u64 other_file_id)
{
	struct ft_event_files files = {.file_id = file_id};
	struct ft_scratch *scratch;
	u32 pressure = find_pressure(), flags = row->flags;

	if (is_shed(FT_EVENT_DATA, flags, pressure))
		return;
	fill_files(&files, call, task, thread, row, other_file_id);
	scratch = claim_scratch();
	if (!scratch) {
		count_made(FT_EVENT_DATA);
		count_lost_event(FT_EVENT_DATA, flags);
		return;
	}
	scratch->pressure = pressure;
	struct ft_event_data *sample = (void *)scratch->sample;
	put_files(sample, &files);
	fill_event(&sample->event, call, thread, file_id, FT_EVENT_DATA);
	__builtin_memcpy(scratch->args, sample->event.args, sizeof(scratch->args));
	scratch->ret = call->ret;
	scratch->is_compat = call->narrow;
	scratch->len = sizeof(*sample);
	u64 file = row->fd_arg < 0 ? 0 : file_at(task, argument(call, row->fd_arg));
	append_parts(scratch, row, file);
	if (submit_scratch(scratch, FT_EVENT_DATA))
		count_lost_class(flags);
}

/* Does the row mean this call, or one that asks for something else under the same number? */
static __always_inline bool is_meant(const struct ft_call *call,
				     const volatile struct ft_syscall *row)
{
	if (row->when_arg < 0)
		return true;
	u64 value = argument(call, row->when_arg);
	return value == row->when_value || (value < 64 && row->when_below_64 >> value & 1);
}

static __always_inline bool has_data(const struct ft_call *call,
				     const volatile struct ft_syscall *row)
{
	u32 when = row->data_when;

	if (when >= FT_DATA_ARG && !argument(call, when - FT_DATA_ARG))
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
	bpf_probe_read_user(address, sizeof(address), (void *)argument(call, 1));
	return FT_HOW_NAMED | (address[0] == AF_UNIX || address[1] ? FT_HOW_SERVER : 0);
}

static __always_inline u32 how_of(const struct ft_call *call, u32 flags)
{
	u32 how = (flags & FT_CALL_SENDS ? FT_HOW_SENT : 0) |
		  (flags & FT_CALL_RECEIVES ? FT_HOW_RECEIVED : 0);

	if (call->ret < 0)
		how = 0;
	return flags & FT_CALL_NAMES ? how | naming_of(call, flags) : how;
}

/* Two new descriptors that the call wrote into memory: pipe, socketpair. */
static __always_inline u64 identify_pair(const struct ft_call *call, struct task_struct *task,
					 struct ft_thread *thread, u32 arg, u64 *second)
{
	u32 fds[2] = {~0u, ~0u};

	if (call->ret < 0)
		return 0;
	bpf_probe_read_user(fds, sizeof(fds), (void *)argument(call, arg));
	*second = identify_fd(task, thread, fds[1], FT_HOW_NEW);
	thread->stdio_changed |= fds[0] < 3 || fds[1] < 3;
	return identify_fd(task, thread, fds[0], FT_HOW_NEW);
}

/** The call's file, and in `other` its second one as far as that is not simply an argument. */
static __always_inline u64 identify_call(struct ft_call *call, struct task_struct *task,
					 struct ft_thread *thread,
					 const volatile struct ft_syscall *row, u64 *other)
{
	u32 flags = row->flags;

	if (flags & FT_CALL_CLOSES) {
		u64 closed = thread->closing_file_id;
		thread->closing_file_id = 0;
		call->flags |= FT_CLOSED;
		thread->stdio_changed |= argument(call, row->fd_arg) < 3;
		return closed;
	}
	if (flags & FT_CALL_REPLACES) {
		*other = thread->closing_file_id;
		thread->closing_file_id = 0;
	}
	if (flags & FT_CALL_RESULT_FD && call->ret >= 0 && is_meant(call, row)) {
		call->flags |= FT_RESULT_FD;
		thread->stdio_changed |= call->ret < 3;
		u32 how = flags & FT_CALL_NEW_FILE
				  ? FT_HOW_NEW | (flags & FT_CALL_LISTENS ? FT_HOW_SERVER : 0)
				  : 0;
		return identify_fd(task, thread, call->ret, how);
	}
	if (row->pair_arg >= 0)
		return identify_pair(call, task, thread, row->pair_arg, other);
	if (row->fd_arg >= 0)
		return identify_fd(task, thread, argument(call, row->fd_arg),
				   how_of(call, flags));
	return 0;
}

static __always_inline const volatile struct ft_syscall *row_of(const struct ft_call *call)
{
	u32 row = call->nr & (FT_SYSCALLS - 1);

	return call->narrow ? &compat_syscalls[row] : &syscalls[row];
}

static __always_inline void record_call(struct ft_call *call, struct task_struct *task,
					struct ft_thread *thread)
{
	const volatile struct ft_syscall *row = row_of(call);
	bool decoded = call->nr < FT_SYSCALLS;
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
		emit_event(call, thread, file_id, decoded ? row->flags : 0);
}

#endif
