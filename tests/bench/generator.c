/* Makes a known number of each of some system calls, from many threads at full speed.
 *
 *     generator SECONDS THREADS
 *
 * Prints `NAME COUNT` for each call when it ends. Calls are made directly, so that no library makes
 * others for them; each fails or does nothing that lasts. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALLS 16
#define THREADS_MAX 64

static const char *names[CALLS] = {
	"openat", "read",   "write", "pread",  "lseek",	 "dup",	    "close",  "socket",
	"kill",	  "setgid", "chdir", "access", "unlink", "readlink", "getuid", "sched_yield",
};
static volatile int stopping;
static unsigned long made[THREADS_MAX][CALLS];

static void *work(void *given)
{
	unsigned long *mine = given;
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
	char byte;

	while (!stopping) {
		syscall(SYS_openat, AT_FDCWD, "/no/such/file", O_RDONLY, 0), mine[0]++;
		syscall(SYS_read, zero, &byte, 1), mine[1]++;
		syscall(SYS_write, null, &byte, 1), mine[2]++;
		syscall(SYS_pread64, zero, &byte, 1, 0), mine[3]++;
		syscall(SYS_lseek, zero, 0, SEEK_CUR), mine[4]++;
		int copy = syscall(SYS_dup, zero);
		mine[5]++;
		syscall(SYS_close, copy), mine[6]++;
		syscall(SYS_socket, 99, SOCK_STREAM, 0), mine[7]++;
		syscall(SYS_kill, getpid(), 0), mine[8]++;
		syscall(SYS_setgid, getgid()), mine[9]++;
		syscall(SYS_chdir, "/no/such/folder"), mine[10]++;
		syscall(SYS_access, "/no/such/file", F_OK), mine[11]++;
		syscall(SYS_unlink, "/no/such/file"), mine[12]++;
		syscall(SYS_readlink, "/no/such/file", &byte, 1), mine[13]++;
		syscall(SYS_getuid), mine[14]++;
		syscall(SYS_sched_yield), mine[15]++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	double seconds = atof(argv[1]);
	int count = atoi(argv[2]) < THREADS_MAX ? atoi(argv[2]) : THREADS_MAX;
	struct timespec pause = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
	pthread_t threads[THREADS_MAX];

	for (int i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, work, made[i]);
	nanosleep(&pause, NULL);
	stopping = 1;
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	for (int call = 0; call < CALLS; call++) {
		unsigned long sum = 0;
		for (int i = 0; i < count; i++)
			sum += made[i][call];
		printf("%s %lu\n", names[call], sum);
	}
	return 0;
}
