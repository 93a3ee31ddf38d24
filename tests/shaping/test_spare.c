// SPDX-License-Identifier: GPL-2.0-or-later
/* test_spare.c - limits that the plan left short take what idles, and give it back. */
#include "shaping/state.h"
#include "tests/check.h"
#include "tests/shaping/world.h"

#define AVAILABLE_MCPU 3800.0 /* of four CPUs: 5 % of each is the host's */
#define REST_MCPU      300.0
#define BURST_MCPU     2500.0

static struct world w;

static double limit(size_t i)
{
	return (double)w.seen[i].knob[KNOB_CPU_MAX];
}

/*
 * One second in which "steady" wants @steady_mcpu, more or less, and "bursty" @bursty_mcpu. Nobody
 * may be kept, by what another got, from what was planned for it.
 */
static void second(int t, double steady_mcpu, double bursty_mcpu)
{
	double planned[2] = {};

	for (size_t i = 0; w.plan && i < 2; i++)
		planned[i] = fmin(w.plan->services[i].planned_mcpu, limit(i));
	w.wants_mcpu[0] = steady_mcpu * (t % 2 ? 1.05 : 0.95);
	w.wants_mcpu[1] = bursty_mcpu;
	world_step(&w);
	for (size_t i = 0; i < 2; i++)
		assert_true(w.used_mcpu[i] > fmin(w.wants_mcpu[i], planned[i]) * 0.999);
}

/* One second in twenty, and nobody knows which. */
static double bursts(uint64_t *seed)
{
	return world_unit(seed) < 0.05 ? BURST_MCPU : REST_MCPU;
}

static void start(enum tier bursty, enum cpu_mode mode)
{
	world_init(&w, 4000);
	w.plan = NULL;
	world_add(&w, "steady", TIER_GOLD)->cpu.mode = CPU_CAP;
	world_add(&w, "bursty", bursty)->cpu.mode = mode;
}

/*
 * What is planned for bursts, that are rare, leaves the steady service without room above what it
 * uses: it would be throttled while a third of the host idles. Lent to it, that is enough.
 */
static void what_idles_is_lent_to_a_short_limit(void **state)
{
	uint64_t seed = 9;
	int calm = 0, short_of_plan = 0;

	(void)state;
	start(TIER_GOLD, CPU_CAP);
	for (int t = 0; t < 300; t++)
		second(t, 1000, bursts(&seed));
	for (int t = 0; t < 300; t++) {
		const struct service_state *s = &w.controller->services[0];

		second(t, 2600, bursts(&seed));
		calm = w.wants_mcpu[1] > REST_MCPU ? 0 : calm + 1;
		if (t < 10 || calm < 5)
			continue;
		short_of_plan += s->got_mcpu < 2600 * 1.1;
		assert_int_equal(w.seen[0].nr_throttled, 0);
		assert_true(limit(0) > 2600 * 1.1);
	}
	assert_true(short_of_plan > 30);
	world_free(&w);
}

/* When the other needs for good what was planned for it, both limits are what the plan says. */
static void what_was_lent_comes_back(void **state)
{
	uint64_t seed = 9;

	(void)state;
	start(TIER_GOLD, CPU_CAP);
	for (int t = 0; t < 300; t++)
		second(t, t < 250 ? 1000 : 2600, bursts(&seed));
	for (int t = 0; t < 30; t++) {
		second(t, 2600, BURST_MCPU);
		if (t < 10)
			continue;
		assert_true(limit(0) + limit(1) <= AVAILABLE_MCPU * 1.05);
		assert_float_equal(w.controller->services[0].spare_mcpu, 0, 1e-9);
		assert_float_equal(w.controller->services[1].spare_mcpu, 0, 1e-9);
	}
	world_free(&w);
}

/* CPU time that all else on the host uses just now is not idle, however seldom it does. */
static void what_runs_outside_of_the_plan_is_not_lent(void **state)
{
	uint64_t seed = 9;
	double lent_before;

	(void)state;
	start(TIER_GOLD, CPU_CAP);
	for (int t = 0; t < 300; t++)
		second(t, t < 250 ? 1000 : 2600, bursts(&seed));
	for (int t = 0; t < 5; t++)
		second(t, 2600, REST_MCPU);
	lent_before = w.controller->services[0].spare_mcpu;
	assert_true(lent_before > 100);
	w.outside_mcpu = 2000;
	second(0, 2600, REST_MCPU);
	assert_float_equal(w.controller->services[0].spare_mcpu, 0, 1e-9);
	w.outside_mcpu = 0;
	second(1, 2600, REST_MCPU);
	assert_true(w.controller->services[0].spare_mcpu > 100);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_idles_is_lent_to_a_short_limit),
		cmocka_unit_test(what_was_lent_comes_back),
		cmocka_unit_test(what_runs_outside_of_the_plan_is_not_lent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
