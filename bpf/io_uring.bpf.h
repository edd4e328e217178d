/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * io_uring: what a ring is asked for, as the events of the system calls that it stands for.
 *
 * A request is read when the kernel takes it, for then its texts are there, and told when it is
 * complete, for then there is a result. One whose success is not to be told to the program
 * (IOSQE_CQE_SKIP_SUCCESS) is told at once and without a result.
 */
#ifndef FALCOTRACE_IO_URING_BPF_H
#define FALCOTRACE_IO_URING_BPF_H

#include "call.bpf.h"

#define FT_OPERATIONS 64 /* enum io_uring_op, include/uapi/linux/io_uring.h */
#define FT_REQUEST_BYTES (sizeof(struct ft_event_data) + 2 * FT_PATH_MAX + 512)
#define IOSQE_FIXED_FILE 1
#define IOSQE_CQE_SKIP_SUCCESS 64
#define IORING_SETUP_SQE128 (1u << 10)

/* ft_operation.source: the member of the request that is an argument */
enum ft_sqe_member {
	FT_SQE_NONE = 0,
	FT_SQE_FD = 1,
	FT_SQE_OFF = 2, /* or addr2 */
	FT_SQE_ADDR = 3,
	FT_SQE_LEN = 4,
	FT_SQE_FLAGS = 5,
	FT_SQE_INDEX = 6, /* splice_fd_in, file_index, addr_len */
	FT_SQE_ADDR3 = 7,
};

/** The system call that an operation stands for. Filled by user space before the object is loaded.
 */
struct ft_operation {
	u16 nr; /**< FT_SYSCALLS: none, it is not told */
	u8 source[FT_ARGS]; /**< enum ft_sqe_member */
};

/* struct io_uring_sqe, include/uapi/linux/io_uring.h */
struct ft_sqe {
	u8 opcode;
	u8 flags;
	u16 ioprio;
	s32 fd;
	u64 off;
	u64 addr;
	u32 len;
	u32 op_flags;
	u64 user_data;
	u16 buf_index;
	u16 personality;
	u32 index;
	u64 addr3;
	u64 pad;
};
_Static_assert(sizeof(struct ft_sqe) == 64, "the user interface of Linux");

const volatile struct ft_operation operations[FT_OPERATIONS] = {};

/** Requests that are not complete, by the address of struct io_kiocb: their events so far. Until
 * then `ret` is the event's length, `header.ts_ns` the address of the table of descriptors, and
 * `latency_high` says that the result is a place in the ring's own table of files. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct ft_event_data);
} requests SEC(".maps");

struct ft_long_request {
	u8 sample[FT_REQUEST_BYTES];
};

/** The same for requests with texts. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2048);
	__type(key, u64);
	__type(value, struct ft_long_request);
} long_requests SEC(".maps");

/* The request as the program wrote it. It is the ring's last one that was taken; the program may
 * have changed it since, so what the kernel took is compared: false if it is another one now. */
static __always_inline bool read_request(struct ft_sqe *sqe, struct io_kiocb *req)
{
	struct io_ring_ctx *ring_ctx = BPF_CORE_READ(req, ctx);
	u32 entries = BPF_CORE_READ(ring_ctx, sq_entries);
	u32 index = (BPF_CORE_READ(ring_ctx, cached_sq_head) - 1) & (entries - 1);
	u32 *array = BPF_CORE_READ(ring_ctx, sq_array);

	if (array && bpf_probe_read_kernel(&index, sizeof(index), array + index))
		return false;
	if (index >= entries)
		return false;
	if (BPF_CORE_READ(ring_ctx, flags) & IORING_SETUP_SQE128)
		index <<= 1;
	struct ft_sqe *first = (void *)BPF_CORE_READ(ring_ctx, sq_sqes);
	if (bpf_probe_read_kernel(sqe, sizeof(*sqe), first + index))
		return false;
	return sqe->opcode == BPF_CORE_READ(req, opcode) &&
	       sqe->user_data == BPF_CORE_READ(req, cqe.user_data);
}

/* Places in the ring's own table of files are no descriptors and must not look like any. */
static __always_inline u64 descriptor_of(const struct ft_sqe *sqe)
{
	return sqe->flags & IOSQE_FIXED_FILE ? FT_RING_FILE + (u32)sqe->fd : (s64)sqe->fd;
}

