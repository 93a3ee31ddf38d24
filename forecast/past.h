/* SPDX-License-Identifier: GPL-2.0-or-later */
/* past.h - the recent values of a series and the scale its models work on. */
#ifndef FORESHAPE_PAST_H
#define FORESHAPE_PAST_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "forecast/cycles.h"
#include "forecast/seasons.h"
#include "forecast/smoothing.h"
#include "forecast/tuning.h"

#define PAST_SANE_MAX 1e30 /* larger values count as not measured */

struct gru;

/* Plain memory: the ring follows the struct, and the effects of the seasons the ring. */
struct past {
	uint64_t steps;      /* that have passed, gaps included */
	uint64_t count;      /* values measured */
	uint32_t size;       /* of the ring */
	uint32_t newest;     /* index of the newest step in it */
	uint32_t max_period; /* the longest period that fits it three times */
	double last, max;    /* newest and largest value measured; 0 before the first */
	double mean;         /* slow, of the values */
	double offset;       /* of the log scale: x = log(value + offset) */
	double lowest;       /* of the scale: log(offset) */
	struct series_tuning tuning;
	const struct gru *gru; /* weights that series share; NULL: none */
	uint32_t unrest;       /* steps that the last burst still counts */
	double error_fast,
		error_slow; /* mean size of one-step errors on that scale, short and long memory */
	struct smoothing slow; /* a slow level, about which the seasons lie */
	struct seasons seasons;
	double season;        /* of the newest value, as it was known before that came */
	struct cycles cycles; /* of the longest period */
	double cycle;         /* what they said of the newest value before it came */
	uint16_t ring[];      /* steps of PAST_STEP above the lowest, or PAST_NONE */
};

/* Two bytes a value: to 0.02 % of value + offset, up to 9e6 offsets; above counts as that. */
#define PAST_STEP (1.0 / 4096)
#define PAST_NONE UINT16_MAX

size_t past_size(unsigned int max_period);
void past_init(struct past *p, unsigned int max_period);

/* Appends a step; @value is finite and not negative, or NAN. */
void past_push(struct past *p, double value);

/* Starts over with the seasons of @n periods, longest first, about @level (log scale). */
void past_set_periods(struct past *p, const unsigned int *steps, size_t n, double level);

/* Starts @m at @level where there are seasons, and with the first value where there are none. */
void past_start_level(const struct past *p, struct smoothing *m, double level);

/* Takes the newest value @x, on the log scale or NAN, into level, seasons and cycles. */
void past_learn(struct past *p, double x);

/* Sum of the effects of the seasons at step @step (from the start of the series). */
double past_season(const struct past *p, uint64_t step);

/*
 * By what share a level that usually moves by @alpha does at the newest value, of which it has seen
 * @n_values before: more at first, but in the first cycle of a season next to nothing, so that the
 * season can be seen.
 */
double past_level_gain(const struct past *p, double alpha, uint32_t n_values);

/* What the offset should be by now: a share of the mean. */
double past_wanted_offset(const struct past *p);

/* Goes over to offset @to, all but the level; past_learn comes after. */
void past_rescale(struct past *p, double to);

/* Learns the size of one-step errors from @error on the log scale. */
void past_error(struct past *p, double error);

/* Whether a burst came lately: where one came, more are likely. What is learned of tails is kept
 * apart. */
enum { PAST_CALM, PAST_UNREST, PAST_REGIMES };
static inline uint32_t past_regime(const struct past *p)
{
	return p->unrest > 0 ? PAST_UNREST : PAST_CALM;
}

/* How far the value @step ahead may lie from a forecast of it, before a model's own factor. */
double past_spread(const struct past *p, unsigned int step);

uint16_t past_encode(const struct past *p, double x); /* @x on the log scale, or NAN */

/* What was kept on the scale of offset @from, as it is kept now. */
uint16_t past_recode(const struct past *p, uint16_t kept, double from);

static inline double past_decode(const struct past *p, uint16_t kept)
{
	return kept == PAST_NONE ? NAN : p->lowest + PAST_STEP * kept;
}

/* The value @lag steps before the newest, on the log scale: NAN where not measured or out of reach.
 */
static inline double past_at(const struct past *p, uint64_t lag)
{
	if (lag >= p->size || lag >= p->steps)
		return NAN;
	return past_decode(p, p->ring[p->newest - lag + (lag > p->newest ? p->size : 0)]);
}

static inline double past_to_log(const struct past *p, double value)
{
	return log(value + p->offset);
}

static inline double past_from_log(const struct past *p, double x)
{
	double value = exp(x < 100 ? x : 100) - p->offset;

	return isnan(x) ? x : (value > 0 ? value : 0);
}

/* @x on the scale of offset @from, on the scale of offset @to. */
static inline double past_shift_log(double x, double from, double to)
{
	return isnan(x) ? x : log(fmax(exp(fmin(x, 100)) - from, 0) + to);
}

/* The newest value measured, on the log scale. */
static inline double past_last(const struct past *p)
{
	return past_to_log(p, p->last);
}

#endif
