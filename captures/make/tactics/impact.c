/* Stands for a miner: says hello to a pool of documentation's addresses. With `stop` it asks for the
 * end of the machine in a form that the kernel refuses (no magic numbers; see reboot(2)). */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in pool = {.sin_family = AF_INET, .sin_port = htons(3333)};
	static const char hello[] = "{\"id\":1,\"method\":\"login\"}\n";
	int socket_fd;

	if (argc > 1 && !strcmp(argv[1], "stop")) {
		syscall(SYS_reboot, 0, 0, 0, 0);
		return 0;
	}
	inet_pton(AF_INET, "203.0.113.66", &pool.sin_addr);
	socket_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(socket_fd, (struct sockaddr *)&pool, sizeof pool))
		return 1;
	return write(socket_fd, hello, sizeof hello - 1) < 0;
}
