// SPDX-License-Identifier: GPL-2.0-or-later
/* settle.c - from what is wanted to what is done: raise at once, lower slowly, and say why not. */
#include <math.h>
#include <string.h>

#include "shaping/clamp.h"
#include "shaping/state.h"

#define RAISING_NS     (2 * NS_PER_S)   /* without word from the kernel an order counts as lost */
#define LOWERING_NS    (10 * NS_PER_S)  /* a guarded shrink takes its time */
#define ROUNDED        0.002            /* kernels keep whole pages, weights become shares */
#define WATCH_TICKS    2                /* a lowering is watched this long */
#define WORSE_BY       1.2              /* times the burn rate before a lowering */
#define ANOMALY_DWELLS 3                /* nothing is lowered for this long after one */
#define REMEMBER_NS    (600 * NS_PER_S) /* a lowering that went wrong */

static uint64_t remember_ns(const struct controller *c)
{
	return MAX(REMEMBER_NS, 10 * c->period_ns);
}

static void refuse(struct plan_entry *e, enum refusal why)
{
	e->refused |= 1u << why;
}

static void fill_entry(size_t i, enum knob knob, uint64_t before, const struct knob_state *ks,
		       const struct want *w, struct plan_entry *e)
{
	*e = (struct plan_entry){
		.service = (uint32_t)i,
		.knob = (uint16_t)knob,
		.reason = ks->decided ? ks->reason
			  : w->keep   ? w->reason
				      : REASON_UNCHANGED,
		.value = before,
		.before = before,
		.refused = w->refused,
		.floor = w->floor,
		.ceiling = w->ceiling,
		.policy = w->at,
		.n_inputs = w->n_inputs,
	};
	for (size_t k = 0; k < w->n_inputs; k++) {
		e->inputs[k].name = w->inputs[k].name;
		e->inputs[k].value = w->inputs[k].value;
	}
}

/* Whether the last lowering is young and was followed by throttling or by more misses. */
static bool went_wrong(const struct controller *c, const struct service_state *s, enum knob knob)
{
	const struct knob_state *ks = &s->kept.knobs[knob];
	bool tolerated = s->price || slo_is_kept(s) || loan_applies(c, s) || is_short(s);
	bool throttled =
		knob == KNOB_CPU_MAX && !tolerated && s->throttled > c->set->host.throttle_target;
	bool worse = s->burn_fast > 1 && s->burn_fast > WORSE_BY * fmax(ks->burn_before, 0);

	/* What a rate gives back another loses. */
	if (!ks->lowered_ns || knob == KNOB_HTB_RATE ||
	    since(c, ks->lowered_ns) > WATCH_TICKS * c->period_ns + c->period_ns / 2)
		return false;
	return throttled || worse;
}

/* The clamp's answer in the words of refusals. */
static void tell_clamp(unsigned int by, struct plan_entry *e)
{
	if (by & CLAMP_STEP)
		refuse(e, REFUSAL_STEP);
	if (by & CLAMP_FLOOR)
		refuse(e, REFUSAL_FLOOR);
	if (by & (CLAMP_CEILING | CLAMP_HIGHEST))
		refuse(e, REFUSAL_CEILING);
}

static enum reason clamp_reason(unsigned int by, enum reason reason)
{
	if (by & CLAMP_CEILING)
		return REASON_POLICY_CEILING;
	return by & CLAMP_FLOOR ? REASON_POLICY_FLOOR : reason;
}

static struct clamp_bounds bounds_of(const struct controller *c, const struct want *w,
				     uint64_t before)
{
	bool step = !w->must && !w->tighten;
	double most = w->max_lower > 0 ? fmin(w->max_lower, c->set->host.max_step)
				       : c->set->host.max_step;

	return (struct clamp_bounds){
		.floor = w->floor,
		.ceiling = MAX(w->ceiling, w->floor),
		.highest = w->highest,
		.now = before,
		.max_lower_ppm = step ? (uint32_t)(most * (double)PPM) : 0,
	};
}

/* Computes what @w comes to within @b. Returns false where it is no number. */
static bool bounded(const struct want *w, const struct clamp_bounds *b, struct plan_entry *e,
		    uint64_t *value, enum reason *reason)
{
	enum knob knob = (enum knob)e->knob;
	unsigned int by = 0;
	int r = w->unlimited ? clamp_value(knob, UNLIMITED, b, value, &by)
			     : clamp_double(knob, w->value, b, value, &by);

	if (r < 0)
		return false;
	tell_clamp(by, e);
	*reason = clamp_reason(by, w->reason);
	return true;
}

/*
 * Lowerings below what the guard raised to, or to what went wrong before, end above it, but within
 * @b as well.
 */
