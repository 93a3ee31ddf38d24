// SPDX-License-Identifier: GPL-2.0-or-later
/* test_recent.c - a series gives back the values it was given. */
#include "tests/check.h"
#include "tests/forecast/inputs.h"

static void the_newest_values_come_oldest_first(void **state)
{
	struct series *s = input_series(10, 30);
	double got[200];

	(void)state;
	assert_int_equal(series_past_values(s, got, 200), 0);
	for (int t = 0; t < 50; t++)
		series_observe(s, t == 47 ? NAN : 100.0 * t);
	assert_int_equal(series_past_values(s, got, 4), 4);
	assert_float_equal(got[0], 4600, 4600 * 1e-3);
	assert_true(isnan(got[1]));
	assert_float_equal(got[3], 4900, 4900 * 1e-3);
	assert_int_equal(series_past_values(s, got, 200), 50);
	assert_true(got[0] == 0);
	for (int t = 50; t < 150; t++)
		series_observe(s, 100.0 * t);
	/* Three times max_period is what is remembered. */
	assert_int_equal(series_past_values(s, got, 200), 90);
	assert_float_equal(got[0], 6000, 6000 * 1e-3);
	series_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_values_come_oldest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
