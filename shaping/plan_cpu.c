// SPDX-License-Identifier: GPL-2.0-or-later
/* plan_cpu.c - what cpu.max, cpu.max.burst and cpu.weight of a service should be, by tier. */
#include <math.h>

#include "shaping/state.h"

#define WARM_TICKS      10  /* CPU measured this often before anything is limited */
#define SILVER_LOOSE    2.0 /* times what is planned */
#define SILVER_PEAK     1.5 /* times the recent peak */
#define SILVER_DEADBAND 0.2
#define CAP_LEAST       0.02 /* of the CPUs: bronze always gets this much */
#define CAP_DEADBAND    0.15
#define CAP_DWELL_TICKS 2   /* before bronze gets more again: what it leaves idle helps nobody */
#define GUARD_RAISE     0.2 /* least raise for throttling seen by the tick */
#define WEIGHT_DEADBAND 0.2
#define WEIGHT_TICKS    3    /* CPU measured this often before demand moves a weight */
#define WEIGHT_SPREAD   16.0 /* demand raises a weight by at most this */
#define BURST_DEADBAND  0.5
#define PRICE_LOWER     0.03 /* of the limit, at once: small steps down are quickly taken back */
#define PRICE_DEADBAND  0.02
#define LENT_DWELL      0.25  /* of the dwell: what a lowering leaves short is lent at once */
#define US_PER_MCPU     100.0 /* in a period of 100 ms */
#define RECENTLY_NS     (60 * NS_PER_S)

static bool warm(const struct service_state *s)
{
	return s->kept.ticks >= WARM_TICKS;
}

static void demand_inputs(const struct service_state *s, struct want *w)
{
	want_input(w, "demand_mcpu", s->demand_mcpu);
	if (s->price) {
		want_input(w, "short_cost", s->policy->forecast.short_cost);
		want_input(w, "mean_mcpu", s->price->mean_mcpu);
	} else {
		want_input(w, "weaker_less_mcpu", s->less_mcpu);
		want_input(w, "quantile", s->quantile - s->kept.level_less);
	}
	want_input(w, "target_utilisation", s->kept.utilisation);
	want_input(w, "wanted_mcpu", s->want_mcpu);
	want_input(w, "planned_mcpu", s->got_mcpu);
	if (s->spare_mcpu > 0)
		want_input(w, "spare_mcpu", s->spare_mcpu);
	want_input(w, "use_mcpu", s->use_mcpu);
	want_input(w, "throttled_ratio", s->throttled);
}

static bool burned_recently(const struct controller *c, const struct service_state *s)
{
	return s->kept.burned_ns && since(c, s->kept.burned_ns) < RECENTLY_NS;
}

/* Why a limit that follows the plan moves. */
static enum reason plan_reason(const struct controller *c, const struct service_state *s,
			       uint64_t before, double value)
{
	if (is_short(s))
		return tenant_short(c, s, TENANT_CPU) ? REASON_TENANT_SHARE : REASON_CAPACITY_SHARE;
	/* The plan was cut there already. */
	if (value + 0.5 >= (double)s->policy->cpu.ceiling_mcpu)
		return REASON_POLICY_CEILING;
	if (value < (double)before)
		return REASON_FORECAST_LOWER;
	if (s->event_near)
		return REASON_EVENT;
	if (burned_recently(c, s))
		return REASON_SLO_BURN;
	return REASON_FORECAST_RAISE;
}

/*
 * The tick's own answer to throttling, for steps in which no guard ran. A price says how much of it
 * is worth a higher limit, and sees it; an objective that is kept, that it does no harm; and what
 * waits is lent for.
 */
static void guard_in_tick(const struct controller *c, const struct service_state *s,
			  const struct tick_service *ts, struct want *w)
{
	uint64_t now = ts->knob[KNOB_CPU_MAX];
	double target = c->set->host.throttle_target, raised;

	if (s->price || slo_is_kept(s) || loan_applies(c, s) || now == UNLIMITED ||
	    s->throttled <= target || s->stale || is_short(s) ||
	    since(c, s->kept.guard_ns) < c->period_ns)
		return;
	raised = (double)now * (1 + fmax(GUARD_RAISE, fmin(1, s->throttled - target)));
	raised = fmin(raised, (double)c->facts.capacity_mcpu);
	if (w->unlimited || w->value >= raised)
		return;
	w->value = raised;
	w->reason = REASON_GUARD_THROTTLED;
	want_input(w, "throttle_target", target);
}

