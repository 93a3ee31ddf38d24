// SPDX-License-Identifier: GPL-2.0-or-later
/* test_calendar.c - holidays and iCalendar: when events are, and what is wrong with a file. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/util.h"
#include "policies/calendar.h"
#include "tests/check.h"

#define DAY_S  86400
#define JUNE_1 896659200 /* 1998-06-01T00:00Z, a Monday */
#define TEXT   4096

static struct calendar got;
static struct err e;

static int parse(const char *text)
{
	const struct calendar_conf all = {(int64_t)JUNE_1 * (int64_t)NS_PER_S,
					  (int64_t)(JUNE_1 + 365 * DAY_S) * (int64_t)NS_PER_S,
					  true};

	calendar_free(&got);
	return calendar_parse("f", text, strlen(text), &all, &got, &e);
}

/* One VEVENT of @lines. */
static int parse_event(const char *lines)
{
	char text[TEXT];

	(void)snprintf(text, sizeof(text),
		       "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\n%s\nEND:VEVENT\n"
		       "END:VCALENDAR\n",
		       lines);
	return parse(text);
}

/* Event @i starts @start_s after the first of June and lasts @length_s. */
static void assert_event(size_t i, const char *name, int64_t start_s, int64_t length_s)
{
	const struct calendar_event *v = &got.list[i];

	assert_true(i < got.n);
	assert_string_equal(v->name, name);
	assert_int_equal(v->starts_real_ns / (int64_t)NS_PER_S - JUNE_1, start_s);
	assert_int_equal((v->ends_real_ns - v->starts_real_ns) / (int64_t)NS_PER_S, length_s);
}

static void holidays_are_whole_days(void **state)
{
	(void)state;
	assert_int_equal(parse("date,name,end,multiplier\r\n"
			       "# in order of time or not\r\n"
			       "1998-12-24,Christmas,1998-12-26\r\n"
			       "\r\n"
			       "1998-06-03,\"Day, \"\"the\"\" third\",,\r\n"
			       " 1998-06-02T08:00Z , sale , 1998-06-02T20:30+00:30 , 2.5\r\n"
			       "1998-06-04T10:00,hour"),
			 0);
	assert_int_equal(got.n, 4);
	assert_event(0, "sale", DAY_S + 8 * 3600, 12 * 3600);
	assert_true(fabs(got.list[0].multiplier - 2.5) < 1e-12);
	assert_event(1, "Day, \"the\" third", 2 * DAY_S, DAY_S);
	assert_true(isnan(got.list[1].multiplier));
	assert_event(2, "hour", 3 * DAY_S + 10 * 3600, 3600);
	assert_event(3, "Christmas", 206 * DAY_S, 3 * DAY_S);
	assert_int_equal(got.list[3].line, 3);
}

static void events_outside_of_the_time_asked_for_are_left_out(void **state)
{
	(void)state;
	assert_int_equal(parse("1998-05-30,before\n1998-05-31,until,1998-06-01\n2000-01-01,after"),
			 0);
	assert_int_equal(got.n, 1);
	assert_event(0, "until", -DAY_S, 2 * DAY_S);
}

static void times_of_a_vevent(void **state)
{
	(void)state;
	assert_int_equal(
		parse_event("SUMMARY:utc\nDTSTART:19980602T153000Z\nDTEND:19980602T173000Z"), 0);
	assert_event(0, "utc", DAY_S + 15 * 3600 + 1800, 7200);
	assert_int_equal(parse_event("SUMMARY:floating\nDTSTART:19980602T153000\nDURATION:P1DT30M"),
			 0);
	assert_event(0, "floating", DAY_S + 15 * 3600 + 1800, DAY_S + 1800);
	/* Two hours ahead of UTC in summer. */
	assert_int_equal(parse_event("SUMMARY:zone\nDTSTART;TZID=Europe/Paris:19980602T020000"), 0);
	assert_event(0, "zone", DAY_S, 3600);
	assert_int_equal(parse_event("SUMMARY:day\nDTSTART;VALUE=DATE:19980602"), 0);
	assert_event(0, "day", DAY_S, DAY_S);
	assert_int_equal(parse_event("SUMMARY:three days\nDTSTART;VALUE=DATE:19980602\n"
				     "DTEND;VALUE=DATE:19980605"),
			 0);
	assert_event(0, "three days", DAY_S, 3 * DAY_S);
	assert_int_equal(parse_event("SUMMARY:fol\n ded\\, twice\nDTSTART:1998060\n 2T000000Z"), 0);
	assert_event(0, "folded, twice", DAY_S, 3600);
	assert_int_equal(parse_event("STATUS:CANCELLED\nSUMMARY:no\nDTSTART:19980602T000000Z"), 0);
	assert_int_equal(got.n, 0);
}

