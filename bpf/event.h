/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * The samples that the recorder's BPF programs put into the ring buffer: the one truth for their
 * layouts.
 *
 * A sample is a fixed part, then its strings, back to back in the order of their length members,
 * without NUL and without padding. src/falcotrace/record/layout.py mirrors this file; a test
 * compares both through the object's BTF. Later versions only add members in the space called
 * `reserved`, sample types and flags, because spooled samples outlive the recorder that wrote them.
 *
 * Descriptions (process, image, file, control groups) travel once and carry a number; events carry
 * the numbers. A description is reserved in the ring before the first event that names it, unless
 * the ring was full: then it follows later, so readers join by number and not by position. Numbers
 * begin at 1, are dense, never reused in a recording, and 0 means "none" or "unknown".
 */
#ifndef FALCOTRACE_EVENT_H
#define FALCOTRACE_EVENT_H

#define FT_ARGS 6	   /* arguments of a system call */
#define FT_PARTS 6	   /* variable parts of an event */
#define FT_COMM_LEN 16	   /* TASK_COMM_LEN, include/linux/sched.h */
#define FT_PATH_MAX 4096   /* longest string but argv and environment, bytes */
#define FT_X32 0x4000 /* ft_event.nr of x32 calls, which are of the 64-bit table */
#define FT_UNKNOWN (-0x80000000ll) /* ft_event.ret of what has FT_NO_RESULT */
#define FT_RING_FILE 0x40000000 /* added to places in an io_uring's own table of files */
#define FT_BLOCK_MAX 32768 /* longest argv or environment that can be asked for, bytes */

enum ft_sample_type {
	FT_EVENT = 1,	   /* struct ft_event: a system call that needs nothing but its numbers */
	FT_EVENT_DATA = 2, /* struct ft_event_data: a system call with paths, addresses, buffers */
	FT_PROCESS = 3,	   /* struct ft_process: a new state of a thread */
	FT_IMAGE = 4,	   /* struct ft_image: a program put into execution */
	FT_FILE = 5,	   /* struct ft_file: an open file, or an open file whose name changed */
	FT_CGROUPS = 6,	   /* struct ft_cgroups: a set of control groups */
	FT_EXIT = 7,	   /* struct ft_exit: the end of a thread */
	FT_TYPES,
};

/* ft_header.flags */
enum ft_header_flag {
	FT_COMPAT = 1, /* 32-bit call: `nr` is of the 32-bit table; or x32, with FT_X32 in `nr` */
	FT_CHILD = 2,  /* a child's side of a clone, made at the fork: its return is not traced */
	FT_RESULT_FD = 4, /* `file_id` is the new descriptor's, which is the result */
	FT_CLOSED = 8,	  /* `file_id` is what the descriptor was before this call closed it */
	FT_SNAPSHOT = 16, /* not an event's: existed before the recording began */
	FT_IO_URING = 32, /* not called, but asked of a ring: `nr` is the call that it stands for */
	FT_NO_RESULT = 64, /* `ret` is not known, and FT_UNKNOWN */
};

/** Starts every sample. */
struct ft_header {
	__u32 magic; /**< this session's random number; starts of samples are found by it */
	__u8 type;   /**< enum ft_sample_type */
	__u8 flags;  /**< enum ft_header_flag */
	__u16 cpu;
	__u64 ts_ns; /**< CLOCK_BOOTTIME, nanoseconds; of an event: when it returned */
};
_Static_assert(sizeof(struct ft_header) == 16, "layout.py and spooled samples depend on it");

/** FT_EVENT: a completed system call. */
struct ft_event {
	struct ft_header header;
	__u64 process_id; /**< the thread's state after the call: struct ft_process */
	__u64 file_id;	  /**< the open file behind the call's descriptor: struct ft_file; 0 none */
	__s64 ret;	  /**< result, or -errno */
	__u16 nr;	  /**< number of the system call on this architecture */
	__u16 latency_high;  /**< time in the call, nanoseconds, bits 32..47; 0 unless asked for */
	__u32 latency_low;   /**< time in the call, nanoseconds, bits 0..31 */
	__u64 args[FT_ARGS]; /**< as in the registers; after a successful exec they are the new
				program's */
};
_Static_assert(sizeof(struct ft_event) == 96, "layout.py and spooled samples depend on it");

