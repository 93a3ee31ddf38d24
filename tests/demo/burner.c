// SPDX-License-Identifier: GPL-2.0-or-later
/* burner.c - a small HTTP/1.1 server whose routes cost a stated CPU time, exact in the long run. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"

#define MAX_ROUTES  32
#define MAX_WORKERS 16
#define REQUEST_MAX 8192
#define HEAD_MAX    256
#define BODY_MAX    (1 << 20)
#define SPIN_TURNS  2000 /* between two looks at the clock; some us */

static const char usage[] =
	"usage: burner --listen ADDR:PORT --route PATH=CPU[,BODY_BYTES[,MEMORY_BYTES]]... [--workers N]\n"
	"Answers PATH (and PATH?...) with BODY_BYTES after CPU time; MEMORY_BYTES are touched meanwhile.\n";

struct route {
	char path[128];
	uint64_t cpu_ns, body_bytes, memory_bytes;
};

struct conn {
	int fd;
	size_t used;
	char buf[REQUEST_MAX + 1];
};

static struct {
	struct route routes[MAX_ROUTES];
	size_t n_routes;
	int epoll_fd, listen_fd;
	char body[BODY_MAX];
} server;

static uint64_t thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void burn_until(uint64_t cpu_ns)
{
	volatile uint64_t x = 88172645463325252u;

	while (thread_cpu_ns() < cpu_ns)
		for (int i = 0; i < SPIN_TURNS; i++)
			x ^= x << 7, x ^= x >> 9;
}

static const struct route *route_of(const char *target)
{
	for (size_t i = 0; i < server.n_routes; i++) {
		size_t n = strlen(server.routes[i].path);

		if (strncmp(target, server.routes[i].path, n) == 0 && strchr(" ?", target[n]))
			return &server.routes[i];
	}
	return NULL;
}

static bool send_all(int fd, const char *buf, size_t n, int flags)
{
	while (n > 0) {
		ssize_t w = send(fd, buf, n, flags | MSG_NOSIGNAL);

		if (w < 0 && errno != EINTR)
			return false;
		if (w > 0)
			buf += w, n -= (size_t)w;
	}
	return true;
}

/*
 * @owed is the CPU time this thread should have used in all: what a request really cost beyond its
 * burning (system calls, parsing) is taken off the next ones, so the sum is exact.
 */
static bool serve(struct conn *c, const char *request, uint64_t *owed)
{
	const char *target = strchr(request, ' ');
	const struct route *r = target ? route_of(target + 1) : NULL;
	uint64_t body_bytes = r ? r->body_bytes : 0;
	char head[HEAD_MAX];
	void *memory = NULL;
	int n;

	if (r) {
		memory = r->memory_bytes ? malloc(r->memory_bytes) : NULL;
		if (memory)
			memset(memory, 1, r->memory_bytes);
		*owed = MAX(*owed + r->cpu_ns, thread_cpu_ns());
		burn_until(*owed);
		free(memory);
	}
	n = snprintf(head, sizeof(head),
		     "HTTP/1.1 %s\r\nServer: burner\r\nContent-Type: text/plain\r\nContent-Length: "
		     "%llu\r\n\r\n",
		     r ? "200 OK" : "404 Not Found", (unsigned long long)body_bytes);
	return send_all(c->fd, head, (size_t)n, body_bytes ? MSG_MORE : 0) &&
	       send_all(c->fd, server.body, body_bytes, 0);
}

/* Serves what is complete in the buffer; bodies of requests are not expected. */
static bool serve_buffer(struct conn *c, uint64_t *owed)
{
	char *end;

	while ((end = memmem(c->buf, c->used, "\r\n\r\n", 4))) {
		size_t n = (size_t)(end - c->buf) + 4;

		*end = '\0';
		if (!serve(c, c->buf, owed))
			return false;
		memmove(c->buf, c->buf + n, c->used - n);
		c->used -= n;
	}
	return c->used < REQUEST_MAX;
}

