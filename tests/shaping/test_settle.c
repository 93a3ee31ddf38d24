// SPDX-License-Identifier: GPL-2.0-or-later
/* test_settle.c - lowerings undone, held, refused; budgets; each with its reason. */
#include <errno.h>

#include "tests/check.h"
#include "tests/shaping/world.h"

static struct world w;

static void run_at(double want, int ticks)
{
	for (int t = 0; t < ticks; t++) {
		w.wants_mcpu[0] = want;
		world_step(&w);
	}
}

/* One gold service with a tight limit, used to 900 mcpu. */
static void start(void)
{
	world_init(&w, 4000);
	world_add(&w, "shop", TIER_GOLD)->cpu.mode = CPU_CAP;
	run_at(900, 60);
}

static uint64_t limit(void)
{
	return w.seen[0].knob[KNOB_CPU_MAX];
}

static const struct plan_entry *entry(void)
{
	return world_entry(&w, 0, KNOB_CPU_MAX);
}

/* Lowers the limit of a service used to 900 mcpu once, and returns what it was. */
static uint64_t lower_once(void)
{
	uint64_t before;
	int t = 0;

	do {
		before = limit();
		run_at(300, 1);
	} while (limit() == before && t++ < 60);
	assert_true(limit() < before);
	return before;
}

/* Lets it be lowered, then wants what was there before: undone at once and not tried again soon. */
static void a_lowering_that_throttles_is_undone_and_remembered(void **state)
{
	uint64_t before, lowered;

	(void)state;
	start();
	before = lower_once();
	lowered = limit();
	assert_int_equal(entry()->reason, REASON_FORECAST_LOWER);
	run_at((double)lowered * 1.1, 1);
	assert_true(limit() >= before);
	assert_int_equal(entry()->reason, REASON_UNDO_LOWERING);
	for (int t = 0; t < 120; t++) {
		run_at(300, 1);
		assert_true(limit() > lowered);
	}
	assert_true(entry()->refused & 1u << REFUSAL_REMEMBERED);
	world_free(&w);
}

static bool names_its_ceiling(double ceiling_mcpu)
{
	for (size_t i = 0; i < entry()->n_inputs; i++)
		if (streq(entry()->inputs[i].name, "ceiling_mcpu"))
			return entry()->inputs[i].value == ceiling_mcpu;
	return false;
}

/* Throttled for good, since it wants three times what the policy allows: that is no mistake. */
static void a_lowering_to_the_ceiling_is_not_undone(void **state)
{
	(void)state;
	for (int observe = 0; observe < 2; observe++) {
		world_init(&w, 4000);
		w.observe = observe;
		world_add(&w, "shop", TIER_GOLD)->cpu.mode = CPU_CAP;
		w.services[0].cpu.ceiling_mcpu = 1000;
		run_at(3000, 9);
		assert_int_equal(limit(), UNLIMITED);
		run_at(3000, 1);
		assert_true(entry()->change);
		for (int t = 0; t < 120; t++) {
			assert_int_equal(entry()->value, 1000);
			assert_int_equal(entry()->reason, REASON_POLICY_CEILING);
			assert_true(names_its_ceiling(1000));
			run_at(3000, 1);
			assert_false(entry()->change);
		}
		world_free(&w);
	}
}

static void an_undo_ends_at_the_ceiling(void **state)
{
	uint64_t before, lowered, ceiling;

	(void)state;
	start();
	before = lower_once();
	lowered = limit();
	ceiling = (before + lowered) / 2;
	w.services[0].cpu.ceiling_mcpu = ceiling;
	run_at(3000, 1);
	assert_true(entry()->change);
	assert_int_equal(limit(), ceiling);
	assert_int_equal(entry()->reason, REASON_POLICY_CEILING);
	world_free(&w);
}

static void what_is_remembered_ends_at_the_ceiling(void **state)
{
	uint64_t lowered;

	(void)state;
	start();
	(void)lower_once();
	lowered = limit();
	run_at((double)lowered * 1.1, 1);
	assert_int_equal(entry()->reason, REASON_UNDO_LOWERING);
	w.services[0].cpu.ceiling_mcpu = lowered - 50;
	for (int t = 0; t < 60; t++) {
		run_at(3000, 1);
		assert_int_equal(limit(), lowered - 50);
	}
	world_free(&w);
}

