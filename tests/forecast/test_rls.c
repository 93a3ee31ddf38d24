// SPDX-License-Identifier: GPL-2.0-or-later
/* test_rls.c - recursive least squares against the equations it is to solve, and what is bad for
 * them. */
#include "forecast/rls.h"

#include "tests/check.h"
#include "tests/forecast/inputs.h"

#define INPUTS 5
#define LOOSE  30.0

/* Solves the normal equations @a x = @b by Gauss's method; they are positive. */
static void solve(double a[INPUTS][INPUTS], double *b)
{
	for (int k = 0; k < INPUTS; k++) {
		for (int i = k + 1; i < INPUTS; i++) {
			double share = a[i][k] / a[k][k];

			for (int j = k; j < INPUTS; j++)
				a[i][j] -= share * a[k][j];
			b[i] -= share * b[k];
		}
	}
	for (int i = INPUTS; i-- > 0;) {
		for (int j = i + 1; j < INPUTS; j++)
			b[i] -= a[i][j] * b[j];
		b[i] /= a[i][i];
	}
}

/* The ridge fades as all that was learned does. Few values, so that none is cut. */
static void coefficients_solve_the_normal_equations(void **state)
{
	const double keep = 0.9;
	double a[INPUTS][INPUTS] = {}, b[INPUTS] = {};
	float numbers[RLS_NUMBERS(RLS_MAX)];
	struct rls r;
	uint64_t seed = 1;

	(void)state;
	rls_init(&r, numbers, INPUTS, LOOSE);
	for (int i = 0; i < INPUTS; i++)
		a[i][i] = 1 / LOOSE;
	for (int t = 0; t < 25; t++) {
		double in[INPUTS], common = input_normal(&seed), out = 0.3 * input_normal(&seed);

		for (int i = 0; i < INPUTS; i++) {
			in[i] = common + input_normal(&seed);
			out += (i - 2) * in[i];
		}
		for (int i = 0; i < INPUTS; i++) {
			for (int j = 0; j < INPUTS; j++)
				a[i][j] = keep * a[i][j] + in[i] * in[j];
			b[i] = keep * b[i] + in[i] * out;
		}
		rls_learn(&r, numbers, in, out, keep);
	}
	solve(a, b);
	for (int i = 0; i < INPUTS; i++)
		assert_true(fabs(numbers[i] - b[i]) < 1e-4);
}

/* Inputs that are nearly one and the same, then none at all, for long: what is known of the one
 * direction stays, and nothing runs away in the others. */
static void inputs_that_are_the_same_do_no_harm(void **state)
{
	double in[RLS_MAX], worst = 0;
	float numbers[RLS_NUMBERS(RLS_MAX)];
	struct rls r;
	uint64_t seed = 2;

	(void)state;
	rls_init(&r, numbers, RLS_MAX, LOOSE);
	for (int t = 0; t < 300000; t++) {
		double common = t % 1000 < 900 ? input_normal(&seed) : 0;

		for (int i = 0; i < RLS_MAX; i++)
			in[i] = common * (1 + 1e-6 * input_normal(&seed));
		if (t > 1000)
			worst = fmax(worst, fabs(rls_predict(&r, numbers, in) - 2 * common));
		rls_learn(&r, numbers, in, 2 * common, 0.98);
	}
	assert_true(worst < 0.01);
	for (int i = 0; i < RLS_MAX; i++) {
		assert_true(numbers[RLS_MAX + i * (i + 3) / 2] > 0);
		assert_true(fabsf(numbers[i]) < 10);
	}
}

/* With noise of .1 and the memory of 100 values coefficients scatter by .1 sqrt(.01 / 2) = .007. */
static void what_changes_is_learned_anew(void **state)
{
	float numbers[RLS_NUMBERS(RLS_MAX)];
	struct rls r;
	uint64_t seed = 3;

	(void)state;
	rls_init(&r, numbers, 2, LOOSE);
	for (int t = 0; t < 100000; t++) {
		double in[2] = {input_normal(&seed), input_normal(&seed)};

		double out = (t < 99000 ? 3 : 1) * in[0] - 2 * in[1];

		rls_learn(&r, numbers, in, out + 0.1 * input_normal(&seed), 0.99);
	}
	assert_true(fabsf(numbers[0] - 1) < 0.03f);
	assert_true(fabsf(numbers[1] + 2) < 0.03f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(coefficients_solve_the_normal_equations),
		cmocka_unit_test(inputs_that_are_the_same_do_no_harm),
		cmocka_unit_test(what_changes_is_learned_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
