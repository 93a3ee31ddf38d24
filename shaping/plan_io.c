// SPDX-License-Identifier: GPL-2.0-or-later
/* plan_io.c - io.weight by tier, and io.max of bronze while a higher tier waits for the disks. */
#include <math.h>

#include "shaping/state.h"

#define SMOOTH 0.5 /* of what a tick says counts */
#define STALLED_MANY                                                                               \
	0.1               /* of the time, a task waiting for a disk: too much for gold and silver  \
			   */
#define STALLED_FEW  0.05 /* less is no contention any more */
#define CUT          0.7
#define CUT_TICKS    2 /* what a cut does to others is seen by then */
#define GROW         1.5
#define GROW_TICKS   4
#define GROW_SLOWLY  1.2
#define SLOW_TICKS   10
#define MAX_DEADBAND 0.1
#define FIRST        (64.0 * (double)MIB) /* bytes a second, where its use is not known */
#define LEAST        (4.0 * (double)MIB)  /* bronze always gets this much of a disk */
#define SOME         ((double)MIB)        /* bytes a second that can be in others' way */
#define HELPS        0.8                  /* of the waiting is left, or less */
#define WORSE        1.5                  /* times as much waiting: bronze may be why this time */
#define TRY_NS       (30 * NS_PER_S)
#define LEAVE_NS     (600 * NS_PER_S)

/* What is not measured waits for nobody: nobody is held down for a service that is gone. */
static void learn_io(const struct tick_input *in, const struct tick_service *ts,
		     struct service_state *s)
{
	double interval_ns = (double)MAX(in->interval_ns, 1);
	double stalled = (double)ts->psi_io_some_us * (double)NS_PER_US / interval_ns;

	s->io_bytes_per_s = NAN;
	if (!(ts->missing & (MISSING_IO | MISSING_ALL)))
		s->io_bytes_per_s = (double)MAX(ts->io_read_bytes, ts->io_write_bytes) *
				    (double)NS_PER_S / interval_ns;
	if (ts->missing & (MISSING_PSI | MISSING_ALL))
		stalled = 0;
	stalled = (1 - SMOOTH) * s->kept.io_stalled + SMOOTH * fmin(stalled, 1);
	s->kept.io_stalled = fmax(stalled, 0); /* leaves out NAN */
}

static bool uses_disks(const struct service_state *s)
{
	return s->io_bytes_per_s > SOME || s->kept.io_stalled > STALLED_FEW;
}

static bool bronze_uses_disks(const struct controller *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->services[i].kept.tier == TIER_BRONZE && uses_disks(&c->services[i]))
			return true;
	return false;
}

/*
 * A service may wait for the disks all the time because of what it does itself. So holding bronze
 * down is tried, and where it waits as long all the same, left.
 */
static bool worth_trying(const struct controller *c, struct service_kept *k)
{
	if (since(c, k->io_left_ns) < LEAVE_NS && k->io_stalled < WORSE * k->io_most)
		return false;
	k->io_left_ns = 0;
	if (!k->io_tried_ns || k->io_stalled < HELPS * k->io_most) {
		k->io_tried_ns = MAX(c->now_ns, 1);
		k->io_most = k->io_stalled;
		return true;
	}
	k->io_most = fmax(k->io_most, k->io_stalled); /* it may have been on its way up */
	if (since(c, k->io_tried_ns) <= TRY_NS)
		return true;
	k->io_left_ns = MAX(c->now_ns, 1);
	k->io_tried_ns = 0;
	return false;
}

static enum disks disks_of(const struct controller *c, struct service_state *s, bool bronze)
{
	bool well = s->kept.tier == TIER_BRONZE || s->burn_fast <= 1 ||
		    s->kept.io_stalled < STALLED_FEW;

	if (!well && bronze && s->kept.io_stalled >= STALLED_MANY)
		return worth_trying(c, &s->kept) ? DISKS_SHORT : DISKS_CALM;
	s->kept.io_tried_ns = 0;
	return well ? DISKS_CALM : DISKS_BUSY;
}

