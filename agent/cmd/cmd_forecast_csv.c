// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_forecast_csv.c - foreshape forecast --csv: how well a recorded series would have been
 * forecast. */
#include "agent/cmd/forecast_csv.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/backtest.h"
#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/cmd/forecast_anomalies.h"
#include "agent/cmd/forecast_events.h"
#include "agent/cmd/forecast_limits.h"
#include "agent/cmd/forecast_plot.h"
#include "agent/csv.h"
#include "agent/json.h"
#include "agent/progress.h"
#include "agent/show.h"

#define DEFAULT_HORIZON 60 /* steps, but no more than a tenth of what there is */
#define TEXT            64

struct lengths {
	uint64_t step_ns, train_ns, horizon_ns, stride_ns; /* 0: not given */
};

/* What else is asked for. */
struct extras {
	json_t *anomalies; /* NULL: not wanted */
	struct limits *limits;
};

/* Reads a duration that is not 0, where option @name is given. */
static int take_duration(const struct cmd_args *args, const char *name, uint64_t *ret)
{
	const char *text = cmd_option(args, name);
	uint64_t ns;

	if (!text)
		return 0;
	if (parse_duration_ns(text, &ns) < 0 || ns == 0 || ns > INT64_MAX) {
		fprintf(stderr,
			"foreshape forecast: --%s '%s' is no duration such as 60s, 1h or 7d\n",
			name, text);
		return -EINVAL;
	}
	*ret = ns;
	return 0;
}

static int take_lengths(const struct cmd_args *args, struct lengths *ret)
{
	if (take_duration(args, "step", &ret->step_ns) < 0 ||
	    take_duration(args, "train", &ret->train_ns) < 0 ||
	    take_duration(args, "horizon", &ret->horizon_ns) < 0 ||
	    take_duration(args, "stride", &ret->stride_ns) < 0)
		return -EINVAL;
	return 0;
}

/* Durations as steps, rounded up: half of the file to train on unless told, no overlap of origins.
 */
static struct backtest_conf to_steps(const struct csv_series *s, const struct lengths *l)
{
	struct backtest_conf c = {};

	c.horizon = l->horizon_ns ? (l->horizon_ns - 1) / s->step_ns + 1
				  : clamp_u64(s->n / 10, 1, DEFAULT_HORIZON);
	c.train = l->train_ns ? (l->train_ns - 1) / s->step_ns + 1 : MAX(s->n / 2, 1);
	c.stride = l->stride_ns ? (l->stride_ns - 1) / s->step_ns + 1 : c.horizon;
	return c;
}

static json_t *tuned_json(const struct backtest_score *score)
{
	json_t *tuned = json_tuned(&score->report);

	(void)json_object_set_new(tuned, "cpu_ms", json_number(score->tune_ms));
	return tuned;
}

static int print_json(const struct csv_series *s, const struct backtest_conf *c,
		      const struct backtest_score *score, const struct extras *x)
{
	json_t *coverage =
		json_pack("{s:o,s:o,s:o,s:o}", "80", json_number(score->coverage80), "90",
			  json_number(score->coverage90), "95", json_number(score->coverage95),
			  "98", json_number(score->coverage98));
	json_t *all = json_pack(
		"{s:i,s:s,s:I,s:I,s:f,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:f,s:o,s:o}", "schema",
		1, "column", s->column, "points", (json_int_t)s->n, "missing",
		(json_int_t)s->n_missing, "step_s", (double)s->step_ns / (double)NS_PER_S,
		"origins", (json_int_t)score->origins, "train_steps", (json_int_t)c->train,
		"horizon_steps", (json_int_t)c->horizon, "stride_steps", (json_int_t)c->stride,
		"wql", json_number(score->wql), "mase", json_number(score->mase), "coverage",
		coverage, "update_us", json_number(score->update_us), "forecast_us",
		json_number(score->forecast_us), "state_kib", (double)score->state_bytes / 1024,
		"models", json_models(&score->report), "periods", json_periods(&score->report));

	if (all && c->tunes)
		(void)json_object_set_new(all, "tuned", tuned_json(score));
	if (all && x->anomalies)
		(void)json_object_set(all, "anomalies", x->anomalies);
	if (all && x->limits->n > 0)
		(void)json_object_set_new(all, "limits", limits_json(x->limits));
	if (all && score->effects)
		(void)json_object_set_new(all, "events", forecast_events_json(score));
	return json_print(stdout, all) < 0 ? EXIT_FAILED : EXIT_OK;
}

static void print_table(const struct csv_series *s, const struct backtest_conf *c,
			const struct backtest_score *score)
{
	char step[TEXT], horizon[TEXT], period[TEXT];
	const struct series_report *r = &score->report;

	printf("%s: %zu steps of %s, %zu missing\n", s->column, s->n,
	       format_duration(step, sizeof(step), s->step_ns), s->n_missing);
	printf("%zu origins, %s ahead (%zu steps), after %zu steps of training\n\n", score->origins,
	       format_duration(horizon, sizeof(horizon), c->horizon * s->step_ns), c->horizon,
	       c->train);
	printf("weighted quantile loss  %s\n", show_fixed(score->wql, 4, "").text);
	printf("MASE                    %s\n", show_fixed(score->mase, 3, "").text);
	printf("coverage                80 %%: %s   90 %%: %s   95 %%: %s   98 %%: %s\n",
	       show_fixed(100 * score->coverage80, 1, " %").text,
	       show_fixed(100 * score->coverage90, 1, " %").text,
	       show_fixed(100 * score->coverage95, 1, " %").text,
	       show_fixed(100 * score->coverage98, 1, " %").text);
	if (c->tunes)
		printf("tuned                   %u times searched, %u times changed; the last change "
		       "saved %s of the loss; %.0f ms\n",
		       r->n_tuned, r->n_gained, show_fixed(100 * r->gain, 1, " %").text,
		       score->tune_ms);
	printf("periods                 ");
	for (size_t i = 0; i < r->n_periods; i++)
		printf("%s%s (%u steps)", i > 0 ? ", " : "",
		       plot_period(period, sizeof(period), r->periods[i] * s->step_ns),
		       r->periods[i]);
	printf("%s\n\n%-22s %6s %10s %7s\n", r->n_periods > 0 ? "" : "none found", "MODEL",
	       "WEIGHT", "LOSS", "BYTES");
	for (size_t i = 0; i < r->n_models; i++)
		printf("%-22s %6.3f %10.4g %7zu\n", r->models[i].name, r->models[i].weight,
		       r->models[i].loss, r->models[i].bytes);
}

