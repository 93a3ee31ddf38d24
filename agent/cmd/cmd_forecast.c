// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_forecast.c - foreshape forecast: what a service or API will need; --csv backtests a file. */
#include <math.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/client.h"
#include "agent/cmd/forecast_csv.h"
#include "agent/cmd/forecast_demand.h"
#include "agent/cmd/forecast_plot.h"
#include "agent/json.h"
#include "agent/show.h"
#include "agent/table.h"

#define MAX_ROWS  20 /* of a path; the chart shows the rest */
#define PATH_SIZE 1400

/* clang-format off */
static const struct cmd_option options[] = {
	{ "horizon", "DURATION", "show the path to this horizon instead, such as 5m" },
	{ "csv", "FILE", "backtest on this file instead of asking the agent" },
	{ "column", "NAME", "column to read; default: the second, or the only one" },
	{ "step", "DURATION", "time from row to row; needed where there is no time column" },
	{ "train", "DURATION", "history before the first forecast" },
	{ "stride", "DURATION", "time from forecast to forecast" },
	{ "events", "FILE", "with --csv: events known in advance, iCalendar or CSV; may be given again" },
	{ "svg", "OUT.svg", "write the chart as a picture too" },
	{ "emit", "OUT.csv", "write every forecast: origin, step, actual, mean and quantiles" },
	{ "gru", NULL, "train the recurrent network on what comes before the first forecast" },
	{ "tune", NULL, "fit constants to the series on the way, once a day of the file" },
	{ "anomalies", NULL, "list the values of the file that did not belong" },
	{ "short-cost", "N[,N]", "limits for each horizon, where a step above costs as N unused" },
	{ "scores", "OUT.csv", "write for every step how far it did not belong: time, value, score" },
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

/* The models behind one horizon that weigh anything, the periods, and how the interval held. */
static void print_models(const json_t *horizon)
{
	uint64_t ahead_ns = (uint64_t)json_integer_value(json_object_get(horizon, "horizon_ns"));
	json_int_t step_ns = json_integer_value(json_object_get(horizon, "step_ns"));
	size_t column = (size_t)printf("%s ahead:", show_ns(ahead_ns).text);
	struct series_report report;
	char basis[400];

	forecast_plot_report(horizon, &report);
	plot_basis(basis, sizeof(basis), &report, (uint64_t)MAX(step_ns, 0));
	forecast_plot_basis(column, basis);
}

static void print_table(const json_t *rows, const char *ahead_key, bool cores)
{
	size_t n = json_array_size(rows), shown = MIN(n, MAX_ROWS);
	struct table t;

	table_start(&t, columns, ARRAY_SIZE(columns));
	for (size_t i = 1; i <= shown; i++) {
		const json_t *one = json_array_get(rows, i * n / shown - 1);

		add_point(&t, (uint64_t)json_integer_value(json_object_get(one, ahead_key)), one,
			  cores);
	}
	table_print(&t, stdout);
	table_free(&t);
}

static void print_forecast(const json_t *answer, const struct plot *chart)
{
	const json_t *horizons = json_object_get(answer, "horizons"),
		     *points = json_object_get(answer, "points");
	bool cores = streq(show_text(json_object_get(answer, "unit"), ""), "mcpu");
	const char *route = show_text(json_object_get(answer, "route"), NULL);
	const json_t *one;
	size_t i;

	printf("%s%s%s, %s\n", show_text(json_object_get(answer, "service"), "?"), route ? " " : "",
	       route ? route : "", cores ? "CPUs" : "requests/s");
	if (json_array_size(horizons) == 0) {
		printf("nothing learned yet\n");
		return;
	}
	forecast_plot_show(chart);
	if (json_array_size(points) > 0)
		print_table(points, "ahead_ns", cores);
	else
		print_table(horizons, "horizon_ns", cores);
	json_array_foreach (horizons, i, one)
		print_models(one);
	forecast_demand_print(json_object_get(answer, "demand"));
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

/* The farthest horizon with as much measured before it as it is far, or the nearest; "" for none.
 */
static void choose_horizon(const json_t *answer, char *buf, size_t size)
{
	const json_t *horizons = json_object_get(answer, "horizons"), *one;
	double chosen_ns = 0;
	size_t i;

	json_array_foreach (horizons, i, one) {
		double horizon_ns = show_number(json_object_get(one, "horizon_ns"));
		double measured_ns = show_number(json_object_get(one, "measured")) *
				     show_number(json_object_get(one, "step_ns"));

		if (i == 0 || (measured_ns >= horizon_ns && horizon_ns > chosen_ns))
			chosen_ns = horizon_ns;
	}
	*buf = '\0';
	if (chosen_ns >= 1)
		(void)snprintf(buf, size, "%.0fus", chosen_ns / (double)NS_PER_US);
}

/* Asks for the path to the horizon that suits a picture best. */
static int get_path(const char *what, const json_t *answer, json_t **ret, struct err *e)
{
	char path[PATH_SIZE], horizon[40];

	choose_horizon(answer, horizon, sizeof(horizon));
	if (!*horizon)
		return 0;
	make_path(path, sizeof(path), what, horizon);
	return client_get(path, ret, e);
}

static int show(const struct cmd_args *args, json_t *answer, const struct plot *chart)
{
	if (args->json)
		return json_print(stdout, json_incref(answer)) < 0 ? EXIT_FAILED : EXIT_OK;
	print_forecast(answer, chart);
	return EXIT_OK;
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	const char *horizon = cmd_option(args, "horizon");
	json_auto_t *answer = NULL, *ahead = NULL;
	_cleanup_(plot_free) struct plot chart = {};
	char path[PATH_SIZE];
	struct err e = {};
	int r;

	if (cmd_option(args, "csv"))
		return forecast_csv_main(cmd, args);
	if (args->n_words != 1)
		return cmd_usage(cmd, "takes SERVICE, SERVICE/API, or --csv FILE");
	make_path(path, sizeof(path), args->words[0], horizon);
	r = client_get(path, &answer, &e);
	if (r == 0 && !horizon && (!args->json || cmd_option(args, "svg")))
		r = get_path(args->words[0], answer, &ahead, &e);
	if (r < 0)
		return client_failed(r, &e);
	forecast_plot_answer(ahead ? ahead : answer, &chart);
	if (forecast_plot_svg(args, &chart) < 0)
		return EXIT_FAILED;
	return show(args, answer, &chart);
}

const struct cmd cmd_forecast = {
	.name = "forecast",
	.args = "SERVICE[/API] | --csv FILE",
	.help = "what a service or API will need; or backtest a CSV file",
	.more = "For a service: CPUs. For one of its APIs, named like 'checkout/POST /v1/orders/{id}' or "
		"'checkout/v1/orders/{id}': requests per second. The chart shows what was measured, then the median and "
		"the 90 % band, in local time, for --horizon or the farthest horizon that as much was measured for. "
		"Each row below is a horizon, with the mean and quantiles of what is expected there; then come the "
		"models with their weights, the periods found, and how often the 90 % interval held. For a service the end "
		"is what the plan goes by: CPU, memory and bandwidth over the policy's lead, the highest step and the mean of "
		"all, how often the intervals of 80 and 90 % held so far, and the say of the forecasts that come from the "
		"APIs (their requests times their learned costs, with their correlation) beside the service's own series.\n\n"
		"With --csv the file is read instead, in rolling-origin fashion: after --train, a forecast of "
		"--horizon is made every --stride and compared with what came. The chart shows the last of "
		"them; the table below it tells the weight of each model, its mean loss, and how much of the state is its own. "
		"Events of --events are known at every origin; what they do before, while they run and after is "
		"learned from the earlier ones of the same name and shown as factors. Such a file is iCalendar (.ics), or lines of "
		"date,name[,end[,multiplier]]: dates, the last one included, or times, in UTC unless they say otherwise.\n\n"
		"--anomalies "
		"lists what did not belong, each with its kind and a severity from 0.5 to 1: a spike, unrest, an hour "
		"unlike itself, a value outside of the range seen, a shift of the level, a drought, a flat line. "
		"--tune has the series fit constants of its own to what it has seen, as the agent does; they are taken once "
		"they have proved better on values that came later. "
		"--gru spends about two seconds on the weights of the model gru; without them it knows the newest value alone. "
		"--scores writes the severity of every step from the first one on, 0 where there is nothing new.",
	.options = options,
	.json = true,
	.run = run,
};
