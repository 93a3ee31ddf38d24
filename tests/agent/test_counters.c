// SPDX-License-Identifier: GPL-2.0-or-later
/* test_counters.c - quantiles from two readings of a histogram, and requests in flight. */
#include "tests/check.h"

#include <math.h>

#include "agent/counters.h"

static uint32_t before[FSH_HIST_SLOTS], after[FSH_HIST_SLOTS];

static void add(uint64_t us, uint32_t n)
{
	after[fsh_hist_slot(us * 1000)] += n;
}

static void assert_about(double got, double want)
{
	assert_true(fabs(got - want) <= want * 0.0304);
}

static int fresh(void **state)
{
	for (int i = 0; i < FSH_HIST_SLOTS; i++)
		before[i] = after[i] = (uint32_t)i;
	return 0;
}

static void quantiles_are_of_the_growth_alone(void **state)
{
	struct counters_latency l;

	add(100, 900);
	add(1000, 90);
	add(20000, 9);
	add(3000000, 1);
	counters_latency(before, after, UINT64_C(1000) * 1000000, &l);
	assert_int_equal(l.n, 1000);
	assert_about(l.p50_us, 100);
	assert_about(l.p90_us, 100);
	assert_about(l.p99_us, 1000);
	assert_about(l.p999_us, 20000);
	assert_about(l.max_us, 3000000);
	assert_true(fabs(l.mean_us - 1000) < 1e-9);
}

static void one_value_is_every_quantile(void **state)
{
	struct counters_latency l;

	add(500, 1);
	counters_latency(before, after, 500000, &l);
	assert_about(l.p50_us, 500);
	assert_about(l.p999_us, 500);
	assert_about(l.max_us, 500);
}

static void no_value_is_not_a_number(void **state)
{
	struct counters_latency l;

	counters_latency(before, after, 0, &l);
	assert_int_equal(l.n, 0);
	assert_true(isnan(l.p50_us) && isnan(l.p999_us) && isnan(l.mean_us) && isnan(l.max_us));
}

static void counters_may_wrap(void **state)
{
	struct counters_latency l;
	unsigned int slot = fsh_hist_slot(100000);

	before[slot] = UINT32_MAX - 1;
	after[slot] = 2;
	counters_latency(before, after, 400000, &l);
	assert_int_equal(l.n, 4);
	assert_about(l.p50_us, 100);
}

static void in_flight_is_never_negative(void **state)
{
	struct counters_totals t = {.requests = 10, .done = 7, .aborted = 1};

	assert_int_equal(counters_in_flight(&t), 2);
	t.done = 12;
	assert_int_equal(counters_in_flight(&t), 0);
}

static void every_reason_has_a_name(void **state)
{
	for (unsigned int i = 0; i < FSH_UNSEEN_COUNT; i++)
		assert_non_null(counters_unseen_name(i));
	assert_null(counters_unseen_name(FSH_UNSEEN_COUNT));
	assert_string_equal(counters_unseen_name(FSH_UNSEEN_TLS), "tls");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(quantiles_are_of_the_growth_alone, fresh),
		cmocka_unit_test_setup(one_value_is_every_quantile, fresh),
		cmocka_unit_test_setup(no_value_is_not_a_number, fresh),
		cmocka_unit_test_setup(counters_may_wrap, fresh),
		cmocka_unit_test(in_flight_is_never_negative),
		cmocka_unit_test(every_reason_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
