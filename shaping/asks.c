// SPDX-License-Identifier: GPL-2.0-or-later
/* asks.c - services by tenant, and what they ask for of all resources before any is given out. */
#include <errno.h>
#include <stdlib.h>

#include "shaping/state.h"

#define SHORT_PART 0.99 /* of what is asked for; less is short */

/* Of the first service of the same name of tenant; a service without one is by itself. */
static size_t tenant_of(const struct controller *c, size_t i, size_t next)
{
	const char *name = c->services[i].policy->tenant;

	for (size_t k = 0; *name && k < i; k++)
		if (streq(c->services[k].policy->tenant, name))
			return c->services[k].tenant;
	return next;
}

int asks_new(struct controller *c)
{
	size_t tenants = 0, place = 0;

	c->by_tenant = calloc(MAX(c->n, 1), sizeof(*c->by_tenant));
	if (!c->by_tenant)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++) {
		c->services[i].tenant = tenant_of(c, i, tenants);
		tenants = MAX(tenants, c->services[i].tenant + 1);
	}
	for (size_t k = 0; k < tenants; k++) {
		for (size_t i = 0; i < c->n; i++) {
			if (c->services[i].tenant != k)
				continue;
			c->services[i].place = place;
			c->by_tenant[place++] = i;
		}
	}
	return tenants_new(tenants, &c->tenants);
}

void asks_free(struct controller *c)
{
	free(c->by_tenant);
	tenants_free(&c->tenants);
}

static void ask_service(struct controller *c, size_t i, const struct tick_service *ts)
{
	const struct service_state *s = &c->services[i];
	struct share_claim claim;

	for (size_t t = 0; t < TIER_COUNT; t++)
		tenants_ask(&c->tenants, s->tenant, TENANT_CPU,
			    &c->claims[s->place * TIER_COUNT + t]);
	if (memory_claim(c, i, ts, &claim))
		tenants_ask(&c->tenants, s->tenant, TENANT_MEMORY, &claim);
	for (size_t k = 0; k < c->set->host.n_links; k++)
		if (link_claim(c, i, k, ts, &claim))
			tenants_ask(&c->tenants, s->tenant, TENANT_LINK + k, &claim);
}

void ask(struct controller *c, const struct tick_input *in)
{
	struct tenants *t = &c->tenants;

	tenants_begin(t, TENANT_LINK + c->set->host.n_links);
	t->capacity[TENANT_CPU] = c->available_mcpu;
	for (enum tier tier = TIER_GOLD; tier < TIER_COUNT; tier++)
		if (c->set->host.tiers[tier].ceiling_mcpu != UNLIMITED)
			t->most[TENANT_CPU][tier] = (double)c->set->host.tiers[tier].ceiling_mcpu;
	t->capacity[TENANT_MEMORY] = memory_left(c);
	for (size_t k = 0; k < c->set->host.n_links; k++)
		t->capacity[TENANT_LINK + k] = link_left(c, k, in->services);
	for (size_t i = 0; i < c->n; i++)
		ask_service(c, i, &in->services[i]);
	tenants_weigh(t);
}

const struct tenant_tier *tenant_short(const struct controller *c, const struct service_state *s,
				       enum tenant_resource resource)
{
	const struct tenant_tier *tiers = c->tenants.list[s->tenant].tiers;

	/* What its APIs of a weaker tier need of CPU is claimed in the next one. */
	for (size_t t = s->kept.tier; t < TIER_COUNT && t <= s->kept.tier + 1; t++) {
		if (tiers[t].dominant_share <= 0 ||
		    tiers[t].got[resource] >= SHORT_PART * tiers[t].asked[resource])
			continue;
		if (tiers[t].services[resource] > 1 || tiers[t].dominant != resource)
			return &tiers[t];
	}
	return NULL;
}

void tenant_inputs(const struct controller *c, const struct service_state *s,
		   enum tenant_resource resource, struct want *w)
{
	static const char *const names[] = {"tenant_cpu_share", "tenant_memory_share",
					    "tenant_link_share"};
	const struct tenant_tier *at = tenant_short(c, s, resource);
	double all;

	if (!at)
		return;
	all = c->tenants.capacity[at->dominant];
	want_input(w, names[MIN(at->dominant, TENANT_LINK)],
		   all > 0 ? at->got[at->dominant] / all : 0);
	want_input(w, "tenant_asked_share", all > 0 ? at->asked[at->dominant] / all : 0);
	want_input(w, "tenant_services", at->services[resource]);
}
