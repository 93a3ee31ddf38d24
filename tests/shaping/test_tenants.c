// SPDX-License-Identifier: GPL-2.0-or-later
/* test_tenants.c - dominant-resource fairness: the paper's example, and what it promises. */
#include <math.h>
#include <stdbool.h>

#include "tests/check.h"
#include "agent/base/util.h"
#include "shaping/tenants.h"
#include "tests/shaping/world.h"

#define MOST_SERVICES 12
#define MOST_TENANTS  5
#define RESOURCES     4 /* CPU, memory, two links */

/* Services in order of their tenants; what each gets is left in @got. */
struct host {
	struct tenants tenants;
	size_t n;
	struct need {
		size_t tenant;
		enum tier tier;
		double weight, want[RESOURCES], floor[RESOURCES], got[RESOURCES];
	} needs[MOST_SERVICES];
	double capacity[RESOURCES];
	double most_cpu[TIER_COUNT];
};

static struct share_claim claim_of(const struct need *s, size_t r)
{
	return (struct share_claim){s->tier, s->floor[r], s->want[r], s->weight, NAN};
}

static void fill_one(struct host *h, size_t r)
{
	struct share_claim claims[MOST_SERVICES];

	for (size_t i = 0; i < h->n; i++)
		claims[i] = claim_of(&h->needs[i], r);
	tenants_fill(&h->tenants, (enum tenant_resource)r, claims);
	for (size_t i = 0; i < h->n; i++)
		h->needs[i].got[r] = claims[i].got;
}

static void fill(struct host *h)
{
	struct tenants *t = &h->tenants;

	tenants_begin(t, RESOURCES);
	for (size_t r = 0; r < RESOURCES; r++)
		t->capacity[r] = h->capacity[r];
	for (int tier = 0; tier < TIER_COUNT; tier++)
		t->most[TENANT_CPU][tier] = h->most_cpu[tier];
	for (size_t i = 0; i < h->n; i++) {
		t->list[h->needs[i].tenant].n++;
		for (size_t r = 0; r < RESOURCES; r++) {
			struct share_claim claim = claim_of(&h->needs[i], r);

			tenants_ask(t, h->needs[i].tenant, (enum tenant_resource)r, &claim);
		}
	}
	tenants_weigh(t);
	for (size_t r = 0; r < RESOURCES; r++)
		fill_one(h, r);
}

static void begin(struct host *h, size_t tenants)
{
	*h = (struct host){.most_cpu = {INFINITY, INFINITY, INFINITY}};
	assert_int_equal(tenants_new(tenants, &h->tenants), 0);
}

static struct need *add(struct host *h, size_t tenant, double cpu, double memory)
{
	struct need *s = &h->needs[h->n++];

	*s = (struct need){.tenant = tenant, .weight = 1, .want = {cpu, memory}};
	return s;
}

static void assert_near(double a, double b)
{
	if (!(fabs(a - b) < 1e-6))
		fail_msg("%.9g is not %.9g", a, b);
}

static double tasks(const struct need *s, double cpu, double memory)
{
	return fmin(s->got[TENANT_CPU] / cpu, s->got[TENANT_MEMORY] / memory);
}

/*
 * 9 CPUs and 18 GB; A's tasks need 1 and 4, B's 3 and 1; both want a hundred. At x and y tasks the
 * dominant shares are 4x/18 and 3y/9, equal where y = 2x/3; the CPUs are used up at x + 3y = 9: 3
 * and 2.
 */
static void the_papers_example_comes_out(void **state)
{
	struct host h;

	(void)state;
	begin(&h, 2);
	h.capacity[TENANT_CPU] = 9;
	h.capacity[TENANT_MEMORY] = 18;
	add(&h, 0, 100, 400);
	add(&h, 1, 300, 100);
	fill(&h);
	assert_near(tasks(&h.needs[0], 1, 4), 3);
	assert_near(tasks(&h.needs[1], 3, 1), 2);
	assert_int_equal(h.tenants.list[0].tiers[0].dominant, TENANT_MEMORY);
	assert_int_equal(h.tenants.list[1].tiers[0].dominant, TENANT_CPU);
	tenants_free(&h.tenants);
}

/*
 * The same with a weight of 2 for A: 4x/18 = 2L and 3y/9 = L, so x = 9L and y = 3L; memory is used
 * up first, at 36L + 3L = 18: 54/13 and 18/13 tasks.
 */
