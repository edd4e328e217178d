/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * What the programs share: settings, the table of system calls, maps, counters and numbers.
 */
#ifndef FALCOTRACE_MAPS_BPF_H
#define FALCOTRACE_MAPS_BPF_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "event.h"

#define FT_SYSCALLS 512	     /* numbers are below on both architectures */
#define FT_GENERATIONS 65536 /* a power of two */
#define FT_RECENT 4	     /* files remembered by a thread; a power of two */
#define FT_SCRATCHES 3	     /* for each CPU, see scratch.bpf.h */

/* ft_syscall.flags */
enum ft_syscall_flag {
	FT_CALL_RESULT_FD = 1, /* the result is a descriptor */
	FT_CALL_NEW_FILE = 2,  /* ... of a new open file (not of one that was open already) */
	FT_CALL_CLOSES = 4,    /* the descriptor is gone when the call returns */
	FT_CALL_REPLACES = 8,  /* dup2, dup3: closes what its second argument was */
	FT_CALL_SENDS = 16,
	FT_CALL_RECEIVES = 32,
	FT_CALL_CONNECTS = 64, /* names the socket, whose role is client */
	FT_CALL_BINDS = 128,   /* names the socket, whose role is server if a port is given */
	FT_CALL_LISTENS = 256, /* names the socket, whose role is server */
	FT_CALL_SHEDS = 512,   /* left out when the ring is nearly full */
	FT_CALL_OFF = 1024,    /* not recorded at all */
	FT_CALL_CLASS = 7 << 12, /* enum ft_call_class */
};

#define FT_CALL_CLASS_SHIFT 12

#define FT_CALL_NAMES (FT_CALL_CONNECTS | FT_CALL_BINDS | FT_CALL_LISTENS)

/* ft_part_rule.size_from: where the number of bytes comes from; at most ft_part_rule.limit */
enum ft_size_from {
	FT_SIZE_LIMIT = 0,    /* limit itself */
	FT_SIZE_RESULT = 1,   /* the result */
	FT_SIZE_ARG = 8,      /* + n: args[n] */
	FT_SIZE_POINTED = 16, /* + n: the u32 at args[n] */
	FT_SIZE_MESSAGE = 24, /* + n: msg_len of the struct mmsghdr at args[n], if the call succeeded */
};

/* ft_part_rule.flags */
enum ft_part_when {
	FT_WHEN_SUCCESS = 1, /* only if the call succeeded */
	FT_WHEN_ROOM = 2,    /* not while the ring is filling: contents of a buffer */
};

/* ft_syscall.data_when: when it is a struct ft_event_data */
enum ft_data_when {
	FT_DATA_NEVER = 0,
	FT_DATA_ALWAYS = 1,
	FT_DATA_ARG = 8, /* + n: if args[n] is not null */
};

/** One variable part that a system call's event carries. Its first eight bytes are read as one u64. */
struct ft_part_rule {
	u8 kind; /**< enum ft_part_kind */
	u8 arg;	 /**< which argument */
	u8 size_from;
	u8 flags;      /**< enum ft_part_when */
	u32 limit;     /**< bytes */
	u64 when_mask; /**< only if this bit is set: of the lowest byte of args[when_arg], shifted;
			  0: always */
	u8 when_arg;
	u8 when_shift;
	u16 reserved;
	u32 reserved2;
};

/** What travels with a system call beyond its numbers. Filled by user space before the object is
 * loaded. */
struct ft_syscall {
	u32 flags;     /**< enum ft_syscall_flag */
	s8 fd_arg;     /**< argument that is the descriptor; -1 none */
	s8 dir_arg[2]; /**< arguments that are directories' descriptors; -1 none */
	s8 other_arg;  /**< second descriptor; -1 none */
	s8 pair_arg;   /**< argument that points to two new descriptors; -1 none */
	u8 part_count;
	s8 when_arg;	   /**< result and parts count only if this argument is one of: */
	u8 data_when;	   /**< enum ft_data_when */
	u32 when_value;	   /**< ... this value, or */
	u64 when_below_64; /**< ... a bit of this */
	struct ft_part_rule part[FT_PARTS];
};

