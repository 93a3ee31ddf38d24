// SPDX-License-Identifier: GPL-2.0-or-later
/* test_burst.c - cpu.max.burst from the bursts seen, never more than the kernel takes. */
#include <inttypes.h>

#include "shaping/state.h"
#include "tests/check.h"
#include "tests/shaping/world.h"

#define US_PER_MCPU 100 /* in a period of 100 ms */
#define PERIOD_NS   (100 * NS_PER_MS)

static struct world w;

/* The kernel's rule (tg_set_cfs_bandwidth): a burst above its quota is refused, either way round.
 */
static void write_as_kernel(const struct plan_entry *e)
{
	struct tick_service *s = &w.seen[e->service];

	s->knob[e->knob] = e->value;
	if (s->knob[KNOB_CPU_MAX] != UNLIMITED &&
	    s->knob[KNOB_CPU_MAX_BURST] > s->knob[KNOB_CPU_MAX] * US_PER_MCPU)
		fail_msg("%s of %u to %" PRIu64 ": burst %" PRIu64 ", quota %" PRIu64,
			 knob_rows[e->knob].name, e->service, e->value, s->knob[KNOB_CPU_MAX_BURST],
			 s->knob[KNOB_CPU_MAX] * US_PER_MCPU);
	tick_written(w.controller, e, e->value, 0);
}

static void step(void)
{
	struct tick_input in;

	if (!w.controller)
		w.controller = world_controller(&w);
	world_run(&w);
	in = world_input(&w);
	w.plan = tick_once(w.controller, &in);
	for (size_t k = 0; k < w.plan->n_entries; k++)
		if (w.plan->entries[k].change)
			write_as_kernel(&w.plan->entries[k]);
}

/* What the guard sees of service @i in one period: use, and how much of it was throttled. */
static void period(size_t i, double use_mcpu, unsigned int throttled_us)
{
	struct tick_service seen = w.seen[i];
	struct plan_entry e;

	seen.cpu_usage_us = (uint64_t)(use_mcpu * US_PER_MCPU);
	seen.nr_periods = 1;
	seen.nr_throttled = throttled_us > 0;
	seen.throttled_us = throttled_us;
	if (tick_guard(w.controller, (uint32_t)i, &seen, w.now_ns, PERIOD_NS, &e))
		write_as_kernel(&e);
}

/* A steady 1000 mcpu, and one period in which it used @peak_mcpu. Returns what is planned for it.
 */
static double one_period(double peak_mcpu)
{
	world_init(&w, 8000);
	world_add(&w, "s", TIER_GOLD)->cpu.mode = CPU_CAP;
	w.wants_mcpu[0] = 1000;
	for (int t = 0; t < 60; t++)
		step();
	assert_int_equal(w.seen[0].knob[KNOB_CPU_MAX_BURST], 0);
	period(0, peak_mcpu, 0);
	step();
	return w.plan->services[0].planned_mcpu;
}

/* 700 mcpu above the plan are 70 ms of a period; kept in whole ms. */
static void a_burst_has_room_for_the_highest_period(void **state)
{
	double planned, above_us;
	uint64_t burst;

	(void)state;
	planned = one_period(1700);
	burst = w.seen[0].knob[KNOB_CPU_MAX_BURST];
	above_us = (1700 - planned) * US_PER_MCPU;
	assert_true(planned >= 1000 && planned < 1500);
	assert_int_equal(burst % 1000, 0);
	assert_true((double)burst <= above_us && (double)burst > above_us - 1000);
	world_free(&w);
}

/* Five times the plan: as much as the plan itself, which is all that the kernel takes. */
static void a_burst_is_no_more_than_its_quota(void **state)
{
	double planned_us;

	(void)state;
	planned_us = one_period(5000) * US_PER_MCPU;
	assert_true(w.seen[0].knob[KNOB_CPU_MAX_BURST] <=
		    w.seen[0].knob[KNOB_CPU_MAX] * US_PER_MCPU);
	assert_true((double)w.seen[0].knob[KNOB_CPU_MAX_BURST] > planned_us - 1000);
	assert_true((double)w.seen[0].knob[KNOB_CPU_MAX_BURST] <= planned_us);
	world_free(&w);
}

/* Whatever is used, with limits going up and down, by the plan and by the guard between plans. */
static void the_kernel_takes_every_burst_and_quota(void **state)
{
	uint64_t seed = 3;
	size_t bursts = 0;

	(void)state;
	world_init(&w, 8000);
	for (int i = 0; i < 6; i++) {
		struct policy_service *s =
			world_add(&w, (char[]){(char)('a' + i), 0}, (enum tier)(i % TIER_COUNT));

		s->cpu.mode = i < 4 ? CPU_CAP : CPU_RESERVE;
		s->cpu.floor_mcpu = i == 1 ? 300 : 0;
		s->cpu.ceiling_mcpu = i == 3 ? 900 : UNLIMITED;
	}
	for (int t = 0; t < 5000; t++) {
		for (size_t i = 0; i < 6; i++)
			if (world_random(&seed) % 10 == 0)
				w.wants_mcpu[i] = exp(9 * world_unit(&seed)) - 1;
		step();
		for (size_t i = 0; i < 6; i++) {
			period(i, w.used_mcpu[i] * 4 * world_unit(&seed),
			       world_random(&seed) % 5 ? 0 : 50000);
			bursts += w.seen[i].knob[KNOB_CPU_MAX_BURST] > 0;
		}
	}
	assert_true(bursts > 1000);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_has_room_for_the_highest_period),
		cmocka_unit_test(a_burst_is_no_more_than_its_quota),
		cmocka_unit_test(the_kernel_takes_every_burst_and_quota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
