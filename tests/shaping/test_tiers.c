// SPDX-License-Identifier: GPL-2.0-or-later
/* test_tiers.c - knobs by tier, memory with care, objectives, automatic tiers, events. */
#include "tests/check.h"
#include "tests/shaping/world.h"

static struct world w;

static void run_all(double want, int ticks)
{
	for (int t = 0; t < ticks; t++) {
		for (size_t i = 0; i < w.set.n_services; i++)
			w.wants_mcpu[i] = want;
		world_step(&w);
	}
}

static uint64_t knob(size_t i, enum knob k)
{
	return w.seen[i].knob[k];
}

static void limits_come_by_tier(void **state)
{
	(void)state;
	world_init(&w, 8000);
	world_add(&w, "batch", TIER_BRONZE);
	world_add(&w, "shop", TIER_GOLD);
	world_add(&w, "site", TIER_SILVER);
	run_all(500, 120);
	assert_true(knob(0, KNOB_CPU_MAX) == UNLIMITED);
	assert_true(knob(1, KNOB_CPU_MAX) == UNLIMITED);
	assert_in_range(knob(2, KNOB_CPU_MAX), 1000, 3000);
	assert_true(knob(1, KNOB_CPU_WEIGHT) > knob(2, KNOB_CPU_WEIGHT));
	assert_true(knob(2, KNOB_CPU_WEIGHT) > knob(0, KNOB_CPU_WEIGHT));
	assert_true(knob(1, KNOB_MEMORY_LOW) >= 64 * MIB);
	assert_int_equal(knob(0, KNOB_MEMORY_LOW), 0);
	assert_int_equal(knob(2, KNOB_MEMORY_LOW), 0);
	world_free(&w);
}

static void an_asked_for_ceiling_is_a_limit(void **state)
{
	(void)state;
	world_init(&w, 8000);
	world_add(&w, "shop", TIER_GOLD)->cpu.ceiling_mcpu = 3000;
	run_all(500, 30);
	assert_int_equal(knob(0, KNOB_CPU_MAX), 3000);
	assert_int_equal(world_entry(&w, 0, KNOB_CPU_MAX)->reason, REASON_POLICY_CEILING);
	world_free(&w);
}

/* 64 MiB used, 32 of them anonymous; a ceiling of 24 MiB would kill it. */
static void memory_is_never_limited_below_what_is_held(void **state)
{
	(void)state;
	world_init(&w, 4000);
	world_add(&w, "shop", TIER_SILVER)->memory.ceiling_bytes = 24 * MIB;
	run_all(100, 20);
	assert_true(knob(0, KNOB_MEMORY_MAX) > 32 * MIB);
	assert_true(world_entry(&w, 0, KNOB_MEMORY_MAX)->refused & 1u << REFUSAL_IN_USE);
	w.seen[0].anon_bytes = 2 * MIB;
	run_all(100, 20);
	assert_int_equal(knob(0, KNOB_MEMORY_MAX), 24 * MIB);
	world_free(&w);
}

/* The kernel keeps whole pages of 4 KiB; what it made of an odd ceiling is not written again. */
static void a_value_the_kernel_rounds_is_written_once(void **state)
{
	size_t writes = 0;

	(void)state;
	world_init(&w, 4000);
	world_add(&w, "shop", TIER_SILVER)->memory =
		(struct policy_memory){.floor_bytes = 100000001, .ceiling_bytes = 1000000001};
	for (int t = 0; t < 30; t++) {
		run_all(100, 1);
		writes += world_entry(&w, 0, KNOB_MEMORY_MAX)->change;
		writes += world_entry(&w, 0, KNOB_MEMORY_LOW)->change;
		w.seen[0].knob[KNOB_MEMORY_MAX] &= ~UINT64_C(4095);
		w.seen[0].knob[KNOB_MEMORY_LOW] &= ~UINT64_C(4095);
	}
	assert_int_equal(writes, 2);
	world_free(&w);
}

