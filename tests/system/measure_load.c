// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * measure_load.c - an exact number of requests: measure_load PORT PATH CONNECTIONS DEPTH REQUESTS.
 * Each connection sends DEPTH requests in one write and reads all their responses before the next,
 * so that none is under way at the end. The responses must all be equally long.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS 256

static int dial(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

static void take(int fd, size_t n)
{
	static char buf[1 << 16];

	while (n) {
		ssize_t r = read(fd, buf, n < sizeof(buf) ? n : sizeof(buf));

		if (r <= 0) {
			perror("read");
			exit(1);
		}
		n -= (size_t)r;
	}
}

static void give(int fd, const char *text, size_t n)
{
	if (write(fd, text, n) != (ssize_t)n) {
		perror("write");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	int fds[MAX_CONNECTIONS], connections = argc == 6 ? atoi(argv[3]) : 0;
	int depth = argc == 6 ? atoi(argv[4]) : 0;
	long left = argc == 6 ? atol(argv[5]) : 0;
	char request[512], *batch, first[4096];
	size_t length, response;

	if (connections < 1 || connections > MAX_CONNECTIONS || depth < 1 || left < 1)
		return 2;
	length = (size_t)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
				  argv[2]);
	batch = malloc(length * (size_t)depth);
	for (int i = 0; batch && i < depth; i++)
		memcpy(batch + length * (size_t)i, request, length);
	for (int i = 0; i < connections; i++)
		fds[i] = dial((uint16_t)atoi(argv[1]));
	give(fds[0], batch, length);
	response = (size_t)read(fds[0], first, sizeof(first));
	for (left--; left > 0;) {
		int asked[MAX_CONNECTIONS] = {};

		for (int i = 0; i < connections && left > 0; i++) {
			asked[i] = left < depth ? (int)left : depth;
			left -= asked[i];
			give(fds[i], batch, length * (size_t)asked[i]);
		}
		for (int i = 0; i < connections; i++)
			take(fds[i], response * (size_t)asked[i]);
	}
	free(batch);
	return 0;
}
