// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * plan_io.c - io.weight by tier, and io.max of bronze while a higher tier waits for the disks or is
 * forecast to.
 */
#include <math.h>

#include "shaping/state.h"

#define SMOOTH 0.5 /* of what a tick says counts */
#define STALLED_MANY                                                                               \
	0.1                /* of the time, a task waiting for a disk: too much for gold and silver \
			    */
#define STALLED_FEW   0.05 /* less is no contention any more */
#define CUT           0.7
#define CUT_TICKS     2 /* what a cut does to others is seen by then */
#define GROW          1.5
#define GROW_TICKS    4
#define GROW_SLOWLY   1.2
#define SLOW_TICKS    10
#define MAX_DEADBAND  0.1
#define FIRST         (64.0 * (double)MIB) /* bytes a second, where its use is not known */
#define LEAST         (4.0 * (double)MIB)  /* bronze always gets this much of a disk */
#define SOME          ((double)MIB)        /* bytes a second that can be in others' way */
#define HELPS         0.8                  /* of the waiting is left, or less */
#define WORSE         1.5                  /* times as much waiting: bronze may be why this time */
#define SOON_LEVEL    0.75                 /* of the forecast */
#define SLOWER_ENOUGH 30                   /* values of longer steps before they have a say */
#define TRY_NS        (30 * NS_PER_S)
#define LEAVE_NS      (600 * NS_PER_S)

/* Steps pass from the first use of a disk on. */
static void observe_io(struct service_state *s, uint64_t interval_ns)
{
	bool has_begun = ladder_begun(&s->io);

	if (!has_begun && !(s->io_bytes_per_s > SOME))
		return;
	ladder_observe(&s->io, s->io_bytes_per_s, interval_ns);
	s->tell_anew |= !has_begun;
}

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
	observe_io(s, MAX(in->interval_ns, 1));
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

/*
 * How much a service uses the disks when it begins to wait beside bronze, at least; more where it
 * did more beside a bronze that nothing held down, and hardly waited.
 */
static void learn_crowded(struct service_kept *k, double io_bytes_per_s, bool is_short, bool held)
{
	double crowded = k->io_crowded_bytes_per_s;

	if (is_short && io_bytes_per_s > SOME)
		k->io_crowded_bytes_per_s =
			crowded > 0 ? fmin(crowded, io_bytes_per_s) : io_bytes_per_s;
	else if (!held && crowded > 0 && k->io_stalled < STALLED_FEW)
		k->io_crowded_bytes_per_s = fmax(crowded, io_bytes_per_s); /* leaves out NAN */
}

/* The most it is likely to use the disks within its lead. */
static double soon_bytes_per_s(struct service_state *s)
{
	double most = 0;

	for (size_t clock = 0; clock < LADDER_VIEWS && s->io.series[clock]; clock++) {
		uint64_t steps = s->policy->forecast.lead_ns / s->io.step_ns[clock] + 1;

		if (series_count(s->io.series[clock]) < (clock ? SLOWER_ENOUGH : 1))
			continue;
		steps = clamp_u64(steps, 1, s->io.horizon[clock]);
		most = fmax(most, forecast_at(ladder_peak(&s->io, clock, (unsigned int)steps),
					      SOON_LEVEL));
	}
	return most;
}

/* Only before it is there: from then on what counts is whether it waits. */
static bool is_coming(struct controller *c, struct service_state *s)
{
	double crowded = s->kept.io_crowded_bytes_per_s, soon;

	if (s->kept.tier == TIER_BRONZE || crowded <= 0 || !(s->io_bytes_per_s < crowded))
		return false;
	soon = soon_bytes_per_s(s);
	if (!(soon >= crowded))
		return false;
	c->io_soon_bytes_per_s = soon;
	c->io_crowded_bytes_per_s = crowded;
	return true;
}

static enum disks disks_now(const struct controller *c, struct service_state *s, bool bronze)
{
	bool well = s->kept.tier == TIER_BRONZE || s->burn_fast <= 1 ||
		    s->kept.io_stalled < STALLED_FEW;