/* Each row: the rule, and the days of June 1998 (from 0) on which it comes. */
static void rules_repeat(void **state)
{
	static const struct {
		const char *rule;
		int days[8], n;
	} rows[] = {
		{"RRULE:FREQ=DAILY;COUNT=3", {1, 2, 3}, 3},
		{"RRULE:FREQ=DAILY;INTERVAL=2;UNTIL=19980606T235959Z", {1, 3, 5}, 3},
		{"RRULE:FREQ=DAILY;COUNT=4\nEXDATE:19980603T080000Z", {1, 3, 4}, 3},
		{"RRULE:FREQ=WEEKLY;BYDAY=TU,FR;COUNT=4", {1, 4, 8, 11}, 4},
		{"RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=3", {1, 15, 29}, 3},
		{"RRULE:FREQ=MONTHLY;COUNT=3", {1, 31, 62}, 3},
		{"RRULE:FREQ=MONTHLY;BYDAY=-1TU;COUNT=3\nEXDATE:19980602T080000Z", {29, 57, 85}, 3},
		{"RDATE:19980610T080000Z", {1, 9}, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[512];

		(void)snprintf(text, sizeof(text), "SUMMARY:x\nDTSTART:19980602T080000Z\n%s",
			       rows[i].rule);
		assert_int_equal(parse_event(text), 0);
		assert_int_equal(got.n, rows[i].n);
		for (int k = 0; k < rows[i].n; k++)
			assert_event((size_t)k, "x", rows[i].days[k] * DAY_S + 8 * 3600, 3600);
	}
	assert_int_equal(parse_event("SUMMARY:y\nDTSTART:19700607T080000Z\nRRULE:FREQ=YEARLY"), 0);
	assert_int_equal(got.n, 1);
	assert_event(0, "y", 6 * DAY_S + 8 * 3600, 3600);
	assert_int_equal(parse_event("SUMMARY:z\nDTSTART;VALUE=DATE:19400607\nRRULE:FREQ=YEARLY"),
			 0);
	assert_int_equal(got.n, 1);
	assert_event(0, "z", 6 * DAY_S, DAY_S);
}

/* Noon in Paris is an hour later by UTC once summer time is over (25 October). */
static void repeated_local_times_stay_local(void **state)
{
	(void)state;
	assert_int_equal(parse_event("SUMMARY:noon\nDTSTART;TZID=Europe/Paris:19981024T120000\n"
				     "RRULE:FREQ=DAILY;COUNT=2"),
			 0);
	assert_event(0, "noon", 145 * DAY_S + 10 * 3600, 3600);
	assert_event(1, "noon", 146 * DAY_S + 11 * 3600, 3600);
}

static void one_of_a_series_may_be_moved(void **state)
{
	(void)state;
	assert_int_equal(
		parse("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nSUMMARY:x\n"
		      "DTSTART:19980602T080000Z\nRRULE:FREQ=DAILY;COUNT=3\nEND:VEVENT\n"
		      "BEGIN:VEVENT\nUID:a\nSUMMARY:moved\nRECURRENCE-ID:19980603T080000Z\n"
		      "DTSTART:19980603T100000Z\nEND:VEVENT\nEND:VCALENDAR\n"),
		0);
	assert_int_equal(got.n, 3);
	assert_event(0, "x", DAY_S + 8 * 3600, 3600);
	assert_event(1, "moved", 2 * DAY_S + 10 * 3600, 3600);
	assert_event(2, "x", 3 * DAY_S + 8 * 3600, 3600);
}

#define CAL   "BEGIN:VCALENDAR\n"
#define EVENT CAL "BEGIN:VEVENT\nSUMMARY:x\n"
#define ENDS  "END:VEVENT\nEND:VCALENDAR\n"

/* What is wrong is said with its line, and nothing is read. */
static void bad_files_are_refused_with_the_line(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"1998-06-02,a\n1998-06-32,b",
		 "f:2: not a date (2027-03-20) or time: '1998-06-32'"},
		{"date,name\n1998-06-02\n", "f:2: an event needs a name: date,name; this has only "
					    "'1998-06-02'"},
		{"1998-06-02,a,1998-06-01\n", "f:1: the event 'a' ends before it starts"},
		{"1998-06-02,a,,-2\n", "f:1: not a multiplier from 0 to 1000: '-2'"},
		{"1998-06-02,a,,nan\n", "f:1: not a multiplier from 0 to 1000: 'nan'"},
		{"1998-06-02,\"a\n",
		 "f:1: not date,name,end,multiplier: too many fields, or a quote "
		 "is not closed"},
		{"1998-06-02,a,,2,x\n", "f:1: not date,name,end,multiplier: too many fields, or a "
					"quote is not closed"},
		{CAL "BEGIN:VEVENT\nEND:VCALENDAR\n", "f:3: END:VCALENDAR where VEVENT is open"},
		{CAL "BEGIN:VEVENT\n", "f:3: the end is missing: END:VEVENT"},
		{CAL "what\nEND:VCALENDAR\n", "f:2: not NAME:VALUE: 'what'"},
		{EVENT ENDS, "f:2: an event needs a DTSTART"},
		{CAL "BEGIN:VEVENT\nDTSTART:19980602T080000Z\n" ENDS,
		 "f:2: an event needs a SUMMARY: its name"},
		{EVENT "DTSTART:1998-06-02\n" ENDS,
		 "f:4: DTSTART cannot be read: it is written like 20270320 or 20270320T080000Z"},
		{EVENT "DTSTART:19980602T080000Z\nRRULE:FREQ=NEVER\n" ENDS,
		 "f:5: RRULE cannot be read"},
		{EVENT "DTSTART:19980602T080000Z\nDTEND:19980601T080000Z\n" ENDS,
		 "f:5: the event ends before it starts"},
		{EVENT "DTSTART:19980602T080000Z\nDTEND:19986002T080000Z\n" ENDS,
		 "f:5: DTEND cannot be read: it is written like 20270320 or 20270320T080000Z"},
		{EVENT "DTSTART:19980602T080000Z\nDTEND:23980602T080000Z\n" ENDS,
		 "f:2: the event lasts longer than 200 years"},
		{EVENT "DTSTART;TZID=Mars/Base:19980602T080000\n" ENDS,
		 "f:4: unknown time zone 'Mars/Base'"},
		{EVENT "DTSTART:19980602T080000Z\nRRULE:FREQ=SECONDLY\n" ENDS,
		 "f:2: more than 20000 events"},
		{CAL "END:VCALENDAR\nX:1\n", "f:3: after END:VCALENDAR"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (parse(rows[i].text) >= 0)
			fail_msg("not refused: %s", rows[i].text);
		assert_string_equal(e.text, rows[i].error);
		assert_null(got.list);
		assert_int_equal(got.n, 0);
	}
	assert_int_equal(calendar_parse("f", "1998\0", 5, &(struct calendar_conf){}, &got, &e),
			 -EINVAL);
	assert_string_equal(e.text, "f:1: a zero byte: not a text file");
}

