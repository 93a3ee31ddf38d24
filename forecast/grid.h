/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grid.h - quantiles on the levels of the grid, on the log scale, and their online calibration. */
#ifndef FORESHAPE_GRID_H
#define FORESHAPE_GRID_H

#include <stdbool.h>
#include <stdint.h>

#include "forecast/forecast.h"

/* Quantiles of what errors usually look like, of mean size 1. */
extern const double grid_shape[FORECAST_LEVELS];

/* Levels below are corrected each by itself, those above follow from the tail above .95. */
#define GRID_FREE Q99

#define GRID_PACES 3 /* at which corrections are learned side by side */

/* Corrections to a grid, in halves of its distance from .10 to .90, learned from what came. */
struct grid_shift {
	int16_t shift[GRID_PACES][GRID_FREE]; /* in steps of GRID_STEP */
	float weight[GRID_PACES];
	float n;
	float excess, square;                    /* moments of what exceeds .95 */
	float tail[FORECAST_LEVELS - GRID_FREE]; /* from .95 to each level, by them */
};
#define GRID_STEP (1.0 / 2048)

void grid_shift_init(struct grid_shift *c);

/* Corrects @q in place; the levels are in order afterwards. */
void grid_correct(const struct grid_shift *c, double *q);

/* As grid_correct by a mixture, (1 - @share) of @a and @share of @b. */
void grid_correct_between(const struct grid_shift *a, const struct grid_shift *b, double share,
			  double *q);

/*
 * Draws what is above the median and above @highest (the largest value ever seen) in, so that few
 * values do not promise the sky. In place, order kept.
 */
void grid_temper(double *q, double highest);

/* Half the distance from .10 to .90 of a grid, never nothing. */
double grid_half(const double *q);

/*
 * Learns from @x, for which @q was forecast, @raw before correction; @pace slows where forecasts
 * overlap.
 */
void grid_learn(struct grid_shift *c, const double *raw, const double *q, double x, double pace);

/* Mean pinball loss over the grid: Koenker, Bassett (1978). */
double grid_loss(const double *q, double x);

/* Lower end of the interval of 98 %, which the grid does not carry: the .025 level drawn out. */
double grid_lowest(const double *q);

#endif
