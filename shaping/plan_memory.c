// SPDX-License-Identifier: GPL-2.0-or-later
/* plan_memory.c - memory.low for gold, high and max only where asked for or under pressure. */
#include <math.h>

#include "shaping/state.h"

#define MEMORY_QUANTILE  0.9
#define ABOVE_ALL        1.25
#define MEMORY_DEADBAND  0.1
#define MARGIN_PART      0.1 /* above what is in use */
#define MARGIN_BYTES     (16 * (double)MIB)
#define PRESSURE_PART    0.1  /* of the host's memory left: bronze is asked to give some back */
#define SHORT_OVER       0.95 /* of what there is; wanted less, the host is short no more */
#define SHORT_HOLD_NS    (30 * NS_PER_S) /* bronze is held down for so long at least */
#define SQUEEZE_DEADBAND 0.02
#define BRONZE_GIVES     0.95 /* of its use, a step */
#define RESERVE_PART     0.05
#define STALLED_TOO_MUCH 0.1 /* of the time, all tasks waiting for memory */
#define STALLED_RAISE    1.2
#define STALLED_HOLD_NS  (60 * NS_PER_S) /* what was given back then is not asked for at once */

static double or_zero(double v)
{
	return isfinite(v) && v > 0 ? v : 0;
}

/* The least a limit may be: what cannot be reclaimed, and a margin. */
static double least_limit(const struct tick_service *ts)
{
	return held_bytes(ts) * (1 + MARGIN_PART) + MARGIN_BYTES;
}

/* As it is forecast, but little above all that it ever was: tails reach further than is of use. */
double working_set_bytes(const struct controller *c, size_t i)
{
	double set = or_zero(forecast_at(&c->plan.services[i].demand_bytes, MEMORY_QUANTILE));

	return fmin(set, ABOVE_ALL * c->services[i].kept.set_most_bytes);
}

/* Protections of all services together stay below what the host has, or they protect nothing. */
double memory_left(const struct controller *c)
{
	uint64_t reserve = c->set->host.reserve_bytes;
	double all = (double)c->facts.memory_bytes;

	return fmax(0, all - (reserve == UNLIMITED ? RESERVE_PART * all : (double)reserve));
}

bool memory_claim(const struct controller *c, size_t i, const struct tick_service *ts,
		  struct share_claim *ret)
{
	const struct service_state *s = &c->services[i];
	const struct policy_memory *p = &s->policy->memory;
	double set = working_set_bytes(c, i);

	if (!(ts->known & 1u << KNOB_MEMORY_LOW))
		return false;
	*ret = (struct share_claim){
		.tier = (enum tier)s->kept.tier,
		.floor = (double)p->floor_bytes,
		.want = s->kept.tier == TIER_GOLD ? set * s->own_part : 0,
		.weight = fmax(s->policy->weight, 1e-3),
	};
	ret->want = fmin(ret->want, (double)p->ceiling_bytes);
	return true;
}

/* Whether bronze was held down for the last forecast. */
static bool was_short(const struct controller *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct knob_state *ks = &c->services[i].kept.knobs[KNOB_MEMORY_HIGH];

		if (ks->decided && ks->reason == REASON_MEMORY_PRESSURE)
			return true;
	}
	return false;
}

/* What it is forecast to work with, or does now. */
static double wanted_bytes(const struct controller *c, size_t i)
{
	return fmax(working_set_bytes(c, i), c->services[i].used_bytes);
}

/*
 * What cannot be reclaimed of all that is no service's, and the services' forecast working sets:
 * what is idle of those is in no one's way, since the kernel takes it where it needs some.
 */
static void foresee(struct controller *c, const struct tick_input *in)
{
	double left = memory_left(c) * (was_short(c) ? SHORT_OVER : 1), sets = 0;
	double others = fmax(0, (double)c->facts.memory_bytes - c->memory_available_bytes);

	for (size_t i = 0; i < c->n; i++) {
		if (!isfinite(c->services[i].used_bytes))
			continue;
		sets += wanted_bytes(c, i);
		others -= held_bytes(&in->services[i]);
	}
	c->memory_wanted_bytes = sets + fmax(others, 0);
	c->memory_short = c->memory_wanted_bytes > left;
	c->plan.short_bytes = fmax(0, c->memory_wanted_bytes - left);
}

