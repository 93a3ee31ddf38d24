// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * calendar_ics.c - iCalendar (RFC 5545), which libical reads; what it passes over in silence is
 * found here, and the lines it does not tell.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "policies/calendar_private.h"
#include "policies/libical.h"

#define MAX_DEPTH       8       /* of components */
#define MAX_OCCURRENCES 1000000 /* of one event, those before the time asked for too */
#define YEAR_MIN        1970
#define YEAR_MAX        2200
#define LONGEST_S       INT64_C(6311520000) /* 200 years */
#define NAME_MAX_LENGTH 32                  /* of a component */

/* One occurrence of a repeated event that stands for itself. */
struct moved {
	const char *uid;
	time_t at;
};

struct reader {
	struct calendar_file *f;
	struct libical lib;
	icalcomponent *root;
	uint32_t *lines; /* of each BEGIN:VEVENT */
	size_t n_lines, at;
	struct moved *moved;
	size_t n_moved;
};

static void reader_close(struct reader *r)
{
	free(r->lines);
	free(r->moved);
	if (r->root)
		r->lib.icalcomponent_free(r->root);
	libical_close(&r->lib);
}

static int bad(const struct reader *r, uint32_t line, const char *what)
{
	return err_say(r->f->e, -EINVAL, "%s:%u: %s", r->f->name, line, what);
}

/* The components that are open while lines are looked at. */
struct nesting {
	char names[MAX_DEPTH][NAME_MAX_LENGTH];
	int depth;
};

static int add_line(struct reader *r, uint32_t line)
{
	uint32_t *lines = r->lines;

	if ((r->n_lines & (r->n_lines - 1)) == 0)
		lines = reallocarray(r->lines, MAX(2 * r->n_lines, 16), sizeof(*lines));
	if (!lines)
		return err_set(r->f->e, -ENOMEM, "read %s", r->f->name);
	r->lines = lines;
	r->lines[r->n_lines++] = line;
	return 0;
}

static int open_component(struct reader *r, struct nesting *n, const char *name, size_t length,
			  uint32_t line)
{
	if (n->depth == MAX_DEPTH || length >= NAME_MAX_LENGTH)
		return bad(r, line, "components lie too deep, or one's name is too long");
	memcpy(n->names[n->depth], name, length);
	n->names[n->depth][length] = '\0';
	if ((n->depth == 0) != (strcasecmp(n->names[n->depth], "VCALENDAR") == 0))
		return bad(r, line, "a calendar starts with BEGIN:VCALENDAR and holds the rest");
	n->depth++;
	return strcasecmp(n->names[n->depth - 1], "VEVENT") == 0 ? add_line(r, line) : 0;
}

static int close_component(struct reader *r, struct nesting *n, const char *name, size_t length,
			   uint32_t line)
{
	const char *open = n->depth > 0 ? n->names[n->depth - 1] : "";

	if (strlen(open) != length || strncasecmp(open, name, length) != 0)
		return err_say(r->f->e, -EINVAL, "%s:%u: END:%.*s where %s%s is open", r->f->name,
			       line, (int)MIN(length, NAME_MAX_LENGTH), name,
			       *open ? "" : "nothing", open);
	n->depth--;
	return 0;
}

static int two_digits(const char *p)
{
	return 10 * (p[0] - '0') + p[1] - '0';
}

/* 19980602, or with T080000 and Z. libical would read some sense into others, and reads beyond its
 * tables for a month 60. */
static bool is_time(const char *p, size_t length)
{
	static const char form[] = "ddddddddTddddddZ";

	if (length != 8 && length != 15 && length != 16)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (form[i] == 'd' ? !isdigit((unsigned char)p[i]) : p[i] != form[i])
			return false;
	}
	if (two_digits(p + 4) < 1 || two_digits(p + 4) > 12 || two_digits(p + 6) < 1 ||
	    two_digits(p + 6) > 31)
		return false;
	return length == 8 ||
	       (two_digits(p + 9) < 24 && two_digits(p + 11) < 60 && two_digits(p + 13) <= 60);
}

/* Looks at the value of DTSTART or DTEND on the line at @p, where it does not go on on the next. */
static int look_at_time(struct reader *r, const char *p, size_t length, uint32_t line)
{
	const char *name = strncasecmp(p, "DTSTART", 7) == 0 ? "DTSTART"
			   : strncasecmp(p, "DTEND", 5) == 0 ? "DTEND"
							     : NULL;
	const char *value = memrchr(p, ':', length), *rest = p + length;

	rest += strspn(rest, " \t\r");
	if (!name || !value || (*rest == '\n' && (rest[1] == ' ' || rest[1] == '\t')) ||
	    is_time(value + 1, (size_t)(p + length - value) - 1))
		return 0;
	return err_say(r->f->e, -EINVAL,
		       "%s:%u: %s cannot be read: it is written like "
		       "20270320 or 20270320T080000Z",
		       r->f->name, line, name);
}

