// SPDX-License-Identifier: GPL-2.0-or-later
/* test_working_set.c - what of its memory a service works with, and bronze held down before there
 * is too little for all of that. */
#include "tests/check.h"
#include "tests/shaping/world.h"

#define MIB_D ((double)MIB)
#define GIB   (UINT64_C(1) << 30)

static struct world w;

static void assert_about(double got, double want)
{
	if (!(fabs(got - want) <= 0.001 * want))
		fail_msg("%.0f, not about %.0f", got, want);
}

static void start(enum tier tier)
{
	world_init(&w, 4000);
	world_add(&w, "shop", tier);
	w.seen[0].memory_bytes = 100 * MIB;
	w.seen[0].anon_bytes = 40 * MIB;
	w.seen[0].file_bytes = 60 * MIB;
	w.seen[0].inactive_file_bytes = 50 * MIB;
}

static double working_set_after(int ticks)
{
	for (int t = 0; t < ticks; t++)
		world_step(&w);
	return w.plan->services[0].working_set_bytes;
}

static void what_lies_idle_is_not_worked_with(void **state)
{
	(void)state;
	start(TIER_GOLD);
	assert_about(working_set_after(1), 50 * MIB_D);
	w.seen[0].inactive_file_bytes = 0;
	assert_about(working_set_after(1), 100 * MIB_D);
	w.seen[0].missing |= MISSING_MEMORY;
	assert_true(isnan(working_set_after(1)));
	world_free(&w);
}

/* 10 MiB of the 50 that seemed idle were read again; after a minute a part of 1/e of that counts.
 */
static void what_was_read_again_was_needed(void **state)
{
	(void)state;
	start(TIER_GOLD);
	w.seen[0].refaulted_bytes = 10 * MIB;
	assert_about(working_set_after(1), 60 * MIB_D);
	w.seen[0].refaulted_bytes = 0;
	assert_about(working_set_after(60), (50 + 10 / 2.718281828) * MIB_D);
	w.seen[0].refaulted_bytes = 80 * MIB; /* more than seemed idle, but nothing waited for it */
	assert_about(working_set_after(1), 100 * MIB_D);
	world_free(&w);
}

/*
 * A tenth of a second in every one is waited: ten times what makes all of it needed, once the mean
 * of ten seconds is above 1 %. 30 MiB a second that come back are 30 / (1 - 1/e^(1/60)) MiB, of
 * which no more than all there is is missing.
 */
static void memory_waited_for_is_all_needed(void **state)
{
	(void)state;
	start(TIER_GOLD);
	w.seen[0].psi_memory_some_us = 1000; /* 0.1 %: a tenth of what is idle counts, in the end */
	assert_about(working_set_after(200), 55 * MIB_D);
	w.seen[0].psi_memory_some_us = 100000;
	assert_about(working_set_after(20), 100 * MIB_D);
	w.seen[0].refaulted_bytes = 30 * MIB;
	assert_about(working_set_after(1), 130 * MIB_D);
	assert_about(working_set_after(600), 200 * MIB_D);
	w.seen[0].missing |= MISSING_PSI;
	w.seen[0].refaulted_bytes = 0;
	assert_about(working_set_after(1200), 50 * MIB_D);
	world_free(&w);
}

static void a_working_set_is_never_less_than_is_held(void **state)
{
	uint64_t seed = 11;

	(void)state;
	start(TIER_GOLD);
	for (int t = 0; t < 3000; t++) {
		struct tick_service *s = &w.seen[0];
		double least, set;

		s->memory_bytes = world_random(&seed) % (2 * GIB);
		s->anon_bytes = world_random(&seed) % GIB;
		s->file_bytes = world_random(&seed) % (2 * GIB);
		s->inactive_file_bytes = world_random(&seed) >> (world_random(&seed) % 64);
		s->refaulted_bytes = world_random(&seed) >> (world_random(&seed) % 64);
		s->psi_memory_some_us = world_random(&seed) >> (world_random(&seed) % 64);
		least = (double)MIN(s->anon_bytes, s->memory_bytes);
		set = working_set_after(1);
		assert_true(set >= least * 0.999 && set <= 2 * (double)s->memory_bytes + 1);
	}
	world_free(&w);
}

/* memory.low follows what is used: 8 GiB of cache that nobody reads any more are not protected. */
static void idle_cache_is_not_protected(void **state)
{
	(void)state;
	start(TIER_GOLD);
	w.seen[0].memory_bytes = 4 * GIB;
	w.seen[0].anon_bytes = GIB;
	w.seen[0].file_bytes = w.seen[0].inactive_file_bytes = 3 * GIB;
	working_set_after(300);
	assert_true(w.seen[0].knob[KNOB_MEMORY_LOW] >= GIB);
	assert_true(w.seen[0].knob[KNOB_MEMORY_LOW] < GIB + GIB / 4);
	world_free(&w);
}

/*
 * A host of 8 GiB of which 0.4 are kept free. Gold grows by 64 MiB a second beside a bronze of 3
 * GiB and 0.5 GiB of others, so that all is used up with gold at 4.1 GiB.
 */
static void start_ramp(void)
{
	start(TIER_GOLD);
	world_add(&w, "batch", TIER_BRONZE);
	w.seen[0].file_bytes = w.seen[0].inactive_file_bytes = 0;
	w.seen[1].memory_bytes = 3 * GIB;
	w.seen[1].anon_bytes = GIB;
	w.seen[1].file_bytes = 2 * GIB;
}

static void gold_uses(uint64_t bytes)
{
	w.seen[0].memory_bytes = w.seen[0].anon_bytes = bytes;
	w.available_bytes = 8 * GIB - GIB / 2 - w.seen[0].anon_bytes - w.seen[1].anon_bytes;
	world_step(&w);
}

