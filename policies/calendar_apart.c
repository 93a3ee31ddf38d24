// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * calendar_apart.c - reads a calendar in a process of its own: what libical loads, 6 MB, goes with
 * it, and a file it cannot bear ends no agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "policies/calendar_private.h"

#define TIME_S 20 /* it may take */

/* What the process answers; the events follow. */
struct answer {
	int r;
	size_t n;
	struct err e;
};

static bool write_all(int fd, const void *from, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, from, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		from = (const char *)from + n;
		size -= (size_t)n;
	}
	return true;
}

static bool read_all(int fd, void *to, size_t size)
{
	while (size > 0) {
		ssize_t n = read(fd, to, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to = (char *)to + n;
		size -= (size_t)n;
	}
	return true;
}

__attribute__((noreturn)) static void answer(int fd, const char *name, const char *text,
					     size_t size, const struct calendar_conf *conf)
{
	struct calendar c = {};
	struct answer a = {};
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(TIME_S);
	a.r = calendar_parse(name, text, size, conf, &c, &a.e);
	a.n = c.n;
	if (write_all(fd, &a, sizeof(a)))
		(void)write_all(fd, c.list, c.n * sizeof(*c.list));
	_exit(0);
}

static int take(int fd, const char *name, struct calendar *ret, struct err *e)
{
	_cleanup_(calendar_free) struct calendar c = {};
	struct answer a = {};

	if (!read_all(fd, &a, sizeof(a)) || a.n > CALENDAR_MAX_EVENTS)
		return err_say(e, -EIO, "%s cannot be read: libical failed", name);
	if (a.r < 0)
		return err_say(e, a.r, "%s", a.e.text);
	c.list = calloc(a.n + 1, sizeof(*c.list));
	if (!c.list)
		return err_set(e, -ENOMEM, "read %s", name);
	if (!read_all(fd, c.list, a.n * sizeof(*c.list)))
		return err_say(e, -EIO, "%s cannot be read: libical failed", name);
	*ret = (struct calendar){.list = take_ptr(c.list), .n = a.n, .room = a.n};
	return 0;
}

int calendar_apart(const char *name, const char *text, size_t size,
		   const struct calendar_conf *conf, struct calendar *ret, struct err *e)
{
	int ends[2], r;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, -errno, "read %s", name);
	child = fork();
	if (child == 0)
		answer(ends[1], name, text, size, conf);
	(void)close(ends[1]);
	r = child < 0 ? err_set(e, -EAGAIN, "read %s", name) : take(ends[0], name, ret, e);
	(void)close(ends[0]);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
