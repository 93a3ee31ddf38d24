// SPDX-License-Identifier: GPL-2.0-or-later
/* tick.c - one control step: learn, forecast, share, want, settle. */
#include <math.h>

#include "shaping/state.h"

#define GAP_PERIODS   3   /* an interval of more is a gap: what was measured over it is a blur */
#define US_PER_MCPU   100 /* in a period of 100 ms */
#define BURST_PERCENT 90  /* of the quota to come, for a burst in its way */
/* Refusals that say that a knob can't be changed now, whatever is wanted. */
#define NOT_OURS                                                                                   \
	(1u << REFUSAL_YIELDED | 1u << REFUSAL_UNSUPPORTED | 1u << REFUSAL_WRITE_FAILED |          \
	 1u << REFUSAL_FROZEN | 1u << REFUSAL_STALE)
#define RETRY_NS (5 * NS_PER_S)

void want_input(struct want *w, const char *name, double value)
{
	if (w->n_inputs == TICK_MAX_INPUTS)
		return;
	w->inputs[w->n_inputs].name = name;
	w->inputs[w->n_inputs++].value = value;
}

/*
 * The clock of another boot: what was to last until some time of it is over. Times since when are
 * seen to be of the past by since().
 */
static void forget_times(struct controller *c)
{
	c->network->next_ns = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct service_kept *k = &c->services[i].kept;

		k->lent_ns = k->guard_seen_ns = k->anomaly_ns = 0;
		k->guard_ns = k->calm_ns = k->missed_ns = k->idle_ns = k->io_tried_ns = 0;
		k->reclaim_ns = k->reclaim_paused_ns = 0;
		for (int n = 0; n < KNOB_COUNT; n++) {
			k->knobs[n].avoid_until_ns = k->knobs[n].hold_until_ns = 0;
			k->knobs[n].retry_ns = k->knobs[n].lowered_ns = 0;
		}
	}
}

void tick_begin(struct controller *c, const struct tick_input *in)
{
	if (in->now_mono_ns < c->now_ns)
		forget_times(c);
	c->gap = in->interval_ns > GAP_PERIODS * c->period_ns;
	c->now_ns = in->now_mono_ns;
	c->frozen = in->frozen;
	c->observe = in->observe;
	c->memory_available_bytes = in->host_memory_available_bytes == UNLIMITED
					    ? (double)c->facts.memory_bytes
					    : (double)in->host_memory_available_bytes;
}

/* What is lent goes on from one worker to the next, where its requests are seen. */
static void begin_service(const struct controller *c, struct service_state *s,
			  const struct tick_service *ts)
{
	s->apis_seen = !(ts->missing & (MISSING_APIS | MISSING_ALL));
	loan_look(c, s, ts);
}

/* In observe mode what was decided counts as in force, so that the plan goes on as it would. */
static struct tick_service in_force(const struct controller *c, size_t i,
				    const struct tick_service *ts)
{
	struct tick_service v = *ts;

	v.knob[KNOB_CPU_MAX] = loan_base(&c->services[i], ts->knob[KNOB_CPU_MAX]);
	if (!c->observe)
		return v;
	for (int k = 0; k < KNOB_COUNT; k++)
		if (c->services[i].kept.knobs[k].decided)
			v.knob[k] = c->services[i].kept.knobs[k].value;
	return v;
}

/*
 * The kernel refuses a quota below the burst in force: where cpu.max is to go there, the burst goes
 * first, and cpu.max a tick later. It goes somewhat further: what cpu.max is to be may be a little
 * less by then, and would have to wait once more.
 */
static void burst_first(struct plan_entry *max, struct plan_entry *burst)
{
	if (!max->change || max->value >= max->before || burst->before <= max->value * US_PER_MCPU)
		return;
	if (!(burst->refused & NOT_OURS)) {
		burst->value = MIN(burst->value, max->value * US_PER_MCPU * BURST_PERCENT / 100);
		burst->reason = REASON_BURST;
		burst->change = true;
	}
	max->change = false;
	max->value = max->before;
	max->refused |= 1u << REFUSAL_IN_USE;
}

static void plan_service(struct controller *c, size_t i, const struct tick_input *in)
{
	struct tick_service ts = in_force(c, i, &in->services[i]);
	struct plan_entry *entries = &c->plan.entries[i * KNOB_COUNT];
	struct want wants[KNOB_COUNT];

	for (int k = 0; k < KNOB_COUNT; k++)
		wants[k] = (struct want){.ceiling = UNLIMITED, .highest = UNLIMITED};
	plan_cpu(c, i, &ts, wants);
	plan_memory(c, i, &ts, wants);
	plan_reclaim(c, i, &ts, wants);
	plan_io(c, i, &ts, wants);
	plan_link(c, i, &ts, wants);
	for (int k = 0; k < KNOB_COUNT; k++)
		settle(c, i, (enum knob)k, &ts, &wants[k], &entries[k]);
	if (ts.known & 1u << KNOB_CPU_MAX_BURST)
		burst_first(&entries[KNOB_CPU_MAX], &entries[KNOB_CPU_MAX_BURST]);
}

static void remember_plan(struct service_state *s)
{
	s->kept.planned_mcpu = s->got_mcpu;
	s->kept.asked_mcpu = s->soon_mcpu;
}

void tick_learn(struct controller *c, uint32_t service, const struct tick_input *in)
{
	begin_service(c, &c->services[service], &in->services[service]);
	learn(c, service, in);
	demand(c, service);
	feedback(c, service);
}

const struct plan *tick_plan(struct controller *c, const struct tick_input *in)
{
	capacity(c, in);
	spare(c);
	plan_memories(c, in);
	plan_reclaims(c, in);
	plan_disks(c, in);
	plan_links(c, in);
	left(c, in);
	for (size_t i = 0; i < c->n; i++)
		plan_service(c, i, in);
	settle_budget(c);
	fit_links(c);
	for (size_t i = 0; i < c->n; i++) {
		loan_add(c, &c->services[i], in->services[i].knob[KNOB_CPU_MAX],
			 &c->plan.entries[i * KNOB_COUNT + KNOB_CPU_MAX]);
		remember_plan(&c->services[i]);
	}
	return &c->plan;
}

const struct plan *tick_once(struct controller *c, const struct tick_input *in)
{
	tick_begin(c, in);
	for (uint32_t i = 0; i < c->n; i++)
		tick_learn(c, i, in);
	return tick_plan(c, in);
}

void tick_written(struct controller *c, const struct plan_entry *entry, uint64_t after, int err)
{
	struct knob_state *ks;

	if (entry->service >= c->n || entry->knob >= KNOB_COUNT)
		return;
	ks = &c->services[entry->service].kept.knobs[entry->knob];
	ks->pending = false;
	if (err == 0) {
		ks->value = loan_written(&c->services[entry->service], entry, after);
		return;
	}
	ks->value = loan_refused(&c->services[entry->service], entry);
	ks->lowered_ns = 0;
	ks->retry_ns = MAX(ks->changed_ns, c->now_ns) + RETRY_NS;
}
