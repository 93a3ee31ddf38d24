// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * structural.c - a Kalman filter on a log scale of what a series is made of: a level that walks
 * with a damped trend, a part of it that returns within some cycles, waves of the periods found and
 * an autoregressive rest. The waves are few, and held near none until they have shown themselves:
 * few cycles are to tell much. Where periods are long it looks at means of blocks of steps; what
 * lies within a block is an autoregression of its own.
 * Harvey (1989), "Forecasting, structural time series models and the Kalman filter"; De Livera,
 * Hyndman, Snyder (2011), "Forecasting time series with complex seasonal patterns using exponential
 * smoothing", for the waves.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/util.h"
#include "forecast/models/models.h"
#include "forecast/past.h"

#define WAVES     9 /* of all periods */
#define WAVES_1   6 /* of the shortest period */
#define WAVES_2   3 /* of each other */
#define SAME_WAVE 0.05
#define BLOCKS    48 /* a cycle of the shortest period */
#define NO_CYCLE  24 /* blocks that stand for a cycle where there is no period */

/* Variances at the start and added in a cycle (the rest, mid: in the long run), in units about the
 * innovations' own. */
#define FIRST_LEVEL 30.0
#define FIRST_WAVE  30.0 /* of the first; the nth has an nth of it, and of what is added */
#define FIRST_MID   3.0
#define ADD_LEVEL   0.24
#define ADD_WAVE    0.03
#define ADD_TREND   1e-4 /* a block */
#define LONG_REST   0.5
#define LONG_MID    1.0
#define NOISE       0.03
#define LEAST       1e-6f /* variance of a state */

#define DAMPING     0.9
#define LOG_DAMPING -0.10536051565782628
#define MID_CYCLES  4.0 /* in which the middle level returns */
#define RHO_MIN     0.05
#define RHO_MAX     0.98
#define RHO_FIRST   0.5
#define MEMORY      0.99 /* of the autoregressions */
#define REST_PRIOR  15.0 /* squares of the mean error that the first guess of rho counts */
#define IN_PRIOR    3.0
#define REST_MAX    6.0 /* mean errors that an autoregression takes at most */
#define IN_MAX      10.0
#define CLIP        3.5 /* mean errors at which an innovation is cut */
#define SHIFT_RUN   3   /* cut so often in a row on one side, the level has moved ... */
#define SHIFT_SHARE 0.7 /* ... by that much of it at once */
#define WARM        30  /* blocks before anything is cut */
#define ERROR_LAST  100
#define REACH       0.3 /* of a forecast beyond what was seen, in shares of its range */

enum { REST, LEVEL, MID, TREND, WAVE, STATES = WAVE + 2 * WAVES };

/* Numbers of the lower half of @n rows. */
#define HALF(n) ((n) * ((n) + 1) / 2)

struct autoregression {
	float last, above, below, log_rho;
};

struct structural {
	double error, sum; /* mean size of innovations; of the block's values without waves */
	double lowest, highest, log_mid;
	struct autoregression rest, within;     /* of blocks; of steps against their block */
	uint32_t n_values, n_states, n_block;   /* blocks seen; values of the newest one */
	uint32_t stride, n_periods;             /* steps of a block */
	uint32_t periods[FORECAST_MAX_PERIODS]; /* the shortest first */
	uint8_t n_waves[FORECAST_MAX_PERIODS], nth[WAVES];
	int32_t run;
	float x[STATES], p[HALF(STATES)]; /* means, and covariances: rows of the lower half */
};

static size_t size(const struct series_conf *conf)
{
	(void)conf;
	return sizeof(struct structural);
}

static float *cov(struct structural *m, uint32_t i, uint32_t j)
{
	return &m->p[i >= j ? HALF(i) + j : HALF(j) + i];
}

/* Of the wave that state @i is a part of: the first, second ... of its period. */
static float nth_of(const struct structural *m, uint32_t i)
{
	uint32_t wave = (i - WAVE) / 2;

	return m->nth[wave];
}

