/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load_curve.h - a rate over time, and the random arrivals that follow it. */
#ifndef FORESHAPE_LOAD_CURVE_H
#define FORESHAPE_LOAD_CURVE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

#define LOAD_MAX_POINTS 4096

/* Rates between two points are on the line between them; before the first and after the last, 0. */
struct load_curve {
	size_t n;
	struct {
		double at_s, per_s;
	} points[LOAD_MAX_POINTS];
	uint64_t random; /* state of the generator */
	double at_s;     /* the last arrival */
};

/* Reads lines "SECONDS RATE" in order of time from @path. The same @seed gives the same arrivals.
 */
int load_curve_read(const char *path, uint64_t seed, struct load_curve *ret, struct err *e);

/* A number in (0, 1]. */
double load_curve_random(struct load_curve *c);

/* Seconds from the start to the next arrival of the Poisson process; INFINITY: no more. */
double load_curve_next(struct load_curve *c);

#endif
