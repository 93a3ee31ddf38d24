// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * profile.c - quantiles of what was seen at the same phase of past cycles, of the longest or of the
 * shortest period found. A phase is sorted anew when its value and those next to it have come, so
 * that a forecast is a look-up. The spread of few cycles is shrunk towards that of all phases.
 */
#include <stdbool.h>
#include <string.h>

#include "agent/base/util.h"
#include "forecast/models/models.h"
#include "forecast/octet.h"
#include "forecast/past.h"

#define MAX_CYCLES   8
#define MAX_SIDE     2   /* phases on each side that count as the same */
#define SIDE_SHARE   100 /* one on each side for so many steps of the period */
#define MAX_SAMPLES  (MAX_CYCLES * (2 * MAX_SIDE + 1))
#define PRIOR        6.0  /* samples the spread of all phases is worth */
#define Q10_OF_MEAN  1.6  /* distance of q10 from the median, in mean absolute errors */
#define SIDE_MAX     4.0  /* times the common side that a phase's own counts at most */
#define ERROR_MAX    3.0  /* times the mean error that one error counts at most */
#define SIDE_UNIT    4.0  /* of sides kept in a byte: up to 15 on the log scale */
#define TYPICAL_STEP 0.05 /* by which the running median moves, on the log scale */
#define RECENT       64   /* values looked at where there is no period */

struct phase {
	uint16_t q50;   /* as the past keeps values; PAST_NONE: nothing seen yet */
	uint8_t lo, hi; /* to q10 and q90 */
};

struct profile {
	uint32_t period; /* 0: none; then phase 0 stands for all */
	uint32_t side;
	double error; /* mean, on the log scale */
	double n_errors;
	double typical; /* a running median of all values; NAN: none yet */
	struct phase phases[];
};

static void clear(struct profile *m, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		m->phases[i] = (struct phase){.q50 = PAST_NONE};
}

static size_t size_longest(const struct series_conf *conf)
{
	return sizeof(struct profile) + (1 + (size_t)conf->max_period) * sizeof(struct phase);
}

static size_t size_shortest(const struct series_conf *conf)
{
	return sizeof(struct profile) + (1 + (size_t)conf->max_period / 2) * sizeof(struct phase);
}

static void init(void *state, const struct past *past, const struct series_conf *conf)
{
	struct profile *m = state;

	(void)past, (void)conf;
	m->period = m->side = 0;
	m->error = m->n_errors = 0;
	m->typical = NAN;
	clear(m, 1);
}

