// SPDX-License-Identifier: GPL-2.0-or-later
/* hog.c - a batch job: threads that count their work, streams that send all they can; or their
 * sink. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"

#define MAX_THREADS 64
#define BLOCK_BYTES 65536
#define UNIT_TURNS  200000 /* of the generator: one unit of work, a fraction of a millisecond */

static const char usage[] =
	"usage: hog [--threads N] [--to ADDR:PORT --streams N]   works, sends, prints both once a second\n"
	"       hog --sink ADDR:PORT                             takes what the streams send\n";

static _Atomic uint64_t units, sent_bytes;
static struct sockaddr_in peer = {.sin_family = AF_INET};

static void *crunch(void *arg)
{
	uint64_t x = 88172645463325252u;

	for (;;) {
		for (int i = 0; i < UNIT_TURNS; i++)
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		/* The condition keeps the loop from being optimised away: x is never 0. */
		atomic_fetch_add_explicit(&units, x != 0, memory_order_relaxed);
	}
	return arg;
}

static void *stream(void *arg)
{
	static char block[BLOCK_BYTES];

	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ssize_t n = connect(fd, (struct sockaddr *)&peer, sizeof(peer));

		while (n >= 0) {
			n = send(fd, block, sizeof(block), MSG_NOSIGNAL);
			if (n > 0)
				atomic_fetch_add_explicit(&sent_bytes, (uint64_t)n,
							  memory_order_relaxed);
		}
		close(fd);
		usleep(200000);
	}
	return arg;
}

static void *drain(void *arg)
{
	int fd = (int)(intptr_t)arg;

	/* MSG_TRUNC: the bytes are dropped in the kernel, which costs next to nothing. */
	while (recv(fd, NULL, 1 << 20, MSG_TRUNC) > 0)
		;
	close(fd);
	return NULL;
}

static int sink(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t t;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(fd, (struct sockaddr *)&peer, sizeof(peer)) < 0 || listen(fd, 64) < 0) {
		perror("sink");
		return 1;
	}
	for (;;) {
		int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (c >= 0 && pthread_create(&t, NULL, drain, (void *)(intptr_t)c) == 0)
			pthread_detach(t);
	}
}

static bool parse_peer(const char *where)
{
	const char *colon = strchr(where, ':');
	char host[64] = "";
	uint64_t port;

	if (!colon || (size_t)(colon - where) >= sizeof(host) || parse_u64(colon + 1, &port) < 0 ||
	    port > UINT16_MAX)
		return false;
	memcpy(host, where, (size_t)(colon - where));
	peer.sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &peer.sin_addr) == 1;
}

static void report(void)
{
	for (;;) {
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		printf("{\"mono_s\":%lld.%03ld,\"units\":%llu,\"bytes\":%llu}\n",
		       (long long)now.tv_sec, now.tv_nsec / 1000000, (unsigned long long)units,
		       (unsigned long long)sent_bytes);
		fflush(stdout);
		sleep(1);
	}
}

int main(int argc, char **argv)
{
	uint64_t threads = 0, streams = 0;
	bool good = argc > 1 && argc % 2 == 1, is_sink = false;
	pthread_t t;

	for (int i = 1; i + 1 < argc && good; i += 2) {
		is_sink |= streq(argv[i], "--sink");
		if (streq(argv[i], "--threads"))
			good = parse_u64(argv[i + 1], &threads) == 0;
		else if (streq(argv[i], "--streams"))
			good = parse_u64(argv[i + 1], &streams) == 0;
		else
			good = (is_sink || streq(argv[i], "--to")) && parse_peer(argv[i + 1]);
	}
	if (!good || threads + streams > MAX_THREADS || (streams && !peer.sin_port)) {
		fputs(usage, stderr);
		return 2;
	}
	if (is_sink)
		return sink();
	for (uint64_t i = 0; i < threads + streams; i++)
		if (pthread_create(&t, NULL, i < threads ? crunch : stream, NULL) != 0)
			return 1;
	report();
}