/* Bronze's parts of what gold and silver leave: max-min by weight, what is not there anew. */
static void share_bronze(struct controller *c)
{
	static const double unbounded[TIER_COUNT] = {INFINITY, INFINITY, INFINITY};
	double left = memory_left(c) - c->memory_wanted_bytes;
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct service_state *s = &c->services[i];

		if (s->kept.tier != TIER_BRONZE || !isfinite(s->used_bytes))
			continue;
		c->claims[n] = (struct share_claim){
			.tier = TIER_BRONZE,
			.floor = (double)s->policy->memory.floor_bytes,
			.want = wanted_bytes(c, i),
			.weight = fmax(s->policy->weight, 1e-3),
		};
		left += c->claims[n++].want;
	}
	share_fill(c->claims, n, fmax(left, 0), unbounded);
	n = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct service_state *s = &c->services[i];

		s->left_bytes = s->kept.tier == TIER_BRONZE && isfinite(s->used_bytes)
					? c->claims[n++].got
					: 0;
	}
}

void plan_memories(struct controller *c, const struct tick_input *in)
{
	size_t n = 0;

	tenants_start(&c->tenants);
	for (size_t k = 0; k < c->n; k++) {
		size_t i = c->by_tenant[k];

		c->services[i].protected_bytes = 0;
		if (!memory_claim(c, i, &in->services[i], &c->claims[n]))
			continue;
		c->tenants.list[c->services[i].tenant].n++;
		n++;
	}
	tenants_fill(&c->tenants, TENANT_MEMORY, c->claims);
	n = 0;
	for (size_t k = 0; k < c->n; k++)
		if (in->services[c->by_tenant[k]].known & 1u << KNOB_MEMORY_LOW)
			c->services[c->by_tenant[k]].protected_bytes = c->claims[n++].got;
	foresee(c, in);
	if (c->memory_short)
		share_bronze(c);
}

static void baseline(const struct service_state *s, const struct tick_service *ts, enum knob k,
		     struct want *w)
{
	w->reason = REASON_BASELINE;
	w->keep = !s->kept.knobs[k].decided || !(ts->baseline_known & 1u << k);
	w->unlimited = ts->baseline[k] == UNLIMITED;
	w->value = w->unlimited ? 0 : (double)ts->baseline[k];
}

static void want_low(const struct controller *c, size_t i, const struct tick_service *ts,
		     struct want *w)
{
	const struct service_state *s = &c->services[i];
	const struct policy_memory *p = &s->policy->memory;
	double set = working_set_bytes(c, i);

	if (s->kept.tier != TIER_GOLD && p->floor_bytes == 0) {
		baseline(s, ts, KNOB_MEMORY_LOW, w);
		return;
	}
	w->reason = REASON_MEMORY_PROTECT;
	w->floor = p->floor_bytes;
	w->highest = MAX(c->facts.memory_bytes, p->floor_bytes);
	w->ceiling = p->ceiling_bytes;
	w->deadband = MEMORY_DEADBAND;
	w->keep = ts->missing & MISSING_MEMORY && p->floor_bytes == 0;
	w->value = s->kept.tier == TIER_GOLD ? s->protected_bytes : 0;
	want_input(w, "working_set_bytes", set);
	want_input(w, "memory_bytes", (double)ts->memory_bytes);
	want_input(w, "protected_part", set > 0 ? w->value / set : 1);
	tenant_inputs(c, s, TENANT_MEMORY, w);
}

/*
 * A step towards its share of what the others leave, where they are forecast to need the rest, or
 * less than it uses where there is hardly any left now.
 */
