// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * calendars.c - reads the policies' calendars when they change, and as time goes on, in a process
 * of its own: they may take long, and the tick and the guard wait for nothing. Its answer is a row
 * and the events for each service that has calendars, then a last row and what went wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>

#include "agent/log.h"
#include "agent/worker/worker.h"
#include "policies/child.h"

#define LOOK_TICKS   10   /* whether they changed */
#define REREAD_TICKS 3600 /* a policy holds the next events alone */
#define TIME_TICKS   60   /* a process may take */
#define CHUNK        65536
#define ANSWER_MAX   (64u << 20)
#define LAST         UINT32_MAX
#define UNREAD       1 /* no stamp but this: looked at again soon */

struct row {
	uint32_t service; /* index, or LAST */
	uint32_t n;       /* events that follow, or bytes of text */
};

static bool answer_service(int fd, const struct policy_service *s, size_t i)
{
	const struct row row = {(uint32_t)i, (uint32_t)(s->n_events - s->n_own_events)};

	return s->n_calendars == 0 ||
	       (child_write(fd, &row, sizeof(row)) &&
		child_write(fd, s->events + s->n_own_events, row.n * sizeof(*s->events)));
}

/* In the process: the policies it reads into are a copy. */
__attribute__((noreturn)) static void answer(pid_t parent, struct agent *a, int fd)
{
	int keep[] = {fd, a->policies_fd};
	struct policy_errors errors = {};
	struct row last = {LAST, 0};
	char text[1024] = "";
	bool ok = true;

	child_alone(parent, keep, ARRAY_SIZE(keep), TIME_TICKS);
	if (policy_calendars_reread(a->set, keep[1], &errors) < 0)
		(void)policy_errors_first(&errors, text, sizeof(text));
	last.n = (uint32_t)strlen(text);
	for (size_t i = 0; i < a->set->n_services && ok; i++)
		ok = answer_service(keep[0], &a->set->services[i], i);
	if (ok && child_write(keep[0], &last, sizeof(last)))
		(void)child_write(keep[0], text, last.n);
	_exit(0);
}

static bool is_event(struct policy_event *v)
{
	v->name[sizeof(v->name) - 1] = '\0';
	return *v->name && v->lasts_ns > 0 && (isnan(v->multiplier) || v->multiplier >= 0);
}

/* Takes @row, of which @left bytes follow at @at. Returns how many it has, or -EBADMSG. */
static ssize_t take_row(struct agent *a, const struct row *row, const char *at, size_t left)
{
	struct policy_event list[POLICY_MAX_EVENTS];
	size_t size = row->n * sizeof(*list);

	if (row->service >= a->set->n_services || row->n > POLICY_MAX_EVENTS || size > left)
		return -EBADMSG;
	memcpy(list, at, size);
	for (size_t i = 0; i < row->n; i++)
		if (!is_event(&list[i]))
			return -EBADMSG;
	if (policy_calendars_replace(&a->set->services[row->service], list, row->n) < 0)
		return -EBADMSG;
	return (ssize_t)size;
}

static void say(struct agent *a, const char *text)
{
	log_warning("calendars: %s; the events known so far stay", text);
	record_event(a, "error", NULL, "calendars: %s", text);
}

/* Takes the whole answer: what came before something unsound in it counts. */
static void take(struct agent *a)
{
	const char *at = a->calendars.answer, *end = at + a->calendars.n;
	char text[1024];
	struct row row;

	while ((size_t)(end - at) >= sizeof(row)) {
		ssize_t size;

		memcpy(&row, at, sizeof(row));
		at += sizeof(row);
		if (row.service == LAST && row.n == (size_t)(end - at) && row.n < sizeof(text)) {
			memcpy(text, at, row.n);
			text[row.n] = '\0';
			if (row.n > 0)
				say(a, text);
			return;
		}
		size = take_row(a, &row, at, (size_t)(end - at));
		if (size < 0)
			break;
		at += size;
	}
	say(a, "the process that reads them failed");
}

void calendars_stop(struct agent *a)
{
	if (a->calendars.child > 0) {
		(void)kill(a->calendars.child, SIGKILL);
		while (waitpid(a->calendars.child, NULL, 0) < 0 && errno == EINTR)
			;
		sd_event_source_unref(a->calendars.source);
		closep(&a->calendars.fd);
		free(a->calendars.answer);
	}
	memset(&a->calendars, 0, sizeof(a->calendars));
}

/* The process has said all. */
static void end(struct agent *a)
{
	uint64_t stamp = a->calendars.stamp, tick = a->calendars.tick;

	take(a);
	calendars_stop(a);
	a->calendars.stamp = stamp;
	a->calendars.tick = tick;
	events_renew(a);
}

static int readable(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct agent *a = arg;
	ssize_t n;

	(void)source;
	(void)events;
	if (a->calendars.room - a->calendars.n < CHUNK) {
		size_t room = a->calendars.room + CHUNK + a->calendars.room / 2;
		char *more = room <= ANSWER_MAX ? realloc(a->calendars.answer, room) : NULL;

		if (!more) {
			end(a);
			return 0;
		}
		a->calendars.answer = more;
		a->calendars.room = room;
	}
	n = read(fd, a->calendars.answer + a->calendars.n, CHUNK);
	if (n > 0)
		a->calendars.n += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		end(a);
	return 0;
}

static int start(struct agent *a)
{
	_cleanup_(closep) int from = -1, to = -1;
	pid_t self = getpid();
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	from = ends[0];
	to = ends[1];
	if (fcntl(from, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = sd_event_add_io(a->loop, &a->calendars.source, from, EPOLLIN, readable, a);
	if (r < 0)
		return r;
	a->calendars.child = fork();
	if (a->calendars.child == 0)
		answer(self, a, to);
	if (a->calendars.child < 0) {
		r = -errno;
		a->calendars.child = 0;
		a->calendars.source = sd_event_source_unref(a->calendars.source);
		return r;
	}
	a->calendars.fd = take_fd(from);
	return 0;
}

void calendars_watch(struct agent *a)
{
	uint64_t stamp, age = a->n_ticks - a->calendars.tick;
	int r;

	if (!a->set || !a->controller || a->policies_fd < 0)
		return;
	if (a->calendars.child > 0) {
		if (age >= TIME_TICKS)
			end(a);
		return;
	}
	if (a->calendars.stamp != 0 && a->n_ticks % LOOK_TICKS != 0)
		return;
	stamp = policy_calendars_stamp(a->set, a->policies_fd);
	if (stamp == 0 || (stamp == a->calendars.stamp && age < REREAD_TICKS))
		return;
	a->calendars.stamp = stamp;
	a->calendars.tick = a->n_ticks;
	r = start(a);
	if (r < 0) {
		a->calendars.stamp = UNREAD;
		say(a, strerror(-r));
	}
}
