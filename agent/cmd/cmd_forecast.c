// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_forecast.c - foreshape forecast: what a service or API will need; --csv backtests a file. */
#include <math.h>
#include <string.h>

#include "agent/base/util.h"
#include "agent/client.h"
#include "agent/client_cmd.h"
#include "agent/cmd/forecast_csv.h"
#include "agent/show.h"
#include "agent/table.h"

#define INDENT       4
#define SMALL_WEIGHT 0.005 /* of a model not worth a word */

/* clang-format off */
static const struct cmd_option options[] = {
	{ "horizon", "DURATION", "show the path to this horizon instead, such as 5m" },
	{ "csv", "FILE", "backtest on this file instead of asking the agent" },
	{ "column", "NAME", "column to read; default: the second, or the only one" },
	{ "step", "DURATION", "time from row to row; needed where there is no time column" },
	{ "train", "DURATION", "history before the first forecast" },
	{ "stride", "DURATION", "time from forecast to forecast" },
	{ "emit", "OUT.csv", "write every forecast: origin, step, actual, mean and quantiles" },
	{},
};
static const struct table_column columns[] = {
	{ "AHEAD", true, false }, { "MEAN", true, false }, { "q05", true, false }, { "q25", true, false },
	{ "q50", true, false }, { "q75", true, false }, { "q95", true, false }, { "q99", true, false },
};
/* clang-format on */

static void add_point(struct table *t, uint64_t ahead_ns, const json_t *point, bool cores)
{
	static const char *const levels[] = {"0.05", "0.25", "0.50", "0.75", "0.95", "0.99"};
	const json_t *q = json_object_get(point, "q"), *mean = json_object_get(point, "mean");

	table_cell(t, "%s", show_ns(ahead_ns).text);
	table_cell(t, "%s", cores ? show_cores(mean).text : show_plain(mean).text);
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		const json_t *v = json_object_get(q, levels[i]);

		table_cell(t, "%s", cores ? show_cores(v).text : show_plain(v).text);
	}
}

static void print_periods(const json_t *periods, size_t *column)
{
	const json_t *p;
	char word[40];
	size_t i;

	screen_word(stdout, column, INDENT,
		    json_array_size(periods) ? "; periods of" : "; no period found");
	json_array_foreach (periods, i, p) {
		(void)snprintf(word, sizeof(word), "%s %lld", i ? "," : "", json_integer_value(p));
		screen_word(stdout, column, INDENT, word);
	}
	if (json_array_size(periods))
		screen_word(stdout, column, INDENT, " steps");
}

/* The models behind one horizon that weigh anything, the periods, and how the interval held. */
static void print_models(const json_t *horizon)
{
	const json_t *models = json_object_get(horizon, "models"), *m;
	const json_t *held = json_object_get(json_object_get(horizon, "coverage"), "0.9");
	uint64_t ahead_ns = (uint64_t)json_integer_value(json_object_get(horizon, "horizon_ns"));
	size_t column = (size_t)printf("%s ahead:", show_ns(ahead_ns).text), i;
	char word[80];

	json_array_foreach (models, i, m) {
		double weight = show_number(json_object_get(m, "weight"));

		if (!(weight >= SMALL_WEIGHT))
			continue;
		(void)snprintf(word, sizeof(word), " %.40s %.2f",
			       show_text(json_object_get(m, "name"), "?"), weight);
		screen_word(stdout, &column, INDENT, word);
	}
	print_periods(json_object_get(horizon, "periods_steps"), &column);
	if (json_is_number(held)) {
		(void)snprintf(word, sizeof(word), "; 90%% interval held %.20s",
			       show_percent(held).text);
		screen_word(stdout, &column, INDENT, word);
	}
	printf("\n");
}

static void print_forecast(const json_t *answer)
{
	const json_t *horizons = json_object_get(answer, "horizons"),
		     *points = json_object_get(answer, "points");
	bool cores = streq(show_text(json_object_get(answer, "unit"), ""), "mcpu"), path;
	const char *route = show_text(json_object_get(answer, "route"), NULL);
	const json_t *one;
	struct table t;
	size_t i;

	printf("%s%s%s, %s\n", show_text(json_object_get(answer, "service"), "?"), route ? " " : "",
	       route ? route : "", cores ? "CPUs" : "requests/s");
	if (json_array_size(horizons) == 0) {
		printf("nothing learned yet\n");
		return;
	}
	path = json_array_size(points) > 0;
	table_start(&t, columns, ARRAY_SIZE(columns));
	json_array_foreach (path ? points : horizons, i, one)
		add_point(&t,
			  (uint64_t)json_integer_value(
				  json_object_get(one, path ? "ahead_ns" : "horizon_ns")),
			  one, cores);
	table_print(&t, stdout);
	table_free(&t);
	json_array_foreach (horizons, i, one)
		print_models(one);
}

/* Writes the query for "SERVICE", "SERVICE/path" or "SERVICE/GET /path" to @path. */
static void make_path(char *path, size_t size, const char *what, const char *horizon)
{
	char service[400], route[800], escaped[800], ahead[100];
	const char *slash = strchr(what, '/');
	size_t n = slash ? (size_t)(slash - what) : strlen(what);

	(void)copy_str(route, MIN(sizeof(route), n + 1), what);
	(void)client_escape(service, sizeof(service), route);
	*route = '\0';
	if (slash) /* a route without method keeps its slash */
		(void)snprintf(route, sizeof(route), "&route=%s",
			       client_escape(escaped, sizeof(escaped),
					     strchr(slash, ' ') || streq(slash, "/other")
						     ? slash + 1
						     : slash));
	(void)snprintf(path, size, "/v1/forecast?service=%s%s%s%s", service, route,
		       horizon ? "&horizon=" : "",
		       horizon ? client_escape(ahead, sizeof(ahead), horizon) : "");
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	char path[1400];

	if (cmd_option(args, "csv"))
		return forecast_csv_main(cmd, args);
	if (args->n_words != 1)
		return cmd_usage(cmd, "takes SERVICE, SERVICE/API, or --csv FILE");
	make_path(path, sizeof(path), args->words[0], cmd_option(args, "horizon"));
	return client_show(args, path, print_forecast);
}

const struct cmd cmd_forecast = {
	.name = "forecast",
	.args = "SERVICE[/API] | --csv FILE",
	.help = "what a service or API will need; or backtest a CSV file",
	.more = "For a service: CPUs. For one of its APIs, named like 'checkout/POST /v1/orders/{id}' or "
		"'checkout/v1/orders/{id}': requests per second. Each row is a horizon, with the mean and quantiles of "
		"what is expected there, and below the models with their weights, the periods found, and how often "
		"the 90 % interval held.\n\n"
		"With --csv the file is read instead, in rolling-origin fashion: after --train, a forecast of "
		"--horizon is made every --stride and compared with what came.",
	.options = options,
	.json = true,
	.run = run,
};
