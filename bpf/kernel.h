/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * The few kernel structures that the recorder reads, and of them only what it reads.
 *
 * Written by hand: offsets are looked up in the running kernel's BTF when the object is loaded
 * (preserve_access_index), so neither the order of members nor what is left out matters, and one
 * object serves all kernels. A member that some kernels have otherwise is in a flavour (struct
 * x___y), chosen by bpf_core_field_exists; the comment names the change.
 */
#ifndef FALCOTRACE_KERNEL_H
#define FALCOTRACE_KERNEL_H

#include <stdbool.h>
#include <linux/types.h>
#include <linux/bpf.h>

typedef __s8 s8;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* arch/x86/include/asm/ptrace.h, arch/arm64/include/asm/ptrace.h */
struct pt_regs {
#if defined(__TARGET_ARCH_x86)
	unsigned long bp, bx, r10, r9, r8, cx, dx, si, di, orig_ax;
#elif defined(__TARGET_ARCH_arm64)
	u64 regs[31];
	u64 orig_x0;
	s32 syscallno;
#else
#error "unknown architecture"
#endif
};

/* arch/(x86|arm64)/include/asm/thread_info.h */
struct thread_info {
	unsigned long flags;
	u32 status; /* x86 only */
};

typedef struct {
	u32 val;
} kuid_t, kgid_t; /* include/linux/uidgid.h; the value is the initial namespace's id */

/* include/linux/ns_common.h */
struct ns_common {
	unsigned int inum;
};

/* include/linux/user_namespace.h */
struct user_namespace {
	struct ns_common ns;
};

/* include/linux/capability.h: an array of two u32 before Linux commit f122a08b197d (in v6.3) */
typedef struct {
	u64 val;
} kernel_cap_t;

/* include/linux/cred.h */
struct group_info {
	int ngroups;
	kgid_t gid[];
};

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t suid;
	kgid_t sgid;
	kuid_t euid;
	kgid_t egid;
	kuid_t fsuid;
	kgid_t fsgid;
	kernel_cap_t cap_inheritable;
	kernel_cap_t cap_permitted;
	kernel_cap_t cap_effective;
	kernel_cap_t cap_bset;
	kernel_cap_t cap_ambient;
	struct user_namespace *user_ns;
	struct group_info *group_info;
};

/* include/linux/pid.h, pid_namespace.h */
struct pid_namespace {
	struct task_struct *child_reaper;
	unsigned int level;
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[];
};

/* include/linux/nsproxy.h and the namespaces' own headers */
struct uts_namespace {
	struct ns_common ns;
};

struct ipc_namespace {
	struct ns_common ns;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct net {
	struct ns_common ns;
};

struct cgroup_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
	struct cgroup_namespace *cgroup_ns;
};

/* include/linux/dcache.h, fs.h, mount.h, fs/mount.h */
struct qstr {
	u32 len;
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct dentry *mnt_root;
	int mnt_flags;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct super_block {
	u32 s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
};

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

struct inode {
	u16 i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	unsigned int i_flags;
	struct super_block *i_sb;
	unsigned long i_ino;
	u32 i_rdev;
	s64 i_mtime_sec;
	s64 i_ctime_sec;
	u32 i_mtime_nsec;
	u32 i_ctime_nsec;
};

/* Before Linux commit 3aa63a569c64 ("fs: switch timespec64 fields in inode to discrete integers")
 * (in v6.11) */
struct inode___v6_7 {
	struct timespec64 __i_mtime;
	struct timespec64 __i_ctime;
};

/* Before Linux commits 12cd44023651 and 13bc24457850 ("fs: rename __mtime and __ctime") (in v6.6,
 * v6.7) */
struct inode___old {
	struct timespec64 i_mtime;
	struct timespec64 i_ctime;
};

struct inode___v6_6 {
	struct timespec64 __i_ctime;
	struct timespec64 i_mtime;
};

struct file {
	unsigned int f_mode;
	void *private_data;
	struct inode *f_inode;
	unsigned int f_flags;
	struct path f_path;
};

/* include/linux/fdtable.h */
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

/* include/linux/fs_struct.h */
struct fs_struct {
	struct path root;
	struct path pwd;
};

/* include/linux/tty.h, tty_driver.h */
struct tty_driver {
	int major;
	int minor_start;
};

struct tty_struct {
	int index;
	struct tty_driver *driver;
};

/* include/linux/resource.h */
struct rlimit {
	unsigned long rlim_cur;
};

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

/* include/linux/sched/signal.h */
enum {
	PIDTYPE_PGID = 2, /* enum pid_type, include/linux/pid_types.h */
	PIDTYPE_SID = 3,
};

struct signal_struct {
	atomic_t live;
	struct pid *pids[4];
	struct tty_struct *tty;
	struct rlimit rlim[16];
	unsigned int is_child_subreaper : 1;
};

/* include/linux/percpu_counter.h */
struct percpu_counter {
	s64 count;
};

/* include/linux/mm_types.h */
struct mm_struct {
	unsigned long total_vm;
	unsigned long arg_start;
	unsigned long arg_end;
	unsigned long env_start;
	unsigned long env_end;
	struct file *exe_file;
	struct percpu_counter rss_stat[4];
};

/* Before Linux commit f1a7941243c1 ("mm: convert mm's rss stats into percpu_counter") (in v6.2) */
struct mm_rss_stat___old {
	atomic64_t count[4];
};

struct mm_struct___old {
	struct mm_rss_stat___old rss_stat;
};

/* kernel/cgroup: include/linux/cgroup-defs.h, kernfs.h */
struct kernfs_node {
	struct kernfs_node *parent;
	const char *name;
	u64 id;
};

/* Since Linux commit 633488947ef6 ("kernfs: Use RCU to access kernfs_node::parent") (in v6.15) */
struct kernfs_node___v6_15 {
	struct kernfs_node *__parent;
};

struct cgroup_subsys {
	const char *name;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys *ss;
	u64 serial_nr;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1]; /* as many as the kernel was configured with */
	struct cgroup *dfl_cgrp;
};

