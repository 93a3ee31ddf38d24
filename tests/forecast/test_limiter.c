// SPDX-License-Identifier: GPL-2.0-or-later
/* test_limiter.c - limits by the rule that has cost least: whose they are, and what they cost. */
#include "forecast/limiter.h"

#include <math.h>
#include <string.h>

#include "agent/base/util.h"
#include "forecast/forecast.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

/* All levels of a forecast are the same, which forecast_limit() then gives. */
static struct forecast certain(double value)
{
	struct forecast f = {.mean = value};

	for (int i = 0; i < FORECAST_LEVELS; i++)
		f.q[i] = value;
	return f;
}

static struct forecast normal(double mean, double deviation)
{
	static const double z[FORECAST_LEVELS] = {-1.96, -1.64, -1.28, -0.67, 0,   0.67,
						  1.28,  1.64,  1.96,  2.33,  3.09};
	struct forecast f = {.mean = mean};

	for (int i = 0; i < FORECAST_LEVELS; i++)
		f.q[i] = mean + z[i] * deviation;
	return f;
}

static double cost_of(double limit, double y, double c)
{
	return y > limit ? c : limit - y;
}

static void it_is_the_forecasts_until_errors_are_known(void **state)
{
	struct forecast f = certain(7);
	struct limiter l;

	(void)state;
	limiter_init(&l, 100);
	assert_float_equal(limiter_limit(&l, &f, 1), 7, 1e-6);
	for (int i = 0; i < 20; i++) {
		limiter_observe(&l, 3);
		assert_float_equal(limiter_limit(&l, &f, 1), 7, 1e-6);
	}
	/* From the twentieth error on most of the rules say 3, which costs nothing. */
	for (int i = 0; i < 1000; i++) {
		limiter_observe(&l, 3);
		(void)limiter_limit(&l, &f, 1);
	}
	assert_float_equal(limiter_limit(&l, &f, 1), 3, 0.03);
}

/*
 * A walk by 10 up or down: 10 above the newest value leaves 10 unused on average and is never
 * short. A limit of 140 is short by turns, and the highest of late plus something leaves more.
 */
static void of_a_walk_in_steps_it_is_one_step_above(void **state)
{
	struct forecast f = normal(140, 40);
	uint64_t seed = 1;
	double at = 140;
	struct limiter l;

	(void)state;
	limiter_init(&l, 500);
	for (int i = 0; i < 3000; i++) {
		at += (at > 220 || (at >= 80 && input_random(&seed) < 0.5)) ? -10 : 10;
		limiter_observe(&l, at);
		f = normal(at, 15);
		if (i > 2000) {
			double limit = limiter_limit(&l, &f, 1);

			assert_true(limit >= at + 10);
			assert_float_equal(limit, at + 10, 0.5);
		} else {
			(void)limiter_limit(&l, &f, 1);
		}
	}
}

/*
 * Exponential values of mean 1 that nothing tells of: cost x - 1 + exp(-x) + c exp(-x) is least at
 * log(1 + c) = 3.04 for 20, and as much there.
 */
static void of_values_without_memory_it_costs_what_the_best_static_does(void **state)
{
	const double c = 20;
	struct forecast f = normal(2, 2);
	uint64_t seed = 2;
	struct limiter l;
	double cost = 0;
	int n = 0;

	(void)state;
	limiter_init(&l, c);
	for (int i = 0; i < 20000; i++) {
		double y = -log(1 - input_random(&seed)), limit = limiter_limit(&l, &f, 1);

		limiter_observe(&l, y);
		if (i < 1000)
			continue;
		cost += cost_of(limit, y, c);
		n++;
	}
	assert_true(cost / n < 1.05 * log(1 + c));
}

/* Kinds of values, with a forecast that knows more or less of the next one. */
static double next(int kind, double x, int i, uint64_t *seed, struct forecast *ret)
{
	double noise = input_normal(seed), mean = 100;

	switch (kind) {
	case 0: /* a season the forecast knows */
		mean += 60 * sin(i / 20.0);
		*ret = normal(mean, 5);
		return mean + 5 * noise;
	case 1: /* a walk it takes for wider than it is */
		*ret = normal(x, 30);
		return fabs(x + 2 * noise);
	case 2: /* bursts it does not see */
		*ret = normal(mean, 20);
		return mean + 3 * noise + (i / 40 % 5 == 0 ? 100 : 0);
	default: /* noise, where it is far off */
		*ret = normal(300, 10);
		return fabs(mean + 30 * noise);
	}
}

