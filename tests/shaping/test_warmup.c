// SPDX-License-Identifier: GPL-2.0-or-later
/* test_warmup.c - how long a service takes to be warm, by hand-worked sequences of its cost. */
#include <math.h>
#include <stdint.h>

#include "tests/check.h"
#include "agent/base/util.h"
#include "shaping/warmup.h"

#define NEAR 1e-9

static struct warmup w;

/* @seconds of a load that usually costs @mcpu, at @times of it. */
static void run_at(int seconds, double mcpu, double times)
{
	for (int i = 0; i < seconds; i++)
		warmup_observe(&w, &(struct warmup_sample){.seconds = 1,
							   .cpu_us = mcpu * 1000 * times,
							   .usual_us = mcpu * 1000,
							   .answered = mcpu > 0});
}

static void stop(void)
{
	warmup_observe(&w, &(struct warmup_sample){
				   .seconds = 1, .cpu_us = 0, .usual_us = 0, .is_empty = true});
}

/* Busy without an answer, as what reads its data is. */
static void read_data(int seconds)
{
	for (int i = 0; i < seconds; i++)
		warmup_observe(&w,
			       &(struct warmup_sample){.seconds = 1, .cpu_us = 8e5, .usual_us = 0});
}

static double learned(enum warmup_kind kind)
{
	return w.learned[kind].seconds;
}

/* Reads for 20 s, then costs twice as much for 40 s: 60 s, and once is not enough. */
static void a_start_takes_until_requests_cost_the_usual(void **state)
{
	warmup_init(&w);
	run_at(120, 400, 1);
	for (int i = 1; i <= 2; i++) {
		stop();
		read_data(20);
		run_at(40, 400, 2);
		run_at(60, 400, 1);
		assert_int_equal(w.learned[WARMUP_START].seen, i);
		assert_float_equal(w.learned[WARMUP_START].last_s, 60, NEAR);
		assert_float_equal(learned(WARMUP_START), i == 1 ? 0 : 60, NEAR);
	}
	assert_int_equal(w.learned[WARMUP_BURST].seen, 0);
	assert_float_equal(warmup_s(&w), 60, NEAR);
}

/* 60, 60, 20: a quarter of the way down; 30 more in a row do not go above what both took. */
static void shorter_ones_count_slowly(void **state)
{
	static const int took_s[] = {60, 60, 20, 100};
	static const double is_s[] = {0, 60, 50, 50};

	warmup_init(&w);
	run_at(60, 400, 1);
	for (size_t i = 0; i < ARRAY_SIZE(took_s); i++) {
		stop();
		run_at(took_s[i], 400, 1.5);
		run_at(60, 400, 1);
		assert_float_equal(learned(WARMUP_START), is_s[i], NEAR);
	}
}

/* From 100 to 300 mcpu: 35 s until its caches are warm again, and back, twice. */
static void a_burst_takes_until_requests_cost_the_usual(void **state)
{
	warmup_init(&w);
	run_at(120, 100, 1);
	for (int i = 1; i <= 2; i++) {
		run_at(35, 300, 1.3);
		run_at(60, 300, 1);
		assert_int_equal(w.learned[WARMUP_BURST].seen, i);
		run_at(300, 100, 1);
	}
	assert_float_equal(learned(WARMUP_BURST), 35, NEAR);
	/* One that is as quick as usual: 35 - 35 / 4. */
	run_at(60, 300, 1);
	assert_float_equal(learned(WARMUP_BURST), 26.25, NEAR);
}

/* A load that goes away before its cost is the usual says nothing of how long that takes. */
static void a_load_that_ends_says_nothing(void **state)
{
	warmup_init(&w);
	run_at(120, 100, 1);
	for (int i = 0; i < 5; i++) {
		run_at(60, 300, 1.5);
		run_at(120, 100, 1);
	}
	assert_int_equal(w.learned[WARMUP_BURST].seen, 0);
	assert_float_equal(warmup_s(&w), 0, NEAR);
}