static void conn_ready(struct conn *c, uint64_t *owed)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = c};
	ssize_t n = recv(c->fd, c->buf + c->used, REQUEST_MAX - c->used, 0);

	if (n > 0) {
		c->used += (size_t)n;
		if (serve_buffer(c, owed) &&
		    epoll_ctl(server.epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) == 0)
			return;
	}
	close(c->fd);
	free(c);
}

static void accept_one(void)
{
	int fd = accept4(server.listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct conn *c = fd >= 0 ? calloc(1, sizeof(*c)) : NULL;
	struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = c};

	if (!c)
		return;
	c->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

/* Threads share one set of connections, so a request never waits for a busy one beside an idle one.
 */
static void *work(void *arg)
{
	uint64_t owed = thread_cpu_ns();
	struct epoll_event ev, again = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = NULL};

	for (;;) {
		if (epoll_wait(server.epoll_fd, &ev, 1, -1) != 1)
			continue;
		if (ev.data.ptr) {
			conn_ready(ev.data.ptr, &owed);
			continue;
		}
		accept_one();
		epoll_ctl(server.epoll_fd, EPOLL_CTL_MOD, server.listen_fd, &again);
	}
	return arg;
}

static bool add_route(const char *text)
{
	struct route *r = &server.routes[server.n_routes];
	char copy[256], *cpu, *body, *memory;

	if (server.n_routes == MAX_ROUTES || !copy_str(copy, sizeof(copy), text))
		return false;
	cpu = strchr(copy, '=');
	if (!cpu)
		return false;
	*cpu++ = '\0';
	body = strchr(cpu, ',');
	if (body)
		*body++ = '\0';
	memory = body ? strchr(body, ',') : NULL;
	if (memory)
		*memory++ = '\0';
	server.n_routes++;
	return copy_str(r->path, sizeof(r->path), copy) &&
	       parse_duration_ns(cpu, &r->cpu_ns) == 0 &&
	       (!body || parse_u64(body, &r->body_bytes) == 0) && r->body_bytes <= BODY_MAX &&
	       (!memory || parse_u64(memory, &r->memory_bytes) == 0);
}

static bool listen_at(const char *where)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	const char *colon = strchr(where, ':');
	char host[64];
	uint64_t port;

	if (!colon || parse_u64(colon + 1, &port) < 0 || port > UINT16_MAX ||
	    (size_t)(colon - where) >= sizeof(host))
		return false;
	memcpy(host, where, (size_t)(colon - where));
	host[colon - where] = '\0';
	a.sin_port = htons((uint16_t)port);
	server.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(server.listen_fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	return inet_pton(AF_INET, host, &a.sin_addr) == 1 &&
	       bind(server.listen_fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	       listen(server.listen_fd, 1024) == 0;
}

int main(int argc, char **argv)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = NULL};
	uint64_t workers = 4;
	const char *where = NULL;
	pthread_t thread;
	bool good = true;

	for (int i = 1; i + 1 < argc && good; i += 2) {
		if (streq(argv[i], "--listen"))
			where = argv[i + 1];
		else if (streq(argv[i], "--route"))
			good = add_route(argv[i + 1]);
		else
			good = streq(argv[i], "--workers") && parse_u64(argv[i + 1], &workers) == 0;
	}
	if (!good || !where || argc % 2 == 0 || workers < 1 || workers > MAX_WORKERS) {
		fputs(usage, stderr);
		return 2;
	}
	if (!listen_at(where)) {
		fprintf(stderr, "listen at %s: %s\n", where, strerror(errno));
		return 1;
	}
	memset(server.body, 'b', sizeof(server.body));
	server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, server.listen_fd, &ev);
	for (uint64_t i = 1; i < workers; i++)
		if (pthread_create(&thread, NULL, work, NULL) != 0)
			return 1;
	work(NULL);
	return 0;
}