static uint64_t remembered(const struct controller *c, const struct knob_state *ks, double band,
			   const struct clamp_bounds *b, struct plan_entry *e, uint64_t v)
{
	uint64_t least = 0;

	if (ks->hold_until_ns > c->now_ns && since(c, ks->changed_ns) <= remember_ns(c))
		least = ks->hold;
	if (ks->avoid_until_ns > c->now_ns && v <= ks->avoid)
		least = MAX(least, ks->avoid + (uint64_t)(band * (double)ks->avoid) + 1);
	if (v >= e->before || v >= least ||
	    clamp_value((enum knob)e->knob, MIN(e->before, least), b, &least, NULL) < 0 ||
	    v >= least)
		return v;
	refuse(e, REFUSAL_REMEMBERED);
	return least;
}

static bool within_band(uint64_t a, uint64_t b, double band)
{
	if (a == UNLIMITED || b == UNLIMITED)
		return a == b;
	return fabs((double)a - (double)b) <= band * (double)b;
}

/* What forbids to go the careful way now; 0: nothing. */
static uint32_t too_early(const struct controller *c, const struct service_state *s,
			  const struct knob_state *ks, const struct want *w, uint64_t before,
			  uint64_t v, double band)
{
	bool careful = w->tighten ? v > before : v < before;
	uint32_t why = 0;

	if (!careful)
		return s->stale && w->tighten ? 1u << REFUSAL_STALE : 0;
	if (s->stale)
		why |= 1u << REFUSAL_STALE;
	if (!w->tighten && since(c, s->kept.anomaly_ns) < ANOMALY_DWELLS * c->set->host.dwell_ns)
		why |= 1u << REFUSAL_ANOMALY;
	if (ks->changed_ns &&
	    since(c, ks->changed_ns) < (w->dwell_ns ? w->dwell_ns : c->set->host.dwell_ns))
		why |= 1u << REFUSAL_DWELL;
	if (why && ks->changed_ns && within_band(v, ks->previous, band))
		why |= 1u << REFUSAL_ABA;
	return why;
}

static bool settled_already(const struct controller *c, const struct service_state *s,
			    const struct knob_state *ks, const struct want *w, struct plan_entry *e,
			    const struct tick_service *ts)
{
	uint32_t bit = 1u << e->knob;

	if (ts->missing & MISSING_ALL)
		refuse(e, REFUSAL_STALE);
	else if (!(ts->known & bit))
		refuse(e, REFUSAL_UNSUPPORTED);
	else if (ts->yielded & bit)
		refuse(e, REFUSAL_YIELDED);
	else if (c->frozen)
		refuse(e, REFUSAL_FROZEN);
	else if (ks->retry_ns > c->now_ns && since(c, ks->changed_ns) < LOWERING_NS)
		refuse(e, REFUSAL_WRITE_FAILED);
	else
		return w->keep;
	return true;
}

/* Back to what was before the last lowering. Returns false where @b forbids to go up at all. */
static bool undo(const struct controller *c, struct knob_state *ks, const struct clamp_bounds *b,
		 uint64_t wanted, struct plan_entry *e)
{
	unsigned int by = 0;
	uint64_t v;

	if (ks->previous <= e->before ||
	    clamp_value((enum knob)e->knob, MAX(ks->previous, wanted), b, &v, &by) < 0 ||
	    v <= e->before)
		return false;
	tell_clamp(by, e);
	ks->avoid = e->before;
	ks->avoid_until_ns = c->now_ns + remember_ns(c);
	ks->lowered_ns = 0;
	e->value = v;
	e->reason = (uint16_t)clamp_reason(by, REASON_UNDO_LOWERING);
	e->change = true;
	return true;
}

/* In force, but against the policy by more than rounding. */
static bool outside(const struct want *w, uint64_t before)
{
	uint64_t ceiling = MAX(w->ceiling, w->floor);

	return (before < w->floor && !within_band(before, w->floor, ROUNDED)) ||
	       (before > ceiling && !within_band(before, ceiling, ROUNDED));
}

static bool on_its_way(const struct controller *c, const struct knob_state *ks, uint64_t before,
		       uint64_t v)
{
	uint64_t wait_ns = v > before ? RAISING_NS : LOWERING_NS;

	return ks->pending && v == ks->value && since(c, ks->changed_ns) < wait_ns;
}

/*
 * What is done once and keeps no value: neither deadband nor dwell nor memory of failures apply,
 * and its floor is not of the value. Nothing is asked for on stale inputs.
 */
static void settle_trigger(const struct controller *c, const struct service_state *s,
			   const struct tick_service *ts, const struct want *w,
			   struct plan_entry *e)
{
	const struct clamp_bounds b = {.ceiling = UNLIMITED, .highest = UNLIMITED};
	const struct knob_state *ks = &s->kept.knobs[e->knob];
	enum reason reason;
	uint64_t v = 0;

