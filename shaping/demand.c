// SPDX-License-Identifier: GPL-2.0-or-later
/* demand.c - what a service will need over its lead, as the plan reads it. */
#include <math.h>

#include "shaping/state.h"

#define SLOWER_ENOUGH 30 /* values of longer steps before they have a say */
#define MINUTES_NS    (60 * NS_PER_S)
#define UNSURE_STEPS  2    /* of a minute, that what is seen coming may be off by */
#define ABOVE_ALL     1.25 /* times the most ever needed */
#define NEAR_STEPS    3    /* a limit of others takes hold within this */
#define NEAR_LEVEL    0.5

_Static_assert(COST_MAX_APIS == DEMAND_MAX_APIS, "a slot is an API of both");

/* The tier that counts for an API: its own where weaker than the service's. */
static enum tier slot_tier(const struct service_state *s, size_t slot)
{
	enum tier own = (enum tier)s->kept.tier;

	for (size_t i = 0; i < s->policy->n_apis; i++)
		if (s->apis[i].slot == (int32_t)slot)
			return slot + 1 == COST_MAX_APIS ? own : MAX(own, s->policy->apis[i].tier);
	return own;
}

static double tier_quantile(const struct controller *c, const struct service_state *s,
			    enum tier tier)
{
	if (tier == (enum tier)s->kept.tier && isfinite(s->policy->forecast.quantile))
		return s->policy->forecast.quantile;
	return c->set->host.tiers[tier].quantile;
}

/*
 * The lead in steps of clock @clock of @l, from the one that is filling; a need that starts a lead
 * from now is in the last. Of minutes UNSURE_STEPS more count: a period is known to whole steps
 * only, and the mean of a step hides what its end needs, which the next one shows.
 */
static unsigned int lead_on(const struct service_state *s, const struct ladder *l, size_t clock)
{
	uint64_t step_ns = l->step_ns[clock], from_ns = clock == 0 ? 0 : l->part[clock].elapsed_ns;
	uint64_t unsure = clock > 0 && step_ns <= MINUTES_NS ? UNSURE_STEPS : 0;
	uint64_t steps = (from_ns + s->lead_ns) / step_ns + 1 + unsure;

	return (unsigned int)clamp_u64(steps, 1, l->horizon[clock]);
}

/* Whether longer steps have a say. */
static bool has_slower(const struct ladder *l)
{
	return l->series[1] && series_count(l->series[1]) >= SLOWER_ENOUGH;
}

static void view_series(struct ladder *l, const struct service_state *s, bool due,
			enum demand_resource resource, struct demand_input *in)
{
	for (int k = 0; k < DEMAND_EXPERTS; k++) {
		size_t clock = k == DEMAND_SLOWER;
		unsigned int steps;

		if (k == DEMAND_APIS || !l->series[clock] || (clock > 0 && !has_slower(l)))
			continue;
		steps = lead_on(s, l, clock);
		in->view[k][DEMAND_PEAK][resource] = ladder_peak(l, clock, steps);
		if (due)
			in->view[k][DEMAND_MEAN][resource] = ladder_mean(l, clock, steps);
	}
}

/* Into @asked [n], by slot. */
static void ask_apis(const struct service_state *s, bool due, struct demand_api *asked, size_t n)
{
	double memory = cost_memory_per_in_flight_bytes(s->cost);

	for (size_t k = 0; k < n; k++) {
		struct demand_api *a = &asked[k];
		struct ladder *l = &s->requests[k];
		bool known = series_count(l->series[0]) > 0;

		*a = (struct demand_api){.seen = s->apis_seen ? s->slot_arrived[k] : NAN};
		if (known)
			a->rate[DEMAND_PEAK] = *ladder_peak(l, 0, lead_on(s, l, 0));
		if (known && due)
			a->rate[DEMAND_MEAN] = *ladder_mean(l, 0, lead_on(s, l, 0));
		a->cost[DEMAND_CPU] = cost_cpu_us(s->cost, k) / (double)(US_PER_S / MCPU);
		a->cost[DEMAND_MEMORY] = memory * cost_in_flight_s(s->cost, k);
		a->cost[DEMAND_BANDWIDTH] = cost_bytes_out(s->cost, k) * (double)BITS_BYTE;
	}
}

static void ask_costs(const struct service_state *s, struct demand_input *in)
{
	double rates[COST_MAX_APIS], flight = 0;

	for (size_t k = 0; k < in->n_apis; k++) {
		rates[k] = in->apis[k].rate[DEMAND_PEAK].q[Q50];
		flight += s->slot_in_flight[k];
	}
	in->error[DEMAND_CPU] = cost_cpu_error_mcpu(s->cost, rates);
	in->base[DEMAND_CPU] = isfinite(in->error[DEMAND_CPU]) ? cost_base_mcpu(s->cost) : NAN;
	flight *= cost_memory_per_in_flight_bytes(s->cost); /* NAN until it is known */
	in->base[DEMAND_MEMORY] = s->apis_seen && isfinite(flight)
					  ? s->used_bytes - fmin(flight, s->used_bytes)
					  : NAN;
	in->base[DEMAND_BANDWIDTH] = s->apis_seen ? 0 : NAN;
}

/*
 * An API of a weaker tier counts at that tier's quantile: which part of the demand is for the
 * service's own tier, as its load without requests is, and how much of what APIs are kept above
 * their medians is not asked for.
 */
