// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ets.c - exponential smoothing on a log scale: level, damped trend, up to three seasons and an
 * autoregressive rest, with clipped innovations. O(1) a step.
 * Taylor (2003), "Short-term electricity demand forecasting using double seasonal exponential
 * smoothing"; Gelper, Fried, Croux (2010), "Robust forecasting with exponential and Holt-Winters
 * smoothing" for the clipping.
 */
#include <stdbool.h>

#include "agent/base/util.h"
#include "forecast/models/models.h"
#include "forecast/models/seasons.h"
#include "forecast/past.h"

#define DAMPING     0.9
#define LOG_DAMPING -0.10536051565782628
#define CLIP        3.5  /* innovations are cut at so many mean errors */
#define SHIFT_STEPS 3    /* cut so often in a row on one side, the level is taken to have moved */
#define WARM_STEPS  8    /* values before anything is cut */
#define MEMORY      0.98 /* of the autoregression */
#define TREND_MAX   0.5  /* per step on the log scale */

struct ets {
	double alpha, beta;
	double level, trend, rest;
	double rho_above, rho_below; /* sums of products of successive rests, and of squares */
	double log_rho;              /* of their ratio: what is left of a rest after a step */
	double error;                /* mean size of innovations */
	uint32_t n_values, cut_run;
	int32_t cut_side;
	struct seasons seasons;
	season_effect effects[];
};

static size_t size(const struct series_conf *conf)
{
	return sizeof(struct ets) + seasons_room(conf) * sizeof(season_effect);
}

static void init(struct ets *m, double alpha, double beta)
{
	*m = (struct ets){.alpha = alpha, .beta = beta, .log_rho = -20};
}

static void init_fast(void *state, const struct past *past, const struct series_conf *conf)
{
	(void)past, (void)conf;
	init(state, 0.3, 0.02);
}

static void init_slow(void *state, const struct past *past, const struct series_conf *conf)
{
	(void)past, (void)conf;
	init(state, 0.01, 0);
}

static double rho(const struct ets *m)
{
	if (m->rho_below <= 0)
		return 0;
	return fmin(fmax(m->rho_above / m->rho_below, 0), 0.999);
}

/* Cuts innovation @e; a run of cuts on one side is a shift, which the level follows at once. */
static double cut(struct ets *m, double e)
{
	double limit = CLIP * fmax(m->error, 1e-6);
	int32_t side = e > 0 ? 1 : -1;

	if (m->n_values < WARM_STEPS || fabs(e) <= limit) {
		m->cut_run = 0;
		return e;
	}
	m->cut_run = side == m->cut_side ? m->cut_run + 1 : 1;
	m->cut_side = side;
	return side * limit;
}

/* In the first cycle of a season the level stands still, so that the season can be seen. */
static double level_gain(const struct ets *m, uint64_t step)
{
	double young = fmax(m->alpha, 1 / ((double)m->n_values + 1));

	if (m->seasons.n == 0)
		return young;
	if (seasons_first_cycle(&m->seasons, step))
		return fmin(m->alpha, 0.3 / m->seasons.list[m->seasons.n - 1].period);
	return m->alpha;
}

static void learn_rest(struct ets *m, double rest)
{
	m->rho_above = MEMORY * m->rho_above + rest * m->rest;
	m->rho_below = MEMORY * m->rho_below + m->rest * m->rest;
	m->rest = rest;
	m->log_rho = log(fmax(rho(m), 1e-9));
}

static void observe(void *state, const struct past *past, double x)
{
	struct ets *m = state;
	uint64_t step = past->steps - 1;
	double base, e, whole, seasons = seasons_at(&m->seasons, m->effects, step), gain;

	base = m->level + m->trend;
	m->trend *= DAMPING;
	if (isnan(x)) {
		m->level = base;
		m->rest *= rho(m);
		return;
	}
	if (m->n_values == 0 && m->seasons.n == 0)
		base = x;
	whole = x - base - seasons - rho(m) * m->rest;
	e = cut(m, whole);
	gain = level_gain(m, step);
	if (m->cut_run >= SHIFT_STEPS) {
		m->level = x - seasons;
		m->trend = m->rest = 0;
		m->cut_run = 0;
	} else {
		double deviation = x - base - seasons - (whole - e);

		m->level = base + gain * deviation;
		m->trend = fmin(fmax(m->trend + m->beta * e, -TREND_MAX), TREND_MAX);
		learn_rest(m, (1 - gain) * deviation);
		seasons_learn(&m->seasons, m->effects, past, deviation);
	}
	m->n_values++;
	m->error += (fabs(e) - m->error) / fmin(m->n_values, 100);
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	const struct ets *m = state;
	double x = m->level + seasons_at(&m->seasons, m->effects, past->steps - 1 + step);

	/* The trend of step i is DAMPING^(i-1): a geometric sum. */
	if (m->trend != 0)
		x += m->trend * (1 - exp(step * LOG_DAMPING)) / (1 - DAMPING);
	if (m->rest != 0 && m->log_rho > -10)
		x += m->rest * exp(step * m->log_rho);
	*ret = models_point(m->n_values == 0 && m->seasons.n == 0 ? past_last(past) : x);
}

static void set_periods(void *state, const struct past *past, const unsigned int *steps, size_t n,
			double level)
{
	struct ets *m = state;

	seasons_start(&m->seasons, m->effects, past, steps, n);
	if (m->seasons.n > 0)
		m->level = level;
}

static void rescale(void *state, const struct past *past, double from, double to)
{
	struct ets *m = state;

	(void)past;
	m->level = past_shift_log(m->level, from, to);
	m->trend = m->rest = 0;
}

const struct forecast_model model_ets = {
	.name = "ets",
	.source = "robust exponential smoothing, damped trend, several seasons, AR(1); quick level",
	.size = size,
	.init = init_fast,
	.observe = observe,
	.predict = predict,
	.set_periods = set_periods,
	.rescale = rescale,
};

const struct forecast_model model_ets_slow = {
	.name = "ets-slow",
	.source = "as ets, slow level",
	.size = size,
	.init = init_slow,
	.observe = observe,
	.predict = predict,
	.set_periods = set_periods,
	.rescale = rescale,
};
