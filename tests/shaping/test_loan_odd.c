// SPDX-License-Identifier: GPL-2.0-or-later
/* test_loan_odd.c - a loan of a limit while hosts, policies, answers and clocks do what they may.
 */
#include <errno.h>

#include "tests/check.h"
#include "shaping/state.h"
#include "tests/shaping/lent.h"

/* Of requests of 180 ms of CPU. */
static void lend(void)
{
	struct plan_entry e;

	assert_true(look(100, 60, 0.5, &e));
	assert_int_equal(e.reason, REASON_LOAN);
	obey(&e);
}

/* What a full host has left for a service is gone to by steps; only what is lent goes at once. */
static void a_share_is_gone_to_by_steps(void **state)
{
	struct plan_entry e;
	uint64_t plan = give_back();

	(void)state;
	lend();
	q.w.set.host.reserve_mcpu = 1900;
	calm_tick();
	assert_true(is_short(&q.w.controller->services[0]));
	assert_in_range(limit(), plan * 3 / 4, plan * 5);
	if (look(700, 0, 0, &e))
		assert_in_range(e.value, plan * 3 / 4, plan);
}

/* What somebody else set, given back to us, is the plan: lent on top of, and lowered by steps. */
static void what_was_adopted_is_the_plan(void **state)
{
	struct plan_entry e, back;

	(void)state;
	(void)give_back();
	q.w.seen[0].yielded = 1u << KNOB_CPU_MAX;
	q.w.seen[0].knob[KNOB_CPU_MAX] = 900;
	(void)look(100, 0, 0, &e);
	calm_tick();
	q.w.seen[0].yielded = 0;
	assert_true(look(100, 100, 0.5, &e));
	assert_true(e.value > 1800);
	obey(&e);
	assert_true(look(700, 0, 0, &back));
	assert_int_equal(back.value, 900);
}

/* A cgroup that was made anew between two ticks has the limit it was made with. */
static void nothing_is_lent_to_a_limit_not_looked_at(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	q.w.seen[0].knob[KNOB_CPU_MAX] = 900;
	assert_false(look(100, 100, 0.5, &e));
	calm_tick();
	assert_true(look(100, 100, 0.5, &e));
	assert_true(e.value > 1800);
}

/* While a knob is not known nothing is learned of it. */
static void an_unknown_limit_is_no_plan(void **state)
{
	struct tick_service had = q.w.seen[0];
	struct plan_entry e;
	uint64_t plan = give_back();

	(void)state;
	had = q.w.seen[0];
	q.w.seen[0].known = 0;
	q.w.seen[0].knob[KNOB_CPU_MAX] = 0;
	(void)look(100, 0, 0, &e);
	calm_tick();
	q.w.seen[0].known = had.known;
	q.w.seen[0].knob[KNOB_CPU_MAX] = plan;
	lend();
	assert_true(look(700, 0, 0, &e));
	assert_int_equal(e.value, plan);
}

/* A raise of the plan whose order was lost is not what is lent on top of for ever. */
static void a_lost_order_is_no_plan(void **state)
{
	struct knob_state *ks = &q.w.controller->services[0].kept.knobs[KNOB_CPU_MAX];
	struct plan_entry e;
	uint64_t plan = give_back();

	(void)state;
	ks->value = 1500;
	ks->pending = true;
	ks->changed_ns = q.w.now_ns;
	for (int t = 0; t < 15; t++) {
		(void)look(100, 0, 0, &e);
		calm_tick();
	}
	assert_in_range(limit(), plan - plan / 10, plan + plan / 10);
	lend();
	assert_in_range(limit(), 1000, 1300);
}

/* What was usual and is not there any more is no longer waited for, throttled or not. */
static void what_is_less_than_usual_is_the_usual_soon(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	for (int t = 0; t < 60; t++) {
		for (unsigned int ms = 100; ms <= 1000; ms += 100)
			assert_false(look(ms, 200, 0, &e));
		calm_tick();
	}
	for (int t = 0; t < 30; t++) {
		for (unsigned int ms = 100; ms <= 1000; ms += 100)
			if (look(ms, 60, 0.5, &e))
				obey(&e);
		calm_tick();
	}
	assert_true(look(100, 180, 0.5, &e));
}

/* The kernel refuses a quota below the burst: where that is not ours to lower it is not gone below.
 */
static void no_loan_goes_back_below_a_burst(void **state)
{
	struct plan_entry e;
	uint64_t plan = give_back();

	(void)state;
	lend();
	q.w.seen[0].knob[KNOB_CPU_MAX_BURST] = (plan + 150) * 100;
	q.w.services[0].cpu.ceiling_mcpu = plan + 100; /* the burst has to go first */
	assert_false(look(600, 0, 0, &e));
	q.w.services[0].cpu.ceiling_mcpu = UNLIMITED;
	assert_true(look(700, 0, 0, &e));
	assert_int_equal(e.reason, REASON_LOAN_BACK);
	assert_int_equal(e.value, plan + 150);
	obey(&e);
	assert_false(look(1400, 0, 0, &e));
	q.w.seen[0].knob[KNOB_CPU_MAX_BURST] = 0;
	assert_true(look(1500, 0, 0, &e));
	assert_int_equal(e.value, plan);
}

