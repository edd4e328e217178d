/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * The variable parts of events: what user memory or the kernel adds to a call's numbers.
 *
 * Which parts a call has is its row's business (struct ft_syscall); nothing here knows a system
 * call.
 */
#ifndef FALCOTRACE_PARTS_BPF_H
#define FALCOTRACE_PARTS_BPF_H

#include "process.bpf.h"

#define FT_STRING_MAX 4095 /* PATH_MAX without its NUL */
#define FT_ARGV_MAX 64	   /* strings of a failed exec */
#define FT_VECTORS_MAX 32  /* struct iovec of a call that are looked at; as many as Falco's */
#define FT_POLLED_MAX 32   /* struct pollfd of a call that are looked at */

/* struct user_msghdr, include/linux/socket.h; struct mmsghdr begins with it. */
struct ft_msghdr {
	u64 name;
	u32 name_len;
	u32 pad;
	u64 vectors;
	u64 vector_count;
	u64 control;
	u64 control_len;
	u64 flags;
};

struct ft_vector {
	u64 base;
	u64 len;
};

/* The same of 32-bit programs: include/net/compat.h, include/linux/compat.h */
struct ft_compat_msghdr {
	u32 name;
	u32 name_len;
	u32 vectors;
	u32 vector_count;
	u32 control;
	u32 control_len;
	u32 flags;
};

struct ft_compat_vector {
	u32 base;
	u32 len;
};

/* struct pollfd, include/uapi/asm-generic/poll.h */
struct ft_pollfd {
	s32 fd;
	__s16 events;
	__s16 revents;
};

static __always_inline u32 append_user_string(struct ft_scratch *scratch, u64 from, u32 limit,
					      u8 *flags)
{
	u8 *to = next_string(scratch);
	long n;

	if (!to)
		return 0;
	if (limit > FT_STRING_MAX)
		limit = FT_STRING_MAX;
	n = bpf_probe_read_user_str(to, limit + 2, (void *)from);
	if (n < 0) {
		*flags |= FT_PART_FAULT;
		return 0;
	}
	if (n - 1 > limit) {
		*flags |= FT_PART_CUT;
		n = limit + 1;
	}
	scratch->len += n - 1;
	return n - 1;
}

static __always_inline u32 append_user_bytes(struct ft_scratch *scratch, u64 from, u64 size,
					     u32 limit, u8 *flags)
{
	u8 *to = next_string(scratch);

	if (!to || !size)
		return 0;
	if (size > limit) {
		*flags |= FT_PART_CUT;
		size = limit;
	}
	if (size > FT_BLOCK_MAX)
		size = FT_BLOCK_MAX;
	if (bpf_probe_read_user(to, size, (void *)from)) {
		*flags |= FT_PART_FAULT;
		return 0;
	}
	scratch->len += size;
	return size;
}

/* Functions with loops are not static: the verifier looks at each once, by itself. They return
 * enum ft_part_flag; how much they appended the scratch tells. */

/** The strings of a char *[], each with its NUL. */
__noinline int append_user_strings(struct ft_scratch *scratch, u64 from, u32 limit)
{
	u8 flags = 0;

	if (!scratch)
		return 0;
	u32 before = scratch->len, width = scratch->is_compat ? sizeof(u32) : sizeof(u64);
	for (int i = 0; i < FT_ARGV_MAX; i++) {
		u64 string = 0;
		if (bpf_probe_read_user(&string, width, (void *)(from + i * width)))
			return flags | FT_PART_FAULT;
		if (!string)
			return flags;
		append_user_string(scratch, string, FT_STRING_MAX, &flags);
		u8 *to = next_string(scratch);
		if (!to)
			break;
		*to = 0;
		scratch->len += 1;
		if (scratch->len - before > limit) {
			scratch->len = before + limit;
			break;
		}
	}
	return flags | FT_PART_CUT;
}