void plan_disks(struct controller *c, const struct tick_input *in)
{
	bool bronze;

	for (size_t i = 0; i < c->n; i++)
		learn_io(in, &in->services[i], &c->services[i]);
	bronze = bronze_uses_disks(c);
	c->disks = DISKS_CALM;
	for (size_t i = 0; i < c->n; i++)
		c->disks = MAX(c->disks, disks_of(c, &c->services[i], bronze));
}

static void want_weight(const struct controller *c, const struct service_state *s, struct want *w)
{
	w->must = !s->kept.knobs[KNOB_IO_WEIGHT].decided; /* a tier's weight is no lowering */
	w->reason = REASON_IO_WEIGHT;
	w->value = (double)c->set->host.tiers[s->kept.tier].io_weight;
	want_input(w, "tier_weight", w->value);
	want_input(w, "io_stalled_part", s->kept.io_stalled);
}

/* Limits of somebody else's from before. */
static bool has_others(const struct tick_service *ts)
{
	if (ts->baseline_known & 1u << KNOB_IO_MAX)
		return ts->baseline[KNOB_IO_MAX] != UNLIMITED;
	return ts->knob[KNOB_IO_MAX] != UNLIMITED;
}

static double highest_stalled(const struct controller *c)
{
	double most = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->services[i].kept.tier != TIER_BRONZE)
			most = fmax(most, c->services[i].kept.io_stalled);
	return most;
}

static void cut(const struct controller *c, const struct service_state *s, uint64_t now,
		struct want *w)
{
	uint64_t changed_ns = s->kept.knobs[KNOB_IO_MAX].changed_ns;
	double use = s->io_bytes_per_s > SOME ? s->io_bytes_per_s : FIRST;

	w->reason = REASON_IO_CONTENTION;
	w->keep = since(c, changed_ns) < CUT_TICKS * c->period_ns - c->period_ns / 2;
	w->value = fmin(fmax(CUT * fmin(use, (double)now), LEAST), (double)now);
}

/* Slowly while some wait: it may be the least they ever do. What is not felt any more is lifted. */
static void grow(const struct controller *c, const struct service_state *s, uint64_t now,
		 struct want *w)
{
	bool slowly = c->disks != DISKS_CALM;

	w->reason = REASON_IO_OVER;
	w->dwell_ns = (slowly ? SLOW_TICKS : GROW_TICKS) * c->period_ns - c->period_ns / 2;
	w->value = (slowly ? GROW_SLOWLY : GROW) * (double)now;
	w->unlimited = s->kept.tier != TIER_BRONZE || s->io_bytes_per_s < (double)now / GROW ||
		       w->value > (double)knob_rows[KNOB_IO_MAX].highest;
}

static void want_max(const struct controller *c, const struct service_state *s,
		     const struct tick_service *ts, struct want *w)
{
	uint64_t now = ts->knob[KNOB_IO_MAX];
	bool in_the_way = s->kept.tier == TIER_BRONZE && uses_disks(s);

	w->tighten = true;
	w->deadband = MAX_DEADBAND;
	w->reason = REASON_BASELINE;
	w->keep = has_others(ts) || (now == UNLIMITED && (!in_the_way || c->disks != DISKS_SHORT));
	if (w->keep)
		return;
	if (in_the_way && c->disks == DISKS_SHORT)
		cut(c, s, now, w);
	else
		grow(c, s, now, w);
	want_input(w, "others_stalled_part", highest_stalled(c));
	want_input(w, "use_bytes_per_s", s->io_bytes_per_s);
	want_input(w, "io_stalled_part", s->kept.io_stalled);
}

void plan_io(struct controller *c, size_t i, const struct tick_service *ts,
	     struct want wants[KNOB_COUNT])
{
	const struct service_state *s = &c->services[i];

	wants[KNOB_IO_WEIGHT].at = wants[KNOB_IO_MAX].at = s->policy->at;
	want_weight(c, s, &wants[KNOB_IO_WEIGHT]);
	want_max(c, s, ts, &wants[KNOB_IO_MAX]);
}