static void squeeze_bronze(const struct controller *c, const struct service_state *s,
			   const struct tick_service *ts, struct want *w)
{
	const struct knob_state *ks = &s->kept.knobs[KNOB_MEMORY_HIGH];
	double step = BRONZE_GIVES * (double)ts->memory_bytes;

	w->unlimited = false;
	w->keep = ks->decided && ks->reason == REASON_GUARD_STALLED &&
		  since(c, ks->changed_ns) < STALLED_HOLD_NS;
	w->reason = c->memory_short ? REASON_MEMORY_PRESSURE : REASON_MEMORY_LIMIT;
	w->deadband = SQUEEZE_DEADBAND;
	w->fine = true; /* a step is no larger than the host's */
	w->tighten = true;
	w->value = fmax(step, fmax(least_limit(ts), (double)s->policy->memory.floor_bytes));
	if (c->memory_short) {
		w->value = fmax(w->value, s->left_bytes);
		want_input(w, "host_wanted_bytes", c->memory_wanted_bytes);
		want_input(w, "host_memory_bytes", memory_left(c));
		want_input(w, "working_set_bytes", s->used_bytes);
		want_input(w, "left_bytes", s->left_bytes);
	}
	want_input(w, "host_available_bytes", c->memory_available_bytes);
	want_input(w, "held_bytes", held_bytes(ts));
}

/* Only ever stricter than its baseline for bronze on a host that is running out of memory. */
static void want_high(const struct controller *c, size_t i, const struct tick_service *ts,
		      struct want *w)
{
	const struct service_state *s = &c->services[i];
	uint64_t now = ts->knob[KNOB_MEMORY_HIGH];
	bool pressed = c->memory_short ||
		       c->memory_available_bytes < PRESSURE_PART * (double)c->facts.memory_bytes;
	double stalled = (double)ts->psi_memory_full_us * (double)NS_PER_US / (double)c->period_ns;

	baseline(s, ts, KNOB_MEMORY_HIGH, w);
	if (ts->missing & MISSING_MEMORY) {
		w->keep = true;
		return;
	}
	if (!(ts->missing & MISSING_PSI) && now != UNLIMITED &&
	    s->kept.knobs[KNOB_MEMORY_HIGH].decided && stalled > STALLED_TOO_MUCH) {
		*w = (struct want){.value = (double)now * STALLED_RAISE,
				   .reason = REASON_GUARD_STALLED,
				   .ceiling = UNLIMITED,
				   .highest = UNLIMITED};
		want_input(w, "stalled_part", stalled);
	} else if (s->kept.tier == TIER_BRONZE && pressed && ts->memory_bytes) {
		squeeze_bronze(c, s, ts, w);
	} else if (s->kept.knobs[KNOB_MEMORY_HIGH].reason == REASON_MEMORY_PRESSURE) {
		w->tighten = true;
		w->dwell_ns = SHORT_HOLD_NS;
	}
	w->at = s->policy->memory.at;
}

/*
 * The policy's ceiling. Where what is in use with a margin is above it, less than that would kill
 * it: so far it is lowered, and what leaks up to its ceiling is not given more.
 */
static void want_limit(const struct controller *c, size_t i, const struct tick_service *ts,
		       struct want *w)
{
	const struct service_state *s = &c->services[i];
	const struct policy_memory *p = &s->policy->memory;
	double least = least_limit(ts), now;

	if (p->ceiling_bytes == UNLIMITED || p->ceiling_bytes >= c->facts.memory_bytes) {
		baseline(s, ts, KNOB_MEMORY_MAX, w);
		return;
	}
	w->reason = REASON_POLICY_CEILING;
	w->at = p->ceiling_at.file ? p->ceiling_at : p->at;
	w->must = true;
	w->value = (double)p->ceiling_bytes;
	w->keep = ts->missing & MISSING_MEMORY;
	want_input(w, "memory_bytes", (double)ts->memory_bytes);
	want_input(w, "anon_bytes", (double)ts->anon_bytes);
	want_input(w, "ceiling_bytes", (double)p->ceiling_bytes);
	now = ts->knob[KNOB_MEMORY_MAX] == UNLIMITED ? (double)c->facts.memory_bytes
						     : (double)ts->knob[KNOB_MEMORY_MAX];
	if (w->value >= fmin(least, now))
		return;
	w->value = fmin(least, now);
	w->reason = REASON_MEMORY_LIMIT;
	w->refused |= 1u << REFUSAL_IN_USE;
}

void plan_memory(struct controller *c, size_t i, const struct tick_service *ts,
		 struct want wants[KNOB_COUNT])
{
	struct want *low = &wants[KNOB_MEMORY_LOW];

	low->at = c->services[i].policy->memory.at;
	want_low(c, i, ts, low);
	want_high(c, i, ts, &wants[KNOB_MEMORY_HIGH]);
	want_limit(c, i, ts, &wants[KNOB_MEMORY_MAX]);
}
