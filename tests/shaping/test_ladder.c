// SPDX-License-Identifier: GPL-2.0-or-later
/* test_ladder.c - known events lie in the right steps of every clock, each once. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/base/util.h"
#include "shaping/ladder.h"
#include "tests/check.h"

#define USE   300.0
#define TIMES 3.0
#define EVENT 7

static struct ladder ladder;

/* Two clocks, of 1 s and 1 min, that have seen @minutes and @seconds of the same. */
static void start(unsigned int minutes, unsigned int seconds)
{
	const struct ladder_conf conf = {
		.n_clocks = 2,
		.clock = {{.step_ns = NS_PER_S, .horizon = 300, .max_period = 8},
			  {.step_ns = 60 * NS_PER_S, .horizon = 60, .max_period = 8}},
	};

	assert_int_equal(ladder_new(&conf, &ladder), 0);
	for (unsigned int t = 0; t < 60 * minutes + seconds; t++)
		ladder_observe(&ladder, USE, NS_PER_S);
}

static double ahead(size_t clock, unsigned int steps)
{
	struct forecast f;

	series_predict(ladder.series[clock], steps, &f);
	return f.q[Q50];
}

static int event(uint32_t id, int64_t in_s, uint64_t lasts_s, double times)
{
	return ladder_event(&ladder, id, in_s * (int64_t)NS_PER_S, lasts_s * NS_PER_S, times);
}

/*
 * 40 s into a minute, what starts in 45 s and lasts 20 s is in the minute after this one alone, a
 * third of it at three times the load.
 */
static void an_event_lies_in_its_minute(void **state)
{
	(void)state;
	start(20, 40);
	assert_int_equal(event(EVENT, 45, 20, TIMES), 0);
	assert_float_equal(ahead(0, 45), USE, 0.1 * USE);
	assert_float_equal(ahead(0, 46), TIMES * USE, 0.3 * USE);
	assert_float_equal(ahead(0, 65), TIMES * USE, 0.3 * USE);
	assert_float_equal(ahead(0, 66), USE, 0.1 * USE);
	assert_float_equal(ahead(1, 1), USE, 0.1 * USE);
	assert_float_equal(ahead(1, 2), (2 + TIMES) / 3 * USE, 0.1 * USE);
	assert_float_equal(ahead(1, 3), USE, 0.1 * USE);
	ladder_free(&ladder);
}

/* How an event is on the clock of minutes, a row each: what is forecast of the next four. */
static void a_minute_is_multiplied_by_its_part(void **state)
{
	static const struct {
		int64_t in_s;
		uint64_t lasts_s;
		double times[4];
	} rows[] = {
		{60, 60, {1, 3, 1, 1}},
		{60, 30, {1, 2, 1, 1}},
		{60, 1, {1, 1 + 2.0 / 60, 1, 1}},
		{75, 60, {1, 2, 2, 1}}, /* fills none: half of both */
		{45, 30, {1.5, 1.5, 1, 1}},
		{45, 75, {3, 3, 1, 1}}, /* fills the second: as stated */
		{60, 75, {1, 3, 3, 1}}, /* fills the first */
		{45, 120, {3, 3, 3, 1}},
		{-30, 60, {2, 1, 1, 1}}, /* half is over */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start(20, 0);
		assert_int_equal(event(EVENT, rows[i].in_s, rows[i].lasts_s, TIMES), 0);
		for (unsigned int k = 0; k < 4; k++)
			assert_float_equal(ahead(1, k + 1), rows[i].times[k] * USE, 0.02 * USE);
		ladder_free(&ladder);
	}
}

/* Events of a second: over for the seconds, they take the room of the minute until it is over. */
static void what_was_refused_is_taken_later_and_once(void **state)
{
	(void)state;
	start(20, 0);
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(event(i, i, 1, 1), 0);
	for (int t = 0; t < 30; t++)
		ladder_observe(&ladder, USE, NS_PER_S);
	for (int again = 0; again < 3; again++)
		assert_int_equal(event(16, 120, 30, TIMES), -ENOSPC);
	assert_float_equal(ahead(0, 125), TIMES * USE, 0.3 * USE);
	assert_float_equal(ahead(1, 3), USE, 0.1 * USE);
	for (int t = 0; t < 30; t++)
		ladder_observe(&ladder, USE, NS_PER_S);
	for (int again = 0; again < 3; again++)
		assert_int_equal(event(16, 90, 30, TIMES), 0);
	assert_float_equal(ahead(0, 95), TIMES * USE, 0.3 * USE);
	assert_float_equal(ahead(1, 2), (1 + TIMES) / 2 * USE, 0.1 * USE);
	ladder_free(&ladder);
}

/* What a step of the shortest clock is, by kind and tick. */
static void a_first_step_is_whole_ticks(void **state)
{
	static const struct {
		enum ladder_kind kind;
		uint64_t tick_s, step_s;
	} rows[] = {
		{LADDER_CPU, 1, 1},      {LADDER_API, 1, 1},      {LADDER_MEMORY, 1, 5},
		{LADDER_TX, 1, 1},       {LADDER_QUIET, 1, 5},    {LADDER_MEMORY, 2, 6},
		{LADDER_SLOW_API, 1, 5}, {LADDER_CPU, 10, 10},    {LADDER_TX, 10, 10},
		{LADDER_IO, 1, 5},       {LADDER_CPU, 60, 60},    {LADDER_QUIET, 60, 60},
		{LADDER_SLOW_TX, 1, 5},  {LADDER_MEMORY, 90, 90},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ladder_conf conf;

		ladder_conf(rows[i].kind, rows[i].tick_s * NS_PER_S, 30 * NS_PER_S, &conf);
		assert_int_equal(conf.clock[0].step_ns, rows[i].step_s * NS_PER_S);
	}
}

