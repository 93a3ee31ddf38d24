// SPDX-License-Identifier: GPL-2.0-or-later
/* test_loan.c - what a limit under an objective is lent while requests wait, and gives back. */
#include <errno.h>

#include "tests/check.h"
#include "tests/shaping/lent.h"

/*
 * 60 requests of 3 ms are 180 ms of CPU, to be done within twice the objective's 100 ms: 900 mcpu
 * more. What was in flight without being throttled, a request or less, counts as usual.
 */
static void what_waits_is_lent_for(void **state)
{
	struct plan_entry e;
	uint64_t plan;

	(void)state;
	(void)give_back();
	plan = limit();
	assert_true(look(100, 60, 0.5, &e));
	assert_int_equal(e.reason, REASON_LOAN);
	assert_true(e.urgent && e.change);
	assert_int_equal(e.before, plan);
	assert_float_equal((double)(e.value - plan), 900, 60);
}

static void what_is_not_throttled_is_not_lent_for(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	assert_false(look(100, 60, 0, &e));
	assert_true(look(200, 60, 0.1, &e));
}

/* By a limit of 240 a request is done in 13 ms, 3 in 38: more than a fifth of what is allowed. */
static void a_short_wait_is_not_lent_for(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	assert_in_range(limit(), 225, 285);
	assert_false(look(100, 1, 0.3, &e));
	assert_true(look(200, 3, 0.3, &e));
}

/* It is kept for half a second from when it last grew, then all of it goes. */
static void it_is_given_back(void **state)
{
	struct plan_entry e;
	uint64_t plan;

	(void)state;
	(void)give_back();
	plan = limit();
	assert_true(look(100, 60, 0.5, &e));
	obey(&e);
	for (unsigned int ms = 200; ms < 600; ms += 100)
		assert_false(look(ms, 0, 0, &e));
	assert_true(look(600, 0, 0, &e));
	assert_int_equal(e.reason, REASON_LOAN_BACK);
	assert_false(e.urgent); /* which may only go up */
	assert_int_equal(e.value, plan);
	obey(&e);
	assert_false(look(1200, 0, 0, &e));
}

/* The plan is decided as if there were no loan: nothing lowers it, and the limit stays. */
static void a_tick_leaves_the_loan_alone(void **state)
{
	struct plan_entry e;
	const struct plan_entry *t;
	uint64_t plan;

	(void)state;
	(void)give_back();
	plan = limit();
	assert_true(look(100, 60, 0.5, &e));
	obey(&e);
	calm_tick();
	t = world_entry(&q.w, 0, KNOB_CPU_MAX);
	assert_int_equal(t->before, e.value);
	assert_in_range(limit(), e.value - plan / 4, e.value + plan / 4);
}

/* Where the plan itself goes beyond what is lent, there is no more on top of it. */
static void a_higher_plan_takes_over_from_the_loan(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	assert_true(look(100, 14, 0.5, &e));
	obey(&e);
	for (int t = 0; t < 3; t++) {
		tick_of(300);
		seen();
	}
	assert_true(limit() > e.value);
	assert_true(limit() < 1000);
	assert_false(look(100, 0, 0, &e)); /* nothing is left of it to give back */
}

/* A plan that goes up within what is lent leaves the limit, and more of it stays in the end. */
static void a_plan_may_rise_within_the_loan(void **state)
{
	struct plan_entry e, back;
	uint64_t plan;

	(void)state;
	(void)give_back();
	plan = limit();
	assert_true(look(100, 80, 0.5, &e));
	obey(&e);
	for (int t = 0; t < 3; t++) {
		tick_of(150);
		seen();
	}
	assert_int_equal(limit(), e.value);
	assert_true(look(200, 0, 0, &back));
	assert_int_equal(back.reason, REASON_LOAN_BACK);
	assert_in_range(back.value, plan + plan / 10, plan * 2);
}

/* Long polls wait for something else: what is there without any throttling is not owed. */
static void what_is_always_in_flight_is_not_owed(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	for (int t = 0; t < 60; t++) {
		for (unsigned int ms = 100; ms <= 1000; ms += 100)
			assert_false(look(ms, 200, 0, &e));
		calm_tick();
	}
	assert_false(look(100, 201, 0.5, &e));
	assert_true(look(200, 260, 0.5, &e));
	assert_float_equal((double)(e.value - e.before), 900, 60);
}

/* Without the objective there is nothing to lend for: the loan is a limit like others. */
static void without_an_objective_nothing_is_owed(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	assert_true(look(100, 60, 0.5, &e));
	obey(&e);
	q.w.services[0].slo.set = false;
	calm_tick();
	assert_true(limit() <= e.value);
	for (int t = 0; t < 200; t++)
		calm_tick();
	assert_true(limit() < 700);
}

/* Nothing is written, so nothing is lent. */
static void observing_lends_nothing(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	q.w.observe = true;
	calm_tick();
	(void)look(50, 0, 0, &e);
	assert_true(!look(100, 60, 0.02, &e) || e.reason != REASON_LOAN);
	assert_false(look(200, 0, 0, &e));
}

/* Without the guard, who would lend: the plan has room for itself. */
static void without_the_guard_the_plan_has_room(void **state)
{
	(void)state;
	(void)give_back();
	assert_true(limit() < 300);
	for (int t = 0; t < 5; t++)
		calm_tick();
	assert_true(limit() >= 300);
}

