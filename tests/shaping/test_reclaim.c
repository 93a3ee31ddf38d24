// SPDX-License-Identifier: GPL-2.0-or-later
/* test_reclaim.c - cold memory is given back in small steps, and no more once it is missed. */
#include "tests/check.h"
#include "tests/shaping/world.h"

#define RECLAIM  (1u << KNOB_MEMORY_RECLAIM)
#define MIB_D    ((double)MIB)
#define EVERY    30  /* ticks between two steps */
#define PAUSE    600 /* ticks in which none comes */
#define SEEN     60  /* ticks before the first */
#define STEP_MAX (64 * MIB)

static struct world w;

/* 100 MiB held, so 100 * 1.1 + 16 = 126 stay; of the 1000 above them a hundredth is a step. */
static void add(const char *name, enum tier tier)
{
	size_t i = w.set.n_services;

	world_add(&w, name, tier);
	w.seen[i].known |= RECLAIM;
	w.seen[i].memory_bytes = 1126 * MIB;
	w.seen[i].anon_bytes = 60 * MIB;
	w.seen[i].file_bytes = 1066 * MIB;
	w.seen[i].shmem_bytes = 40 * MIB;
	w.seen[i].inactive_file_bytes = 900 * MIB;
}

static void start(enum tier tier)
{
	world_init(&w, 4000);
	add("batch", tier);
}

static const struct plan_entry *entry(size_t i)
{
	return world_entry(&w, i, KNOB_MEMORY_RECLAIM);
}

/* Steps until service @i is asked, at most @ticks; returns how many it took, 0: it was not. */
static int until_asked(size_t i, int ticks)
{
	for (int t = 1; t <= ticks; t++) {
		world_step(&w);
		if (entry(i)->change)
			return t;
	}
	return 0;
}

static void assert_about(double got, double want)
{
	if (!(fabs(got - want) <= 0.01 * want))
		fail_msg("%.0f, not about %.0f", got, want);
}

static void bronze_gives_back_a_hundredth_at_a_time(void **state)
{
	(void)state;
	start(TIER_BRONZE);
	assert_int_equal(until_asked(0, 1000), SEEN);
	assert_about((double)entry(0)->value, 10 * MIB_D);
	assert_int_equal(entry(0)->before, 0);
	assert_int_equal(entry(0)->reason, REASON_RECLAIM);
	assert_about((double)entry(0)->floor, 126 * MIB_D);
	w.seen[0].memory_bytes = 626 * MIB;
	assert_int_equal(until_asked(0, 1000), EVERY);
	assert_about((double)entry(0)->value, 5 * MIB_D);
	w.seen[0].memory_bytes = (126 + 24) * MIB; /* a step of less than a quarter MiB is none */
	assert_int_equal(until_asked(0, 1000), 0);
	assert_int_equal(entry(0)->reason, REASON_RECLAIM);
	world_free(&w);
}

static void who_asks_for_it_is_the_policys_word(void **state)
{
	(void)state;
	start(TIER_GOLD);
	assert_int_equal(until_asked(0, 200), 0);
	assert_int_equal(entry(0)->reason, REASON_BASELINE);
	w.services[0].memory.reclaim = RECLAIM_ALWAYS;
	assert_int_equal(until_asked(0, 200), 1);
	world_free(&w);
	start(TIER_BRONZE);
	w.services[0].memory.reclaim = RECLAIM_NEVER;
	assert_int_equal(until_asked(0, 200), 0);
	world_free(&w);
}

/* Of the target of 0.1 % of the time: half of it halves the step, all of it leaves nothing. */
static void the_step_is_smaller_the_more_is_waited(void **state)
{
	(void)state;
	start(TIER_BRONZE);
	w.seen[0].psi_memory_some_us = 500;
	for (int t = 0; t < 600; t++)
		world_step(&w);
	assert_true(until_asked(0, EVERY) > 0);
	assert_about((double)entry(0)->value, 5 * MIB_D);
	world_free(&w);
	start(TIER_BRONZE);
	w.seen[0].psi_memory_some_us = 100000; /* from the start: that is no effect of a step */
	assert_int_equal(until_asked(0, 900), 0);
	assert_int_equal(entry(0)->reason, REASON_RECLAIM);
	w.seen[0].psi_memory_some_us = 0;
	assert_true(until_asked(0, 600) > 60); /* the mean of a minute has to go down */
	world_free(&w);
}

static void what_comes_back_ends_it_for_a_while(void **state)
{
	(void)state;
	start(TIER_BRONZE);
	assert_int_equal(until_asked(0, 1000), SEEN);
	w.seen[0].refaulted_bytes = MIB / 2; /* a twentieth of the step: that is nothing */
	world_step(&w);
	w.seen[0].refaulted_bytes = 0;
	assert_int_equal(until_asked(0, 1000), EVERY - 1);
	w.seen[0].refaulted_bytes = 2 * MIB; /* a fifth */
	world_step(&w);
	assert_int_equal(entry(0)->reason, REASON_RECLAIM_PAUSED);
	w.seen[0].refaulted_bytes = 0;
	assert_int_equal(until_asked(0, 1000), PAUSE);
	assert_int_equal(entry(0)->reason, REASON_RECLAIM);
	world_free(&w);
}

static void pressure_that_follows_ends_it_for_a_while(void **state)
{
	(void)state;
	start(TIER_BRONZE);
	assert_int_equal(until_asked(0, 1000), SEEN);
	w.seen[0].psi_memory_some_us = 50000;
	world_step(&w);
	w.seen[0].psi_memory_some_us = 0;
	assert_int_equal(entry(0)->reason, REASON_RECLAIM_PAUSED);
	assert_int_equal(until_asked(0, 1000), PAUSE);
	world_free(&w);
}