/* Only once the input was read: it may be the same file. */
static int open_output(const struct cmd_args *args, const char *option, FILE **ret)
{
	const char *to = cmd_option(args, option);

	if (!to)
		return 0;
	*ret = fopen(to, "we");
	if (*ret)
		return 0;
	fprintf(stderr, "foreshape: create %s: %s\n", to, strerror(errno));
	return -EIO;
}

static int end_scores(FILE *scores)
{
	if (!scores || (fflush(scores) == 0 && !ferror(scores)))
		return 0;
	fprintf(stderr, "foreshape: write the scores: %s\n", strerror(errno));
	return -EIO;
}

static int run(struct cmd_args *args, const struct lengths *l)
{
	_cleanup_(csv_free) struct csv_series s = {};
	_cleanup_(fclosep) FILE *emit = NULL, *scores = NULL;
	_cleanup_(freep) struct forecast *last = NULL;
	_cleanup_(plot_free) struct plot chart = {};
	_cleanup_(backtest_events_free) struct backtest_events events = {};
	_cleanup_(freep) struct backtest_effect *effects = NULL;
	json_auto_t *list = cmd_option(args, "anomalies") ? json_array() : NULL;
	const char *short_cost = cmd_option(args, "short-cost");
	_cleanup_(limits_free) struct limits limits = {};
	struct extras x = {.anomalies = list, .limits = &limits};
	struct anomalies found = {.list = list};
	struct backtest_score score = {};
	struct backtest_conf conf;
	struct err e = {};
	bool failed;
	int err;

	err = short_cost ? limits_parse(short_cost, &limits) : 0;
	if (err == -ENOMEM)
		return cmd_failed("out of memory");
	if (err < 0) {
		fprintf(stderr,
			"foreshape forecast: --short-cost '%s' is no list of costs above 0, such "
			"as 1,3,10\n",
			short_cost);
		return EXIT_USAGE;
	}
	if (csv_read(cmd_option(args, "csv"), cmd_option(args, "column"), l->step_ns, &s, &e) < 0) {
		fprintf(stderr, "foreshape: %s\n", e.text);
		return EXIT_FAILED;
	}
	if (s.n_negative > 0)
		fprintf(stderr, "foreshape: %zu negative values count as missing\n", s.n_negative);
	conf = to_steps(&s, l);
	if (backtest_check(&s, &conf, &e) < 0) {
		fprintf(stderr, "foreshape: %s\n", e.text);
		return EXIT_FAILED;
	}
	if (forecast_events_read(args, &s, conf.horizon, &events) < 0)
		return EXIT_FAILED;
	if (open_output(args, "emit", &emit) < 0 || open_output(args, "scores", &scores) < 0)
		return EXIT_FAILED;
	last = calloc(conf.horizon, sizeof(*last));
	if (!last)
		return cmd_failed("out of memory");
	conf.last = last;
	conf.events = cmd_option(args, "events") ? &events : NULL;
	found.scores = scores;
	conf.look = list || scores ? anomalies_take : NULL;
	conf.arg = &found;
	conf.made = short_cost ? limits_take : NULL;
	conf.made_arg = &limits;
	limits.from = conf.train;
	conf.emit = emit;
	conf.gru = cmd_option(args, "gru") != NULL;
	conf.tunes = cmd_option(args, "tune") != NULL;
	conf.progress = progress_on_terminal();
	failed = backtest_run(&s, &conf, &score, &e) < 0;
	effects = score.effects;
	if (failed) {
		fprintf(stderr, "foreshape: %s\n", e.text);
		return EXIT_FAILED;
	}
	forecast_plot_backtest(&s, &conf, &score, &chart);
	if (end_scores(scores) < 0 || forecast_plot_svg(args, &chart) < 0)
		return EXIT_FAILED;
	if (args->json)
		return print_json(&s, &conf, &score, &x);
	print_table(&s, &conf, &score);
	if (effects) {
		printf("\n");
		forecast_events_print(&score);
	}
	printf("\nthe last forecast:\n");
	forecast_plot_show(&chart);
	forecast_plot_basis((size_t)printf("based on"), chart.basis);
	if (short_cost) {
		printf("\n");
		limits_print(&limits, conf.horizon * s.step_ns, stdout);
	}
	if (list) {
		printf("\n");
		anomalies_print(&found, stdout);
	}
	return EXIT_OK;
}

int forecast_csv_main(const struct cmd *cmd, struct cmd_args *args)
{
	struct lengths l = {};

	if (args->n_words > 0) {
		fprintf(stderr, "foreshape %s: --csv takes no '%s' besides\n", cmd->name,
			args->words[0]);
		return EXIT_USAGE;
	}
	if (take_lengths(args, &l) < 0)
		return EXIT_USAGE;
	return run(args, &l);
}
