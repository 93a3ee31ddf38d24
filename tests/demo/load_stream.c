// SPDX-License-Identifier: GPL-2.0-or-later
/* load_stream.c - the requests of one stream over many kept-alive connections. */
#include "tests/demo/load_stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"

enum outcome { ANSWERED, BROKEN, TIMED_OUT };

static void count(struct load_counts *c, struct load_hist *h, const struct load_stream *s,
		  enum outcome outcome, unsigned int status, uint64_t took_ns)
{
	if (outcome == TIMED_OUT)
		c->timeouts++;
	else if (outcome == BROKEN)
		c->broken++;
	else if (status / 100 != 2)
		c->refused++;
	else if (took_ns > s->slo_ns)
		c->late++;
	else
		c->good++;
	/* What failed counts as long as it could have taken, or failing fast would look fast. */
	load_hist_add(h, outcome == ANSWERED ? took_ns : s->timeout_ns);
}

static void record(const struct load_stream *s, const struct load_request *r, uint64_t took_ns,
		   bool is_good)
{
	const struct load_record row = {r->at_ns, (uint32_t)(took_ns / NS_PER_US), is_good};

	(void)fwrite(&row, sizeof(row), 1, s->raw); /* fclose tells of an error */
}

static void settle(struct load_stream *s, const struct load_request *r, enum outcome outcome,
		   unsigned int status, uint64_t now_ns)
{
	uint64_t took_ns = now_ns > r->at_ns ? now_ns - r->at_ns : 0;

	count(&s->second, &s->second_hist, s, outcome, status, took_ns);
	count(&s->total, &s->total_hist, s, outcome, status, took_ns);
	if (s->raw)
		record(s, r, outcome == ANSWERED ? took_ns : s->timeout_ns,
		       outcome == ANSWERED && status / 100 == 2);
}

static void conn_drop(struct load_conn *c, enum outcome outcome, uint64_t now_ns)
{
	if (c->busy) {
		settle(c->stream, &c->request, outcome, 0, now_ns);
		c->stream->n_busy--;
	}
	close(c->fd);
	c->fd = -1;
	c->busy = c->connecting = false;
}

static void conn_send(struct load_conn *c, uint64_t now_ns)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
			 c->stream->paths[c->request.path], c->stream->name);

	if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		conn_drop(c, BROKEN, now_ns);
}

static bool conn_open(struct load_conn *c)
{
	struct load_stream *s = c->stream;
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return false;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	c->connecting = true;
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) == 0 &&
	    (connect(c->fd, (struct sockaddr *)&s->to, sizeof(s->to)) == 0 || errno == EINPROGRESS))
		return true;
	close(c->fd);
	c->fd = -1;
	c->connecting = false;
	return false;
}

/* An open connection with nothing to do, else a new one, else NULL. */
static struct load_conn *conn_take(struct load_stream *s)
{
	struct load_conn *closed = NULL;

	for (size_t i = 0; i < LOAD_MAX_CONNS; i++) {
		struct load_conn *c = &s->conns[i];

		if (c->fd >= 0 && !c->busy)
			return c;
		if (c->fd < 0 && !closed)
			closed = c;
	}
	return closed && conn_open(closed) ? closed : NULL;
}

static void start_waiting(struct load_stream *s, uint64_t now_ns)
{
	while (s->n_waiting > 0) {
		struct load_conn *c = conn_take(s);

		if (!c)
			return;
		c->request = s->waiting[s->first];
		s->first = (s->first + 1) % LOAD_MAX_WAITING;
		s->n_waiting--;
		s->n_busy++;
		c->busy = true;
		c->in_body = c->close_after = false;
		c->head_used = 0;
		if (!c->connecting)
			conn_send(c, now_ns);
	}
}

static uint32_t path_pick(struct load_stream *s)
{
	double at = load_curve_random(&s->curve);
	uint32_t i = 0;

	while (i + 1 < s->n_paths && at > s->share[i])
		i++;
	return i;
}

static uint64_t arrival_ns(struct load_stream *s, uint64_t start_ns)
{
	double at_s = load_curve_next(&s->curve);

	return isfinite(at_s) ? start_ns + (uint64_t)(at_s * (double)NS_PER_S) : UINT64_MAX;
}

void load_stream_due(struct load_stream *s, uint64_t start_ns, uint64_t now_ns)
{
	if (s->next_ns == 0)
		s->next_ns = arrival_ns(s, start_ns);
	while (s->next_ns <= now_ns) {
		struct load_request r = {s->next_ns, path_pick(s)};

		s->second.scheduled++;
		s->total.scheduled++;
		if (s->n_waiting == LOAD_MAX_WAITING)
			settle(s, &r, TIMED_OUT, 0, now_ns);
		else
			s->waiting[(s->first + s->n_waiting++) % LOAD_MAX_WAITING] = r;
		s->next_ns = arrival_ns(s, start_ns);
	}
	start_waiting(s, now_ns);
}

