// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * theta.c - simple exponential smoothing with half the slope of the series as its drift, of values
 * without their season. The smoothing is the one of a few that did best of late.
 * Assimakopoulos, Nikolopoulos (2000), "The theta model: a decomposition approach to forecasting";
 * Hyndman, Billah (2003), "Unmasking the theta method", for the form.
 */
#include <stdlib.h>

#include "agent/base/util.h"
#include "forecast/models/models.h"
#include "forecast/past.h"

#define LEVELS     4
#define LOSS_STEPS 100.0 /* memory of how they did */
#define MEMORY     4.0   /* of the slope, in cycles */
#define NO_CYCLE   100.0 /* steps that one counts as where there is no period */
#define LINE_LEAST 8     /* values of a line */
#define CLIP       4.0   /* mean errors at which one is cut ... */
#define SHIFT_RUN  3     /* ... and so often in a row on one side, the level has moved */
#define WARM       30    /* values before any is cut */
#define REACH      0.3   /* of a forecast beyond what was seen, in shares of its range */

static const double smoothing[LEVELS] = {0.02, 0.1, 0.3, 0.7};

struct theta {
	float level[LEVELS], loss[LEVELS]; /* mean error of each */
	/* Fading sums over the values: of 1, lag, its square, value, lag times value. */
	double n, lags, squares, values, products;
	double lowest, highest;
	uint32_t n_values, best;
	int32_t run;
};

static size_t size(const struct series_conf *conf)
{
	(void)conf;
	return sizeof(struct theta);
}

static void init(void *state, const struct past *past, const struct series_conf *conf)
{
	struct theta *m = state;

	(void)past, (void)conf;
	m->lowest = INFINITY;
	m->highest = -INFINITY;
}

static void add_to_line(struct theta *m, const struct past *past, double y)
{
	double cycle = past->cycles.n > 0 ? past->cycles.period : NO_CYCLE;
	double keep = 1 - 1 / (MEMORY * cycle);

	m->squares = keep * (m->squares + 2 * m->lags + m->n);
	m->lags = keep * (m->lags + m->n);
	m->n = keep * m->n + 1;
	m->products = keep * (m->products + m->values);
	m->values = keep * m->values + y;
}

/* Of the line through the values, a step. */
static double slope(const struct theta *m)
{
	double below = m->n * m->squares - m->lags * m->lags;

	if (m->n_values < LINE_LEAST || below <= 0)
		return 0;
	return (m->lags * m->values - m->n * m->products) / below;
}

/* All that was seen moves by @by. */
static void move(struct theta *m, double by)
{
	for (uint32_t i = 0; i < LEVELS; i++)
		m->level[i] += (float)by;
	m->values += m->n * by;
	m->products += m->lags * by;
}

/* Where errors of the best level say that it has moved, all do at once. */
static void follow_shift(struct theta *m, double e)
{
	if (m->n_values <= WARM || fabs(e) <= CLIP * m->loss[m->best])
		m->run = 0;
	else
		m->run = e > 0 ? MAX(m->run, 0) + 1 : MIN(m->run, 0) - 1;
	if (abs(m->run) < SHIFT_RUN)
		return;
	move(m, e);
	m->run = 0;
}

static void learn_levels(struct theta *m, double y)
{
	double n = m->n_values;

	for (uint32_t i = 0; i < LEVELS; i++) {
		double e = y - m->level[i], gain = fmax(smoothing[i], 1 / n);
		double most = n > WARM ? CLIP * m->loss[i] + 1e-6 : INFINITY;

		m->level[i] += (float)(gain * fmin(fmax(e, -most), most));
		m->loss[i] += (float)((fmin(fabs(e), 2 * most) - m->loss[i]) / fmin(n, LOSS_STEPS));
	}
	m->best = 0;
	for (uint32_t i = 1; i < LEVELS; i++)
		m->best = m->loss[i] < m->loss[m->best] ? i : m->best;
}

static void observe(void *state, const struct past *past, double x)
{
	struct theta *m = state;
	double y = x - past->cycle;

	if (isnan(x)) {
		if (m->n_values > 0)
			add_to_line(m, past, m->level[m->best]);
		return;
	}
	m->lowest = fmin(m->lowest, x);
	m->highest = fmax(m->highest, x);
	if (m->n_values++ == 0)
		move(m, y - m->level[0]);
	follow_shift(m, y - m->level[m->best]);
	learn_levels(m, y);
	add_to_line(m, past, y);
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	const struct theta *m = state;
	double reach = REACH * (m->highest - m->lowest), x;

	if (m->n_values == 0) {
		*ret = models_point(past_last(past));
		return;
	}
	x = m->level[m->best] + 0.5 * slope(m) * (step - 1 + 1 / smoothing[m->best]);
	x += cycles_season(&past->cycles, past, step);
	*ret = models_point(fmin(fmax(x, m->lowest - reach), m->highest + reach));
}

static void rescale(void *state, const struct past *past, double from, double to)
{
	struct theta *m = state;

	(void)past;
	move(m, past_shift_log(m->level[m->best], from, to) - m->level[m->best]);
	m->lowest = past_shift_log(m->lowest, from, to);
	m->highest = past_shift_log(m->highest, from, to);
}

const struct forecast_model model_theta = {
	.name = "theta",
	.source = "smoothing with half the slope of the series, seasonally adjusted",
	.size = size,
	.init = init,
	.observe = observe,
	.predict = predict,
	.rescale = rescale,
};
