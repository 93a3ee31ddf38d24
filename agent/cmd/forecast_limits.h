/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forecast_limits.h - which limits a backtest would have set, and how they would have done. */
#ifndef FORESHAPE_FORECAST_LIMITS_H
#define FORESHAPE_FORECAST_LIMITS_H

#include <jansson.h>
#include <stdio.h>

#include "agent/csv.h"
#include "forecast/forecast.h"
#include "forecast/limiter.h"

#define LIMITS_MAX 32 /* costs at once */

struct limits {
	size_t n;
	size_t from;              /* limits set after fewer steps only teach */
	size_t seen;              /* steps the limiters know */
	struct limiter *limiters; /* [n] */
	struct limit_row {
		double short_cost; /* of a step above the limit, in units of the values */
		double unused;     /* sum of limit - value where that is above 0 */
		size_t shorts;     /* steps with more than the limit */
	} rows[LIMITS_MAX];
	double sum; /* of the values judged by */
	size_t steps;
};

/* Reads "1,3,10", costs above 0; limits_free. Returns 0, -EINVAL, -ENOMEM. */
int limits_parse(const char *text, struct limits *ret);
void limits_free(struct limits *l);

/* Sets and judges the limits of the @n steps after @origin; for struct backtest_conf. @arg: limits.
 */
void limits_take(const struct csv_series *s, size_t origin, const struct forecast *steps, size_t n,
		 void *arg);

/* [{"short_cost","short","over"}]: shares of the steps, and of the sum of values. */
json_t *limits_json(const struct limits *l);
void limits_print(const struct limits *l, uint64_t window_ns, FILE *out);

#endif
