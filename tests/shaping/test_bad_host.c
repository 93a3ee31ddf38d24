// SPDX-License-Identifier: GPL-2.0-or-later
/* test_bad_host.c - a host that loses CPUs, clocks that jump, policies that contradict each other;
 * each for every tier and mode. */
#include "shaping/state.h"
#include "tests/shaping/watch.h"

#define CALM_TICKS  120
#define CALM_WRITES 8 /* of three services in so many ticks */

static struct watch h;

static void for_all(void (*test)(const struct watch_row *row))
{
	for (size_t i = 0; i < ARRAY_SIZE(watch_rows); i++) {
		test(&watch_rows[i]);
		world_free(&h.w);
	}
}

/* A price lowers by 3 % at once: that takes longer. */
static void calm_after(const struct watch_row *row, double want_mcpu, int ticks)
{
	watch_run(&h, want_mcpu, isnan(row->short_cost) ? ticks : ticks * 5);
	watch_calm(&h, want_mcpu, CALM_TICKS, CALM_WRITES);
}

typedef void (*other_cpus)(uint64_t capacity_mcpu);
static other_cpus have_cpus;

static void reload(uint64_t capacity_mcpu)
{
	struct controller *c = NULL;

	h.w.facts.capacity_mcpu = capacity_mcpu;
	assert_int_equal(controller_reload(h.w.controller, &h.w.set, &h.w.facts, &c), 0);
	controller_free(h.w.controller);
	h.w.controller = c;
}

static void go_on(uint64_t capacity_mcpu)
{
	uint64_t learned = series_count(h.w.controller->services[0].cpu.series[0]);

	h.w.facts.capacity_mcpu = capacity_mcpu;
	controller_capacity(h.w.controller, capacity_mcpu);
	assert_true(learned > 0);
	watch_run(&h, 1500, 1);
	assert_true(series_count(h.w.controller->services[0].cpu.series[0]) >= learned);
}

/* Of four CPUs one stays, which is less than is wanted, and then three come back. */
static void lose_cpus(const struct watch_row *row)
{
	watch_init(&h, row, 4000)->cpu.floor_mcpu = 20;
	watch_run(&h, 1500, 120);
	have_cpus(1000);
	watch_run(&h, 1500, 30);
	if (watch_limit(&h) != UNLIMITED && watch_limit(&h) > 1000)
		fail_msg("%s: %" PRIu64 " mcpu of one CPU", h.what, watch_limit(&h));
	if (row->mode == CPU_CAP)
		assert_int_equal(world_entry(&h.w, 0, KNOB_CPU_MAX)->reason, REASON_CAPACITY_SHARE);
	calm_after(row, 1500, 30);
	have_cpus(4000);
	(void)watch_recovery(&h, 1500, 10);
	calm_after(row, 1500, 60);
}

static void limits_fit_a_host_that_loses_cpus(void **state)
{
	(void)state;
	have_cpus = reload;
	for_all(lose_cpus);
	have_cpus = go_on;
	for_all(lose_cpus);
}

/* The kernel's counters of the host and those of its services are read one after the other. */
static void less_than_its_parts(const struct watch_row *row)
{
	watch_init(&h, row, 4000)->cpu.floor_mcpu = 20;
	for (int t = 0; t < 200; t++) {
		h.w.outside_mcpu = t % 3 ? -h.w.used_mcpu[0] : 5000;
		watch_run(&h, 1000, 1);
	}
	watch_calm(&h, 1000, CALM_TICKS, CALM_WRITES);
}

static void a_host_that_uses_less_than_its_services_is_no_news(void **state)
{
	(void)state;
	for_all(less_than_its_parts);
}

/* One jump each: the monotonic clock stands still, goes on by an hour and by years (a resume). */
static void mono_jumps(const struct watch_row *row)
{
	static const uint64_t jumps_ns[] = {0, 1, 3600 * NS_PER_S, 10 * 365 * 86400 * NS_PER_S,
					    UINT64_MAX / 4};

	watch_alone(&h, row, 4000)->cpu.floor_mcpu = 20;
	watch_run(&h, 1000, 120);
	for (size_t i = 0; i < ARRAY_SIZE(jumps_ns); i++) {
		uint64_t held = watch_limit(&h);

		h.w.interval_ns = jumps_ns[i];
		watch_run(&h, 1000, 1);
		if (jumps_ns[i] > NS_PER_S && watch_limit(&h) < held)
			fail_msg("%s: lowered after a gap", h.what);
		h.w.interval_ns = NS_PER_S;
		(void)watch_recovery(&h, 1000, 4);
		watch_run(&h, 1000, 60);
		watch_calm(&h, 1000, 60, CALM_WRITES);
	}
}

