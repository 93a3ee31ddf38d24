/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * curve.h - how much of an objective's error budget is used up at each utilisation of a limit, and
 * the highest utilisation that keeps it.
 */
#ifndef FORESHAPE_CURVE_H
#define FORESHAPE_CURVE_H

#include <stdbool.h>

#define CURVE_BINS  32
#define CURVE_LEAST 0.4 /* the lowest bin begins here */
#define CURVE_STEP  0.05

/*
 * Utilisation is demand as it was forecast over the limit that was set for it, so that the curve
 * holds what the forecast is wrong by as well; it may be above 1. Plain memory, all
 * zero at the start.
 */
struct curve {
	float answers[CURVE_BINS], burned[CURVE_BINS]; /* of late, in each bin */
	double recent_answers, recent_burned;          /* of about half a minute */
	double before;                                 /* utilisation of the tick before; 0: none */
};

/*
 * One tick at @utilisation (NAN: not known), with @answers and @burned: those that were too late or
 * failed, each over its objective's budget 1 - objective, so that a burn rate is burned / answers.
 * Counts at the higher one of this and the tick before: what waited then is late now.
 */
void curve_observe(struct curve *c, double utilisation, double answers, double burned,
		   double tick_s);

/*
 * The utilisation to go for from @now, a step of it: up a little at a time where the objective is
 * kept there with one late answer more, which burns @unit (1 / (1 - objective)); down at once to
 * where it is.
 */
double curve_target(const struct curve *c, double now, double unit, double tick_s);

/* Whether the objective has been kept of late, by enough answers to say so. */
bool curve_keeps(const struct curve *c);

#endif