/* Settings. */
const volatile struct ft_syscall syscalls[FT_SYSCALLS] = {};
const volatile struct ft_syscall compat_syscalls[FT_SYSCALLS] = {}; /* of 32-bit programs */
const volatile u16 socket_calls[32] = {}; /* socketcall's calls: numbers of 32-bit programs */
const volatile u32 targ_magic = 0;	    /* struct ft_header */
const volatile u32 targ_argv_bytes = 4096;  /* <= FT_BLOCK_MAX */
const volatile u32 targ_env_bytes = 4096;   /* <= FT_BLOCK_MAX; 0: none */
const volatile u32 targ_latency = 0;	    /* measure the time in each call */
const volatile u32 targ_follow = 0;	    /* only followed processes and their descendants */
const volatile u32 targ_close_at_enter = 0; /* handle_sys_enter sees what is closed */
const volatile u32 targ_child_at_fork =
	0; /* a child's first return is not traced: make its event at the fork */
const volatile u32 targ_page_kib = 4;
const volatile u32 targ_snap_files = 0;	  /* bytes of each buffer; <= FT_BLOCK_MAX */
const volatile u32 targ_snap_sockets = 0; /* the same of what goes through sockets */
const volatile u64 targ_shed_parts = 0;	 /* bytes in the ring from which on contents are left out */
const volatile u64 targ_shed_events = 0; /* ... from which on reads, writes and waits are */
const volatile u32 targ_execve_nr =
	59; /* the number that a successful exec gets where the kernel forgets it */

/* Host ids of thread groups. Written while running. */
u32 self_pid = 0;   /* the recorder: left out */
u32 follow_pid = 0; /* root of what is followed */
u32 follow_vpid =
	0; /* the same in the recorder's pid namespace: an iterator finds follow_pid by it */

/* Numbers of descriptions: dense, so that readers index arrays with them. */
u64 last_process_id = 0;
u64 last_image_id = 0;
u64 last_file_id = 0;
u64 last_cgroups_id = 0;

/* Changes whenever a struct file's address gets a new description: threads may then keep what they
 * looked up. */
u32 file_generations[FT_GENERATIONS] = {};

/* Part of every generation. User space changes it now and then, so that no thread goes on using a
 * number that the map of files has forgotten long ago: user space may forget it then. */
u32 file_epoch = 0;

/** A file that a thread used lately. */
struct ft_recent {
	u64 file;
	u64 file_id;
	u32 generation;
	u32 reserved;
};

/** What the last description of a thread was made from; any difference makes a new state. */
struct ft_origin {
	u64 cred;
	u64 nsproxy;
	u64 parent;
	u64 cgroups;
	u64 pgrp;
	u64 session;
	u64 tty;
	u64 pwd_dentry;
	u64 pwd_mnt;
	u64 root_dentry;
	u64 root_mnt;
	u64 comm[2];
	u64 exec_count;
	u32 loginuid;
	u32 tid;
};

/** Kept with each thread by the kernel, and freed with it. */
struct ft_thread {
	u64 process_id;
	u64 previous_id;
	u64 image_id;
	u64 cgroups_id;
	struct ft_origin origin;
	char comm[FT_COMM_LEN]; /* at the last exec or at creation */
	u64 enter_ns;
	u64 closing_file_id; /* described at the call's entry, for its exit */
	u32 pending;	     /* describe it again: something was lost, or changed unseen */
	u32 image_pending;
	u32 followed;
	u32 stdio_changed; /* descriptor 0, 1 or 2 is another file now */
	u32 exec_pending;  /* an exec succeeded and has not returned yet */
	struct ft_recent recent[FT_RECENT];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ft_thread);
} threads SEC(".maps");

