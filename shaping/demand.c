// SPDX-License-Identifier: GPL-2.0-or-later
/* demand.c - what a service will need over its lead, from the source that has been right most. */
#include <math.h>

#include "shaping/state.h"

#define SCORED_ENOUGH 30    /* forecasts scored before a source may be chosen */
#define CHOOSE_BELOW  0.9   /* of the loss of the one in use */
#define LOSS_MEMORY   240.0 /* scored forecasts remembered */
#define ABOVE_ALL     1.25  /* times the most ever needed */
#define RATIO_STEP    0.02
#define NEAR_STEPS    3 /* a limit of others takes hold within this */
#define NEAR_LEVEL    0.5

static void scaled_add(struct forecast *sum, const struct forecast *f, double by)
{
	sum->mean += f->mean * by;
	for (size_t l = 0; l < FORECAST_LEVELS; l++)
		sum->q[l] += f->q[l] * by;
}

static void add_constant(struct forecast *f, double by)
{
	f->mean += by;
	for (size_t l = 0; l < FORECAST_LEVELS; l++)
		f->q[l] += by;
}

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

/* Sum over the APIs, each at its tier's quantile; NAN while a busy one's cost is not known. */
static double from_apis(const struct controller *c, struct service_state *s, struct forecast *ret)
{
	double sum = cost_base_mcpu(s->cost), own = 0, all = 0;

	*ret = (struct forecast){};
	if (!isfinite(sum))
		return NAN;
	add_constant(ret, sum);
	for (size_t k = 0; k < s->n_slots; k++) {
		double us = cost_cpu_us(s->cost, k), mcpu;
		enum tier t;

		if (series_count(s->requests[k].series[0]) == 0)
			continue;
		series_predict_peak(s->requests[k].series[0],
				    MIN(s->lead_steps, s->requests[k].horizon[0]),
				    &s->slot_peak[k]);
		if (!isfinite(us))
			sum = s->slot_peak[k].mean > 0 ? NAN : sum;
		if (!isfinite(us))
			continue;
		t = slot_tier(s, k);
		mcpu = forecast_at(&s->slot_peak[k], tier_quantile(c, s, t)) * us / 1000;
		sum += mcpu;
		all += mcpu;
		own += t == (enum tier)s->kept.tier ? mcpu : 0;
		scaled_add(ret, &s->slot_peak[k], us / 1000);
	}
	s->own_part = all > 0 ? own / all : 1;
	return sum;
}

/* The next clock's peak, raised by how far peaks over the lead stand above its means. */
static double from_minutes(const struct service_state *s, struct forecast *ret)
{
	const struct series *m = s->cpu.series[1];
	struct forecast f;
	unsigned int steps;

	*ret = (struct forecast){};
	if (!m || series_count(m) < SCORED_ENOUGH)
		return NAN;
	steps = (unsigned int)((s->policy->forecast.lead_ns + s->cpu.step_ns[1] - 1) /
			       s->cpu.step_ns[1]);
	series_predict_peak(m, (unsigned int)clamp_u64(steps, 1, s->cpu.horizon[1]), &f);
	scaled_add(ret, &f, s->kept.demand.peak_ratio);
	return forecast_at(ret, s->quantile);
}

static double pinball(double level, double actual, double predicted)
{
	double d = actual - predicted;

	return d >= 0 ? level * d : (level - 1) * d;
}

static double peak_used(const struct demand_state *d, unsigned int n)
{
	double peak = NAN;

	for (unsigned int i = 0; i < n; i++)
		peak = fmax(peak, (double)d->used[i]); /* fmax leaves out NAN */
	return peak;
}

/* Follows the quantile of peak to mean, a small step at a time (Robbins and Monro). */
static void follow_ratio(struct service_state *s, double peak)
{
	struct demand_state *d = &s->kept.demand;
	double mean = s->cpu.series[1] ? series_last(s->cpu.series[1]) : NAN;

	if (!isfinite(mean) || mean <= 0)
		return;
	d->peak_ratio += RATIO_STEP * (s->quantile - (peak <= mean * d->peak_ratio));
	d->peak_ratio = fmax(0.5, fmin(10, d->peak_ratio));
}

