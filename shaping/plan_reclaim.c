// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * plan_reclaim.c - cold memory is given back before anybody needs it, as Senpai and TMO do it
 * (Weiner et al. (2022), "TMO: Transparent Memory Offloading in Datacenters", sec. 3.3): a small
 * part at a time, the smaller the more tasks wait for memory, and none where too many do.
 */
#include <math.h>

#include "shaping/state.h"

#define EVERY_NS   (30 * NS_PER_S)
#define PART       0.01  /* of what it has above what stays, at once */
#define TARGET     0.001 /* of the time, a task waiting for memory */
#define BACK_PART  0.1   /* of what went may be read again until the next step */
#define FEW_PART   0.5   /* of what was asked for; where less went nothing is cold any more */
#define LEAST      (256.0 * (double)KIB) /* a step that is worth it */
#define STAYS_PART 0.1                   /* above what is held */
#define STAYS      (16.0 * (double)MIB)
#define PAUSE_NS   (600 * NS_PER_S)
#define SEEN_TICKS 60 /* before that its pressure is not known */

static bool is_asked_for(const struct service_state *s)
{
	enum memory_reclaim when = s->policy->memory.reclaim;

	return when == RECLAIM_ALWAYS || (when == RECLAIM_BRONZE && s->kept.tier == TIER_BRONZE);
}

static double stalled(const struct service_state *s)
{
	return fmax(s->kept.memory_stalled, s->kept.memory_stalled_long);
}

/* What is never given back, whatever seems cold: also protected is what it was given memory.low
 * for.
 */
static double stays(const struct service_state *s, const struct tick_service *ts)
{
	double held = held_bytes(ts) * (1 + STAYS_PART) + STAYS, low = 0;

	if (ts->known & 1u << KNOB_MEMORY_LOW)
		low = (double)ts->knob[KNOB_MEMORY_LOW];
	return fmax(fmax(held, low), (double)s->policy->memory.floor_bytes);
}

static double step_bytes(const struct service_state *s, const struct tick_service *ts)
{
	double cold = fmax((double)ts->memory_bytes - stays(s, ts), 0);

	return fmin(fmax(1 - stalled(s) / TARGET, 0) * PART * cold,
		    (double)knob_rows[KNOB_MEMORY_RECLAIM].highest);
}

/* What followed the last step, while it may be why. */
static void watch_effect(const struct controller *c, struct service_state *s,
			 const struct tick_service *ts)
{
	struct service_kept *k = &s->kept;

	if (since(c, k->reclaim_paused_ns) >= PAUSE_NS)
		k->reclaim_paused_ns = 0;
	if (since(c, k->reclaim_ns) > EVERY_NS)
		return;
	k->reclaim_back_bytes += (double)ts->refaulted_bytes;
	if (k->reclaim_paused_ns == 0 &&
	    (k->reclaim_back_bytes > BACK_PART * k->reclaim_bytes || stalled(s) > TARGET))
		k->reclaim_paused_ns = MAX(c->now_ns, 1);
}

/* Before the next step: whether hardly any of the last one could be had. */
static bool was_vain(const struct service_state *s)
{
	const struct knob_state *ks = &s->kept.knobs[KNOB_MEMORY_RECLAIM];

	return ks->decided && !ks->pending && (double)ks->value < FEW_PART * s->kept.reclaim_bytes;
}

static bool is_due(struct controller *c, size_t i, const struct tick_service *ts)
{
	struct service_state *s = &c->services[i];
	uint32_t bit = 1u << KNOB_MEMORY_RECLAIM;

	if (!(ts->known & bit) || ts->yielded & bit || s->stale ||
	    ts->missing & (MISSING_MEMORY | MISSING_PSI | MISSING_ALL))
		return false;
	watch_effect(c, s, ts);
	if (!is_asked_for(s) || s->kept.ticks < SEEN_TICKS || s->kept.reclaim_paused_ns ||
	    c->frozen || since(c, s->kept.reclaim_ns) < EVERY_NS || step_bytes(s, ts) < LEAST)
		return false;
	if (!s->kept.reclaim_ns || !was_vain(s))
		return true;
	s->kept.reclaim_bytes = 0; /* in vain once: to be tried again after the pause */
	s->kept.reclaim_paused_ns = MAX(c->now_ns, 1);
	return false;
}

/* One at a time on the host: who has waited longest. */
void plan_reclaims(struct controller *c, const struct tick_input *in)
{
	struct service_state *next = NULL;

	for (size_t i = 0; i < c->n; i++) {
		struct service_state *s = &c->services[i];

		s->reclaims = false;
		if (is_due(c, i, &in->services[i]) &&
		    (!next || s->kept.reclaim_ns < next->kept.reclaim_ns))
			next = s;
	}
	if (next)
		next->reclaims = true;
}

void plan_reclaim(struct controller *c, size_t i, const struct tick_service *ts,
		  struct want wants[KNOB_COUNT])
{
	struct service_state *s = &c->services[i];
	struct want *w = &wants[KNOB_MEMORY_RECLAIM];
	double step = step_bytes(s, ts);

	w->at = s->policy->memory.at;
	w->reason = is_asked_for(s) ? REASON_RECLAIM : REASON_BASELINE;
	w->keep = !s->reclaims;
	if (!is_asked_for(s))
		return;
	if (s->kept.reclaim_paused_ns)
		w->reason = REASON_RECLAIM_PAUSED;
	w->value = step;
	w->floor = (uint64_t)fmin(stays(s, ts), 0x1.fffffffffffffp63); /* below 2^64 */
	want_input(w, "memory_bytes", (double)ts->memory_bytes);
	want_input(w, "stays_bytes", stays(s, ts));
	want_input(w, "memory_stalled_part", stalled(s));
	want_input(w, "last_step_bytes", s->kept.reclaim_bytes);
	want_input(w, "read_again_bytes", s->kept.reclaim_back_bytes);
	if (!s->reclaims)
		return;
	s->kept.reclaim_ns = MAX(c->now_ns, 1);
	s->kept.reclaim_bytes = step;
	s->kept.reclaim_back_bytes = 0;
}
