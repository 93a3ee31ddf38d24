// SPDX-License-Identifier: GPL-2.0-or-later
/* test_bad_input.c - load that no forecast is made for: silence and floods, leaks, events that do
 * not come; each for every tier and mode. */
#include "tests/shaping/watch.h"

#define CALM_TICKS   120
#define EVENT_WRITES 50
#define CALM_WRITES  6 /* of three services in so many ticks */

static struct watch h;

static void for_all(void (*test)(const struct watch_row *row))
{
	for (size_t i = 0; i < ARRAY_SIZE(watch_rows); i++) {
		test(&watch_rows[i]);
		world_free(&h.w);
	}
}

/* From the least limit there is to 2,000 mcpu: a price takes small steps until it knows better. */
#define FLOOD_TICKS  16
#define FADE_WRITES  90 /* until the least limit is reached again */
#define PRICE_WRITES 180

static void flood(const struct watch_row *row)
{
	watch_init(&h, row, 4000)->cpu.floor_mcpu = 20;
	watch_run(&h, 0, 600);
	(void)watch_recovery(&h, 2000, FLOOD_TICKS);
	watch_run(&h, 2000, 60);
	watch_calm(&h, 2000, CALM_TICKS, CALM_WRITES);
	/* A price lowers by 3 % at once, and silver is loose above a peak that fades. */
	watch_calm(&h, 0, 900, isnan(row->short_cost) ? FADE_WRITES : PRICE_WRITES);
	watch_calm(&h, 0, CALM_TICKS, CALM_WRITES);
}

static void a_flood_after_silence_is_met_and_forgotten(void **state)
{
	(void)state;
	for_all(flood);
}

/* Minutes: a busy one a day, in the second one the writes of which are counted, then a flood. */
static void one_a_day(const struct watch_row *row)
{
	size_t writes = 0;

	watch_alone(&h, row, 4000)->cpu.floor_mcpu = 20;
	h.w.period_ns = h.w.interval_ns = 60 * NS_PER_S;
	for (int day = 0; day < 2; day++) {
		writes = h.writes;
		watch_run(&h, 0, 720);
		watch_run(&h, 50, 1);
		watch_run(&h, 0, 719);
	}
	if (h.writes - writes > 8)
		fail_msg("%s: %zu writes for one request", h.what, h.writes - writes);
	(void)watch_recovery(&h, 2000, FLOOD_TICKS);
	watch_run(&h, 2000, 30);
	watch_calm(&h, 2000, CALM_TICKS, CALM_WRITES);
}

static void one_request_a_day_moves_little_and_a_flood_is_met(void **state)
{
	(void)state;
	for_all(one_a_day);
}

/* The kernel kills what comes to its limit. */
static void hold(uint64_t bytes)
{
	const uint64_t room = UINT64_C(6) << 30;
	struct tick_service *s = &h.w.seen[0];

	if (bytes >= MIN(s->knob[KNOB_MEMORY_MAX], room))
		bytes = 64 * MIB;
	s->memory_bytes = bytes;
	s->anon_bytes = bytes - bytes / 16;
	h.w.available_bytes = room - bytes;
}

/* A fiftieth more each step, on a host that has no more than 1 GiB to spare at its end. */
static void leak(const struct watch_row *row)
{
	uint64_t ceiling = UINT64_C(5) << 30, highest = 0;
	bool slowed = false;

	watch_init(&h, row, 4000)->memory = (struct policy_memory){
		.floor_bytes = 64 * MIB,
		.ceiling_bytes = ceiling,
	};
	h.w.facts.memory_bytes = UINT64_C(12) << 30;
	for (int t = 0; t < 500; t++) {
		uint64_t bytes = h.w.seen[0].memory_bytes;

		highest = MAX(highest, bytes);
		hold(bytes + bytes / 50);
		watch_run(&h, 200, 1);
		slowed |= h.w.seen[0].knob[KNOB_MEMORY_HIGH] != UNLIMITED;
	}
	assert_true(slowed == (row->tier == TIER_BRONZE));
	assert_int_equal(world_entry(&h.w, 0, KNOB_MEMORY_MAX)->reason, REASON_POLICY_CEILING);
	assert_true(highest > ceiling / 50 * 47 && h.w.seen[0].knob[KNOB_MEMORY_MAX] == ceiling);
}

