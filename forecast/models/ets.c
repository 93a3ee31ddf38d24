// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ets.c - exponential smoothing on a log scale: level, damped trend, up to three seasons and an
 * autoregressive rest. The slow one is what the past keeps its seasons about; the quick one has a
 * level of its own. Taylor (2003), "Short-term electricity demand forecasting using double seasonal
 * exponential smoothing".
 */
#include "forecast/models/models.h"
#include "forecast/past.h"
#include "forecast/smoothing.h"

#define ALPHA 0.3
#define BETA  0.02

static size_t size(const struct series_conf *conf)
{
	(void)conf;
	return sizeof(struct smoothing);
}

static void init(void *state, const struct past *past, const struct series_conf *conf)
{
	(void)past, (void)conf;
	smoothing_init(state, NAN);
}

static void observe(void *state, const struct past *past, double x)
{
	struct smoothing *m = state;

	smoothing_observe(m, x - past->season, past_level_gain(past, ALPHA, m->n_values), BETA);
}

static void say(const struct smoothing *m, const struct past *past, unsigned int step,
		struct guess *ret)
{
	double x = smoothing_predict(m, step) + past_season(past, past->steps - 1 + step);

	*ret = models_point(isnan(x) ? past_last(past) : x);
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	say(state, past, step, ret);
}

static void predict_slow(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	(void)state;
	say(&past->slow, past, step, ret);
}

static void set_periods(void *state, const struct past *past, const unsigned int *steps, size_t n,
			double level)
{
	struct smoothing *m = state;

	(void)steps, (void)n;
	if (past->seasons.n > 0)
		m->level = level;
}

static void rescale(void *state, const struct past *past, double from, double to)
{
	(void)past;
	smoothing_rescale(state, from, to);
}

const struct forecast_model model_ets = {
	.name = "ets",
	.source = "robust exponential smoothing, damped trend, several seasons, AR(1); quick level",
	.size = size,
	.init = init,
	.observe = observe,
	.predict = predict,
	.set_periods = set_periods,
	.rescale = rescale,
};

const struct forecast_model model_ets_slow = {
	.name = "ets-slow",
	.source = "as ets, slow level",
	.predict = predict_slow,
};
