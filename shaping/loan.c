// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loan.c - what a tight limit is given for a moment on top of its plan, so that what waits is done
 * in time.
 *
 * What arrives is known, and so is what a request costs: the work in flight, in CPU time. By
 * Little's law a limit of plan + owed / T leaves no request waiting for longer than T, whatever the
 * plan is. So the plan need not have room for each second's chance, and a loan is given back as
 * soon as the work is done. The plan below it is decided, held and lowered as if there were no
 * loan.
 */
#include <math.h>

#include "shaping/clamp.h"
#include "shaping/state.h"

#define DONE_WITHIN   2.0  /* times the objective's latency: most of it is done by the plan */
#define DONE_MOST_S   0.3  /* later saves next to nothing more */
#define DONE_SOONER   0.5  /* of that where the objective is being missed */
#define USUAL_S       10.0 /* what is in flight without any throttling, remembered this long */
#define WAIT_LEAST    0.2  /* of the objective's latency: a shorter wait needs no loan */
#define LOAN_NS       (500 * NS_PER_MS) /* since it last changed: not given back before */
#define GUARD_TICKS   2                 /* without a look of the guard nothing is lent */
#define OWED_MOST_S   10.0 /* of all CPUs: more in flight does not wait for CPU alone */
#define US_PER_MCPU   100  /* of burst and quota, in a period of 100 ms */
#define READ_BACK     0.002
#define ORDER_LOST_NS (10 * NS_PER_S) /* without word from the kernel */

/* CPU time of all requests in flight, in mcpu x s; NAN: no cost is known. */
static double owed_mcpu_s(const struct controller *c, const struct service_state *s,
			  const struct tick_service *ts)
{
	double sum = 0, most = OWED_MOST_S * (double)c->facts.capacity_mcpu;
	bool known = false;

	for (size_t i = 0; i < s->n_apis; i++) {
		int32_t slot = s->apis[i].slot;
		double us = slot < 0 ? NAN : cost_cpu_us(s->cost, (size_t)slot);

		if (!isfinite(us) || !isfinite(ts->apis[i].in_flight))
			continue;
		known |= us > 0;
		sum += fmax(0, ts->apis[i].in_flight) * us / (double)(US_PER_S / MCPU);
	}
	return known ? fmin(sum, most) : NAN;
}

static bool knows_costs(const struct service_state *s)
{
	for (size_t i = 0; i < s->n_apis; i++) {
		int32_t slot = s->apis[i].slot;

		if (slot >= 0 && cost_cpu_us(s->cost, (size_t)slot) > 0)
			return true;
	}
	return false;
}

/* It may have been a moment after the tick at hand. */
static bool has_guard(const struct controller *c, const struct service_state *s)
{
	uint64_t at = s->kept.guard_seen_ns;
	uint64_t off = at > c->now_ns ? at - c->now_ns : c->now_ns - at;

	return at && off < GUARD_TICKS * c->period_ns;
}

bool loan_applies(const struct controller *c, const struct service_state *s)
{
	return follows_slo(s) && !c->observe && s->apis_seen && has_guard(c, s) && knows_costs(s);
}

/* Seconds in which all that is owed is to be done. */
static double done_within_s(const struct service_state *s)
{
	double t = fmin(DONE_WITHIN * slo_latency_us(s->policy) / (double)US_PER_S, DONE_MOST_S);

	return fmax(1e-3, slo_is_kept(s) ? t : t * DONE_SOONER);
}

static void loan_entry(const struct controller *c, uint32_t service, enum reason reason,
		       uint64_t before, uint64_t value, double owed, struct plan_entry *ret)
{
	const struct service_state *s = &c->services[service];

	*ret = (struct plan_entry){
		.service = service,
		.knob = KNOB_CPU_MAX,
		.reason = reason,
		.value = value,
		.before = before,
		.change = true,
		.urgent = reason == REASON_LOAN,
		.floor = s->policy->cpu.floor_mcpu,
		.ceiling = s->policy->cpu.ceiling_mcpu,
		.policy = s->policy->cpu.at,
		.n_inputs = 5,
		.inputs = {{"in_flight_mcpu_s", owed},
			   {"usual_in_flight_mcpu_s", s->kept.usual_owed},
			   {"done_within_s", done_within_s(s)},
			   {"planned_limit_mcpu", (double)s->kept.knobs[KNOB_CPU_MAX].value},
			   {"target_utilisation", s->kept.utilisation}},
	};
}

