// SPDX-License-Identifier: GPL-2.0-or-later
/* share.c - floors first, then tier by tier, max-min fair by weight within a tier. */
#include <math.h>

#include "shaping/share.h"

/* Halvings of the level; 2^-60 of the capacity is less than any unit shared here. */
#define HALVINGS 60

static double at_level(const struct share_claim *c, double level)
{
	double v = level * c->weight;

	return fmax(fmin(v, fmax(c->want, c->floor)), c->got);
}

static double tier_sum(const struct share_claim *claims, size_t n, enum tier tier, double level)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		if (claims[i].tier == tier)
			sum += at_level(&claims[i], level);
	return sum;
}

/* The highest level at which the tier's claims fit into @pool. */
static double find_level(const struct share_claim *claims, size_t n, enum tier tier, double pool)
{
	double lo = 0, hi = 0;

	for (size_t i = 0; i < n; i++)
		if (claims[i].tier == tier)
			hi = fmax(hi, fmax(claims[i].want, claims[i].floor) / claims[i].weight);
	if (tier_sum(claims, n, tier, hi) <= pool)
		return hi;
	for (int i = 0; i < HALVINGS; i++) {
		double mid = lo + (hi - lo) / 2;

		if (tier_sum(claims, n, tier, mid) <= pool)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* Gives every claim its floor, cut in proportion where they do not fit; returns what is left. */
static double fill_floors(struct share_claim *claims, size_t n, double capacity)
{
	double sum = 0, part = 1;

	for (size_t i = 0; i < n; i++)
		sum += claims[i].floor;
	if (sum > capacity)
		part = capacity / sum;
	for (size_t i = 0; i < n; i++)
		claims[i].got = claims[i].floor * part;
	return fmax(0, capacity - sum);
}

void share_fill(struct share_claim *claims, size_t n, double capacity,
		const double tier_most[TIER_COUNT])
{
	double left = fill_floors(claims, n, capacity);

	for (enum tier t = TIER_GOLD; t < TIER_COUNT; t++) {
		double had = tier_sum(claims, n, t, 0);
		double pool = fmax(had, fmin(had + left, tier_most[t]));
		double level = find_level(claims, n, t, pool), used = 0;

		for (size_t i = 0; i < n; i++) {
			if (claims[i].tier != t)
				continue;
			claims[i].got = at_level(&claims[i], level);
			used += claims[i].got;
		}
		left = fmax(0, left - (used - had));
	}
}
