/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smoothing.h - exponential smoothing of values without their season, on the log scale: level,
 * damped trend and an autoregressive rest, with clipped innovations.
 */
#ifndef FORESHAPE_SMOOTHING_H
#define FORESHAPE_SMOOTHING_H

#include <stdint.h>

/* Plain memory. */
struct smoothing {
	double level; /* NAN: none yet, the first value will be it */
	double trend, rest;
	double rho_above, rho_below; /* sums of products of successive rests, and of squares */
	double log_rho;              /* of their ratio: what is left of a rest after a step */
	double error;                /* mean size of innovations */
	uint32_t n_values, warm;     /* values that came, and before which none is cut */
	uint32_t cut_run;
	int32_t cut_side;
};

/* Starts with the level at @level, or NAN; @cycle (0: none) values are to be seen as they are. */
void smoothing_init(struct smoothing *m, double level, uint32_t cycle);

/*
 * A step has passed, and @y came without its season; NAN: nothing did. Level and trend learn it by
 * @alpha and @beta. Returns how far it lay from the level, cut where that is wild, for the season
 * to learn, or NAN where there is nothing to be learned from it.
 *
 * Gelper, Fried, Croux (2010), "Robust forecasting with exponential and Holt-Winters smoothing" for
 * the clipping.
 */
double smoothing_observe(struct smoothing *m, double y, double alpha, double beta);

/* The value @step ahead (from 1), without season; NAN before the first one. */
double smoothing_predict(const struct smoothing *m, unsigned int step);

/* The offset of the log scale goes from @from to @to. */
void smoothing_rescale(struct smoothing *m, double from, double to);

#endif