/* What somebody else has set is the limit from then on, and none of it a loan. */
static void a_foreign_value_is_no_loan(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	assert_true(look(100, 60, 0.5, &e));
	obey(&e);
	q.w.seen[0].knob[KNOB_CPU_MAX] = 1500;
	calm_tick();
	assert_false(look(700, 0, 0, &e));
}

/* The kernel's refusal leaves the plan what it was, and is waited out. */
static void a_refused_loan_changes_nothing(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	assert_true(look(100, 60, 0.5, &e));
	tick_written(q.w.controller, &e, e.before, -EIO);
	assert_false(look(200, 60, 0.5, &e));
	for (int t = 0; t < 60; t++)
		calm_tick();
	assert_false(look(0, 0, 0, &e));
	assert_true(look(100, 60, 0.5, &e));
}

/* A tick at five times the load that nobody obeys; whether its plan is above @now. */
static bool rise(uint64_t now)
{
	struct tick_input in;

	q.us += 1000000;
	q.w.now_ns = queue_now_ns(&q);
	q.w.seen[0].cpu_usage_us = 1500000;
	q.w.apis[0][0] = (struct tick_api){
		.requests = 500, .finished = 500, .slo_total = 500, .slo_good = 500};
	in = world_input(&q.w);
	q.w.plan = tick_once(q.w.controller, &in);
	return world_entry(&q.w, 0, KNOB_CPU_MAX)->value > now;
}

/* Nor does one of the plan while something is lent: that is given back in full. */
static void a_refused_plan_keeps_the_loan_apart(void **state)
{
	struct plan_entry e, back;
	uint64_t plan;

	(void)state;
	(void)give_back();
	plan = limit();
	assert_true(look(100, 5, 0.5, &e));
	obey(&e);
	for (int t = 0; t < 4 && !rise(e.value); t++)
		seen();
	assert_true(world_entry(&q.w, 0, KNOB_CPU_MAX)->value > e.value);
	tick_written(q.w.controller, world_entry(&q.w, 0, KNOB_CPU_MAX), e.value, -EIO);
	for (int t = 0; t < 60; t++) {
		seen();
		calm_tick();
	}
	assert_true(look(100, 0, 0, &back));
	assert_in_range(back.value, plan - plan / 10, plan + plan / 10);
}

/* The minute's writes are used up: what waits is lent for, but not given back. */
static void the_budget_holds_back_what_is_given_back(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	q.w.set.host.writes_per_minute = 1;
	assert_true(look(100, 60, 0.5, &e));
	obey(&e);
	assert_false(look(700, 0, 0, &e));
	q.w.set.host.writes_per_minute = 600;
	assert_true(look(800, 0, 0, &e));
}

static void policy_and_host_bound_it(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	assert_true(look(100, 4000, 1, &e));
	assert_int_equal(e.value, 2000);
	q.w.services[0].cpu.ceiling_mcpu = 700;
	assert_true(look(200, 4000, 1, &e));
	assert_int_equal(e.value, 700);
}

/* Whatever arrives by chance, it is answered in time, and the limit is little above the use. */
static void an_even_load_takes_little_more_than_it_uses(void **state)
{
	static const double rates[] = {40, 100, 240, 400};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(rates); k++) {
		world_free(&q.w);
		queue_init(&q, COST_US, LATENCY_US);
		for (int t = 0; t < 600; t++) {
			if (t == 200)
				queue_score_begin(&q);
			queue_second(&q, rates[k]);
		}
		assert_true(queue_late(&q) < 0.01);
		assert_true(queue_ratio(&q) > 0.98);
		assert_true(queue_ratio(&q) < (k == 0 ? 1.5 : 1.2));
		assert_in_range(q.writes, 1, 400 * 5);
	}
}

/* 60 to 280 requests a second at once, at no time that could be known. */
static void surprises_are_met(void **state)
{
	uint64_t seed = 3;
	int left = 0;
	bool high = false;

	(void)state;
	for (int t = 0; t < 900; t++) {
		if (left-- == 0) {
			left = 5 + (int)(world_random(&seed) % 40);
			high = !high;
		}
		if (t == 300)
			queue_score_begin(&q);
		queue_second(&q, high ? 280 : 60);
	}
	assert_true(queue_late(&q) < 0.01);
	assert_true(queue_ratio(&q) < 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_waits_is_lent_for),
		TEST(what_is_not_throttled_is_not_lent_for),
		TEST(a_short_wait_is_not_lent_for),
		TEST(it_is_given_back),
		TEST(a_tick_leaves_the_loan_alone),
		TEST(a_higher_plan_takes_over_from_the_loan),
		TEST(a_plan_may_rise_within_the_loan),
		TEST(what_is_always_in_flight_is_not_owed),
		TEST(without_an_objective_nothing_is_owed),
		TEST(observing_lends_nothing),
		TEST(without_the_guard_the_plan_has_room),
		TEST(a_foreign_value_is_no_loan),
		TEST(a_refused_loan_changes_nothing),
		TEST(a_refused_plan_keeps_the_loan_apart),
		TEST(the_budget_holds_back_what_is_given_back),
		TEST(policy_and_host_bound_it),
		TEST(an_even_load_takes_little_more_than_it_uses),
		TEST(surprises_are_met),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