static void a_knob_the_kernel_lacks_is_not_planned(void **state)
{
	(void)state;
	world_init(&w, 4000);
	world_add(&w, "shop", TIER_GOLD);
	w.seen[0].known &= ~(1u << KNOB_MEMORY_LOW);
	run_all(100, 20);
	assert_false(world_entry(&w, 0, KNOB_MEMORY_LOW)->change);
	assert_true(world_entry(&w, 0, KNOB_MEMORY_LOW)->refused & 1u << REFUSAL_UNSUPPORTED);
	world_free(&w);
}

static void serve(size_t i, uint64_t good, uint64_t total)
{
	w.seen[i].missing = 0;
	w.apis[i][0] = (struct tick_api){
		.requests = total, .finished = total, .slo_total = total, .slo_good = good};
}

static void a_missed_objective_plans_more(void **state)
{
	double before, after;
	struct slo_view v;

	(void)state;
	world_init(&w, 4000);
	world_add(&w, "shop", TIER_GOLD)->slo =
		(struct policy_slo){.set = true, .objective = 0.99, .window_s = 60};
	serve(0, 100, 100);
	run_all(500, 60);
	assert_true(controller_slo(w.controller, 0, -1, &v) && v.attained > 0.9999);
	before = w.plan->services[0].planned_mcpu;
	serve(0, 90, 100);
	run_all(500, 30);
	after = w.plan->services[0].planned_mcpu;
	assert_true(after > before * 1.2);
	assert_true(w.plan->services[0].burn_rate_fast > 5);
	assert_true(controller_utilisation(w.controller, 0) >= 0.4);
	world_free(&w);
}

/*
 * 100 answers of each API a second, 2 and 10 of them bad, against 99 % of the service and 95 % of
 * the second API: the first burns 2, the second 2, the service 6; nothing came for "other".
 */
static void every_api_has_its_burn_rate(void **state)
{
	struct policy_service *s;
	struct slo_view v;

	(void)state;
	world_init(&w, 4000);
	s = world_add(&w, "shop", TIER_GOLD);
	s->slo = (struct policy_slo){.set = true, .objective = 0.99, .window_s = 3600};
	s->n_apis = 2;
	w.routes[0][0] = w.routes[0][1] = (struct policy_api){.tier = TIER_GOLD};
	w.routes[0][1].slo = (struct policy_slo){.set = true, .objective = 0.95, .window_s = 3600};
	serve(0, 98, 100);
	w.apis[0][1] = (struct tick_api){
		.requests = 100, .finished = 100, .slo_total = 100, .slo_good = 90};
	run_all(100, 10);
	assert_true(controller_slo(w.controller, 0, 0, &v));
	assert_float_equal(v.attained, 0.98, 1e-9);
	assert_float_equal(v.burn_fast, 2, 1e-9);
	assert_true(controller_slo(w.controller, 0, 1, &v));
	assert_float_equal(v.attained, 0.9, 1e-9);
	assert_float_equal(v.burn_slow, 2, 1e-9);
	assert_true(controller_slo(w.controller, 0, 2, &v));
	assert_true(isnan(v.attained) && isnan(v.burn_fast) && isnan(v.burn_slow));
	assert_true(controller_slo(w.controller, 0, -1, &v));
	assert_float_equal(v.burn_fast, 6, 1e-9);
	assert_float_equal(w.plan->services[0].burn_rate_fast, 6, 1e-9);
	world_free(&w);
}

/* Weights rise for those who miss: gold above all, silver never above what gold has at rest. */
static void a_missed_objective_weighs_more_until_it_is_met(void **state)
{
	(void)state;
	world_init(&w, 4000);
	for (size_t i = 0; i < 2; i++)
		world_add(&w, i ? "site" : "shop", i ? TIER_SILVER : TIER_GOLD)->slo =
			(struct policy_slo){.set = true, .objective = 0.99, .window_s = 60};
	serve(0, 90, 100);
	serve(1, 90, 100);
	w.wants_mcpu[1] = 100;
	run_all(100, 60);
	assert_int_equal(knob(0, KNOB_CPU_WEIGHT), 6400);
	assert_int_equal(knob(1, KNOB_CPU_WEIGHT), 400);
	assert_int_equal(world_entry(&w, 0, KNOB_CPU_WEIGHT)->reason, REASON_SLO_BURN);
	serve(0, 100, 100);
	serve(1, 100, 100);
	run_all(100, 300);
	assert_true(knob(0, KNOB_CPU_WEIGHT) < 600);
	assert_true(knob(1, KNOB_CPU_WEIGHT) < 300);
	world_free(&w);
}

