/* Makes one system call of those that hide or blind, to itself or to a child of its own. What needs more
 * rights than a sandbox has, or gets rubbish, is refused by the kernel; nothing stays when it ends. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char word[8] = "before";

static pid_t waiting_child(void)
{
	pid_t child = fork();

	if (!child) {
		pause();
		_exit(0);
	}
	return child;
}

static void ring(void)
{
	struct io_uring_params params = {0};

	syscall(SYS_io_uring_setup, 4, &params);
}

static void attach(pid_t child)
{
	if (ptrace(PTRACE_ATTACH, child, 0, 0))
		return;
	waitpid(child, NULL, 0);
	ptrace(PTRACE_POKEDATA, child, word, 0);
	ptrace(PTRACE_DETACH, child, 0, 0);
}

static void write_into(pid_t child)
{
	struct iovec ours = {"after", 6}, theirs = {word, 6};

	process_vm_writev(child, &ours, 1, &theirs, 1, 0);
}

static void write_file(pid_t child)
{
	char path[32];
	int memory;

	snprintf(path, sizeof path, "/proc/%d/mem", child);
	memory = open(path, O_RDWR);
	if (memory < 0 || pwrite(memory, "after", 6, (off_t)word) < 0)
		return;
	close(memory);
}

static void load_program(void)
{
	struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = 2,
		.insns = (unsigned long)code,
		.license = (unsigned long)"GPL",
	};

	syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
}

static void load_module(void)
{
	syscall(SYS_init_module, "rubbish", 7UL, "");
	syscall(SYS_delete_module, "no_such_module", O_NONBLOCK);
}

static void open_counter(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof attr,
		.config = PERF_COUNT_SW_DUMMY,
	};

	syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0UL);
}

static void take_descriptor(pid_t child)
{
	int process = (int)syscall(SYS_pidfd_open, child, 0);

	syscall(SYS_pidfd_getfd, process, 0, 0);
}

static void filter(unsigned int flags)
{
	struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
	struct sock_fprog program = {1, allow};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void with_child(void (*action)(pid_t))
{
	pid_t child = waiting_child();

	action(child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "ring"))
		ring();
	else if (!strcmp(what, "attach"))
		with_child(attach);
	else if (!strcmp(what, "write"))
		with_child(write_into);
	else if (!strcmp(what, "write_file"))
		with_child(write_file);
	else if (!strcmp(what, "bpf"))
		load_program();
	else if (!strcmp(what, "module"))
		load_module();
	else if (!strcmp(what, "faults"))
		syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	else if (!strcmp(what, "counters"))
		open_counter();
	else if (!strcmp(what, "kernel"))
		syscall(SYS_kexec_load, 0UL, 0UL, NULL, 0UL);
	else if (!strcmp(what, "descriptor"))
		with_child(take_descriptor);
	else if (!strcmp(what, "listener"))
		filter(SECCOMP_FILTER_FLAG_NEW_LISTENER);
	else if (!strcmp(what, "confine"))
		filter(0);
	else
		return 2;
	return 0;
}