static __always_inline u64 member_of(const struct ft_sqe *sqe, u8 source)
{
	switch (source) {
	case FT_SQE_FD: return descriptor_of(sqe);
	case FT_SQE_OFF: return sqe->off;
	case FT_SQE_ADDR: return sqe->addr;
	case FT_SQE_LEN: return sqe->len;
	case FT_SQE_FLAGS: return sqe->op_flags;
	case FT_SQE_INDEX: return sqe->index;
	case FT_SQE_ADDR3: return sqe->addr3;
	default: return 0;
	}
}

/* The files that the request names by descriptors: directories, the second one, what it closes. */
static __always_inline void fill_request_files(struct ft_event_files *files, const u64 *args,
					       struct task_struct *task, struct ft_thread *thread,
					       const volatile struct ft_operation *operation,
					       const volatile struct ft_syscall *row)
{
#pragma unroll
	for (int i = 0; i < 2; i++) {
		u32 arg = (u8)row->dir_arg[i];
		if (arg < FT_ARGS)
			files->dir_file_id[i] = identify_fd(task, thread, args[arg], 0);
	}
	u32 other = (u8)row->other_arg, own = (u8)row->fd_arg;
	if (other < FT_ARGS)
		files->other_file_id = identify_fd(task, thread, args[other], 0);
	if (row->flags & FT_CALL_CLOSES)
		files->file_id = identify_closing(task, thread, args[0]);
	else if (own < FT_ARGS && operation->source[own] != FT_SQE_FD)
		files->file_id = identify_fd(task, thread, args[own], 0);
}

static __always_inline void submit_request(u8 *sample, u32 len, u32 room, u32 call_flags)
{
	long err = -1;

	barrier_var(len); /* the verifier must see the same variable compared and passed */
	if (len <= room)
		err = bpf_ringbuf_output(&ring, sample, len, BPF_RB_NO_WAKEUP);
	count_made(FT_EVENT_DATA);
	if (err)
		count_lost_event(FT_EVENT_DATA, call_flags);
}

/* Tells of a request whose result nobody will know. */
static __always_inline void tell_without_result(u8 *sample, u32 len, u32 room)
{
	struct ft_event *event = (void *)sample;
	u32 call_flags = syscalls[event->nr & (FT_SYSCALLS - 1)].flags;

	fill_header(&event->header, FT_EVENT_DATA, FT_IO_URING | FT_NO_RESULT);
	event->ret = FT_UNKNOWN;
	event->latency_high = 0;
	submit_request(sample, len, room, call_flags);
}

/* An earlier request at the same address whose completion was not seen. */
static __always_inline void forget_request(u64 key)
{
	struct ft_long_request *told = bpf_map_lookup_elem(&long_requests, &key);
	struct ft_event_data *request = bpf_map_lookup_elem(&requests, &key);

	if (told) {
		u32 len = ((struct ft_event *)told->sample)->ret;
		tell_without_result(told->sample, len, sizeof(*told));
		bpf_map_delete_elem(&long_requests, &key);
	}
	if (request) {
		tell_without_result((u8 *)request, sizeof(*request), sizeof(*request));
		bpf_map_delete_elem(&requests, &key);
	}
}

/* Keeps the event until the request is complete; false where there is no room for it. */
static __always_inline bool keep_request(struct ft_scratch *scratch, u64 key)
{
	forget_request(key);
	if (scratch->len > sizeof(struct ft_event_data))
		return !bpf_map_update_elem(&long_requests, &key, scratch->sample, BPF_ANY);
	return !bpf_map_update_elem(&requests, &key, scratch->sample, BPF_ANY);
}