static void missing_input_holds_the_limit(void **state)
{
	uint64_t before;

	(void)state;
	start();
	before = limit();
	w.seen[0].missing |= MISSING_CPU;
	run_at(100, 30);
	assert_int_equal(limit(), before);
	w.seen[0].missing = MISSING_APIS;
	w.interval_ns = 20 * NS_PER_S;
	run_at(100, 1);
	assert_true(limit() >= before);
	w.interval_ns = NS_PER_S;
	run_at(100, 60);
	assert_true(limit() < before);
	world_free(&w);
}

static void frozen_and_foreign_knobs_are_left_alone(void **state)
{
	uint64_t before;

	(void)state;
	start();
	before = limit();
	w.frozen = true;
	run_at(3000, 5);
	assert_int_equal(limit(), before);
	assert_true(entry()->refused & 1u << REFUSAL_FROZEN);
	w.frozen = false;
	w.seen[0].yielded = 1u << KNOB_CPU_MAX;
	run_at(3000, 5);
	assert_int_equal(limit(), before);
	assert_true(entry()->refused & 1u << REFUSAL_YIELDED);
	w.seen[0].yielded = 0;
	run_at(3000, 2);
	assert_true(limit() > before);
	world_free(&w);
}

static void a_refused_write_is_tried_again_later(void **state)
{
	struct tick_input in;
	struct plan_entry e;
	int tries = 0;

	(void)state;
	start();
	for (int t = 0; t < 12; t++) {
		w.wants_mcpu[0] = 3000;
		world_run(&w);
		in = world_input(&w);
		w.plan = tick_once(w.controller, &in);
		e = *entry();
		tries += e.change;
		if (e.change)
			tick_written(w.controller, &e, e.before, -EIO);
		else
			assert_true(e.refused & 1u << REFUSAL_WRITE_FAILED);
	}
	assert_true(tries >= 2 && tries <= 4);
	world_free(&w);
}

static void the_minutes_budget_goes_to_raises_first(void **state)
{
	size_t raised = 0;

	(void)state;
	world_init(&w, 8000);
	w.set.host.writes_per_minute = 4;
	for (int i = 0; i < 8; i++) {
		char name[] = "s0";

		name[1] = (char)('0' + i);
		world_add(&w, name, i < 4 ? TIER_BRONZE : TIER_GOLD);
	}
	for (int t = 0; t < 90; t++) {
		for (int i = 0; i < 8; i++)
			w.wants_mcpu[i] = t < 30 ? 10 : i < 4 ? 20 : 900;
		world_step(&w);
		raised += t >= 30 && t < 60 ? w.writes : 0;
	}
	assert_true(raised <= 4);
	for (int i = 0; i < 4; i++)
		assert_false(world_entry(&w, (size_t)i, KNOB_CPU_WEIGHT)->change);
	world_free(&w);
}

/* 4000 less the reserve of 200, wanted twice over: half each. */
static void too_little_for_all_is_shared(void **state)
{
	(void)state;
	world_init(&w, 4000);
	world_add(&w, "a", TIER_GOLD)->cpu.mode = CPU_CAP;
	world_add(&w, "b", TIER_GOLD)->cpu.mode = CPU_CAP;
	for (int t = 0; t < 60; t++) {
		w.wants_mcpu[0] = w.wants_mcpu[1] = 3000;
		world_step(&w);
	}
	assert_in_range(w.seen[0].knob[KNOB_CPU_MAX], 1900, 2000);
	assert_in_range(w.seen[1].knob[KNOB_CPU_MAX], 1900, 2000);
	assert_true(w.plan->planned_mcpu <= 3800);
	world_free(&w);
}

static void the_burst_is_lowered_before_the_quota(void **state)
{
	(void)state;
	start();
	w.seen[0].knob[KNOB_CPU_MAX_BURST] = limit() * 100;
	run_at(300, 1);
	for (int t = 0; t < 60; t++) {
		run_at(300, 1);
		assert_true(w.seen[0].knob[KNOB_CPU_MAX_BURST] <= limit() * 100);
	}
	assert_true(limit() < 900);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lowering_that_throttles_is_undone_and_remembered),
		cmocka_unit_test(a_lowering_to_the_ceiling_is_not_undone),
		cmocka_unit_test(an_undo_ends_at_the_ceiling),
		cmocka_unit_test(what_is_remembered_ends_at_the_ceiling),
		cmocka_unit_test(missing_input_holds_the_limit),
		cmocka_unit_test(frozen_and_foreign_knobs_are_left_alone),
		cmocka_unit_test(a_refused_write_is_tried_again_later),
		cmocka_unit_test(the_minutes_budget_goes_to_raises_first),
		cmocka_unit_test(too_little_for_all_is_shared),
		cmocka_unit_test(the_burst_is_lowered_before_the_quota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