static bool is_loan(const struct plan_entry *e)
{
	return e->reason == REASON_LOAN || e->reason == REASON_LOAN_BACK;
}

/* A loan is within what the host has for the service; the plan gets there by its own steps. */
static struct clamp_bounds loan_bounds(const struct controller *c, const struct service_state *s,
				       uint64_t plan, uint64_t before)
{
	struct clamp_bounds b = guard_bounds(c, s, before);

	b.highest = MAX(b.highest, plan);
	return b;
}

/* The least the kernel takes for a limit. */
static uint64_t burst_mcpu(const struct tick_service *ts)
{
	bool known = ts->known & 1u << KNOB_CPU_MAX_BURST;

	return known ? (ts->knob[KNOB_CPU_MAX_BURST] + US_PER_MCPU - 1) / US_PER_MCPU : 0;
}

/* What the limit is to be for @owed, within the policy and the host. */
static uint64_t with_loan(const struct controller *c, const struct service_state *s,
			  const struct tick_service *ts, double owed)
{
	uint64_t before = ts->knob[KNOB_CPU_MAX];
	uint64_t plan = s->kept.knobs[KNOB_CPU_MAX].value, v = before, least = burst_mcpu(ts);
	double extra = fmax(0, owed - s->kept.usual_owed) / done_within_s(s);
	struct clamp_bounds b = loan_bounds(c, s, plan, before);

	(void)clamp_double(KNOB_CPU_MAX, (double)plan + extra, &b, &v, NULL);
	if (v >= MIN(before, least))
		return v;
	/* The burst goes first where it is above all that is allowed. */
	return least > MAX(b.ceiling, b.floor) ? before : MIN(before, least);
}

/* What is in force is the plan and what is lent. */
static bool is_ours(const struct service_kept *k, uint64_t in_force)
{
	uint64_t plan = k->knobs[KNOB_CPU_MAX].value;
	double both = (double)plan + k->lent_mcpu;

	return in_force != UNLIMITED && plan != UNLIMITED &&
	       fabs((double)in_force - both) <= fmax(1, READ_BACK * both);
}

/* The plan is known: in force, or on its way to be. */
static bool has_plan(const struct service_kept *k, uint64_t in_force)
{
	const struct knob_state *ks = &k->knobs[KNOB_CPU_MAX];

	return ks->decided && ks->value != UNLIMITED && (ks->pending || is_ours(k, in_force));
}

static bool is_far(const struct controller *c, uint64_t before, uint64_t value)
{
	return fabs((double)value - (double)before) > c->set->host.deadband * (double)before;
}

/* Above the policy's ceiling, at once. */
static bool may_go_back(const struct controller *c, const struct service_state *s, uint64_t before,
			uint64_t value, uint64_t since_ns)
{
	const struct policy_cpu *p = &s->policy->cpu;

	/* An order of the plan on its way goes first. */
	if (value == before || !(s->kept.lent_mcpu > 0) || s->kept.knobs[KNOB_CPU_MAX].pending)
		return false;
	return before > MAX(p->ceiling_mcpu, p->floor_mcpu) ||
	       (since_ns >= LOAN_NS && is_far(c, before, value));
}