static void start_variances(struct structural *m)
{
	memset(m->p, 0, sizeof(m->p));
	*cov(m, REST, REST) = LONG_REST;
	*cov(m, LEVEL, LEVEL) = FIRST_LEVEL;
	*cov(m, MID, MID) = FIRST_MID;
	for (uint32_t i = WAVE; i < m->n_states; i++)
		*cov(m, i, i) = (float)FIRST_WAVE / nth_of(m, i);
}

static void set_rho(struct autoregression *a, double rho)
{
	a->log_rho = (float)log(fmin(fmax(rho, RHO_MIN), RHO_MAX));
}

/* Blocks of a cycle. */
static double cycle(const struct structural *m)
{
	return m->n_periods > 0 ? (double)m->periods[0] / m->stride : NO_CYCLE;
}

static void init(void *state, const struct past *past, const struct series_conf *conf)
{
	struct structural *m = state;

	(void)past, (void)conf;
	m->n_states = WAVE;
	m->stride = 1;
	m->lowest = INFINITY;
	m->highest = -INFINITY;
	m->log_mid = -1 / (MID_CYCLES * NO_CYCLE);
	set_rho(&m->rest, RHO_FIRST);
	set_rho(&m->within, RHO_FIRST);
	start_variances(m);
}

/* What each state adds to the value of step @step: cosines and sines by turning on from wave to
 * wave. */
static void basis(const struct structural *m, uint64_t step, float *h)
{
	uint32_t wave = 0;

	h[REST] = h[LEVEL] = h[MID] = 1;
	h[TREND] = 0;
	for (uint32_t k = 0; k < m->n_periods; k++) {
		double turn = 2 * M_PI * (double)(step % m->periods[k]) / m->periods[k];
		float c = cosf((float)turn), s = sinf((float)turn), re = 1, im = 0;
		uint32_t nth = 0, end = wave + m->n_waves[k];

		for (; wave < end; wave++) {
			for (; nth < m->nth[wave]; nth++) {
				float was = re;

				re = was * c - im * s;
				im = was * s + im * c;
			}
			h[WAVE + 2 * wave] = re;
			h[WAVE + 2 * wave + 1] = im;
		}
	}
}

static double waves_at(const struct structural *m, uint64_t step)
{
	float h[STATES] = {};
	double sum = 0;

	basis(m, step, h);
	for (uint32_t i = WAVE; i < m->n_states; i++)
		sum += h[i] * m->x[i];
	return sum;
}

/* State @i is multiplied by @by. */
static void shrink(struct structural *m, uint32_t i, float by)
{
	for (uint32_t j = 0; j < m->n_states; j++)
		*cov(m, i, j) *= by;
	*cov(m, i, i) *= by;
	m->x[i] *= by;
}

/* The level takes a step of the trend. */
static void walk(struct structural *m)
{
	float trend = *cov(m, TREND, TREND), both = *cov(m, LEVEL, TREND);

	for (uint32_t i = 0; i < m->n_states; i++)
		*cov(m, LEVEL, i) += *cov(m, TREND, i);
	/* Its variance takes the covariance twice; the loop took it once. */
	*cov(m, LEVEL, LEVEL) += both + trend;
	m->x[LEVEL] += m->x[TREND];
}

/* A block passes. */
static void pass(struct structural *m)
{
	float rho = expf(m->rest.log_rho), mid = expf((float)m->log_mid);
	double blocks = cycle(m);

	walk(m);
	shrink(m, TREND, (float)DAMPING);
	shrink(m, REST, rho);
	shrink(m, MID, mid);
	*cov(m, REST, REST) += (float)LONG_REST * (1 - rho * rho);
	*cov(m, MID, MID) += (float)LONG_MID * (1 - mid * mid);
	*cov(m, LEVEL, LEVEL) += (float)(ADD_LEVEL / blocks);
	*cov(m, TREND, TREND) += (float)ADD_TREND;
	for (uint32_t i = WAVE; i < m->n_states; i++)
		*cov(m, i, i) += (float)(ADD_WAVE / blocks / (double)nth_of(m, i));
}

