// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * low_pass.c - the strong waves of a whole number of past cycles, carried on: what a Fourier
 * transform of them would find, kept up to date with each value. As the predictor of Crane
 * (gocrane, pkg/prediction/dsp), on a log scale; Jacobsen, Lyons (2003), "The sliding DFT".
 */
#include <stdbool.h>
#include <string.h>

#include "agent/base/util.h"
#include "forecast/models/models.h"
#include "forecast/past.h"

#define WAVES  16  /* of the longest period, the slowest ones */
#define CYCLES 3   /* looked back over, at most */
#define STRONG 3.0 /* times the power that a wave of noise has: weaker ones are cut off */
#define LOOKS  16  /* at which are strong, a cycle */

struct wave {
	double re, im;
};

struct low_pass {
	uint32_t period, window;  /* steps; 0: none */
	uint32_t n, strong;       /* values in the window; waves to carry on, a bit each */
	double base;              /* values count from here */
	double sum, squares;      /* over the window */
	struct wave waves[WAVES]; /* sums of value x cosine and sine of the phase */
};

static size_t size(const struct series_conf *conf)
{
	(void)conf;
	return sizeof(struct low_pass);
}

static uint32_t n_waves(const struct low_pass *m)
{
	return MIN((m->period - 1) / 2, WAVES);
}

/* Cosines and sines of all waves at step @step. */
static void turn(const struct low_pass *m, uint64_t step, struct wave *ret)
{
	double angle = 2 * M_PI * (double)(step % m->period) / m->period;
	struct wave one = {cos(angle), sin(angle)}, at = one;

	for (uint32_t i = 0; i < n_waves(m); i++) {
		ret[i] = at;
		at = (struct wave){at.re * one.re - at.im * one.im,
				   at.re * one.im + at.im * one.re};
	}
}

/* A value @in of step @step comes in and @out, whole cycles before, falls out; NAN: none does. */
static void slide(struct low_pass *m, uint64_t step, double in, double out)
{
	double x = isnan(in) ? 0 : in - m->base, y = isnan(out) ? 0 : out - m->base;
	struct wave at[WAVES];

	m->n += !isnan(in);
	m->n -= !isnan(out);
	m->sum += x - y;
	m->squares += x * x - y * y;
	turn(m, step, at);
	for (uint32_t i = 0; i < n_waves(m); i++) {
		m->waves[i].re += (x - y) * at[i].re;
		m->waves[i].im += (x - y) * at[i].im;
	}
}

/* Mean square of wave @i. */
static double power(const struct low_pass *m, uint32_t i)
{
	const struct wave *w = &m->waves[i];

	return 2 * (w->re * w->re + w->im * w->im) / ((double)m->n * m->n);
}

/* Of n values of noise each wave gets 2 / n of its power. */
static void find_strong(struct low_pass *m)
{
	double mean = m->sum / m->n, noise = m->squares / m->n - mean * mean;

	for (uint32_t i = 0; i < n_waves(m); i++)
		noise -= power(m, i);
	noise = fmax(noise, 0) * 2 / m->n;
	m->strong = 0;
	for (uint32_t i = 0; i < n_waves(m); i++)
		m->strong |= (uint32_t)(power(m, i) > STRONG * noise) << i;
}

static bool knows_a_cycle(const struct low_pass *m)
{
	return m->period > 0 && 2 * m->n > m->period;
}

static void observe(void *state, const struct past *past, double x)
{
	struct low_pass *m = state;

	(void)x;
	if (m->period == 0)
		return;
	/* As the past keeps it: what came in must fall out. */
	slide(m, past->steps - 1, past_at(past, 0), past_at(past, m->window));
	if (knows_a_cycle(m) && past->steps % MAX(m->period / LOOKS, 1u) == 0)
		find_strong(m);
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	const struct low_pass *m = state;
	struct wave at[WAVES];
	double sum = 0;

	if (!knows_a_cycle(m)) {
		*ret = models_point(past_last(past));
		return;
	}
	turn(m, past->steps - 1 + step, at);
	for (uint32_t i = 0; i < n_waves(m); i++)
		if (m->strong >> i & 1)
			sum += m->waves[i].re * at[i].re + m->waves[i].im * at[i].im;
	*ret = models_point(m->base + (m->sum + 2 * sum) / m->n);
}

/* Sums up what @past has, values from @base. */
static void sum_up(struct low_pass *m, const struct past *past, double base)
{
	*m = (struct low_pass){.period = m->period, .window = m->window, .base = base};
	if (m->period == 0)
		return;
	for (uint64_t lag = MIN(m->window, past->steps); lag-- > 0;)
		slide(m, past->steps - 1 - lag, past_at(past, lag), NAN);
	if (knows_a_cycle(m))
		find_strong(m);
}

static void set_periods(void *state, const struct past *past, const unsigned int *steps, size_t n,
			double level)
{
	struct low_pass *m = state;
	uint32_t fit = n > 0 ? (past->size - 1) / steps[0] : 0;

	m->period = fit > 0 ? steps[0] : 0;
	m->window = MIN(fit, CYCLES) * m->period;
	sum_up(m, past, level);
}

static void rescale(void *state, const struct past *past, double from, double to)
{
	struct low_pass *m = state;

	sum_up(m, past, past_shift_log(m->base, from, to));
}

const struct forecast_model model_low_pass = {
	.name = "low-pass",
	.source = "strong waves of the last cycles (Crane)",
	.size = size,
	.observe = observe,
	.predict = predict,
	.set_periods = set_periods,
	.rescale = rescale,
};
