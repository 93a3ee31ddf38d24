// SPDX-License-Identifier: GPL-2.0-or-later
/* calendars.c - the calendar files that policies name, as events of the services. */
#include "policies/calendars.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
	struct err e = {};

	beside(path, sizeof(path), in->at, name);
	beside(shown, sizeof(shown), in->name, name);
	fd = policy_files_open(&file, in->dir_fd, path, in->strict);
	if (fd < 0 || calendar_read(fd, name, &conf, &read, &e) < 0) {
		findings_error(c->f, c->line, c->column, "%s",
			       fd < 0 ? "the calendar cannot be used" : e.text);
		return -EINVAL;
	}
	if (calendar_merge(all, &read) < 0) {
		findings_error(c->f, c->line, c->column, "%s", strerror(ENOMEM));
		return -EINVAL;
	}
	return 0;
}

int policy_calendars_replace(struct policy_service *s, const struct policy_event *list, size_t n)
{
	struct policy_event *all;

	n = MIN(n, POLICY_MAX_EVENTS - s->n_own_events);
	all = calloc(MAX(s->n_own_events + n, 1), sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_own_events; i++)
		all[i] = s->events[i];
	for (size_t i = 0; i < n; i++) {
		all[s->n_own_events + i] = list[i];
		all[s->n_own_events + i].at = s->at;
	}
	free(s->events);
	s->events = all;
	s->n_events = s->n_own_events + n;
	return 0;
}

int policy_calendars_hand_on(const struct policy_set *from, struct policy_set *to)
{
	int err = 0;

	for (size_t i = 0; i < to->n_services && err == 0; i++) {
		struct policy_service *s = &to->services[i];

		for (size_t k = 0; k < from->n_services; k++) {
			const struct policy_service *old = &from->services[k];

			if (s->n_calendars > 0 && streq(s->name, old->name) &&
			    s->n_calendars == old->n_calendars &&
			    memcmp(s->calendars, old->calendars, sizeof(s->calendars)) == 0)
				err = policy_calendars_replace(s, old->events + old->n_own_events,
							       old->n_events - old->n_own_events);
		}
	}
	return err;
}

/* As policy_calendars_replace by the first ones of @all. */
static int replace(struct policy_service *s, const struct calendar *all)
{
	struct policy_event list[POLICY_MAX_EVENTS] = {};
	size_t n = MIN(all->n, POLICY_MAX_EVENTS);

	for (size_t i = 0; i < n; i++) {
		const struct calendar_event *from = &all->list[i];

		(void)copy_str(list[i].name, sizeof(list[i].name), from->name);
		list[i].starts_real_ns = from->starts_real_ns;
		list[i].lasts_ns = (uint64_t)from->ends_real_ns - (uint64_t)from->starts_real_ns;
		list[i].multiplier = from->multiplier;
	}
	return policy_calendars_replace(s, list, n);
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
	return replace(s, &all);
}

void calendars_read(struct schema_reader *r, const struct yamltree_node *list,
		    struct policy_service *s)
{
	s->n_own_events = s->n_events;
	if (s->n_calendars == 0 || r->in->calendars_later)
		return;
	if (!r->in->at)
		findings_error(r->f, list->line, list->column,
			       "calendars lie beside a policy file, and this is none");
	else if (read_all(r->in, s, r->now_real_ns, r->f, list->first) == -ENOMEM)
		findings_error(r->f, list->line, list->column, "%s", strerror(ENOMEM));
}

static size_t count(const struct policy_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_services; i++)
		n += set->services[i].n_calendars;
	return n;
}

/* Whether @dir_fd, which the policies of @set lie in, is still root's alone: 0 or -EINVAL. */
static int check_dir(const struct policy_set *set, int dir_fd, struct policy_errors *errors)
{
	const char *file = set->services[0].at.file, *slash = strrchr(file, '/');
	char dir[POLICY_PATH_MAX];
	struct findings f = {.to = errors, .file = dir};

	(void)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - file) : 1,
		       slash ? file : ".");
	return policy_files_check_dir(&f, dir_fd, true);
}

int policy_calendars_reread(struct policy_set *set, int dir_fd, struct policy_errors *errors)
{
	int err = 0;

	if (count(set) > 0 && check_dir(set, dir_fd, errors) < 0)
		return -EINVAL;
	for (size_t i = 0; i < set->n_services; i++) {
		struct policy_service *s = &set->services[i];
		struct findings f = {.to = errors, .file = s->at.file};
		struct policy_input in = {
			.name = s->at.file, .strict = true, .dir_fd = dir_fd, .at = ""};
		int r;

		if (s->n_calendars == 0)
			continue;
		r = read_all(&in, s, policy_now(), &f, NULL);
		if (r == -ENOMEM)
			findings_error(&f, 0, 0, "%s", strerror(ENOMEM));
		if (r < 0)
			err = -EINVAL;
	}
	return err;
}

uint64_t policy_calendars_stamp(const struct policy_set *set, int dir_fd)
{
	uint64_t stamp = 0;
	struct stat dir = {};

	if (count(set) == 0)
		return 0;
	if (fstat(dir_fd, &dir) == 0)
		stamp = (uint64_t)dir.st_uid << 16 | dir.st_mode;
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