/* The covariances of all states with a value that is @h of them. Returns its variance. */
static float reach_of(const struct structural *m, const float *h, float *ret)
{
	const float *row = m->p;
	float sum = 0;

	for (uint32_t i = 0; i < m->n_states; row += ++i) {
		float own = row[i] * h[i];

		for (uint32_t j = 0; j < i; j++) {
			own += row[j] * h[j];
			ret[j] += row[j] * h[i];
		}
		ret[i] = own;
	}
	for (uint32_t i = 0; i < m->n_states; i++)
		sum += ret[i] * h[i];
	return sum;
}

/* Kalman's correction for innovation @e of a value that is @h of the states. */
static void correct(struct structural *m, const float *h, double e)
{
	float with[STATES], sum = reach_of(m, h, with), *row = m->p;

	if (!(sum > 0)) { /* rounding has spoilt them */
		start_variances(m);
		return;
	}
	sum += (float)NOISE;
	for (uint32_t i = 0; i < m->n_states; row += ++i) {
		float gain = with[i] / sum;

		m->x[i] += gain * (float)e;
		for (uint32_t j = 0; j <= i; j++)
			row[j] -= gain * with[j];
		row[i] = fmaxf(row[i], LEAST);
	}
}

/* Learns from @d, at most @most, how much of it is left a step later; @prior squares of the first
 * guess. */
static void learn_rho(struct autoregression *a, double d, double most, double prior)
{
	d = fmin(fmax(d, -most), most);
	a->above = (float)(MEMORY * a->above + a->last * d);
	a->below = (float)(MEMORY * a->below + d * d);
	a->last = (float)d;
	set_rho(a, (a->above + prior * RHO_FIRST) / (a->below + prior + 1e-12));
}

/* Cuts innovation @e; after a run of cuts on one side the level moves. */
static double cut(struct structural *m, double e)
{
	double most = m->n_values > WARM ? CLIP * m->error + 1e-9 : INFINITY, size = fabs(e);

	m->error += (fmin(size, 2 * most) - m->error) / MIN(m->n_values, ERROR_LAST);
	if (size <= most) {
		m->run = 0;
		return e;
	}
	m->run = e > 0 ? MAX(m->run, 0) + 1 : MIN(m->run, 0) - 1;
	if (abs(m->run) < SHIFT_RUN)
		return copysign(most, e);
	m->run = 0;
	m->x[LEVEL] += (float)(SHIFT_SHARE * e);
	return (1 - SHIFT_SHARE) * e;
}

/* Learns from mean @d, without the waves, of the block about step @centre. */
static void observe_block(struct structural *m, double d, uint64_t centre)
{
	double base = m->x[LEVEL] + m->x[MID], squares = m->error * m->error;
	float h[STATES];

	m->n_values++;
	basis(m, centre, h);
	correct(m, h, cut(m, d - base - m->x[REST]));
	/* In the first cycle the waves lie in what is left. */
	if (m->n_periods == 0 || m->n_values > cycle(m))
		learn_rho(&m->rest, d - base, REST_MAX * m->error, REST_PRIOR * squares);
}

