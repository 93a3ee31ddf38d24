// SPDX-License-Identifier: GPL-2.0-or-later
/* json_status.c - the state of the agent and of every service, as /v1/status gives it. */
#include <math.h>

#include "agent/json.h"
#include "shaping/knob.h"

static json_t *cpu_json(const struct view_service *s)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "usage_mcpu",
			 json_number(s->cpu_usage_mcpu), "limit_mcpu",
			 json_limit(s->cpu_limit_mcpu), "weight",
			 s->cpu_weight ? json_count(s->cpu_weight) : json_null(), "throttled_ratio",
			 json_number(s->throttled_ratio), "planned_mcpu",
			 json_number(s->plan ? s->plan->planned_mcpu : NAN), "short_mcpu",
			 json_number(s->plan ? s->plan->short_mcpu : NAN), "demand_mcpu",
			 json_quantiles(s->plan ? &s->plan->demand_mcpu : NULL));
}

static json_t *memory_json(const struct view_service *s)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "usage_bytes",
			 json_number(s->memory_usage_bytes), "working_set_bytes",
			 json_number(s->plan ? s->plan->working_set_bytes : NAN), "limit_bytes",
			 json_limit(s->memory_limit_bytes), "high_bytes",
			 json_limit(s->memory_high_bytes), "demand_bytes",
			 json_quantiles(s->plan ? &s->plan->demand_bytes : NULL));
}

static json_t *bandwidth_json(const struct view_service *s)
{
	return json_pack("{s:o, s:o, s:o}", "rate_bits_per_s", json_number(s->tx_bits_per_s),
			 "limit_bits_per_s", json_limit(s->tx_limit_bits_per_s),
			 "demand_bits_per_s",
			 json_quantiles(s->plan ? &s->plan->demand_bits_per_s : NULL));
}

static json_t *slos_json(struct agent *a, size_t i, size_t n)
{
	json_t *list = json_array();

	for (size_t k = 0; k < n; k++) {
		struct view_slo slo;

		agent_view_slo(a, i, k, &slo);
		json_array_append_new(list, json_slo(&slo));
	}
	return list;
}

static json_t *yielded_json(uint32_t yielded)
{
	json_t *list = json_array();

	for (int k = 0; k < KNOB_COUNT; k++)
		if (yielded & (UINT32_C(1) << k))
			json_array_append_new(list, json_string(knob_rows[k].name));
	return list;
}

static json_t *service_json(struct agent *a, size_t i)
{
	struct view_service s = {};

	agent_view_service(a, i, &s);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o}", "name",
			 json_text(s.name), "tier", json_text(s.tier), "effective_tier",
			 json_text(s.effective_tier), "cgroup", json_text(s.cgroup), "owner",
			 json_text(s.owner), "present", s.present, "attached", s.attached,
			 "yielded", yielded_json(s.yielded), "cpu", cpu_json(&s), "memory",
			 memory_json(&s), "bandwidth", bandwidth_json(&s), "slo",
			 slos_json(a, i, s.n_slos));
}

/* What gold and silver leave; before the first plan nothing is known of it. */
static void add_left(json_t *host, const char *all, const char *unused, const struct left *left)
{
	json_object_set_new(host, all, left ? json_number(left->all) : json_null());
	json_object_set_new(host, unused, left ? json_number(left->unused) : json_null());
}

static json_t *links_json(const struct view_agent *v)
{
	json_t *list = json_array();

	for (size_t k = 0; v->plan && k < v->plan->n_links; k++) {
		json_t *link = json_object();

		json_object_set_new(link, "interface", json_text(v->host->links[k].interface));
		add_left(link, "left_bits_per_s", "unused_bits_per_s",
			 &v->plan->left_bits_per_s[k]);
		json_array_append_new(list, link);
	}
	return list;
}

static json_t *host_json(const struct view_agent *v)
{
	const struct plan *p = v->plan;
	json_t *host = json_object();

	json_object_set_new(host, "planned_mcpu", p ? json_count(p->planned_mcpu) : json_null());
	json_object_set_new(host, "contention", p ? json_boolean(p->contention) : json_null());
	add_left(host, "left_mcpu", "unused_mcpu", p ? &p->left_mcpu : NULL);
	add_left(host, "left_bytes", "unused_bytes", p ? &p->left_bytes : NULL);
	json_object_set_new(host, "links", links_json(v));
	return host;
}

static json_t *lines_json(const char *const *lines, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_text(lines[i]));
	return list;
}

json_t *json_status(struct agent *a)
{
	json_t *services = json_array();
	struct view_agent v = {};

	agent_view(a, &v);
	for (size_t i = 0; i < v.n_services; i++)
		json_array_append_new(services, service_json(a, i));
	return json_pack(
		"{s:i, s:s, s:o, s:o, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", 1,
		"mode", v.enforce ? "enforce" : "observe", "mode_until_real_ns",
		v.mode_until_real_ns ? json_integer(v.mode_until_real_ns) : json_null(),
		"frozen_until_real_ns",
		v.frozen_until_real_ns ? json_integer(v.frozen_until_real_ns) : json_null(), "pid",
		v.keeper_pid, "worker_pid", v.worker_pid, "uptime_s", json_number(v.uptime_s), "db",
		json_text(v.db_path), "policies", json_text(v.policies_dir), "history_lost",
		json_count(v.history_lost), "degraded", lines_json(v.degraded, v.n_degraded),
		"host", host_json(&v), "services", services);
}
