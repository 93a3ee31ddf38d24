// SPDX-License-Identifier: GPL-2.0-or-later
/* curve.c - the error budget over utilisation, learned in bins, and where on it to be. */
#include "shaping/curve.h"

#include <math.h>

#include "agent/base/util.h"

#define BIN_S      60.0  /* of answers that a bin remembers */
#define BIN_MOST   5000. /* answers, where these are more */
#define BAD_S      120.0 /* memory of what burns too much: tried again after some ten minutes */
#define RECENT_S   30.0
#define ANSWERS    20.0 /* fewer say nothing */
#define BURN_KEPT  0.3  /* of the budget: a utilisation that is fine */
#define BURN_BAD   0.5  /* and one that is not */
#define UP_PER_S   0.01
#define CURVE_MOST (CURVE_LEAST + CURVE_STEP * CURVE_BINS)

static int bin_of(double utilisation)
{
	double at = (utilisation - CURVE_LEAST) / CURVE_STEP;

	return (int)fmax(0, fmin(CURVE_BINS - 1, at));
}

static double middle(int bin)
{
	return CURVE_LEAST + CURVE_STEP * (bin + 0.5);
}

static bool is_bad(const struct curve *c, int bin)
{
	return (double)c->answers[bin] >= ANSWERS &&
	       (double)c->burned[bin] > BURN_BAD * (double)c->answers[bin];
}

static void scale_bin(struct curve *c, int bin, double by)
{
	c->answers[bin] *= (float)by;
	c->burned[bin] *= (float)by;
}

/* What is old gives way, so that it shows soon when requests have become dearer. */
static void add_to_bin(struct curve *c, int bin, double answers, double burned)
{
	double most = fmax(BIN_MOST, BIN_S * c->recent_answers / RECENT_S);
	double had = (double)c->answers[bin];

	if (had + answers > most)
		scale_bin(c, bin, fmax(0, (most - answers) / fmax(had, 1)));
	c->answers[bin] += (float)answers;
	c->burned[bin] += (float)burned;
}

void curve_observe(struct curve *c, double utilisation, double answers, double burned,
		   double tick_s)
{
	double worse = fmax(utilisation, c->before); /* leaves out NAN */
	double recent = fmax(0, 1 - tick_s / RECENT_S);

	c->before = isfinite(utilisation) ? utilisation : 0;
	c->recent_answers = c->recent_answers * recent + answers;
	c->recent_burned = c->recent_burned * recent + burned;
	if (!(worse > 0) || answers <= 0)
		return;
	for (int k = 0; k < CURVE_BINS; k++)
		if (is_bad(c, k))
			scale_bin(c, k, fmax(0, 1 - tick_s / BAD_S));
	add_to_bin(c, bin_of(worse), answers, burned);
}

/* The lowest bin that burns too much; CURVE_BINS: none. */
static int first_bad(const struct curve *c)
{
	for (int k = 0; k < CURVE_BINS; k++)
		if (is_bad(c, k))
			return k;
	return CURVE_BINS;
}

/* The highest bin below @end that is known to be fine; -1: none. */
static int last_fine(const struct curve *c, int end, double unit)
{
	for (int k = end - 1; k >= 0; k--)
		if ((double)c->answers[k] >= ANSWERS &&
		    (double)c->burned[k] + unit <= BURN_KEPT * (double)c->answers[k])
			return k;
	return -1;
}

double curve_target(const struct curve *c, double now, double unit, double tick_s)
{
	int bad = first_bad(c), fine = last_fine(c, bad, unit);
	double most = bad < CURVE_BINS ? CURVE_LEAST + CURVE_STEP * bad : CURVE_MOST;
	double goal = fine >= 0 ? middle(MIN(fine + 1, CURVE_BINS - 1)) : now;

	if (goal >= most)
		goal = most - CURVE_STEP / 2;
	return fmax(CURVE_LEAST, fmin(goal, now + UP_PER_S * tick_s));
}

bool curve_keeps(const struct curve *c)
{
	return c->recent_answers >= ANSWERS && c->recent_burned <= BURN_BAD * c->recent_answers;
}
