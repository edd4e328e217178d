/* SPDX-License-Identifier: Apache-2.0 */
/* What a shell cannot do: execute from memory, make a socket the standard input. Harmless. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Executes a copy of `path` that exists only in memory. */
static int run_from_memory(const char *path)
{
	char block[65536];
	char *argv[] = {"payload-name", "payload-argument", NULL};
	int from = open(path, O_RDONLY), memory = memfd_create("payload", 0);
	ssize_t n;

	while ((n = read(from, block, sizeof(block))) > 0)
		if (write(memory, block, n) != n)
			return 1;
	if (!fork()) {
		fexecve(memory, argv, environ);
		_exit(1);
	}
	return wait(NULL) < 0;
}

/* Connects to a listener of its own and makes the connection standard input, output and error. */
static int redirect(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), connection = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &len) ||
	    connect(connection, (struct sockaddr *)&address, len))
		return 1;
	for (int fd = 0; fd < 3; fd++)
		if (dup2(connection, fd) < 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "memory"))
		return run_from_memory(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "redirect"))
		return redirect();
	return argc == 2 && !strcmp(argv[1], "nothing") ? 0 : 2;
}
