// SPDX-License-Identifier: GPL-2.0-or-later
/* test_disks.c - io.weight by tier, and io.max of bronze while a higher tier waits for the disks.
 */
#include "tests/check.h"
#include "tests/shaping/world.h"

#define IO    (1u << KNOB_IO_WEIGHT | 1u << KNOB_IO_MAX)
#define MB    UINT64_C(1000000)
#define LEAST (4 * MIB)

enum { BATCH, SHOP, SITE }; /* bronze, gold, silver */

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

static void disks_are_shared_by_tier(void **state)
{
	(void)state;
	world_init(&w, 4000);
	w.set.host.tiers[TIER_SILVER].io_weight = 5000;
	world_add(&w, "batch", TIER_BRONZE);
	world_add(&w, "shop", TIER_GOLD);
	world_add(&w, "site", TIER_SILVER);
	world_add(&w, "other", TIER_GOLD);
	for (size_t i = 0; i < 4; i++)
		w.seen[i].knob[KNOB_IO_WEIGHT] = w.seen[i].baseline[KNOB_IO_WEIGHT] = 100;
	for (size_t i = 0; i < 3; i++)
		w.seen[i].known |= 1u << KNOB_IO_WEIGHT;
	run_all(100, 1);
	assert_int_equal(knob(0, KNOB_IO_WEIGHT), 50); /* at once: no step, no dwell */
	assert_int_equal(knob(1, KNOB_IO_WEIGHT), 400);
	assert_int_equal(knob(2, KNOB_IO_WEIGHT), 5000);
	assert_int_equal(world_entry(&w, 1, KNOB_IO_WEIGHT)->reason, REASON_IO_WEIGHT);
	assert_int_equal(knob(3, KNOB_IO_WEIGHT), 100);
	assert_true(world_entry(&w, 3, KNOB_IO_WEIGHT)->refused & 1u << REFUSAL_UNSUPPORTED);
	w.seen[2].knob[KNOB_IO_WEIGHT] = 5003; /* as BFQ rounds it */
	run_all(100, 1);
	for (size_t i = 0; i < 4; i++)
		assert_false(world_entry(&w, i, KNOB_IO_WEIGHT)->change);
	world_free(&w);
}

static void begin(void)
{
	static const enum tier tiers[] = {TIER_BRONZE, TIER_GOLD, TIER_SILVER};
	static const char *const names[] = {"batch", "shop", "site"};

	world_init(&w, 4000);
	for (size_t i = 0; i < ARRAY_SIZE(tiers); i++) {
		world_add(&w, names[i], tiers[i]);
		w.seen[i].known |= IO;
		w.seen[i].knob[KNOB_IO_WEIGHT] = w.seen[i].baseline[KNOB_IO_WEIGHT] = 100;
		w.seen[i].baseline_known |= IO;
	}
}

/* Ticks in which the bronze service reads what it may, at most @bytes, and gold waits @part of the
 * time. */
static void read_on(uint64_t bytes, double part, int ticks)
{
	w.seen[SHOP].psi_io_some_us = (uint64_t)(part * 1e6);
	for (int t = 0; t < ticks; t++) {
		w.seen[BATCH].io_read_bytes = MIN(bytes, knob(BATCH, KNOB_IO_MAX));
		run_all(100, 1);
	}
}

static const struct plan_entry *batch_entry(void)
{
	return world_entry(&w, BATCH, KNOB_IO_MAX);
}

/* 0.4 of the time counts as 0.2 at first, which is more than 0.1; a cut is 0.7, and has two ticks.
 */
static void bronze_makes_room_for_who_waits(void **state)
{
	(void)state;
	begin();
	read_on(100 * MB, 0.4, 1);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 70 * MB);
	assert_int_equal(batch_entry()->reason, REASON_IO_CONTENTION);
	read_on(100 * MB, 0.4, 1);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 70 * MB);
	read_on(100 * MB, 0.4, 1);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 49 * MB);
	assert_true(knob(SHOP, KNOB_IO_MAX) == UNLIMITED && knob(SITE, KNOB_IO_MAX) == UNLIMITED);
	read_on(100 * MB, 0.4, 22);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), LEAST); /* 100 MB * 0.7^13 were less */
	world_free(&w);
}

/* Ticks come a little early, too. */
static void two_ticks_need_not_be_two_seconds(void **state)
{
	(void)state;
	begin();
	w.interval_ns = 998 * NS_PER_MS;
	read_on(100 * MB, 0.4, 3);
	assert_in_range(knob(BATCH, KNOB_IO_MAX), 49 * MB, 50 * MB);
	world_free(&w);
}

static void silver_counts_as_well(void **state)
{
	(void)state;
	begin();
	w.seen[SITE].psi_io_some_us = 900000;
	read_on(100 * MB, 0, 1);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 70 * MB);
	world_free(&w);
}

static void little_waiting_is_no_reason(void **state)
{
	(void)state;
	begin();
	read_on(100 * MB, 0.09, 60);
	assert_true(knob(BATCH, KNOB_IO_MAX) == UNLIMITED);
	world_free(&w);
}

