// SPDX-License-Identifier: GPL-2.0-or-later
/* test_left.c - what gold and silver leave of the host for bronze, by hand-worked loads. */
#include "tests/check.h"
#include "tests/shaping/world.h"

#define GIB  (1024 * MIB)
#define SOME 0.02 /* what a forecast of what does not change may be off by */

static struct world w;

static void start(void)
{
	world_init(&w, 4000);
	w.set.host.reserve_mcpu = 200;
	w.set.host.reserve_bytes = GIB;
	world_add(&w, "shop", TIER_GOLD);
	world_add(&w, "batch", TIER_BRONZE);
}

static void run_for(int ticks, double gold_mcpu, double bronze_mcpu)
{
	for (int i = 0; i < ticks; i++) {
		w.wants_mcpu[0] = gold_mcpu;
		w.wants_mcpu[1] = bronze_mcpu;
		world_step(&w);
	}
}

static void assert_about(double is, double should)
{
	if (!(fabs(is - should) <= SOME * should))
		print_error("%g instead of about %g\n", is, should);
	assert_true(fabs(is - should) <= SOME * should);
}

/* Of 4,000 less 200 reserved less 300 outside less gold's 1,000, bronze uses 500. */
static void cpu_that_gold_does_not_need_is_left(void **state)
{
	(void)state;
	start();
	w.outside_mcpu = 300;
	run_for(120, 1000, 500);
	assert_about(w.plan->left_mcpu.all, 2500);
	assert_about(w.plan->left_mcpu.unused, 2000);
	assert_false(w.plan->contention);
	world_free(&w);
}

/* A floor is kept for gold while it idles; with all of it asked for, nothing is left or unused. */
static void floors_are_not_left(void **state)
{
	(void)state;
	start();
	w.services[0].cpu.floor_mcpu = 800;
	run_for(60, 10, 500);
	assert_about(w.plan->left_mcpu.all, 3000);
	assert_about(w.plan->left_mcpu.unused, 2500);
	w.services[0].cpu.floor_mcpu = 3800;
	run_for(5, 10, 500);
	assert_true(w.plan->left_mcpu.all <= 1 && w.plan->left_mcpu.unused <= 1);
	world_free(&w);
}

/* The administrator's bound of the tier holds, whatever is idle. */
static void no_more_is_left_than_bronze_may_have(void **state)
{
	(void)state;
	start();
	w.set.host.tiers[TIER_BRONZE].ceiling_mcpu = 600;
	run_for(60, 1000, 500);
	assert_about(w.plan->left_mcpu.all, 600);
	assert_about(w.plan->left_mcpu.unused, 100);
	world_free(&w);
}

/* 4 GiB are available, 1 is the reserve: 3 unused, with bronze's 64 MiB 3.0625 for it in all. */
static void memory_left_is_what_the_kernel_has(void **state)
{
	(void)state;
	start();
	run_for(60, 100, 100);
	assert_about(w.plan->left_bytes.unused, 3 * (double)GIB);
	assert_about(w.plan->left_bytes.all, 3.0625 * (double)GIB);
	/* Gold gave 1 GiB back that it is likely to want again: it is not bronze's. */
	w.seen[0].memory_bytes = GIB + 64 * MIB;
	run_for(120, 100, 100);
	w.seen[0].memory_bytes = 64 * MIB;
	run_for(1, 100, 100);
	assert_true(w.plan->left_bytes.unused > 1.8 * (double)GIB);
	assert_true(w.plan->left_bytes.unused < 2.1 * (double)GIB);
	w.available_bytes = UNLIMITED;
	run_for(1, 100, 100);
	assert_true(isnan(w.plan->left_bytes.all) && isnan(w.plan->left_bytes.unused));
	world_free(&w);
}

/* Of 100 Mbit 95 are given out; gold sends 40 of them and bronze 5. */
static void a_link_is_left_too(void **state)
{
	(void)state;
	start();
	w.set.host.links[0] =
		(struct policy_link){.interface = "eth0", .rate_bits_per_s = 100000000};
	w.set.host.n_links = 1;
	for (size_t i = 0; i < 2; i++) {
		(void)copy_str(w.services[i].bandwidth.interface, POLICY_IFNAME_MAX, "eth0");
		w.seen[i].missing = 0;
		w.seen[i].tx_bytes = i ? 625000 : 5000000;
	}
	run_for(60, 100, 100);
	assert_int_equal(w.plan->n_links, 1);
	assert_about(w.plan->left_bits_per_s[0].all, 55e6);
	assert_about(w.plan->left_bits_per_s[0].unused, 50e6);
	/* Its packets are not counted any more: who knows what is left. */
	w.seen[0].missing = MISSING_APIS;
	run_for(1, 100, 100);
	assert_true(isnan(w.plan->left_bits_per_s[0].all));
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpu_that_gold_does_not_need_is_left),
		cmocka_unit_test(floors_are_not_left),
		cmocka_unit_test(no_more_is_left_than_bronze_may_have),
		cmocka_unit_test(memory_left_is_what_the_kernel_has),
		cmocka_unit_test(a_link_is_left_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
