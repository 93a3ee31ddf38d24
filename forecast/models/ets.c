// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ets.c - exponential smoothing on a log scale: level, damped trend, up to three seasons and an
 * autoregressive rest. The slow one is what the past keeps its seasons about; the quick one has a
 * level and seasons of its own. Taylor (2003), "Short-term electricity demand forecasting using
 * double seasonal exponential smoothing".
 */
#include "forecast/models/models.h"
#include "forecast/past.h"
#include "forecast/smoothing.h"

#define ALPHA 0.3
#define BETA  0.02

struct ets {
	struct smoothing smoothing;
	struct seasons seasons;
	season_effect effects[];
};

static size_t size(const struct series_conf *conf)
{
	return sizeof(struct ets) + seasons_room(conf->max_period) * sizeof(season_effect);
}

static void init(void *state, const struct past *past, const struct series_conf *conf)
{
	struct ets *m = state;

	(void)past, (void)conf;
	smoothing_init(&m->smoothing, NAN, 0);
}

static void observe(void *state, const struct past *past, double x)
{
	struct ets *m = state;
	uint64_t step = past->steps - 1;
	double gain = past_level_gain(past, ALPHA, m->smoothing.n_values);
	double y = x - seasons_at(&m->seasons, m->effects, step);
	double deviation = smoothing_observe(&m->smoothing, y, gain, BETA);

	if (!isnan(deviation))
		seasons_learn(&m->seasons, m->effects, step, deviation, past->tuning.season);
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	const struct ets *m = state;
	double season = seasons_at(&m->seasons, m->effects, past->steps - 1 + step);
	double x = smoothing_predict(&m->smoothing, step) + season;

	*ret = models_point(isnan(x) ? past_last(past) : x);
}

static void predict_slow(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	double season = past_season(past, past->steps - 1 + step);
	double x = smoothing_predict(&past->slow, step) + season;

	(void)state;
	*ret = models_point(isnan(x) ? past_last(past) : x);
}

static void set_periods(void *state, const struct past *past, const unsigned int *steps, size_t n,
			double level)
{
	struct ets *m = state;

	seasons_start(&m->seasons, m->effects, past->max_period, past->steps, steps, n);
	past_start_level(past, &m->smoothing, level);
}

static void rescale(void *state, const struct past *past, double from, double to)
{
	struct ets *m = state;

	(void)past;
	smoothing_rescale(&m->smoothing, from, to);
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
