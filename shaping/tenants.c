// SPDX-License-Identifier: GPL-2.0-or-later
/* tenants.c - dominant shares of what is scarce, and one resource filled by them. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shaping/tenants.h"

#define SCARCE_FULL  0.1  /* short by this part of what there is: counts in full */
#define SCARCE_LEAST 1e-6 /* where it is short at all */

static double wanted(const struct share_claim *c)
{
	return fmax(c->want, c->floor);
}

int tenants_new(size_t n, struct tenants *ret)
{
	struct tenants t = {.n = n};

	t.list = calloc(n ? n : 1, sizeof(*t.list));
	t.sums = calloc(n ? n * TIER_COUNT : 1, sizeof(*t.sums));
	if (!t.list || !t.sums) {
		tenants_free(&t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void tenants_free(struct tenants *t)
{
	free(t->list);
	free(t->sums);
	*t = (struct tenants){};
}

void tenants_begin(struct tenants *t, size_t n_resources)
{
	t->n_resources = n_resources;
	memset(t->list, 0, t->n * sizeof(*t->list));
	memset(t->asked, 0, sizeof(t->asked));
	memset(t->floors, 0, sizeof(t->floors));
	for (size_t r = 0; r < TENANT_RESOURCES; r++) {
		t->capacity[r] = 0;
		for (int tier = 0; tier < TIER_COUNT; tier++)
			t->most[r][tier] = INFINITY;
	}
}

void tenants_start(struct tenants *t)
{
	for (size_t k = 0; k < t->n; k++)
		t->list[k].n = 0;
}

void tenants_ask(struct tenants *t, size_t tenant, enum tenant_resource resource,
		 const struct share_claim *claim)
{
	struct tenant_tier *at = &t->list[tenant].tiers[claim->tier];

	if (wanted(claim) <= 0)
		return;
	at->weight = fmax(at->weight, claim->weight);
	at->services[resource]++;
	at->asked[resource] += wanted(claim);
	t->asked[resource][claim->tier] += wanted(claim);
	t->floors[resource][claim->tier] += claim->floor;
}

/* How scarce resource @r is for each tier, after what the tiers before it get of it. */
static void find_scarce(struct tenants *t, size_t r)
{
	double left = t->capacity[r];

	for (int tier = 0; tier < TIER_COUNT; tier++)
		left -= t->floors[r][tier];
	left = fmax(left, 0);
	for (int tier = 0; tier < TIER_COUNT; tier++) {
		double had = t->floors[r][tier], asked = t->asked[r][tier];
		double pool = fmax(had, fmin(had + left, t->most[r][tier]));

		t->scarce[r][tier] = 0;
		if (asked > pool)
			t->scarce[r][tier] =
				fmin(1, fmax(SCARCE_LEAST, (asked - pool) / (SCARCE_FULL * pool)));
		left = fmax(0, left - (fmin(asked, pool) - had));
	}
}

static void find_dominant(const struct tenants *t, enum tier tier, struct tenant_tier *at)
{
	for (size_t r = 0; r < t->n_resources; r++) {
		double share;

		if (t->capacity[r] <= 0)
			continue;
		share = t->scarce[r][tier] * at->asked[r] / t->capacity[r];
		if (share <= at->dominant_share)
			continue;
		at->dominant_share = share;
		at->dominant = (enum tenant_resource)r;
	}
}

void tenants_weigh(struct tenants *t)
{
	for (size_t r = 0; r < t->n_resources; r++)
		find_scarce(t, r);
	for (size_t k = 0; k < t->n; k++)
		for (enum tier tier = TIER_GOLD; tier < TIER_COUNT; tier++)
			find_dominant(t, tier, &t->list[k].tiers[tier]);
}

/* Claims of each tenant and tier as one; its weight is that of the heaviest. */
static void add_up(struct tenants *t, const struct share_claim *claims)
{
	for (size_t k = 0; k < t->n; claims += t->list[k].n, k++) {
		struct share_claim *sum = &t->sums[k * TIER_COUNT];

		for (enum tier tier = TIER_GOLD; tier < TIER_COUNT; tier++)
			sum[tier] = (struct share_claim){.tier = tier};
		for (size_t i = 0; i < t->list[k].n; i++) {
			struct share_claim *of = &sum[claims[i].tier];

			of->floor += claims[i].floor;
			of->want += wanted(&claims[i]);
			if (wanted(&claims[i]) > 0)
				of->weight = fmax(of->weight, claims[i].weight);
		}
		for (enum tier tier = TIER_GOLD; tier < TIER_COUNT; tier++)
			if (sum[tier].weight <= 0)
				sum[tier].weight = 1;
	}
}

/* Gives the claims of a tenant what it got, tier by tier. */
static void split(const struct share_claim sums[TIER_COUNT], struct share_claim *claims, size_t n)
{
	double most[TIER_COUNT], all = 0;
	size_t in_tier[TIER_COUNT] = {};
	bool one_each = true;

	for (int tier = 0; tier < TIER_COUNT; tier++) {
		most[tier] = sums[tier].got;
		all += sums[tier].got;
	}
	for (size_t i = 0; i < n; i++) {
		claims[i].got = most[claims[i].tier];
		one_each = one_each && in_tier[claims[i].tier]++ == 0;
	}
	if (!one_each)
		share_fill(claims, n, all, most);
}

static void split_all(struct tenants *t, struct share_claim *claims)
{
	for (size_t k = 0; k < t->n; claims += t->list[k].n, k++)
		split(&t->sums[k * TIER_COUNT], claims, t->list[k].n);
}

/* How fast a tenant's level gives it @resource; claims of more than it asked for count, too. */
static double pace(const struct tenants *t, const struct tenant_tier *at,
		   enum tenant_resource resource, const struct share_claim *sum)
{
	double asked = fmax(at->asked[resource], sum->want), all = t->capacity[resource];
	double scarce = t->scarce[resource][sum->tier];
	double dominant = all > 0 ? fmax(at->dominant_share, scarce * asked / all) : 0;

	if (scarce <= 0 || dominant <= 0)
		return sum->weight;
	return fmax(at->weight, sum->weight) * asked / dominant;
}

void tenants_fill(struct tenants *t, enum tenant_resource resource, struct share_claim *claims)
{
	add_up(t, claims);
	for (size_t i = 0; i < t->n * TIER_COUNT; i++) {
		const struct tenant *of = &t->list[i / TIER_COUNT];

		t->sums[i].weight = pace(t, &of->tiers[t->sums[i].tier], resource, &t->sums[i]);
	}
	share_fill(t->sums, t->n * TIER_COUNT, t->capacity[resource], t->most[resource]);
	for (size_t i = 0; i < t->n * TIER_COUNT; i++)
		t->list[i / TIER_COUNT].tiers[t->sums[i].tier].got[resource] = t->sums[i].got;
	split_all(t, claims);
}

void tenants_fill_alone(struct tenants *t, double capacity, struct share_claim *claims)
{
	static const double unbounded[TIER_COUNT] = {INFINITY, INFINITY, INFINITY};

	add_up(t, claims);
	share_fill(t->sums, t->n * TIER_COUNT, capacity, unbounded);
	split_all(t, claims);
}