static void observe(void *state, const struct past *past, double x)
{
	struct structural *m = state;
	uint64_t step = past->steps - 1;

	if (!isnan(x)) {
		if (m->n_values == 0 && m->n_block == 0 && m->n_periods == 0)
			m->x[LEVEL] = (float)x;
		m->lowest = fmin(m->lowest, x);
		m->highest = fmax(m->highest, x);
		x -= waves_at(m, step);
		m->sum += x;
		m->n_block++;
	}
	if (past->steps % m->stride == 0) {
		pass(m);
		if (m->n_block > 0)
			observe_block(m, m->sum / m->n_block, step - m->stride / 2);
		m->sum = m->n_block = 0;
	}
	if (m->stride > 1 && !isnan(x))
		learn_rho(&m->within, x - m->x[LEVEL] - m->x[MID] - m->x[REST], IN_MAX * m->error,
			  IN_PRIOR * m->error * m->error);
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	const struct structural *m = state;
	double reach = REACH * (m->highest - m->lowest), blocks = (double)step / m->stride, x;

	if (m->n_values == 0) {
		*ret = models_point(past_last(past));
		return;
	}
	x = m->x[LEVEL] + waves_at(m, past->steps - 1 + step);
	x += m->x[MID] * exp(blocks * m->log_mid) + m->x[REST] * exp(blocks * m->rest.log_rho);
	/* The trend of block i is DAMPING^(i-1): a geometric sum. */
	x += m->x[TREND] * (1 - exp(blocks * LOG_DAMPING)) / (1 - DAMPING);
	if (m->stride > 1)
		x += m->within.last * exp(step * m->within.log_rho);
	*ret = models_point(fmin(fmax(x, m->lowest - reach), m->highest + reach));
}

/* Whether a wave of a period before is about as long as the @nth of a period of @steps. */
static bool is_known(const struct structural *m, uint32_t steps, uint32_t nth)
{
	uint32_t wave = 0;

	for (uint32_t k = 0; k < m->n_periods; k++) {
		for (uint32_t end = wave + m->n_waves[k]; wave < end; wave++) {
			double turns = (double)m->periods[k] * nth;

			if (fabs((double)steps * m->nth[wave] - turns) < SAME_WAVE * turns)
				return true;
		}
	}
	return false;
}

/* Takes up to @most waves of a period of @steps, those after @n_waves. Returns how many there are
 * then. */
static uint32_t add_period(struct structural *m, uint32_t steps, uint32_t most, uint32_t n_waves)
{
	uint32_t end = MIN(n_waves + most, WAVES), first = n_waves;

	for (uint32_t nth = 1; n_waves < end && 2 * nth < steps && nth <= UINT8_MAX; nth++)
		if (!is_known(m, steps, nth))
			m->nth[n_waves++] = (uint8_t)nth;
	m->n_waves[m->n_periods] = (uint8_t)(n_waves - first);
	m->periods[m->n_periods++] = steps;
	return n_waves;
}

static void set_periods(void *state, const struct past *past, const unsigned int *steps, size_t n,
			double level)
{
	struct structural *m = state;
	uint32_t n_waves = 0;

	(void)past;
	if (n == 0)
		return;
	for (size_t i = MIN(n, (size_t)FORECAST_MAX_PERIODS); i-- > 0;)
		n_waves = add_period(m, steps[i], m->n_periods == 0 ? WAVES_1 : WAVES_2, n_waves);
	m->x[LEVEL] = (float)level;
	m->n_states = WAVE + 2 * n_waves;
	m->stride = MAX(m->periods[0] / BLOCKS, 1u);
	m->log_mid = -1 / (MID_CYCLES * cycle(m));
	start_variances(m);
}

static void rescale(void *state, const struct past *past, double from, double to)
{
	struct structural *m = state;
	double whole = m->x[LEVEL] + m->x[MID] + m->x[REST];
	double shift = past_shift_log(whole, from, to) - whole;

	(void)past;
	m->x[LEVEL] += (float)shift;
	m->sum += m->n_block * shift;
	m->lowest = past_shift_log(m->lowest, from, to);
	m->highest = past_shift_log(m->highest, from, to);
}

const struct forecast_model model_structural = {
	.name = "structural",
	.source = "Kalman filter: level, damped trend, waves of several periods, AR(1)",
	.size = size,
	.init = init,
	.observe = observe,
	.predict = predict,
	.set_periods = set_periods,
	.rescale = rescale,
};