/* Steps of five ticks that begin @phase ticks before the first one. */
static void start_slow(unsigned int phase)
{
	struct ladder_conf conf;

	ladder_conf(LADDER_MEMORY, NS_PER_S, 30 * NS_PER_S, &conf);
	conf.phase = phase;
	assert_int_equal(ladder_new(&conf, &ladder), 0);
}

/* Values 100, 110, 120 ...: five have a mean of 120, the next five of 170. */
static void a_first_step_is_the_mean_of_its_ticks(void **state)
{
	double value = 100, past[2];

	(void)state;
	start_slow(0);
	for (int t = 0; t < 10; t++, value += 10) {
		assert_int_equal(series_count(ladder.series[0]), t / 5);
		assert_int_equal(ladder_begun(&ladder), t > 0);
		ladder_observe(&ladder, value, NS_PER_S);
	}
	assert_int_equal(series_past_values(ladder.series[0], past, 2), 2);
	assert_float_equal(past[0], 120, 0.5);
	assert_float_equal(past[1], 170, 0.5);
	ladder_free(&ladder);
}

/* Five ticks that are a little early make a step all the same; late ones keep time. */
static void jitter_moves_no_step(void **state)
{
	static const uint64_t tick_ms[] = {998, 999, 1000, 1001, 1002};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tick_ms); i++) {
		start_slow(0);
		for (unsigned int t = 1; t <= 500; t++) {
			uint64_t n;

			ladder_observe(&ladder, USE, tick_ms[i] * NS_PER_S / 1000);
			n = series_count(ladder.series[0]);
			if (tick_ms[i] <= 1000)
				assert_int_equal(n, t / 5);
			assert_in_range(n, t / 5, t * tick_ms[i] / 5000 + 1);
		}
		ladder_free(&ladder);
	}
}

/* Steps of which nothing was measured have passed all the same. */
static void a_gap_of_first_steps_is_remembered(void **state)
{
	double past[4];

	(void)state;
	start_slow(0);
	for (int t = 0; t < 5; t++)
		ladder_observe(&ladder, USE, NS_PER_S);
	ladder_observe(&ladder, 2 * USE, 15 * NS_PER_S);
	assert_int_equal(series_past_values(ladder.series[0], past, 4), 4);
	assert_float_equal(past[0], USE, 1);
	assert_true(isnan(past[1]) && isnan(past[2]));
	assert_float_equal(past[3], 2 * USE, 1);
	ladder_free(&ladder);
}

/* Ladders of other phases step at other ticks, on all clocks: the first step is the shorter. */
static void phases_spread_the_steps(void **state)
{
	(void)state;
	for (unsigned int phase = 0; phase < 7; phase++) {
		start_slow(phase);
		for (unsigned int t = 1; t <= 120; t++) {
			ladder_observe(&ladder, USE, NS_PER_S);
			assert_int_equal(series_count(ladder.series[0]), (t + phase % 5) / 5);
			assert_int_equal(series_count(ladder.series[1]), (t + phase) / 60);
		}
		ladder_free(&ladder);
	}
}

/* What the ladder says of the next 12 s is what its series say. */
static void is_fresh(void)
{
	struct forecast peak;

	series_predict_peak(ladder.series[0], 12, &peak);
	assert_memory_equal(ladder_peak(&ladder, 0, 12), &peak, sizeof(peak));
}

/* Of the same series: as its forecasts were, whatever happened to them since they were asked. */
static void forecasts_are_kept_until_something_changes(void **state)
{
	const struct forecast *mean;
	struct forecast f;
	struct series_job *job;
	void *bytes;
	size_t size;

	(void)state;
	start(0, 0);
	for (unsigned int t = 0; t < 90; t++) {
		ladder_observe(&ladder, t % 8 == 0 ? TIMES * USE : USE, NS_PER_S);
		is_fresh();
	}
	mean = ladder_mean(&ladder, 0, 1);
	series_predict(ladder.series[0], 1, &f);
	assert_float_equal(mean->q[Q99], f.q[Q99], 1e-9);
	assert_float_equal(mean->mean, f.mean, 1e-9);
	assert_int_equal(event(EVENT, 4, 4, 5), 0);
	is_fresh();
	size = ladder_save_size(&ladder);
	bytes = malloc(size);
	assert_int_equal(ladder_save(&ladder, bytes, size), size);
	ladder_event_clear(&ladder);
	is_fresh();
	assert_int_equal(ladder_load(&ladder, bytes, size), 0);
	is_fresh();
	free(bytes);
	job = series_job_take(ladder.series[0]);
	assert_non_null(job);
	series_job_run(job);
	series_job_give(ladder.series[0], job);
	is_fresh();
	series_skip(ladder.series[0], 3);
	is_fresh();
	ladder_free(&ladder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_lies_in_its_minute),
		cmocka_unit_test(a_minute_is_multiplied_by_its_part),
		cmocka_unit_test(what_was_refused_is_taken_later_and_once),
		cmocka_unit_test(a_first_step_is_whole_ticks),
		cmocka_unit_test(a_first_step_is_the_mean_of_its_ticks),
		cmocka_unit_test(jitter_moves_no_step),
		cmocka_unit_test(a_gap_of_first_steps_is_remembered),
		cmocka_unit_test(phases_spread_the_steps),
		cmocka_unit_test(forecasts_are_kept_until_something_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
