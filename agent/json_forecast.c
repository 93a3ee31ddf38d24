// SPDX-License-Identifier: GPL-2.0-or-later
/* json_forecast.c - the live forecast of a service or API at several horizons. */
#include "agent/base/util.h"
#include "agent/json.h"

#define MAX_POINTS 400 /* a path to the horizon, thinned by its maker */

static json_t *levels_json(const struct forecast *f)
{
	json_t *q = json_object();

	for (size_t i = 0; i < FORECAST_LEVELS; i++) {
		char name[8];

		/* "0.50", but "0.025" */
		(void)snprintf(name, sizeof(name), i == Q025 || i == Q975 ? "%.3f" : "%.2f",
			       forecast_level[i]);
		json_object_set_new(q, name, json_number(f->q[i]));
	}
	return q;
}

static json_t *point_json(const struct forecast_point *p)
{
	return json_pack("{s:o, s:o, s:o}", "ahead_ns", json_count(p->ahead_ns), "mean",
			 json_number(p->f.mean), "q", levels_json(&p->f));
}

static json_t *models_json(const struct series_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->n_models; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:o, s:o}", "name", report->models[i].name,
						"weight", json_number(report->models[i].weight),
						"loss", json_number(report->models[i].loss)));
	return list;
}

static json_t *periods_json(const struct series_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->n_periods; i++)
		json_array_append_new(list, json_integer(report->periods[i]));
	return list;
}

static json_t *horizon_json(uint64_t horizon_ns, const struct forecast_point *last,
			    const struct series_report *report)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}}", "horizon_ns",
			 json_count(horizon_ns), "mean", json_number(last->f.mean), "q",
			 levels_json(&last->f), "models", models_json(report), "periods_steps",
			 periods_json(report), "loss", json_number(report->loss), "coverage", "0.8",
			 json_number(report->coverage80), "0.9", json_number(report->coverage90),
			 "0.98", json_number(report->coverage98));
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
	json_t *horizons = json_array(), *path = json_array();
	struct view_service s = {};

	agent_view_service(a, i, &s);
	for (size_t h = 0; h < n; h++) {
		struct forecast_point points[MAX_POINTS];
		struct series_report report = {};
		int got = controller_forecast(agent_controller(a), (uint32_t)i, api, horizons_ns[h],
					      points, MAX_POINTS, &report);

		if (got <= 0)
			continue;
		json_array_append_new(horizons,
				      horizon_json(horizons_ns[h], &points[got - 1], &report));
		for (int k = 0; n == 1 && k < got; k++)
			json_array_append_new(path, point_json(&points[k]));
	}
	return json_pack("{s:i, s:o, s:o, s:s, s:o, s:o}", "schema", 1, "service",
			 json_text(s.name), "route", route_json(a, i, api), "unit",
			 api < 0 ? "mcpu" : "requests/s", "horizons", horizons, "points", path);
}
