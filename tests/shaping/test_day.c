// SPDX-License-Identifier: GPL-2.0-or-later
/* test_day.c - recurring peaks are met before they come, surprises at once, and nothing flaps. */
#include <errno.h>

#include "tests/check.h"
#include "tests/shaping/world.h"

#define DAY_S  20
#define LEAD_S 3

static double peak_at(int second)
{
	return second % DAY_S >= 10 && second % DAY_S < 14 ? 900 : 150;
}

static double jitter(uint64_t *seed, double part)
{
	return 1 + part * (2 * world_unit(seed) - 1);
}

/* Seconds before the peak of day @day at which @knob of service @i was first at @high or more. */
struct early {
	int seconds[64];
};

static void note_early(struct early *e, int t, bool high)
{
	int day = t / DAY_S, before = 10 - t % DAY_S;

	if (day < 64 && high && before > 0 && before <= 6 && e->seconds[day] == 0)
		e->seconds[day] = before;
}

/* From the third peak on what the forecast finds is there LEAD_S (less the tick) before it. */
static void assert_early(const struct early *e, int days)
{
	int met = 0;

	for (int d = 3; d < days; d++)
		met += e->seconds[d] >= LEAD_S - 1;
	if (met * 10 < (days - 3) * 9)
		fail_msg("raised before %d of %d peaks", met, days - 3);
}

static void a_tight_limit_rises_before_each_recurring_peak(void **state)
{
	static struct world w;
	struct early early = {};
	uint64_t seed = 1;
	int days = 12;

	(void)state;
	world_init(&w, 2000);
	world_add(&w, "shop", TIER_GOLD)->cpu.mode = CPU_CAP;
	for (int t = 0; t < days * DAY_S; t++) {
		note_early(&early, t, w.seen[0].knob[KNOB_CPU_MAX] >= 900);
		w.wants_mcpu[0] = peak_at(t) * jitter(&seed, 0.05);
		world_step(&w);
	}
	assert_early(&early, days);
	world_free(&w);
}

static void bronze_makes_room_before_golds_peak_and_gets_it_back(void **state)
{
	static struct world w;
	struct early early = {};
	double work = 0, idle = 0;
	uint64_t seed = 2;
	int days = 12;

	(void)state;
	world_init(&w, 2000);
	world_add(&w, "batch", TIER_BRONZE);
	world_add(&w, "shop", TIER_GOLD);
	for (int t = 0; t < days * DAY_S; t++) {
		note_early(&early, t, w.seen[0].knob[KNOB_CPU_MAX] <= 1100);
		w.wants_mcpu[0] = 4000;
		w.wants_mcpu[1] = peak_at(t) * jitter(&seed, 0.05);
		world_step(&w);
		assert_true(w.seen[1].knob[KNOB_CPU_MAX] == UNLIMITED);
		work += w.used_mcpu[0];
		idle += 2000 - w.used_mcpu[1];
	}
	assert_early(&early, days);
	if (work < 0.7 * idle)
		fail_msg("bronze used %.2f of what was idle", work / idle);
	assert_true(w.seen[1].knob[KNOB_CPU_WEIGHT] > 4 * w.seen[0].knob[KNOB_CPU_WEIGHT]);
	world_free(&w);
}

static void bronze_is_released_when_gold_is_gone(void **state)
{
	static struct world w;

	(void)state;
	world_init(&w, 2000);
	world_add(&w, "batch", TIER_BRONZE);
	world_add(&w, "shop", TIER_GOLD);
	for (int t = 0; t < 60; t++) {
		w.wants_mcpu[0] = 4000;
		w.wants_mcpu[1] = 900;
		world_step(&w);
	}
	assert_true(w.seen[0].knob[KNOB_CPU_MAX] < 1200);
	assert_int_equal(world_entry(&w, 0, KNOB_CPU_MAX)->reason, REASON_CONTENTION_CAP);
	for (int t = 0; t < 120; t++) {
		w.wants_mcpu[1] = 1;
		world_step(&w);
	}
	assert_true(w.seen[0].knob[KNOB_CPU_MAX] == UNLIMITED);
	assert_int_equal(world_entry(&w, 0, KNOB_CPU_MAX)->reason, REASON_CONTENTION_OVER);
	world_free(&w);
}

