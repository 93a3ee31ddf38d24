// SPDX-License-Identifier: GPL-2.0-or-later
/* test_slo.c - attainment and burn rates by hand-worked counts. */
#include <math.h>
#include <stdbool.h>

#include "tests/check.h"
#include "agent/base/util.h"
#include "shaping/slo.h"

#define HOUR (3600 * NS_PER_S)

static void no_traffic_is_not_measured(void **state)
{
	struct slo_window w = {};
	struct slo_view v;

	(void)state;
	slo_observe(&w, HOUR, NS_PER_S, 0, 0);
	slo_view(&w, 0.99, &v);
	assert_true(isnan(v.attained) && isnan(v.burn_fast) && isnan(v.burn_slow));
	assert_int_equal(v.total, 0);
}

/* 2 % bad against a budget of 1 % burns it twice as fast as it lasts. */
static void a_burn_rate_is_misses_over_budget(void **state)
{
	struct slo_window w = {};
	struct slo_view v;

	(void)state;
	for (int i = 0; i < 600; i++)
		slo_observe(&w, HOUR, NS_PER_S, 98, 100);
	slo_view(&w, 0.99, &v);
	assert_true(fabs(v.attained - 0.98) < 1e-9);
	assert_true(fabs(v.burn_slow - 2) < 1e-9 && fabs(v.burn_fast - 2) < 1e-9);
	assert_int_equal(v.total, 60000);
}

/* 50 good minutes, then 6 with one in ten bad: the fast window sees 10, the slow 60/56 of 1 %. */
static void the_fast_window_sees_what_is_new(void **state)
{
	struct slo_window w = {};
	struct slo_view v;

	(void)state;
	for (int i = 0; i < 50 * 60; i++)
		slo_observe(&w, HOUR, NS_PER_S, 100, 100);
	for (int i = 0; i < 6 * 60; i++)
		slo_observe(&w, HOUR, NS_PER_S, 90, 100);
	slo_view(&w, 0.99, &v);
	assert_true(fabs(v.burn_slow - 60.0 / 56) < 0.02);
	assert_true(v.burn_fast > 9.5);
}

/* 19 answers are no rate, though they were attained or not; the 20th makes one of it: 1 of 20 bad
 * against 1 %. */
static void few_answers_say_nothing_of_a_rate(void **state)
{
	struct slo_window w = {};
	struct slo_view v;

	(void)state;
	slo_observe(&w, HOUR, NS_PER_S, 18, 19);
	slo_view(&w, 0.99, &v);
	assert_true(isnan(v.burn_fast) && isnan(v.burn_slow));
	assert_true(fabs(v.attained - 18.0 / 19) < 1e-9);
	slo_observe(&w, HOUR, NS_PER_S, 1, 1);
	slo_view(&w, 0.99, &v);
	assert_true(fabs(v.burn_fast - 5) < 1e-9 && fabs(v.burn_slow - 5) < 1e-9);
	/* An hour's half later they are of the slow window alone. */
	slo_observe(&w, HOUR, HOUR / 2, 0, 0);
	slo_view(&w, 0.99, &v);
	assert_true(isnan(v.burn_fast) && fabs(v.burn_slow - 5) < 1e-9);
}

static void what_is_older_than_the_window_is_forgotten(void **state)
{
	struct slo_window w = {};
	struct slo_view v;

	(void)state;
	slo_observe(&w, HOUR, NS_PER_S, 0, 1000);
	slo_observe(&w, HOUR, 2 * HOUR, 10, 10);
	slo_view(&w, 0.99, &v);
	assert_int_equal(v.total, 10);
	assert_true(v.attained > 0.999999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_traffic_is_not_measured),
		cmocka_unit_test(a_burn_rate_is_misses_over_budget),
		cmocka_unit_test(the_fast_window_sees_what_is_new),
		cmocka_unit_test(few_answers_say_nothing_of_a_rate),
		cmocka_unit_test(what_is_older_than_the_window_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
