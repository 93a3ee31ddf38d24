// SPDX-License-Identifier: GPL-2.0-or-later
/* test_histogram.c - percentiles of what came, the past fading. */
#include "tests/check.h"
#include "tests/forecast/lone.h"

static struct guess guess(struct lone *l, unsigned int step)
{
	struct guess g;

	l->model->predict(l->state, l->past, step, &g);
	return g;
}

/* Of 1 .. 100 on the log scale the deciles are 10, 50 and 90; bins are 2 % wide at first. */
static void percentiles_are_those_of_the_values(void **state)
{
	struct lone *l = lone_new(&model_histogram, 100, NULL, 0, 1000);
	struct guess g;

	(void)state;
	for (int t = 0; t < 1000; t++)
		lone_feed(l, 1000 * exp(0.01 * (t * 37 % 100 + 1)));
	g = guess(l, 1);
	assert_true(fabs(log(lone_median(l, 1) / 1000) - 0.5) < 0.04);
	assert_true(fabs(g.lo - 0.4) < 0.04);
	assert_true(fabs(g.hi - 0.4) < 0.04);
	lone_free(l);
}

/* Steps of a second: a day is the half-life. */
static void what_is_long_ago_fades(void **state)
{
	struct lone *l = lone_new(&model_histogram, 100, NULL, 0, 1000);

	(void)state;
	for (int t = 0; t < 86400; t++)
		lone_feed(l, 1000);
	for (int t = 0; t < 86400; t++)
		lone_feed(l, 4000);
	/* Two thirds of the weight is that of the second day. */
	assert_true(fabs(lone_median(l, 60) / 4000 - 1) < 0.1);
	lone_free(l);
}

static void values_beyond_all_bins_find_room(void **state)
{
	struct lone *l = lone_new(&model_histogram, 100, NULL, 0, 1000);
	struct guess g;

	(void)state;
	for (int t = 0; t < 320; t++)
		lone_feed(l, t % 16 == 0 ? 1e6 : t % 16 == 8 ? 1 : 1000);
	g = guess(l, 1);
	assert_true(fabs(log(lone_median(l, 1) / 1000)) < 0.35); /* a bin of 0.02 x 16 by now */
	assert_true(g.lo >= 0 && g.lo < 1 && g.hi >= 0 && g.hi < 1);
	lone_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_are_those_of_the_values),
		cmocka_unit_test(what_is_long_ago_fades),
		cmocka_unit_test(values_beyond_all_bins_find_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