static void bronze_that_waits_itself_is_no_reason(void **state)
{
	(void)state;
	begin();
	w.seen[BATCH].psi_io_some_us = 900000;
	read_on(100 * MB, 0, 60);
	assert_true(knob(BATCH, KNOB_IO_MAX) == UNLIMITED);
	world_free(&w);
}

static void who_is_quiet_is_not_held_down(void **state)
{
	(void)state;
	begin();
	read_on(MIB / 2, 0.9, 60);
	assert_true(knob(BATCH, KNOB_IO_MAX) == UNLIMITED);
	/* Gold's waiting before was not bronze's doing, so nothing was tried and given up. */
	read_on(100 * MB, 0.9, 1);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 70 * MB);
	world_free(&w);
}

/* Raised by 1.5 no earlier than four ticks after a change, and lifted once it is not felt. */
static void it_gets_the_disks_back(void **state)
{
	(void)state;
	begin();
	read_on(100 * MB, 0.4, 1);
	read_on(100 * MB, 0, 2); /* 0.1, 0.05: not yet less */
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 70 * MB);
	read_on(100 * MB, 0, 1);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 70 * MB);
	read_on(100 * MB, 0, 1);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 105 * MB);
	assert_int_equal(batch_entry()->reason, REASON_IO_OVER);
	read_on(60 * MB, 0, 3);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 105 * MB);
	read_on(60 * MB, 0, 1);
	assert_true(knob(BATCH, KNOB_IO_MAX) == UNLIMITED);
	world_free(&w);
}

/* 0.07 of the time is between little and too much: 1.2 times as much, ten ticks after a change. */
static void it_is_tried_with_care_while_some_wait(void **state)
{
	(void)state;
	begin();
	read_on(100 * MB, 0.4, 1);
	read_on(100 * MB, 0.07, 9); /* 0.135, 0.1025 and a cut, then less than 0.1 */
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 49 * MB);
	read_on(100 * MB, 0.07, 3);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 58800000);
	world_free(&w);
}

/* Gold goes on to wait by itself. */
static void who_ended_is_let_go(void **state)
{
	(void)state;
	begin();
	read_on(100 * MB, 0.4, 2);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 70 * MB);
	read_on(0, 0.4, 10);
	assert_true(knob(BATCH, KNOB_IO_MAX) == UNLIMITED);
	world_free(&w);
}

static void nobody_is_held_down_for_who_is_gone(void **state)
{
	(void)state;
	begin();
	read_on(100 * MB, 0.4, 2);
	w.seen[SHOP].missing = MISSING_ALL;
	read_on(100 * MB, 0.4, 20);
	assert_true(knob(BATCH, KNOB_IO_MAX) == UNLIMITED);
	world_free(&w);
}

/* Gold waits as much whatever bronze gets: after half a minute bronze is let go, for ten. */
static void what_does_not_help_is_left(void **state)
{
	(void)state;
	begin();
	read_on(100 * MB, 0.4, 30);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), LEAST);
	read_on(100 * MB, 0.4, 48); /* ten steps of 1.5 until it is not felt */
	assert_true(knob(BATCH, KNOB_IO_MAX) == UNLIMITED);
	for (int t = 0; t < 500; t++) {
		read_on(100 * MB, 0.4, 1);
		assert_true(knob(BATCH, KNOB_IO_MAX) == UNLIMITED);
	}
	read_on(100 * MB, 0.9, 3); /* much worse than it was */
	assert_true(knob(BATCH, KNOB_IO_MAX) < 100 * MB);
	world_free(&w);
}

static void an_unknown_use_begins_in_the_middle(void **state)
{
	(void)state;
	begin();
	w.seen[BATCH].missing |= MISSING_IO;
	w.seen[BATCH].psi_io_some_us = 500000;
	read_on(0, 0.4, 1);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 46976205); /* 0.7 of 64 MiB */
	world_free(&w);
}

static void a_limit_from_before_stays(void **state)
{
	(void)state;
	begin();
	w.seen[BATCH].knob[KNOB_IO_MAX] = w.seen[BATCH].baseline[KNOB_IO_MAX] = 500 * MB;
	read_on(100 * MB, 0.9, 60);
	read_on(100 * MB, 0, 60);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 500 * MB);
	w.seen[BATCH].baseline_known &= ~IO;
	read_on(100 * MB, 0.9, 10);
	assert_int_equal(knob(BATCH, KNOB_IO_MAX), 500 * MB);
	world_free(&w);
}

/* Ours from before a restart: the controller knows nothing of it. */
static void a_limit_of_an_earlier_agent_is_lifted(void **state)
{
	(void)state;
	begin();
	w.seen[BATCH].knob[KNOB_IO_MAX] = 20 * MB;
	read_on(MB, 0, 1);
	assert_true(knob(BATCH, KNOB_IO_MAX) == UNLIMITED);
	world_free(&w);
}