static __always_inline bool read_vector(struct ft_scratch *scratch, struct ft_vector *vector,
					u64 vectors, u32 index, u8 *flags)
{
	struct ft_compat_vector narrow = {};
	long err;

	if (scratch->is_compat) {
		err = bpf_probe_read_user(&narrow, sizeof(narrow),
					  (void *)(vectors + index * sizeof(narrow)));
		vector->base = narrow.base;
		vector->len = narrow.len;
	} else {
		err = bpf_probe_read_user(vector, sizeof(*vector),
					  (void *)(vectors + index * sizeof(*vector)));
	}
	if (err)
		*flags |= FT_PART_FAULT;
	return !err;
}

static __always_inline bool read_message(struct ft_scratch *scratch, struct ft_msghdr *message,
					 u64 from)
{
	struct ft_compat_msghdr narrow = {};

	if (!scratch->is_compat)
		return !bpf_probe_read_user(message, sizeof(*message), (void *)from);
	if (bpf_probe_read_user(&narrow, sizeof(narrow), (void *)from))
		return false;
	message->name = narrow.name;
	message->name_len = narrow.name_len;
	message->vectors = narrow.vectors;
	message->vector_count = narrow.vector_count;
	message->control = narrow.control;
	message->control_len = narrow.control_len;
	return true;
}

/** The first `size` bytes of what vectors hold, at most `limit` of them. */
__noinline int append_vectors(struct ft_scratch *scratch, u64 vectors, u64 count, u64 size,
			      u32 limit)
{
	u8 flags = size > limit ? FT_PART_CUT : 0;

	if (!scratch)
		return 0;
	u32 before = scratch->len, wanted = size < limit ? size : limit;
	for (u32 i = 0; i < FT_VECTORS_MAX && i < count; i++) {
		struct ft_vector vector = {};
		u32 done = scratch->len - before;
		if (done >= wanted || !read_vector(scratch, &vector, vectors, i, &flags))
			break;
		u32 rest = wanted - done;
		append_user_bytes(scratch, vector.base, vector.len < rest ? vector.len : rest,
				  limit, &flags);
		if (flags & FT_PART_FAULT)
			break;
	}
	if (count > FT_VECTORS_MAX && scratch->len - before < wanted)
		flags |= FT_PART_CUT;
	return flags;
}

/** How many bytes vectors have room for. */
__noinline int append_vectors_size(struct ft_scratch *scratch, u64 vectors, u64 count)
{
	u8 flags = count > FT_VECTORS_MAX ? FT_PART_CUT : 0;
	u64 sum = 0;

	if (!scratch)
		return 0;
	for (u32 i = 0; i < FT_VECTORS_MAX && i < count; i++) {
		struct ft_vector vector = {};
		if (!read_vector(scratch, &vector, vectors, i, &flags))
			break;
		sum += vector.len;
	}
	u64 *total = (void *)next_string(scratch);
	if (!total)
		return flags;
	*total = sum;
	scratch->len += sizeof(*total);
	return flags;
}

static __always_inline u32 append_message_part(struct ft_scratch *scratch, u32 kind, u64 from,
					       u64 count, u64 size, u32 limit, u8 *flags)
{
	struct ft_msghdr message = {.vectors = from, .vector_count = count};

	if (kind != FT_PART_VECTOR_DATA && kind != FT_PART_VECTOR_SIZE &&
	    !read_message(scratch, &message, from)) {
		*flags |= FT_PART_FAULT;
		return 0;
	}
	if (kind == FT_PART_MSG_NAME)
		return message.name ? append_user_bytes(scratch, message.name, message.name_len,
							limit, flags)
				    : 0;
	if (kind == FT_PART_MSG_CONTROL)
		return append_user_bytes(scratch, message.control, message.control_len, limit,
					 flags);
	u32 before = scratch->len;
	if (kind == FT_PART_VECTOR_SIZE || kind == FT_PART_MSG_SIZE)
		*flags |= append_vectors_size(scratch, message.vectors, message.vector_count);
	else
		*flags |= append_vectors(scratch, message.vectors, message.vector_count, size,
					 limit);
	return scratch->len - before;
}

static __always_inline void note_part(struct ft_scratch *scratch, u32 index, u32 kind, u32 len,
				      u8 flags)
{
	struct ft_part *part = &((struct ft_event_data *)scratch->sample)->part[index];

	part->len = len;
	part->kind = kind;
	part->flags = flags;
	if (flags & FT_PART_FAULT)
		FT_COUNT(faults);
	if (flags & FT_PART_CUT)
		FT_COUNT(cut_parts);
}

