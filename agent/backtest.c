// SPDX-License-Identifier: GPL-2.0-or-later
/* backtest.c - forecasts of a recorded series from rolling origins. */
#include "agent/backtest.h"

#include <errno.h>
#include <math.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "forecast/gru_fit.h"

#define MIN_PERIOD     24
#define MAX_PERIOD     10080 /* longest period looked for, in steps */
#define TEXT           64
#define TIMED          8    /* horizons of a forecast whose CPU is measured */
#define GRU_ROOM       1000 /* windows the shared network learns from */
#define GRU_BATCHES    2000 /* about two seconds */
#define PROGRESS_PARTS 50
#define LOWEST         (3.41 / 2.73) /* the 1 % level from the 2.5 % one, as far again from the median */

/* Columns of the emitted file after the mean. */
static const int emitted[] = {Q05, Q10, Q25, Q50, Q75, Q90, Q95, Q99, Q025, Q975, Q999};

struct run {
	const struct csv_series *s;
	const struct backtest_conf *conf;
	struct series *series;
	double pinball, size, error; /* sums over scored steps */
	size_t in80, in90, in95, in98, scored, origins, last_origin;
	struct gru_fit *fit; /* owns the weights the series uses */
	uint64_t learn_ns, forecast_ns, tune_ns;
	size_t forecasts;
};

static uint64_t cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void score(struct run *r, const struct forecast *f, double y)
{
	/* .025, .975 and .99 are judged by the coverage. */
	static const int scored[] = {Q05, Q10, Q25, Q50, Q75, Q90, Q95};
	const size_t n = ARRAY_SIZE(scored);
	double lowest = f->q[Q50] - (f->q[Q50] - f->q[Q025]) * LOWEST;

	if (isnan(y))
		return;
	for (size_t i = 0; i < n; i++) {
		double level = forecast_level[scored[i]], d = y - f->q[scored[i]];

		r->pinball += 2 * (d < 0 ? (level - 1) * d : level * d) / (double)n;
	}
	r->size += fabs(y);
	r->error += fabs(y - f->q[Q50]);
	r->in80 += y >= f->q[Q10] && y <= f->q[Q90];
	r->in90 += y >= f->q[Q05] && y <= f->q[Q95];
	r->in95 += y >= f->q[Q025] && y <= f->q[Q975];
	r->in98 += y >= lowest && y <= f->q[Q99];
	r->scored++;
}

static void emit(struct run *r, size_t origin, size_t step, const struct forecast *f)
{
	FILE *out = r->conf->emit;
	double y = r->s->values[origin + step];
	char from[TEXT], at[TEXT];

	if (!out)
		return;
	fprintf(out, "%s,%zu,%s,", csv_format_time(from, sizeof(from), r->s, origin), step,
		csv_format_time(at, sizeof(at), r->s, origin + step));
	if (!isnan(y))
		fprintf(out, "%.9g", y);
	fprintf(out, ",%.9g", f->mean);
	for (size_t i = 0; i < ARRAY_SIZE(emitted); i++)
		fprintf(out, ",%.9g", f->q[emitted[i]]);
	fputc('\n', out);
}

/* What one forecast of @TIMED horizons takes; what is worked out on the way is kept by the series.
 */
static void time_forecast(struct run *r)
{
	uint64_t began = cpu_ns();
	struct forecast f;

	for (size_t i = 1; i <= TIMED; i++)
		series_predict(r->series, (unsigned int)MAX(i * r->conf->horizon / TIMED, 1), &f);
	r->forecast_ns += cpu_ns() - began;
}

/* Tells who asks for it what is forecast after step @origin. */
static void tell(const struct run *r, size_t origin)
{
	if (r->conf->made && r->conf->last)
		r->conf->made(r->s, origin, r->conf->last, r->conf->horizon, r->conf->made_arg);
}

static void rehearse(const struct run *r, size_t origin)
{
	for (size_t step = 1; step <= r->conf->horizon; step++)
		series_predict(r->series, (unsigned int)step, &r->conf->last[step - 1]);
	tell(r, origin);
}

static void forecast_from(struct run *r, size_t origin)
{
	r->origins++;
	r->last_origin = origin;
	time_forecast(r);
	for (size_t step = 1; step <= r->conf->horizon; step++) {
		struct forecast f;

		series_predict(r->series, (unsigned int)step, &f);
		score(r, &f, r->s->values[origin + step]);
		emit(r, origin, step, &f);
		if (r->conf->last)
			r->conf->last[step - 1] = f;
	}
	tell(r, origin);
}

/* Does @job of @s, NULL: nothing to do. Returns the CPU that took, in ns. */
static uint64_t work(struct series *s, struct series_job *job)
{
	uint64_t began;

	if (!job)
		return 0;
	began = cpu_ns();
	series_job_run(job);
	series_job_give(s, job);
	return cpu_ns() - began;
}

/* After training: the shared network learns from this series alone. */
static int train(struct run *r, size_t i)
{
	const struct gru *weights;
	double loss;
	int err;

	if (!r->conf->gru || i + 1 != r->conf->train)
		return 0;
	err = gru_fit_new(GRU_ROOM, r->s->n, NULL, &r->fit);
	if (err < 0)
		return err;
	gru_fit_add(r->fit, r->series);
	(void)gru_fit_run(r->fit, GRU_BATCHES);
	weights = gru_fit_best(r->fit, &loss);
	series_share(r->series, weights);
	return 0;
}

