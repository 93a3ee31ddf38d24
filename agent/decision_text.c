// SPDX-License-Identifier: GPL-2.0-or-later
/* decision_text.c - what a decision rests on, as the texts the audit keeps. */
#include "agent/decision_text.h"

#include <jansson.h>
#include <math.h>

char *decision_inputs(const struct plan_entry *entry)
{
	json_t *o = json_object();
	char *text;

	for (size_t i = 0; i < entry->n_inputs; i++)
		(void)json_object_set_new(o, entry->inputs[i].name,
					  isfinite(entry->inputs[i].value)
						  ? json_real(entry->inputs[i].value)
						  : json_null());
	text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(o);
	return text;
}

char *decision_refused(uint32_t refused)
{
	json_t *list = json_array();
	char *text;

	for (int i = 0; i < REFUSAL_COUNT; i++)
		if (refused & 1u << i)
			(void)json_array_append_new(list, json_string(refusal_rows[i].name));
	text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return text;
}
