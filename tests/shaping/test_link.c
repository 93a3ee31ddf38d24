// SPDX-License-Identifier: GPL-2.0-or-later
/* test_link.c - a link is shared by tier and forecast, and never promised twice. */
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

/* 100 Mbit: gold sends 40, bronze as much as it can; gold's rate covers it, sums fit the link. */
static void a_link_is_shared_by_tier(void **state)
{
	(void)state;
	world_init(&w, 4000);
	world_add(&w, "batch", TIER_BRONZE);
	world_add(&w, "shop", TIER_GOLD);
	w.set.host.links[0] =
		(struct policy_link){.interface = "eth0", .rate_bits_per_s = 100000000};
	w.set.host.n_links = 1;
	w.services[0].bandwidth.ceiling_bits_per_s = 80000000;
	for (size_t i = 0; i < 2; i++) {
		(void)copy_str(w.services[i].bandwidth.interface, POLICY_IFNAME_MAX, "eth0");
		w.seen[i].known = WORLD_ALL;
		w.seen[i].missing = 0;
		w.seen[i].tx_bytes = i ? 5000000 : 20000000;
	}
	run_all(100, 60);
	assert_true(knob(1, KNOB_HTB_RATE) >= 40000000);
	assert_true(knob(0, KNOB_HTB_RATE) + knob(1, KNOB_HTB_RATE) <= 100000000);
	assert_int_equal(knob(0, KNOB_HTB_CEIL), 80000000);
	assert_int_equal(knob(1, KNOB_HTB_CEIL), 100000000);
	world_free(&w);
}

static uint64_t sum_of_rates(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w.set.n_services; i++)
		sum += w.seen[i].knob[KNOB_HTB_RATE];
	return sum;
}

/* Whatever is sent, and however few writes there are, no link is promised twice. */
static void rates_never_exceed_their_link(void **state)
{
	static const enum tier tiers[] = {TIER_BRONZE, TIER_GOLD, TIER_SILVER, TIER_GOLD};
	uint64_t seed = 11, highest = 0;

	(void)state;
	world_init(&w, 4000);
	w.set.host.links[0] =
		(struct policy_link){.interface = "eth0", .rate_bits_per_s = 100000000};
	w.set.host.n_links = 1;
	w.set.host.writes_per_minute = 20;
	for (size_t i = 0; i < ARRAY_SIZE(tiers); i++) {
		struct policy_service *s = world_add(&w, "s", tiers[i]);

		s->name[1] = (char)('0' + i);
		(void)copy_str(s->bandwidth.interface, POLICY_IFNAME_MAX, "eth0");
		s->bandwidth.floor_bits_per_s = i * 5000000;
		w.seen[i].known = WORLD_ALL;
		w.seen[i].missing = 0;
		w.seen[i].knob[KNOB_HTB_RATE] = 0;
	}
	for (int t = 0; t < 3000; t++) {
		w.frozen = world_random(&seed) % 40 == 0;
		for (size_t i = 0; i < ARRAY_SIZE(tiers); i++)
			if (world_random(&seed) % 8 == 0)
				w.seen[i].tx_bytes = world_random(&seed) % 15000000;
		world_step(&w);
		highest = MAX(highest, sum_of_rates());
		assert_true(sum_of_rates() <= 100000000);
	}
	assert_true(highest > 80000000);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_is_shared_by_tier),
		cmocka_unit_test(rates_never_exceed_their_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
