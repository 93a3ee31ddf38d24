// SPDX-License-Identifier: GPL-2.0-or-later
/* reload.c - a controller for a changed policy set that goes on with what the old one has learned.
 */
#include <math.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "shaping/state.h"

static void take_clock(struct ladder *to, size_t i, struct ladder *from, size_t k)
{
	struct series *had = to->series[i];

	if (!had || !from->series[k] || to->step_ns[i] != from->step_ns[k] ||
	    to->horizon[i] != from->horizon[k])
		return;
	to->series[i] = from->series[k];
	to->part[i] = from->part[k];
	from->series[k] = had;
	/* What was kept of the forecasts of the one is not of the other. */
	memset(to->peak, 0, sizeof(to->peak));
	memset(to->mean, 0, sizeof(to->mean));
}

static void take_ladder(struct ladder *to, struct ladder *from)
{
	struct ladder had = *to;

	if (to->step_ns[0] == from->step_ns[0]) {
		*to = *from;
		*from = had;
		return;
	}
	/* The shortest step is another one now: the clocks that are the same go on. */
	for (size_t i = 0; i < LADDER_CLOCKS; i++)
		for (size_t k = 0; k < LADDER_CLOCKS; k++)
			take_clock(to, i, from, k);
}

static int same_api(const struct policy_service *p, size_t n, const struct policy_api *api)
{
	for (size_t i = 0; i < n; i++)
		if (streq(p->apis[i].method, api->method) && streq(p->apis[i].route, api->route))
			return (int)i;
	return -1;
}

/* The old number of the new API @i, or -1; "other" is the last one in both. */
static int old_api(const struct service_state *to, const struct service_state *from, size_t i)
{
	if (i + 1 == to->n_apis)
		return (int)from->n_apis - 1;
	return same_api(from->policy, from->policy->n_apis, &to->policy->apis[i]);
}

static bool same_apis(const struct service_state *to, const struct service_state *from)
{
	if (to->n_apis != from->n_apis)
		return false;
	for (size_t i = 0; i < to->n_apis; i++)
		if (old_api(to, from, i) != (int)i)
			return false;
	return true;
}

static void take_all_apis(struct service_state *to, struct service_state *from)
{
	struct cost *cost = to->cost;

	to->cost = from->cost;
	from->cost = cost;
	for (size_t i = 0; i < to->n_apis; i++)
		to->apis[i] = from->apis[i];
	for (size_t k = 0; k < to->n_slots; k++)
		take_ladder(&to->requests[k], &from->requests[k]);
}

/* APIs came or went: series go with their route; what requests cost is learned anew. */
static void take_some_apis(struct service_state *to, struct service_state *from)
{
	int32_t slot = 0;

	demand_forget_apis(&to->kept.demand);
	for (size_t i = 0; i < to->n_apis; i++) {
		int k = old_api(to, from, i);

		if (k < 0)
			continue;
		to->apis[i].slo = from->apis[k].slo;
		if (from->apis[k].slot < 0 || slot + 1 >= (int32_t)to->n_slots)
			continue;
		take_ladder(&to->requests[slot], &from->requests[from->apis[k].slot]);
		to->apis[i].slot = slot++;
	}
}

static void take_kept(const struct controller *c, struct service_state *to,
		      struct service_state *from)
{
	enum tier tier = (enum tier)to->kept.tier;

	to->kept = from->kept;
	/* By which the guard goes until the next tick. */
	to->apis_seen = from->apis_seen;
	to->want_mcpu = from->want_mcpu;
	to->got_mcpu = from->got_mcpu;
	to->spare_mcpu = from->spare_mcpu;
	if (!to->policy->auto_tier || to->kept.tier > to->policy->tier_min ||
	    to->kept.tier < to->policy->tier_max)
		to->kept.tier = tier;
	/* The likely demand is enough for a limit that an objective watches, and for that alone. */
	if (follows_slo(from) && !follows_slo(to))
		to->kept.level_less = 0;
	(void)lead_follow(c, to);
	if (to->lead_steps != from->lead_steps)
		demand_init(&to->kept.demand);
}

void service_take(const struct controller *c, struct service_state *to, struct service_state *from)
{
	take_ladder(&to->cpu, &from->cpu);
	take_ladder(&to->memory, &from->memory);
	take_ladder(&to->tx, &from->tx);
	take_ladder(&to->io, &from->io);
	if (to->price && from->price)
		*to->price = *from->price;
	take_kept(c, to, from);
	if (same_apis(to, from))
		take_all_apis(to, from);
	else
		take_some_apis(to, from);
}

int controller_reload(struct controller *old, const struct policy_set *set,
		      const struct host_facts *facts, struct controller **ret)
{
	_cleanup_(controller_freep) struct controller *c = NULL;
	int r = controller_new(set, facts, old->period_ns, &c);
	struct network *own;

	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < old->n; k++)
			if (streq(c->services[i].policy->name, old->services[k].policy->name))
				service_take(c, &c->services[i], &old->services[k]);
	own = c->network;
	c->network = old->network;
	old->network = own;
	network_share(c);
	c->budget = old->budget;
	c->loan_budget = old->loan_budget;
	c->now_ns = old->now_ns;
	c->unmanaged_mcpu = old->unmanaged_mcpu;
	c->frozen = old->frozen;
	c->observe = old->observe;
	*ret = take_ptr(c);
	return 0;
}
