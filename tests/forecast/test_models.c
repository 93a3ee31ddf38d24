// SPDX-License-Identifier: GPL-2.0-or-later
/* test_models.c - regression finds what made the values, bursts do not echo, weights know a horizon
 * from a season. */
#include <stdlib.h>

#include "forecast/rls.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

static void regression_finds_the_coefficients(void **state)
{
	float numbers[RLS_NUMBERS(RLS_MAX)];
	struct rls r;
	uint64_t seed = 1;

	(void)state;
	rls_init(&r, numbers, 3, 1e4);
	for (int i = 0; i < 300; i++) {
		double in[3] = {1, input_normal(&seed), input_normal(&seed)};

		rls_learn(&r, numbers, in, 0.5 + 3 * in[1] - 2 * in[2], 1);
	}
	assert_true(fabs(numbers[0] - 0.5) < 1e-3);
	assert_true(fabs(numbers[1] - 3) < 1e-3);
	assert_true(fabs(numbers[2] + 2) < 1e-3);
}

static void one_wild_value_hardly_moves_the_coefficients(void **state)
{
	float numbers[RLS_NUMBERS(RLS_MAX)];
	struct rls r;
	uint64_t seed = 2;

	(void)state;
	rls_init(&r, numbers, 1, 1e4);
	for (int i = 0; i < 300; i++) {
		double in = input_normal(&seed);

		rls_learn(&r, numbers, &in, i == 200 ? 1e6 : 2 * in + 0.1 * input_normal(&seed), 1);
	}
	assert_true(fabs(numbers[0] - 2) < 0.05);
}

static void what_forgets_for_long_stays_finite(void **state)
{
	float numbers[RLS_NUMBERS(RLS_MAX)];
	struct rls r;
	const double none[2] = {0, 0}, in[2] = {1, 1};

	(void)state;
	rls_init(&r, numbers, 2, 1);
	for (int i = 0; i < 100000; i++)
		rls_learn(&r, numbers, none, 1, 0.99);
	rls_learn(&r, numbers, in, 4, 0.99);
	assert_true(fabs(rls_predict(&r, numbers, in) - 4) < 0.01);
	rls_learn(&r, numbers, in, NAN, 0.99);
	assert_true(isfinite(rls_predict(&r, numbers, in)));
}

/* A day of 24 steps that repeats to a tenth of a per cent, as temperatures do. */
static double day_of_24(int t, uint64_t *seed)
{
	return 100 * (1 + 0.3 * sin(2 * M_PI * t / 24)) * (1 + 0.001 * input_normal(seed));
}

/*
 * At a horizon of 48 the newest value is as good as the one of a day ago, and at 41 it is not: what
 * is learned of one step must not count for those about it.
 */
static void a_horizon_of_whole_seasons_misleads_nobody(void **state)
{
	struct series *s = input_series(48, 100);
	uint64_t seed = 3;
	int t = 0;

	(void)state;
	for (; t < 600; t++)
		input_feed(s, day_of_24(t, &seed));
	for (unsigned int step = 30; step <= 48; step++) {
		double true_value = 100 * (1 + 0.3 * sin(2 * M_PI * (t - 1 + (int)step) / 24));
		struct forecast f;

		series_predict(s, step, &f);
		assert_true(fabs(f.q[Q50] / true_value - 1) < 0.01);
	}
	series_free(s);
}

static void a_burst_does_not_come_back_a_season_later(void **state)
{
	struct series *s = input_series(24, 100);
	uint64_t seed = 4;
	struct forecast f;
	int t = 0;

	(void)state;
	for (; t < 505; t++)
		input_feed(s, day_of_24(t, &seed) * (t == 490 ? 30 : 1));
	for (unsigned int step = 8; step <= 11; step++) { /* 490 + 24 is 10 steps ahead */
		series_predict(s, step, &f);
		assert_true(f.q[Q50] <
			    1.1 * 100 * (1 + 0.3 * sin(2 * M_PI * (t - 1 + (int)step) / 24)));
	}
	series_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regression_finds_the_coefficients),
		cmocka_unit_test(one_wild_value_hardly_moves_the_coefficients),
		cmocka_unit_test(what_forgets_for_long_stays_finite),
		cmocka_unit_test(a_horizon_of_whole_seasons_misleads_nobody),
		cmocka_unit_test(a_burst_does_not_come_back_a_season_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