/* Reads status and length from the complete head. False: not an answer this tool understands. */
static bool head_parse(struct load_conn *c)
{
	const char *length = strcasestr(c->head, "\r\nContent-Length:");
	char *end;

	if (strncmp(c->head, "HTTP/1.1 ", 9) != 0 || !length)
		return false;
	c->status = (unsigned int)strtoul(c->head + 9, NULL, 10);
	c->body_left = strtoull(length + 17, &end, 10);
	c->close_after = strcasestr(c->head, "\r\nConnection: close") != NULL;
	c->in_body = true;
	return *end == '\r';
}

/* Takes @n bytes that came. Returns false when the connection is of no more use. */
static bool conn_take_bytes(struct load_conn *c, const char *buf, size_t n, uint64_t now_ns)
{
	if (!c->busy)
		return false;
	if (!c->in_body) {
		size_t keep = MIN(n, (size_t)LOAD_HEAD_MAX - c->head_used);
		char *end;

		memcpy(c->head + c->head_used, buf, keep);
		c->head_used += keep;
		c->head[c->head_used] = '\0';
		end = strstr(c->head, "\r\n\r\n");
		if (!end)
			return c->head_used < LOAD_HEAD_MAX;
		/* Of these bytes, those behind the head are body. */
		n -= (size_t)(end + 4 - c->head) - (c->head_used - keep);
		end[2] = '\0';
		if (!head_parse(c))
			return false;
	}
	if (n > c->body_left)
		return false;
	c->body_left -= n;
	if (c->body_left > 0)
		return true;
	settle(c->stream, &c->request, ANSWERED, c->status, now_ns);
	c->stream->n_busy--;
	c->busy = false;
	return !c->close_after;
}

void load_stream_event(struct load_conn *c, uint32_t events, uint64_t now_ns)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	static char buf[65536];
	ssize_t n;

	if (c->fd < 0)
		return;
	if (c->connecting && (events & EPOLLOUT) && !(events & (EPOLLERR | EPOLLHUP))) {
		c->connecting = false;
		epoll_ctl(c->stream->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
		if (c->busy)
			conn_send(c, now_ns);
		return;
	}
	n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || !conn_take_bytes(c, buf, (size_t)n, now_ns))
		conn_drop(c, BROKEN, now_ns);
	start_waiting(c->stream, now_ns);
}

void load_stream_expire(struct load_stream *s, uint64_t now_ns)
{
	for (size_t i = 0; i < LOAD_MAX_CONNS; i++) {
		struct load_conn *c = &s->conns[i];

		if (c->fd >= 0 && c->busy && now_ns > c->request.at_ns + s->timeout_ns)
			conn_drop(c, TIMED_OUT, now_ns);
	}
	while (s->n_waiting > 0 && now_ns > s->waiting[s->first].at_ns + s->timeout_ns) {
		settle(s, &s->waiting[s->first], TIMED_OUT, 0, now_ns);
		s->first = (s->first + 1) % LOAD_MAX_WAITING;
		s->n_waiting--;
	}
}

bool load_stream_finished(const struct load_stream *s)
{
	return s->next_ns == UINT64_MAX && s->n_waiting == 0 && s->n_busy == 0;
}

/* "PATH[:SHARE];..." */
static bool paths_parse(char *text, struct load_stream *s)
{
	double sum = 0;

	for (char *p = strsep(&text, ";"); p; p = strsep(&text, ";")) {
		char *share = strchr(p, ':');
		double weight = 1;

		if (share)
			*share++ = '\0';
		if (s->n_paths == LOAD_MAX_PATHS || (share && parse_double(share, &weight) < 0) ||
		    !copy_str(s->paths[s->n_paths], sizeof(s->paths[0]), p))
			return false;
		sum += weight;
		s->share[s->n_paths++] = sum;
	}
	for (size_t i = 0; i < s->n_paths; i++)
		s->share[i] /= sum;
	return sum > 0;
}

static bool address_parse(char *text, struct sockaddr_in *ret)
{
	char *host = strsep(&text, ":");
	uint64_t port;

	ret->sin_family = AF_INET;
	if (!text || parse_u64(text, &port) < 0 || port > UINT16_MAX)
		return false;
	ret->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &ret->sin_addr) == 1;
}

int load_stream_parse(char *text, uint64_t seed, uint64_t timeout_ns, struct load_stream *ret,
		      struct err *e)
{
	char *field[5];

	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		field[i] = strsep(&text, ",");
		if (!field[i])
			return err_say(e, -EINVAL,
				       "a stream is NAME,ADDR:PORT,PATHS,CURVE,LATENCY");
	}
	ret->name = field[0];
	ret->timeout_ns = timeout_ns;
	for (size_t i = 0; i < LOAD_MAX_CONNS; i++) {
		ret->conns[i].stream = ret;
		ret->conns[i].fd = -1;
	}
	if (!address_parse(field[1], &ret->to) || !paths_parse(field[2], ret) ||
	    parse_duration_ns(field[4], &ret->slo_ns) < 0)
		return err_say(e, -EINVAL, "stream %s: bad address, paths or latency", ret->name);
	return load_curve_read(field[3], seed, &ret->curve, e);
}
