/* SPDX-License-Identifier: GPL-2.0-or-later */
/* share.h - who gets how much of one thing there is not enough of: floors, then tier by tier. */
#ifndef FORESHAPE_SHARE_H
#define FORESHAPE_SHARE_H

#include <stddef.h>

#include "policies/policy.h"

/* One claim; any unit. @got is what share_fill leaves. */
struct share_claim {
	enum tier tier;
	double floor;  /* comes first, of all tiers */
	double want;   /* at most this; below the floor the floor counts */
	double weight; /* within the tier, > 0 */
	double got;
};

/*
 * Gives out @capacity: floors of all (cut in proportion where they do not fit), then gold, silver,
 * bronze up to what each wants; within a tier max-min fair by weight, counting the floor: nobody
 * gets more for its weight while another that wants more has less (Bertsekas and Gallager, "Data
 * Networks", 6.5.2). @tier_most bounds the sum over a tier; INFINITY where it is not bounded.
 */
void share_fill(struct share_claim *claims, size_t n, double capacity,
		const double tier_most[TIER_COUNT]);

#endif