/* Scores what was issued a lead ago against the peak since, then remembers what is issued now. */
static void score(struct service_state *s, const double issued[DEMAND_SOURCES])
{
	struct demand_state *d = &s->kept.demand;
	double peak;

	d->used[d->at] = (float)s->need_mcpu;
	peak = peak_used(d, MIN(d->filled + 1, s->lead_steps));
	if (d->filled >= s->lead_steps && isfinite(peak)) {
		for (size_t k = 0; k < DEMAND_SOURCES; k++) {
			double was = (double)d->issued[d->at][k], loss;

			if (!isfinite(was))
				continue;
			loss = pinball(s->quantile, peak, was);
			d->scored[k] += d->scored[k] < UINT32_MAX;
			d->loss[k] += (loss - d->loss[k]) / fmin(d->scored[k], LOSS_MEMORY);
		}
		follow_ratio(s, peak);
	}
	for (size_t k = 0; k < DEMAND_SOURCES; k++)
		d->issued[d->at][k] = (float)issued[k];
	d->at = (d->at + 1) % s->lead_steps;
	d->filled = MIN(d->filled + 1, s->lead_steps);
}

static size_t choose(struct demand_state *d, const double issued[DEMAND_SOURCES])
{
	size_t best = d->chosen;

	for (size_t k = 0; k < DEMAND_SOURCES; k++)
		if (isfinite(issued[k]) && d->scored[k] >= SCORED_ENOUGH &&
		    d->scored[best] >= SCORED_ENOUGH && d->loss[k] < CHOOSE_BELOW * d->loss[best])
			best = k;
	d->chosen = (uint32_t)best;
	return isfinite(issued[best]) ? best : DEMAND_SERIES;
}

/* What was issued at the quantile, at the level that has been enough as often as asked for. */
static double at_learned_level(const struct service_state *s, const struct forecast *f,
			       double issued)
{
	double full = forecast_at(f, s->quantile);

	if (s->kept.level_less <= 0 || full <= 0)
		return issued;
	return issued * forecast_at(f, s->quantile - s->kept.level_less) / full;
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

static void demand_cpu(const struct controller *c, struct service_state *s, struct plan_service *ps)
{
	struct forecast f[DEMAND_SOURCES];
	double issued[DEMAND_SOURCES];
	size_t k;

	series_predict_peak(s->cpu.series[0], s->lead_steps, &f[DEMAND_SERIES]);
	issued[DEMAND_SERIES] = forecast_at(&f[DEMAND_SERIES], s->quantile);
	issued[DEMAND_APIS] = from_apis(c, s, &f[DEMAND_APIS]);
	issued[DEMAND_MINUTE] = from_minutes(s, &f[DEMAND_MINUTE]);
	score(s, issued);
	k = choose(&s->kept.demand, issued);
	s->demand_mcpu = fmin(at_learned_level(s, &f[k], issued[k]), most_mcpu(c, s, &f[k]));
	s->near_mcpu = likely_soon(c, s);
	ps->demand_mcpu = f[k];
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
	unsigned int steps;
	size_t k;

	s->own_part = 1;
	s->quantile = tier_quantile(c, s, (enum tier)s->kept.tier);
	demand_cpu(c, s, ps);
	k = ladder_pick(&s->memory, s->policy->forecast.lead_ns, &steps);
	series_predict(s->memory.series[k], steps, &ps->demand_bytes);
	k = ladder_pick(&s->tx, s->policy->forecast.lead_ns, &steps);
	series_predict_peak(s->tx.series[k], steps, &ps->demand_bits_per_s);
	bound_bits(s, &ps->demand_bits_per_s);
}