static void long_names_are_cut_between_characters(void **state)
{
	char text[256] = "1998-06-02,x";

	(void)state;
	for (int i = 0; i < 40; i++)
		(void)strcat(text, "\xc3\xa9");
	assert_int_equal(parse(text), 0);
	assert_int_equal(strlen(got.list[0].name), CALENDAR_NAME_MAX - 1);
	text[strlen("1998-06-02,") + CALENDAR_NAME_MAX - 1] = '\0';
	assert_string_equal(got.list[0].name, text + strlen("1998-06-02,"));
}

static int end(void **state)
{
	(void)state;
	calendar_free(&got);
	return 0;
}

/* A file that takes long: many rules over centuries. */
static int slow_file(void)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	fputs("BEGIN:VCALENDAR\nVERSION:2.0\n", f);
	for (int i = 0; i < 400; i++)
		fprintf(f,
			"BEGIN:VEVENT\nUID:%d\nSUMMARY:x\nDTSTART:16020101T000000Z\n"
			"RRULE:FREQ=DAILY;COUNT=900000\nEND:VEVENT\n",
			i);
	fputs("END:VCALENDAR\n", f);
	assert_int_equal(fflush(f), 0);
	return fileno(f);
}

/* What reads a calendar keeps no lock of one who is gone, and goes with it. */
static void a_reader_holds_nothing_and_outlives_nobody(void **state)
{
	const struct calendar_conf conf = {0, (int64_t)NS_PER_S, true};
	FILE *lock = tmpfile();
	char path[64];
	int mine, file = slow_file();
	pid_t holder;

	(void)state;
	assert_non_null(lock);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(lock));
	mine = open(path, O_RDWR | O_CLOEXEC);
	holder = fork();
	if (holder == 0) {
		close(mine);
		if (flock(fileno(lock), LOCK_EX) == 0)
			(void)calendar_read(file, "slow.ics", &conf, &got, &e);
		_exit(0);
	}
	assert_int_equal(fclose(lock), 0);
	(void)usleep(300000);
	assert_int_equal(flock(mine, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(waitpid(holder, NULL, WNOHANG), 0); /* it still reads */
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	assert_int_equal(flock(mine, LOCK_EX | LOCK_NB), 0);
	close(mine);
	close(file);
}

static void two_rules_of_one_event_are_refused(void **state)
{
	(void)state;
	assert_int_equal(
		parse_event("SUMMARY:a\nDTSTART:19980601T000000Z\nRRULE:FREQ=DAILY;COUNT=2\n"
			    "RRULE:FREQ=WEEKLY;COUNT=2"),
		-EINVAL);
	assert_non_null(strstr(e.text, "more than one RRULE"));
}

/* Years of occurrences before the time asked for are no reason to refuse a file. */
static void an_old_rule_goes_on(void **state)
{
	(void)state;
	assert_int_equal(parse_event("SUMMARY:a\nDTSTART:19800601T000000Z\nRRULE:FREQ=HOURLY;UNTIL="
				     "19980601T020000Z"),
			 0);
	assert_int_equal(got.n, 3);
	assert_event(0, "a", 0, 3600);
}

/* Reads a calendar of one event behind comments, @size bytes in all. */
static int read_of(size_t size)
{
	static const char event[] = "1998-06-02,day\n";
	const struct calendar_conf conf = {(int64_t)JUNE_1 * (int64_t)NS_PER_S,
					   (int64_t)(JUNE_1 + 7 * DAY_S) * (int64_t)NS_PER_S, true};
	int fd = memfd_create("calendar", MFD_CLOEXEC), r;
	char line[64];
	size_t n;

	memset(line, '#', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (n = 0; n + sizeof(line) <= size - strlen(event); n += sizeof(line))
		assert_int_equal(write(fd, line, sizeof(line)), sizeof(line));
	memset(line, '\n', sizeof(line));
	assert_int_equal(write(fd, line, size - strlen(event) - n), size - strlen(event) - n);
	assert_int_equal(write(fd, event, strlen(event)), strlen(event));
	calendar_free(&got);
	r = calendar_read(fd, "big.csv", &conf, &got, &e);
	close(fd);
	return r;
}

static void a_file_is_at_most_1_mib(void **state)
{
	(void)state;
	assert_int_equal(read_of(1048576), 0);
	assert_int_equal(got.n, 1);
	assert_event(0, "day", DAY_S, DAY_S);
	assert_int_equal(read_of(1048577), -E2BIG);
	assert_string_equal(e.text, "big.csv is larger than 1 MiB");
	assert_int_equal(got.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holidays_are_whole_days),
		cmocka_unit_test(events_outside_of_the_time_asked_for_are_left_out),
		cmocka_unit_test(times_of_a_vevent),
		cmocka_unit_test(rules_repeat),
		cmocka_unit_test(repeated_local_times_stay_local),
		cmocka_unit_test(one_of_a_series_may_be_moved),
		cmocka_unit_test(bad_files_are_refused_with_the_line),
		cmocka_unit_test(a_reader_holds_nothing_and_outlives_nobody),
		cmocka_unit_test(two_rules_of_one_event_are_refused),
		cmocka_unit_test(an_old_rule_goes_on),
		cmocka_unit_test(a_file_is_at_most_1_mib),
		cmocka_unit_test(long_names_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