/* Another cost for good, an alternating one and one just below a fifth more are no warm-ups. */
static void what_does_not_end_is_no_warm_up(void **state)
{
	warmup_init(&w);
	run_at(60, 400, 1);
	stop();
	run_at(400, 400, 2);
	run_at(60, 400, 1);
	assert_int_equal(w.learned[WARMUP_START].seen, 0);
	stop();
	for (int i = 0; i < 40; i++) {
		run_at(5, 400, 1.5);
		run_at(5, 400, 0.9);
	}
	assert_int_equal(w.learned[WARMUP_START].seen, 0);
	stop();
	run_at(60, 400, 1.19);
	assert_int_equal(w.learned[WARMUP_START].seen, 1);
	assert_float_equal(w.learned[WARMUP_START].last_s, 0, NEAR);
}

/* It reads for 30 s, then waits for work: 30 s to start; and the first work is a burst. */
static void a_start_without_work_ends_when_it_idles(void **state)
{
	warmup_init(&w);
	stop();
	read_data(30);
	run_at(60, 0, 1);
	assert_int_equal(w.learned[WARMUP_START].seen, 1);
	assert_float_equal(w.learned[WARMUP_START].last_s, 30, NEAR);
	run_at(25, 200, 2);
	run_at(20, 200, 1);
	assert_float_equal(w.learned[WARMUP_BURST].last_s, 25, NEAR);
}

/* What ran already has not started; what is not known is not judged; a gap ends what is measured.
 */
static void what_was_not_seen_is_not_learned(void **state)
{
	warmup_init(&w);
	run_at(60, 400, 2);
	run_at(60, 400, 1);
	assert_int_equal(w.learned[WARMUP_START].seen, 0);
	stop();
	run_at(20, 400, 2);
	warmup_drop(&w);
	run_at(60, 400, 1);
	assert_int_equal(w.learned[WARMUP_START].seen, 0);
	stop();
	for (int i = 0; i < 100; i++)
		warmup_observe(&w, &(struct warmup_sample){.seconds = 1,
							   .cpu_us = i % 2 ? NAN : 9e5,
							   .usual_us = NAN,
							   .answered = true});
	run_at(20, 400, 1);
	assert_int_equal(w.learned[WARMUP_START].seen, 0);
	assert_float_equal(warmup_s(&w), 0, NEAR);
	assert_true(warmup_is_sound(&w));
}

/* Whatever comes, what is saved can be loaded, and nothing takes longer than 5 min. */
static void anything_leaves_it_sound(void **state)
{
	static const double values[] = {NAN, INFINITY, -1, 0, 1, 1e300, 1e5, 2e5, 8e5, 1e6};
	uint64_t seed = 11;

	warmup_init(&w);
	for (int i = 0; i < 200000; i++) {
		uint64_t r = seed = seed * UINT64_C(6364136223846793005) + 1;
		double cpu = values[(r >> 33) % 10], usual = values[(r >> 40) % 10];
		bool wild = (r >> 45) % 16 == 0;

		warmup_observe(&w, &(struct warmup_sample){.seconds = (r >> 50) % 64 ? 1 : 170,
							   .cpu_us = wild ? cpu : 4e5,
							   .usual_us = wild ? usual : 3e5,
							   .is_empty = (r >> 56) % 64 == 0,
							   .answered = r >> 63});
		assert_true(warmup_is_sound(&w));
		assert_true(warmup_s(&w) <= 300);
	}
	assert_true(w.learned[WARMUP_START].seen > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_takes_until_requests_cost_the_usual),
		cmocka_unit_test(shorter_ones_count_slowly),
		cmocka_unit_test(a_burst_takes_until_requests_cost_the_usual),
		cmocka_unit_test(a_load_that_ends_says_nothing),
		cmocka_unit_test(what_does_not_end_is_no_warm_up),
		cmocka_unit_test(a_start_without_work_ends_when_it_idles),
		cmocka_unit_test(what_was_not_seen_is_not_learned),
		cmocka_unit_test(anything_leaves_it_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