static void an_automatic_tier_rises_with_misses_and_falls_when_idle(void **state)
{
	struct policy_service *s;

	(void)state;
	world_init(&w, 4000);
	s = world_add(&w, "shop", TIER_BRONZE);
	s->auto_tier = true;
	s->tier_min = TIER_BRONZE;
	s->tier_max = TIER_SILVER;
	s->slo = (struct policy_slo){.set = true, .objective = 0.99, .window_s = 60};
	serve(0, 90, 100);
	run_all(500, 30);
	assert_int_equal(w.plan->services[0].effective_tier, TIER_BRONZE);
	run_all(500, 90);
	assert_int_equal(w.plan->services[0].effective_tier, TIER_SILVER);
	run_all(500, 900);
	assert_int_equal(w.plan->services[0].effective_tier, TIER_SILVER); /* its most */
	serve(0, 100, 100);
	run_all(20, 600);
	assert_int_equal(w.plan->services[0].effective_tier, TIER_SILVER); /* not yet */
	run_all(20, 1800);
	assert_int_equal(w.plan->services[0].effective_tier, TIER_BRONZE);
	world_free(&w);
}

static void a_known_event_raises_before_it_starts(void **state)
{
	int64_t real;

	(void)state;
	world_init(&w, 8000);
	world_add(&w, "shop", TIER_GOLD)->cpu.mode = CPU_CAP;
	run_all(500, 120);
	assert_true(knob(0, KNOB_CPU_MAX) < 1000);
	real = (int64_t)(w.now_ns + UINT64_C(1700000000) * NS_PER_S);
	assert_int_equal(controller_event(w.controller, 0, "sale", real + 10 * (int64_t)NS_PER_S,
					  20 * NS_PER_S, 3),
			 0);
	run_all(500, 5);
	assert_true(knob(0, KNOB_CPU_MAX) < 1000);
	run_all(500, 4);
	assert_true(knob(0, KNOB_CPU_MAX) >= 1500);
	assert_int_equal(world_entry(&w, 0, KNOB_CPU_MAX)->reason, REASON_EVENT);
	world_free(&w);
}

static void an_event_may_last_as_long_as_a_number_holds(void **state)
{
	(void)state;
	world_init(&w, 8000);
	world_add(&w, "shop", TIER_GOLD)->cpu.mode = CPU_CAP;
	run_all(500, 120);
	assert_true(knob(0, KNOB_CPU_MAX) < 1000);
	assert_int_equal(controller_event(w.controller, 0, "old", INT64_MIN, 1, 3), 0);
	assert_int_equal(controller_event(w.controller, 0, "sale",
					  (int64_t)(w.now_ns + UINT64_C(1700000010) * NS_PER_S),
					  INT64_MAX, 3),
			 0);
	run_all(500, 9);
	assert_true(knob(0, KNOB_CPU_MAX) >= 1500);
	world_free(&w);
}

/* From 10.5 s to 13.5 s: the second that begins at 13 s is touched by it, the next is not. */
static void an_event_covers_every_step_it_touches(void **state)
{
	(void)state;
	world_init(&w, 4000);
	world_add(&w, "shop", TIER_GOLD);
	run_all(300, 60);
	assert_int_equal(controller_event(w.controller, 0, "sale",
					  (int64_t)(w.now_ns + UINT64_C(1700000000) * NS_PER_S +
						    10500 * NS_PER_MS),
					  3 * NS_PER_S, 4),
			 0);
	run_all(300, 10);
	run_all(1200, 3);
	assert_true(w.plan->services[0].demand_mcpu.q[Q50] > 900);
	run_all(1200, 1);
	assert_true(w.plan->services[0].demand_mcpu.q[Q50] < 600);
	world_free(&w);
}

