// SPDX-License-Identifier: GPL-2.0-or-later
/* hog.c - a batch job: threads that count their work, touch memory or move a file, streams that
 * send all they can; or their sink. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"

#define MAX_THREADS  64
#define BLOCK_BYTES  65536
#define UNIT_TURNS   200000 /* of the generator: one unit of work, a fraction of a millisecond */
#define CHUNK_BYTES  ((size_t)MIB)
#define DIRECT_ALIGN 4096
#define REPORT_US    250000

static const char usage[] =
	"usage: hog [--threads N] [--touch BYTES]... [--file PATH:BYTES]... [--to ADDR:PORT --streams N]\n"
	"       hog --sink ADDR:PORT   takes what the streams send\n"
	"Works; touches memory and gives it back; writes and reads a file without a name, past the cache;\n"
	"sends. Prints four times a second the units of work and the bytes touched, moved and sent.\n";

struct region {
	size_t size_bytes;
	int fd; /* of a file that has no name any more; -1: memory */
};

static _Atomic uint64_t units, moved_bytes;
static struct sockaddr_in peer = {.sin_family = AF_INET};

static void moved(size_t n_bytes)
{
	atomic_fetch_add_explicit(&moved_bytes, n_bytes, memory_order_relaxed);
}

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

static void *touch(void *arg)
{
	const struct region *m = arg;

	for (;;) {
		char *all = mmap(NULL, m->size_bytes, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (all == MAP_FAILED)
			return NULL;
		for (size_t at = 0; at + CHUNK_BYTES <= m->size_bytes; at += CHUNK_BYTES) {
			memset(all + at, 1, CHUNK_BYTES);
			moved(CHUNK_BYTES);
		}
		munmap(all, m->size_bytes);
	}
}

/* Writes all of the file, then reads all of it. */
static void *churn(void *arg)
{
	const struct region *f = arg;
	void *chunk = aligned_alloc(DIRECT_ALIGN, CHUNK_BYTES);
	bool writes = true;

	if (!chunk)
		return NULL;
	memset(chunk, 1, CHUNK_BYTES);
	for (;; writes = !writes) {
		for (size_t at = 0; at + CHUNK_BYTES <= f->size_bytes; at += CHUNK_BYTES) {
			ssize_t n = writes ? pwrite(f->fd, chunk, CHUNK_BYTES, (off_t)at)
					   : pread(f->fd, chunk, CHUNK_BYTES, (off_t)at);

			if (n != (ssize_t)CHUNK_BYTES) {
				perror("hog: file");
				exit(1);
			}
			moved(CHUNK_BYTES);
		}
	}
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
				moved((size_t)n);
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
		       (unsigned long long)moved_bytes);
		fflush(stdout);
		usleep(REPORT_US);
	}
}

/* Of "PATH:BYTES", or of "BYTES" in memory. The file loses its name at once: it cannot be left
 * over. */
static bool add_region(char *text, struct region *ret)
{
	char *colon = strrchr(text, ':');
	uint64_t size_bytes;

	if (parse_u64(colon ? colon + 1 : text, &size_bytes) < 0 || size_bytes < CHUNK_BYTES)
		return false;
	*ret = (struct region){.size_bytes = size_bytes, .fd = -1};
	if (!colon)
		return true;
	*colon = '\0';
	ret->fd = open(text, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
	if (ret->fd < 0 || unlink(text) < 0)
		perror(text);
	return ret->fd >= 0;
}

static bool start(uint64_t n, void *(*work)(void *), void *arg)
{
	pthread_t t;

	for (uint64_t i = 0; i < n; i++)
		if (pthread_create(&t, NULL, work, arg) != 0)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	static struct region regions[MAX_THREADS];
	uint64_t threads = 0, streams = 0;
	size_t n = 0;
	bool good = argc > 1 && argc % 2 == 1, is_sink = false;

	for (int i = 1; i + 1 < argc && good; i += 2) {
		is_sink |= streq(argv[i], "--sink");
		if (streq(argv[i], "--threads"))
			good = parse_u64(argv[i + 1], &threads) == 0;
		else if (streq(argv[i], "--streams"))
			good = parse_u64(argv[i + 1], &streams) == 0;
		else if (streq(argv[i], "--touch") || streq(argv[i], "--file"))
			good = n < MAX_THREADS &&
			       streq(argv[i], "--file") == !!strchr(argv[i + 1], ':') &&
			       add_region(argv[i + 1], &regions[n++]);
		else
			good = (is_sink || streq(argv[i], "--to")) && parse_peer(argv[i + 1]);
	}
	if (!good || threads + streams + n > MAX_THREADS || (streams && !peer.sin_port)) {
		fputs(usage, stderr);
		return 2;
	}
	if (is_sink)
		return sink();
	good = start(threads, crunch, NULL) && start(streams, stream, NULL);
	for (size_t i = 0; i < n && good; i++)
		good = start(1, regions[i].fd < 0 ? touch : churn, &regions[i]);
	if (!good)
		return 1;
	report();
}