/* What its limits cost in the second half, over what the best limits in hindsight would have. */
static double regret(int kind, double c)
{
	enum { STEPS = 6000, DISTANCES = 100 };
	double x = 100, own = 0, forecast = 0, last[DISTANCES] = {}, fixed[DISTANCES] = {}, least;
	uint64_t seed = 3;
	struct limiter l;

	limiter_init(&l, c);
	for (int i = 0; i < STEPS; i++) {
		struct forecast f;
		double y = next(kind, x, i, &seed, &f), limit = limiter_limit(&l, &f, 1);

		limiter_observe(&l, y);
		for (int d = 0; d < DISTANCES && i >= STEPS / 2; d++) {
			last[d] += cost_of(x + 2 * d, y, c);
			fixed[d] += cost_of(4 * d, y, c);
		}
		if (i >= STEPS / 2) {
			own += cost_of(limit, y, c);
			forecast += cost_of(forecast_limit(&f, 1, c), y, c);
		}
		x = y;
	}
	least = forecast;
	for (int d = 0; d < DISTANCES; d++)
		least = fmin(least, fmin(last[d], fixed[d]));
	return own / least;
}

/* Neither the forecast's limit, nor a static one, nor one above the newest value does much better.
 */
static void it_is_never_much_worse_than_the_best_limit_in_hindsight(void **state)
{
	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		assert_true(regret(kind, 50) < 1.1);
		assert_true(regret(kind, 500) < 1.1);
	}
}

static void units_do_not_matter(void **state)
{
	uint64_t seed = 4;
	struct limiter a, b;
	double x = 100;

	(void)state;
	limiter_init(&a, 300);
	limiter_init(&b, 300 * 1024);
	for (int i = 0; i < 500; i++) {
		struct forecast f, g;
		double limit;

		x = next(i / 150, x, i, &seed, &f);
		g = f;
		for (int k = 0; k < FORECAST_LEVELS; k++)
			g.q[k] *= 1024;
		limiter_observe(&a, x);
		limiter_observe(&b, 1024 * x);
		limit = limiter_limit(&a, &f, 1);
		assert_float_equal(limiter_limit(&b, &g, 1) / 1024, limit, 1e-4 * limit);
	}
}

/* A limit that has run out is not judged by later values. */
static void it_holds_for_its_steps_alone(void **state)
{
	struct forecast f[3] = {certain(5), certain(5), certain(5)};
	struct limiter l;

	(void)state;
	limiter_init(&l, 10);
	limiter_observe(&l, 4);
	(void)limiter_limit(&l, f, ARRAY_SIZE(f));
	for (int i = 0; i < 5; i++)
		limiter_observe(&l, 4);
	assert_int_equal(l.n_values, 6);
	assert_int_equal(l.n_errors, 3);
}

static void any_input_gives_a_finite_limit(void **state)
{
	enum { ODD = 12 };
	static const double odd[ODD] = {0,    NAN,  INFINITY, -INFINITY, -1,    1e15,
					1e30, 1e31, 1e-300,   5,         1e300, 0};
	static const double costs[] = {1e-30, 1, 1e300};
	uint64_t seed = 5;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(costs); k++) {
		double most = 0;
		struct limiter l;

		limiter_init(&l, costs[k]);
		for (int i = 0; i < 20000; i++) {
			double value = odd[(size_t)(input_random(&seed) * ODD)];
			struct forecast f = certain(most);
			double limit;

			if (i / 1000 % 2 == 0)
				value = i % 10000 < 5000;
			if (value >= 0 && value <= 1e30)
				most = fmax(most, value);
			limiter_observe(&l, value);
			limit = limiter_limit(&l, &f, 1);
			assert_true(isfinite(limit) && limit >= 0 && limit <= 4 * most);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_forecasts_until_errors_are_known),
		cmocka_unit_test(of_a_walk_in_steps_it_is_one_step_above),
		cmocka_unit_test(of_values_without_memory_it_costs_what_the_best_static_does),
		cmocka_unit_test(it_is_never_much_worse_than_the_best_limit_in_hindsight),
		cmocka_unit_test(units_do_not_matter),
		cmocka_unit_test(it_holds_for_its_steps_alone),
		cmocka_unit_test(any_input_gives_a_finite_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
