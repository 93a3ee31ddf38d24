// SPDX-License-Identifier: GPL-2.0-or-later
/* test_limit.c - the limit that costs least, where it can be worked out by hand. */
#include <math.h>

#include "agent/base/util.h"
#include "forecast/forecast.h"
#include "tests/check.h"

/* F(x) = x: the cost x^2 / 2 + c (1 - x) is least at x = c. */
static void of_a_uniform_value_it_is_the_cost(void **state)
{
	struct forecast f = {};

	(void)state;
	for (int i = 0; i < FORECAST_LEVELS; i++)
		f.q[i] = forecast_level[i];
	for (double c = 0.1; c < 0.95; c += 0.1)
		assert_float_equal(forecast_limit(&f, 1, c), c, 0.05); /* half a candidate */
}

static void exponential(double scale, struct forecast *ret)
{
	for (int i = 0; i < FORECAST_LEVELS; i++)
		ret->q[i] = -scale * log(1 - forecast_level[i]);
}

/* x less the mean of what is used, and c times what is above. */
static double cost(double scale, double c, double x)
{
	double above = exp(-x / scale);

	return x - scale * (1 - above) + c * above;
}

/*
 * F(x) = 1 - exp(-x / s): F = c F' at x = s log(1 + c / s). Of a window of the same the cost is as
 * many times as high, at the same place.
 */
static void of_an_exponential_one_its_level_falls_with_its_width(void **state)
{
	static const double costs[] = {5, 20, 80};
	struct forecast narrow[5], wide[5];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(narrow); i++) {
		exponential(1, &narrow[i]);
		exponential(3, &wide[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(costs); i++) {
		double c = costs[i], a = forecast_limit(narrow, 5, c);
		double b = forecast_limit(wide, 5, c);

		assert_true(cost(1, c, a) < 1.03 * cost(1, c, log(1 + c)));
		assert_true(cost(3, c, b) < 1.03 * cost(3, c, 3 * log(1 + c / 3)));
		assert_true(b / 3 < a);
	}
}

/* Where all is known there is nothing to weigh; of many steps some are enough. */
static void of_what_is_known_it_is_the_highest(void **state)
{
	struct forecast steps[200] = {};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(steps); k++)
		for (int i = 0; i < FORECAST_LEVELS; i++)
			steps[k].q[i] = k < 100 ? 10 : 20;
	assert_float_equal(forecast_limit(steps, ARRAY_SIZE(steps), 1000), 20, 1e-9);
	assert_float_equal(forecast_limit(steps, ARRAY_SIZE(steps), 1), 10, 1e-9);
	assert_float_equal(forecast_limit(steps, 1, 1000), 10, 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_uniform_value_it_is_the_cost),
		cmocka_unit_test(of_an_exponential_one_its_level_falls_with_its_width),
		cmocka_unit_test(of_what_is_known_it_is_the_highest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