/** Which program an address space holds, for threads that were not seen to be made. */
struct ft_space {
	u64 mm;
	u64 arg_start;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct ft_space);
	__type(value, u64); /* number of the image */
} spaces SEC(".maps");

/** An open file that was described. */
struct ft_open_file {
	u64 file_id;
	u64 inode;
	u64 naming; /* digest of a socket's addresses */
	u32 kind;   /* enum ft_file_kind */
	u16 role;
	u16 settled; /* its naming cannot change by mere traffic */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, u64); /* address of struct file */
	__type(value, struct ft_open_file);
} files SEC(".maps");

/** A set of control groups that was described. */
struct ft_cgroup_set {
	u64 cgroups_id;
	u64 serials; /* digest of its groups' serial numbers: the address may be another set's now
		      */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64); /* address of struct css_set */
	__type(value, struct ft_cgroup_set);
} cgroup_sets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 268435456);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* one for each CPU, set by user space */
	__type(key, u32);
	__type(value, struct ft_counters);
} counters SEC(".maps");

/* This CPU's counters, which every program finds: there is one for each CPU. */
static __always_inline struct ft_counters *find_counters(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&counters, &cpu);
}

#define FT_COUNT(member)                                                                           \
	do {                                                                                       \
		struct ft_counters *counters_ = find_counters();                                   \
		if (counters_)                                                                     \
			__sync_fetch_and_add(&counters_->member, 1);                               \
	} while (0)

/* Not atomic, because it stands in the path of each event: the kernel runs these hooks without
 * preemption. */
static __always_inline void count_made(u32 type)
{
	struct ft_counters *found = find_counters();

	if (found)
		found->made[type & 7]++;
}

static __always_inline void count_lost(u32 type)
{
	struct ft_counters *found = find_counters();

	if (found)
		__sync_fetch_and_add(&found->lost[type & 7], 1);
}

/* The same for an event, given the flags of its call. */
static __always_inline void count_lost_event(u32 type, u32 call_flags)
{
	struct ft_counters *found = find_counters();

	if (!found)
		return;
	__sync_fetch_and_add(&found->lost[type & 7], 1);
	__sync_fetch_and_add(&found->lost_by_class[call_flags >> FT_CALL_CLASS_SHIFT & 7], 1);
}

static __always_inline void count_lost_class(u32 call_flags)
{
	struct ft_counters *found = find_counters();

	if (found)
		__sync_fetch_and_add(
			&found->lost_by_class[call_flags >> FT_CALL_CLASS_SHIFT & 7], 1);
}

#define FT_LOOK_EVERY 32 /* a power of two; at most so many events later a full ring is noticed */

/* How full the ring is. Asking costs as much as a tenth of an event, so it is not asked each time.
 */
static __always_inline u32 find_pressure(void)
{
	struct ft_counters *found = find_counters();

	if (!found)
		return FT_PRESSURE_NONE;
	if (!(found->looked++ & (FT_LOOK_EVERY - 1))) {
		u64 used = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
		found->pressure = used > targ_shed_events  ? FT_PRESSURE_EVENTS
				  : used > targ_shed_parts ? FT_PRESSURE_PARTS
							   : FT_PRESSURE_NONE;
	}
	return found->pressure;
}

/* Is the event to be left out, so that there is room for those that tell more? Counts it then. */
static __always_inline bool is_shed(u32 type, u32 call_flags, u32 pressure)
{
	if (pressure < FT_PRESSURE_EVENTS || !(call_flags & FT_CALL_SHEDS))
		return false;
	count_made(type);
	count_lost_event(type, call_flags);
	FT_COUNT(shed_events);
	return true;
}

#define FT_NEW_ID(counter) (__sync_fetch_and_add(&(counter), 1) + 1)

_Static_assert(sizeof(struct ft_part_rule) == 24, "append_part() takes it apart");

#endif
