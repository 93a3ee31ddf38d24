// SPDX-License-Identifier: GPL-2.0-or-later
/* bottom_up.c - what a service will use, from what its APIs will be asked and what that costs. */
#include "forecast/bottom_up.h"

#include <math.h>
#include <string.h>

#include "agent/base/util.h"

#define OWN_ROWS       (COPULA_UNITS - 1) /* the last is shared where there are more APIs */
#define TAKES_OVER     2.0                /* times as much demand as the least with a row */
#define SANE_MAX       1e30               /* larger values are taken as not measured */
#define RATIO_RATE     0.02
#define RATIO_FIRST    5.0  /* judged forecasts the start counts as */
#define RATIO_START    0.01 /* variance */
#define RATIO_FARTHEST 1.5

_Static_assert(DEMAND_MAX_APIS <= UINT8_MAX, "api_of holds every API");

void bottom_up_init(struct bottom_up *b)
{
	memset(b, 0, sizeof(*b));
	for (size_t i = 0; i < OWN_ROWS; i++)
		b->api_of[i] = (uint8_t)i;
	for (int kind = 0; kind < DEMAND_KINDS; kind++)
		for (int k = 0; k < DEMAND_RESOURCES; k++)
			b->ratio[kind][k].variance = (float)RATIO_START;
}

bool bottom_up_is_sound(const struct bottom_up *b)
{
	for (size_t u = 0; u < COPULA_UNITS; u++)
		if (b->api_of[u] >= DEMAND_MAX_APIS)
			return false;
	return true;
}

static size_t n_units(const struct demand_input *in)
{
	return MIN(in->n_apis, (size_t)COPULA_UNITS);
}

/* The row of each API: its own, or the last. */
static void find_units(const struct bottom_up *b, const struct demand_input *in, uint8_t *unit_of)
{
	bool shared = in->n_apis > COPULA_UNITS;

	for (size_t i = 0; i < in->n_apis; i++)
		unit_of[i] = shared ? OWN_ROWS : (uint8_t)i;
	for (size_t u = 0; shared && u < OWN_ROWS; u++)
		unit_of[b->api_of[u]] = (uint8_t)u;
}

static double median(const struct demand_api *api)
{
	return api->rate[DEMAND_PEAK].q[Q50];
}

/* What each row costs a request, by the mix expected; NAN: not known. */
static void unit_costs(const struct demand_input *in, const uint8_t *unit_of,
		       enum demand_resource resource, double *ret)
{
	double weight[COPULA_UNITS] = {};

	memset(ret, 0, COPULA_UNITS * sizeof(*ret));
	for (size_t i = 0; i < in->n_apis; i++) {
		const struct demand_api *api = &in->apis[i];
		double w = median(api) + 1e-9;

		weight[unit_of[i]] += w;
		if (isfinite(api->cost[resource]) || api->rate[DEMAND_PEAK].mean > 0)
			ret[unit_of[i]] += w * api->cost[resource];
	}
	for (size_t u = 0; u < COPULA_UNITS; u++)
		ret[u] = weight[u] > 0 ? ret[u] / weight[u] : 0;
}

bool bottom_up_forecast(const struct bottom_up *b, const struct demand_input *in,
			enum demand_kind kind, enum demand_resource resource, double offset,
			double *q)
{
	const struct bottom_up_ratio *r = &b->ratio[kind][resource];
	double units[COPULA_UNITS][FORECAST_LEVELS] = {}, centre = in->base[resource], error;
	uint8_t unit_of[DEMAND_MAX_APIS];

	if (!(centre >= 0 && centre <= SANE_MAX) || in->n_apis == 0)
		return false;
	find_units(b, in, unit_of);
	for (size_t i = 0; i < in->n_apis; i++) {
		const struct forecast *rate = &in->apis[i].rate[kind];
		double cost = in->apis[i].cost[resource];

		if (!isfinite(cost) && rate->mean > 0)
			return false;
		for (int l = 0; isfinite(cost) && l < FORECAST_LEVELS; l++)
			units[unit_of[i]][l] += cost * rate->q[l];
		centre += isfinite(cost) ? cost * rate->q[Q50] : 0;
	}
	error = in->error[resource] <= SANE_MAX ? in->error[resource] : 0; /* NAN too */
	error = sqrt(error * error + centre * centre * (double)r->variance);
	copula_sum(&b->copula, units, n_units(in), error, q);
	for (int l = 0; l < FORECAST_LEVELS; l++) {
		q[l] = (q[l] + in->base[resource] + offset) * exp((double)r->mean) - offset;
		q[l] = fmax(q[l], 0);
	}
	return true;
}

