// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * card.c - the mean of two forecasts of values without their season, delta: growth on from the
 * newest one, damped, and rho: a return to the level by an autoregression; then calibrated by the
 * autoregression of its own errors. Doornik, Castle, Hendry (2020), "Card forecasts for M4"; fits
 * over all values there are fading sums here.
 */
#include <stdlib.h>

#include "agent/base/util.h"
#include "forecast/models/models.h"
#include "forecast/past.h"

#define DAMPING      0.9
#define LOG_DAMPING  -0.10536051565782628
#define GROWTH_STEPS 50.0  /* memory of growth */
#define SIZE_STEPS   100.0 /* and of the mean size of changes */
#define MEMORY       0.995 /* of the autoregressions */
#define RHO_MIN      0.01
#define RHO_MAX      0.995
#define RHO_FIRST    0.7
#define LEVEL_CYCLES 2.0  /* memory of the level */
#define LEVEL_STEPS  50.0 /* where there is no period */
#define GROWTH_MAX   3.0  /* mean changes that one counts at most */
#define ERROR_MAX    6.0  /* that an error does ... */
#define AWAY_MAX     18.0 /* and a distance from the level */
#define SHIFT_RUN    3    /* errors so large in a row on one side: the level has moved */
#define WARM         30   /* values before anything is cut */
#define REACH        0.3  /* of a forecast beyond what was seen, in shares of its range */

struct fit {
	float above, below, rho, log_rho;
};

struct card {
	double y, level;     /* newest value without season; what it returns to */
	double growth, size; /* mean change, mean size of changes */
	double error;        /* of the newest forecast, before calibration */
	double lowest, highest;
	struct fit rho, errors;
	uint32_t n_values;
	int32_t run;
};

static size_t size(const struct series_conf *conf)
{
	(void)conf;
	return sizeof(struct card);
}

static void set_rho(struct fit *f, double rho)
{
	f->rho = (float)fmin(fmax(rho, RHO_MIN), RHO_MAX);
	f->log_rho = logf(f->rho);
}

/* @before was followed by @now. */
static void learn_rho(struct fit *f, double before, double now)
{
	f->above = (float)(MEMORY * f->above + before * now);
	f->below = (float)(MEMORY * f->below + before * before);
	if (f->below > 1e-12f)
		set_rho(f, f->above / f->below);
}

static void init(void *state, const struct past *past, const struct series_conf *conf)
{
	struct card *m = state;

	(void)past, (void)conf;
	m->lowest = INFINITY;
	m->highest = -INFINITY;
	set_rho(&m->rho, RHO_FIRST);
	set_rho(&m->errors, RHO_MIN);
}

/* The mean of delta and rho @step ahead, without season. */
static double both(const struct card *m, unsigned int step)
{
	/* Growth of step i is damped by DAMPING^i: a geometric sum. */
	double grown = m->growth * DAMPING * (1 - exp(step * LOG_DAMPING)) / (1 - DAMPING);
	double left = (m->y - m->level) * exp(step * m->rho.log_rho);

	return 0.5 * (m->y + grown) + 0.5 * (m->level + left);
}

static double within(double x, double most)
{
	return fmin(fmax(x, -most), most);
}

static void follow_size(struct card *m, double change)
{
	double most = m->n_values > WARM ? ERROR_MAX * m->size + 1e-6 : INFINITY;

	m->size += (fmin(fabs(change), most) - m->size) / fmin(m->n_values, SIZE_STEPS);
}

/* The level follows slowly; at once, where errors as large as @e one after another say that it has
 * moved. */
static void follow_level(struct card *m, const struct past *past, double e)
{
	double steps = past->cycles.n > 0 ? LEVEL_CYCLES * past->cycles.period : LEVEL_STEPS;

	m->level += (m->y - m->level) / fmin(steps, m->n_values);
	if (m->n_values <= WARM || fabs(e) < ERROR_MAX * m->size)
		m->run = 0;
	else
		m->run = e > 0 ? MAX(m->run, 0) + 1 : MIN(m->run, 0) - 1;
	if (abs(m->run) < SHIFT_RUN)
		return;
	m->level = m->y;
	m->error = 0;
	m->run = 0;
}

static void learn(struct card *m, const struct past *past, double y)
{
	double e = y - both(m, 1), change = y - m->y, cut = m->n_values > WARM ? m->size : INFINITY;
	double away = AWAY_MAX * m->size, most = ERROR_MAX * m->size;

	follow_size(m, change);
	learn_rho(&m->rho, within(m->y - m->level, away), within(y - m->level, away));
	learn_rho(&m->errors, m->error, within(e, most));
	m->error = within(e, most);
	m->growth +=
		(within(change, GROWTH_MAX * cut) - m->growth) / fmin(m->n_values, GROWTH_STEPS);
	m->y = y;
	follow_level(m, past, e);
}

static void observe(void *state, const struct past *past, double x)
{
	struct card *m = state;
	double y = x - past->cycle;

	if (isnan(x))
		return;
	m->lowest = fmin(m->lowest, x);
	m->highest = fmax(m->highest, x);
	if (m->n_values++ == 0)
		m->y = m->level = y;
	else
		learn(m, past, y);
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	const struct card *m = state;
	double reach = REACH * (m->highest - m->lowest), x;

	if (m->n_values == 0) {
		*ret = models_point(past_last(past));
		return;
	}
	x = both(m, step) + m->error * exp(step * m->errors.log_rho);
	x += cycles_season(&past->cycles, past, step);
	*ret = models_point(fmin(fmax(x, m->lowest - reach), m->highest + reach));
}

static void rescale(void *state, const struct past *past, double from, double to)
{
	struct card *m = state;
	double shift = past_shift_log(m->y, from, to) - m->y;

	(void)past;
	m->y += shift;
	m->level += shift;
	m->lowest = past_shift_log(m->lowest, from, to);
	m->highest = past_shift_log(m->highest, from, to);
}

const struct forecast_model model_card = {
	.name = "card",
	.source = "mean of damped growth and adaptive autoregression, calibrated",
	.size = size,
	.init = init,
	.observe = observe,
	.predict = predict,
	.rescale = rescale,
};
