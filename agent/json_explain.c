// SPDX-License-Identifier: GPL-2.0-or-later
/* json_explain.c - why each knob of a service has its value; and the known events. */
#include <math.h>

#include "agent/base/util.h"
#include "agent/json.h"
#include "shaping/reason.h"

static json_t *inputs_json(const struct plan_entry *entry)
{
	json_t *inputs = json_object();

	for (size_t i = 0; i < entry->n_inputs && i < TICK_MAX_INPUTS; i++)
		json_object_set_new(inputs, entry->inputs[i].name,
				    json_number(entry->inputs[i].value));
	return inputs;
}

static json_t *refused_json(uint32_t refused)
{
	json_t *list = json_array();

	for (int i = 0; i < REFUSAL_COUNT; i++)
		if (refused & (UINT32_C(1) << i))
			json_array_append_new(list, json_string(refusal_rows[i].name));
	return list;
}

static json_t *policy_json(const struct policy_pos *at)
{
	return at->file ? json_sprintf("%s:%u", at->file, at->line) : json_null();
}

static const struct reason_row *reason_of(const struct plan_entry *entry)
{
	return &reason_rows[entry->reason < REASON_COUNT ? entry->reason : REASON_UNCHANGED];
}

static json_t *knob_json(enum knob knob, const struct view_knob *v)
{
	const struct reason_row *reason = reason_of(v->entry);

	return json_pack(
		"{s:s, s:s, s:o, s:b, s:o, s:b, s:o, s:b, s:b, s:b, s:s, s:s, s:o, s:o, s:o, s:o}",
		"knob", knob_rows[knob].name, "unit", knob_rows[knob].unit, "value",
		v->known ? json_limit(v->value) : json_null(), "known", v->known, "baseline",
		v->baseline_known ? json_limit(v->baseline) : json_null(), "baseline_known",
		v->baseline_known, "planned", json_limit(v->entry->value), "change",
		v->entry->change, "yielded", v->yielded, "supported", v->supported, "reason",
		reason->name, "reason_text", reason->text, "inputs", inputs_json(v->entry),
		"policy", policy_json(&v->entry->policy), "refused",
		refused_json(v->entry->refused), "decision_id",
		v->decision_id ? json_integer(v->decision_id) : json_null());
}

/* How far ahead is planned, and how long the service took to be warm: it is no less than that. */
static json_t *lead_json(struct agent *a, size_t i)
{
	const struct warmup_learned *start, *burst;
	struct lead_report r;

	if (controller_lead(agent_controller(a), (uint32_t)i, &r) < 0)
		return json_null();
	start = &r.learned[WARMUP_START];
	burst = &r.learned[WARMUP_BURST];
	return json_pack(
		"{s:o, s:b, s:o, s:o, s:o, s:o}", "lead_ns", json_count(r.lead_ns), "auto",
		r.is_auto, "after_start_s", json_number(start->seen ? start->seconds : NAN),
		"starts", json_count(start->seen), "after_burst_s",
		json_number(burst->seen ? burst->seconds : NAN), "bursts", json_count(burst->seen));
}

json_t *json_explain(struct agent *a, size_t i)
{
	struct view_service s = {};
	json_t *knobs = json_array();

	agent_view_service(a, i, &s);
	for (int k = 0; k < KNOB_COUNT; k++) {
		struct view_knob v = {};

		if (agent_view_knob(a, i, (enum knob)k, &v) && v.entry)
			json_array_append_new(knobs, knob_json((enum knob)k, &v));
	}
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "schema", 1, "service",
			 json_text(s.name), "tier", json_text(s.tier), "effective_tier",
			 json_text(s.effective_tier), "lead", lead_json(a, i), "knobs", knobs);
}

json_t *json_events(struct agent *a)
{
	json_t *list = json_array();
	size_t n = agent_n_events(a);

	for (size_t i = 0; i < n; i++) {
		struct view_event ev = {};

		agent_view_event(a, i, &ev);
		json_array_append_new(list,
				      json_pack("{s:I, s:o, s:o, s:I, s:o, s:o}", "id",
						(json_int_t)ev.id, "service", json_text(ev.service),
						"name", json_text(ev.name), "starts_real_ns",
						(json_int_t)ev.starts_real_ns, "lasts_ns",
						json_count(ev.lasts_ns), "multiplier",
						json_number(ev.multiplier)));
	}
	return json_pack("{s:i, s:o}", "schema", 1, "events", list);
}
