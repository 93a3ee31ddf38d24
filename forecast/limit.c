// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * limit.c - the one limit for the next steps that costs least: what it gives too much against the
 * steps that want more. The newsvendor's choice (Arrow, Harris, Marschak (1951)) where it does not
 * matter by how much a step falls short: then wide forecasts deserve a lower level than narrow
 * ones.
 */
#include <math.h>
#include <stdlib.h>

#include "agent/base/util.h"
#include "forecast/forecast.h"

#define BETWEEN   3  /* candidates from knot to knot */
#define STEPS_MAX 64 /* of a window that are looked at, evenly */

/* Levels of a distribution that is linear between them: dense where its tail bends. */
static const double at_level[] = {0.025, 0.05, 0.10,  0.25,  0.50,   0.75,  0.90,  0.95,   0.975,
				  0.983, 0.99, 0.993, 0.995, 0.9965, 0.998, 0.999, 0.9995, 0.9999};
enum { KNOTS = ARRAY_SIZE(at_level) };

/* A distribution function, linear between knots, and what it sums up to. */
struct distribution {
	double value[KNOTS], level[KNOTS], sum[KNOTS];
};

static void knots(const struct forecast *f, struct distribution *ret)
{
	for (int i = 0; i < KNOTS; i++) {
		double level = at_level[i];

		ret->level[i] = level;
		ret->value[i] = forecast_at(f, level);
		ret->sum[i] = i > 0 ? ret->sum[i - 1] + 0.5 * (ret->level[i - 1] + level) *
								(ret->value[i] - ret->value[i - 1])
				    : 0;
	}
}

/*
 * Probability that a value is above @x; *unused: the mean of what a limit of @x leaves unused. The
 * knot after @x may be near the @i-th.
 */
static double above(const struct distribution *d, double x, size_t i, double *unused)
{
	double at, far;

	*unused = 0;
	if (x < d->value[0])
		return 1;
	if (x >= d->value[KNOTS - 1]) {
		*unused = d->sum[KNOTS - 1] + x - d->value[KNOTS - 1];
		return 0;
	}
	while (d->value[i] <= x)
		i++;
	while (i > 1 && d->value[i - 1] > x)
		i--;
	far = x - d->value[i - 1];
	at = d->level[i - 1] +
	     (d->level[i] - d->level[i - 1]) * far / (d->value[i] - d->value[i - 1]);
	*unused = d->sum[i - 1] + 0.5 * (d->level[i - 1] + at) * far;
	return 1 - at;
}

/* No more than @least is of interest; @limit is about at the @knot-th of all. */
static double cost_of(const struct distribution *d, size_t n, double limit, size_t knot,
		      double short_cost, double least)
{
	double sum = 0, unused;

	for (size_t i = 0; i < n && sum <= least; i++) {
		sum += short_cost * above(&d[i], limit, knot, &unused);
		sum += unused;
	}
	return sum;
}

double forecast_limit(const struct forecast *steps, size_t n, double short_cost)
{
	struct distribution d[STEPS_MAX];
	double best = 0, least = INFINITY;
	size_t used = MIN(n, STEPS_MAX);

	for (size_t i = 0; i < used; i++)
		knots(&steps[i * n / used], &d[i]);
	/* From the high ones on, where the best is if too little is dear: it cuts the others short.
	 */
	for (size_t i = used * (KNOTS - 1) * BETWEEN; i-- > 0;) {
		const struct distribution *one = &d[i / ((KNOTS - 1) * BETWEEN)];
		size_t knot = i / BETWEEN % (KNOTS - 1);
		double share = (double)(i % BETWEEN + 1) / BETWEEN;
		double limit = one->value[knot] + share * (one->value[knot + 1] - one->value[knot]);
		double cost = cost_of(d, used, limit, knot + 1, short_cost, least);

		if (cost <= least) {
			least = cost;
			best = limit;
		}
	}
	return best;
}
