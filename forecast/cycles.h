/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cycles.h - the last cycles of a period as they lie in the past: their means, and what a phase is
 * against them. */
#ifndef FORESHAPE_CYCLES_H
#define FORESHAPE_CYCLES_H

#include <stdint.h>

struct past;

#define CYCLES_MAX 6

/* Plain memory; cycle 0 ends with the newest value. */
struct cycles {
	uint32_t period, n; /* steps, 0: no period; cycles that the past holds */
	uint64_t since;     /* step at which it began */
	double sum[CYCLES_MAX];
	uint32_t measured[CYCLES_MAX]; /* values in it */
	/* How far to trust the season: fading count, and sums of what it said squared and times
	 * what came. */
	float seen, said, came;
};

/* Starts over with @period (0: none), from what @past holds. O(n period). */
void cycles_start(struct cycles *c, const struct past *past, uint32_t period);

/* @past is on another scale now. O(n period). */
void cycles_rescale(struct cycles *c, const struct past *past);

/* One step has passed, and @past has it. Returns the season of that step, as it was known before.
 */
double cycles_observe(struct cycles *c, const struct past *past);

/*
 * How the value @step ahead (from 1) lies against the mean of its cycle: the middle of what the
 * cycles before say of its phase, less where that has told little of what came. 0 where nothing is
 * known. Miller, Williams (2003), "Shrinkage estimators of time series seasonal factors".
 */
double cycles_season(const struct cycles *c, const struct past *past, unsigned int step);

#endif
