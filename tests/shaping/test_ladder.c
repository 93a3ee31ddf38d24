// SPDX-License-Identifier: GPL-2.0-or-later
/* test_ladder.c - known events lie in the right steps of every clock, each once. */
#include <errno.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_lies_in_its_minute),
		cmocka_unit_test(a_minute_is_multiplied_by_its_part),
		cmocka_unit_test(what_was_refused_is_taken_later_and_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