bool loan_guard(struct controller *c, uint32_t service, const struct tick_service *ts,
		uint64_t now_ns, uint64_t interval_ns, struct plan_entry *ret)
{
	struct service_state *s = &c->services[service];
	struct service_kept *k = &s->kept;
	double owed = owed_mcpu_s(c, s, ts);
	double seconds = (double)interval_ns / (double)NS_PER_S;
	uint64_t before = ts->knob[KNOB_CPU_MAX], value;
	uint64_t since_ns = k->lent_ns && now_ns >= k->lent_ns ? now_ns - k->lent_ns : UINT64_MAX;
	double waits = (owed - k->usual_owed) / (double)MAX(before, 1);
	bool grow, late = waits * (double)US_PER_S > WAIT_LEAST * slo_latency_us(s->policy);

	/* What is less than usual is so whether it waits or not. */
	if (isfinite(owed) && (!ts->nr_throttled || owed < k->usual_owed))
		k->usual_owed += fmin(1, seconds / USUAL_S) * (owed - k->usual_owed);
	if (!has_plan(k, before) || k->knobs[KNOB_CPU_MAX].retry_ns > now_ns ||
	    since_ns < interval_ns || !isfinite(owed))
		return false;
	value = with_loan(c, s, ts, owed);
	grow = value > before;
	if (grow ? !ts->nr_throttled || !late || !is_far(c, before, value)
		 : !may_go_back(c, s, before, value, since_ns))
		return false;
	/* Apart from the plan's writes, which find theirs. What is given back may wait for its
	 * turn. */
	if (!budget_take(&c->loan_budget, now_ns,
			 grow ? UNLIMITED : c->set->host.writes_per_minute))
		return false;
	k->lent_ns = MAX(now_ns, 1);
	loan_entry(c, service, grow ? REASON_LOAN : REASON_LOAN_BACK, before, value, owed, ret);
	return true;
}

uint64_t loan_base(const struct service_state *s, uint64_t in_force)
{
	uint64_t lent = (uint64_t)s->kept.lent_mcpu;

	return in_force == UNLIMITED || lent >= in_force ? in_force : in_force - lent;
}

void loan_look(const struct controller *c, struct service_state *s, const struct tick_service *ts)
{
	struct service_kept *k = &s->kept;
	struct knob_state *ks = &k->knobs[KNOB_CPU_MAX];
	bool lends = loan_applies(c, s);

	if (!(ts->known & 1u << KNOB_CPU_MAX) || (!lends && !(k->lent_mcpu > 0)) ||
	    (ks->pending && since(c, ks->changed_ns) < ORDER_LOST_NS))
		return;
	ks->pending = false;
	/* Set by somebody else, or nothing is lent any more: it is the plan's from now on. */
	if (!lends || !is_ours(k, ts->knob[KNOB_CPU_MAX])) {
		ks->value = ts->knob[KNOB_CPU_MAX];
		k->lent_mcpu = 0;
	}
}

/* The plan went up: of what is lent less is needed by as much. */
void loan_add(const struct controller *c, struct service_state *s, uint64_t in_force,
	      struct plan_entry *e)
{
	uint64_t lent = in_force - loan_base(s, in_force), value = in_force;
	struct clamp_bounds b = loan_bounds(c, s, MIN(e->value, in_force), in_force);

	if (lent == 0 || c->observe || e->value == UNLIMITED)
		return;
	if (e->change) {
		value = e->value > e->before ? MAX(e->value, in_force) : e->value + lent;
		(void)clamp_value(KNOB_CPU_MAX, value, &b, &value, NULL);
		e->change = value != in_force;
	}
	if (e->value != e->before && !e->change) {
		s->kept.lent_mcpu = (double)(in_force - MIN(in_force, e->value));
		s->kept.knobs[KNOB_CPU_MAX].pending = false;
	}
	e->before = in_force;
	e->value = value;
}

uint64_t loan_written(struct service_state *s, const struct plan_entry *e, uint64_t after)
{
	const struct knob_state *ks = &s->kept.knobs[KNOB_CPU_MAX];
	uint64_t planned = MIN(ks->value, after);

	if (e->knob != KNOB_CPU_MAX || (!is_loan(e) && !(s->kept.lent_mcpu > 0)))
		return after;
	if (after == UNLIMITED) {
		s->kept.lent_mcpu = 0;
		return after;
	}
	s->kept.lent_mcpu = (double)(after - planned);
	return planned;
}

uint64_t loan_refused(const struct service_state *s, const struct plan_entry *e)
{
	if (e->knob != KNOB_CPU_MAX)
		return e->before;
	return is_loan(e) ? s->kept.knobs[KNOB_CPU_MAX].value : loan_base(s, e->before);
}