enum ft_part_kind {
	FT_PART_NONE = 0,
	FT_PART_STRING = 1,	 /* user text at args[n], without its NUL */
	FT_PART_BYTES = 2,	 /* user memory at args[n] */
	FT_PART_SOCKADDR = 3,	 /* struct sockaddr_* at args[n] */
	FT_PART_MSG_NAME = 4,	 /* address in the struct msghdr at args[n] */
	FT_PART_MSG_CONTROL = 5, /* control messages of the struct msghdr at args[n] */
	FT_PART_MSG_DATA = 6,	 /* data in the vectors of the struct msghdr at args[n] */
	FT_PART_VECTOR_DATA = 7, /* data in the array of args[n+1] struct iovec at args[n] */
	FT_PART_ARGV = 8,	 /* user texts of the pointer array at args[n], each with its NUL */
	FT_PART_USAGE = 9,	 /* struct ft_usage */
	FT_PART_BACKLOG = 10,	 /* struct ft_backlog of the listening socket at args[n] */
	FT_PART_POLL = 11,	 /* struct ft_polled[], of the args[n+1] struct pollfd at args[n] */
	FT_PART_VECTOR_SIZE = 12, /* u64: bytes in the args[n+1] struct iovec at args[n] */
	FT_PART_MSG_SIZE = 13,	  /* u64: bytes in the vectors of the struct msghdr at args[n] */
};

/* ft_part.flags */
enum ft_part_flag {
	FT_PART_CUT = 1,   /* longer than its limit */
	FT_PART_FAULT = 2, /* the memory could not be read; what could be read is there */
	FT_PART_NULL = 4,  /* the program gave a null pointer */
	FT_PART_SHED = 8,  /* contents that were left out, to keep room for events */
};

/** One variable part of an event. */
struct ft_part {
	__u16 len;  /**< bytes */
	__u8 kind;  /**< enum ft_part_kind */
	__u8 flags; /**< enum ft_part_flag */
};

/** FT_EVENT_DATA: an event, then the bytes of its parts in their order. */
struct ft_event_data {
	struct ft_event event;
	__u64 dir_file_id[2]; /**< open files behind the directory arguments; 0 none (AT_FDCWD) */
	__u64 other_file_id; /**< second new or second used descriptor; what dup2 and dup3 closed */
	struct ft_part part[FT_PARTS];
};
_Static_assert(sizeof(struct ft_event_data) == 144, "layout.py and spooled samples depend on it");

/** Body of FT_PART_USAGE: what the process uses after the call. */
struct ft_usage {
	__u64 fd_limit;	    /**< RLIMIT_NOFILE, soft; ~0 unlimited */
	__u64 major_faults; /**< of the thread */
	__u64 minor_faults; /**< of the thread */
	__u32 vm_size_kib;
	__u32 vm_rss_kib; /**< without what CPUs have not yet accounted */
	__u32 vm_swap_kib;
	__u32 reserved;
};
_Static_assert(sizeof(struct ft_usage) == 40, "layout.py and spooled samples depend on it");

/** Body of FT_PART_BACKLOG: connections that wait for accept. */
struct ft_backlog {
	__u32 len;
	__u32 max;
};

/** Body of FT_PART_POLL: a descriptor that is waited for, and what is behind it. */
struct ft_polled {
	__s32 fd;
	__s16 events;
	__s16 revents;
	__u64 file_id; /**< 0 none */
};
_Static_assert(sizeof(struct ft_polled) == 16, "layout.py and spooled samples depend on it");

