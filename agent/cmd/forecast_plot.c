// SPDX-License-Identifier: GPL-2.0-or-later
/* forecast_plot.c - what the pictures of foreshape forecast show. */
#include "agent/cmd/forecast_plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/util.h"
#include "agent/chart.h"
#include "agent/show.h"
#include "agent/svg.h"
#include "agent/table.h"

#define MAX_STEP_NS (366 * S_PER_DAY * NS_PER_S) /* of an answer; no agent has a longer one */
#define INDENT      4
#define MIN_PAST    60   /* steps before the last origin, or twice those ahead of it */
#define MAX_POINTS  4000 /* of a picture; of more, each so many steps one */

static const char *const level_names[PLOT_LEVELS_END] = {NULL,   "0.05", "0.25",
							 "0.50", "0.75", "0.95"};
static const int grid_levels[PLOT_LEVELS_END] = {-1, Q05, Q25, Q50, Q75, Q95};

void forecast_plot_report(const json_t *horizon, struct series_report *ret)
{
	const json_t *coverage = json_object_get(horizon, "coverage"), *one;
	size_t i;

	*ret = (struct series_report){};
	ret->coverage90 = show_number(json_object_get(coverage, "0.9"));
	json_array_foreach (json_object_get(horizon, "models"), i, one) {
		if (i == FORECAST_MAX_MODELS)
			break;
		ret->models[i].name = show_text(json_object_get(one, "name"), "?");
		ret->models[i].weight = show_number(json_object_get(one, "weight"));
		ret->n_models = i + 1;
	}
	json_array_foreach (json_object_get(horizon, "periods_steps"), i, one) {
		if (i == FORECAST_MAX_PERIODS)
			break;
		ret->periods[i] = (unsigned int)json_integer_value(one);
		ret->n_periods = i + 1;
	}
}

/* A number of nanoseconds that no picture goes beyond; 0: it is none. */
static int64_t read_ns(const json_t *ns)
{
	json_int_t v = json_integer_value(ns);

	return v > 0 && (uint64_t)v <= MAX_STEP_NS ? v : 0;
}

/* The forecast starts from the newest value, so that its curves leave from there. */
static void open_band(struct plot *p)
{
	struct plot_point *last = p->n > 0 ? &p->points[p->n - 1] : NULL;

	for (int c = PLOT_Q05; last && c < PLOT_LEVELS_END; c++)
		last->v[c] = last->v[PLOT_VALUE];
}

static void add_history(const json_t *history, double scale, struct plot *ret)
{
	const json_t *values = json_object_get(history, "values");
	int64_t step_ns = read_ns(json_object_get(history, "step_ns"));
	size_t n = MIN(json_array_size(values), MAX_POINTS);

	if (step_ns == 0 || step_ns > INT64_MAX / MAX_POINTS)
		return;
	for (size_t i = 0; i < n; i++) {
		struct plot_point *point = plot_add(ret, -(int64_t)(n - 1 - i) * step_ns);

		if (point)
			point->v[PLOT_VALUE] = show_number(json_array_get(values, i)) * scale;
	}
	open_band(ret);
}

static void add_path(const json_t *points, double scale, struct plot *ret)
{
	const json_t *one;
	size_t i;

	json_array_foreach (points, i, one) {
		int64_t ahead_ns = read_ns(json_object_get(one, "ahead_ns"));
		const json_t *q = json_object_get(one, "q");
		struct plot_point *point;

		if (ahead_ns <= (ret->n > 0 ? ret->points[ret->n - 1].at_ns : 0) || i == MAX_POINTS)
			break;
		point = plot_add(ret, ahead_ns);
		for (int c = PLOT_Q05; point && c < PLOT_LEVELS_END; c++)
			point->v[c] = show_number(json_object_get(q, level_names[c])) * scale;
	}
}

void forecast_plot_answer(const json_t *answer, struct plot *ret)
{
	const json_t *history = json_object_get(answer, "history"),
		     *horizon = json_array_get(json_object_get(answer, "horizons"), 0);
	bool cores = streq(show_text(json_object_get(answer, "unit"), ""), "mcpu");
	const char *route = show_text(json_object_get(answer, "route"), NULL);
	double scale = cores ? 1 / (double)MCPU : 1;
	struct series_report report;

	*ret = (struct plot){.unit = cores ? "CPUs" : "requests/s"};
	(void)snprintf(ret->title, sizeof(ret->title), "%.60s%s%.90s",
		       show_text(json_object_get(answer, "service"), "?"), route ? " " : "",
		       route ? route : "");
	ret->origin_real_ns = json_integer_value(json_object_get(history, "ends_real_ns"));
	ret->clock = ret->origin_real_ns > 0;
	forecast_plot_report(horizon, &report);
	plot_basis(ret->basis, sizeof(ret->basis), &report,
		   (uint64_t)read_ns(json_object_get(horizon, "step_ns")));
	add_history(history, scale, ret);
	add_path(json_object_get(answer, "points"), scale, ret);
}

void forecast_plot_backtest(const struct csv_series *s, const struct backtest_conf *conf,
			    const struct backtest_score *score, struct plot *ret)
{
	size_t origin = score->last_origin, past = MIN(origin, MAX(2 * conf->horizon, MIN_PAST));
	size_t each = (past + conf->horizon) / MAX_POINTS + 1;
	bool clock = s->start_real_ns != 0;

	*ret = (struct plot){.unit = "", .clock = clock};
	(void)snprintf(ret->title, sizeof(ret->title), "%s", s->column);
	plot_basis(ret->basis, sizeof(ret->basis), &score->report, s->step_ns);
	if (s->n_missing == s->n)
		return;
	if (clock)
		ret->origin_real_ns = s->start_real_ns + (int64_t)(origin * s->step_ns);
	for (size_t i = past / each * each; i > 0; i -= each) {
		struct plot_point *point = plot_add(ret, -(int64_t)(i * s->step_ns));

		if (point)
			point->v[PLOT_VALUE] = s->values[origin - i];
	}
	for (size_t i = 0; i <= conf->horizon; i += each) {
		struct plot_point *point = plot_add(ret, (int64_t)(i * s->step_ns));

		if (!point)
			return;
		point->v[PLOT_VALUE] = s->values[origin + i];
		if (i == 0)
			open_band(ret);
		for (int c = PLOT_Q05; i > 0 && c < PLOT_LEVELS_END; c++)
			point->v[c] = conf->last[i - 1].q[grid_levels[c]];
	}
}

void forecast_plot_basis(size_t column, const char *basis)
{
	char word[64];

	while (*basis) {
		size_t n = strcspn(basis, " ");

		(void)snprintf(word, sizeof(word), " %.*s", (int)n, basis);
		screen_word(stdout, &column, INDENT, word);
		basis += n + (basis[n] == ' ');
	}
	printf("\n");
}

int forecast_plot_svg(const struct cmd_args *args, const struct plot *p)
{
	const char *path = cmd_option(args, "svg");
	struct err e = {};
	int r = path ? svg_write(p, path, &e) : 0;

	if (r < 0)
		(void)cmd_failed(e.text);
	return r;
}

void forecast_plot_show(const struct plot *p)
{
	struct chart_conf conf = chart_conf_of(stdout);

	chart_draw(p, &conf, stdout);
}
