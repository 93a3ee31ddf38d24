// SPDX-License-Identifier: GPL-2.0-or-later
/* calendars.c - the calendar files that policies name, as events of the services. */
#include "policies/calendars.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "policies/calendar.h"
#include "policies/files.h"

#define AHEAD_NS                                                                                   \
	(INT64_C(400) * (int64_t)(S_PER_DAY * NS_PER_S)) /* how far events are looked for */

/* Where the findings about one calendar go. */
struct complaint {
	struct findings *f;
	uint32_t line, column;
};

/* File @name in the directory of @path. */
static void beside(char *to, size_t size, const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	(void)snprintf(to, size, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name);
}

/* Adds the events of calendar @name from @now_real_ns on to *@all. Returns 0 or -EINVAL. */
static int read_one(const struct policy_input *in, const char *name, int64_t now_real_ns,
		    const struct complaint *c, struct calendar *all)
{
	_cleanup_(calendar_free) struct calendar read = {};
	const struct calendar_conf conf = {now_real_ns, now_real_ns + AHEAD_NS, false};
	char path[POLICY_PATH_MAX + POLICY_NAME_MAX], shown[POLICY_PATH_MAX + POLICY_NAME_MAX];
	struct findings file = {.to = c->f->to, .file = shown};
	_cleanup_(closep) int fd = -1;
	struct calendar_event *list;
	struct err e = {};

	beside(path, sizeof(path), in->at, name);
	beside(shown, sizeof(shown), in->name, name);
	fd = policy_files_open(&file, in->dir_fd, path, in->strict);
	if (fd < 0 || calendar_read(fd, name, &conf, &read, &e) < 0) {
		findings_error(c->f, c->line, c->column, "%s",
			       fd < 0 ? "the calendar cannot be used" : e.text);
		return -EINVAL;
	}
	if (read.n == 0)
		return 0;
	list = reallocarray(all->list, all->n + read.n, sizeof(*list));
	if (!list) {
		findings_error(c->f, c->line, c->column, "%s", strerror(ENOMEM));
		return -EINVAL;
	}
	all->list = list;
	memcpy(list + all->n, read.list, read.n * sizeof(*list));
	all->n += read.n;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct calendar_event *x = a, *y = b;

	return x->starts_real_ns < y->starts_real_ns ? -1 : x->starts_real_ns > y->starts_real_ns;
}

/* Replaces the events of @s that are not its own by the first ones of @all. Returns 0 or -ENOMEM.
 */
static int replace(struct policy_service *s, const struct calendar *all)
{
	size_t n = all->list ? MIN(all->n, POLICY_MAX_EVENTS - s->n_own_events) : 0;
	struct policy_event *list;

	list = calloc(MAX(s->n_own_events + n, 1), sizeof(*list));
	if (!list)
		return -ENOMEM;
	if (s->n_own_events > 0)
		memcpy(list, s->events, s->n_own_events * sizeof(*list));
	for (size_t i = 0; i < n; i++) {
		const struct calendar_event *from = &all->list[i];
		struct policy_event *to = &list[s->n_own_events + i];

		(void)copy_str(to->name, sizeof(to->name), from->name);
		to->starts_real_ns = from->starts_real_ns;
		to->lasts_ns = (uint64_t)from->ends_real_ns - (uint64_t)from->starts_real_ns;
		to->multiplier = from->multiplier;
		to->at = s->at;
	}
	free(s->events);
	s->events = list;
	s->n_events = s->n_own_events + n;
	return 0;
}

/* Reads all calendars of @s, at @item and what follows it or, where that is NULL, at no place. */
static int read_all(const struct policy_input *in, struct policy_service *s, int64_t now_real_ns,
		    struct findings *f, const struct yamltree_node *item)
{
	_cleanup_(calendar_free) struct calendar all = {};

	for (size_t i = 0; i < s->n_calendars; i++, item = item ? item->next : NULL) {
		struct complaint c = {f, item ? item->line : 0, item ? item->column : 0};
		int r = read_one(in, s->calendars[i], now_real_ns, &c, &all);

		if (r < 0)
			return r;
	}
	if (all.n > 0)
		qsort(all.list, all.n, sizeof(*all.list), by_start);
	return replace(s, &all);
}

void calendars_read(struct schema_reader *r, const struct yamltree_node *list,
		    struct policy_service *s)
{
	s->n_own_events = s->n_events;
	if (s->n_calendars == 0)
		return;
	if (!r->in->at)
		findings_error(r->f, list->line, list->column,
			       "calendars lie beside a policy file, and this is none");
	else if (read_all(r->in, s, r->now_real_ns, r->f, list->first) == -ENOMEM)
		findings_error(r->f, list->line, list->column, "%s", strerror(ENOMEM));
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * (int64_t)NS_PER_S + ts.tv_nsec;
}

int policy_calendars_reread(struct policy_set *set, int dir_fd, struct policy_errors *errors)
{
	int err = 0;

	for (size_t i = 0; i < set->n_services; i++) {
		struct policy_service *s = &set->services[i];
		struct findings f = {.to = errors, .file = s->at.file};
		struct policy_input in = {
			.name = s->at.file, .strict = true, .dir_fd = dir_fd, .at = ""};

		if (s->n_calendars == 0)
			continue;
		if (read_all(&in, s, now(), &f, NULL) < 0)
			err = -EINVAL;
	}
	return err;
}

uint64_t policy_calendars_stamp(const struct policy_set *set, int dir_fd)
{
	uint64_t stamp = 0;

	for (size_t i = 0; i < set->n_services; i++) {
		const struct policy_service *s = &set->services[i];

		for (size_t k = 0; k < s->n_calendars; k++) {
			struct stat st = {};

			(void)fstatat(dir_fd, s->calendars[k], &st, AT_SYMLINK_NOFOLLOW);
			stamp = stamp * 31 + 1 + (uint64_t)st.st_ino + (uint64_t)st.st_size;
			stamp = stamp * 31 + (uint64_t)st.st_ctim.tv_sec * NS_PER_S +
				(uint64_t)st.st_ctim.tv_nsec;
		}
	}
	return stamp;
}
