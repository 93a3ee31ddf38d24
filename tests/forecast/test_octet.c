// SPDX-License-Identifier: GPL-2.0-or-later
/* test_octet.c - sizes in one byte come back to 3 %, in order, and never worse than clipped. */
#include <math.h>

#include "forecast/octet.h"
#include "tests/check.h"

static void sizes_come_back_to_three_per_cent(void **state)
{
	uint8_t before = 0;

	(void)state;
	for (double size = 7e-5; size < 3.8; size *= 1.001) {
		uint8_t code = octet_encode(size * 5, 5);

		assert_true(fabs(octet_decode(code, 5) / 5 / size - 1) <= 1.0 / 32);
		assert_true(code >= before);
		before = code;
	}
	/* 1.5 is 2^14 steps of 2^-14 and half of that: exponent 14, fraction 8 of 16. */
	assert_int_equal(octet_encode(1.5, 1), 14 * 16 + 8);
	assert_true(octet_decode(14 * 16 + 8, 1) == 1.5);
}

static void what_does_not_fit_is_clipped(void **state)
{
	(void)state;
	assert_int_equal(octet_encode(0, 1), 0);
	assert_int_equal(octet_encode(-1, 1), 0);
	assert_int_equal(octet_encode(NAN, 1), 0);
	assert_int_equal(octet_encode(1e-9, 1), 0);
	assert_true(octet_decode(0, 1) == 0);
	assert_int_equal(octet_encode(1e9, 1), UINT8_MAX);
	assert_int_equal(octet_encode(INFINITY, 1), UINT8_MAX);
	assert_true(octet_decode(UINT8_MAX, 1) == 3.875);
	for (int code = 1; code <= UINT8_MAX; code++)
		assert_int_equal(octet_encode(octet_decode((uint8_t)code, 3), 3), code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_come_back_to_three_per_cent),
		cmocka_unit_test(what_does_not_fit_is_clipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
