// SPDX-License-Identifier: GPL-2.0-or-later
/* forecast_anomalies.c - what a backtest finds that does not belong: as a list, as scores. */
#include "agent/cmd/forecast_anomalies.h"

#include <math.h>

#include "agent/base/util.h"
#include "agent/json.h"
#include "agent/show.h"
#include "agent/table.h"
#include "forecast/anomaly.h"

#define TEXT 64

/* clang-format off */
static const struct table_column columns[] = {
	{ "TIME", false, false }, { "KIND", false, false }, { "SEVERITY", true, false }, { "VALUE", true, false },
	{ "EXPECTED", true, false }, { "WHAT", false, true },
};
/* clang-format on */

static void write_score(FILE *out, const char *time, double value, double score)
{
	if (isnan(value))
		fprintf(out, "%s,,%.3f\n", time, score);
	else
		fprintf(out, "%s,%.9g,%.3f\n", time, value, score);
}

static void add(struct anomalies *a, const char *time, const struct series_anomaly *now)
{
	(void)json_array_append_new(a->list, json_pack("{s:s,s:s,s:o,s:o,s:o}", "time", time,
						       "kind", anomaly_rows[now->kind].name,
						       "severity", json_number(now->severity),
						       "value", json_number(now->value), "expected",
						       json_number(now->expected)));
}

/* The newest one may have grown worse since. */
static void renew(struct anomalies *a, const struct series_anomaly *now)
{
	json_t *last = json_array_get(a->list, json_array_size(a->list) - 1);

	if (last)
		(void)json_object_set_new(last, "severity", json_number(now->severity));
}

void anomalies_take(const struct csv_series *s, size_t index, const struct series_anomaly *now,
		    void *arg)
{
	struct anomalies *a = arg;
	char time[TEXT];

	(void)csv_format_time(time, sizeof(time), s, index);
	if (a->scores && index == 0)
		fputs("time,value,score\n", a->scores);
	if (a->scores)
		write_score(a->scores, time, s->values[index], now->score);
	if (a->list && now->count != a->count)
		add(a, time, now);
	else if (a->list && now->score > 0)
		renew(a, now);
	a->count = now->count;
}

static const char *help_of(const char *kind)
{
	for (size_t i = 0; i < ANOMALY_KINDS; i++)
		if (streq(anomaly_rows[i].name, kind))
			return anomaly_rows[i].help;
	return "";
}

void anomalies_print(const struct anomalies *a, FILE *out)
{
	const json_t *one;
	struct table t;
	size_t i;

	if (json_array_size(a->list) == 0) {
		fputs("no anomalies found\n", out);
		return;
	}
	table_start(&t, columns, ARRAY_SIZE(columns));
	json_array_foreach (a->list, i, one) {
		const char *kind = show_text(json_object_get(one, "kind"), "?");

		table_cell(&t, "%s", show_text(json_object_get(one, "time"), "?"));
		table_cell(&t, "%s", kind);
		table_cell(&t, "%s",
			   show_fixed(show_number(json_object_get(one, "severity")), 2, "").text);
		table_cell(&t, "%s", show_plain(json_object_get(one, "value")).text);
		table_cell(&t, "%s", show_plain(json_object_get(one, "expected")).text);
		table_cell(&t, "%s", help_of(kind));
	}
	table_print(&t, out);
	table_free(&t);
}
