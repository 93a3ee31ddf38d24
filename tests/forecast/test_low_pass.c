// SPDX-License-Identifier: GPL-2.0-or-later
/* test_low_pass.c - strong waves are carried on, sums follow the window. */
#include "tests/check.h"
#include "tests/forecast/inputs.h"
#include "tests/forecast/lone.h"

static struct guess guess(struct lone *l, unsigned int step)
{
	struct guess g;

	l->model->predict(l->state, l->past, step, &g);
	return g;
}

static double two_waves(int t)
{
	return 1000 * exp(0.4 * sin(2 * M_PI * t / 48) + 0.2 * cos(2 * M_PI * 3 * t / 48));
}

/* The waves come out whole; noise goes to the other fourteen, each below three times its share. */
static void strong_waves_are_carried_on(void **state)
{
	static const unsigned int periods[] = {48};
	struct lone *l = lone_new(&model_low_pass, 100, periods, 1, 1000);
	uint64_t seed = 1;
	double error = 0;

	(void)state;
	for (int t = 0; t < 480; t++)
		lone_feed(l, two_waves(t) * exp(0.2 * input_normal(&seed)));
	for (unsigned int step = 1; step <= 48; step++)
		error += fabs(log(lone_median(l, step) / two_waves(479 + (int)step))) / 48;
	/* Phase by phase the mean of three cycles has 0.8 x 0.2 / sqrt(3), which is 0.092. */
	assert_true(error < 0.07);
	lone_free(l);
}

/* Gaps, and what falls out of the window: the sums are those of a window read at once. */
static void sums_slide_along(void **state)
{
	static const unsigned int periods[] = {48};
	struct lone *slid = lone_new(&model_low_pass, 100, periods, 1, 1000);
	uint64_t seed = 2;
	struct guess before, after;

	(void)state;
	for (int t = 0; t < 2001; t++)
		lone_feed(slid, input_random(&seed) < 0.1
					? NAN
					: two_waves(t) * exp(0.1 * input_normal(&seed)));
	before = guess(slid, 7);
	/* Where the scale stays the same sums are read anew; 2001 steps have just been looked at.
	 */
	slid->model->rescale(slid->state, slid->past, slid->past->offset, slid->past->offset);
	after = guess(slid, 7);
	assert_true(fabsf(before.x - after.x) < 1e-4f);
	lone_free(slid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strong_waves_are_carried_on),
		cmocka_unit_test(sums_slide_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
