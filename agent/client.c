// SPDX-License-Identifier: GPL-2.0-or-later
/* client.c - a small HTTP/1.1 client over a Unix socket: one question, one answer, close. */
#include "agent/client.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/cmd.h"

#define TIMEOUT_MS 5000
#define MAX_ANSWER (64 * MIB)

struct answer_text {
	char *bytes;
	size_t used, size;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int no_agent(const char *path, struct err *e)
{
	return err_say(e, -ENOTCONN, "no agent answers at %s; start one with 'foreshape run'",
		       path);
}

static int connect_agent(int *ret, struct err *e)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *dir = cmd_runtime_dir();
	_cleanup_(closep) int fd = -1;
	int n;

	n = snprintf(to.sun_path, sizeof(to.sun_path), "%s/control.sock", dir);
	if (n < 0 || (size_t)n >= sizeof(to.sun_path))
		return err_say(e, -ENAMETOOLONG,
			       "runtime directory %s is longer than a socket's path may be", dir);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, -errno, "make a socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
		*ret = take_fd(fd);
		return 0;
	}
	if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR || errno == ENOTSOCK)
		return no_agent(to.sun_path, e);
	if (errno == EAGAIN)
		return err_say(e, -ETIMEDOUT, "the agent at %s is too busy to answer", to.sun_path);
	return err_set(e, -errno, "connect to %s", to.sun_path);
}

