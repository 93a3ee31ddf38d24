// SPDX-License-Identifier: GPL-2.0-or-later
/* test_asks.c - the plan of a host with tenants: CPU, memory and links, and what is said about it.
 */
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

static struct policy_service *add(const char *name, const char *tenant, enum tier tier)
{
	struct policy_service *s = world_add(&w, name, tier);

	(void)copy_str(s->tenant, sizeof(s->tenant), tenant);
	s->cpu.mode = CPU_CAP;
	return s;
}

/* NAN: there is none of this name. */
static double input(size_t i, enum knob knob, const char *name)
{
	const struct plan_entry *e = world_entry(&w, i, knob);

	for (size_t k = 0; k < e->n_inputs; k++)
		if (streq(e->inputs[k].name, name))
			return e->inputs[k].value;
	return NAN;
}

static double planned(size_t i)
{
	return w.plan->services[i].planned_mcpu;
}

static void assert_about(double a, double b)
{
	if (!(fabs(a - b) <= 0.02 * fabs(b)))
		fail_msg("%g is not about %g", a, b);
}

/* 1900 to plan with: half for the three of one tenant, half for the one of another. */
static void tenants_share_cpu_whatever_services_they_have(void **state)
{
	(void)state;
	world_init(&w, 2000);
	add("a", "shop", TIER_GOLD)->cpu.ceiling_mcpu = 1900; /* one input more */
	add("b", "blog", TIER_GOLD);
	add("c", "shop", TIER_GOLD);
	add("d", "shop", TIER_GOLD);
	run_all(1500, 60);
	assert_about(planned(1), 950);
	for (size_t i = 0; i < 4; i++)
		if (i != 1)
			assert_about(planned(i), 950.0 / 3);
	assert_int_equal(world_entry(&w, 0, KNOB_CPU_MAX)->reason, REASON_TENANT_SHARE);
	assert_about(input(0, KNOB_CPU_MAX, "tenant_cpu_share"), 0.5);
	assert_about(input(0, KNOB_CPU_MAX, "tenant_services"), 3);
	assert_true(input(0, KNOB_CPU_MAX, "tenant_asked_share") > 0.5);
	assert_int_equal(world_entry(&w, 1, KNOB_CPU_MAX)->reason, REASON_CAPACITY_SHARE);
	assert_true(isnan(input(1, KNOB_CPU_MAX, "tenant_cpu_share")));
	world_free(&w);
}

static void services_without_a_tenant_are_each_by_themselves(void **state)
{
	(void)state;
	world_init(&w, 2000);
	for (size_t i = 0; i < 4; i++)
		add((const char *[]){"a", "b", "c", "d"}[i], "", TIER_GOLD);
	run_all(1500, 60);
	for (size_t i = 0; i < 4; i++) {
		assert_about(planned(i), 475);
		assert_int_equal(world_entry(&w, i, KNOB_CPU_MAX)->reason, REASON_CAPACITY_SHARE);
	}
	world_free(&w);
}

/* What a tenant's gold service has does not count against its silver one. */
static void tenants_share_within_a_tier(void **state)
{
	(void)state;
	world_init(&w, 2000);
	add("a", "shop", TIER_GOLD);
	add("b", "shop", TIER_SILVER);
	add("c", "blog", TIER_SILVER);
	run_all(500, 60);
	assert_true(planned(0) >= 500);
	assert_about(planned(1), planned(2));
	assert_about(planned(0) + planned(1) + planned(2), 1900);
	world_free(&w);
}

/* What bronze may use of the rest: 1000 or so, half of it for the one tenant's two. */
static void tenants_share_what_is_left_for_bronze(void **state)
{
	(void)state;
	world_init(&w, 2000);
	add("a", "", TIER_GOLD)->cpu.mode = CPU_RESERVE;
	add("b", "shop", TIER_BRONZE)->cpu.mode = CPU_RESERVE;
	add("c", "shop", TIER_BRONZE)->cpu.mode = CPU_RESERVE;
	add("d", "blog", TIER_BRONZE)->cpu.mode = CPU_RESERVE;
	for (int t = 0; t < 60; t++) {
		for (size_t i = 0; i < 4; i++)
			w.wants_mcpu[i] = i ? 3000 : 800;
		world_step(&w);
	}
	assert_about((double)w.seen[1].knob[KNOB_CPU_MAX], (double)w.seen[2].knob[KNOB_CPU_MAX]);
	assert_in_range(w.seen[3].knob[KNOB_CPU_MAX], 2 * w.seen[1].knob[KNOB_CPU_MAX] * 85 / 100,
			2 * w.seen[1].knob[KNOB_CPU_MAX] * 115 / 100);
	world_free(&w);
}