static void settled_cap(struct world *w, double want)
{
	world_init(w, 4000);
	world_add(w, "shop", TIER_GOLD)->cpu.mode = CPU_CAP;
	for (int t = 0; t < 120; t++) {
		w->wants_mcpu[0] = want;
		world_step(w);
	}
}

/* A whole period throttled: 900 mcpu wanted and more, 100 ms after it. */
static void the_guard_raises_within_one_short_tick(void **state)
{
	static struct world w;
	struct plan_entry e = {};
	struct tick_service s;
	uint64_t limit;

	(void)state;
	settled_cap(&w, 300);
	limit = w.seen[0].knob[KNOB_CPU_MAX];
	assert_true(limit < 1000);
	s = w.seen[0];
	s.cpu_usage_us = limit * 100;
	s.nr_periods = s.nr_throttled = 1;
	s.throttled_us = 60000;
	assert_true(
		tick_guard(w.controller, 0, &s, w.now_ns + 100 * NS_PER_MS, 100 * NS_PER_MS, &e));
	assert_int_equal(e.reason, REASON_GUARD_THROTTLED);
	assert_true(e.urgent && e.change);
	assert_true(e.before == limit && e.value >= limit * 12 / 10 && e.value <= limit * 2);
	tick_written(w.controller, &e, e.value, 0);
	w.seen[0].knob[KNOB_CPU_MAX] = e.value;
	/* Nothing new was throttled: nothing new is raised. */
	s.knob[KNOB_CPU_MAX] = e.value;
	s.nr_throttled = s.throttled_us = 0;
	assert_false(
		tick_guard(w.controller, 0, &s, w.now_ns + 300 * NS_PER_MS, 100 * NS_PER_MS, &e));
	/* And the planner does not take it back at once. */
	for (int t = 0; t < 4; t++) {
		world_step(&w);
		assert_true(w.seen[0].knob[KNOB_CPU_MAX] >= limit * 12 / 10);
	}
	world_free(&w);
}

static void the_guard_obeys_ceiling_freeze_and_other_owners(void **state)
{
	static struct world w;
	struct plan_entry e = {};
	struct tick_service s;

	(void)state;
	settled_cap(&w, 300);
	s = w.seen[0];
	s.nr_periods = s.nr_throttled = 1;
	s.throttled_us = 90000;
	s.yielded = 1u << KNOB_CPU_MAX;
	assert_false(tick_guard(w.controller, 0, &s, w.now_ns + NS_PER_MS, 100 * NS_PER_MS, &e));
	s.yielded = 0;
	w.services[0].cpu.ceiling_mcpu = s.knob[KNOB_CPU_MAX];
	assert_false(tick_guard(w.controller, 0, &s, w.now_ns + NS_PER_MS, 100 * NS_PER_MS, &e));
	w.services[0].cpu.ceiling_mcpu = UNLIMITED;
	s.knob[KNOB_CPU_MAX] = UNLIMITED;
	assert_false(tick_guard(w.controller, 0, &s, w.now_ns + NS_PER_MS, 100 * NS_PER_MS, &e));
	world_free(&w);
}

/* Writes of an hour of noise of 10 % and of a slow sine: limits are not to follow every wiggle. */
static size_t writes_over(struct world *w, double (*load)(int t, uint64_t *seed), int seconds)
{
	uint64_t seed = 8;
	size_t n = 0;

	for (int t = 0; t < seconds; t++) {
		w->wants_mcpu[0] = load(t, &seed);
		world_step(w);
		n += t >= 300 ? w->writes : 0;
	}
	return n;
}

