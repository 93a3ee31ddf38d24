// SPDX-License-Identifier: GPL-2.0-or-later
/* forecast_events.c - foreshape forecast --csv --events: reads the files, shows what was learned.
 */
#include "agent/cmd/forecast_events.h"

#include <math.h>
#include <stdio.h>

#include "agent/base/util.h"
#include "agent/json.h"
#include "agent/show.h"
#include "agent/table.h"

/* clang-format off */
static const struct table_column columns[] = {
	{ "EVENT", false, false }, { "KNOWN", true, false }, { "LEARNED", true, false }, { "STATED", true, false },
	{ "BEFORE", true, false }, { "DURING", true, false }, { "AFTER", true, false },
};
/* clang-format on */

int forecast_events_read(const struct cmd_args *args, const struct csv_series *s, size_t horizon,
			 struct backtest_events *ret)
{
	struct err e = {};

	for (size_t i = 0; i < args->n_options; i++) {
		int r = streq(args->options[i].name, "events")
				? backtest_events_read(ret, args->options[i].value, s, horizon, &e)
				: 0;

		if (r < 0) {
			fprintf(stderr, "foreshape: %s\n", e.text);
			return r;
		}
	}
	if (ret->known.n == 0 && cmd_option(args, "events"))
		fprintf(stderr, "foreshape: no event lies within the series\n");
	return 0;
}

json_t *forecast_events_json(const struct backtest_score *score)
{
	json_t *list = json_array();

	for (size_t i = 0; i < score->n_effects; i++) {
		const struct backtest_effect *f = &score->effects[i];

		json_array_append_new(list,
				      json_pack("{s:o,s:I,s:I,s:o,s:o,s:o,s:o}", "name",
						json_text(f->name), "known", (json_int_t)f->n_known,
						"occurrences", (json_int_t)f->learned.n,
						"multiplier", json_number(f->stated), "before",
						json_number(f->learned.before), "during",
						json_number(f->learned.during), "after",
						json_number(f->learned.after)));
	}
	return list;
}

static const char *times(double factor, char buf[static 16])
{
	(void)snprintf(buf, 16, isnan(factor) ? "-" : "x%.2f", factor);
	return buf;
}

void forecast_events_print(const struct backtest_score *score)
{
	struct table t;
	char buf[16];

	table_start(&t, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < score->n_effects; i++) {
		const struct backtest_effect *f = &score->effects[i];

		table_cell(&t, "%s", f->name);
		table_cell(&t, "%zu", f->n_known);
		table_cell(&t, "%u", f->learned.n);
		table_cell(&t, "%s", times(f->stated, buf));
		table_cell(&t, "%s", times(f->learned.before, buf));
		table_cell(&t, "%s", times(f->learned.during, buf));
		table_cell(&t, "%s", times(f->learned.after, buf));
	}
	table_print(&t, stdout);
	table_free(&t);
}