static void who_keeps_its_objective_may_wait(void **state)
{
	(void)state;
	begin();
	w.services[SHOP].slo = (struct policy_slo){.set = true, .objective = 0.99, .window_s = 60};
	w.seen[SHOP].missing &= ~(uint32_t)MISSING_APIS;
	w.apis[SHOP][0] = (struct tick_api){
		.requests = 1000, .finished = 1000, .slo_total = 1000, .slo_good = 1000};
	read_on(100 * MB, 0.6, 60);
	assert_true(knob(BATCH, KNOB_IO_MAX) == UNLIMITED);
	w.apis[SHOP][0].slo_good = 900;
	read_on(100 * MB, 0.6, 20);
	assert_true(knob(BATCH, KNOB_IO_MAX) < 100 * MB);
	world_free(&w);
}

/*
 * A disk of 120 MB/s. Gold reads 60 of them for 20 s of every 100, and 2 else; bronze reads the
 * rest, or what it may. Gold waits where both want more than there is. Returns in how many of
 * @cycles bronze was held to half of the disk already when gold began.
 */
static int begun_with_room(int cycles)
{
	int ready = 0;

	for (int t = 0; t < cycles * 100; t++) {
		bool busy = t % 100 >= 80;
		uint64_t bronze = MIN(110 * MB, knob(BATCH, KNOB_IO_MAX));
		uint64_t gold = busy ? 60 * MB : 2 * MB;

		ready += t % 100 == 80 && bronze <= 70 * MB &&
			 batch_entry()->reason == REASON_IO_PREDICTED;
		w.seen[SHOP].io_read_bytes = gold;
		w.seen[SHOP].psi_io_some_us = gold + bronze > 130 * MB ? 500000 : 0;
		w.seen[BATCH].io_read_bytes = bronze;
		run_all(100, 1);
	}
	return ready;
}

/* Half a disk that gold needs at times is there when it comes for it, once it is known to. */
static void room_is_made_before_it_is_needed(void **state)
{
	(void)state;
	begin();
	w.services[SHOP].forecast.lead_ns = 10 * NS_PER_S;
	(void)begun_with_room(20);
	assert_true(begun_with_room(10) >= 9);
	world_free(&w);
}

/* The same load on a disk that has enough for both: nobody waits, so nothing is foreseen. */
static void who_never_waited_needs_no_room(void **state)
{
	(void)state;
	begin();
	w.services[SHOP].forecast.lead_ns = 10 * NS_PER_S;
	for (int t = 0; t < 2000; t++) {
		w.seen[SHOP].io_read_bytes = t % 100 >= 80 ? 60 * MB : 2 * MB;
		w.seen[BATCH].io_read_bytes = 50 * MB;
		run_all(100, 1);
		assert_true(knob(BATCH, KNOB_IO_MAX) == UNLIMITED);
	}
	world_free(&w);
}

/* A disk that is quicker now: what is foreseen in vain is forgotten once it is seen to be enough.
 */
static void what_is_crowded_is_learned_anew(void **state)
{
	int held = 0;

	(void)state;
	begin();
	w.services[SHOP].forecast.lead_ns = 10 * NS_PER_S;
	(void)begun_with_room(20);
	for (int t = 0; t < 6000; t++) {
		w.seen[SHOP].io_read_bytes = t % 100 >= 80 ? 60 * MB : 2 * MB;
		w.seen[SHOP].psi_io_some_us = 0;
		w.seen[BATCH].io_read_bytes = MIN(110 * MB, knob(BATCH, KNOB_IO_MAX));
		run_all(100, 1);
		held += t >= 5000 && knob(BATCH, KNOB_IO_MAX) != UNLIMITED;
	}
	assert_int_equal(held, 0);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disks_are_shared_by_tier),
		cmocka_unit_test(bronze_makes_room_for_who_waits),
		cmocka_unit_test(two_ticks_need_not_be_two_seconds),
		cmocka_unit_test(silver_counts_as_well),
		cmocka_unit_test(little_waiting_is_no_reason),
		cmocka_unit_test(bronze_that_waits_itself_is_no_reason),
		cmocka_unit_test(who_is_quiet_is_not_held_down),
		cmocka_unit_test(it_gets_the_disks_back),
		cmocka_unit_test(it_is_tried_with_care_while_some_wait),
		cmocka_unit_test(who_ended_is_let_go),
		cmocka_unit_test(nobody_is_held_down_for_who_is_gone),
		cmocka_unit_test(what_does_not_help_is_left),
		cmocka_unit_test(an_unknown_use_begins_in_the_middle),
		cmocka_unit_test(a_limit_from_before_stays),
		cmocka_unit_test(a_limit_of_an_earlier_agent_is_lifted),
		cmocka_unit_test(who_keeps_its_objective_may_wait),
		cmocka_unit_test(room_is_made_before_it_is_needed),
		cmocka_unit_test(who_never_waited_needs_no_room),
		cmocka_unit_test(what_is_crowded_is_learned_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