/* Waits for @events until @deadline_ms. 0 or -ETIMEDOUT. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left;
	int r;

	do {
		left = deadline_ms - now_ms();
		r = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (r < 0 && errno == EINTR);
	return r > 0 ? 0 : -ETIMEDOUT;
}

/* What a server says before it hangs up is still read: a broken pipe is no error here. */
static int send_all(int fd, const char *bytes, size_t size, int64_t deadline_ms)
{
	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n >= 0) {
			bytes += n;
			size -= (size_t)n;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return 0;
		} else if (errno == EAGAIN) {
			int r = wait_for(fd, POLLOUT, deadline_ms);

			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

static int grow(struct answer_text *a)
{
	size_t size = a->size ? a->size * 2 : 16 * KIB;
	char *bytes;

	if (size > MAX_ANSWER)
		return -EPROTO;
	bytes = realloc(a->bytes, size);
	if (!bytes)
		return -ENOMEM;
	a->bytes = bytes;
	a->size = size;
	return 0;
}

/* Reads until the other side closes; the text is terminated. */
static int receive_all(int fd, struct answer_text *a, int64_t deadline_ms)
{
	for (;;) {
		ssize_t n;
		int r;

		if (a->used + 1 >= a->size) {
			r = grow(a);
			if (r < 0)
				return r;
		}
		n = recv(fd, a->bytes + a->used, a->size - a->used - 1, 0);
		if (n > 0) {
			a->used += (size_t)n;
		} else if (n == 0 || (errno == ECONNRESET && a->used > 0)) {
			a->bytes[a->used] = '\0';
			return 0;
		} else if (errno == EAGAIN) {
			r = wait_for(fd, POLLIN, deadline_ms);
			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}

/* Value of header @name in the head that ends at @end, up to the line's end; NULL: not there. */
static const char *find_header(const char *head, const char *end, const char *name)
{
	size_t n = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line && line < end;
	     line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':')
			return line + 3 + n + strspn(line + 3 + n, " ");
	}
	return NULL;
}

/* Takes status and body from the whole answer. The body must be as long as it says. */
static int take_apart(struct answer_text *a, unsigned int *status, const char **body, size_t *size)
{
	const char *end = a->used ? strstr(a->bytes, "\r\n\r\n") : NULL, *length;
	char number[24];
	uint64_t code, n;

	if (!end || strncmp(a->bytes, "HTTP/1.", 7) != 0 || a->used < 13)
		return -EPROTO;
	(void)copy_str(number, 4, a->bytes + 9);
	if (parse_u64(number, &code) < 0)
		return -EPROTO;
	*body = end + 4;
	*size = a->used - (size_t)(*body - a->bytes);
	length = find_header(a->bytes, end, "Content-Length");
	if (length) {
		(void)copy_str(number, MIN(sizeof(number), strcspn(length, "\r") + 1), length);
		if (parse_u64(number, &n) < 0 || n != *size)
			return -EPROTO;
	}
	*status = (unsigned int)code;
	return 0;
}

static int status_errno(unsigned int status)
{
	switch (status) {
	case 403:
		return -EPERM;
	case 404:
		return -ENOENT;
	case 400:
	case 413:
		return -EINVAL;
	default:
		return -EIO;
	}
}

static int understand(struct answer_text *a, json_t **ret, struct err *e)
{
	unsigned int status;
	const char *body;
	json_t *json;
	size_t size;
	int r;

	r = take_apart(a, &status, &body, &size);
	if (r < 0)
		return err_say(e, r, "what answers at %s/control.sock is not an agent",
			       cmd_runtime_dir());
	json = json_loadb(body, size, 0, NULL);
	if (status != 200) {
		const char *text = json_string_value(json_object_get(json, "error"));

		r = err_say(e, status_errno(status), "%s", text ? text : "the agent refused");
		json_decref(json);
		return r;
	}
	if (!json)
		return err_say(e, -EPROTO, "the agent's answer is no JSON");
	if (ret)
		*ret = json;
	else
		json_decref(json);
	return 0;
}

static void answer_freep(struct answer_text *a)
{
	free(a->bytes);
}

static int ask(const char *method, const char *path, const char *body, int timeout_ms, json_t **ret,
	       struct err *e)
{
	_cleanup_(answer_freep) struct answer_text answer = {};
	int64_t deadline_ms = now_ms() + timeout_ms;
	_cleanup_(closep) int fd = -1;
	_cleanup_(freep) char *request = NULL;
	int r, n;

	r = connect_agent(&fd, e);
	if (r < 0)
		return r;
	n = asprintf(
		&request,
		"%s %s HTTP/1.1\r\nHost: foreshape\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
		method, path, strlen(body), body);
	if (n < 0)
		return err_set(e, -ENOMEM, "ask the agent");
	r = send_all(fd, request, (size_t)n, deadline_ms);
	if (r == 0)
		r = receive_all(fd, &answer, deadline_ms);
	if (r == -ETIMEDOUT)
		return err_say(e, r, "the agent at %s/control.sock did not answer within %d s",
			       cmd_runtime_dir(), timeout_ms / 1000);
	if (r < 0)
		return err_set(e, r, "ask the agent at %s/control.sock", cmd_runtime_dir());
	return understand(&answer, ret, e);
}

int client_get(const char *path, json_t **ret, struct err *e)
{
	return ask("GET", path, "", TIMEOUT_MS, ret, e);
}

int client_post_wait(const char *path, json_t *body, int timeout_ms, json_t **ret, struct err *e)
{
	_cleanup_(freep) char *text = body ? json_dumps(body, JSON_COMPACT) : strdup("{}");

	if (!text)
		return err_set(e, -ENOMEM, "ask the agent");
	return ask("POST", path, text, timeout_ms, ret, e);
}

int client_post(const char *path, json_t *body, json_t **ret, struct err *e)
{
	return client_post_wait(path, body, TIMEOUT_MS, ret, e);
}

int client_delete(const char *path, json_t **ret, struct err *e)
{
	return ask("DELETE", path, "", TIMEOUT_MS, ret, e);
}

char *client_escape(char *buf, size_t size, const char *word)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	size_t used = 0;

	for (; *word && used + 4 <= size; word++) {
		if (strchr(plain, *word))
			buf[used++] = *word;
		else
			used += (size_t)snprintf(buf + used, size - used, "%%%02X",
						 (unsigned char)*word);
	}
	if (size)
		buf[used] = '\0';
	return buf;
}

int client_failed(int r, const struct err *e)
{
	(void)cmd_failed(e->text);
	return r == -ENOTCONN ? EXIT_NO_AGENT : r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}
