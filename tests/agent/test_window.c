// SPDX-License-Identifier: GPL-2.0-or-later
/* test_window.c - the last minute of an API: what leaves, what stays, what is within an objective.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "agent/base/cleanup.h"
#include "agent/worker/window.h"

#define MS 1000000ULL

static void answer(struct window_counts *row, unsigned int n, uint64_t ns)
{
	row->requests += n;
	row->total_sum_ns += n * ns;
	row->ttfb_sum_ns += n * ns;
	row->hist.total[fsh_hist_slot(ns)] += n;
	row->hist.ttfb[fsh_hist_slot(ns)] += n;
}

static void quantiles_are_of_the_last_minute_alone(void **state)
{
	_cleanup_(freep) struct window_counts *row = calloc(1, sizeof(*row));
	struct view_latency ttfb, total;
	struct window w = {};
	double rate;

	(void)state;
	answer(row, 1000, 500 * MS); /* long ago */
	window_step(&w, row);
	for (int i = 0; i < WINDOW_STEPS; i++)
		window_step(&w, row);
	window_view(&w, row, &rate, &ttfb, &total);
	assert_true(isnan(total.p50));
	assert_true(rate == 0);
	answer(row, 990, 10 * MS);
	answer(row, 10, 100 * MS);
	window_step(&w, row);
	window_view(&w, row, &rate, &ttfb, &total);
	assert_true(fabs(total.p50 / 10000 - 1) < 0.031);
	assert_true(fabs(total.p99 / 10000 - 1) < 0.031);
	assert_true(fabs(total.p999 / 100000 - 1) < 0.031);
	assert_true(fabs(total.mean - (990 * 10 + 10 * 100)) < 1); /* us: 10.9 ms */
	assert_true(fabs(rate - 1000.0 / 60) < 0.01);
	window_release(&w);
}

static void what_was_not_stepped_yet_counts_too(void **state)
{
	_cleanup_(freep) struct window_counts *row = calloc(1, sizeof(*row));
	struct view_latency ttfb, total;
	struct window w = {};
	double rate;

	(void)state;
	answer(row, 1, 10 * MS);
	window_step(&w, row);
	answer(row, 99, 1 * MS);
	window_view(&w, row, &rate, &ttfb, &total);
	assert_true(fabs(total.p50 / 1000 - 1) < 0.031);
	assert_true(fabs(total.max / 10000 - 1) < 0.031);
	window_release(&w);
}

static void an_objective_cuts_its_slot_in_two(void **state)
{
	_cleanup_(freep) struct window_counts *row = calloc(1, sizeof(*row));

	(void)state;
	answer(row, 10, 50 * MS);
	answer(row, 5, 200 * MS);
	assert_int_equal(window_within(row->hist.total, 100000), 10);
	assert_int_equal(window_within(row->hist.total, 1000), 0);
	assert_int_equal(window_within(row->hist.total, 1000000), 15);
	assert_int_equal(window_within(row->hist.total, 100000000), 15); /* above the last slot */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_of_the_last_minute_alone),
		cmocka_unit_test(what_was_not_stepped_yet_counts_too),
		cmocka_unit_test(an_objective_cuts_its_slot_in_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
