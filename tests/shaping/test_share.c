// SPDX-License-Identifier: GPL-2.0-or-later
/* test_share.c - capacity given out as worked by hand: floors, tiers, max-min by weight. */
#include <math.h>
#include <stdbool.h>

#include "tests/check.h"
#include "agent/base/util.h"
#include "shaping/share.h"
#include "tests/shaping/world.h"

static const double unbounded[TIER_COUNT] = {INFINITY, INFINITY, INFINITY};

static void assert_near(double a, double b)
{
	if (!(fabs(a - b) < 1e-6))
		fail_msg("%.9g is not %.9g", a, b);
}

static void higher_tiers_come_first(void **state)
{
	struct share_claim c[] = {{TIER_BRONZE, 0, 1000, 1, 0},
				  {TIER_GOLD, 0, 1200, 1, 0},
				  {TIER_SILVER, 0, 500, 1, 0}};

	(void)state;
	share_fill(c, 3, 2000, unbounded);
	assert_near(c[0].got, 300);
	assert_near(c[1].got, 1200);
	assert_near(c[2].got, 500);
}

static void floors_of_all_come_before_any_tier(void **state)
{
	struct share_claim c[] = {{TIER_GOLD, 100, 2000, 1, 0}, {TIER_BRONZE, 400, 900, 1, 0}};

	(void)state;
	share_fill(c, 2, 2000, unbounded);
	assert_near(c[0].got, 1600);
	assert_near(c[1].got, 400);
}

static void floors_that_do_not_fit_are_cut_in_proportion(void **state)
{
	struct share_claim c[] = {{TIER_GOLD, 3000, 3000, 1, 0}, {TIER_BRONZE, 1000, 1000, 1, 0}};

	(void)state;
	share_fill(c, 2, 2000, unbounded);
	assert_near(c[0].got, 1500);
	assert_near(c[1].got, 500);
}

/* 1800 over wants 200, 900, 2000 by weights 1, 1, 2: 200 is met, the rest split 1 to 2. */
static void within_a_tier_it_is_max_min_fair_by_weight(void **state)
{
	struct share_claim c[] = {
		{TIER_GOLD, 0, 200, 1, 0}, {TIER_GOLD, 0, 900, 1, 0}, {TIER_GOLD, 0, 2000, 2, 0}};

	(void)state;
	share_fill(c, 3, 1800, unbounded);
	assert_near(c[0].got, 200);
	assert_near(c[1].got, 1600.0 / 3);
	assert_near(c[2].got, 3200.0 / 3);
}

/* The floor counts towards a fair share: 600 for one with a floor of 500, 600 for the other. */
static void a_floor_counts_towards_the_share(void **state)
{
	struct share_claim c[] = {{TIER_GOLD, 500, 2000, 1, 0}, {TIER_GOLD, 0, 2000, 1, 0}};

	(void)state;
	share_fill(c, 2, 1200, unbounded);
	assert_near(c[0].got, 600);
	assert_near(c[1].got, 600);
}

static void a_tiers_ceiling_leaves_the_rest_to_the_next(void **state)
{
	const double most[TIER_COUNT] = {1000, INFINITY, INFINITY};
	struct share_claim c[] = {{TIER_GOLD, 0, 1800, 1, 0}, {TIER_BRONZE, 0, 1800, 1, 0}};

	(void)state;
	share_fill(c, 2, 2000, most);
	assert_near(c[0].got, 1000);
	assert_near(c[1].got, 1000);
}

static void check_random(struct share_claim *c, size_t n, double capacity)
{
	double sum = 0, floors = 0;

	share_fill(c, n, capacity, unbounded);
	for (size_t i = 0; i < n; i++) {
		assert_true(isfinite(c[i].got) && c[i].got >= 0);
		assert_true(c[i].got <= fmax(c[i].want, c[i].floor) + 1e-6);
		sum += c[i].got;
		floors += c[i].floor;
	}
	assert_true(sum <= capacity + 1e-6);
	for (size_t i = 0; floors <= capacity && i < n; i++)
		assert_true(c[i].got >= c[i].floor - 1e-6);
	/* Nobody below what it wants while a lower tier has more than its floor. */
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			if (c[i].tier < c[k].tier && c[i].got < c[i].want - 1e-3)
				assert_true(c[k].got <= c[k].floor + 1e-3);
}

static void random_claims_keep_every_rule(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct share_claim c[6];
		size_t n = 1 + world_random(&seed) % 6;

		for (size_t i = 0; i < n; i++)
			c[i] = (struct share_claim){
				(enum tier)(world_random(&seed) % TIER_COUNT),
				world_unit(&seed) < 0.5 ? 0 : 500 * world_unit(&seed),
				2000 * world_unit(&seed), 0.1 + 5 * world_unit(&seed), NAN};
		check_random(c, n, 4000 * world_unit(&seed));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(higher_tiers_come_first),
		cmocka_unit_test(floors_of_all_come_before_any_tier),
		cmocka_unit_test(floors_that_do_not_fit_are_cut_in_proportion),
		cmocka_unit_test(within_a_tier_it_is_max_min_fair_by_weight),
		cmocka_unit_test(a_floor_counts_towards_the_share),
		cmocka_unit_test(a_tiers_ceiling_leaves_the_rest_to_the_next),
		cmocka_unit_test(random_claims_keep_every_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