static int look_at(struct reader *r, struct nesting *n, const char *p, size_t length, uint32_t line)
{
	const size_t begin = strlen("BEGIN:"), end = strlen("END:");

	while (length > 0 && strchr(" \t\r", p[length - 1]))
		length--;
	if (length == 0 || *p == ' ' || *p == '\t')
		return 0; /* goes on with the line before */
	if (!memchr(p, ':', length))
		return err_say(r->f->e, -EINVAL, "%s:%u: not NAME:VALUE: '%.*s'", r->f->name, line,
			       (int)MIN(length, 40), p);
	if (length > begin && strncasecmp(p, "BEGIN:", begin) == 0)
		return open_component(r, n, p + begin, length - begin, line);
	if (length > end && strncasecmp(p, "END:", end) == 0)
		return close_component(r, n, p + end, length - end, line);
	if (n->depth == 0)
		return bad(r, line, "after END:VCALENDAR");
	return look_at_time(r, p, length, line);
}

/* Finds the events' lines, which libical does not tell, and what it would pass over. */
static int look_over(struct reader *r)
{
	struct nesting n = {};
	uint32_t line = 1;

	for (const char *p = r->f->text; *p; line++) {
		size_t length = strcspn(p, "\n");
		int err = look_at(r, &n, p, length, line);

		if (err < 0)
			return err;
		p += length + (p[length] == '\n');
	}
	if (n.depth > 0)
		return err_say(r->f->e, -EINVAL, "%s:%u: the end is missing: END:%s", r->f->name,
			       line, n.names[n.depth - 1]);
	return 0;
}

