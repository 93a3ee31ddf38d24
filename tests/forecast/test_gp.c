// SPDX-License-Identifier: GPL-2.0-or-later
/* test_gp.c - a Gaussian process says what linear algebra says, and finds the least of a bowl. */
#include <errno.h>
#include <math.h>

#include "forecast/gp.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

/* Worked out apart, by inverting the correlation matrix of four points. */
static void fit_agrees_with_the_inverse_of_the_matrix(void **state)
{
	static const double x[4][2] = {{.1, .2}, {.5, .9}, {.8, .3}, {.4, .4}};
	static const double y[4] = {1, .2, .7, .5}, at[2] = {.6, .6};
	static struct gp g;
	double mean, sd;

	(void)state;
	gp_init(&g, 2);
	for (int i = 0; i < 4; i++)
		assert_int_equal(gp_add(&g, x[i], y[i]), 0);
	assert_float_equal(gp_fit(&g, 0.4, 0.03), 4.622156676545225, 1e-9);
	assert_float_equal(g.mean, 0.6462753567340144, 1e-9);
	assert_float_equal(g.variance, 0.1185731300973132, 1e-9);
	gp_predict(&g, at, &mean, &sd);
	assert_float_equal(mean, 0.35867895817354617, 1e-9);
	assert_float_equal(sd, 0.18017872201386229, 1e-9);
	assert_float_equal(gp_improvement(&g, at, 0.2), 0.018745435138387858, 1e-9);
}

/* Two points far apart in lengths know nothing of each other: mean and half the square by hand. */
static void points_far_apart_are_told_from_the_mean(void **state)
{
	static const double a[1] = {0}, b[1] = {1};
	static struct gp g;
	double mean, sd;

	(void)state;
	gp_init(&g, 1);
	(void)gp_add(&g, a, 1);
	(void)gp_add(&g, b, 3);
	(void)gp_fit(&g, 1e-3, 1e-9);
	assert_float_equal(g.mean, 2, 1e-6);
	assert_float_equal(g.variance, 1, 1e-6);
	gp_predict(&g, b, &mean, &sd);
	assert_float_equal(mean, 3, 1e-6);
	assert_true(sd < 1e-3);
}

static void function_that_is_flat_promises_nothing(void **state)
{
	static struct gp g;
	uint64_t seed = 1;
	double x[GP_DIMS];

	(void)state;
	gp_init(&g, GP_DIMS);
	for (int i = 0; i < GP_MAX; i++) {
		for (int j = 0; j < GP_DIMS; j++)
			x[j] = input_random(&seed);
		assert_int_equal(gp_add(&g, x, 7), 0);
	}
	assert_int_equal(gp_add(&g, x, 7), -ENOSPC);
	gp_fit_best(&g);
	assert_float_equal(g.mean, 7, 1e-9);
	assert_true(gp_improvement(&g, x, 7) < 1e-5);
}

/* 30 evaluations by expected improvement come nearer than 30 at random, and near. */
static void search_finds_the_bottom_of_a_bowl(void **state)
{
	static struct gp g;
	uint64_t seed = 5;
	double best = INFINITY, blind = INFINITY;

	(void)state;
	gp_init(&g, 3);
	for (int n = 0; n < 30; n++) {
		double x[3] = {0}, random[3], most = -1, y = 0, z = 0;

		if (n >= 6)
			gp_fit_best(&g);
		for (int k = 0; k < 200; k++) {
			double gain;

			for (int j = 0; j < 3; j++)
				random[j] = input_random(&seed);
			gain = n >= 6 ? gp_improvement(&g, random, best) : 0;
			if (gain <= most)
				continue;
			most = gain;
			for (int j = 0; j < 3; j++)
				x[j] = random[j];
		}
		for (int j = 0; j < 3; j++) {
			y += (x[j] - 0.3) * (x[j] - 0.3);
			z += (random[j] - 0.3) * (random[j] - 0.3);
		}
		(void)gp_add(&g, x, y);
		best = fmin(best, y);
		blind = fmin(blind, z);
	}
	assert_true(best < 0.005);
	assert_true(best < blind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fit_agrees_with_the_inverse_of_the_matrix),
		cmocka_unit_test(points_far_apart_are_told_from_the_mean),
		cmocka_unit_test(function_that_is_flat_promises_nothing),
		cmocka_unit_test(search_finds_the_bottom_of_a_bowl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
