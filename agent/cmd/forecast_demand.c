// SPDX-License-Identifier: GPL-2.0-or-later
/* forecast_demand.c - what a service will use over its lead, as a table. */
#include "agent/cmd/forecast_demand.h"

#include <math.h>

#include "agent/base/util.h"
#include "agent/show.h"
#include "agent/table.h"

/* clang-format off */
static const struct table_column columns[] = {
	{ "DEMAND", false, false }, { "q05", true, false }, { "q50", true, false }, { "q95", true, false },
	{ "q99", true, false }, { "80% HELD", true, false }, { "90% HELD", true, false }, { "APIS' SAY", true, false },
};

static const struct row {
	const char *resource, *kind, *name;
	struct shown (*show)(const json_t *value);
} rows[] = {
	{ "cpu_mcpu", "peak", "CPUs, peak", show_cores },
	{ "cpu_mcpu", "mean", "CPUs, mean", show_cores },
	{ "memory_bytes", "peak", "memory, peak", show_bytes },
	{ "memory_bytes", "mean", "memory, mean", show_bytes },
	{ "bandwidth_bits_per_s", "peak", "sent bit/s, peak", show_rate },
	{ "bandwidth_bits_per_s", "mean", "sent bit/s, mean", show_rate },
};
/* clang-format on */

/* The weight of what comes from the APIs. */
static const json_t *say_of_apis(const json_t *report)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(report, "experts"), i, one)
		if (streq(show_text(json_object_get(one, "name"), ""), "from APIs"))
			return json_object_get(one, "weight");
	return NULL;
}

static void add_row(struct table *t, const struct row *row, const json_t *report)
{
	static const char *const levels[] = {"0.05", "0.50", "0.95", "0.99"};
	const json_t *q = json_object_get(report, "q"), *held = json_object_get(report, "coverage");

	table_cell(t, "%s", row->name);
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		table_cell(t, "%s", row->show(json_object_get(q, levels[i])).text);
	table_cell(t, "%s", show_percent(json_object_get(held, "0.8")).text);
	table_cell(t, "%s", show_percent(json_object_get(held, "0.9")).text);
	table_cell(t, "%s", show_percent(say_of_apis(report)).text);
}

void forecast_demand_print(const json_t *demand)
{
	double lead_ns = show_number(json_object_get(demand, "lead_ns"));
	struct table t;

	if (!isfinite(lead_ns))
		return;
	printf("over the next %s:\n", show_ns((uint64_t)lead_ns).text);
	table_start(&t, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const json_t *report =
			json_object_get(json_object_get(demand, rows[i].resource), rows[i].kind);

		if (json_is_object(report))
			add_row(&t, &rows[i], report);
	}
	table_print(&t, stdout);
	table_free(&t);
}
