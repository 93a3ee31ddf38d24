// SPDX-License-Identifier: GPL-2.0-or-later
/* forecast_limits.c - limits for each window of a backtest by what a step too short costs. */
#include "agent/cmd/forecast_limits.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/json.h"
#include "agent/show.h"

#define TEXT 64

int limits_parse(const char *text, struct limits *ret)
{
	_cleanup_(freep) char *copy = strdup(text);
	char *rest = copy, *word;

	*ret = (struct limits){};
	if (!copy)
		return -ENOMEM;
	while ((word = strsep(&rest, ","))) {
		double cost;

		if (ret->n == LIMITS_MAX || parse_double(word, &cost) < 0 || cost <= 0)
			return -EINVAL;
		ret->rows[ret->n++].short_cost = cost;
	}
	ret->limiters = calloc(ret->n, sizeof(*ret->limiters));
	if (!ret->limiters)
		return -ENOMEM;
	for (size_t i = 0; i < ret->n; i++)
		limiter_init(&ret->limiters[i], ret->rows[i].short_cost);
	return 0;
}

void limits_free(struct limits *l)
{
	free(l->limiters);
}

static void judge(double limit, const double *values, size_t n, struct limit_row *row)
{
	for (size_t i = 0; i < n; i++) {
		row->shorts += values[i] > limit;
		row->unused += fmax(limit - values[i], 0); /* NAN counts as nothing */
	}
}

void limits_take(const struct csv_series *s, size_t origin, const struct forecast *steps, size_t n,
		 void *arg)
{
	struct limits *l = arg;
	const double *values = s->values + origin + 1;
	bool counts = origin + 1 >= l->from;

	for (; l->seen <= origin; l->seen++)
		for (size_t i = 0; i < l->n; i++)
			limiter_observe(&l->limiters[i], s->values[l->seen]);
	for (size_t i = 0; i < l->n; i++) {
		double limit = limiter_limit(&l->limiters[i], steps, n);

		if (counts)
			judge(limit, values, n, &l->rows[i]);
	}
	for (size_t i = 0; counts && i < n; i++) {
		if (isnan(values[i]))
			continue;
		l->sum += values[i];
		l->steps++;
	}
}

static double short_share(const struct limits *l, const struct limit_row *row)
{
	return l->steps > 0 ? (double)row->shorts / (double)l->steps : NAN;
}

static double over_share(const struct limits *l, const struct limit_row *row)
{
	return l->sum > 0 ? row->unused / l->sum : NAN;
}

json_t *limits_json(const struct limits *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++) {
		const struct limit_row *row = &l->rows[i];

		json_array_append_new(list,
				      json_pack("{s:f,s:o,s:o}", "short_cost", row->short_cost,
						"short", json_number(short_share(l, row)), "over",
						json_number(over_share(l, row))));
	}
	return list;
}

void limits_print(const struct limits *l, uint64_t window_ns, FILE *out)
{
	char window[TEXT];

	fprintf(out, "a limit for each %s\n%-12s %12s %12s\n",
		format_duration(window, sizeof(window), window_ns), "SHORT-COST", "STEPS SHORT",
		"UNUSED");
	for (size_t i = 0; i < l->n; i++) {
		const struct limit_row *row = &l->rows[i];

		fprintf(out, "%-12g %12s %12s\n", row->short_cost,
			show_fixed(100 * short_share(l, row), 2, " %").text,
			show_fixed(100 * over_share(l, row), 1, " %").text);
	}
}