	if (!well && bronze && s->kept.io_stalled >= STALLED_MANY)
		return worth_trying(c, &s->kept) ? DISKS_SHORT : DISKS_CALM;
	s->kept.io_tried_ns = 0;
	return well ? DISKS_CALM : DISKS_BUSY;
}

static bool is_crowded(const struct service_state *s)
{
	double crowded = s->kept.io_crowded_bytes_per_s;

	return s->kept.tier != TIER_BRONZE && crowded > 0 && s->io_bytes_per_s >= crowded;
}

/* Where it would wait without bronze being held down, bronze gets the disks back slowly. */
static enum disks disks_of(struct controller *c, struct service_state *s, bool bronze, bool held)
{
	enum disks now = disks_now(c, s, bronze);

	if (bronze && s->kept.tier != TIER_BRONZE)
		learn_crowded(&s->kept, s->io_bytes_per_s, now == DISKS_SHORT, held);
	if (bronze && now < DISKS_SOON && is_coming(c, s))
		return DISKS_SOON;
	return held && is_crowded(s) ? MAX(now, DISKS_BUSY) : now;
}

static bool is_held(const struct tick_service *ts)
{
	return ts->known & 1u << KNOB_IO_MAX && ts->knob[KNOB_IO_MAX] != UNLIMITED;
}

/*
 * What bronze was held to when the waiting was over is enough the next time; and more where a
 * service uses the disks as much as it waited at before, and does not wait.
 */
static void learn_room(struct controller *c, const struct tick_input *in, enum disks before)
{
	bool over = before == DISKS_SHORT && c->disks != DISKS_SHORT, enough = false;

	for (size_t i = 0; i < c->n; i++)
		enough |=
			is_crowded(&c->services[i]) && c->services[i].kept.io_stalled < STALLED_FEW;
	for (size_t i = 0; i < c->n; i++) {
		struct service_kept *k = &c->services[i].kept;
		double now = (double)in->services[i].knob[KNOB_IO_MAX];

		if (k->tier != TIER_BRONZE || !is_held(&in->services[i]))
			continue;
		if (over)
			k->io_room_bytes_per_s = now;
		else if (enough && c->disks != DISKS_SHORT)
			k->io_room_bytes_per_s = fmax(k->io_room_bytes_per_s, now);
	}
}

void plan_disks(struct controller *c, const struct tick_input *in)
{
	enum disks before = c->disks;
	bool bronze, held = false;

	for (size_t i = 0; i < c->n; i++)
		held |= c->services[i].kept.tier == TIER_BRONZE && is_held(&in->services[i]);
	for (size_t i = 0; i < c->n; i++)
		learn_io(in, &in->services[i], &c->services[i]);
	bronze = bronze_uses_disks(c);
	c->disks = DISKS_CALM;
	for (size_t i = 0; i < c->n; i++)
		c->disks = MAX(c->disks, disks_of(c, &c->services[i], bronze, held));
	learn_room(c, in, before);
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

/* To what was enough the last time, by one cut where that is not known; and there it waits. */
static void make_room(const struct controller *c, const struct service_state *s, uint64_t now,
		      struct want *w)
{
	double use = s->io_bytes_per_s > SOME ? s->io_bytes_per_s : FIRST;
	double room = s->kept.io_room_bytes_per_s;

	w->reason = REASON_IO_PREDICTED;
	w->value = fmax(room > 0 ? room : CUT * use, LEAST);
	w->keep = w->value >= fmin(use, (double)now) || (room <= 0 && now != UNLIMITED);
	want_input(w, "forecast_bytes_per_s", c->io_soon_bytes_per_s);
	want_input(w, "crowded_bytes_per_s", c->io_crowded_bytes_per_s);
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
	w->keep = has_others(ts) || (now == UNLIMITED && (!in_the_way || c->disks < DISKS_SOON));
	if (w->keep)
		return;
	if (in_the_way && c->disks == DISKS_SHORT)
		cut(c, s, now, w);
	else if (in_the_way && c->disks == DISKS_SOON)
		make_room(c, s, now, w);
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