static void use_link(size_t i, uint64_t tx_bytes)
{
	(void)copy_str(w.services[i].bandwidth.interface, POLICY_IFNAME_MAX, "eth0");
	w.seen[i].known = WORLD_ALL;
	w.seen[i].missing = 0;
	w.seen[i].knob[KNOB_HTB_RATE] = 0;
	w.seen[i].tx_bytes = tx_bytes;
}

/* Three send 80 Mbit/s each over 100 Mbit/s, two of them of one tenant: 95 in halves. */
static void tenants_share_a_link(void **state)
{
	(void)state;
	world_init(&w, 4000);
	w.set.host.links[0] =
		(struct policy_link){.interface = "eth0", .rate_bits_per_s = 100000000};
	w.set.host.n_links = 1;
	add("a", "shop", TIER_SILVER);
	add("b", "blog", TIER_SILVER);
	add("c", "shop", TIER_SILVER);
	for (size_t i = 0; i < 3; i++)
		use_link(i, 10000000);
	run_all(100, 60);
	assert_about((double)w.seen[0].knob[KNOB_HTB_RATE], 23750000);
	assert_about((double)w.seen[1].knob[KNOB_HTB_RATE], 47500000);
	assert_about((double)w.seen[2].knob[KNOB_HTB_RATE], 23750000);
	assert_about(input(0, KNOB_HTB_RATE, "tenant_link_share"), 0.5);
	world_free(&w);
}

/*
 * Three want more CPU than there is, and the link is far too full for the two that send. What these
 * ask most of is the link, of which each gets half: so they get less CPU than the
 * one that sends nothing, which without tenants' shares would get as much.
 */
static void what_is_taken_of_a_full_link_counts_against_cpu(void **state)
{
	(void)state;
	world_init(&w, 2000);
	w.set.host.links[0] =
		(struct policy_link){.interface = "eth0", .rate_bits_per_s = 100000000};
	w.set.host.n_links = 1;
	add("a", "", TIER_GOLD);
	add("b", "", TIER_GOLD);
	add("c", "", TIER_GOLD);
	for (size_t i = 0; i < 2; i++)
		use_link(i, 60000000);
	run_all(1200, 60);
	assert_about(planned(0), planned(1));
	assert_true(planned(2) > 1.5 * planned(0));
	assert_about(planned(0) + planned(1) + planned(2), 1900);
	assert_int_equal(world_entry(&w, 0, KNOB_CPU_MAX)->reason, REASON_TENANT_SHARE);
	assert_about(input(0, KNOB_CPU_MAX, "tenant_link_share"), 0.5);
	assert_int_equal(world_entry(&w, 2, KNOB_CPU_MAX)->reason, REASON_CAPACITY_SHARE);
	world_free(&w);
}

/* 8 GiB less a reserve of 2: two tenants, of which one has two that use 4 GiB each. */
static void tenants_share_what_memory_can_be_protected(void **state)
{
	const uint64_t gib = UINT64_C(1) << 30;

	(void)state;
	world_init(&w, 4000);
	w.set.host.reserve_bytes = 2 * gib;
	add("a", "shop", TIER_GOLD);
	add("b", "blog", TIER_GOLD);
	add("c", "shop", TIER_GOLD);
	for (size_t i = 0; i < 3; i++)
		w.seen[i].memory_bytes = 4 * gib;
	run_all(100, 60);
	assert_about((double)w.seen[0].knob[KNOB_MEMORY_LOW], 1.5 * (double)gib);
	assert_about((double)w.seen[1].knob[KNOB_MEMORY_LOW], 3 * (double)gib);
	assert_about((double)w.seen[2].knob[KNOB_MEMORY_LOW], 1.5 * (double)gib);
	assert_about(input(0, KNOB_MEMORY_LOW, "tenant_memory_share"), 0.5);
	world_free(&w);
}