static const struct plan_entry *high(void)
{
	return world_entry(&w, 1, KNOB_MEMORY_HIGH);
}

static void bronze_gives_way_before_gold_needs_it(void **state)
{
	uint64_t gold = GIB, full = 8 * GIB - 2 * GIB / 5 - GIB / 2 - 3 * GIB;

	(void)state;
	start_ramp();
	for (int t = 0; t < 120; t++)
		gold_uses(gold);
	assert_true(w.seen[1].knob[KNOB_MEMORY_HIGH] == UNLIMITED);
	while (gold < full && w.seen[1].knob[KNOB_MEMORY_HIGH] == UNLIMITED)
		gold_uses(gold += 64 * MIB);
	assert_true(gold < full);
	assert_int_equal(high()->reason, REASON_MEMORY_PRESSURE);
	assert_true(w.seen[1].knob[KNOB_MEMORY_HIGH] >= 95 * (3 * GIB) / 100 - MIB); /* a step */
	for (int t = 0; t < 60; t++) {
		w.seen[1].memory_bytes =
			MIN(w.seen[1].memory_bytes, w.seen[1].knob[KNOB_MEMORY_HIGH]);
		w.seen[1].file_bytes = w.seen[1].memory_bytes - w.seen[1].anon_bytes;
		gold_uses(5 * GIB);
	}
	/* 7.6 - 0.5 - 5 GiB are left of it, never less than its anonymous gigabyte and a tenth. */
	assert_true(w.seen[1].knob[KNOB_MEMORY_HIGH] < 22 * GIB / 10);
	assert_true(w.seen[1].knob[KNOB_MEMORY_HIGH] > 11 * GIB / 10);
	for (int t = 0; t < 900 && w.seen[1].knob[KNOB_MEMORY_HIGH] != UNLIMITED; t++)
		gold_uses(GIB);
	assert_true(w.seen[1].knob[KNOB_MEMORY_HIGH] == UNLIMITED);
	world_free(&w);
}

/* What grows is not taken to grow for ever: a quarter above all it ever was is the most. */
static void a_forecast_is_little_above_all_that_ever_was(void **state)
{
	uint64_t gold = 256 * MIB;

	(void)state;
	start_ramp();
	w.services[0].forecast.lead_ns = 60 * NS_PER_S;
	for (int t = 0; t < 60; t++)
		gold_uses(gold);
	for (int t = 0; t < 60; t++) {
		gold_uses(gold += 32 * MIB);
		assert_true(w.seen[0].knob[KNOB_MEMORY_LOW] <= gold + gold / 4 + MIB);
	}
	assert_true(w.seen[0].knob[KNOB_MEMORY_LOW] > gold);
	world_free(&w);
}

/* Whatever gold wants, bronze keeps what cannot be reclaimed of it, and its floor. */
static void bronze_is_never_held_below_its_floor(void **state)
{
	(void)state;
	start_ramp();
	w.services[1].memory.floor_bytes = 2 * GIB;
	w.seen[1].shmem_bytes = GIB / 2;
	for (int t = 0; t < 200; t++) {
		w.seen[1].memory_bytes =
			MIN(w.seen[1].memory_bytes, w.seen[1].knob[KNOB_MEMORY_HIGH]);
		gold_uses(6 * GIB);
		assert_true(w.seen[1].knob[KNOB_MEMORY_HIGH] >= 2 * GIB);
	}
	assert_true(w.seen[1].knob[KNOB_MEMORY_HIGH] < 3 * GIB);
	w.services[1].memory.floor_bytes = 0;
	for (int t = 0; t < 200; t++) {
		w.seen[1].memory_bytes =
			MIN(w.seen[1].memory_bytes, w.seen[1].knob[KNOB_MEMORY_HIGH]);
		gold_uses(6 * GIB);
		assert_true(w.seen[1].knob[KNOB_MEMORY_HIGH] >= 165 * GIB / 100);
	}
	assert_true(w.seen[1].knob[KNOB_MEMORY_HIGH] < 2 * GIB);
	world_free(&w);
}

/* What stalled under its limit got some back, and is not asked for it again at once. */
static void a_stall_is_not_squeezed_again_at_once(void **state)
{
	uint64_t limit;

	(void)state;
	start_ramp();
	for (int t = 0; t < 100; t++)
		gold_uses(5 * GIB);
	limit = w.seen[1].knob[KNOB_MEMORY_HIGH];
	assert_true(limit != UNLIMITED);
	w.seen[1].psi_memory_full_us = 500000;
	gold_uses(5 * GIB);
	assert_int_equal(high()->reason, REASON_GUARD_STALLED);
	assert_about((double)w.seen[1].knob[KNOB_MEMORY_HIGH], 1.2 * (double)limit);
	w.seen[1].psi_memory_full_us = 0;
	for (int t = 0; t < 50; t++) {
		gold_uses(5 * GIB);
		assert_true(w.seen[1].knob[KNOB_MEMORY_HIGH] > limit);
	}
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lies_idle_is_not_worked_with),
		cmocka_unit_test(what_was_read_again_was_needed),
		cmocka_unit_test(memory_waited_for_is_all_needed),
		cmocka_unit_test(a_working_set_is_never_less_than_is_held),
		cmocka_unit_test(idle_cache_is_not_protected),
		cmocka_unit_test(bronze_gives_way_before_gold_needs_it),
		cmocka_unit_test(a_forecast_is_little_above_all_that_ever_was),
		cmocka_unit_test(bronze_is_never_held_below_its_floor),
		cmocka_unit_test(a_stall_is_not_squeezed_again_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