/* The kernel had less than half of it: what is left is not cold. */
static void a_step_in_vain_ends_it_for_a_while(void **state)
{
	(void)state;
	start(TIER_BRONZE);
	assert_int_equal(until_asked(0, 1000), SEEN);
	tick_written(w.controller, entry(0), 3 * MIB, 0);
	assert_int_equal(until_asked(0, 500), 0);
	assert_int_equal(entry(0)->reason, REASON_RECLAIM_PAUSED);
	assert_int_equal(until_asked(0, 500), PAUSE + EVERY - 500);
	world_free(&w);
}

static void one_service_at_a_time_gives_back(void **state)
{
	int asked[3] = {};

	(void)state;
	world_init(&w, 4000);
	add("a", TIER_BRONZE);
	add("b", TIER_BRONZE);
	add("c", TIER_BRONZE);
	for (int t = 0; t < SEEN + 10 * EVERY; t++) {
		int now = 0;

		world_step(&w);
		for (size_t i = 0; i < 3; i++) {
			now += entry(i)->change;
			asked[i] += entry(i)->change;
		}
		assert_true(now <= 1);
	}
	for (size_t i = 0; i < 3; i++)
		assert_in_range(asked[i], 10, 11);
	world_free(&w);
}

static void nothing_is_asked_of_what_is_not_measured(void **state)
{
	static const uint32_t missing[] = {MISSING_MEMORY, MISSING_PSI, MISSING_ALL, MISSING_CPU};

	(void)state;
	start(TIER_BRONZE);
	assert_int_equal(until_asked(0, 1000), SEEN);
	for (size_t k = 0; k < ARRAY_SIZE(missing); k++) {
		w.seen[0].missing |= missing[k];
		assert_int_equal(until_asked(0, 2 * EVERY), 0);
		w.seen[0].missing &= ~missing[k];
		assert_int_equal(until_asked(0, EVERY), 1);
	}
	w.seen[0].yielded = RECLAIM;
	assert_int_equal(until_asked(0, 2 * EVERY), 0);
	w.seen[0].yielded = 0;
	w.frozen = true;
	assert_int_equal(until_asked(0, 2 * EVERY), 0);
	w.frozen = false;
	w.seen[0].known &= ~RECLAIM;
	assert_int_equal(until_asked(0, 2 * EVERY), 0);
	assert_true(entry(0)->refused & 1u << REFUSAL_UNSUPPORTED);
	world_free(&w);
}

/* Observed, it is planned as often: what is said to have been given back is no value in force. */
static void observing_plans_the_same(void **state)
{
	(void)state;
	start(TIER_BRONZE);
	w.observe = true;
	assert_int_equal(until_asked(0, 1000), SEEN);
	assert_int_equal(until_asked(0, 1000), EVERY);
	assert_int_equal(entry(0)->before, 0);
	assert_about((double)entry(0)->value, 10 * MIB_D);
	world_free(&w);
}

/* Whatever is measured: a hundredth, 64 MiB, and all that has to stay are bounds. */
static void no_step_goes_below_what_stays(void **state)
{
	uint64_t seed = 5;
	int asked = 0;

	(void)state;
	start(TIER_GOLD);
	w.services[0].memory.reclaim = RECLAIM_ALWAYS;
	w.services[0].memory.floor_bytes = 200 * MIB;
	for (int t = 0; t < 20000; t++) {
		struct tick_service *s = &w.seen[0];
		const struct plan_entry *e;

		s->memory_bytes = world_random(&seed) >> (20 + world_random(&seed) % 30);
		s->anon_bytes = world_random(&seed) >> (30 + world_random(&seed) % 20);
		s->psi_memory_some_us = world_random(&seed) % 400 ? 0 : world_random(&seed);
		s->refaulted_bytes = world_random(&seed) % 400 ? 0 : world_random(&seed);
		world_step(&w);
		e = entry(0);
		if (!e->change)
			continue;
		asked++;
		assert_true(e->value > 0 && e->value <= STEP_MAX);
		assert_true(e->value <= s->memory_bytes / 100);
		assert_true(e->floor >= 200 * MIB && e->floor >= s->anon_bytes);
		assert_true(s->memory_bytes - e->value >= e->floor);
	}
	assert_true(asked > 20);
	world_free(&w);
}

/* What the plan protects of gold is not taken by the other hand. */
static void what_memory_low_protects_stays(void **state)
{
	(void)state;
	start(TIER_GOLD);
	w.services[0].memory.reclaim = RECLAIM_ALWAYS;
	w.seen[0].inactive_file_bytes = 0; /* all of it is worked with */
	assert_int_equal(until_asked(0, 1000), 0);
	assert_true(w.seen[0].knob[KNOB_MEMORY_LOW] > 1000 * MIB);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bronze_gives_back_a_hundredth_at_a_time),
		cmocka_unit_test(who_asks_for_it_is_the_policys_word),
		cmocka_unit_test(the_step_is_smaller_the_more_is_waited),
		cmocka_unit_test(what_comes_back_ends_it_for_a_while),
		cmocka_unit_test(pressure_that_follows_ends_it_for_a_while),
		cmocka_unit_test(a_step_in_vain_ends_it_for_a_while),
		cmocka_unit_test(one_service_at_a_time_gives_back),
		cmocka_unit_test(nothing_is_asked_of_what_is_not_measured),
		cmocka_unit_test(observing_plans_the_same),
		cmocka_unit_test(no_step_goes_below_what_stays),
		cmocka_unit_test(what_memory_low_protects_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