	e->value = e->before = 0;
	e->reason = (uint16_t)w->reason;
	if (s->stale)
		refuse(e, REFUSAL_STALE);
	if (settled_already(c, s, ks, w, e, ts) || s->stale || !bounded(w, &b, e, &v, &reason))
		return;
	e->value = v;
	e->change = v > 0;
}

void settle(struct controller *c, size_t i, enum knob knob, const struct tick_service *ts,
	    const struct want *w, struct plan_entry *e)
{
	struct service_state *s = &c->services[i];
	struct knob_state *ks = &s->kept.knobs[knob];
	double band = w->fine ? w->deadband : fmax(w->deadband, c->set->host.deadband);
	struct clamp_bounds b = bounds_of(c, w, ts->knob[knob]);
	uint64_t v = 0;
	uint32_t why;
	enum reason reason;

	fill_entry(i, knob, ts->knob[knob], ks, w, e);
	if (knob_rows[knob].kind == KNOB_TRIGGER) {
		settle_trigger(c, s, ts, w, e);
		return;
	}
	if (settled_already(c, s, ks, w, e, ts) || !bounded(w, &b, e, &v, &reason))
		return;
	if (!w->must && went_wrong(c, s, knob) && undo(c, ks, &b, v, e))
		return;
	v = w->must ? v : remembered(c, ks, band, &b, e, v);
	if (v == e->before || on_its_way(c, ks, e->before, v))
		return;
	why = w->must || outside(w, e->before) ? 0 : too_early(c, s, ks, w, e->before, v, band);
	if (within_band(v, e->before, w->must || outside(w, e->before) ? ROUNDED : band))
		why |= 1u << REFUSAL_DEADBAND;
	e->refused |= why;
	if (why)
		return;
	e->value = v;
	e->reason = (uint16_t)reason;
	e->change = true;
}

bool budget_take(struct budget *b, uint64_t now_ns, uint64_t per_minute)
{
	uint64_t second = now_ns / NS_PER_S, used = 0;
	size_t k = second % BUDGET_SLOTS;

	for (size_t i = 0; i < BUDGET_SLOTS; i++)
		if (second - b->second[i] < BUDGET_SLOTS)
			used += b->writes[i];
	if (used >= per_minute)
		return false;
	if (b->second[k] != second)
		b->writes[k] = 0;
	b->second[k] = second;
	b->writes[k]++;
	return true;
}

static bool is_contention(const struct plan_entry *e)
{
	return e->reason == REASON_CONTENTION_CAP || e->reason == REASON_IO_CONTENTION ||
	       e->reason == REASON_IO_PREDICTED;
}

static void commit(struct controller *c, struct plan_entry *e)
{
	struct service_state *s = &c->services[e->service];
	struct knob_state *ks = &s->kept.knobs[e->knob];
	bool watch = e->value < e->before && !is_contention(e);

	ks->previous = e->before;
	ks->value = e->value;
	ks->changed_ns = MAX(c->now_ns, 1);
	ks->reason = e->reason;
	ks->decided = true;
	ks->pending = !c->observe;
	ks->lowered_ns = watch ? ks->changed_ns : 0;
	ks->burn_before = isfinite(s->burn_fast) ? s->burn_fast : 0;
}

void settle_now(struct controller *c, struct plan_entry *e)
{
	(void)budget_take(&c->budget, c->now_ns, UNLIMITED); /* counted, never refused */
	commit(c, e);
}

/* Lowerings may use half of the minute's writes, so that a raise always finds some. */
static void take_or_hold(struct controller *c, struct plan_entry *e, bool raise)
{
	uint64_t most = c->set->host.writes_per_minute;

	if (budget_take(&c->budget, c->now_ns, raise ? most : (most + 1) / 2)) {
		commit(c, e);
		return;
	}
	refuse(e, REFUSAL_BUDGET);
	e->change = false;
	e->value = e->before;
}

static bool comes_first(const struct controller *c, const struct plan_entry *e)
{
	return knob_rows[e->knob].kind != KNOB_TRIGGER &&
	       (e->value > e->before || is_contention(e));
}

void settle_budget(struct controller *c)
{
	for (int pass = 0; pass < TIER_COUNT + 1; pass++) {
		for (size_t k = 0; k < c->plan.n_entries; k++) {
			struct plan_entry *e = &c->plan.entries[k];
			int tier = (int)c->services[e->service].kept.tier;
			bool first = comes_first(c, e);

			if (e->change && (first ? tier : TIER_COUNT) == pass)
				take_or_hold(c, e, first);
		}
	}
}