static void follow_plan(const struct controller *c, const struct service_state *s,
			const struct tick_service *ts, double value, struct want *w)
{
	w->value = value;
	w->reason = plan_reason(c, s, ts->knob[KNOB_CPU_MAX], value);
	demand_inputs(s, w);
	if (is_short(s))
		tenant_inputs(c, s, TENANT_CPU, w);
	guard_in_tick(c, s, ts, w);
}

/* A limit only where the policy or whoever was there before asks for one, and then a loose one. */
static void gold_max(const struct controller *c, const struct service_state *s,
		     const struct tick_service *ts, struct want *w)
{
	uint64_t base = ts->baseline[KNOB_CPU_MAX];
	bool based = ts->baseline_known & 1u << KNOB_CPU_MAX;

	w->reason = REASON_BASELINE;
	if (s->policy->cpu.ceiling_mcpu < c->facts.capacity_mcpu) {
		w->value = (double)s->policy->cpu.ceiling_mcpu;
		w->reason = REASON_POLICY_CEILING;
	} else if (!based) {
		w->keep = !s->kept.knobs[KNOB_CPU_MAX].decided;
		w->unlimited = true;
	} else if (base == UNLIMITED) {
		w->unlimited = true;
	} else if ((double)base < SILVER_LOOSE * s->got_mcpu && warm(s)) {
		follow_plan(c, s, ts, SILVER_LOOSE * s->got_mcpu, w);
	} else {
		w->value = (double)base;
	}
	if (s->kept.knobs[KNOB_CPU_MAX].reason == REASON_CONTENTION_CAP)
		w->reason = REASON_CONTENTION_OVER;
}

static void silver_max(const struct controller *c, const struct service_state *s,
		       const struct tick_service *ts, struct want *w)
{
	double need = fmax(s->got_mcpu, s->demand_mcpu);
	double loose = fmax(SILVER_LOOSE * need, SILVER_PEAK * s->kept.use_peak_mcpu);

	w->deadband = SILVER_DEADBAND;
	if (loose >= (double)MIN(c->facts.capacity_mcpu, s->policy->cpu.ceiling_mcpu))
		gold_max(c, s, ts, w);
	else
		follow_plan(c, s, ts, loose, w);
}

static void bronze_max(const struct controller *c, const struct service_state *s,
		       const struct tick_service *ts, struct want *w)
{
	if (!s->kept.capped) {
		gold_max(c, s, ts, w);
		w->tighten = true;
		return;
	}
	w->tighten = true;
	w->deadband = CAP_DEADBAND;
	w->dwell_ns = CAP_DWELL_TICKS * c->period_ns - c->period_ns / 2;
	w->value = fmax(s->appetite_mcpu, CAP_LEAST * (double)c->facts.capacity_mcpu);
	w->reason = REASON_CONTENTION_CAP;
	want_input(w, "available_mcpu", c->available_mcpu);
	want_input(w, "planned_all_mcpu", (double)c->plan.planned_mcpu);
	want_input(w, "left_mcpu", s->appetite_mcpu);
	want_input(w, "use_mcpu", s->use_mcpu);
	want_input(w, "throttled_ratio", s->throttled);
	tenant_inputs(c, s, TENANT_CPU, w);
}

/*
 * The tight limit; by price it goes up at once and down a little at a time. One that lends follows
 * the next step alone, within what is planned.
 */
static void cap_max(const struct controller *c, const struct service_state *s,
		    const struct tick_service *ts, struct want *w)
{
	double value = s->got_mcpu + s->spare_mcpu;

	if (loan_applies(c, s)) {
		value = fmin(value, s->soon_mcpu / s->kept.utilisation);
		w->dwell_ns = MAX(1, (uint64_t)(LENT_DWELL * (double)c->set->host.dwell_ns));
	}
	if (s->price) {
		w->fine = true;
		w->deadband = PRICE_DEADBAND;
		w->max_lower = PRICE_LOWER;
	}
	follow_plan(c, s, ts, value, w);
}

static void want_max(const struct controller *c, const struct service_state *s,
		     const struct tick_service *ts, struct want *w)
{
	const struct policy_cpu *p = &s->policy->cpu;

	w->floor = p->floor_mcpu;
	w->ceiling = p->ceiling_mcpu < c->facts.capacity_mcpu ? p->ceiling_mcpu : UNLIMITED;
	w->highest = MAX(c->facts.capacity_mcpu, p->floor_mcpu);
	w->at = p->at;
	if (w->ceiling != UNLIMITED)
		want_input(w, "ceiling_mcpu", (double)w->ceiling);
	if (s->kept.tier == TIER_GOLD && p->mode == CPU_RESERVE)
		gold_max(c, s, ts, w);
	else if (p->mode == CPU_RESERVE && s->kept.tier == TIER_BRONZE)
		bronze_max(c, s, ts, w);
	else if (!warm(s)) {
		w->keep = true;
		w->reason = REASON_WARMING_UP;
		want_input(w, "ticks_seen", s->kept.ticks);
	} else if (p->mode == CPU_CAP)
		cap_max(c, s, ts, w);
	else
		silver_max(c, s, ts, w);
}

