// SPDX-License-Identifier: GPL-2.0-or-later
/* test_csv.c - steps and times a CSV file may have, and those that no clock can count. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/csv.h"
#include "tests/check.h"

#define DAY_NS  (S_PER_DAY * NS_PER_S)
#define WEEK_NS (7 * DAY_NS)

/* Reads a file of @times times @text. */
static int read_csv(const char *text, size_t times, uint64_t step_ns, struct csv_series *ret,
		    struct err *e)
{
	char path[] = "/tmp/foreshape-test-csv-XXXXXX";
	FILE *f = fdopen(mkstemp(path), "w");
	int r;

	assert_non_null(f);
	for (size_t i = 0; i < times; i++)
		assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	r = csv_read(path, NULL, step_ns, ret, e);
	(void)unlink(path);
	return r;
}

static void steps_that_no_clock_can_count_are_refused(void **state)
{
	static const struct {
		const char *text;
		size_t times;
		uint64_t step_ns;
	} rows[] = {
		{"1\n", 300000, DAY_NS},
		{"1\n", 600, 400 * WEEK_NS},
		{"1\n", 2, INT64_MAX},
		{"1\n", 1, UINT64_MAX},
		{"0,1\n9000000000,1\n", 1, 0},
		{"-9000000000,1\n9000000000,1\n", 1, 0},
		{"-9000000000,1\n9000000000,1\n", 1, INT64_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(csv_free) struct csv_series s = {};
		struct err e = {};

		assert_int_equal(read_csv(rows[i].text, rows[i].times, rows[i].step_ns, &s, &e),
				 -E2BIG);
		assert_non_null(strstr(e.text, "is the step right?"));
	}
}

static void long_steps_within_the_clock_are_taken(void **state)
{
	_cleanup_(csv_free) struct csv_series s = {};
	struct err e = {};
	char at[64];

	assert_int_equal(read_csv("1\n", 100000, DAY_NS, &s, &e), 0);
	assert_int_equal(s.n, 100000);
	assert_string_equal(csv_format_time(at, sizeof(at), &s, 99999), "8639913600");
}

static void negative_values_are_missing(void **state)
{
	_cleanup_(csv_free) struct csv_series s = {};
	struct err e = {};

	assert_int_equal(read_csv("0,1\n60,-2\n120,3\n180,\n240,5\n", 1, 0, &s, &e), 0);
	assert_int_equal(s.n, 5);
	assert_int_equal(s.n_negative, 1);
	assert_int_equal(s.n_missing, 2);
	assert_true(isnan(s.values[1]));
}

static void a_recording_is_moved_to_other_steps(void **state)
{
	_cleanup_(csv_free) struct csv_series s = {};
	struct err e = {};

	assert_int_equal(read_csv("120,1\n180,2\n240,3\n", 1, 0, &s, &e), 0);
	/* Ten seconds off the grid: the nearest steps. */
	assert_int_equal(csv_move(&s, 10 * (int64_t)NS_PER_S, 6), 0);
	assert_int_equal(s.n, 6);
	assert_int_equal(s.start_real_ns, 10 * (int64_t)NS_PER_S);
	assert_int_equal(s.n_missing, 3);
	assert_true(isnan(s.values[1]) && s.values[2] == 1 && s.values[4] == 3 &&
		    isnan(s.values[5]));
	assert_int_equal(csv_move(&s, 190 * (int64_t)NS_PER_S, 2), 0);
	assert_true(s.values[0] == 2 && s.values[1] == 3);
	assert_int_equal(s.n_missing, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_that_no_clock_can_count_are_refused),
		cmocka_unit_test(long_steps_within_the_clock_are_taken),
		cmocka_unit_test(negative_values_are_missing),
		cmocka_unit_test(a_recording_is_moved_to_other_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
