// SPDX-License-Identifier: GPL-2.0-or-later
/* json_forecast.c - the live forecast of a service or API at several horizons. */
#include <math.h>
#include <time.h>

#include "agent/base/util.h"
#include "agent/json.h"

#define MAX_POINTS 400 /* a path to the horizon, thinned by its maker */
#define MAX_VALUES 400 /* of the history */
#define MAX_PAST   4096
#define MIN_PAST   60 /* steps before the forecast, or twice those ahead of it */

json_t *json_levels(const struct forecast *f)
{
	json_t *q = json_object();

	for (size_t i = 0; i < FORECAST_LEVELS; i++) {
		char name[8];

		/* "0.50", but "0.025" */
		(void)snprintf(name, sizeof(name), "%.3f", forecast_level[i]);
		if (name[4] == '0')
			name[4] = '\0';
		json_object_set_new(q, name, json_number(f->q[i]));
	}
	return q;
}

static json_t *point_json(const struct forecast_point *p)
{
	return json_pack("{s:o, s:o, s:o}", "ahead_ns", json_count(p->ahead_ns), "mean",
			 json_number(p->f.mean), "q", json_levels(&p->f));
}

static json_t *horizon_json(uint64_t horizon_ns, const struct forecast_point *last,
			    const struct series_report *report, const struct forecast_past *past)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:o, s:o}",
			 "horizon_ns", json_count(horizon_ns), "mean", json_number(last->f.mean),
			 "q", json_levels(&last->f), "models", json_models(report), "periods_steps",
			 json_periods(report), "tuned", json_tuned(report), "loss",
			 json_number(report->loss), "coverage", "0.8",
			 json_number(report->coverage80), "0.9", json_number(report->coverage90),
			 "0.98", json_number(report->coverage98), "step_ns",
			 json_count(past->step_ns), "measured", json_count(past->measured));
}

static double mean_of(const double *values, size_t n)
{
	double sum = 0, measured = 0;

	for (size_t i = 0; i < n; i++) {
		if (isnan(values[i]))
			continue;
		sum += values[i];
		measured++;
	}
	return measured > 0 ? sum / measured : NAN;
}

/* The newest of the @n @values, about twice as many as the steps ahead. */
static json_t *history_json(const struct forecast_past *past, const double *values, size_t n)
{
	size_t want = MIN(n, MAX(2 * (size_t)past->steps_ahead, MIN_PAST));
	size_t each = MAX((want + MAX_VALUES - 1) / MAX_VALUES, 1);
	json_t *list = json_array();
	struct timespec now = {};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	for (size_t left = want / each * each; left > 0; left -= each)
		json_array_append_new(list, json_number(mean_of(values + n - left, each)));
	return json_pack("{s:o, s:I, s:o}", "step_ns", json_count(each * past->step_ns),
			 "ends_real_ns",
			 (json_int_t)now.tv_sec * (json_int_t)NS_PER_S + now.tv_nsec -
				 (json_int_t)past->age_ns,
			 "values", list);
}

static json_t *route_json(struct agent *a, size_t i, int api)
{
	struct view_api v;

	if (api < 0)
		return json_null();
	agent_view_api(a, i, (size_t)api, &v);
	return json_text(v.route);
}

json_t *json_forecast(struct agent *a, size_t i, int api, const uint64_t *horizons_ns, size_t n)
{
	json_t *horizons = json_array(), *path = json_array(), *history = NULL;
	struct view_service s = {};

	agent_view_service(a, i, &s);
	for (size_t h = 0; h < n; h++) {
		struct forecast_point points[MAX_POINTS];
		struct series_report report = {};
		double values[MAX_PAST];
		struct forecast_past past;
		int got = controller_forecast(agent_controller(a), (uint32_t)i, api, horizons_ns[h],
					      points, MAX_POINTS, &report),
		    n_past;

		if (got <= 0)
			continue;
		n_past = controller_past(agent_controller(a), (uint32_t)i, api, horizons_ns[h],
					 values, n == 1 ? MAX_PAST : 0, &past);
		if (n == 1)
			history = history_json(&past, values, (size_t)MAX(n_past, 0));
		json_array_append_new(
			horizons, horizon_json(horizons_ns[h], &points[got - 1], &report, &past));
		for (int k = 0; n == 1 && k < got; k++)
			json_array_append_new(path, point_json(&points[k]));
	}
	return json_pack("{s:i, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "schema", 1, "service",
			 json_text(s.name), "route", route_json(a, i, api), "unit",
			 api < 0 ? "mcpu" : "requests/s", "horizons", horizons, "points", path,
			 "history", history ? history : json_null(), "demand",
			 api < 0 ? json_demand(a, i) : json_null());
}
