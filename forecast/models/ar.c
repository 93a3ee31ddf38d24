// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ar.c - autoregression on changes, with the lags about each period found: the change to come is
 * regressed on the last ones, on those one and two cycles ago, and on how far level and cycle lie
 * apart. Learned online, iterated to the step asked for.
 * Anava, Hazan, Mannor, Shamir (2013), "Online learning for time series prediction"; the ridge's
 * origin is a random walk.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/util.h"
#include "forecast/models/models.h"
#include "forecast/past.h"
#include "forecast/rls.h"

#define CHANGES    3     /* newest ones that are looked at */
#define LOOSE      30.0  /* of the ridge */
#define REACH      0.3   /* of a forecast beyond what was seen, in shares of its range */
#define LEVEL_STEP 0.02  /* of the level that values return to */
#define SIZE_STEPS 100.0 /* memory of the mean size of changes */
#define INPUT_MAX  8.0   /* times it that an input counts at most: no spike is to echo */
#define SHIFT_FROM 4.0   /* mean errors */
#define SHIFT_RUN  3     /* errors above in a row on one side: the level has moved */

struct ar {
	struct rls rls;
	float numbers[RLS_NUMBERS(RLS_MAX)];
	double level, lowest, highest; /* seen */
	double size;                   /* mean, of changes */
	int32_t run;                   /* errors in a row that tell of a shift; negative: below */
	uint32_t n_values;
	uint32_t n_periods, periods[FORECAST_MAX_PERIODS];
	uint32_t n_path, path_max; /* steps of the path worked out since the newest value */
	uint16_t path[];           /* as the past keeps values */
};

static size_t size(const struct series_conf *conf)
{
	return sizeof(struct ar) + conf->horizon * sizeof(uint16_t);
}

static size_t n_inputs(const struct ar *m)
{
	return 2 + CHANGES + 2 * m->n_periods + (m->n_periods > 0);
}

static void init(void *state, const struct past *past, const struct series_conf *conf)
{
	struct ar *m = state;

	(void)past;
	m->path_max = conf->horizon;
	m->lowest = INFINITY;
	m->highest = -INFINITY;
	rls_init(&m->rls, m->numbers, n_inputs(m), LOOSE);
}

/* The value at @step of the path, which may lie in the past (0 is the newest, negative older). */
static double value_at(const struct ar *m, const struct past *past, int64_t step)
{
	return step > 0 ? past_decode(past, m->path[step - 1]) : past_at(past, (uint64_t)-step);
}

/*
 * A spike must not echo, neither as a change nor a cycle later. While the newest value is the wild
 * one, its distance from level and cycle is what leads back.
 */
static void tame(const struct ar *m, size_t n, double *in)
{
	double most = INPUT_MAX * m->size;
	bool away = fabs(in[1]) > most;

	for (size_t i = 1; i < n; i++) {
		bool distance = i == 1 || (i > 1 + CHANGES && (i - CHANGES) % 2 == 1);

		if (isnan(in[i]))
			in[i] = 0;
		if (!away || !distance)
			in[i] = MIN(MAX(in[i], -most), most);
	}
}

/* What is known one step before @step, of which @newest values are the last ones. */
static void inputs(const struct ar *m, const struct past *past, int64_t step, const double *newest,
		   double *in)
{
	size_t n = 0;

	in[n++] = 0.1; /* small, so that the ridge holds the drift near none */
	in[n++] = m->level - newest[0];
	for (int i = 0; i < CHANGES; i++)
		in[n++] = newest[i] - newest[i + 1];
	for (uint32_t i = 0; i < m->n_periods; i++) {
		int64_t cycle = step - m->periods[i];
		double before = value_at(m, past, cycle - 1);

		in[n++] = value_at(m, past, cycle) - before;
		in[n++] = before - newest[0];
	}
	if (m->n_periods > 0) {
		int64_t cycle = step - 2 * (int64_t)m->periods[m->n_periods - 1];

		in[n++] = value_at(m, past, cycle) - value_at(m, past, cycle - 1);
	}
	tame(m, n, in);
}

