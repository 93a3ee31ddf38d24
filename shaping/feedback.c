// SPDX-License-Identifier: GPL-2.0-or-later
/* feedback.c - target utilisation and effective tier, from how well the last steps went. */
#include <math.h>

#include "shaping/state.h"

#define UTILISATION_LEAST 0.4
#define UTILISATION_MOST  0.95
#define LENT_MOST         1.25 /* where what waits is lent for: more saves little and costs time */
#define SURPRISE          1.5 /* times what was likely: what is late then was still to be lent for */
#define LEVEL_LEAST       0.5
#define SHORT_COSTS       0.02 /* utilisation given up for a step that needed more than planned */
#define BURN_COSTS        0.01 /* and for a tick in which the budget burns */
#define SLO_PATIENCE      0.1  /* with an objective, utilisation grows this much slower */
#define BURN_BOTH         1.0

#define TIER_MISSED_NS (60 * NS_PER_S)   /* misses this long move a service up */
#define TIER_IDLE_NS   (1800 * NS_PER_S) /* little use this long moves it down */
#define TIER_HOLD_NS   (600 * NS_PER_S)
#define TIER_IDLE_PART 0.05 /* of the host's CPUs */

static void worst(double *burn, double other)
{
	*burn = fmax(*burn, other); /* fmax leaves out NAN */
}

/* The worst burn rates of the service and its APIs; those that are not known are left out. */
static void burn_rates(struct service_state *s, struct plan_service *ps)
{
	const struct policy_service *p = s->policy;
	struct slo_view v = {.attained = NAN};

	s->burn_fast = s->burn_slow = NAN;
	ps->slo_attained = NAN;
	for (size_t i = 0; i <= s->n_apis; i++) {
		const struct policy_slo *slo = i < p->n_apis ? &p->apis[i].slo : &p->slo;
		bool whole = i == s->n_apis;

		if (!slo->set)
			continue;
		slo_view(whole ? &s->kept.slo : &s->apis[i].slo, slo->objective, &v);
		if (whole)
			ps->slo_attained = v.attained;
		worst(&s->burn_fast, v.burn_fast);
		worst(&s->burn_slow, v.burn_slow);
	}
	ps->burn_rate_fast = s->burn_fast;
	ps->burn_rate_slow = s->burn_slow;
}

/*
 * Whether a step needed more than was planned steers the share of such steps to what the quantile
 * allows: each costs SHORT_COSTS, each other step gives (1 - quantile) of that back, as adaptive
 * conformal inference does (Gibbs and Candes 2021, eq. 2). First the utilisation grows; at its
 * most, and where no objective says how much is enough, the level the demand is read at goes down.
 */
static void steer(struct service_state *s, bool is_short, bool has_slo)
{
	double step = SHORT_COSTS * (1 - s->quantile - is_short);
	bool at_most = s->kept.utilisation >= UTILISATION_MOST;

	s->kept.utilisation += step > 0 && has_slo ? step * SLO_PATIENCE : step;
	if (has_slo)
		s->kept.level_less = 0;
	else if (step < 0 || at_most)
		s->kept.level_less += step;
	s->kept.level_less = fmax(0, fmin(s->quantile - LEVEL_LEAST, s->kept.level_less));
}

bool tick_guard_reads_apis(const struct policy_service *p)
{
	bool has_slo = p->slo.set;

	if (p->cpu.mode != CPU_CAP)
		return false;
	for (size_t i = 0; i < p->n_apis; i++)
		has_slo |= p->apis[i].slo.set;
	return has_slo;
}

bool follows_slo(const struct service_state *s)
{
	return tick_guard_reads_apis(s->policy) && !s->price;
}

bool slo_is_kept(const struct service_state *s)
{
	return follows_slo(s) && curve_keeps(&s->kept.curve);
}

double slo_latency_us(const struct policy_service *p)
{
	double us = p->slo.set ? (double)p->slo.latency_us : INFINITY;

	for (size_t i = 0; i < p->n_apis; i++)
		if (p->apis[i].slo.set)
			us = fmin(us, (double)p->apis[i].slo.latency_us);
	return us;
}