static void a_weight_counts_in_dominant_shares(void **state)
{
	struct host h;

	(void)state;
	begin(&h, 2);
	h.capacity[TENANT_CPU] = 9;
	h.capacity[TENANT_MEMORY] = 18;
	add(&h, 0, 100, 400)->weight = 2;
	add(&h, 1, 300, 100);
	fill(&h);
	assert_near(tasks(&h.needs[0], 1, 4), 54.0 / 13);
	assert_near(tasks(&h.needs[1], 3, 1), 18.0 / 13);
	tenants_free(&h.tenants);
}

/* 2000 for a tenant of three services and one of one: 1000 each, and the three split 1, 1, 2. */
static void more_services_get_a_tenant_no_more(void **state)
{
	struct host h;

	(void)state;
	begin(&h, 2);
	h.capacity[TENANT_CPU] = 2000;
	add(&h, 0, 800, 0);
	add(&h, 0, 800, 0);
	add(&h, 0, 800, 0)->weight = 2;
	add(&h, 1, 5000, 0)->weight = 2;
	fill(&h);
	assert_near(h.needs[0].got[0], 250);
	assert_near(h.needs[1].got[0], 250);
	assert_near(h.needs[2].got[0], 500);
	assert_near(h.needs[3].got[0], 1000);
	tenants_free(&h.tenants);
}

/* What one tenant does not want the other gets, and then its services get all they want. */
static void what_a_tenant_leaves_others_get(void **state)
{
	struct host h;

	(void)state;
	begin(&h, 2);
	h.capacity[TENANT_CPU] = 2000;
	add(&h, 0, 900, 0);
	add(&h, 0, 900, 0);
	add(&h, 1, 300, 0);
	fill(&h);
	assert_near(h.needs[0].got[0], 850);
	assert_near(h.needs[1].got[0], 850);
	assert_near(h.needs[2].got[0], 300);
	tenants_free(&h.tenants);
}

/* 1000 CPU, floors 100 and 0 of one tenant, 300 of another: floors come out of its own share. */
static void floors_count_towards_the_tenants_share(void **state)
{
	struct host h;

	(void)state;
	begin(&h, 2);
	h.capacity[TENANT_CPU] = 1000;
	add(&h, 0, 900, 0)->floor[0] = 400;
	add(&h, 0, 900, 0);
	add(&h, 1, 900, 0)->floor[0] = 300;
	fill(&h);
	assert_near(h.needs[0].got[0], 400);
	assert_near(h.needs[1].got[0], 100);
	assert_near(h.needs[2].got[0], 500);
	tenants_free(&h.tenants);
}

/*
 * One wants half of the CPUs and a link, the other all CPUs. A link that is full, or too full by 1
 * in 10^6, changes nothing about CPU. With 1.5 links asked for, the link is dominant: each 1.5 of
 * it go with 0.5 of the CPUs, so that it has 1 part of them to the other's 3.
 */
static void a_resource_counts_by_how_scarce_it_is(void **state)
{
	static const double want[] = {99.9999, 100.0001, 150};
	double got[3];
	struct host h;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		begin(&h, 2);
		h.capacity[TENANT_CPU] = 1000;
		h.capacity[TENANT_LINK] = 100;
		add(&h, 0, 500, 0)->want[TENANT_LINK] = want[i];
		add(&h, 1, 1000, 0);
		fill(&h);
		got[i] = h.needs[0].got[TENANT_CPU];
		assert_near(h.needs[0].got[TENANT_LINK], fmin(want[i], 100));
		tenants_free(&h.tenants);
	}
	assert_near(got[0], 500);
	assert_near(got[1], 500);
	assert_near(got[2], 250);
}

/* A and B ask for all of a link of 100 each; what C claims in the end, without asking, it gets. */
static void a_small_claim_is_met_though_it_was_not_asked_for(void **state)
{
	struct share_claim claims[] = {{TIER_GOLD, 0, 100, 1, NAN},
				       {TIER_GOLD, 0, 100, 1, NAN},
				       {TIER_GOLD, 0, 1, 1, NAN}};
	struct host h;

	(void)state;
	begin(&h, 3);
	h.capacity[TENANT_CPU] = 1000;
	h.capacity[TENANT_LINK] = 100;
	add(&h, 0, 0, 0)->want[TENANT_LINK] = 100;
	add(&h, 1, 0, 0)->want[TENANT_LINK] = 100;
	add(&h, 2, 500, 0);
	fill(&h);
	tenants_fill(&h.tenants, TENANT_LINK, claims);
	assert_near(claims[0].got, 49.5);
	assert_near(claims[1].got, 49.5);
	assert_near(claims[2].got, 1);
	tenants_free(&h.tenants);
}

