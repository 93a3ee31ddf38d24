// SPDX-License-Identifier: GPL-2.0-or-later
/* sound.c - whether bytes that were loaded may be what a controller saved. */
#include <math.h>
#include <string.h>

#include "shaping/state.h"

#define MCPU_SANE  1e8 /* no host has so many CPUs, nor has one what would be paid for them */
#define VALUE_SANE 1e30
#define PART_SANE  10 /* of what is planned */

/* Between @least and @most; NAN is not. */
static bool between(double v, double least, double most)
{
	return v >= least && v <= most;
}

/* A byte that is a bool: to read any other as one is undefined. */
static bool is_bool(const bool *b)
{
	unsigned char byte;

	memcpy(&byte, b, sizeof(byte));
	return byte <= 1;
}

static bool knob_is_sound(const struct knob_state *k)
{
	return between(k->burn_before, 0, VALUE_SANE) && k->reason < REASON_COUNT &&
	       is_bool(&k->decided) && is_bool(&k->pending);
}

bool slo_is_sound(const struct slo_window *w)
{
	for (size_t i = 0; i < SLO_BUCKETS; i++)
		if (w->good[i] > w->total[i])
			return false;
	return w->at < SLO_BUCKETS;
}

static bool curve_is_sound(const struct curve *c)
{
	for (size_t i = 0; i < CURVE_BINS; i++)
		if (!between(c->answers[i], 0, VALUE_SANE) || !between(c->burned[i], 0, VALUE_SANE))
			return false;
	return between(c->recent_answers, 0, VALUE_SANE) &&
	       between(c->recent_burned, 0, VALUE_SANE) && between(c->before, 0, VALUE_SANE);
}

bool kept_is_sound(const struct service_kept *k)
{
	for (int i = 0; i < KNOB_COUNT; i++)
		if (!knob_is_sound(&k->knobs[i]))
			return false;
	return slo_is_sound(&k->slo) && is_bool(&k->guard_throttled) && is_bool(&k->surprised) &&
	       is_bool(&k->capped) && k->tier < TIER_COUNT && k->utilisation > 0 &&
	       between(k->utilisation, 0, PART_SANE) && between(k->level_less, 0, 1) &&
	       between(k->guard_ratio, 0, 1) && between(k->planned_mcpu, 0, MCPU_SANE) &&
	       between(k->asked_mcpu, 0, MCPU_SANE) && curve_is_sound(&k->curve) &&
	       warmup_is_sound(&k->warmup) && between(k->memory_stalled, 0, 1) &&
	       between(k->refaulted_bytes, 0, VALUE_SANE) &&
	       between(k->set_most_bytes, 0, VALUE_SANE) && between(k->memory_stalled_long, 0, 1) &&
	       between(k->reclaim_bytes, 0, VALUE_SANE) &&
	       between(k->reclaim_back_bytes, 0, VALUE_SANE) && between(k->io_stalled, 0, 1) &&
	       between(k->io_crowded_bytes_per_s, 0, VALUE_SANE) &&
	       between(k->io_room_bytes_per_s, 0, VALUE_SANE) && between(k->io_most, 0, 1) &&
	       between(k->need_most_mcpu, 0, MCPU_SANE) &&
	       between(k->use_peak_mcpu, 0, MCPU_SANE) &&
	       between(k->guard_use_mcpu, 0, MCPU_SANE) && between(k->lent_mcpu, 0, MCPU_SANE) &&
	       between(k->usual_owed, 0, VALUE_SANE) &&
	       between(k->tx_most_bits_per_s, 0, VALUE_SANE);
}

bool network_is_sound(const struct network_kept *k)
{
	const float *weights = (const float *)&k->weights;

	for (size_t i = 0; i < GRU_WEIGHTS; i++)
		if (!between((double)weights[i], -VALUE_SANE, VALUE_SANE))
			return false;
	return k->version == 0 || between(k->loss, 0, VALUE_SANE);
}

bool price_is_sound(const struct price *p)
{
	return between(p->n, 0, VALUE_SANE) && between(p->mean_mcpu, 0, MCPU_SANE) &&
	       limiter_is_sound(&p->limiter);
}