/* One late answer of the strictest objective, as curve_target counts it. */
static double strictest(const struct policy_service *p)
{
	double unit = p->slo.set ? 1 / (1 - p->slo.objective) : 0;

	for (size_t i = 0; i < p->n_apis; i++)
		if (p->apis[i].slo.set)
			unit = fmax(unit, 1 / (1 - p->apis[i].slo.objective));
	return unit;
}

/*
 * Under a tight limit the objective says what utilisation is too much: the highest at which it is
 * kept, found by going up a little at a time from where the host begins. It is one of the likely
 * demand: what the forecast may be wrong by is in what was found.
 */
static void follow_curve(const struct controller *c, struct service_state *s)
{
	double tick_s = (double)c->period_ns / (double)NS_PER_S;
	/* What came by surprise says nothing of a utilisation where it is lent for. */
	bool surprised = loan_applies(c, s) && s->need_mcpu > SURPRISE * s->kept.asked_mcpu;

	if (!surprised && !s->kept.surprised)
		curve_observe(&s->kept.curve, s->kept.asked_mcpu / s->limit_mcpu, s->answers,
			      s->burned, tick_s);
	s->kept.surprised = surprised;
	if (s->answers > 0)
		s->kept.utilisation = curve_target(&s->kept.curve, s->kept.utilisation,
						   strictest(s->policy), tick_s);
	s->kept.level_less = fmax(0, s->quantile - LEVEL_LEAST);
}

/* An objective that is being missed lowers the utilisation, whatever else went well. */
static void learn_utilisation(struct controller *c, struct service_state *s)
{
	bool burning = s->burn_fast > BURN_BOTH && s->burn_slow > BURN_BOTH;
	bool curved = follows_slo(s);
	double most;

	if (curved)
		follow_curve(c, s);
	if (burning) {
		s->kept.burned_ns = c->now_ns;
		s->kept.utilisation -= BURN_COSTS;
	} else if (!curved && isfinite(s->need_mcpu) && s->kept.planned_mcpu > 0) {
		steer(s, s->need_mcpu > s->kept.planned_mcpu, isfinite(s->burn_slow));
	}
	most = loan_applies(c, s) ? LENT_MOST : UTILISATION_MOST;
	s->kept.utilisation = fmax(UTILISATION_LEAST, fmin(most, s->kept.utilisation));
}

static void move_tier(struct controller *c, struct service_state *s, enum tier to)
{
	s->kept.tier = to;
	s->kept.tier_ns = c->now_ns;
	s->kept.missed_ns = s->kept.idle_ns = 0;
}

/* A condition that has to hold without a break; 0 at @at while it does not. */
static bool lasting(const struct controller *c, uint64_t *at, bool holds, uint64_t for_ns)
{
	if (!holds)
		*at = 0;
	else if (*at == 0)
		*at = MAX(c->now_ns, 1);
	return *at && since(c, *at) >= for_ns;
}

static void auto_tier(struct controller *c, struct service_state *s)
{
	const struct policy_service *p = s->policy;
	enum tier now = (enum tier)s->kept.tier;
	bool missing = s->burn_fast > BURN_BOTH && s->burn_slow > BURN_BOTH;
	bool idle = s->demand_mcpu < TIER_IDLE_PART * (double)c->facts.capacity_mcpu;
	bool up = lasting(c, &s->kept.missed_ns, missing, TIER_MISSED_NS);
	bool down = lasting(c, &s->kept.idle_ns, idle && !missing, TIER_IDLE_NS);

	if (s->kept.tier_ns && since(c, s->kept.tier_ns) < TIER_HOLD_NS)
		return;
	if (up && now > p->tier_max)
		move_tier(c, s, now - 1);
	else if (down && now < p->tier_min)
		move_tier(c, s, now + 1);
}

void feedback(struct controller *c, size_t i)
{
	struct service_state *s = &c->services[i];
	struct plan_service *ps = &c->plan.services[i];

	burn_rates(s, ps);
	if (!s->stale && !c->frozen)
		learn_utilisation(c, s);
	if (s->policy->auto_tier && !s->stale && !c->frozen)
		auto_tier(c, s);
	ps->effective_tier = (enum tier)s->kept.tier;
	ps->cpu_usage_mcpu = s->use_mcpu;
	ps->working_set_bytes = s->used_bytes;
	ps->throttled_ratio = isfinite(s->use_mcpu) ? s->throttled : NAN;
}
