// SPDX-License-Identifier: GPL-2.0-or-later
/* calendar_csv.c - holidays and other events, one a line: date,name[,end[,multiplier]]. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "policies/calendar_private.h"

#define MULTIPLIER_MAX 1000.0

enum field { DATE, NAME, END, MULTIPLIER, FIELDS };

static int bad(const struct calendar_file *f, uint32_t line, const char *what, const char *text)
{
	return err_say(f->e, -EINVAL, "%s:%u: %s '%.60s'", f->name, line, what, text);
}

/* Takes the field at *at: blanks around it go, quotes too ("" is one within). Moves *at to what
 * follows, NULL at the end of the line. Returns false where a quote is not closed. */
static bool take_field(char **at, char **ret)
{
	char *p = *at + strspn(*at, " \t"), *to = p, *end;

	*ret = p;
	if (*p != '"') {
		end = p + strcspn(p, ",");
		*at = *end ? end + 1 : NULL;
		while (end > p && strchr(" \t", end[-1]))
			end--;
		*end = '\0';
		return true;
	}
	for (p++; *p && (*p != '"' || p[1] == '"'); p++) {
		p += *p == '"';
		*to++ = *p;
	}
	if (*p != '"')
		return false;
	p += 1 + strspn(p + 1, " \t");
	if (*p && *p != ',')
		return false;
	*at = *p ? p + 1 : NULL;
	*to = '\0';
	return true;
}

/* Splits @line; fields that are not there are "". Returns how many there are, or -EINVAL. */
static int split(char *line, char *fields[FIELDS])
{
	static char none[] = "";
	int n = 0;

	for (int i = 0; i < FIELDS; i++)
		fields[i] = none;
	for (char *at = line; at; n++) {
		if (n == FIELDS || !take_field(&at, &fields[n]))
			return -EINVAL;
	}
	return n;
}

static int read_times(const struct calendar_file *f, char *fields[FIELDS],
		      struct calendar_event *ev)
{
	bool date, end_date;

	if (calendar_time(f, fields[DATE], &ev->starts_real_ns, &date) < 0)
		return bad(f, ev->line, "not a date (2027-03-20) or time:", fields[DATE]);
	if (!*fields[END]) {
		if (!date)
			ev->ends_real_ns = ev->starts_real_ns + (int64_t)(S_PER_H * NS_PER_S);
		else if (calendar_day_end(f, fields[DATE], &ev->ends_real_ns) < 0)
			return bad(f, ev->line, "no day follows", fields[DATE]);
		return 0;
	}
	if (calendar_time(f, fields[END], &ev->ends_real_ns, &end_date) < 0 ||
	    (end_date && calendar_day_end(f, fields[END], &ev->ends_real_ns) < 0))
		return bad(f, ev->line, "not a date (2027-03-20) or time:", fields[END]);
	return 0;
}

static int take_line(struct calendar_file *f, char *line, uint32_t number)
{
	struct calendar_event ev = {.multiplier = NAN, .line = number};
	char *fields[FIELDS];
	int n = split(line, fields);

	if (n < 0)
		return err_say(f->e, -EINVAL,
			       "%s:%u: not date,name,end,multiplier: too many fields, or a quote "
			       "is not closed",
			       f->name, number);
	if (number == 1 && !isdigit((unsigned char)*fields[DATE]))
		return 0; /* the header */
	calendar_name(ev.name, fields[NAME]);
	if (!*ev.name)
		return bad(f, number, "an event needs a name: date,name; this has only",
			   fields[DATE]);
	if (*fields[MULTIPLIER] && (parse_double(fields[MULTIPLIER], &ev.multiplier) < 0 ||
				    ev.multiplier < 0 || ev.multiplier > MULTIPLIER_MAX))
		return bad(f, number, "not a multiplier from 0 to 1000:", fields[MULTIPLIER]);
	n = read_times(f, fields, &ev);
	return n < 0 ? n : calendar_add(f, &ev);
}

int calendar_csv(struct calendar_file *f)
{
	_cleanup_(freep) char *copy = strdup(f->text);
	uint32_t number = 1;

	if (!copy)
		return err_set(f->e, -ENOMEM, "read %s", f->name);
	for (char *line = copy, *next; line; line = next, number++) {
		size_t n = strcspn(line, "\n");
		int r;

		next = line[n] ? line + n + 1 : NULL;
		line[n] = '\0';
		if (n > 0 && line[n - 1] == '\r')
			line[n - 1] = '\0';
		if (line[strspn(line, " \t")] == '\0' || *line == '#')
			continue;
		r = take_line(f, line, number);
		if (r < 0)
			return r;
	}
	return 0;
}
