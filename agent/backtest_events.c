// SPDX-License-Identifier: GPL-2.0-or-later
/* backtest_events.c - the events of a backtest: known in advance at every step. */
#include "agent/backtest_events.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"

static int open_regular(const char *path, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_set(e, -errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "open %s", path);
	if (S_ISDIR(st.st_mode))
		return err_set(e, -EISDIR, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_say(e, -EINVAL, "%s is no regular file", path);
	return take_fd(fd);
}

int backtest_events_read(struct backtest_events *events, const char *path,
			 const struct csv_series *s, size_t horizon, struct err *e)
{
	_cleanup_(calendar_free) struct calendar c = {};
	struct calendar_conf conf = {.utc = true};
	int64_t length = (int64_t)(s->n * s->step_ns);
	_cleanup_(closep) int fd = open_regular(path, e);
	int r;

	if (fd < 0)
		return fd;
	/* What was over before the first value may still be felt for as long as it lasted. */
	if (__builtin_sub_overflow(s->start_real_ns, length, &conf.from_real_ns))
		conf.from_real_ns = INT64_MIN;
	if (__builtin_add_overflow(s->start_real_ns + length, (int64_t)(horizon * s->step_ns),
				   &conf.to_real_ns))
		conf.to_real_ns = INT64_MAX;
	r = calendar_read(fd, path, &conf, &c, e);
	if (r < 0)
		return r;
	if (calendar_merge(&events->known, &c) < 0)
		return err_set(e, -ENOMEM, "read %s", path);
	return 0;
}

void backtest_events_free(struct backtest_events *events)
{
	calendar_free(&events->known);
	*events = (struct backtest_events){};
}

/* The step that holds @at_ns, counted from the first value; @up: rounded up. */
static int64_t step_of(const struct csv_series *s, int64_t at_ns, bool up)
{
	int64_t step_ns = (int64_t)s->step_ns, ns = at_ns - s->start_real_ns, rest = ns % step_ns;

	return ns / step_ns + (up ? rest > 0 : -(rest < 0));
}

void backtest_events_tell(struct backtest_events *events, const struct csv_series *s, size_t index,
			  size_t horizon, struct series *to)
{
	for (; events->next < events->known.n; events->next++) {
		const struct calendar_event *v = &events->known.list[events->next];
		int64_t start = step_of(s, v->starts_real_ns, false) - (int64_t)index;
		int64_t end = step_of(s, v->ends_real_ns, true) - (int64_t)index;

		if (start > (int64_t)horizon + (end - start))
			break; /* not felt yet */
		if (series_event(to, series_event_id(v->name), start, (uint64_t)(end - start),
				 v->multiplier) == -ENOSPC)
			break;
	}
}

int backtest_events_effects(const struct backtest_events *events, const struct series *from,
			    struct backtest_effect **ret)
{
	struct backtest_effect *list = calloc(MAX(events->known.n, 1), sizeof(*list));
	int n = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < events->known.n; i++) {
		const struct calendar_event *v = &events->known.list[i];
		int at = 0;

		while (at < n && !streq(list[at].name, v->name))
			at++;
		list[at].n_known++;
		if (at < n)
			continue;
		n++;
		list[at].name = v->name;
		list[at].stated = v->multiplier;
		list[at].learned = (struct series_effect){0, 1, 1, 1};
		(void)series_event_effect(from, series_event_id(v->name), &list[at].learned);
	}
	*ret = list;
	return n;
}
