/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calendar_private.h - what the readers of calendar files share. */
#ifndef FORESHAPE_CALENDAR_PRIVATE_H
#define FORESHAPE_CALENDAR_PRIVATE_H

#include "policies/calendar.h"

/* A file being read. */
struct calendar_file {
	const char *name, *text;
	const struct calendar_conf *conf;
	struct calendar *to;
	struct err *e;
};

/*
 * Adds @event where it touches the time asked for. Returns 0, -EINVAL where it ends before it
 * starts, -E2BIG, -ENOMEM.
 */
int calendar_add(struct calendar_file *f, const struct calendar_event *event);

/*
 * Reads @text, "2027-03-20" (*ret_date set) or "2027-03-20T08:00[:00][Z|+hh:mm]". Returns 0 or
 * -EINVAL.
 */
int calendar_time(const struct calendar_file *f, const char *text, int64_t *ret, bool *ret_date);

/* Where day @text (a date) is over. Returns 0 or -EINVAL. */
int calendar_day_end(const struct calendar_file *f, const char *text, int64_t *ret);

/* Sets @to, of CALENDAR_NAME_MAX bytes, to @text: control characters are blanks, none at the end.
 */
void calendar_name(char *to, const char *text);

/* As calendar_parse, in a process of its own; -EIO as well, where that dies or takes too long. */
int calendar_apart(const char *name, const char *text, size_t size,
		   const struct calendar_conf *conf, struct calendar *ret, struct err *e);

int calendar_csv(struct calendar_file *f);
int calendar_ics(struct calendar_file *f);

#endif
