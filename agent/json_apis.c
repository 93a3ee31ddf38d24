// SPDX-License-Identifier: GPL-2.0-or-later
/* json_apis.c - what every API served, and what could not be attributed to one. */
#include <errno.h>
#include <string.h>

#include "agent/base/util.h"
#include "agent/json.h"
#include "bpf/abi.h"

static const char *const unseen_names[FSH_UNSEEN_COUNT] = {
#define X(id, name) [FSH_UNSEEN_##id] = name,
	FSH_UNSEEN(X)
#undef X
};

static json_t *latency_json(const struct view_latency *l)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "p50", json_number(l->p50), "p90",
			 json_number(l->p90), "p99", json_number(l->p99), "p999",
			 json_number(l->p999), "mean", json_number(l->mean), "max",
			 json_number(l->max));
}

static json_t *responses_json(const uint64_t *responses)
{
	static const char *const names[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
	json_t *classes = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		json_object_set_new(classes, names[i], json_count(responses[i]));
	return classes;
}

static json_t *api_json(const struct view_api *v)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "service", json_text(v->service), "route", json_text(v->route), "requests",
			 json_count(v->requests), "responses", responses_json(v->responses),
			 "aborted", json_count(v->aborted), "errors", json_count(v->errors),
			 "bytes_in", json_count(v->bytes_in), "bytes_out", json_count(v->bytes_out),
			 "in_flight", json_count(v->in_flight), "rate_per_s",
			 json_number(v->rate_per_s), "ttfb_us", latency_json(&v->ttfb_us),
			 "total_us", latency_json(&v->total_us), "cpu_us_per_request",
			 json_number(v->cpu_us_per_request));
}

static json_t *unattributed_json(struct agent *a)
{
	uint64_t counts[FSH_UNSEEN_COUNT] = {}, listeners = 0;
	json_t *reasons = json_object();

	agent_view_unseen(a, counts, &listeners);
	for (size_t i = 0; i < FSH_UNSEEN_COUNT; i++)
		json_object_set_new(reasons, unseen_names[i], json_count(counts[i]));
	json_object_set_new(reasons, "unseen_listener", json_count(listeners));
	return reasons;
}

/* Of the service and of every API: what it is held to. */
static void add_slos(json_t *list, struct agent *a, size_t i, const char *service)
{
	int n = (int)agent_n_apis(a, i);
	struct view_slo slo;

	for (int api = -1; api < n; api++) {
		json_t *row;

		if (!agent_view_api_slo(a, i, api, &slo))
			continue;
		row = json_slo(&slo);
		json_object_set_new(row, "service", json_text(service));
		json_array_append_new(list, row);
	}
}

json_t *json_apis(struct agent *a, const char *service)
{
	json_t *list = json_array(), *slos = json_array();
	struct view_agent v = {};

	agent_view(a, &v);
	for (size_t i = 0; i < v.n_services; i++) {
		size_t n = agent_n_apis(a, i);
		struct view_service s = {};
		struct view_api api;

		agent_view_service(a, i, &s);
		if (service && !streq(s.name, service))
			continue;
		for (size_t k = 0; k < n; k++) {
			agent_view_api(a, i, k, &api);
			json_array_append_new(list, api_json(&api));
		}
		add_slos(slos, a, i, s.name);
	}
	return json_pack("{s:i, s:o, s:o, s:o}", "schema", 1, "apis", list, "slo", slos,
			 "unattributed", unattributed_json(a));
}

json_t *json_attached(struct agent *a, size_t i)
{
	struct view_service s = {};

	agent_view_service(a, i, &s);
	return json_pack("{s:i, s:o, s:b, s:b}", "schema", 1, "service", json_text(s.name),
			 "present", s.present, "attached", s.attached);
}

int json_find_route(struct agent *a, size_t i, const char *route)
{
	size_t n = agent_n_apis(a, i);
	struct view_api api;
	int found = -ENOENT;

	for (size_t k = 0; k < n; k++) {
		const char *path;

		agent_view_api(a, i, k, &api);
		path = strchr(api.route, ' ');
		if (streq(api.route, route))
			return (int)k;
		if (path && streq(path + 1, route))
			found = found == -ENOENT ? (int)k : -EEXIST;
	}
	return found;
}
