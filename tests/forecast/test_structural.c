// SPDX-License-Identifier: GPL-2.0-or-later
/* test_structural.c - few noisy cycles tell the waves, long periods are seen in blocks, a level
 * that has moved is followed. */
#include "tests/check.h"
#include "tests/forecast/inputs.h"
#include "tests/forecast/lone.h"

static double two_waves(double t)
{
	return 100 * exp(0.3 * cos(2 * M_PI * t / 12) + 0.2 * sin(2 * M_PI * t / 60));
}

static void waves_of_two_periods_are_told_apart(void **state)
{
	static const unsigned int periods[] = {60, 12};
	struct lone *l = lone_new(&model_structural, 100, periods, 2, 100);
	int t = 0;

	(void)state;
	for (; t < 180; t++)
		lone_feed(l, two_waves(t));
	for (unsigned int step = 1; step <= 60; step++)
		assert_true(fabs(lone_median(l, step) / two_waves(t - 1 + (int)step) - 1) < 0.03);
	lone_free(l);
}

/* Errors of the mean over four cycles of each phase have half of the noise: 0.8 x 0.3 / 2. */
static void four_noisy_cycles_are_read_better_than_phase_by_phase(void **state)
{
	static const unsigned int periods[] = {24};
	double error = 0, runs = 20;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct lone *l = lone_new(&model_structural, 100, periods, 1, 100);
		uint64_t s = seed;
		int t = 0;

		for (; t < 96; t++)
			lone_feed(l,
				  100 * exp(0.5 * sin(2 * M_PI * t / 24) + 0.3 * input_normal(&s)));
		for (unsigned int step = 1; step <= 24; step++) {
			double wave = 0.5 * sin(2 * M_PI * (t - 1 + (int)step) / 24);

			error += fabs(log(lone_median(l, step) / 100) - wave) / 24 / runs;
		}
		lone_free(l);
	}
	assert_true(error < 0.8 * 0.3 / 2);
}

/* A period of 960 steps is seen in blocks of 20; within one, values keep to the newest. */
static void a_long_period_is_seen_in_blocks(void **state)
{
	static const unsigned int periods[] = {960};
	struct lone *l = lone_new(&model_structural, 1000, periods, 1, 100);
	double away = 0;
	uint64_t seed = 1;
	int t = 0;

	(void)state;
	for (; t < 2900; t++) {
		away = 0.9 * away + 0.05 * input_normal(&seed);
		lone_feed(l, 100 * exp(0.5 * cos(2 * M_PI * t / 960) + away));
	}
	for (; fabs(away) < 0.2; t++) {
		away = 0.9 * away + 0.05 * input_normal(&seed);
		lone_feed(l, 100 * exp(0.5 * cos(2 * M_PI * t / 960) + away));
	}
	for (unsigned int step = 1; step <= 200; step += 199) {
		double wave = 0.5 * cos(2 * M_PI * (t - 1 + (int)step) / 960);
		double left = away * pow(0.9, step);

		assert_true(fabs(log(lone_median(l, step) / 100) - wave - left) < 0.15);
	}
	lone_free(l);
}

static void a_level_ten_times_as_high_is_followed(void **state)
{
	static const unsigned int periods[] = {24};
	struct lone *l = lone_new(&model_structural, 100, periods, 1, 100);
	uint64_t seed = 1;

	(void)state;
	for (int t = 0; t < 150; t++)
		lone_feed(l, (t < 144 ? 100 : 1000) * exp(0.5 * sin(2 * M_PI * t / 24) +
							  0.05 * input_normal(&seed)));
	for (unsigned int step = 1; step <= 24; step++) {
		double wave = 0.5 * sin(2 * M_PI * (149 + (int)step) / 24);

		assert_true(fabs(log(lone_median(l, step) / 1000) - wave) < 0.5);
	}
	lone_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waves_of_two_periods_are_told_apart),
		cmocka_unit_test(four_noisy_cycles_are_read_better_than_phase_by_phase),
		cmocka_unit_test(a_long_period_is_seen_in_blocks),
		cmocka_unit_test(a_level_ten_times_as_high_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