/*
 * How far the peaks seen over short intervals stand above the plan, as CPU time a period may
 * borrow; no more than the quota itself, which the kernel would refuse. Without a limit it means
 * nothing.
 */
static void want_burst(const struct controller *c, const struct service_state *s,
		       const struct tick_service *ts, const struct want *max, struct want *w)
{
	double limit = max->keep ? (double)ts->knob[KNOB_CPU_MAX] : max->value;
	double peak = fmax(s->kept.guard_use_mcpu, s->kept.use_peak_mcpu);
	bool based = ts->baseline_known & 1u << KNOB_CPU_MAX_BURST;
	uint64_t base = based ? ts->baseline[KNOB_CPU_MAX_BURST] : 0;

	w->at = s->policy->cpu.at;
	w->deadband = BURST_DEADBAND;
	w->reason = REASON_BASELINE;
	if (max->unlimited || (max->keep && ts->knob[KNOB_CPU_MAX] == UNLIMITED) ||
	    s->kept.tier == TIER_BRONZE || !warm(s)) {
		w->keep = !s->kept.knobs[KNOB_CPU_MAX_BURST].decided;
		w->value = (double)base;
		w->highest = MAX(c->facts.capacity_mcpu * (uint64_t)US_PER_MCPU, base);
		return;
	}
	w->reason = REASON_BURST;
	w->value = fmin(fmax(peak - s->got_mcpu, 0), limit) * US_PER_MCPU;
	w->value = floor(w->value / 1000) * 1000;
	w->highest = (uint64_t)(fmin(limit, (double)ts->knob[KNOB_CPU_MAX]) * US_PER_MCPU);
	want_input(w, "peak_mcpu", peak);
	want_input(w, "planned_mcpu", s->got_mcpu);
	want_input(w, "limit_mcpu", limit);
}

/* The most for a service that misses its objective: all there is for gold, or the tier above's. */
static double most_weight(const struct controller *c, const struct service_state *s)
{
	const struct policy_host *h = &c->set->host;

	return s->kept.tier == TIER_GOLD ? WEIGHT_SPREAD * (double)h->tiers[TIER_GOLD].cpu_weight
					 : (double)h->tiers[s->kept.tier - 1].cpu_weight;
}

/*
 * The tier's weight at rest, for gold and silver scaled up by the planned share of the CPUs against
 * an equal one; never down, so that a quiet service keeps its tier's lead when it is surprised.
 * What misses its objective takes more from all that runs outside of the plan, too.
 */
static void want_weight(const struct controller *c, const struct service_state *s, struct want *w)
{
	double rest = (double)c->set->host.tiers[s->kept.tier].cpu_weight;
	double equal = c->available_mcpu / (double)c->n;
	double own = s->got_mcpu * s->own_part;
	double by = s->kept.tier == TIER_BRONZE || equal <= 0 ? 1 : own / equal;

	w->at = s->policy->at;
	w->deadband = WEIGHT_DEADBAND;
	w->must = !s->kept.knobs[KNOB_CPU_WEIGHT].decided; /* a tier's weight is no lowering */
	w->reason = REASON_TIER_WEIGHT;
	by = fmax(1, fmin(WEIGHT_SPREAD, by));
	w->value = rest * (s->kept.ticks >= WEIGHT_TICKS ? by : 1);
	if (burned_recently(c, s) && w->value < most_weight(c, s)) {
		w->value = most_weight(c, s);
		w->reason = REASON_SLO_BURN;
	}
	w->value = fmin(10000, w->value);
	want_input(w, "tier_weight", rest);
	want_input(w, "protected_mcpu", own);
	want_input(w, "equal_share_mcpu", equal);
	want_input(w, "burn_rate", s->burn_fast);
}

void plan_cpu(struct controller *c, size_t i, const struct tick_service *ts,
	      struct want wants[KNOB_COUNT])
{
	struct service_state *s = &c->services[i];

	want_max(c, s, ts, &wants[KNOB_CPU_MAX]);
	want_burst(c, s, ts, &wants[KNOB_CPU_MAX], &wants[KNOB_CPU_MAX_BURST]);
	want_weight(c, s, &wants[KNOB_CPU_WEIGHT]);
}
