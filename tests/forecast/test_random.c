// SPDX-License-Identifier: GPL-2.0-or-later
/* test_random.c - the same numbers for the same seed, and evenly spread ones. */
#include "forecast/random.h"
#include "tests/check.h"

/* From 0 the first is the increment alone; those from 1 were worked out with whole numbers. */
static void a_seed_says_what_comes(void **state)
{
	uint64_t none = 0, seed = 1, other = 1;

	(void)state;
	assert_int_equal(random_bits(&none, 53), UINT64_C(1442695040888963407) >> 11);
	assert_int_equal(random_bits(&seed, 31), 908834774);
	assert_int_equal(random_bits(&seed, 31), 1093944153);
	assert_int_equal(random_bits(&seed, 24), 10877665);
	for (int i = 3; i < 999; i++)
		(void)random_bits(&seed, 1);
	for (int i = 0; i < 999; i++)
		(void)random_unit(&other);
	assert_int_equal(seed, other);
	assert_int_equal(random_bits(&seed, 31), 2055995315);
}

/*
 * Of 65,536 pairs one after the other, 256 fall into each of 16 x 16 cells, give or take:
 * chi-square of 255 degrees of freedom has mean 255 and sd 22.6.
 */
static void pairs_are_spread_evenly(void **state)
{
	static unsigned int cells[16][16];
	uint64_t seed = 7;
	double chi2 = 0;

	(void)state;
	for (int i = 0; i < 65536; i++) {
		double x = random_unit(&seed), y = random_unit(&seed);

		assert_true(x >= 0 && x < 1 && y >= 0 && y < 1);
		cells[(int)(x * 16)][(int)(y * 16)]++;
	}
	for (size_t i = 0; i < 256; i++) {
		double d = (double)cells[i / 16][i % 16] - 256;

		chi2 += d * d / 256;
	}
	assert_true(chi2 > 255 - 4 * 22.6 && chi2 < 255 + 4 * 22.6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_says_what_comes),
		cmocka_unit_test(pairs_are_spread_evenly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