/** What poll waits for, as a part. The files are described at first sight, as a call's own file is;
 * so it is not append_part() that calls this, or there would be too little stack. */
__noinline int append_polled(struct ft_scratch *scratch, u32 index, u32 arg)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ft_thread *thread = bpf_task_storage_get(&threads, task, 0, 0);
	u8 flags = 0;

	if (!scratch || index >= FT_PARTS || arg >= FT_ARGS - 1)
		return 0;
	u64 from = scratch->args[arg], count = scratch->args[arg + 1];
	u32 before = scratch->len;
	if (!from)
		flags |= FT_PART_NULL;
	else if (count > FT_POLLED_MAX)
		flags |= FT_PART_CUT;
	for (u32 i = 0; from && thread && i < FT_POLLED_MAX && i < count; i++) {
		struct ft_polled *polled = (void *)next_string(scratch);
		struct ft_pollfd pollfd;
		if (!polled)
			break;
		if (bpf_probe_read_user(&pollfd, sizeof(pollfd),
					(void *)(from + i * sizeof(pollfd)))) {
			flags |= FT_PART_FAULT;
			break;
		}
		polled->fd = pollfd.fd;
		polled->events = pollfd.events;
		polled->revents = pollfd.revents;
		polled->file_id = identify_fd(task, thread, pollfd.fd, 0);
		scratch->len += sizeof(*polled);
	}
	note_part(scratch, index, FT_PART_POLL, scratch->len - before, flags);
	return 0;
}

/* MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES of include/linux/mm_types_task.h are 0, 1,
 * 2, 3. */
static __always_inline void fill_memory(struct ft_usage *usage, struct mm_struct *mm)
{
	struct mm_struct___old *old = (void *)mm;
	s64 resident, swapped;

	if (bpf_core_field_exists(old->rss_stat.count)) {
		resident = BPF_CORE_READ(old, rss_stat.count[0].counter) +
			   BPF_CORE_READ(old, rss_stat.count[1].counter) +
			   BPF_CORE_READ(old, rss_stat.count[3].counter);
		swapped = BPF_CORE_READ(old, rss_stat.count[2].counter);
	} else {
		resident = mm->rss_stat[0].count + mm->rss_stat[1].count + mm->rss_stat[3].count;
		swapped = mm->rss_stat[2].count;
	}
	usage->vm_size_kib = mm->total_vm * targ_page_kib;
	usage->vm_rss_kib = resident > 0 ? resident * targ_page_kib : 0;
	usage->vm_swap_kib = swapped > 0 ? swapped * targ_page_kib : 0;
}

static __always_inline u32 append_usage(struct ft_scratch *scratch)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ft_usage *usage = (void *)next_string(scratch);
	struct mm_struct *mm = task->mm;

	if (!usage)
		return 0;
	__builtin_memset(usage, 0, sizeof(*usage));
	usage->fd_limit = task->signal->rlim[RLIMIT_NOFILE].rlim_cur;
	usage->major_faults = task->maj_flt;
	usage->minor_faults = task->min_flt;
	if (mm)
		fill_memory(usage, mm);
	scratch->len += sizeof(*usage);
	return sizeof(*usage);
}

static __always_inline u32 append_backlog(struct ft_scratch *scratch, u64 file)
{
	struct ft_backlog *backlog = (void *)next_string(scratch);
	struct sock *sk = sock_of(file);

	if (!backlog || !sk)
		return 0;
	backlog->len = BPF_CORE_READ(sk, sk_ack_backlog);
	backlog->max = BPF_CORE_READ(sk, sk_max_ack_backlog);
	scratch->len += sizeof(*backlog);
	return sizeof(*backlog);
}

