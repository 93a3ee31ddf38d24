// SPDX-License-Identifier: GPL-2.0-or-later
/* json_demand.c - what a service will use over its lead, and how well that was forecast before. */
#include "agent/json.h"

static const char *const resource_keys[DEMAND_RESOURCES] = {
	[DEMAND_CPU] = "cpu_mcpu",
	[DEMAND_MEMORY] = "memory_bytes",
	[DEMAND_BANDWIDTH] = "bandwidth_bits_per_s",
};
static const char *const kind_keys[DEMAND_KINDS] = {
	[DEMAND_PEAK] = "peak",
	[DEMAND_MEAN] = "mean",
};

static json_t *experts_json(const struct demand_report *r)
{
	json_t *list = json_array();

	for (int k = 0; k < DEMAND_EXPERTS; k++)
		json_array_append_new(list,
				      json_pack("{s:s, s:o, s:o}", "name", demand_expert_names[k],
						"weight", json_number(r->experts[k].weight), "loss",
						json_number(r->experts[k].loss)));
	return list;
}

static json_t *report_json(const struct demand_report *r)
{
	return json_pack("{s:o, s:o, s:{s:o, s:o}, s:o, s:o}", "mean", json_number(r->f.mean), "q",
			 json_levels(&r->f), "coverage", "0.8", json_number(r->coverage80), "0.9",
			 json_number(r->coverage90), "judged", json_number(r->judged), "experts",
			 experts_json(r));
}

json_t *json_demand(struct agent *a, size_t i)
{
	const struct controller *c = agent_controller(a);
	json_t *all = json_pack("{s:o}", "lead_ns", json_count(controller_lead_ns(c, (uint32_t)i)));

	for (int k = 0; k < DEMAND_RESOURCES; k++) {
		json_t *one = json_object();

		for (int kind = 0; kind < DEMAND_KINDS; kind++) {
			struct demand_report r;
			int known = controller_demand(c, (uint32_t)i, (enum demand_kind)kind,
						      (enum demand_resource)k, &r);

			json_object_set_new(one, kind_keys[kind],
					    known > 0 ? report_json(&r) : json_null());
		}
		json_object_set_new(all, resource_keys[k], one);
	}
	return all;
}
