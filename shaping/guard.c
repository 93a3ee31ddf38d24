// SPDX-License-Identifier: GPL-2.0-or-later
/* guard.c - the fast guard: throttled more than its target just now means a higher limit now. */
#include <math.h>

#include "shaping/clamp.h"
#include "shaping/state.h"

#define RATIO_MEMORY_S 10.0 /* the throttled share is remembered this long */
#define SEVERE_PART    0.1  /* of the interval lost: no need to see it twice */
#define RAISE_LEAST    0.2
#define PEAK_KEPT      0.9995
#define HOLD_DWELLS    3 /* the planner does not lower what was raised for this many dwells */

struct seen {
	double ratio, part;
	bool throttled, again; /* again: in the interval before as well */
};

static struct seen look(struct service_state *s, const struct tick_service *ts,
			uint64_t interval_ns)
{
	struct service_kept *k = &s->kept;
	double seconds = (double)MAX(interval_ns, 1) / (double)NS_PER_S;
	double use = (double)ts->cpu_usage_us / 1000 / seconds;
	struct seen n = {.throttled = ts->nr_throttled > 0};
	double a = fmin(1, seconds / RATIO_MEMORY_S);

	if (ts->nr_periods)
		n.ratio = fmin(1, (double)ts->nr_throttled / (double)ts->nr_periods);
	n.part = fmin(1, (double)ts->throttled_us / (double)US_PER_S / seconds);
	n.again = k->guard_throttled;
	k->guard_ratio += a * (n.ratio - k->guard_ratio);
	k->guard_use_mcpu = fmax(k->guard_use_mcpu * PEAK_KEPT, use);
	return n;
}

/*
 * One throttled period in ten seconds may be within the target; a severe one, two in a row, or a
 * share above the target is not. Where an objective is kept, what takes as long as that allows is.
 */
static bool fires(const struct controller *c, const struct service_state *s, const struct seen *n)
{
	const struct service_kept *k = &s->kept;

	if (!n->throttled)
		return false;
	return n->part >= SEVERE_PART || n->again || k->guard_ratio > c->set->host.throttle_target;
}

struct clamp_bounds guard_bounds(const struct controller *c, const struct service_state *s,
				 uint64_t now)
{
	/* Where the host has less than it wants, its share is what it may have at once. */
	uint64_t most =
		is_short(s) ? (uint64_t)(s->got_mcpu + s->spare_mcpu) : c->facts.capacity_mcpu;

	return (struct clamp_bounds){
		.floor = s->policy->cpu.floor_mcpu,
		.ceiling = s->policy->cpu.ceiling_mcpu,
		.highest = MAX(most, s->policy->cpu.floor_mcpu),
		.now = now,
	};
}

/* x (1 + excess), at least a fifth more; Autothrottle's Captain (NSDI 2024) raises in this way. */
static uint64_t raised(const struct controller *c, const struct service_state *s, uint64_t now,
		       const struct seen *n)
{
	double by = fmax(RAISE_LEAST, n->ratio - c->set->host.throttle_target);
	struct clamp_bounds b = guard_bounds(c, s, now);
	uint64_t v = now;

	(void)clamp_double(KNOB_CPU_MAX, (double)now * (1 + fmin(1, by)), &b, &v, NULL);
	return v;
}

static void guard_entry(const struct controller *c, uint32_t service, uint64_t before,
			uint64_t value, const struct seen *n, struct plan_entry *ret)
{
	const struct service_state *s = &c->services[service];

	*ret = (struct plan_entry){
		.service = service,
		.knob = KNOB_CPU_MAX,
		.reason = REASON_GUARD_THROTTLED,
		.value = value,
		.before = before,
		.change = true,
		.urgent = true,
		.floor = s->policy->cpu.floor_mcpu,
		.ceiling = s->policy->cpu.ceiling_mcpu,
		.policy = s->policy->cpu.at,
		.n_inputs = 4,
		.inputs = {{"throttled_ratio", n->ratio},
			   {"throttled_part", n->part},
			   {"throttled_ratio_10s", s->kept.guard_ratio},
			   {"throttle_target", c->set->host.throttle_target}},
	};
}

static void remember(struct controller *c, struct service_state *s, const struct plan_entry *e,
		     uint64_t now_ns)
{
	struct knob_state *ks = &s->kept.knobs[KNOB_CPU_MAX];

	ks->previous = e->before;
	ks->value = e->value;
	ks->changed_ns = MAX(now_ns, 1);
	ks->hold = e->value;
	ks->hold_until_ns = now_ns + HOLD_DWELLS * c->set->host.dwell_ns;
	ks->reason = e->reason;
	ks->decided = true;
	ks->pending = !c->observe;
	ks->lowered_ns = 0;
	s->kept.guard_ns = ks->changed_ns;
}

bool tick_guard(struct controller *c, uint32_t service, const struct tick_service *ts,
		uint64_t now_mono_ns, uint64_t interval_ns, struct plan_entry *ret)
{
	struct service_state *s = &c->services[service];
	struct knob_state *ks = &s->kept.knobs[KNOB_CPU_MAX];
	uint64_t before = c->observe && ks->decided ? ks->value : ts->knob[KNOB_CPU_MAX];
	uint64_t value;
	struct seen n;
	bool fire;

	if (ts->missing & (MISSING_CPU | MISSING_ALL))
		return false;
	s->kept.guard_seen_ns = MAX(now_mono_ns, 1);
	n = look(s, ts, interval_ns);
	fire = fires(c, s, &n);
	s->kept.guard_throttled = n.throttled;
	if (s->kept.capped || c->frozen || before == UNLIMITED ||
	    !(ts->known & 1u << KNOB_CPU_MAX) || ts->yielded & 1u << KNOB_CPU_MAX)
		return false;
	if (loan_applies(c, s))
		return loan_guard(c, service, ts, now_mono_ns, interval_ns, ret);
	/* The interval may have begun before the last raise was in force. */
	if (!fire || (s->kept.guard_ns && now_mono_ns < s->kept.guard_ns + interval_ns))
		return false;
	value = raised(c, s, before, &n);
	if (value <= before)
		return false;
	(void)budget_take(&c->budget, now_mono_ns, UNLIMITED); /* counted, never refused */
	guard_entry(c, service, before, value, &n, ret);
	remember(c, s, ret, now_mono_ns);
	return true;
}