/* Somebody took the limit off before the order came: there is no loan, and no number for it. */
static void no_limit_is_no_loan(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	assert_true(look(100, 60, 0.5, &e));
	tick_written(q.w.controller, &e, UNLIMITED, 0);
	assert_true(kept_is_sound(&q.w.controller->services[0].kept));
}

/* A policy with a lower ceiling is obeyed within what else would be too little to move for. */
static void a_lower_ceiling_takes_a_loan_at_once(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	lend();
	q.w.services[0].cpu.ceiling_mcpu = limit() - 20;
	assert_true(look(200, 60, 0.5, &e));
	assert_int_equal(e.value, q.w.services[0].cpu.ceiling_mcpu);
	assert_int_equal(e.reason, REASON_LOAN_BACK);
}

static void reload(void)
{
	struct controller *c = NULL;

	assert_int_equal(controller_reload(q.w.controller, &q.w.set, &q.w.facts, &c), 0);
	controller_free(q.w.controller);
	q.w.controller = c;
}

/* A change of policy files goes on with what is lent, and the guard with lending. */
static void a_reload_keeps_what_is_lent(void **state)
{
	struct plan_entry e;
	uint64_t plan = give_back();

	(void)state;
	lend();
	reload();
	assert_true(look(200, 160, 0.5, &e));
	assert_int_equal(e.reason, REASON_LOAN);
	obey(&e);
	calm_tick();
	assert_true(look(700, 0, 0, &e));
	assert_in_range(e.value, plan - plan / 10, plan + plan / 10);
}

/* Nor does another worker, which goes on from what was saved, or the replay of a recording. */
static void a_restart_keeps_what_is_lent(void **state)
{
	size_t n = controller_save_size(q.w.controller);
	unsigned char *saved = malloc(n);
	struct plan_entry e;
	uint64_t plan = give_back();

	(void)state;
	assert_non_null(saved);
	lend();
	assert_int_equal(controller_save(q.w.controller, saved, n), n);
	world_free(&q.w);
	q.w.controller = world_controller(&q.w);
	assert_true(controller_load(q.w.controller, saved, n) >= 0);
	free(saved);
	calm_tick();
	assert_true(look(700, 0, 0, &e));
	assert_int_equal(e.reason, REASON_LOAN_BACK);
	assert_in_range(e.value, plan - plan / 10, plan + plan / 10);
}

/* Nor does it make a host larger that has less than is wanted. */
static void a_reload_lends_no_more_than_the_share(void **state)
{
	struct plan_entry e;

	(void)state;
	(void)give_back();
	q.w.set.host.reserve_mcpu = 1900;
	(void)look(100, 0, 0, &e);
	calm_tick();
	assert_true(is_short(&q.w.controller->services[0]));
	reload();
	assert_false(look(200, 60, 0.5, &e));
	q.w.controller->services[0].spare_mcpu = 200; /* which others leave for now */
	reload();
	assert_true(look(300, 60, 0.5, &e));
	assert_int_equal(e.value, 300);
}

/* Loans have a minute's writes of their own: those of the plan are all there. */
static void the_plan_finds_its_writes_beside_loans(void **state)
{
	struct plan_entry e;
	int back = 0;

	(void)state;
	(void)give_back();
	for (int t = 0; t < 61; t++) {
		(void)look(100, 0, 0, &e);
		calm_tick();
	}
	q.w.set.host.writes_per_minute = 24;
	for (int t = 0; t < 30; t++) {
		if (look(100, 60, 0.5, &e))
			obey(&e);
		if (look(700, 0, 0, &e)) {
			obey(&e);
			back++;
		}
		calm_tick();
	}
	assert_in_range(back, 1, 12);
	assert_false(look(700, 0, 0, &e));
	for (int k = 0; k < 24; k++)
		assert_true(budget_take(&q.w.controller->budget, q.w.now_ns, 24));
}

/*
 * Clients that wait for their answers ask for as much as the limit lets them: 4 have two CPUs do
 * 600 requests of 3 ms a second, all in time, and go on to.
 */
static void clients_that_wait_are_not_starved(void **state)
{
	(void)state;
	world_free(&q.w);
	queue_init(&q, COST_US, LATENCY_US);
	for (int t = 0; t < 400; t++) {
		if (t == 300)
			queue_score_begin(&q);
		queue_second_closed(&q, 4);
	}
	assert_true(q.answers > 100 * 500);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_share_is_gone_to_by_steps),
		TEST(what_was_adopted_is_the_plan),
		TEST(nothing_is_lent_to_a_limit_not_looked_at),
		TEST(an_unknown_limit_is_no_plan),
		TEST(a_lost_order_is_no_plan),
		TEST(what_is_less_than_usual_is_the_usual_soon),
		TEST(no_loan_goes_back_below_a_burst),
		TEST(no_limit_is_no_loan),
		TEST(a_lower_ceiling_takes_a_loan_at_once),
		TEST(a_reload_keeps_what_is_lent),
		TEST(a_restart_keeps_what_is_lent),
		TEST(a_reload_lends_no_more_than_the_share),
		TEST(the_plan_finds_its_writes_beside_loans),
		TEST(clients_that_wait_are_not_starved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