static void make_random(struct host *h, uint64_t *seed, bool single)
{
	size_t tenants = 1 + world_random(seed) % MOST_TENANTS;
	double few = world_random(seed) % 2 ? 1 : 4;

	begin(h, tenants);
	for (size_t r = 0; r < RESOURCES; r++)
		h->capacity[r] = 3000 * world_unit(seed) / few;
	for (size_t k = 0; k < tenants; k++) {
		size_t services = single ? 1 : world_random(seed) % 3;

		for (size_t i = 0; i < services; i++) {
			struct need *s = add(h, k, 0, 0);

			s->tier = (enum tier)(world_random(seed) % TIER_COUNT);
			for (size_t r = 0; r < RESOURCES; r++)
				s->want[r] = world_random(seed) % 3 ? 1000 * world_unit(seed) : 0;
		}
	}
}

static void add_floors_and_weights(struct host *h, uint64_t *seed)
{
	for (size_t i = 0; i < h->n; i++) {
		h->needs[i].weight = 0.1 + 5 * world_unit(seed);
		for (size_t r = 0; r < RESOURCES; r++)
			h->needs[i].floor[r] = world_random(seed) % 2 ? 0 : 300 * world_unit(seed);
	}
	for (int t = 0; t < TIER_COUNT; t++)
		h->most_cpu[t] = world_random(seed) % 3 ? INFINITY : 2000 * world_unit(seed);
}

/* For all that is asked for but CPU, and no more. */
static void make_room(struct host *h)
{
	for (size_t r = 1; r < RESOURCES; r++) {
		h->capacity[r] = 1e-6;
		for (size_t i = 0; i < h->n; i++)
			h->capacity[r] += fmax(h->needs[i].want[r], h->needs[i].floor[r]);
	}
}

/* Where the other resources are in use but not short, services by themselves share CPU as ever. */
static void services_by_themselves_share_cpu_as_without_tenants(void **state)
{
	uint64_t seed = 3;
	size_t shorts = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct share_claim claims[MOST_SERVICES];
		double asked = 0;
		struct host h;

		make_random(&h, &seed, true);
		add_floors_and_weights(&h, &seed);
		make_room(&h);
		for (size_t i = 0; i < h.n; i++) {
			claims[i] = claim_of(&h.needs[i], 0);
			asked += fmax(claims[i].want, claims[i].floor);
		}
		share_fill(claims, h.n, h.capacity[0], h.most_cpu);
		fill(&h);
		for (size_t i = 0; i < h.n; i++)
			assert_near(h.needs[i].got[0], claims[i].got);
		shorts += asked > h.capacity[0];
		tenants_free(&h.tenants);
	}
	assert_in_range(shorts, 5000, 20000);
}

static double floors_of(const struct host *h, size_t r)
{
	double sum = 0;

	for (size_t i = 0; i < h->n; i++)
		sum += h->needs[i].floor[r];
	return sum;
}

static void check_bounds(const struct host *h, size_t r)
{
	double sum = 0;
	bool fits = floors_of(h, r) <= h->capacity[r];

	for (size_t i = 0; i < h->n; i++) {
		const struct need *s = &h->needs[i];

		assert_true(isfinite(s->got[r]) && s->got[r] >= 0);
		assert_true(s->got[r] <= fmax(s->want[r], s->floor[r]) + 1e-6);
		assert_true(!fits || s->got[r] >= s->floor[r] - 1e-6);
		sum += s->got[r];
	}
	assert_true(sum <= h->capacity[r] + 1e-6);
}

/* Of what there is nothing is left while somebody lacks some, but for what a tier may not have. */
static void check_efficient(const struct host *h, size_t r)
{
	double sum = 0, lack = 0;

	for (size_t i = 0; i < h->n; i++) {
		sum += h->needs[i].got[r];
		if (r != TENANT_CPU || isinf(h->most_cpu[h->needs[i].tier]))
			lack = fmax(lack, h->needs[i].want[r] - h->needs[i].got[r]);
	}
	assert_true(lack <= 1e-4 || sum >= h->capacity[r] - 1e-4);
}

