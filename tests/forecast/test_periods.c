// SPDX-License-Identifier: GPL-2.0-or-later
/* test_periods.c - periods of any length are found early, several at once, and none in noise. */
#include <stdlib.h>

#include "tests/check.h"
#include "tests/forecast/inputs.h"
#include "forecast/periods.h"

#define MAX 40000

static double x[MAX];

static size_t find(size_t n, unsigned int max_period, unsigned int *ret)
{
	return periods_find(x, n, max_period, NULL, 0, ret, FORECAST_MAX_PERIODS);
}

static void strong_period_is_found_after_two_cycles(void **state)
{
	static const int periods[] = {7, 13, 20, 24, 37, 100};
	unsigned int found[FORECAST_MAX_PERIODS];
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(periods) / sizeof(*periods); i++) {
		int p = periods[i], n = p < 10 ? 24 : 2 * p + p / 5;

		for (int t = 0; t < n; t++)
			x[t] = (t % p < p / 4 + 1 ? 2 : 0) + 0.1 * input_normal(&seed);
		assert_true(find((size_t)n, 300, found) >= 1);
		assert_true(abs((int)found[0] - p) <= 1 + p / 50);
	}
}

static void day_and_week_are_found_at_minutes(void **state)
{
	unsigned int found[FORECAST_MAX_PERIODS];
	uint64_t seed = 2;
	size_t n = 3 * 10080;

	(void)state;
	for (size_t t = 0; t < n; t++) {
		double weekday = t / 1440 % 7 < 5 ? 1 : 0.3;

		x[t] = weekday * (2 + sin((double)t * 2 * M_PI / 1440)) + 0.2 * input_normal(&seed);
	}
	x[5000] = NAN;
	assert_int_equal(find(n, 10080, found), 2);
	assert_true(abs((int)found[0] - 10080) < 60);
	assert_true(abs((int)found[1] - 1440) < 10);
}

/* Hours of a day that is a little lower at the end of the week. */
static void a_weak_week_is_found_where_it_is_known(void **state)
{
	static const unsigned int known[] = {168};
	unsigned int found[FORECAST_MAX_PERIODS];
	uint64_t seed = 3;

	(void)state;
	for (int week = 0; week < 2; week++) {
		for (int t = 0; t < 5 * 168; t++)
			x[t] = 2 + sin(t * 2 * M_PI / 24) - (week && t / 24 % 7 >= 5 ? 0.36 : 0) +
			       0.25 * input_normal(&seed);
		assert_int_equal(periods_find(x, 5 * 168, 300, known, 1, found, 3), 1 + week);
		assert_int_equal(found[week], 24);
	}
	assert_int_equal(found[0], 168);
	assert_int_equal(find(5 * 168, 300, found), 1);
}

static void noise_and_wander_have_no_period(void **state)
{
	unsigned int found[FORECAST_MAX_PERIODS];
	int noise = 0, wander = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		uint64_t s = seed;

		for (int t = 0; t < 500; t++)
			x[t] = input_normal(&s);
		noise += find(500, 250, found) > 0;
		for (int t = 1; t < 500; t++)
			x[t] += x[t - 1];
		wander += find(500, 250, found) > 0;
	}
	assert_true(noise <= 1);
	assert_true(wander <= 16);
}

static void nothing_is_found_in_too_little(void **state)
{
	unsigned int found[FORECAST_MAX_PERIODS];

	(void)state;
	for (int t = 0; t < 100; t++)
		x[t] = NAN;
	assert_int_equal(find(100, 50, found), 0);
	for (int t = 0; t < 100; t++)
		x[t] = 5;
	assert_int_equal(find(100, 50, found), 0);
	assert_int_equal(find(3, 50, found), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strong_period_is_found_after_two_cycles),
		cmocka_unit_test(day_and_week_are_found_at_minutes),
		cmocka_unit_test(a_weak_week_is_found_where_it_is_known),
		cmocka_unit_test(noise_and_wander_have_no_period),
		cmocka_unit_test(nothing_is_found_in_too_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
