// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spare.c - what idles for now, of CPUs that are planned for others, to tight limits that the plan
 * left short. A limit is no share: who comes back for what was planned gets it by weight, at once,
 * and the limit goes down again as any other does.
 */
#include <math.h>

#include "shaping/state.h"

static bool borrows(const struct service_state *s)
{
	return s->policy->cpu.mode == CPU_CAP && !s->stale && !gets_enough(s, s->got_mcpu);
}

/* What one is likely to use within the next steps, of what it got where that is its limit. */
static double keeps_mcpu(const struct service_state *s)
{
	double near =
		s->policy->cpu.mode == CPU_CAP ? fmin(s->near_mcpu, s->got_mcpu) : s->near_mcpu;

	return fmax(near, fmin(s->got_mcpu, (double)s->policy->cpu.floor_mcpu));
}

/* Less what runs outside of the plan just now, over what always does, which is left out already. */
static double idle_mcpu(const struct controller *c)
{
	double idle = c->available_mcpu - fmax(c->outside_mcpu - c->unmanaged_mcpu, 0);

	for (size_t i = 0; i < c->n; i++)
		idle -= keeps_mcpu(&c->services[i]);
	return fmax(idle, 0);
}

/* What @s may borrow of @idle: not what it leaves idle itself, which its limit has room for. */
static double asks_mcpu(const struct service_state *s, double idle)
{
	if (!borrows(s))
		return 0;
	return fmin(s->want_mcpu - s->got_mcpu, fmax(idle - (s->got_mcpu - keeps_mcpu(s)), 0));
}

void spare(struct controller *c)
{
	static const double unbounded[TIER_COUNT] = {INFINITY, INFINITY, INFINITY};
	double idle = idle_mcpu(c);

	for (size_t i = 0; i < c->n; i++) {
		const struct service_state *s = &c->services[i];

		c->claims[i] = (struct share_claim){
			.tier = (enum tier)s->kept.tier,
			.want = asks_mcpu(s, idle),
			.weight = fmax(s->policy->weight, 1e-3),
		};
	}
	share_fill(c->claims, c->n, idle, unbounded);
	for (size_t i = 0; i < c->n; i++)
		c->services[i].spare_mcpu = c->claims[i].got;
}
