// SPDX-License-Identifier: GPL-2.0-or-later
/* test_minmax.c - the quick fmax and fmin are those of the mathematics library. */
#include "agent/base/minmax.h"
#include "agent/base/util.h"
#include "tests/check.h"

static void same(double is, double should)
{
	assert_true(isnan(is) == isnan(should));
	assert_true(isnan(should) || is == should);
}

static void all_kinds_of_numbers_are_compared_alike(void **state)
{
	static const double v[] = {NAN,    -NAN,    INFINITY, -INFINITY, 0.0, -0.0, 1, -1,
				   5e-324, -5e-324, 1.7e308,  -1.7e308,  2.5, 1e-9, 3};

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(v); k++) {
			/* In parentheses it is no macro. */
			same(fmax(v[i], v[k]), (fmax)(v[i], v[k]));
			same(fmin(v[i], v[k]), (fmin)(v[i], v[k]));
		}
	}
}

static void an_argument_is_taken_once(void **state)
{
	double a = 1;

	assert_true(fmax(a++, 0) == 1 && a == 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds_of_numbers_are_compared_alike),
		cmocka_unit_test(an_argument_is_taken_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
