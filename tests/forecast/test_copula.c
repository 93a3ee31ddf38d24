// SPDX-License-Identifier: GPL-2.0-or-later
/* test_copula.c - sums of dependent quantities against values by hand and drawn ones. */
#include <stdlib.h>

#include "forecast/copula.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

#define DRAWS 200000

static const double score[FORECAST_LEVELS] = {-1.95996, -1.64485, -1.28155, -0.67449,
					      0,        0.67449,  1.28155,  1.64485,
					      1.95996,  2.32635,  3.09023};

/* What is drawn from a normal score. */
typedef double shape_fn(double z);

static double normal(double z)
{
	return 100 + 10 * z;
}

static double lognormal(double z)
{
	return 50 * exp(0.5 * z);
}

static double exponential(double z)
{
	return -20 * log(0.5 * erfc(z / M_SQRT2));
}

static double steps(double z)
{
	return floor(fmax(3 + 2 * z, 0));
}

static void quantiles(shape_fn *shape, double *ret)
{
	for (int i = 0; i < FORECAST_LEVELS; i++)
		ret[i] = shape(score[i]);
}

/* Normal scores of @n units, each pair correlated by @r >= 0, or by turns opposed where @r < 0. */
static void draw(double r, size_t n, uint64_t *seed, double *z)
{
	double shared = input_normal(seed);

	for (size_t k = 0; k < n; k++) {
		double sign = r < 0 && k % 2 ? -1 : 1;

		z[k] = sign * sqrt(fabs(r)) * shared + sqrt(1 - fabs(r)) * input_normal(seed);
	}
}

static struct copula learned(double r, size_t n)
{
	struct copula c = {};
	uint64_t seed = 5;
	double z[COPULA_UNITS];

	for (int t = 0; t < 3000; t++) {
		draw(r, n, &seed, z);
		copula_learn(&c, z, n);
	}
	return c;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Quantiles of the drawn sum of units @shapes[k % 2]. */
static void drawn(shape_fn *const *shapes, double r, size_t n, double *ret)
{
	static double sums[DRAWS];
	uint64_t seed = 77;

	for (size_t i = 0; i < DRAWS; i++) {
		double z[COPULA_UNITS];

		draw(r, n, &seed, z);
		sums[i] = 0;
		for (size_t k = 0; k < n; k++)
			sums[i] += shapes[k % 2](z[k]);
	}
	qsort(sums, DRAWS, sizeof(*sums), by_size);
	for (int i = 0; i < FORECAST_LEVELS; i++)
		ret[i] = sums[(size_t)(forecast_level[i] * DRAWS)];
}

static void one_alone_is_itself(void **state)
{
	static shape_fn *const shapes[] = {normal, lognormal, exponential, steps};
	struct copula c = {};
	double q[1][FORECAST_LEVELS], sum[FORECAST_LEVELS];

	(void)state;
	for (size_t k = 0; k < sizeof(shapes) / sizeof(*shapes); k++) {
		quantiles(shapes[k], q[0]);
		copula_sum(&c, q, 1, 0, sum);
		for (int i = 0; i < FORECAST_LEVELS; i++)
			assert_true(fabs(sum[i] - q[0][i]) < 1e-9);
	}
}

/* Four of 100 +- 10: together 400 +- 20 where nothing binds them, 400 +- 40 where all is one. */
static void normals_add_by_their_correlation(void **state)
{
	static const struct {
		double r, sd, within;
	} rows[] = {{0, 20, 0.8}, {0.999, 40, 1.3}, {0.5, 31.6228, 2}};

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(*rows); row++) {
		struct copula c = learned(rows[row].r, 4);
		double q[4][FORECAST_LEVELS], sum[FORECAST_LEVELS];

		for (int k = 0; k < 4; k++)
			quantiles(normal, q[k]);
		copula_sum(&c, q, 4, 0, sum);
		assert_true(fabs(sum[Q50] - 400) < 1e-3);
		assert_true(fabs((sum[Q99] - 400) / score[Q99] - rows[row].sd) < rows[row].within);
		assert_true(fabs((400 - sum[Q025]) / score[Q975] - rows[row].sd) <
			    rows[row].within);
	}
}

/* Two that make up for each other: 200, give or take what is not believed of the correlation. */
static void opposites_cancel(void **state)
{
	struct copula c = learned(-0.999, 2);
	double q[2][FORECAST_LEVELS], sum[FORECAST_LEVELS], believed = 300.0 / (300 + 15);

	(void)state;
	assert_true(fabs(copula_correlation(&c, 0, 1) + believed) < 0.01);
	quantiles(normal, q[0]);
	quantiles(normal, q[1]);
	copula_sum(&c, q, 2, 0, sum);
	assert_true(fabs(sum[Q50] - 200) < 1e-3);
	assert_true(fabs((sum[Q95] - 200) / score[Q95] - 10 * sqrt(2 - 2 * believed)) < 0.3);
}