static void a_monotonic_clock_may_jump(void **state)
{
	(void)state;
	for_all(mono_jumps);
}

/* The real clock goes back and forth by years while an event is stated. */
static void real_jumps(const struct watch_row *row)
{
	static struct policy_event sale = {
		.name = "sale",
		.starts_real_ns = INT64_C(1700000100) * (int64_t)NS_PER_S,
		.lasts_ns = 3600 * NS_PER_S,
		.multiplier = 2,
	};
	uint64_t seed = 7;

	watch_alone(&h, row, 4000)->cpu.floor_mcpu = 20;
	h.w.services[0].events = &sale;
	h.w.services[0].n_events = 1;
	watch_run(&h, 500, 60);
	for (int t = 0; t < 120; t++) {
		if (t % 6 == 0)
			h.w.real_off_ns =
				(int64_t)(world_random(&seed) >> (world_random(&seed) % 63)) *
				(t % 12 ? 1 : -1);
		watch_run(&h, 500, 1);
		assert_true(h.w.used_mcpu[0] > 450);
	}
	h.w.real_off_ns = INT64_C(-1600000000) * (int64_t)NS_PER_S;
	watch_run(&h, 500, 200);
	watch_calm(&h, 500, CALM_TICKS, CALM_WRITES);
}

static void the_real_clock_may_jump(void **state)
{
	(void)state;
	for_all(real_jumps);
}

enum contradiction {
	FLOOR_ABOVE_CEILING,
	FLOOR_ABOVE_HOST,
	FLOORS_ABOVE_HOST,
	FLOOR_ABOVE_TIER,
	FLOOR_ABOVE_MEMORY_CEILING,
	FLOOR_ABOVE_LINK,
	NO_CPU,
	OBJECTIVE_OUT_OF_REACH,
	CONTRADICTIONS
};

static void say_both(struct policy_service *s, enum contradiction which)
{
	struct policy_host *host = &h.w.set.host;

	switch (which) {
	case FLOOR_ABOVE_CEILING:
		s->cpu.floor_mcpu = 2000;
		s->cpu.ceiling_mcpu = 1000;
		break;
	case FLOOR_ABOVE_HOST:
		s->cpu.floor_mcpu = 5000;
		break;
	case FLOORS_ABOVE_HOST:
		s->cpu.floor_mcpu = 3000;
		world_add(&h.w, "front", TIER_GOLD)->cpu.floor_mcpu = 3000;
		break;
	case FLOOR_ABOVE_TIER:
		host->tiers[s->tier].ceiling_mcpu = 100;
		s->cpu.floor_mcpu = 500;
		break;
	case FLOOR_ABOVE_MEMORY_CEILING:
		s->memory.floor_bytes = UINT64_C(2) << 30;
		s->memory.ceiling_bytes = 16 * MIB;
		break;
	case FLOOR_ABOVE_LINK:
		(void)copy_str(s->bandwidth.interface, sizeof(s->bandwidth.interface), "eth0");
		host->links[0] =
			(struct policy_link){.interface = "eth0", .rate_bits_per_s = 1000000};
		host->n_links = 1;
		s->bandwidth.floor_bits_per_s = 5000000;
		s->bandwidth.ceiling_bits_per_s = 2000;
		h.w.seen[0].known = WORLD_ALL;
		h.w.seen[0].knob[KNOB_HTB_RATE] = h.w.seen[0].knob[KNOB_HTB_CEIL] = 500000;
		break;
	case NO_CPU:
		s->cpu.ceiling_mcpu = 0;
		break;
	default:
		s->slo = (struct policy_slo){.set = true, .objective = 0.9999, .window_s = 300};
		s->cpu.ceiling_mcpu = 100;
		h.w.seen[0].missing = 0;
		h.w.apis[0][0] =
			(struct tick_api){.requests = 100, .finished = 100, .slo_total = 100};
	}
}

static void contradict(const struct watch_row *row)
{
	for (int k = 0; k < CONTRADICTIONS; k++) {
		world_free(&h.w);
		say_both(watch_alone(&h, row, 4000), (enum contradiction)k);
		(void)snprintf(h.what, sizeof(h.what), "%s, contradiction %d", row->name, k);
		calm_after(row, 1500, 60);
	}
}

static void policies_that_contradict_move_nothing_for_long(void **state)
{
	(void)state;
	for_all(contradict);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_fit_a_host_that_loses_cpus),
		cmocka_unit_test(a_host_that_uses_less_than_its_services_is_no_news),
		cmocka_unit_test(a_monotonic_clock_may_jump),
		cmocka_unit_test(the_real_clock_may_jump),
		cmocka_unit_test(policies_that_contradict_move_nothing_for_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