/* include/linux/sched.h */
struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	struct mm_struct *mm;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	u64 start_boottime;
	unsigned long min_flt;
	unsigned long maj_flt;
	const struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	kuid_t loginuid;	/* CONFIG_AUDIT */
	unsigned int sessionid; /* CONFIG_AUDIT */
	u64 self_exec_id;
	struct css_set *cgroups;
};

/* include/linux/binfmts.h */
struct linux_binprm {
	const char *filename;
	const char *interp;
	const char *fdpath;
};

/* include/linux/net.h, include/net/sock.h, include/linux/in6.h */
struct in6_addr {
	u64 address[2];
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_num;
	u16 skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
	u16 sk_type;
	u32 sk_ack_backlog;
	u32 sk_max_ack_backlog;
	struct pid *sk_peer_pid;
	const struct cred *sk_peer_cred;
};

struct socket {
	short type;
	struct sock *sk;
};

/* include/net/af_unix.h */
struct sockaddr_un {
	u16 sun_family;
	char sun_path[108];
};

struct unix_address {
	int len; /* of name, sun_family included */
	struct sockaddr_un name[];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

/* include/linux/io_uring_types.h */
struct io_uring_sqe;

struct io_ring_ctx {
	unsigned int flags;
	u32 *sq_array;
	struct io_uring_sqe *sq_sqes;
	unsigned int cached_sq_head;
	unsigned int sq_entries;
};

struct io_cqe {
	u64 user_data;
	s32 res;
};

struct io_kiocb {
	struct file *file;
	u8 opcode;
	struct io_cqe cqe;
	struct io_ring_ctx *ctx;
};

/* kernel/bpf/task_iter.c, include/linux/bpf.h */
struct bpf_iter__task {
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

#pragma clang attribute pop

/* Numbers of the kernel's user interface and of its internals, with their names there. */
#define TS_COMPAT 0x0002	       /* arch/x86/include/asm/thread_info.h */
#define TIF_32BIT 22		       /* arch/arm64/include/asm/thread_info.h */
#define X32_SYSCALL_BIT 0x40000000     /* arch/x86/include/uapi/asm/unistd.h */
#define PF_KTHREAD 0x00200000	       /* include/linux/sched.h */
#define FMODE_CREATED 0x100000	       /* include/linux/fs.h */
#define SB_RDONLY 1		       /* include/linux/fs.h */
#define S_IMMUTABLE 8		       /* include/linux/fs.h */
#define I_CTIME_QUERIED (1u << 31)     /* include/linux/fs.h: a mark in i_ctime_nsec since v6.13 */
#define MNT_READONLY 0x40	       /* include/linux/mount.h */
#define CAP_DAC_OVERRIDE 1	       /* include/uapi/linux/capability.h */
#define RLIMIT_NOFILE 7		       /* include/uapi/asm-generic/resource.h */
#define ANON_INODE_FS_MAGIC 0x09041934 /* include/uapi/linux/magic.h */
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define SOCKFS_MAGIC 0x534F434B
#define PIPEFS_MAGIC 0x50495045
#define PID_FS_MAGIC 0x50494446
#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6
#define S_IFMT 0170000 /* include/uapi/linux/stat.h */
#define S_IFSOCK 0140000
#define S_IFIFO 0010000
#define AF_UNIX 1 /* include/linux/socket.h */
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1	  /* include/linux/net.h */
#define TCP_ESTABLISHED 1 /* include/net/tcp_states.h */
#define TCP_LISTEN 10
#define EINPROGRESS 115 /* include/uapi/asm-generic/errno.h */

#endif