static __always_inline void take_request(u64 key, const struct ft_sqe *sqe, bool is_whole,
					 struct task_struct *task, struct ft_thread *thread,
					 const volatile struct ft_operation *operation)
{
	const volatile struct ft_syscall *row = &syscalls[operation->nr & (FT_SYSCALLS - 1)];
	struct ft_event_files files = {};
	u64 args[FT_ARGS];

#pragma unroll
	for (int i = 0; i < FT_ARGS; i++)
		args[i] = member_of(sqe, operation->source[i]);
	if (row->flags & FT_CALL_CLOSES && sqe->index)
		args[0] = FT_RING_FILE + sqe->index - 1;
	if (!thread->process_id)
		remember_place(task, thread);
	if (has_changed(task, thread))
		describe_current(task, thread);
	fill_request_files(&files, args, task, thread, operation, row);
	struct ft_scratch *scratch = claim_scratch();
	if (!scratch) {
		count_made(FT_EVENT_DATA);
		count_lost_event(FT_EVENT_DATA, row->flags);
		return;
	}
	struct ft_event_data *sample = (void *)scratch->sample;
	put_files(sample, &files);
	__builtin_memcpy(scratch->args, args, sizeof(args));
	__builtin_memcpy(sample->event.args, args, sizeof(args));
	scratch->ret = -1; /* no part that needs success, and no contents yet */
	scratch->pressure = find_pressure();
	scratch->is_compat = 0;
	scratch->len = sizeof(*sample);
	u64 file = row->fd_arg < 0 || sqe->flags & IOSQE_FIXED_FILE ? 0 : file_at(task, sqe->fd);
	append_parts(scratch, row, file);
	sample->event.header.magic = targ_magic;
	sample->event.header.type = FT_EVENT_DATA;
	sample->event.process_id = thread->process_id;
	sample->event.nr = operation->nr;
	if (!is_whole) { /* the event is told all the same, and says that it is not whole */
		sample->part[FT_PARTS - 1].flags = FT_PART_FAULT;
		FT_COUNT(faults);
	}
	if (!(sqe->flags & IOSQE_CQE_SKIP_SUCCESS)) {
		sample->event.ret = scratch->len;
		sample->event.header.ts_ns = (u64)task->files;
		sample->event.latency_high = row->flags & FT_CALL_RESULT_FD && sqe->index;
		if (keep_request(scratch, key)) {
			release_scratch(scratch);
			return;
		}
		FT_COUNT(map_full);
	}
	tell_without_result(scratch->sample, scratch->len, FT_REQUEST_BYTES);
	release_scratch(scratch);
}

static __always_inline u32 how_of_request(u32 flags, s64 ret)
{
	if (ret < 0 && !(flags & FT_CALL_CONNECTS && ret == -EINPROGRESS))
		return 0;
	return (flags & FT_CALL_SENDS ? FT_HOW_SENT : 0) |
	       (flags & FT_CALL_RECEIVES ? FT_HOW_RECEIVED : 0) |
	       (flags & FT_CALL_NAMES ? FT_HOW_NAMED : 0) |
	       (flags & FT_CALL_CONNECTS ? FT_HOW_CLIENT : 0) |
	       (flags & (FT_CALL_LISTENS | FT_CALL_BINDS) ? FT_HOW_SERVER : 0);
}

/* The file that the request is about, once its result is known. */
static __always_inline u64 identify_request(struct ft_event *event, struct io_kiocb *req,
					    const volatile struct ft_syscall *row)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ft_thread *thread = find_thread(task);
	u32 flags = row->flags;

	if (!thread || (u64)task->files != event->header.ts_ns)
		return event->file_id;
	if (flags & FT_CALL_CLOSES) {
		thread->stdio_changed |= event->args[0] < 3;
		return event->file_id;
	}
	if (flags & FT_CALL_RESULT_FD && event->ret >= 0) {
		if (event->latency_high)
			return 0;
		event->header.flags |= FT_RESULT_FD;
		thread->stdio_changed |= event->ret < 3;
		return identify_fd(task, thread, event->ret,
				   FT_HOW_NEW | (flags & FT_CALL_LISTENS ? FT_HOW_SERVER : 0));
	}
	u64 file = (u64)BPF_CORE_READ(req, file);
	if (event->file_id || row->fd_arg < 0 || !file)
		return event->file_id;
	return identify_file(thread, file, inode_of(file), event->args[0],
			     how_of_request(flags, event->ret));
}

/* Tells of a request that is complete; its event lies in so much room. */
static __always_inline void complete_request(u8 *sample, u32 room, struct io_kiocb *req)
{
	struct ft_event *event = (void *)sample;
	const volatile struct ft_syscall *row = &syscalls[event->nr & (FT_SYSCALLS - 1)];
	u32 len = event->ret;

	event->ret = BPF_CORE_READ(req, cqe.res);
	event->header.flags = FT_IO_URING | (row->flags & FT_CALL_CLOSES ? FT_CLOSED : 0);
	event->file_id = identify_request(event, req, row);
	if (event->latency_high && event->ret >= 0)
		event->ret += FT_RING_FILE;
	event->latency_high = 0;
	event->header.ts_ns = bpf_ktime_get_boot_ns();
	event->header.cpu = bpf_get_smp_processor_id();
	submit_request(sample, len, room, row->flags);
}

#endif