/* The same host with its services named, and so ordered, the other way round. */
static void plan_in_order(const size_t order[4], double ret[4])
{
	static const char *const tenants[] = {"shop", "blog", "shop", ""};
	static const enum tier tiers[] = {TIER_GOLD, TIER_GOLD, TIER_SILVER, TIER_GOLD};

	world_init(&w, 2000);
	for (size_t k = 0; k < 4; k++)
		add("s", tenants[order[k]], tiers[order[k]])->weight = 1 + (double)order[k];
	for (int t = 0; t < 60; t++) {
		for (size_t k = 0; k < 4; k++)
			w.wants_mcpu[k] = 300 + 200 * (double)order[k];
		world_step(&w);
	}
	for (size_t k = 0; k < 4; k++)
		ret[order[k]] = planned(k);
	world_free(&w);
}

static void the_order_of_services_does_not_matter(void **state)
{
	double a[4], b[4];

	(void)state;
	plan_in_order((const size_t[]){0, 1, 2, 3}, a);
	plan_in_order((const size_t[]){3, 1, 0, 2}, b);
	for (size_t i = 0; i < 4; i++)
		if (!(fabs(a[i] - b[i]) < 0.01))
			fail_msg("service %zu: %g is not %g", i, a[i], b[i]);
}

static void make_random(uint64_t *seed)
{
	static const char *const tenants[] = {"", "shop", "blog"};

	world_init(&w, 2000);
	w.set.host.n_links = 1;
	w.set.host.links[0] =
		(struct policy_link){.interface = "eth0", .rate_bits_per_s = 100000000};
	w.set.host.reserve_bytes = world_random(seed) % 9 << 30;
	for (size_t i = 0; i < 6; i++) {
		struct policy_service *s = add("s", tenants[world_random(seed) % 3],
					       (enum tier)(world_random(seed) % TIER_COUNT));

		s->weight = 0.01 + 5 * world_unit(seed);
		s->cpu.floor_mcpu = world_random(seed) % 300;
		s->cpu.mode = world_random(seed) % 2 ? CPU_CAP : CPU_RESERVE;
		w.seen[i].memory_bytes = world_random(seed) % (UINT64_C(4) << 30);
		if (world_random(seed) % 2)
			use_link(i, world_random(seed) % 30000000);
	}
}

static void check_plan(void)
{
	double cpu = 0, rates = 0;

	for (size_t i = 0; i < w.set.n_services; i++) {
		const struct plan_entry *low = world_entry(&w, i, KNOB_MEMORY_LOW);

		assert_true(isfinite(planned(i)));
		assert_true(planned(i) >= (double)w.services[i].cpu.floor_mcpu - 1e-6);
		assert_true(low->value <= w.facts.memory_bytes);
		for (int k = 0; k < KNOB_COUNT; k++)
			assert_true(world_entry(&w, i, (enum knob)k)->n_inputs <= TICK_MAX_INPUTS);
		cpu += planned(i);
		rates += (double)w.seen[i].knob[KNOB_HTB_RATE];
	}
	assert_true(cpu <= 1900 + 1e-6);
	assert_true(rates <= 100000000);
}

/* Whatever belongs to whom: floors are kept, and nothing is promised twice. */
static void random_hosts_are_never_promised_twice(void **state)
{
	uint64_t seed = 17;

	(void)state;
	for (int round = 0; round < 20; round++) {
		make_random(&seed);
		for (int t = 0; t < 30; t++) {
			for (size_t i = 0; i < w.set.n_services; i++)
				w.wants_mcpu[i] = 1500 * world_unit(&seed);
			world_step(&w);
			check_plan();
		}
		world_free(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tenants_share_cpu_whatever_services_they_have),
		cmocka_unit_test(services_without_a_tenant_are_each_by_themselves),
		cmocka_unit_test(tenants_share_within_a_tier),
		cmocka_unit_test(tenants_share_what_is_left_for_bronze),
		cmocka_unit_test(tenants_share_a_link),
		cmocka_unit_test(what_is_taken_of_a_full_link_counts_against_cpu),
		cmocka_unit_test(tenants_share_what_memory_can_be_protected),
		cmocka_unit_test(the_order_of_services_does_not_matter),
		cmocka_unit_test(random_hosts_are_never_promised_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
