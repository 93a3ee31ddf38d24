// SPDX-License-Identifier: GPL-2.0-or-later
/* load_curve.c - a rate over time, and the random arrivals that follow it. */
#include "tests/demo/load_curve.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"

int load_curve_read(const char *path, uint64_t seed, struct load_curve *ret, struct err *e)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");
	char at[64], per[64];
	size_t n = 0;

	if (!f)
		return err_set(e, -errno, "read %s", path);
	while (fscanf(f, "%63s %63s", at, per) == 2) {
		if (n == LOAD_MAX_POINTS || parse_double(at, &ret->points[n].at_s) < 0 ||
		    parse_double(per, &ret->points[n].per_s) < 0 || ret->points[n].per_s < 0 ||
		    (n > 0 && ret->points[n].at_s <= ret->points[n - 1].at_s))
			return err_say(e, -EINVAL,
				       "%s: line %zu: want SECONDS RATE, later than the last", path,
				       n + 1);
		n++;
	}
	if (n < 2)
		return err_say(e, -EINVAL, "%s: a curve has two points at least", path);
	ret->n = n;
	ret->random = seed * 2 + 1;
	ret->at_s = ret->points[0].at_s;
	return 0;
}

/* xorshift64*: Vigna (2016), "An experimental exploration of Marsaglia's xorshift generators". */
double load_curve_random(struct load_curve *c)
{
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return ((double)((c->random * UINT64_C(2685821657736338717)) >> 11) + 1) * 0x1p-53;
}

/* Seconds into a piece of @length_s from rate @a to @b in which its integral reaches @area, or
 * INFINITY. */
static double piece_reach(double a, double b, double length_s, double area)
{
	double slope = (b - a) / length_s, root;

	if (area > (a + b) / 2 * length_s)
		return INFINITY;
	root = sqrt(fmax(a * a + 2 * slope * area, 0));
	return 2 * area / (a + root);
}

double load_curve_next(struct load_curve *c)
{
	double area = -log(load_curve_random(c)); /* what the integral of the rate grows by */

	for (size_t i = 1; i < c->n; i++) {
		double from_s = MAX(c->points[i - 1].at_s, c->at_s), to_s = c->points[i].at_s;
		double a = c->points[i - 1].per_s, b = c->points[i].per_s, in_s;

		if (to_s <= from_s)
			continue;
		a += (b - a) * (from_s - c->points[i - 1].at_s) / (to_s - c->points[i - 1].at_s);
		in_s = piece_reach(a, b, to_s - from_s, area);
		if (isfinite(in_s)) {
			c->at_s = from_s + in_s;
			return c->at_s;
		}
		area -= (a + b) / 2 * (to_s - from_s);
	}
	c->at_s = c->points[c->n - 1].at_s;
	return INFINITY;
}