/* The line of @property in the event that begins on line @from; @from where it has none. */
static uint32_t line_of(const struct reader *r, uint32_t from, const char *property)
{
	const char *p = r->f->text;
	size_t length = strlen(property);

	for (uint32_t line = 1; p && *p; line++) {
		if (line > from && strncasecmp(p, property, length) == 0)
			return line;
		if (line > from && strncasecmp(p, "END:VEVENT", strlen("END:VEVENT")) == 0)
			return from;
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	return from;
}

/* What libical could not read, where it concerns when the event is. */
static int check(struct reader *r, icalcomponent *c, uint32_t line)
{
	static const char *const when[] = {"DTSTART", "DTEND",  "DURATION",     "RRULE",
					   "RDATE",   "EXDATE", "RECURRENCE-ID"};
	const struct libical *lib = &r->lib;

	for (icalproperty *p = lib->icalcomponent_get_first_property(c, ICAL_XLICERROR_PROPERTY); p;
	     p = lib->icalcomponent_get_next_property(c, ICAL_XLICERROR_PROPERTY)) {
		const char *text = lib->icalproperty_get_xlicerror(p);

		for (size_t i = 0; text && i < ARRAY_SIZE(when); i++) {
			if (strstr(text, when[i]))
				return err_say(r->f->e, -EINVAL, "%s:%u: %s cannot be read",
					       r->f->name, line_of(r, line, when[i]), when[i]);
		}
	}
	return 0;
}

/* Whether the time zone that @kind of @c names is known, where it names one. */
static int check_zone(struct reader *r, icalcomponent *c, icalproperty_kind kind,
		      struct icaltimetype t, uint32_t line)
{
	icalproperty *p = r->lib.icalcomponent_get_first_property(c, kind);
	const char *zone = p ? r->lib.icalproperty_get_parameter_as_string(p, "TZID") : NULL;

	if (!zone || t.zone || t.is_date)
		return 0;
	return err_say(r->f->e, -EINVAL, "%s:%u: unknown time zone '%.60s'", r->f->name,
		       line_of(r, line, kind == ICAL_DTSTART_PROPERTY ? "DTSTART" : "DTEND"), zone);
}

/* A time without a zone is one as in a CSV file. */
static int to_real_ns(const struct reader *r, struct icaltimetype t, int64_t *ret)
{
	char text[64];
	int64_t at;
	bool date;

	if (t.year < YEAR_MIN || t.year > YEAR_MAX)
		return -EINVAL;
	if (t.zone && !t.is_date) {
		if (__builtin_mul_overflow((int64_t)r->lib.icaltime_as_timet_with_zone(t, t.zone),
					   (int64_t)NS_PER_S, &at))
			return -EINVAL;
		*ret = at;
		return 0;
	}
	if (t.is_date)
		(void)snprintf(text, sizeof(text), "%04d-%02d-%02d", t.year, t.month, t.day);
	else
		(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d", t.year, t.month,
			       t.day, t.hour, t.minute, t.second);
	return calendar_time(r->f, text, ret, &date);
}

/* One event of the file, and how long it lasts each time. */
struct series {
	icalcomponent *c;
	struct icaltimetype start;
	int days;          /* whole ones */
	int64_t length_ns; /* where it has times */
	struct calendar_event event;
};

/* When @s at @t is. Returns false out of the years that are read, which nobody asks for. */
static bool when(const struct reader *r, const struct series *s, struct icaltimetype t,
		 int64_t *starts, int64_t *ends)
{
	if (to_real_ns(r, t, starts) < 0)
		return false;
	*ends = *starts + s->length_ns;
	if (s->days == 0)
		return true;
	r->lib.icaltime_adjust(&t, s->days, 0, 0, 0);
	return to_real_ns(r, t, ends) == 0;
}

static bool is_left_out(struct reader *r, const struct series *s, struct icaltimetype t)
{
	struct icaltimetype start = s->start;
	time_t at = r->lib.icaltime_as_timet_with_zone(t, t.zone);
	const char *uid = r->n_moved > 0 ? r->lib.icalcomponent_get_uid(s->c) : NULL;

	for (size_t i = 0; uid && i < r->n_moved; i++)
		if (r->moved[i].at == at && streq(uid, r->moved[i].uid))
			return true;
	return r->lib.icalproperty_recurrence_is_excluded(s->c, &start, &t);
}

/* Adds @s at @t, unless it is left out there: which takes longer to say than when it is. */
static int add_at(struct reader *r, const struct series *s, struct icaltimetype t, bool moved)
{
	struct calendar_event event = s->event;

	if (!when(r, s, t, &event.starts_real_ns, &event.ends_real_ns) ||
	    event.ends_real_ns <= r->f->conf->from_real_ns ||
	    event.starts_real_ns >= r->f->conf->to_real_ns || (!moved && is_left_out(r, s, t)))
		return 0;
	return calendar_add(r->f, &event);
}

/* Without an end, a date lasts a day and a time an hour. */
static int measure(struct reader *r, struct series *s)
{
	const struct libical *lib = &r->lib;
	struct icaltimetype end = lib->icalcomponent_get_dtend(s->c);
	int err = check_zone(r, s->c, ICAL_DTEND_PROPERTY, end, s->event.line);
	int64_t length_s;

	if (err < 0)
		return err;
	if (lib->icaltime_is_null_time(end))
		end = s->start;
	length_s = (int64_t)lib->icaltime_as_timet_with_zone(end, end.zone) -
		   (int64_t)lib->icaltime_as_timet_with_zone(s->start, s->start.zone);
	if (length_s < 0)
		return bad(r, line_of(r, s->event.line, "DTEND"),
			   "the event ends before it starts");
	if (length_s > LONGEST_S)
		return bad(r, s->event.line, "the event lasts longer than 200 years");
	if (s->start.is_date)
		s->days = MAX((int)(length_s / (int64_t)S_PER_DAY), 1);
	else
		s->length_ns = (length_s > 0 ? length_s : (int64_t)S_PER_H) * (int64_t)NS_PER_S;
	return 0;
}

/* Occurrences by rule @rule until the time asked for is over. */
static int repeat(struct reader *r, const struct series *s, icalproperty *rule)
{
	const struct libical *lib = &r->lib;
	icalrecur_iterator *i =
		lib->icalrecur_iterator_new(lib->icalproperty_get_rrule(rule), s->start);
	int n = 0, err = 0;

	if (!i)
		return bad(r, line_of(r, s->event.line, "RRULE"), "RRULE cannot be read");
	while (err == 0) {
		struct icaltimetype t = lib->icalrecur_iterator_next(i);
		int64_t starts = INT64_MIN, ends;

		if (lib->icaltime_is_null_time(t) || t.year > YEAR_MAX)
			break;
		if (when(r, s, t, &starts, &ends) && starts >= r->f->conf->to_real_ns)
			break;
		if (n++ == MAX_OCCURRENCES)
			err = bad(r, line_of(r, s->event.line, "RRULE"),
				  "the event comes more than 1000000 times");
		else
			err = add_at(r, s, t, false);
	}
	lib->icalrecur_iterator_free(i);
	return err;
}

static int add_dates(struct reader *r, const struct series *s)
{
	const struct libical *lib = &r->lib;
	int err = 0;

	for (icalproperty *p = lib->icalcomponent_get_first_property(s->c, ICAL_RDATE_PROPERTY);
	     p && err == 0; p = lib->icalcomponent_get_next_property(s->c, ICAL_RDATE_PROPERTY)) {
		struct icaltimetype t = lib->icalproperty_get_rdate(p).time;

		if (lib->icaltime_is_null_time(t))
			return bad(r, line_of(r, s->event.line, "RDATE"), "RDATE needs a time");
		t.zone = t.zone ? t.zone : s->start.zone;
		err = add_at(r, s, t, false);
	}
	return err;
}

static int read_event(struct reader *r, icalcomponent *c, uint32_t line)
{
	const struct libical *lib = &r->lib;
	struct series s = {.c = c, .event = {.multiplier = NAN, .line = line}};
	const char *name = lib->icalcomponent_get_summary(c);
	icalproperty *rule;
	int err = check(r, c, line);

	if (err < 0 || lib->icalcomponent_get_status(c) == ICAL_STATUS_CANCELLED)
		return err;
	calendar_name(s.event.name, name ? name : "");
	if (!*s.event.name)
		return bad(r, line, "an event needs a SUMMARY: its name");
	s.start = lib->icalcomponent_get_dtstart(c);
	if (lib->icaltime_is_null_time(s.start))
		return bad(r, line, "an event needs a DTSTART");
	err = check_zone(r, c, ICAL_DTSTART_PROPERTY, s.start, line);
	if (err == 0)
		err = measure(r, &s);
	if (err == 0 && !lib->icaltime_is_null_time(lib->icalcomponent_get_recurrenceid(c)))
		return add_at(r, &s, s.start, true);
	rule = lib->icalcomponent_get_first_property(c, ICAL_RRULE_PROPERTY);
	if (err == 0 && rule && lib->icalcomponent_get_next_property(c, ICAL_RRULE_PROPERTY))
		err = bad(r, line_of(r, line, "RRULE"), "more than one RRULE");
	if (err == 0)
		err = rule ? repeat(r, &s, rule) : add_at(r, &s, s.start, false);
	return err < 0 ? err : add_dates(r, &s);
}

/* Calls @take for each event. */
static int each(struct reader *r, int (*take)(struct reader *, icalcomponent *, uint32_t))
{
	const struct libical *lib = &r->lib;
	icalcomponent *calendar = r->root;
	bool one = lib->icalcomponent_isa(r->root) == ICAL_VCALENDAR_COMPONENT;
	int err = 0;

	r->at = 0;
	if (!one)
		calendar =
			lib->icalcomponent_get_first_component(r->root, ICAL_VCALENDAR_COMPONENT);
	while (calendar) {
		for (icalcomponent *c = lib->icalcomponent_get_first_component(
			     calendar, ICAL_VEVENT_COMPONENT);
		     c;
		     c = lib->icalcomponent_get_next_component(calendar, ICAL_VEVENT_COMPONENT)) {
			err = take(r, c, r->at < r->n_lines ? r->lines[r->at] : 0);
			r->at++;
			if (err < 0)
				return err;
		}
		calendar = one ? NULL
			       : lib->icalcomponent_get_next_component(r->root,
								       ICAL_VCALENDAR_COMPONENT);
	}
	return 0;
}

static int note_moved(struct reader *r, icalcomponent *c, uint32_t line)
{
	struct icaltimetype t = r->lib.icalcomponent_get_recurrenceid(c);
	const char *uid = r->lib.icalcomponent_get_uid(c);

	(void)line;
	if (uid && r->n_moved < r->n_lines && !r->lib.icaltime_is_null_time(t))
		r->moved[r->n_moved++] =
			(struct moved){uid, r->lib.icaltime_as_timet_with_zone(t, t.zone)};
	return 0;
}

int calendar_ics(struct calendar_file *f)
{
	_cleanup_(reader_close) struct reader r = {.f = f};
	int err = look_over(&r);

	if (err < 0)
		return err;
	err = libical_open(&r.lib, f->e);
	if (err < 0)
		return err;
	r.root = r.lib.icalparser_parse_string(f->text);
	r.moved = calloc(r.n_lines + 1, sizeof(*r.moved));
	if (!r.moved)
		return err_set(f->e, -ENOMEM, "read %s", f->name);
	if (!r.root)
		return bad(&r, 1, "no calendar can be read");
	err = each(&r, note_moved);
	return err < 0 ? err : each(&r, read_event);
}