/* The API without a row that needs one most takes that of the least. */
static void hand_over(struct bottom_up *b, const struct demand_input *in)
{
	uint8_t unit_of[DEMAND_MAX_APIS];
	size_t least = 0, most = 0;
	double lowest = INFINITY, highest = -1;

	if (in->n_apis <= COPULA_UNITS)
		return;
	find_units(b, in, unit_of);
	for (size_t i = 0; i < in->n_apis; i++) {
		double cost = in->apis[i].cost[DEMAND_CPU];
		double need = median(&in->apis[i]) * (isfinite(cost) ? cost : 0);

		if (unit_of[i] == OWN_ROWS && need > highest) {
			highest = need;
			most = i;
		} else if (unit_of[i] < OWN_ROWS && need < lowest) {
			lowest = need;
			least = unit_of[i];
		}
	}
	if (highest <= lowest * TAKES_OVER)
		return;
	b->api_of[least] = (uint8_t)most;
	copula_forget(&b->copula, least);
}

void bottom_up_issue(struct bottom_up *b, const struct demand_input *in,
		     struct bottom_up_waiting *w)
{
	uint8_t unit_of[DEMAND_MAX_APIS];

	hand_over(b, in);
	find_units(b, in, unit_of);
	memset(w, 0, sizeof(*w));
	memcpy(w->api_of, b->api_of, sizeof(w->api_of));
	for (int k = 0; k < DEMAND_RESOURCES; k++)
		w->base[k] = (float)in->base[k];
	for (size_t i = 0; i < in->n_apis; i++)
		for (int l = 0; l < FORECAST_LEVELS; l++)
			w->units[unit_of[i]].q[l] +=
				(float)fmin(in->apis[i].rate[DEMAND_PEAK].q[l], SANE_MAX);
}

void bottom_up_see(const struct bottom_up *b, const struct demand_input *in,
		   struct bottom_up_waiting *w)
{
	double seen[COPULA_UNITS] = {};
	uint8_t unit_of[DEMAND_MAX_APIS];

	find_units(b, in, unit_of);
	for (size_t i = 0; i < in->n_apis; i++)
		seen[unit_of[i]] += in->apis[i].seen;
	for (size_t u = 0; u < n_units(in); u++) {
		struct bottom_up_unit *unit = &w->units[u];

		if (!(seen[u] >= 0 && seen[u] <= SANE_MAX))
			continue;
		unit->peak = fmaxf(unit->peak, (float)seen[u]);
		unit->sum += (float)seen[u];
		unit->n += 1;
	}
}

/* Whether what @w has of row @u is to be judged: its API was measured, and has it still. */
static bool is_told(const struct bottom_up *b, const struct bottom_up_waiting *w, size_t u)
{
	return w->units[u].n > 0 && w->api_of[u] == b->api_of[u];
}

static double explained(const struct bottom_up *b, const struct demand_input *in,
			const struct bottom_up_waiting *w, const uint8_t *unit_of,
			enum demand_kind kind, enum demand_resource resource)
{
	double costs[COPULA_UNITS], sum = (double)w->base[resource];

	unit_costs(in, unit_of, resource, costs);
	for (size_t u = 0; u < n_units(in); u++) {
		const struct bottom_up_unit *unit = &w->units[u];

		if (!is_told(b, w, u))
			return NAN;
		sum += costs[u] * (double)(kind == DEMAND_PEAK ? unit->peak : unit->sum / unit->n);
	}
	return sum;
}

static void follow(struct bottom_up_ratio *r, double ratio)
{
	double rate = fmax(1 / ((double)r->n + RATIO_FIRST), RATIO_RATE), off;

	if (!isfinite(ratio))
		return;
	off = fmax(fmin(ratio, RATIO_FARTHEST), -RATIO_FARTHEST) - (double)r->mean;
	r->n = fminf(r->n + 1, 1e6f);
	r->variance += (float)(rate * ((1 - rate) * off * off - (double)r->variance));
	r->mean += (float)(rate * off);
}

void bottom_up_judge(struct bottom_up *b, const struct demand_input *in,
		     const struct bottom_up_waiting *w,
		     const double used[DEMAND_KINDS][DEMAND_RESOURCES], const double *offsets)
{
	uint8_t unit_of[DEMAND_MAX_APIS];
	double scores[COPULA_UNITS];

	find_units(b, in, unit_of);
	for (int kind = 0; kind < DEMAND_KINDS; kind++)
		for (int k = 0; k < DEMAND_RESOURCES; k++)
			follow(&b->ratio[kind][k],
			       log((used[kind][k] + offsets[k]) /
				   (explained(b, in, w, unit_of, kind, k) + offsets[k])));
	for (size_t u = 0; u < n_units(in); u++) {
		const struct bottom_up_unit *unit = &w->units[u];
		double q[FORECAST_LEVELS];

		for (int l = 0; l < FORECAST_LEVELS; l++)
			q[l] = (double)unit->q[l];
		scores[u] = is_told(b, w, u) ? copula_score(q, (double)unit->peak) : NAN;
	}
	copula_learn(&b->copula, scores, n_units(in));
}