/* ft_process.process_flags */
enum ft_process_flag {
	FT_PROCESS_KERNEL = 1,	/* kernel thread */
	FT_PROCESS_LEADER = 2,	/* leader of its thread group */
	FT_PROCESS_REAPER = 4,	/* PR_SET_CHILD_SUBREAPER */
	FT_PROCESS_CWD_CUT = 8, /* too deep or too long to be walked: its beginning is missing */
	FT_PROCESS_CWD_DELETED = 16,
	FT_PROCESS_ROOT_CUT = 32,
	FT_PROCESS_CHROOT = 64, /* the root is not the root of the mount namespace */
};

/** FT_PROCESS: a new state of a thread, then cwd and root. Ids are the host's unless they begin
 * with v. */
struct ft_process {
	struct ft_header header;
	__u64 process_id;     /**< number of this state */
	__u64 previous_id;    /**< the thread's state before; of a new thread: its creator's at that
				 moment */
	__u64 image_id;	      /**< struct ft_image; 0 kernel thread */
	__u64 cgroups_id;     /**< struct ft_cgroups */
	__u64 start_ns;	      /**< thread's start, CLOCK_BOOTTIME */
	__u64 pid_start_ns;   /**< thread group leader's start; (pid, pid_start_ns) never repeats */
	__u64 ppid_start_ns;  /**< parent's thread group leader's start */
	__u64 pidns_start_ns; /**< start of the pid namespace's init */
	__u64 cap_permitted;
	__u64 cap_effective;
	__u64 cap_inheritable;
	__u64 cap_bounding;
	__u64 cap_ambient;
	__u64 fd_limit;	      /**< RLIMIT_NOFILE, soft, at this moment */
	__u64 std_file_id[3]; /**< open files behind descriptors 0, 1, 2; 0 none */
	__u32 tid;
	__u32 pid;  /**< thread group (the kernel's tgid) */
	__u32 ptid; /**< thread that is the parent (real_parent) */
	__u32 ppid; /**< ptid's thread group */
	__u32 pgid;
	__u32 sid;
	__u32 vtid; /**< tid in the thread's own pid namespace */
	__u32 vpid;
	__u32 vpgid; /**< 0: not in that namespace */
	__u32 vsid;  /**< 0: not in that namespace */
	__u32 pidns; /**< inode of the pid namespace, as in /proc/PID/ns */
	__u32 mntns;
	__u32 netns;
	__u32 userns; /**< of the credentials */
	__u32 cgroupns;
	__u32 utsns;
	__u32 ipcns;
	__u32 uid;
	__u32 gid;
	__u32 euid;
	__u32 egid;
	__u32 suid;
	__u32 sgid;
	__u32 fsuid;
	__u32 fsgid;
	__u32 loginuid;		       /**< ~0: not set */
	__u32 audit_session;	       /**< ~0: not set */
	__u32 tty;		       /**< device as /proc/PID/stat has it; 0 none */
	__u32 process_flags;	       /**< enum ft_process_flag */
	__u32 pidns_level;	       /**< 0: the host's */
	char comm[FT_COMM_LEN];	       /**< name at the last exec or at the thread's creation */
	char thread_comm[FT_COMM_LEN]; /**< name now */
	__u16 cwd_len;
	__u16 root_len; /**< 0: root is the mount namespace's */
	__u32 reserved;
};
_Static_assert(sizeof(struct ft_process) == 312, "layout.py and spooled samples depend on it");

/* ft_image.image_flags; the first four are Falco's (libs 48dfd53c driver/ppm_events_public.h,
 * PPM_EXE_*) */
enum ft_image_flag {
	FT_IMAGE_WRITABLE = 1,	  /* the caller may write the executable */
	FT_IMAGE_UPPER_LAYER = 2, /* it lies in an overlay's upper layer */
	FT_IMAGE_MEMFD = 4,
	FT_IMAGE_LOWER_LAYER = 8,
	FT_IMAGE_EXECVEAT = 16, /* by execveat with a directory, or on a descriptor */
	FT_IMAGE_DELETED = 32,	/* executable was unlinked */
	FT_IMAGE_EXEPATH_CUT = 64,
	FT_IMAGE_ARGV_CUT = 128,
	FT_IMAGE_ENV_CUT = 256,
	FT_IMAGE_ARGV_FAULT = 512, /* argv could not be read (from here: read /proc/PID/cmdline) */
	FT_IMAGE_ENV_FAULT = 1024,
	FT_IMAGE_COMPAT = 2048, /* 32-bit program */
};

