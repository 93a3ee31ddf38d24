/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calendar.h - files of events: holidays as CSV, and iCalendar. */
#ifndef FORESHAPE_CALENDAR_H
#define FORESHAPE_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

#define CALENDAR_NAME_MAX   64
#define CALENDAR_MAX_EVENTS 20000     /* of a file, within the time asked for */
#define CALENDAR_MAX_BYTES  (1 << 20) /* of a file */

struct calendar_event {
	char name[CALENDAR_NAME_MAX]; /* longer ones are cut */
	int64_t starts_real_ns, ends_real_ns;
	double multiplier; /* NAN: to be learned */
	uint32_t line;
};

struct calendar {
	struct calendar_event *list; /* owned; sorted by start */
	size_t n, room;
};

/* What is asked of a file: the events that touch [from, to). */
struct calendar_conf {
	int64_t from_real_ns, to_real_ns;
	bool utc; /* dates and times without a zone are UTC; else the host's zone */
};

/*
 * Reads the @size bytes at @text (one more is '\0') of file @name: iCalendar where they start with
 * BEGIN:VCALENDAR, else lines of "date,name[,end[,multiplier]]" with ISO-8601 dates or times. A
 * date stands for the whole day, an end date for its last moment; without an end it is one day, a
 * time one hour. Returns 0 and *ret (calendar_free), or with "NAME:LINE: ..." in @e and nothing
 * else: -EINVAL, -E2BIG beyond the bounds, -ENOMEM, -ELIBACC where iCalendar can't be read on this
 * host.
 */
int calendar_parse(const char *name, const char *text, size_t size,
		   const struct calendar_conf *conf, struct calendar *ret, struct err *e);

/*
 * The same for the file open as @fd, read from its start; iCalendar in a process of its own. Other
 * errors are those of pread, pipe2 and fork, and -EIO where that process died.
 */
int calendar_read(int fd, const char *name, const struct calendar_conf *conf, struct calendar *ret,
		  struct err *e);

/* Puts the events of @from among those of @to. Returns 0 or -ENOMEM. */
int calendar_merge(struct calendar *to, const struct calendar *from);

void calendar_free(struct calendar *c);

#endif
