// SPDX-License-Identifier: GPL-2.0-or-later
/* test_grid.c - the calibration of quantiles: levels hold what they say, tails included. */
#include <math.h>

#include "agent/base/util.h"
#include "forecast/grid.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

#define VALUES 40000

/* Values of a Pareto tail of shape .3 on one side; P(x > q) = (1 + .3 q)^(-1 / .3). */
static double pareto(uint64_t *seed)
{
	return (pow(1 - input_random(seed), -0.3) - 1) / 0.3;
}

static double laplace(uint64_t *seed)
{
	double u = input_random(seed) - 0.5;

	return -copysign(log(1 - 2 * fabs(u)), u);
}

/*
 * Shares of values above each level once the grid is learned, from a shape that does not fit, by
 * one that has seen @seen values before.
 */
static void shares_above(double (*draw)(uint64_t *seed), float seen, double *above)
{
	struct grid_shift c;
	uint64_t seed = 5;
	int counted = 0;

	grid_shift_init(&c);
	c.n = seen;
	for (int t = 0; t < VALUES; t++) {
		double raw[FORECAST_LEVELS], q[FORECAST_LEVELS], x = draw(&seed);

		for (int i = 0; i < FORECAST_LEVELS; i++)
			q[i] = raw[i] = 0.3 + 0.4 * grid_shape[i];
		grid_correct(&c, q);
		for (int i = 1; i < FORECAST_LEVELS; i++)
			assert_true(q[i] >= q[i - 1]);
		if (t >= VALUES / 2) {
			counted++;
			for (int i = 0; i < FORECAST_LEVELS; i++)
				above[i] += x > q[i];
		}
		grid_learn(&c, raw, q, x, 1);
	}
	for (int i = 0; i < FORECAST_LEVELS; i++)
		above[i] /= counted;
}

static void levels_hold_on_light_and_heavy_tails(void **state)
{
	static double (*const draws[])(uint64_t * seed) = {input_normal, laplace, pareto};

	(void)state;
	for (size_t d = 0; d < ARRAY_SIZE(draws); d++) {
		double above[FORECAST_LEVELS] = {};

		shares_above(draws[d], 0, above);
		for (int i = 0; i <= Q975; i++)
			assert_float_equal(above[i], 1 - forecast_level[i], 0.01);
		/* Beyond .95 from the fitted tail: 20,000 values, 20 of them above .999. */
		if (fabs(above[Q99] - 0.01) > 0.004)
			fail_msg("draw %zu: %.4f above .99", d, above[Q99]);
		if (above[Q999] < 0.0002 || above[Q999] > 0.0035)
			fail_msg("draw %zu: %.4f above .999", d, above[Q999]);
	}
}

/* A second a step, months on. */
static void levels_hold_after_millions_of_values(void **state)
{
	static const float seen[] = {1e6f, 1048575, 1.6e7f};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		double above[FORECAST_LEVELS] = {};

		shares_above(input_normal, seen[i], above);
		for (int l = 0; l <= Q975; l++)
			assert_float_equal(above[l], 1 - forecast_level[l], 0.01);
	}
}

static void a_level_between_is_read_by_interpolation(void **state)
{
	struct forecast f = {};

	(void)state;
	for (int i = 0; i < FORECAST_LEVELS; i++)
		f.q[i] = 10 * i;
	assert_float_equal(forecast_at(&f, 0.01), 0, 1e-9);
	assert_float_equal(forecast_at(&f, 0.50), 10 * Q50, 1e-9);
	assert_float_equal(forecast_at(&f, 0.70), 10 * Q50 + 8, 1e-9);
	/* Half of the way from .99 to .999 in the logarithm: 1 - 0.01 / sqrt(10). */
	assert_float_equal(forecast_at(&f, 1 - 0.01 / sqrt(10)), 10 * Q99 + 5, 1e-6);
	/* And as far again beyond: 1 - 0.001 / sqrt(10). */
	assert_float_equal(forecast_at(&f, 1 - 0.001 / sqrt(10)), 10 * Q999 + 5, 1e-6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_hold_on_light_and_heavy_tails),
		cmocka_unit_test(levels_hold_after_millions_of_values),
		cmocka_unit_test(a_level_between_is_read_by_interpolation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