/** FT_IMAGE: a program put into execution, then filename, exepath, interpreter, argv and
 * environment. */
struct ft_image {
	struct ft_header header;
	__u64 image_id;
	__u64 ino;
	__u64 ctime_ns; /**< of the executable's inode, since the epoch */
	__u64 mtime_ns;
	__u32 dev; /**< as stat's st_dev on 64-bit systems */
	__u32 mode;
	__u32 uid; /**< owner, host's */
	__u32 gid;
	__u32 superblock_magic;
	__u32 image_flags; /**< enum ft_image_flag */
	__u32 tid;	   /**< who executed it */
	__u32 pid;
	__u32 argv_full_len; /**< as the program was given it, bytes */
	__u32 env_full_len;
	__u16 filename_len; /**< as given to execve; empty for programs that ran before the
			       recording */
	__u16 exepath_len;  /**< the kernel's path of the executable */
	__u16 interp_len; /**< as given by the script's first line or binfmt_misc; empty if none */
	__u16 argv_len;	  /**< arguments, each with its NUL, cut at the limit */
	__u16 env_len;	  /**< NAME=value, each with its NUL, cut at the limit */
	__u16 reserved[3];
};
_Static_assert(sizeof(struct ft_image) == 104, "layout.py and spooled samples depend on it");

enum ft_file_kind {
	FT_FILE_OTHER = 0,
	FT_FILE_PATH = 1, /* has a path: regular file, directory, device, named pipe */
	FT_FILE_PIPE = 2,
	FT_FILE_SOCKET = 3,
	FT_FILE_ANON = 4,  /* anonymous inode; name is [eventfd], [eventpoll], inotify ... */
	FT_FILE_MEMFD = 5, /* name is what memfd_create was given */
};

/* ft_file.file_flags */
enum ft_file_flag {
	FT_FILE_UPPER_LAYER = 1,
	FT_FILE_LOWER_LAYER = 2,
	FT_FILE_DELETED = 4,   /* unlinked when it was described */
	FT_FILE_PATH_CUT = 8,  /* deeper or longer than can be walked: the beginning is missing */
	FT_FILE_ABSTRACT = 16, /* unix socket's abstract namespace: name has no leading NUL here */
	FT_FILE_LISTENING = 32,
	FT_FILE_CREATED = 64,	 /* O_CREAT made it in this open (FMODE_CREATED) */
	FT_FILE_PEER_NAME = 128, /* name is the peer's: this unix socket itself has none */
};

enum ft_role {
	FT_ROLE_NONE = 0,
	FT_ROLE_CLIENT = 1, /* connect, or sent first */
	FT_ROLE_SERVER = 2, /* accept, listen, bind, or received first */
};

/** FT_FILE: an open file (the kernel's struct file), then path and name. */
struct ft_file {
	struct ft_header header;
	__u64 file_id;
	__u64 previous_id; /**< same open file before its address or role changed; 0 */
	__u64 ino;
	__u64 sock; /**< kernel address of the socket: unix names and peers are matched by it */
	__u64 peer; /**< kernel address of a unix socket's peer */
	__u32 dev;  /**< as stat's st_dev on 64-bit systems */
	__u32 rdev; /**< of a device file */
	__u32 mode; /**< i_mode: type and permissions */
	__u32 open_flags; /**< O_* */
	__u32 file_mode;  /**< FMODE_* */
	__u32 superblock_magic;
	__u32 file_flags; /**< enum ft_file_flag */
	__u32 tid;	  /**< who used it when it was described */
	__s32 fd;	  /**< under which descriptor */
	__u32 netns;	  /**< socket's network namespace */
	__u32 peer_pid;	  /**< unix: process that connected or listened (SO_PEERCRED); 0 unknown */
	__u32 peer_uid;
	__u16 family;	   /**< AF_*; 0 no socket */
	__u16 socket_type; /**< SOCK_* */
	__u16 protocol;	   /**< IPPROTO_*, NETLINK_* */
	__u16 local_port;  /**< host byte order */
	__u16 remote_port;
	__u8 state; /**< TCP_* */
	__u8 role;  /**< enum ft_role */
	__u8 kind;  /**< enum ft_file_kind */
	__u8 reserved[3];
	__u8 local[16]; /**< IPv4 in the first four bytes */
	__u8 remote[16];
	__u16 path_len; /**< the kernel's path, from the thread's root */
	__u16 name_len; /**< of anonymous inodes, memfds and unix sockets */
	__u32 reserved2;
};
_Static_assert(sizeof(struct ft_file) == 160, "layout.py and spooled samples depend on it");

