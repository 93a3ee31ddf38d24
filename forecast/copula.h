/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copula.h - the sum of quantities forecast apart, as quantiles, with their dependence learned. */
#ifndef FORESHAPE_COPULA_H
#define FORESHAPE_COPULA_H

#include <stddef.h>

#include "forecast/forecast.h"

#define COPULA_UNITS 16 /* quantities with a row of their own */

/* Products of normal scores, forgetting. Plain memory; all zero: independent. */
struct copula {
	float product[COPULA_UNITS][COPULA_UNITS]; /* row <= column */
	float n[COPULA_UNITS];                     /* scores of each taken, fading */
};

/*
 * The normal score of @x, of which @q (ascending, by the levels of the grid) was forecast; the
 * middle of the levels that all say @x. NAN for @x NAN.
 */
double copula_score(const double *q, double x);

/* One set of scores of the same time; NAN where there is none. @n is at most COPULA_UNITS. */
void copula_learn(struct copula *c, const double *scores, size_t n);
void copula_forget(struct copula *c, size_t unit); /* another quantity takes its place */

/* Correlation of the scores of two units, drawn towards 0 while little was seen: -1..1. */
double copula_correlation(const struct copula *c, size_t i, size_t j);

/*
 * Quantiles of the sum of @n (at most COPULA_UNITS) quantities whose own are @q, and of an error
 * of normal distribution and standard deviation @error that depends on none of them. Into @ret:
 * ascending, none above the median below the sum of medians, none below 0.
 *
 * Each is taken as s z + c (z^2 - 1) + a rest of the third order, z its normal score; first order
 * adds by the correlations, second and third by cumulants: Cornish, Fisher (1938), "Moments and
 * cumulants in the specification of distributions". Exact where all are normal, where all move as
 * one, and for one alone; short in the far tails where skewed ones are opposed. O(n^2), no
 * allocation.
 */
void copula_sum(const struct copula *c, const double (*q)[FORECAST_LEVELS], size_t n, double error,
		double *ret);

#endif
