// SPDX-License-Identifier: GPL-2.0-or-later
/* test_hist.c - the histogram's slots: in order, without holes, and within 3.03 % of what is in
 * them. */
#include "tests/check.h"

#include "agent/base/util.h"
#include "agent/counters.h"
#include "bpf/hist.h"

static void slots_begin_where_they_say(void **state)
{
	assert_int_equal(fsh_hist_slot(0), 0);
	assert_int_equal(fsh_hist_slot(1023), 0);
	assert_int_equal(fsh_hist_slot(1024), 1);
	assert_int_equal(fsh_hist_slot(1024 + 63), 1);
	assert_int_equal(fsh_hist_slot(1024 + 64), 2);
	assert_int_equal(fsh_hist_slot(2048), 17);
	assert_int_equal(fsh_hist_slot((UINT64_C(1) << 36) - 1), FSH_HIST_SLOTS - 2);
	assert_int_equal(fsh_hist_slot(UINT64_C(1) << 36), FSH_HIST_SLOTS - 1);
	assert_int_equal(fsh_hist_slot(UINT64_MAX), FSH_HIST_SLOTS - 1);
	for (unsigned int slot = 1; slot < FSH_HIST_SLOTS; slot++) {
		assert_int_equal(fsh_hist_slot(fsh_hist_lower(slot)), slot);
		assert_int_equal(fsh_hist_slot(fsh_hist_lower(slot) - 1), slot - 1);
	}
}

/* A tiny generator: the same values every time. */
static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void a_value_is_reported_within_one_33rd(void **state)
{
	uint64_t x = 88172645463325252;

	for (int i = 0; i < 200000; i++) {
		uint64_t ns = 1024 + next_random(&x) % ((UINT64_C(1) << (11 + i % 26)) - 1024);
		double told = counters_slot_ns(fsh_hist_slot(ns));

		assert_true(told >= (double)ns * (1 - 1.0 / 33 - 1e-9));
		assert_true(told <= (double)ns * (1 + 1.0 / 33 + 1e-9));
	}
}

static void log2_is_that_of_the_highest_bit(void **state)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		assert_int_equal(fsh_log2(UINT64_C(1) << bit), bit);
		assert_int_equal(fsh_log2((UINT64_C(2) << bit) - 1), bit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_begin_where_they_say),
		cmocka_unit_test(a_value_is_reported_within_one_33rd),
		cmocka_unit_test(log2_is_that_of_the_highest_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
