// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * calendar_apart.c - reads a calendar in a process of its own: what libical loads, 6 MB, goes with
 * it, and a file it cannot bear ends no agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "policies/calendar_private.h"
#include "policies/child.h"

#define TIME_S 20 /* it may take, of CPU and by the clock */

/* What the process answers; the events follow. */
struct answer {
	int r;
	size_t n;
	struct err e;
};

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

__attribute__((noreturn)) static void answer(pid_t parent, int fd, const char *name,
					     const char *text, size_t size,
					     const struct calendar_conf *conf)
{
	struct calendar c = {};
	struct answer a = {};

	child_alone(parent, &fd, 1, TIME_S);
	(void)alarm(TIME_S);
	a.r = calendar_parse(name, text, size, conf, &c, &a.e);
	a.n = c.n;
	if (child_write(fd, &a, sizeof(a)))
		(void)child_write(fd, c.list, c.n * sizeof(*c.list));
	_exit(0);
}

/* The process may have gone wrong: what it says is looked at as what a file says. */
static bool is_sound(struct calendar *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct calendar_event *v = &c->list[i];

		v->name[sizeof(v->name) - 1] = '\0';
		if (v->ends_real_ns <= v->starts_real_ns || !isnan(v->multiplier))
			return false;
	}
	return true;
}

static int take(int fd, const char *name, struct calendar *ret, struct err *e)
{
	_cleanup_(calendar_free) struct calendar c = {};
	struct answer a = {};

	if (!read_all(fd, &a, sizeof(a)) || a.n > CALENDAR_MAX_EVENTS)
		return err_say(e, -EIO, "%s cannot be read: libical failed", name);
	a.e.text[sizeof(a.e.text) - 1] = '\0';
	if (a.r < 0)
		return err_say(e, a.r, "%s", a.e.text);
	c.list = calloc(a.n + 1, sizeof(*c.list));
	if (!c.list)
		return err_set(e, -ENOMEM, "read %s", name);
	c.n = c.room = a.n;
	if (!read_all(fd, c.list, a.n * sizeof(*c.list)) || !is_sound(&c))
		return err_say(e, -EIO, "%s cannot be read: libical failed", name);
	*ret = c;
	c = (struct calendar){};
	return 0;
}

int calendar_apart(const char *name, const char *text, size_t size,
		   const struct calendar_conf *conf, struct calendar *ret, struct err *e)
{
	pid_t self = getpid(), child;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, -errno, "read %s", name);
	child = fork();
	if (child == 0)
		answer(self, ends[1], name, text, size, conf);
	r = child < 0 ? err_set(e, -errno, "read %s", name) : 0;
	(void)close(ends[1]);
	r = r < 0 ? r : take(ends[0], name, ret, e);
	(void)close(ends[0]);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
