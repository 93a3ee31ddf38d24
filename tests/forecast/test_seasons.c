// SPDX-License-Identifier: GPL-2.0-or-later
/* test_seasons.c - the slow level and the seasons about it, which all models share. */
#include <stdlib.h>

#include "forecast/past.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

static struct past *fresh(unsigned int max_period, const unsigned int *periods, size_t n)
{
	struct past *past = calloc(1, past_size(max_period));

	if (!past)
		abort();
	past_init(past, max_period);
	past_rescale(past, 1); /* x = log(value + 1) */
	past_set_periods(past, periods, n, 5);
	return past;
}

static void feed(struct past *past, double x)
{
	past_push(past, exp(x) - 1);
	past_learn(past, x);
}

/* 5 and .4, -.2, 0, -.2 on top: effects sum up to 0. */
static void a_season_is_known_after_one_cycle(void **state)
{
	static const double wave[] = {0.4, -0.2, 0, -0.2};
	struct past *past = fresh(8, (const unsigned int[]){4}, 1);

	(void)state;
	for (int t = 0; t < 4; t++)
		feed(past, 5 + wave[t]);
	for (uint64_t step = 4; step < 12; step++)
		assert_true(fabs(past->slow.level + past_season(past, step) - 5 - wave[step % 4]) <
			    0.08);
	for (int t = 4; t < 400; t++)
		feed(past, 5 + wave[t % 4]);
	for (uint64_t step = 0; step < 4; step++)
		assert_true(fabs(past->slow.level + past_season(past, step) - 5 - wave[step]) <
			    0.002);
	free(past);
}

/* The first value of all is a deviation of .5, which its phase takes whole. */
static void the_season_of_a_value_is_as_it_was_before_that_came(void **state)
{
	struct past *past = fresh(8, (const unsigned int[]){4}, 1);

	(void)state;
	feed(past, 5.5);
	assert_true(past->season == 0);
	assert_true(fabs(past_season(past, 4) - 0.5) < SEASONS_STEP);
	feed(past, 5);
	feed(past, 5);
	feed(past, 5);
	feed(past, 5);
	assert_true(fabs(past->season - 0.5) < 2 * SEASONS_STEP);
	assert_true(past_season(past, 4) < 0.4);
	free(past);
}

/* Of two periods each gets its own: what one of 12 says of 4 phases is the same three times. */
static void two_periods_add_up(void **state)
{
	struct past *past = fresh(40, (const unsigned int[]){12, 4}, 2);
	double worst = 0;

	(void)state;
	for (int t = 0; t < 1200; t++) {
		double x = 5 + 0.3 * sin(2 * M_PI * t / 12) + (t % 4 == 0 ? 0.3 : -0.1);

		if (t >= 1100)
			worst = fmax(worst,
				     fabs(past->slow.level + past_season(past, (uint64_t)t) - x));
		feed(past, x);
	}
	assert_true(worst < 0.01);
	free(past);
}

static void a_level_that_moves_leaves_the_season_alone(void **state)
{
	struct past *past = fresh(8, (const unsigned int[]){4}, 1);
	double before;

	(void)state;
	for (int t = 0; t < 200; t++)
		feed(past, 5 + (t % 4 == 0 ? 0.3 : -0.1));
	before = past_season(past, 0);
	for (int t = 200; t < 240; t++)
		feed(past, 7 + (t % 4 == 0 ? 0.3 : -0.1));
	assert_true(fabs(past_season(past, 0) - before) < 0.1);
	assert_true(fabs(past->slow.level + past_season(past, 0) - 7.3) < 0.1);
	free(past);
}

/* Without a period: 5 is the first value, not what was said before. */
static void without_a_period_the_first_value_is_the_level(void **state)
{
	struct past *past = fresh(8, NULL, 0);

	(void)state;
	assert_true(isnan(past->slow.level));
	feed(past, 3);
	assert_true(past->slow.level == 3);
	assert_true(past_season(past, 1) == 0);
	free(past);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_season_is_known_after_one_cycle),
		cmocka_unit_test(the_season_of_a_value_is_as_it_was_before_that_came),
		cmocka_unit_test(two_periods_add_up),
		cmocka_unit_test(a_level_that_moves_leaves_the_season_alone),
		cmocka_unit_test(without_a_period_the_first_value_is_the_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
