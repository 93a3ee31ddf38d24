/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.h - the agent's views as JSON, and the few conversions all of them share. */
#ifndef FORESHAPE_JSON_H
#define FORESHAPE_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "agent/agent.h"

json_t *json_number(double v);                    /* null for NaN and infinity */
json_t *json_count(uint64_t v);                   /* as an integer; above 2^63 - 1 it stays there */
json_t *json_limit(uint64_t v);                   /* null for UNLIMITED */
json_t *json_text(const char *s);                 /* null for NULL; invalid UTF-8 becomes '?' */
json_t *json_quantiles(const struct forecast *f); /* {"0.5","0.9","0.99"}; nulls for NULL */
json_t *json_levels(const struct forecast *f);    /* {"0.025", ... "0.999"} */

/*
 * {"route": null for the service, "objective", "latency_us", "window_s", "attained", "burn_rate":
 * over the last twelfth of the window, "burn_rate_slow": over all of it}; nulls where not known.
 */
json_t *json_slo(const struct view_slo *slo);

/*
 * Of what is behind a forecast: [{"name","weight","loss","state_bytes"}], the periods in steps, and
 * how often constants were looked for, others found, and what share of the loss the last ones
 * saved: {"searches","changes","gain"}.
 */
json_t *json_models(const struct series_report *r);
json_t *json_periods(const struct series_report *r);
json_t *json_tuned(const struct series_report *r);

/* Prints @json on one line to @out and releases it. Returns 0, -ENOMEM for NULL, -EIO. */
int json_print(FILE *out, json_t *json);

/*
 * The documents of the API, each with "schema": 1. NULL is out of memory. @service NULL: all.
 * @i is an index as agent_find gives it.
 */
json_t *json_status(struct agent *a);
json_t *json_apis(struct agent *a, const char *service);
json_t *json_explain(struct agent *a, size_t i);
json_t *json_events(struct agent *a);
json_t *json_attached(struct agent *a, size_t i);

/*
 * The forecast of service @i, or of its API @api (-1: its CPU), at each of the @n horizons; with
 * one horizon also the path to it ("points") and what was measured before ("history", null with
 * several: at most 400 values, oldest first, each the mean of a step of "step_ns", the last one
 * ending at "ends_real_ns"). Answers {"horizons": [], ...} while nothing is learned yet.
 */
json_t *json_forecast(struct agent *a, size_t i, int api, const uint64_t *horizons_ns, size_t n);
/*
 * Its "demand", null for an API: what service @i will use over its lead; by resource and kind, null
 * where nothing is known yet, else quantiles, coverage so far and the say of each expert.
 */
json_t *json_demand(struct agent *a, size_t i);

/* Index of the API of service @i whose route is @route ("/x" matches the one "GET /x"), or -ENOENT.
 */
int json_find_route(struct agent *a, size_t i, const char *route);

#endif