/** FT_CGROUPS: a set of control groups, then its paths: `subsystem=path` each with a NUL, and the
 * v2 path. */
struct ft_cgroups {
	struct ft_header header;
	__u64 cgroups_id;
	__u64 default_id;    /**< kernfs inode of the v2 group */
	__u16 paths_len;     /**< one for each controller */
	__u16 default_len;   /**< path in the v2 hierarchy */
	__u32 cgroups_flags; /**< 1: a path is cut */
};
_Static_assert(sizeof(struct ft_cgroups) == 40, "layout.py and spooled samples depend on it");

/** FT_EXIT: the end of a thread. */
struct ft_exit {
	struct ft_header header;
	__u64 process_id; /**< last state of the thread */
	__s32 code;	  /**< as wait4 has it: status << 8 | core << 7 | signal */
	__u32 tid;
	__u32 pid;
	__u32 reaper_tid; /**< who becomes the parent of its children; 0 unknown */
	__u32 group_dead; /**< 1: no thread of its process was left; of several, the last one counts
			   */
	__u32 reserved;
};
_Static_assert(sizeof(struct ft_exit) == 48, "layout.py and spooled samples depend on it");

/** What a call is about, for the account of losses. */
enum ft_call_class {
	FT_CLASS_OTHER = 0,
	FT_CLASS_PROCESS = 1, /* processes, credentials, signals; ends of threads */
	FT_CLASS_FILE = 2,
	FT_CLASS_NETWORK = 3,
	FT_CLASS_TRANSFER = 4, /* reads and writes */
	FT_CLASS_WAIT = 5,     /* waits, clocks */
	FT_CLASS_MEMORY = 6,
	FT_CLASSES = 8,
};

/** How full the ring is, and what is left out therefore. */
enum ft_pressure {
	FT_PRESSURE_NONE = 0,
	FT_PRESSURE_PARTS = 1,	/* contents of buffers */
	FT_PRESSURE_EVENTS = 2, /* reads, writes and waits, too */
};

/** Per CPU: what was made, what was lost, what was incomplete. Made = in the ring + lost, exactly.
 */
struct ft_counters {
	__u64 made[FT_TYPES]; /**< samples, by type; [0] unused */
	__u64 lost[FT_TYPES]; /**< of these: no room in the ring */
	__u64 faults;	      /**< user strings and blocks that could not be read */
	__u64 cut_paths;      /**< kernel paths that are incomplete */
	__u64 cut_parts;      /**< user strings and blocks longer than their limit */
	__u64 map_full;	      /**< maps that took no entry: the thing is described again later */
	__u64 no_state; /**< calls that were not recorded, because their thread got no memory */
	__u64 lost_by_class[FT_CLASSES]; /**< lost calls, by enum ft_call_class */
	__u64 shed_events; /**< of the lost ones: left out to keep room for others */
	__u64 shed_parts;  /**< contents that were left out of events for the same reason */
	__u64 looked;	   /**< how often room was asked for */
	__u64 pressure;	   /**< enum ft_pressure, as it was found last */
};

#endif