/* The values before @step, the last one first. */
static void look_back(const struct ar *m, const struct past *past, int64_t step, double *ret)
{
	for (int i = 0; i <= CHANGES; i++)
		ret[i] = value_at(m, past, step - 1 - i);
}

/* The level follows slowly, but at once where errors say that it has moved. */
static void follow_level(struct ar *m, const struct past *past, double x, double error)
{
	double step = LEVEL_STEP * (double)past->tuning.level;

	m->level += (x - m->level) * fmax(step, 1.0 / m->n_values);
	if (fabs(error) <= SHIFT_FROM * m->rls.error) {
		m->run = 0;
		return;
	}
	m->run = error > 0 ? MAX(m->run, 0) + 1 : MIN(m->run, 0) - 1;
	if (abs(m->run) >= SHIFT_RUN) {
		m->level = x;
		m->run = 0;
	}
}

/* Mean size of changes; a wild one counts little more than others. */
static void follow_size(struct ar *m, double change)
{
	double size = fabs(change), n = fmin(m->n_values, SIZE_STEPS);

	if (n > 20)
		size = fmin(size, INPUT_MAX * m->size + 1e-6);
	m->size += (size - m->size) / n;
}

static void observe(void *state, const struct past *past, double x)
{
	struct ar *m = state;
	double in[RLS_MAX], newest[CHANGES + 1], before = past_at(past, 1), error = 0;

	m->n_path = 0;
	if (isnan(x))
		return;
	if (m->n_values++ == 0)
		m->level = x;
	m->lowest = fmin(m->lowest, x);
	m->highest = fmax(m->highest, x);
	if (!isnan(before)) {
		look_back(m, past, 0, newest);
		inputs(m, past, 0, newest, in);
		error = x - before - rls_predict(&m->rls, m->numbers, in);
		rls_learn(&m->rls, m->numbers, in, x - before, 1 - (double)past->tuning.forget);
		follow_size(m, x - before);
	}
	follow_level(m, past, x, error);
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	struct ar *m = state;
	double before = past_at(past, 0), in[RLS_MAX], newest[CHANGES + 1];
	double reach = REACH * (m->highest - m->lowest);

	if (isnan(before) || m->n_values == 0) {
		*ret = models_point(past_last(past));
		return;
	}
	step = MIN(step, m->path_max);
	look_back(m, past, (int64_t)m->n_path + 1, newest);
	for (; m->n_path < step; m->n_path++) {
		double x;

		inputs(m, past, (int64_t)m->n_path + 1, newest, in);
		x = newest[0] + rls_predict(&m->rls, m->numbers, in);
		x = MIN(MAX(x, m->lowest - reach), m->highest + reach);
		m->path[m->n_path] = past_encode(past, x);
		memmove(newest + 1, newest, CHANGES * sizeof(*newest));
		newest[0] = past_decode(past, m->path[m->n_path]);
	}
	*ret = models_point(value_at(m, past, step));
}

static void set_periods(void *state, const struct past *past, const unsigned int *steps, size_t n,
			double level)
{
	struct ar *m = state;

	(void)past;
	m->n_periods = (uint32_t)MIN(n, (size_t)FORECAST_MAX_PERIODS);
	for (uint32_t i = 0; i < m->n_periods; i++)
		m->periods[i] = steps[i];
	if (n > 0)
		m->level = level;
	rls_init(&m->rls, m->numbers, n_inputs(m), LOOSE);
}

static void rescale(void *state, const struct past *past, double from, double to)
{
	struct ar *m = state;

	(void)past;
	m->n_path = 0;
	m->level = past_shift_log(m->level, from, to);
	m->lowest = past_shift_log(m->lowest, from, to);
	m->highest = past_shift_log(m->highest, from, to);
}

const struct forecast_model model_ar = {
	.name = "ar",
	.source = "online autoregression on changes with seasonal lags",
	.size = size,
	.init = init,
	.observe = observe,
	.predict = predict,
	.set_periods = set_periods,
	.rescale = rescale,
};