/* 3-4-5: an error of 30 beside one of 40, made of one unit's 10 x 4. */
static void an_error_adds_as_independent(void **state)
{
	struct copula c = {};
	double q[1][FORECAST_LEVELS], sum[FORECAST_LEVELS];

	(void)state;
	quantiles(normal, q[0]);
	for (int i = 0; i < FORECAST_LEVELS; i++)
		q[0][i] *= 4;
	copula_sum(&c, q, 1, 30, sum);
	assert_true(fabs(sum[Q50] - 400) < 1e-3);
	assert_true(fabs((sum[Q90] - 400) / score[Q90] - 50) < 1e-3);
}

/* Of opposed ones that are skewed the far tails, which none of the terms has, are left out. */
static void skewed_sums_are_as_drawn(void **state)
{
	static shape_fn *const pairs[][2] = {
		{lognormal, lognormal}, {exponential, exponential}, {lognormal, normal}};
	static const double rs[] = {0, 0.5, 0.9, -0.6};
	static const size_t ns[] = {2, 8, 16};

	(void)state;
	for (size_t p = 0; p < sizeof(pairs) / sizeof(*pairs); p++) {
		for (size_t i = 0; i < 12; i++) {
			double r = rs[i % 4], limit = r < 0 ? 0.12 : 0.05,
			       q[COPULA_UNITS][FORECAST_LEVELS];
			size_t n = ns[i / 4];
			double sum[FORECAST_LEVELS], want[FORECAST_LEVELS];
			struct copula c = learned(r, n);

			for (size_t k = 0; k < n; k++)
				quantiles(pairs[p][k % 2], q[k]);
			copula_sum(&c, q, n, 0, sum);
			drawn(pairs[p], r, n, want);
			for (int l = r < 0 ? Q10 : Q05; l <= (r < 0 ? Q95 : Q99); l++)
				if (fabs(sum[l] - want[l]) > limit * (want[Q95] - want[Q05]))
					fail_msg("pair %zu, r %.1f, n %zu, level %.3f: %.1f, not "
						 "%.1f",
						 p, r, n, forecast_level[l], sum[l], want[l]);
		}
	}
}

static void any_sum_is_in_order_and_no_less_than_its_medians(void **state)
{
	uint64_t seed = 3;
	struct copula c = {};

	(void)state;
	for (int t = 0; t < 20000; t++) {
		double q[COPULA_UNITS][FORECAST_LEVELS], z[COPULA_UNITS], sum[FORECAST_LEVELS];
		size_t n = 1 + (size_t)(COPULA_UNITS * input_random(&seed));
		double medians = 0;

		for (size_t k = 0; k < n; k++) {
			double at =
				input_random(&seed) < 0.2 ? 0 : pow(10, 6 * input_random(&seed));

			for (int i = 0; i < FORECAST_LEVELS; i++) {
				q[k][i] = at;
				at += input_random(&seed) < 0.3 ? 0 : at * input_random(&seed);
			}
			z[k] = input_random(&seed) < 0.1 ? NAN : 2 * input_normal(&seed);
			medians += q[k][Q50];
		}
		copula_learn(&c, z, n);
		if (t % 50 == 0)
			copula_forget(&c, n - 1);
		copula_sum(&c, q, n, 100 * input_random(&seed), sum);
		for (int i = 0; i < FORECAST_LEVELS; i++) {
			assert_true(isfinite(sum[i]) && sum[i] >= 0);
			assert_true(i == 0 || sum[i] >= sum[i - 1]);
			assert_true(i < Q50 || sum[i] >= medians * (1 - 1e-9));
		}
	}
}

static void scores_are_the_levels(void **state)
{
	const double q[FORECAST_LEVELS] = {10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110};
	const double flat[FORECAST_LEVELS] = {0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3};

	(void)state;
	assert_true(fabs(copula_score(q, 50)) < 1e-9);
	assert_true(fabs(copula_score(q, 75) - (1.28155 + 1.64485) / 2) < 1e-9);
	assert_true(fabs(copula_score(q, 5) + 2.34) < 1e-9);
	assert_true(fabs(copula_score(q, 1e9) - 3.37) < 1e-9);
	assert_true(isnan(copula_score(q, NAN)));
	assert_true(fabs(copula_score(flat, 0) - (1.28155 - 1.95996) / 2) < 1e-9);
	assert_true(fabs(copula_score(flat, 1) - (1.64485 + 1.95996) / 2) < 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_alone_is_itself),
		cmocka_unit_test(normals_add_by_their_correlation),
		cmocka_unit_test(opposites_cancel),
		cmocka_unit_test(an_error_adds_as_independent),
		cmocka_unit_test(skewed_sums_are_as_drawn),
		cmocka_unit_test(any_sum_is_in_order_and_no_less_than_its_medians),
		cmocka_unit_test(scores_are_the_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