/* 1500 of 2000 mcpu come and go outside: neither gold's plan nor what bronze gets follows that. */
static void what_comes_and_goes_outside_takes_nothing_away(void **state)
{
	double planned = INFINITY;

	(void)state;
	world_init(&w, 2000);
	world_add(&w, "batch", TIER_BRONZE);
	world_add(&w, "shop", TIER_GOLD);
	for (int t = 0; t < 90; t++) {
		w.wants_mcpu[0] = 4000;
		w.wants_mcpu[1] = 600;
		w.outside_mcpu = t % 3 == 0 ? 1500 : 0;
		world_step(&w);
		if (t > 30)
			planned = fmin(planned, w.plan->services[1].planned_mcpu);
	}
	assert_true(planned >= 600);
	assert_true(knob(0, KNOB_CPU_MAX) >= 800);
	world_free(&w);
}

/* Gold's forecast may reach for all there is: silver still gets what it is using. */
static void silver_is_planned_and_limited_above_what_it_uses(void **state)
{
	uint64_t seed = 5;

	(void)state;
	world_init(&w, 2000);
	world_add(&w, "shop", TIER_GOLD);
	world_add(&w, "site", TIER_SILVER)->cpu.floor_mcpu = 100;
	world_add(&w, "batch", TIER_BRONZE);
	for (int t = 0; t < 200; t++) {
		w.wants_mcpu[0] = t % 20 < 4 ? 1200 : 100 + 200 * world_unit(&seed);
		w.wants_mcpu[1] = 250 + 50 * world_unit(&seed);
		w.wants_mcpu[2] = 4000;
		world_step(&w);
		if (t < 30 || t % 20 < 5)
			continue;
		assert_true(w.plan->services[1].planned_mcpu >= 0.99 * w.used_mcpu[1]);
		assert_true((double)knob(1, KNOB_CPU_MAX) >= 1.5 * w.used_mcpu[1]);
	}
	world_free(&w);
}

/* 1,900 of 2,000 mcpu are to be had: of nearly 2,000 forecast nearly 100 are short, for gold alone.
 */
static void what_the_host_does_not_have_is_short(void **state)
{
	const struct plan_service *ps;

	(void)state;
	world_init(&w, 2000);
	world_add(&w, "shop", TIER_GOLD);
	world_add(&w, "batch", TIER_BRONZE);
	run_all(300, 60);
	ps = w.plan->services;
	assert_float_equal(ps[0].short_mcpu, 0, 0);
	for (int t = 0; t < 60; t++) {
		w.wants_mcpu[0] = 2500;
		w.wants_mcpu[1] = 2500;
		world_step(&w);
	}
	assert_float_equal(ps[0].planned_mcpu, 1900, 1);
	assert_true(ps[0].short_mcpu > 60 && ps[0].short_mcpu <= 100);
	assert_float_equal(ps[1].short_mcpu, 0, 0);
	run_all(300, 120);
	assert_float_equal(ps[0].short_mcpu, 0, 0);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_come_by_tier),
		cmocka_unit_test(an_asked_for_ceiling_is_a_limit),
		cmocka_unit_test(memory_is_never_limited_below_what_is_held),
		cmocka_unit_test(a_value_the_kernel_rounds_is_written_once),
		cmocka_unit_test(a_knob_the_kernel_lacks_is_not_planned),
		cmocka_unit_test(a_missed_objective_plans_more),
		cmocka_unit_test(every_api_has_its_burn_rate),
		cmocka_unit_test(a_missed_objective_weighs_more_until_it_is_met),
		cmocka_unit_test(an_automatic_tier_rises_with_misses_and_falls_when_idle),
		cmocka_unit_test(a_known_event_raises_before_it_starts),
		cmocka_unit_test(an_event_may_last_as_long_as_a_number_holds),
		cmocka_unit_test(an_event_covers_every_step_it_touches),
		cmocka_unit_test(what_comes_and_goes_outside_takes_nothing_away),
		cmocka_unit_test(what_the_host_does_not_have_is_short),
		cmocka_unit_test(silver_is_planned_and_limited_above_what_it_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