static void weigh_tiers(const struct controller *c, struct service_state *s,
			const struct demand_api *asked, size_t n)
{
	double base = cost_base_mcpu(s->cost), own = isfinite(base) ? base : 0, all = own;

	s->above_mcpu = s->less_mcpu = 0;
	for (size_t k = 0; k < n; k++) {
		const struct demand_api *a = &asked[k];
		enum tier t = slot_tier(s, k);
		double level = fmin(tier_quantile(c, s, t), s->quantile);
		double at = forecast_at(&a->rate[DEMAND_PEAK], level);
		double most = forecast_at(&a->rate[DEMAND_PEAK], s->quantile);
		double median = a->rate[DEMAND_PEAK].q[Q50], mcpu = a->cost[DEMAND_CPU];

		if (!(mcpu > 0))
			continue;
		all += at * mcpu;
		own += t == (enum tier)s->kept.tier ? at * mcpu : 0;
		s->above_mcpu += fmax(most - median, 0) * mcpu;
		s->less_mcpu += (fmax(most - median, 0) - fmax(at - median, 0)) * mcpu;
	}
	s->own_part = all > 0 ? own / all : 1;
}

/*
 * At the level that has been enough as often as asked for, less what APIs of weaker tiers do not
 * ask for: all of it where the forecast keeps as much above the median as they do.
 */
static double at_learned_level(const struct service_state *s, const struct forecast *f)
{
	double q = forecast_at(f, s->quantile - fmax(s->kept.level_less, 0));
	double above = fmax(q - f->q[Q50], 0);

	return s->above_mcpu > 0 ? q - fmin(above / s->above_mcpu, 1) * s->less_mcpu : q;
}

/*
 * The most that is planned for: little above all that was ever needed or, with an event, above what
 * is likely then. Tails of a forecast reach further than is of use.
 */
static double most(const struct service_state *s, const struct forecast *f, double ever)
{
	return (s->event_near ? fmax(f->q[Q50], ever) : ever) * ABOVE_ALL;
}

static double most_mcpu(const struct controller *c, const struct service_state *s,
			const struct forecast *f)
{
	return fmin(most(s, f, s->kept.need_most_mcpu), (double)c->facts.capacity_mcpu);
}

static double likely_soon(const struct controller *c, const struct service_state *s)
{
	struct forecast f;

	if (s->kept.tier == TIER_BRONZE)
		return isfinite(s->use_mcpu) ? s->use_mcpu : 0;
	series_predict_peak(s->cpu.series[0], MIN(NEAR_STEPS, s->lead_steps), &f);
	return fmax(fmin(forecast_at(&f, NEAR_LEVEL), most_mcpu(c, s, &f)),
		    isfinite(s->use_mcpu) ? s->use_mcpu : 0);
}

/*
 * The likely need of the next step. A limit that lends has no use for more: what comes by chance is
 * lent for, and what is forecast for later is the plan's, which makes room for it.
 */
static double soon(const struct controller *c, const struct service_state *s)
{
	struct forecast f;

	if (!loan_applies(c, s))
		return s->demand_mcpu;
	series_predict_peak(s->cpu.series[0], 1, &f);
	return fmin(f.q[Q50], s->demand_mcpu);
}

/*
 * What minutes take for likely by the end of the lead: they know periods that are too long to be
 * found second by second. NAN: nothing yet.
 */
static double likely_by_minutes(const struct service_state *s, struct ladder *l)
{
	if (!has_slower(l) || l->step_ns[1] > MINUTES_NS)
		return NAN;
	return ladder_peak(l, 1, lead_on(s, l, 1))->q[Q50];
}

/* Over the lead, where no price says how much of it is worth having. */
static double needed_mcpu(const struct controller *c, struct service_state *s,
			  const struct forecast *f)
{
	double need = fmax(at_learned_level(s, f), likely_by_minutes(s, &s->cpu));

	return fmin(need, most_mcpu(c, s, f));
}

static void bound_bits(const struct service_state *s, struct forecast *f)
{
	double bound = most(s, f, s->kept.tx_most_bits_per_s);

	for (size_t l = 0; l < FORECAST_LEVELS; l++)
		f->q[l] = fmin(f->q[l], bound);
}

void demand(struct controller *c, size_t i)
{
	struct service_state *s = &c->services[i];
	struct plan_service *ps = &c->plan.services[i];
	bool due = demand_due(&s->kept.demand, s->lead_steps);
	struct demand_api asked[COST_MAX_APIS]; /* [n] */
	const size_t n = s->n_slots;
	struct demand_input in = {
		.lead_steps = s->lead_steps,
		.gap = c->gap,
		.n_apis = n,
		.apis = asked,
		.used = {s->need_mcpu, s->used_bytes, s->used_bits_per_s},
	};
	struct forecast f[DEMAND_RESOURCES];

	s->quantile = tier_quantile(c, s, (enum tier)s->kept.tier);
	in.slow[DEMAND_MEMORY] = s->memory.step_ns[0] > c->period_ns;
	in.slow[DEMAND_BANDWIDTH] = s->tx.step_ns[0] > c->period_ns;
	view_series(&s->cpu, s, due, DEMAND_CPU, &in);
	view_series(&s->memory, s, due, DEMAND_MEMORY, &in);
	view_series(&s->tx, s, due, DEMAND_BANDWIDTH, &in);
	ask_apis(s, due, asked, n);
	ask_costs(s, &in);
	weigh_tiers(c, s, asked, n);
	demand_step(&s->kept.demand, &in, f);
	s->demand_mcpu = s->price ? price_mcpu(c, s) : needed_mcpu(c, s, &f[DEMAND_CPU]);
	s->soon_mcpu = soon(c, s);
	s->near_mcpu = likely_soon(c, s);
	ps->demand_mcpu = f[DEMAND_CPU];
	ps->demand_bytes = f[DEMAND_MEMORY];
	ps->demand_bits_per_s = f[DEMAND_BANDWIDTH];
	bound_bits(s, &ps->demand_bits_per_s);
}
