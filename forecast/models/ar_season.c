// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ar_season.c - autoregression on what level and seasons leave: values without their season are
 * regressed on their last ones, short means and the level. Learned online, iterated to the step
 * asked for. Seasonal adjustment first, as STL + ARIMA: Cleveland et al. (1990); Hyndman,
 * Athanasopoulos (2021), "Forecasting: principles and practice", ch. 13.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/util.h"
#include "forecast/models/adjusted.h"
#include "forecast/models/models.h"
#include "forecast/rls.h"

#define LAGS      5 /* newest ones that are looked at */
#define MEANS     2 /* short means */
#define INPUTS    (1 + LAGS + MEANS)
#define LOOSE     30.0 /* of the ridge */
#define WILD      8.0  /* mean errors: more is a burst, which is not to echo */
#define SHIFT_RUN 3    /* in a row on one side: the level has moved */

static const double mean_step[MEANS] = {0.25, 0.06};

/* The newest values without their season, and means of them. */
struct rests {
	double lag[LAGS], mean[MEANS];
};

struct ar_season {
	struct rls rls;
	float numbers[RLS_NUMBERS(INPUTS)];
	struct rests now, end; /* at the newest value, and at the end of the path */
	int32_t run;
	struct adjusted all; /* last: its numbers follow */
};

static size_t size(const struct series_conf *conf)
{
	return sizeof(struct ar_season) + adjusted_room(conf);
}

static void init(void *state, const struct past *past, const struct series_conf *conf)
{
	struct ar_season *m = state;

	(void)past;
	adjusted_init(&m->all, conf);
	rls_init(&m->rls, m->numbers, INPUTS, LOOSE);
}

static void inputs(const struct ar_season *m, const struct rests *r, double *in)
{
	size_t n = 0;

	in[n++] = 0.1; /* small, so that the ridge holds the drift near none */
	in[n++] = m->all.level - r->lag[0];
	for (size_t i = 0; i + 1 < LAGS; i++)
		in[n++] = r->lag[i] - r->lag[i + 1];
	for (size_t i = 0; i < MEANS; i++)
		in[n++] = r->mean[i] - r->lag[0];
}

static void push(struct rests *r, double rest)
{
	memmove(r->lag + 1, r->lag, (LAGS - 1) * sizeof(*r->lag));
	r->lag[0] = rest;
	for (size_t i = 0; i < MEANS; i++)
		r->mean[i] += mean_step[i] * (rest - r->mean[i]);
}

static void start(struct rests *r, double rest)
{
	for (size_t i = 0; i < LAGS; i++)
		r->lag[i] = rest;
	for (size_t i = 0; i < MEANS; i++)
		r->mean[i] = rest;
}

/* What a value without season counts as: a burst is cut, a run of them is a shift. */
static double tame(struct ar_season *m, double rest, double error)
{
	double most = WILD * m->rls.error;

	if (m->all.n_values <= 30 || fabs(error) <= most) {
		m->run = 0;
		return rest;
	}
	m->run = error > 0 ? MAX(m->run, 0) + 1 : MIN(m->run, 0) - 1;
	if (abs(m->run) < SHIFT_RUN)
		return rest - error + copysign(most, error);
	m->run = 0;
	m->all.level = rest;
	start(&m->now, rest);
	return rest;
}

static void observe(void *state, const struct past *past, double x)
{
	struct ar_season *m = state;
	double rest = x - past->season, in[RLS_MAX];

	m->all.n_path = 0;
	inputs(m, &m->now, in);
	if (isnan(x)) {
		push(&m->now, m->now.lag[0] + rls_predict(&m->rls, m->numbers, in));
		return;
	}
	adjusted_see(&m->all, past, x);
	if (m->all.n_values == 1) {
		start(&m->now, m->all.level);
	} else {
		double before = m->now.lag[0],
		       error = rest - before - rls_predict(&m->rls, m->numbers, in);

		rls_learn(&m->rls, m->numbers, in, rest - before, 1 - (double)past->tuning.forget);
		rest = tame(m, rest, error);
	}
	adjusted_learn(&m->all, past, rest - m->all.level);
	push(&m->now, rest); /* as it came: the season has learned from it since */
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	struct ar_season *m = state;
	struct adjusted *all = &m->all;

	if (all->n_values == 0) {
		*ret = models_point(past_last(past));
		return;
	}
	step = MIN(step, all->path_max);
	if (all->n_path == 0)
		m->end = m->now;
	while (all->n_path < step) {
		double in[RLS_MAX], season = past_season(past, past->steps + all->n_path);

		inputs(m, &m->end, in);
		push(&m->end,
		     adjusted_go_on(all, past,
				    m->end.lag[0] + rls_predict(&m->rls, m->numbers, in) + season) -
			     season);
	}
	*ret = models_point(adjusted_path(all, past, step));
}

static void set_periods(void *state, const struct past *past, const unsigned int *steps, size_t n,
			double level)
{
	struct ar_season *m = state;

	(void)steps, (void)n;
	adjusted_set_periods(&m->all, past, level);
}

static void rescale(void *state, const struct past *past, double from, double to)
{
	struct ar_season *m = state;
	double shift = adjusted_rescale(&m->all, from, to);

	(void)past;
	for (size_t i = 0; i < LAGS; i++)
		m->now.lag[i] += shift;
	for (size_t i = 0; i < MEANS; i++)
		m->now.mean[i] += shift;
}

const struct forecast_model model_ar_season = {
	.name = "ar-season",
	.source = "online autoregression on seasonally adjusted values",
	.size = size,
	.init = init,
	.observe = observe,
	.predict = predict,
	.set_periods = set_periods,
	.rescale = rescale,
};
