// SPDX-License-Identifier: GPL-2.0-or-later
/* json_report.c - what is behind a forecast, live or of a file: models, periods, fitted constants.
 */
#include "agent/json.h"

json_t *json_models(const struct series_report *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_models; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:o, s:o, s:o}", "name", r->models[i].name,
						"weight", json_number(r->models[i].weight), "loss",
						json_number(r->models[i].loss), "state_bytes",
						json_count(r->models[i].bytes)));
	return list;
}

json_t *json_periods(const struct series_report *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_periods; i++)
		json_array_append_new(list, json_integer(r->periods[i]));
	return list;
}

json_t *json_tuned(const struct series_report *r)
{
	return json_pack("{s:i, s:i, s:o}", "searches", (int)r->n_tuned, "changes",
			 (int)r->n_gained, "gain", json_number(r->gain));
}