static double noise(int t, uint64_t *seed)
{
	(void)t;
	return 500 * jitter(seed, 0.1);
}

static double sine(int t, uint64_t *seed)
{
	return (500 + 300 * sin(2 * M_PI * t / 600)) * jitter(seed, 0.05);
}

static void nothing_flaps(void **state)
{
	static const struct {
		double (*load)(int t, uint64_t *seed);
		enum tier tier;
		enum cpu_mode mode;
		size_t most; /* writes in 1500 s */
	} rows[] = {
		{noise, TIER_GOLD, CPU_CAP, 25},       {sine, TIER_GOLD, CPU_CAP, 150},
		{noise, TIER_SILVER, CPU_RESERVE, 15}, {sine, TIER_SILVER, CPU_RESERVE, 80},
		{noise, TIER_GOLD, CPU_RESERVE, 10},
	};
	static struct world w;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n;

		world_init(&w, 4000);
		w.set.host.dwell_ns = 10 * NS_PER_S;
		world_add(&w, "shop", rows[i].tier)->cpu.mode = rows[i].mode;
		n = writes_over(&w, rows[i].load, 1800);
		if (n > rows[i].most)
			fail_msg("row %zu: %zu writes", i, n);
		world_free(&w);
	}
}

static void observe_mode_decides_once_and_writes_nothing(void **state)
{
	static struct world w;
	uint64_t seed = 4;
	size_t late = 0;

	(void)state;
	world_init(&w, 4000);
	world_add(&w, "shop", TIER_GOLD)->cpu.mode = CPU_CAP;
	w.observe = true;
	for (int t = 0; t < 400; t++) {
		w.wants_mcpu[0] = 400 * jitter(&seed, 0.02);
		world_step(&w);
		late += t >= 200 ? w.writes : 0;
	}
	assert_true(w.seen[0].knob[KNOB_CPU_MAX] == UNLIMITED);
	assert_true(world_entry(&w, 0, KNOB_CPU_MAX)->value < 1000);
	assert_true(late < 20);
	world_free(&w);
}

static void a_surprise_is_told_by_clock(void **state)
{
	static struct world w;
	struct series_anomaly found = {}, before = {};
	uint64_t seed = 9;

	(void)state;
	world_init(&w, 2000);
	world_add(&w, "shop", TIER_GOLD);
	for (int t = 0; t < 300; t++) {
		w.wants_mcpu[0] = 150 * jitter(&seed, 0.05);
		world_step(&w);
	}
	assert_int_equal(controller_anomaly(w.controller, 0, -1, 0, &before), 0);
	w.wants_mcpu[0] = 1500;
	world_step(&w);
	world_step(&w); /* the CPU of a step is seen by the next one */
	assert_int_equal(controller_anomaly(w.controller, 0, -1, 0, &found), 0);
	assert_true(found.count == before.count + 1 && found.severity > 0.8);
	assert_true(found.value > 1000 && found.expected > 100 && found.expected < 200);
	assert_int_equal(controller_anomaly(w.controller, 0, -1, 1, &found), 0);
	assert_true(found.count == 0);
	assert_int_equal(controller_anomaly(w.controller, 0, -1, 7, &found), -ENOENT);
	assert_int_equal(controller_anomaly(w.controller, 1, -1, 0, &found), -ENOENT);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tight_limit_rises_before_each_recurring_peak),
		cmocka_unit_test(bronze_makes_room_before_golds_peak_and_gets_it_back),
		cmocka_unit_test(bronze_is_released_when_gold_is_gone),
		cmocka_unit_test(the_guard_raises_within_one_short_tick),
		cmocka_unit_test(the_guard_obeys_ceiling_freeze_and_other_owners),
		cmocka_unit_test(nothing_flaps),
		cmocka_unit_test(observe_mode_decides_once_and_writes_nothing),
		cmocka_unit_test(a_surprise_is_told_by_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
