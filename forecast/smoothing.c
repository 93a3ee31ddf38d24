// SPDX-License-Identifier: GPL-2.0-or-later
/* smoothing.c - exponential smoothing of values without their season. O(1) a step. */
#include "forecast/smoothing.h"

#include "agent/base/util.h"
#include "forecast/past.h"

#define DAMPING     0.9
#define LOG_DAMPING -0.10536051565782628
#define CLIP        3.5  /* innovations are cut at so many mean errors */
#define SHIFT_STEPS 3    /* cut so often in a row on one side, the level is taken to have moved */
#define WARM_STEPS  8    /* values at least before anything is cut */
#define MEMORY      0.98 /* of the autoregression */
#define TREND_MAX   0.5  /* per step on the log scale */

void smoothing_init(struct smoothing *m, double level, uint32_t cycle)
{
	*m = (struct smoothing){.level = level, .log_rho = -20, .warm = MAX(cycle, WARM_STEPS)};
}

static double rho(const struct smoothing *m)
{
	if (m->rho_below <= 0)
		return 0;
	return fmin(fmax(m->rho_above / m->rho_below, 0), 0.999);
}

/* Cuts innovation @e; a run of cuts on one side is a shift, which the level follows at once. */
static double cut(struct smoothing *m, double e)
{
	double limit = CLIP * fmax(m->error, 1e-6);
	int32_t side = e > 0 ? 1 : -1;

	if (m->n_values < m->warm || fabs(e) <= limit) {
		m->cut_run = 0;
		return e;
	}
	m->cut_run = side == m->cut_side ? m->cut_run + 1 : 1;
	m->cut_side = side;
	return side * limit;
}

static void learn_rest(struct smoothing *m, double rest)
{
	m->rho_above = MEMORY * m->rho_above + rest * m->rest;
	m->rho_below = MEMORY * m->rho_below + m->rest * m->rest;
	m->rest = rest;
	m->log_rho = log(fmax(rho(m), 1e-9));
}

double smoothing_observe(struct smoothing *m, double y, double alpha, double beta)
{
	double base = isnan(m->level) ? y : m->level + m->trend, whole, e, deviation;

	m->trend *= DAMPING;
	if (isnan(y)) {
		m->level = base;
		m->rest *= rho(m);
		return NAN;
	}
	whole = y - base - rho(m) * m->rest;
	e = cut(m, whole);
	m->n_values++;
	m->error += (fabs(e) - m->error) / fmin(m->n_values, 100);
	if (m->cut_run >= SHIFT_STEPS) {
		m->level = y;
		m->trend = m->rest = 0;
		m->cut_run = 0;
		return NAN;
	}
	deviation = y - base - (whole - e);
	m->level = base + alpha * deviation;
	m->trend = fmin(fmax(m->trend + beta * e, -TREND_MAX), TREND_MAX);
	/* Did a wild one echo, the next would lie too near for a shift to be seen. */
	if (m->cut_run > 0)
		m->rest *= rho(m);
	else
		learn_rest(m, (1 - alpha) * deviation);
	return deviation;
}

double smoothing_predict(const struct smoothing *m, unsigned int step)
{
	double x = m->level;

	/* The trend of step i is DAMPING^(i-1): a geometric sum. */
	if (m->trend != 0)
		x += m->trend * (1 - exp(step * LOG_DAMPING)) / (1 - DAMPING);
	if (m->rest != 0 && m->log_rho > -10)
		x += m->rest * exp(step * m->log_rho);
	return x;
}

void smoothing_rescale(struct smoothing *m, double from, double to)
{
	m->level = past_shift_log(m->level, from, to);
	m->trend = m->rest = 0;
}