/* Bronze is asked to give some back; that ends with the leak. */
static void leak_and_end(const struct watch_row *row)
{
	leak(row);
	hold(64 * MIB);
	watch_run(&h, 200, 120);
	watch_calm(&h, 200, CALM_TICKS, CALM_WRITES);
	assert_true(h.w.seen[0].knob[KNOB_MEMORY_HIGH] == UNLIMITED);
	assert_true(h.w.seen[0].knob[KNOB_MEMORY_LOW] < 128 * MIB);
}

static void a_leak_ends_at_the_ceiling_and_leaves_nothing(void **state)
{
	(void)state;
	for_all(leak_and_end);
}

static void expect(const char *name, double multiplier)
{
	int64_t now_real_ns = (int64_t)(h.w.now_ns + UINT64_C(1700000000) * NS_PER_S);

	assert_int_equal(controller_event(h.w.controller, 0, name,
					  now_real_ns + 5 * (int64_t)NS_PER_S, 60 * NS_PER_S,
					  multiplier),
			 0);
}

/* Said to be a hundred times as much, it is as ever: limits go up to what there is, and back. */
static void too_much_is_expected(const struct watch_row *row)
{
	uint64_t before;

	watch_init(&h, row, 4000)->cpu.ceiling_mcpu = 3000;
	watch_run(&h, 200, 120);
	before = watch_limit(&h);
	expect("sale", 100);
	watch_calm(&h, 200, 80, EVENT_WRITES);
	watch_run(&h, 200, 240);
	watch_calm(&h, 200, CALM_TICKS, CALM_WRITES);
	if (before < 1000 && watch_limit(&h) > before * 2)
		fail_msg("%s: %" PRIu64 " mcpu before, %" PRIu64 " after", h.what, before,
			 watch_limit(&h));
}

/* Said to be a hundredth, it is as ever: what is taken away is given back. */
static void too_little_is_expected(const struct watch_row *row)
{
	double used = 0;

	watch_init(&h, row, 4000)->cpu.floor_mcpu = 20;
	watch_run(&h, 1000, 120);
	expect("night", 0.01);
	for (int t = 0; t < 65; t++) {
		watch_run(&h, 1000, 1);
		used += h.w.used_mcpu[0];
	}
	if (used < 0.9 * 65 * 1000)
		fail_msg("%s: used %.0f of 1000", h.what, used / 65);
	watch_run(&h, 1000, 60);
	watch_calm(&h, 1000, CALM_TICKS, CALM_WRITES);
}

static void events_wrong_by_a_hundred_times_are_survived(void **state)
{
	(void)state;
	for_all(too_much_is_expected);
	for_all(too_little_is_expected);
}

/* Nothing is measured for long, or it is frozen: what is in force stays, and then goes on. */
static void nothing_is_seen(const struct watch_row *row)
{
	for (int frozen = 0; frozen < 2; frozen++) {
		uint64_t held;

		watch_init(&h, row, 4000)->cpu.floor_mcpu = 20;
		watch_run(&h, 1000, 120);
		held = watch_limit(&h);
		h.w.seen[0].missing |= frozen ? 0 : MISSING_CPU | MISSING_MEMORY | MISSING_PSI;
		h.w.frozen = frozen;
		watch_run(&h, 100, 300);
		assert_true(watch_limit(&h) == held);
		assert_true(row->mode == CPU_RESERVE || row->tier == TIER_BRONZE ||
			    world_entry(&h.w, 0, KNOB_CPU_MAX)->refused &
				    1u << (frozen ? REFUSAL_FROZEN : REFUSAL_STALE));
		h.w.seen[0].missing = MISSING_APIS;
		h.w.frozen = false;
		(void)watch_recovery(&h, 1500, FLOOD_TICKS);
		if (!frozen)
			world_free(&h.w);
	}
}

static void what_is_not_seen_or_frozen_is_held(void **state)
{
	(void)state;
	for_all(nothing_is_seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_after_silence_is_met_and_forgotten),
		cmocka_unit_test(one_request_a_day_moves_little_and_a_flood_is_met),
		cmocka_unit_test(a_leak_ends_at_the_ceiling_and_leaves_nothing),
		cmocka_unit_test(events_wrong_by_a_hundred_times_are_survived),
		cmocka_unit_test(what_is_not_seen_or_frozen_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
