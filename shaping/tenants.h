/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tenants.h - tenants share what there is not enough of by their dominant resource. */
#ifndef FORESHAPE_TENANTS_H
#define FORESHAPE_TENANTS_H

#include <stddef.h>
#include <stdint.h>

#include "policies/policy.h"
#include "shaping/share.h"

enum tenant_resource {
	TENANT_CPU,
	TENANT_MEMORY,
	TENANT_LINK, /* the first one of host.yaml; the others follow */
	TENANT_RESOURCES = TENANT_LINK + POLICY_MAX_LINKS
};

/* What a tenant's services of one tier ask for and get together; each resource in its own unit. */
struct tenant_tier {
	double weight; /* of the heaviest service that asks for something: more of them weigh no
			  more; 0: none asks */
	uint16_t services[TENANT_RESOURCES]; /* that ask for it */
	double asked[TENANT_RESOURCES], got[TENANT_RESOURCES];
	enum tenant_resource dominant;
	double dominant_share; /* asked, of the capacity, counted by how scarce it is */
};

struct tenant {
	size_t n; /* its claims in the fill at hand */
	struct tenant_tier tiers[TIER_COUNT];
};

/*
 * Dominant-resource fairness by progressive filling: Ghodsi et al., "Dominant Resource Fairness",
 * NSDI 2011, sections 4.1 and 4.3, tier by tier, with what a tenant asks for in the place of the
 * task's demands. A level rises from 0, the same for all tenants of a tier; at level L a tenant of
 * weight w has L * w of its dominant resource, as a share of the capacity, and of every other
 * resource in the proportion in which it asks for them; never more than it asks for, never less
 * than its floors. A resource that is used up stops the level of that resource alone: what is asked
 * for is forecast use, which lacks already what other resources do not let a service use, and what
 * another one still wants is not left lying. Within a tenant, max-min by weight.
 *
 * A resource counts by how scarce it is in the tier: not where there is enough, in part where it is
 * a little short, so that nothing jumps when it becomes short. So where it is CPU alone, tenants of
 * one service each get what share_fill gives them.
 *
 * With equal weights and no floors, in each tier: nothing is left of what somebody wants more of; a
 * tenant gets of its dominant resource 1/n of what the n of them get, or all it asks for; and none
 * that lacks some of it has less of it than any other has.
 */
struct tenants {
	size_t n;
	struct tenant *list;      /* [n] */
	struct share_claim *sums; /* [n * TIER_COUNT], of one fill */
	size_t n_resources;       /* TENANT_LINK and the links there are */
	double capacity[TENANT_RESOURCES];
	double most[TENANT_RESOURCES][TIER_COUNT]; /* of all of a tier */
	double asked[TENANT_RESOURCES][TIER_COUNT], floors[TENANT_RESOURCES][TIER_COUNT];
	double scarce[TENANT_RESOURCES][TIER_COUNT]; /* 0: enough; 1: counts in full */
};

/* Room for @n tenants. Returns 0 and *ret (tenants_free), or -ENOMEM. */
int tenants_new(size_t n, struct tenants *ret);
void tenants_free(struct tenants *t);

/*
 * Once a step: tenants_begin forgets the last one and bounds no tier; the caller sets the
 * capacities; tenants_ask for all that will be claimed (@claim->got is not read); tenants_weigh.
 */
void tenants_begin(struct tenants *t, size_t n_resources);
void tenants_ask(struct tenants *t, size_t tenant, enum tenant_resource resource,
		 const struct share_claim *claim);
void tenants_weigh(struct tenants *t);

/* Before a fill: no tenant has a claim in it; the caller counts them in list[].n. */
void tenants_start(struct tenants *t);

/*
 * Gives out @resource as share_fill does. @claims are those of the first tenant, list[0].n of them,
 * then those of the next one. They may be for a part of what was asked for, or for more: that makes
 * nothing scarce, and counts where it is.
 */
void tenants_fill(struct tenants *t, enum tenant_resource resource, struct share_claim *claims);

/* As tenants_fill, but for @capacity of one resource by itself, whatever was asked for. */
void tenants_fill_alone(struct tenants *t, double capacity, struct share_claim *claims);

#endif