static __always_inline u64 part_size(struct ft_scratch *scratch, u32 size_from, u32 limit)
{
	u32 size = 0;

	if (size_from == FT_SIZE_RESULT)
		return scratch->ret > 0 ? scratch->ret : 0;
	if (size_from >= FT_SIZE_POINTED && size_from < FT_SIZE_POINTED + FT_ARGS) {
		bpf_probe_read_user(&size, sizeof(size),
				    (void *)scratch->args[size_from - FT_SIZE_POINTED]);
		return size;
	}
	if (size_from >= FT_SIZE_MESSAGE && size_from < FT_SIZE_MESSAGE + FT_ARGS) {
		u64 from = scratch->args[size_from - FT_SIZE_MESSAGE];
		from += scratch->is_compat ? sizeof(struct ft_compat_msghdr)
					   : sizeof(struct ft_msghdr);
		if (scratch->ret > 0)
			bpf_probe_read_user(&size, sizeof(size), (void *)from);
		return size;
	}
	if (size_from >= FT_SIZE_ARG && size_from < FT_SIZE_ARG + FT_ARGS)
		return scratch->args[size_from - FT_SIZE_ARG];
	return limit;
}

static __always_inline bool is_socket_file(u64 file)
{
	u32 mode = file ? BPF_CORE_READ((struct file *)file, f_inode, i_mode) : 0;

	return (mode & S_IFMT) == S_IFSOCK;
}

/* Does the call ask for what this part is about? */
static __always_inline bool is_asked(struct ft_scratch *scratch,
				     const volatile struct ft_part_rule *rule)
{
	u64 mask = rule->when_mask;
	u32 arg = rule->when_arg;

	if (!mask)
		return true;
	if (arg >= FT_ARGS)
		return false;
	u32 value = scratch->args[arg] >> (rule->when_shift & 31) & 0xff;
	return value < 64 && mask >> value & 1;
}

/** Appends one part by its rule (the first eight bytes of struct ft_part_rule as a number) and notes it in
 * the event's table of parts. */
__noinline int append_part(struct ft_scratch *scratch, u32 index, u64 rule, u64 file)
{
	u32 kind = rule & 0xff, arg = rule >> 8 & 0xff, size_from = rule >> 16 & 0xff,
	    limit = rule >> 32;
	u8 flags = 0;
	u32 len = 0;

	if (!scratch || index >= FT_PARTS || arg >= FT_ARGS)
		return 0;
	if ((rule >> 24 & FT_WHEN_SUCCESS) && scratch->ret < 0)
		return 0;
	if (rule >> 24 & FT_WHEN_ROOM) {
		limit = is_socket_file(file) ? targ_snap_sockets : targ_snap_files;
		if (!limit)
			return 0;
	}
	u64 from = scratch->args[arg], count = arg + 1 < FT_ARGS ? scratch->args[arg + 1] : 0;
	u64 size = part_size(scratch, size_from, limit);
	u32 before = scratch->len;
	if (kind == FT_PART_USAGE)
		len = append_usage(scratch);
	else if (kind == FT_PART_BACKLOG)
		len = append_backlog(scratch, file);
	else if (!from)
		flags |= FT_PART_NULL;
	else if (rule >> 24 & FT_WHEN_ROOM && scratch->pressure) {
		flags |= FT_PART_SHED;
		FT_COUNT(shed_parts);
	}
	else if (kind == FT_PART_STRING)
		len = append_user_string(scratch, from, limit, &flags);
	else if (kind == FT_PART_ARGV)
		flags |= append_user_strings(scratch, from, limit);
	else if (kind == FT_PART_BYTES || kind == FT_PART_SOCKADDR)
		len = append_user_bytes(scratch, from, size, limit, &flags);
	else
		len = append_message_part(scratch, kind, from, count, size, limit, &flags);
	if (kind == FT_PART_ARGV)
		len = scratch->len - before;
	note_part(scratch, index, kind, len, flags);
	return 0;
}

/** All parts of an event, by its row. */
static __always_inline void append_parts(struct ft_scratch *scratch,
					 const volatile struct ft_syscall *row, u64 file)
{
	for (u32 i = 0; i < FT_PARTS; i++) {
		if (i >= row->part_count)
			break;
		if (!is_asked(scratch, &row->part[i]))
			continue;
		if (row->part[i].kind == FT_PART_POLL)
			append_polled(scratch, i, row->part[i].arg);
		else
			append_part(scratch, i, *(const volatile u64 *)&row->part[i], file);
	}
}

#endif