static void look(const struct run *r, size_t i)
{
	struct series_anomaly now;

	if (!r->conf->look)
		return;
	series_anomaly(r->series, &now);
	r->conf->look(r->s, i, &now, r->conf->arg);
}

/* Whether a forecast is made after step @i. */
static bool is_origin(const struct run *r, size_t i)
{
	return i + 1 >= r->conf->train && (i + 1 - r->conf->train) % r->conf->stride == 0 &&
	       i + r->conf->horizon < r->s->n;
}

/* Whether one would be, had it not been for training. */
static bool is_rehearsal(const struct run *r, size_t i)
{
	return r->conf->made && r->conf->last && i + 1 < r->conf->train &&
	       (r->conf->train - (i + 1)) % r->conf->stride == 0;
}

static int roll(struct run *r)
{
	size_t part = r->s->n / PROGRESS_PARTS + 1;
	uint64_t began;
	int err;

	for (size_t i = 0; i < r->s->n; i++) {
		if (r->conf->progress && i % part == 0)
			r->conf->progress(i, r->s->n);
		began = i % 64 == 0 ? cpu_ns() : 0;
		if (r->conf->events)
			backtest_events_tell(r->conf->events, r->s, i, r->conf->horizon, r->series);
		series_observe(r->series, r->s->values[i]);
		if (began)
			r->learn_ns += cpu_ns() - began;
		look(r, i);
		(void)work(r->series, series_job_take(r->series));
		if (r->conf->tunes)
			r->tune_ns += work(r->series, series_tune_take(r->series));
		err = train(r, i);
		if (err < 0)
			return err;
		if (is_origin(r, i))
			forecast_from(r, i);
		else if (is_rehearsal(r, i))
			rehearse(r, i);
	}
	if (r->conf->progress)
		r->conf->progress(r->s->n, r->s->n);
	return 0;
}

/* Mean change from step to step in the training part; NAN where there is none. */
static double naive_error(const struct csv_series *s, size_t train)
{
	double sum = 0, n = 0;

	for (size_t i = 1; i < train; i++) {
		double d = fabs(s->values[i] - s->values[i - 1]);

		if (isnan(d))
			continue;
		sum += d;
		n++;
	}
	return n > 0 && sum > 0 ? sum / n : NAN;
}

int backtest_check(const struct csv_series *s, const struct backtest_conf *conf, struct err *e)
{
	char have[TEXT], need[TEXT];

	if (conf->train < 1 || conf->horizon < 1 || conf->stride < 1)
		return err_say(e, -EINVAL,
			       "training, horizon and stride must be at least one step");
	if (conf->train + conf->horizon <= s->n)
		return 0;
	return err_say(
		e, -EINVAL,
		"%zu steps (%s) are too few for --train and --horizon of %zu steps (%s) together: "
		"pass shorter ones",
		s->n, format_duration(have, sizeof(have), s->n * s->step_ns),
		conf->train + conf->horizon,
		format_duration(need, sizeof(need), (conf->train + conf->horizon) * s->step_ns));
}

static void finish(const struct run *r, struct backtest_score *ret)
{
	double n = (double)r->scored;

	*ret = (struct backtest_score){.origins = r->origins, .scored = r->scored};
	ret->last_origin = r->last_origin;
	ret->wql = r->size > 0 ? r->pinball / r->size : NAN;
	ret->mase = r->error / n / naive_error(r->s, r->conf->train);
	ret->coverage80 = (double)r->in80 / n;
	ret->coverage90 = (double)r->in90 / n;
	ret->coverage95 = (double)r->in95 / n;
	ret->coverage98 = (double)r->in98 / n;
	ret->update_us = (double)r->learn_ns / ((double)r->s->n / 64 + 1) / (double)NS_PER_US;
	ret->state_bytes = series_save_size(r->series);
	ret->forecast_us = (double)r->forecast_ns / (double)r->origins / (double)NS_PER_US;
	ret->tune_ms = (double)r->tune_ns / (double)NS_PER_MS;
	series_report(r->series, &ret->report);
}

int backtest_run(const struct csv_series *s, const struct backtest_conf *conf,
		 struct backtest_score *ret, struct err *e)
{
	_cleanup_(series_freep) struct series *series = NULL;
	struct run r = {.s = s, .conf = conf};
	struct series_conf shape = {.step_ns = s->step_ns};
	int err = backtest_check(s, conf, e);

	if (err < 0)
		return err;
	shape.horizon = (unsigned int)conf->horizon;
	shape.max_period = (unsigned int)clamp_u64(s->n / 2, MIN_PERIOD, MAX_PERIOD);
	err = series_new(&shape, &series);
	if (err < 0)
		return err_set(e, err, "forecast %zu steps ahead", conf->horizon);
	r.series = series;
	if (conf->emit)
		fputs("origin,step,time,actual,mean,q05,q10,q25,q50,q75,q90,q95,q99,q025,q975,q999\n",
		      conf->emit);
	err = roll(&r);
	finish(&r, ret);
	gru_fit_free(r.fit);
	if (err < 0)
		return err_set(e, err, "train the network");
	if (conf->events) {
		err = backtest_events_effects(conf->events, series, &ret->effects);
		if (err < 0)
			return err_set(e, err, "list the events");
		ret->n_effects = (size_t)err;
	}
	if (conf->emit && (fflush(conf->emit) != 0 || ferror(conf->emit)))
		return err_set(e, errno > 0 ? -errno : -EIO, "write the forecasts");
	return 0;
}