/* Insertion sort: samples come nearly in order or are few. */
static void sort(float *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		float x = v[i];
		size_t j = i;

		for (; j > 0 && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

static double quantile(const float *v, size_t n, double level)
{
	double at = level * (double)(n - 1);
	size_t i = (size_t)at;

	if (i + 1 >= n)
		return v[n - 1];
	return v[i] + (at - (double)i) * (v[i + 1] - v[i]);
}

/* One side of a phase: its own, as far as there are samples, else the common one. */
static double side_of(double own, double common, size_t n)
{
	double weight = (double)n / ((double)n + PRIOR);

	/* One wild cycle must not open the phase for all to come. */
	return weight * fmin(own, SIDE_MAX * common) + (1 - weight) * common;
}

/* Makes a phase of @n samples. */
static void fill(const struct profile *m, const struct past *past, struct phase *ret, float *v,
		 size_t n)
{
	double common, q50;

	if (n == 0)
		return;
	sort(v, n);
	/* Of two values that differ much one may be a burst: the nearer to what is usual counts. */
	q50 = n == 2 ? fmin(fmax(m->typical, v[0]), v[1]) : quantile(v, n, 0.5);
	common = Q10_OF_MEAN * m->error;
	ret->q50 = past_encode(past, q50);
	ret->lo = octet_encode(side_of(q50 - quantile(v, n, 0.1), common, n), SIDE_UNIT);
	ret->hi = octet_encode(side_of(quantile(v, n, 0.9) - q50, common, n), SIDE_UNIT);
}

/* Sorts the phase whose window has its newest value at lag 0. */
static void refresh(struct profile *m, const struct past *past)
{
	uint64_t centre = (past->steps - 1 + m->period - m->side % m->period) % m->period;
	float v[MAX_SAMPLES];
	size_t n = 0;

	for (uint64_t cycle = 0; cycle < MAX_CYCLES; cycle++) {
		for (uint64_t i = 0; i <= 2 * m->side; i++) {
			double x = past_at(past, cycle * m->period + i);

			if (!isnan(x))
				v[n++] = (float)x;
		}
	}
	fill(m, past, &m->phases[centre], v, n);
}

static void refresh_recent(struct profile *m, const struct past *past)
{
	float v[RECENT];
	size_t n = 0;

	if (past->steps % (RECENT / 8) != 0 && past->count > RECENT / 8)
		return;
	for (uint64_t i = 0; i < RECENT; i++) {
		double x = past_at(past, i);

		if (!isnan(x))
			v[n++] = (float)x;
	}
	fill(m, past, &m->phases[0], v, n);
}

static const struct phase *phase_at(const struct profile *m, uint64_t step)
{
	return &m->phases[m->period > 0 ? step % m->period : 0];
}

static void observe(void *state, const struct past *past, double x)
{
	struct profile *m = state;
	const struct phase *p = phase_at(m, past->steps - 1);

	if (!isnan(x))
		m->typical =
			isnan(m->typical) ? x : m->typical + copysign(TYPICAL_STEP, x - m->typical);
	if (!isnan(x) && p->q50 != PAST_NONE) {
		double error = fabs(x - past_decode(past, p->q50));

		m->n_errors = fmin(m->n_errors + 1, 200);
		if (m->n_errors > 10)
			error = fmin(error, ERROR_MAX * m->error + 1e-4);
		m->error += (fmin(error, 5) - m->error) / m->n_errors;
	}
	if (m->period > 0)
		refresh(m, past);
	else
		refresh_recent(m, past);
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	const struct profile *m = state;
	const struct phase *p = phase_at(m, past->steps - 1 + step);

	if (p->q50 == PAST_NONE)
		*ret = models_point(past_last(past));
	else
		*ret = (struct guess){(float)past_decode(past, p->q50),
				      (float)octet_decode(p->lo, SIDE_UNIT),
				      (float)octet_decode(p->hi, SIDE_UNIT)};
}

static void rescale(void *state, const struct past *past, double from, double to)
{
	struct profile *m = state;
	struct past before = {.lowest = log(from)};

	m->typical = past_shift_log(m->typical, from, to);
	for (uint32_t i = 0; i < MAX(m->period, 1); i++) {
		struct phase *p = &m->phases[i];
		double q50 = past_decode(&before, p->q50), x = past_shift_log(q50, from, to);

		if (isnan(q50))
			continue;
		p->lo = octet_encode(
			x - past_shift_log(q50 - octet_decode(p->lo, SIDE_UNIT), from, to),
			SIDE_UNIT);
		p->hi = octet_encode(
			past_shift_log(q50 + octet_decode(p->hi, SIDE_UNIT), from, to) - x,
			SIDE_UNIT);
		p->q50 = past_encode(past, x);
	}
}

static void set_period(struct profile *m, unsigned int period)
{
	m->period = period;
	m->side = MIN(period / SIDE_SHARE, MAX_SIDE);
	clear(m, MAX(period, 1));
}

static void set_longest(void *state, const struct past *past, const unsigned int *steps, size_t n,
			double level)
{
	(void)past, (void)level;
	set_period(state, n > 0 ? steps[0] : 0);
}

/* The shortest of several; it has half the room of the longest. */
static void set_shortest(void *state, const struct past *past, const unsigned int *steps, size_t n,
			 double level)
{
	(void)level;
	set_period(state, n > 1 && steps[n - 1] <= past->max_period / 2 ? steps[n - 1] : 0);
}

const struct forecast_model model_profile = {
	.name = "profile",
	.source = "empirical quantiles of the phase, longest period",
	.size = size_longest,
	.init = init,
	.observe = observe,
	.predict = predict,
	.set_periods = set_longest,
	.rescale = rescale,
};

const struct forecast_model model_profile_short = {
	.name = "profile-short",
	.source = "empirical quantiles of the phase, shortest period",
	.size = size_shortest,
	.init = init,
	.observe = observe,
	.predict = predict,
	.set_periods = set_shortest,
	.rescale = rescale,
};
