// SPDX-License-Identifier: GPL-2.0-or-later
/* calendar.c - files of events: what CSV and iCalendar have in common. */
#include "policies/calendar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "policies/calendar_private.h"

#define DATE_LENGTH 10 /* of 2027-03-20 */
#define TIME_LENGTH 16 /* of 2027-03-20T08:00 */
#define TEXT_MAX    40
#define ICALENDAR   "BEGIN:VCALENDAR"

void calendar_free(struct calendar *c)
{
	free(c->list);
	*c = (struct calendar){};
}

int calendar_add(struct calendar_file *f, const struct calendar_event *event)
{
	struct calendar *c = f->to;

	if (event->ends_real_ns <= event->starts_real_ns)
		return err_say(f->e, -EINVAL, "%s:%u: the event '%s' ends before it starts",
			       f->name, event->line, event->name);
	if (event->ends_real_ns <= f->conf->from_real_ns ||
	    event->starts_real_ns >= f->conf->to_real_ns)
		return 0;
	if (c->n == CALENDAR_MAX_EVENTS)
		return err_say(f->e, -E2BIG, "%s:%u: more than %d events", f->name, event->line,
			       CALENDAR_MAX_EVENTS);
	if (c->n == c->room) {
		size_t room = MAX(2 * c->room, 64);
		struct calendar_event *list = reallocarray(c->list, room, sizeof(*list));

		if (!list)
			return err_set(f->e, -ENOMEM, "read %s", f->name);
		c->list = list;
		c->room = room;
	}
	c->list[c->n++] = *event;
	return 0;
}

static bool has_zone(const char *text, size_t length)
{
	return text[length - 1] == 'Z' || strpbrk(text + TIME_LENGTH, "+-");
}

int calendar_time(const struct calendar_file *f, const char *text, int64_t *ret, bool *ret_date)
{
	size_t length = strlen(text);
	bool date = length == DATE_LENGTH;
	char full[TEXT_MAX + sizeof("T00:00Z")];
	int64_t at;

	if (!date && (length < TIME_LENGTH || length > TEXT_MAX))
		return -EINVAL;
	if (text[4] != '-')
		return -EINVAL;
	(void)snprintf(full, sizeof(full), "%s%s%s", text, date ? "T00:00" : "",
		       f->conf->utc && (date || !has_zone(text, length)) ? "Z" : "");
	if (parse_time_ns(full, &at) < 0)
		return -EINVAL;
	*ret = at;
	*ret_date = date;
	return 0;
}

int calendar_day_end(const struct calendar_file *f, const char *text, int64_t *ret)
{
	char next[TEXT_MAX];
	bool date;
	int64_t at;
	time_t day;
	struct tm tm;

	(void)snprintf(next, sizeof(next), "%.*sT00:00Z", DATE_LENGTH, text);
	if (parse_time_ns(next, &at) < 0)
		return -EINVAL;
	day = (time_t)(at / (int64_t)NS_PER_S) + (time_t)S_PER_DAY;
	if (!gmtime_r(&day, &tm) || strftime(next, sizeof(next), "%Y-%m-%d", &tm) == 0)
		return -EINVAL;
	return calendar_time(f, next, ret, &date);
}

void calendar_name(char *to, const char *text)
{
	size_t n = strlen(text);

	n = MIN(n, CALENDAR_NAME_MAX - 1);
	while (n > 0 && (text[n] & 0xc0) == 0x80)
		n--; /* no part of a UTF-8 character */
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
	while (n > 0 && to[n - 1] == ' ')
		n--;
	to[n] = '\0';
}

static int by_start(const void *a, const void *b)
{
	const struct calendar_event *x = a, *y = b;

	if (x->starts_real_ns != y->starts_real_ns)
		return x->starts_real_ns < y->starts_real_ns ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static void sort(struct calendar *c)
{
	if (c->n > 0)
		qsort(c->list, c->n, sizeof(*c->list), by_start);
}

int calendar_merge(struct calendar *to, const struct calendar *from)
{
	struct calendar_event *list;

	if (from->n == 0)
		return 0;
	list = reallocarray(to->list, to->n + from->n, sizeof(*list));
	if (!list)
		return -ENOMEM;
	memcpy(list + to->n, from->list, from->n * sizeof(*list));
	to->list = list;
	to->n = to->room = to->n + from->n;
	sort(to);
	return 0;
}

/* Where a text begins, after the mark that some programs write. */
static const char *beginning(const char *text)
{
	return strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
}

static bool is_icalendar(const char *text)
{
	text = beginning(text);
	return strncasecmp(text + strspn(text, " \t\r\n"), ICALENDAR, strlen(ICALENDAR)) == 0;
}

int calendar_parse(const char *name, const char *text, size_t size,
		   const struct calendar_conf *conf, struct calendar *ret, struct err *e)
{
	_cleanup_(calendar_free) struct calendar all = {};
	struct calendar_file f = {.name = name, .conf = conf, .to = &all, .e = e};
	const char *zero = memchr(text, '\0', size);
	uint32_t line = 1;
	int r;

	for (const char *p = text; zero && p < zero; p++)
		line += *p == '\n';
	if (zero)
		return err_say(e, -EINVAL, "%s:%u: a zero byte: not a text file", name, line);
	f.text = beginning(text);
	r = is_icalendar(text) ? calendar_ics(&f) : calendar_csv(&f);
	if (r < 0)
		return r;
	sort(&all);
	*ret = all;
	all = (struct calendar){};
	return 0;
}

int calendar_read(int fd, const char *name, const struct calendar_conf *conf, struct calendar *ret,
		  struct err *e)
{
	_cleanup_(freep) char *text = malloc(CALENDAR_MAX_BYTES + 2);
	size_t n = 0;

	if (!text)
		return err_set(e, -ENOMEM, "read %s", name);
	while (n <= CALENDAR_MAX_BYTES) {
		ssize_t got = pread(fd, text + n, CALENDAR_MAX_BYTES + 1 - n, (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(e, -errno, "read %s", name);
		if (got == 0)
			break;
		n += (size_t)got;
	}
	if (n > CALENDAR_MAX_BYTES)
		return err_say(e, -E2BIG, "%s is larger than 1 MiB", name);
	text[n] = '\0';
	return (is_icalendar(text) ? calendar_apart : calendar_parse)(name, text, n, conf, ret, e);
}