/* Nobody below what it wants while a lower tier has more than its floor. */
static void check_tiers(const struct host *h, size_t r)
{
	for (size_t i = 0; i < h->n; i++)
		for (size_t k = 0; k < h->n; k++) {
			const struct need *a = &h->needs[i], *b = &h->needs[k];

			if (a->tier < b->tier && a->got[r] < a->want[r] - 1e-3 &&
			    (r != TENANT_CPU || isinf(h->most_cpu[a->tier])))
				assert_true(b->got[r] <= b->floor[r] + 1e-3);
		}
}

static void random_hosts_keep_every_rule(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct host h;

		make_random(&h, &seed, false);
		add_floors_and_weights(&h, &seed);
		fill(&h);
		for (size_t r = 0; r < RESOURCES; r++) {
			check_bounds(&h, r);
			check_efficient(&h, r);
			check_tiers(&h, r);
		}
		tenants_free(&h.tenants);
	}
}

/* What is there for @tier of resource @r after those before it. */
static double left_for(const struct host *h, enum tier tier, size_t r)
{
	double left = h->capacity[r];

	for (size_t i = 0; i < h->n; i++)
		if (h->needs[i].tier < tier)
			left -= h->needs[i].got[r];
	return fmax(left, 0);
}

/* Returns whether it was a case in which there is something to be fair about. */
static bool check_fair(const struct host *h, enum tier tier, size_t k)
{
	const struct tenant_tier *at = &h->tenants.list[k].tiers[tier];
	size_t r = at->dominant, n = 0;

	if (at->dominant_share <= 0 || at->got[r] >= at->asked[r] - 1e-4)
		return false;
	for (size_t i = 0; i < h->tenants.n; i++) {
		const struct tenant_tier *other = &h->tenants.list[i].tiers[tier];

		n += other->asked[r] > 0;
		assert_true(at->got[r] >= other->got[r] - 1e-4); /* no envy */
	}
	assert_true(at->got[r] >= left_for(h, tier, r) / (double)n - 1e-4); /* worth sharing */
	return n > 1;
}

static void none_does_worse_than_alone_or_than_another(void **state)
{
	uint64_t seed = 5;
	size_t cases = 0, not_cpu = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct host h;

		make_random(&h, &seed, false);
		fill(&h);
		for (enum tier tier = TIER_GOLD; tier < TIER_COUNT; tier++)
			for (size_t k = 0; k < h.tenants.n; k++)
				if (check_fair(&h, tier, k)) {
					cases++;
					not_cpu += h.tenants.list[k].tiers[tier].dominant !=
						   TENANT_CPU;
				}
		tenants_free(&h.tenants);
	}
	assert_in_range(cases, 5000, 300000);
	assert_in_range(not_cpu, 5000, 300000);
}

/* The same needs with tenants and services in the other order. */
static void turn_round(const struct host *h, struct host *ret)
{
	begin(ret, h->tenants.n);
	memcpy(ret->capacity, h->capacity, sizeof(h->capacity));
	memcpy(ret->most_cpu, h->most_cpu, sizeof(h->most_cpu));
	for (size_t i = h->n; i-- > 0;) {
		ret->needs[ret->n] = h->needs[i];
		ret->needs[ret->n++].tenant = h->tenants.n - 1 - h->needs[i].tenant;
	}
}

static void the_order_of_services_does_not_matter(void **state)
{
	uint64_t seed = 13;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct host h, other;

		make_random(&h, &seed, false);
		add_floors_and_weights(&h, &seed);
		turn_round(&h, &other);
		fill(&h);
		fill(&other);
		for (size_t i = 0; i < h.n; i++)
			for (size_t r = 0; r < RESOURCES; r++)
				assert_near(h.needs[i].got[r], other.needs[h.n - 1 - i].got[r]);
		tenants_free(&h.tenants);
		tenants_free(&other.tenants);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_papers_example_comes_out),
		cmocka_unit_test(a_weight_counts_in_dominant_shares),
		cmocka_unit_test(more_services_get_a_tenant_no_more),
		cmocka_unit_test(what_a_tenant_leaves_others_get),
		cmocka_unit_test(floors_count_towards_the_tenants_share),
		cmocka_unit_test(a_resource_counts_by_how_scarce_it_is),
		cmocka_unit_test(a_small_claim_is_met_though_it_was_not_asked_for),
		cmocka_unit_test(services_by_themselves_share_cpu_as_without_tenants),
		cmocka_unit_test(random_hosts_keep_every_rule),
		cmocka_unit_test(none_does_worse_than_alone_or_than_another),
		cmocka_unit_test(the_order_of_services_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
