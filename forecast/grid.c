// SPDX-License-Identifier: GPL-2.0-or-later
/* grid.c - quantiles on the levels of the grid and their online calibration. */
#include "forecast/grid.h"

#include <math.h>

#include "agent/base/util.h"

#define RATE_FIRST 2.0  /* over the number of errors seen: steps of a correction at first */
#define LEARNING   0.1  /* of the weights of paces, per mean loss */
#define SHARE      0.01 /* of all weight, handed out evenly */
#define SHIFT_MIN  -6.0
#define SHIFT_MAX  12.0
#define TEMPER     0.3        /* what is left of a distance beyond the largest value seen */
#define COUNT_MAX  1048576.0f /* of values that taught a correction */
#define EQUAL      1e-9       /* nearer values are the same: neither over nor under */

#define TAIL_FROM  0.05  /* share of values above .95, where the tail begins */
#define TAIL_PRIOR 10.0  /* excesses that the first guess of the tail is worth */
#define TAIL_KEEP  200.0 /* excesses it remembers */
#define TAIL_FIRST 0.47  /* mean excess of grid_shape, in halves */
#define EXCESS_MAX 60.0  /* halves one counts at most */
#define SHAPE_MIN  -0.3  /* of the tail: nearly the end of the scale ... */
#define SHAPE_MAX  0.45  /* ... to no fourth moment */

/* Steps of a correction, once it is known. */
static const double rates[GRID_PACES] = {0.007, 0.02, 0.06};

const double forecast_level[FORECAST_LEVELS] = {0.025, 0.05, 0.10,  0.25, 0.50, 0.75,
						0.90,  0.95, 0.975, 0.99, 0.999};

/* Half way between the normal and the double exponential distribution. */
const double grid_shape[FORECAST_LEVELS] = {-2.73, -2.18, -1.61, -0.77, 0,   0.77,
					    1.61,  2.18,  2.73,  3.41,  5.04};

double forecast_at(const struct forecast *f, double level)
{
	const double *at = forecast_level;
	int i = 1;

	if (!(level > at[0]))
		return f->q[0];
	if (level > at[Q99])
		return f->q[Q99] + (f->q[Q999] - f->q[Q99]) *
					   log((1 - at[Q99]) / fmax(1 - level, 1e-9)) /
					   log((1 - at[Q99]) / (1 - at[Q999]));
	while (at[i] < level)
		i++;
	return f->q[i - 1] + (f->q[i] - f->q[i - 1]) * (level - at[i - 1]) / (at[i] - at[i - 1]);
}

double grid_half(const double *q)
{
	double half = 0.5 * (q[Q90] - q[Q10]);

	return MAX(half, EQUAL);
}

static void order(double *q)
{
	for (int i = Q50 + 1; i < FORECAST_LEVELS; i++)
		q[i] = MAX(q[i], q[i - 1]);
	for (int i = Q50; i-- > 0;)
		q[i] = MIN(q[i], q[i + 1]);
}

/* Adds to @sum what @c adds to each level, in halves, @share times: the mean over paces by weight.
 */
static void add_shifts(const struct grid_shift *c, float share, float *sum)
{
	for (int k = 0; k < GRID_PACES; k++) {
		float weight = share * (float)GRID_STEP * c->weight[k];

		for (int i = 0; i < GRID_FREE; i++)
			sum[i] += weight * (float)c->shift[k][i];
	}
}

void grid_correct_between(const struct grid_shift *a, const struct grid_shift *b, double share,
			  double *q)
{
	double half = grid_half(q);
	float shifts[GRID_FREE] = {};

	add_shifts(a, (float)(1 - share), shifts);
	add_shifts(b, (float)share, shifts);
	for (int i = 0; i < GRID_FREE; i++)
		q[i] += half * shifts[i];
	for (int i = GRID_FREE; i < FORECAST_LEVELS; i++)
		q[i] = q[Q95] + half * ((1 - share) * a->tail[i - GRID_FREE] +
					share * b->tail[i - GRID_FREE]);
	order(q);
}

void grid_correct(const struct grid_shift *c, double *q)
{
	double half = grid_half(q);
	float shifts[GRID_FREE] = {};

	add_shifts(c, 1, shifts);
	for (int i = 0; i < GRID_FREE; i++)
		q[i] += half * shifts[i];
	for (int i = GRID_FREE; i < FORECAST_LEVELS; i++)
		q[i] = q[Q95] + half * c->tail[i - GRID_FREE];
	order(q);
}

void grid_temper(double *q, double highest)
{
	double from = MAX(highest, q[Q50]);

	for (int i = Q50 + 1; i < FORECAST_LEVELS; i++) {
		if (q[i] > from)
			q[i] = from + TEMPER * (q[i] - from);
	}
}

/*
 * Peaks over a threshold are Pareto distributed (Pickands (1975)); shape and scale by the method of
 * moments: Hosking, Wallis (1987).
 */
static void fit_tail(struct grid_shift *c)
{
	double mean = c->excess, variance = fmax(c->square - mean * mean, 1e-9 * mean * mean);
	double ratio = mean * mean / variance;
	double shape = fmin(fmax(0.5 * (1 - ratio), SHAPE_MIN), SHAPE_MAX);
	double scale = mean * (1 - shape);

	for (int i = GRID_FREE; i < FORECAST_LEVELS; i++) {
		double left = log(TAIL_FROM / (1 - forecast_level[i]));
		double far = fabs(shape) < 1e-3 ? left : expm1(shape * left) / shape;

		c->tail[i - GRID_FREE] = (float)(scale * far);
	}
}

void grid_shift_init(struct grid_shift *c)
{
	*c = (struct grid_shift){
		.excess = (float)TAIL_FIRST,
		.square = (float)(2 * TAIL_FIRST * TAIL_FIRST),
	};
	for (int k = 0; k < GRID_PACES; k++)
		c->weight[k] = 1.0f / GRID_PACES;
	fit_tail(c);
}

static void learn_tail(struct grid_shift *c, double excess, double pace)
{
	double known = fmin(TAIL_FROM * c->n, TAIL_KEEP), rate = pace / (known + TAIL_PRIOR);

	excess = fmin(excess, EXCESS_MAX);
	c->excess += (float)(rate * (excess - c->excess));
	c->square += (float)(rate * (excess * excess - c->square));
	fit_tail(c);
}

static double pinball(double level, double q, double x)
{
	double d = x - q;

	return (level - 0.5) * d + 0.5 * fabs(d);
}

/* In [0, 1), for each level: a hash of @seed. */
static void draw(uint32_t seed, float *ret)
{
	for (uint32_t i = 0; i < GRID_FREE; i++)
		ret[i] = (float)(int32_t)((seed * 32 + i) * UINT32_C(2654435769) >> 8) / 16777216;
}

/* Rounds @x to whole steps, up or down by @chance, so that nothing is lost. */
static int16_t to_steps(double x, double chance)
{
	double steps = (MIN(MAX(x, SHIFT_MIN), SHIFT_MAX) - SHIFT_MIN) / GRID_STEP;

	return (int16_t)((int32_t)(steps + chance) + (int32_t)(SHIFT_MIN / GRID_STEP));
}

/* Weights of the paces by the loss of each, in units of their mean: fixed share. */
static void learn_weights(struct grid_shift *c, const double *losses)
{
	double mean = 1e-12, sum = 0, w[GRID_PACES];

	for (int k = 0; k < GRID_PACES; k++)
		mean += losses[k] / GRID_PACES;
	for (int k = 0; k < GRID_PACES; k++) {
		w[k] = c->weight[k] * exp(-LEARNING * losses[k] / mean);
		sum += w[k];
	}
	for (int k = 0; k < GRID_PACES; k++)
		c->weight[k] = (float)((1 - SHARE) * w[k] / sum + SHARE / GRID_PACES);
}

/*
 * Each level moves up when too much came above it and down when too much came below: adaptive
 * conformal inference, Gibbs, Candes (2021), as online quantiles of the scaled error, at several
 * paces by weight: Gibbs, Candes (2024), DtACI.
 */
void grid_learn(struct grid_shift *c, const double *raw, const double *q, double x, double pace)
{
	double first = fmin(RATE_FIRST / (c->n + 10), 0.1), losses[GRID_PACES] = {};
	double half = grid_half(raw);
	float chance[GRID_FREE];

	/* Goes round far up, so that the chance of rounding never stands still. */
	c->n = c->n >= 0 && c->n < COUNT_MAX ? c->n + 1 : COUNT_MAX / 2;
	if (x > q[Q95] + EQUAL)
		learn_tail(c, (x - q[Q95]) / half, pace);
	draw((uint32_t)c->n, chance);
	for (int k = 0; k < GRID_PACES; k++) {
		double rate = pace * MAX(rates[k], first);

		for (int i = 0; i < GRID_FREE; i++) {
			double shift = GRID_STEP * c->shift[k][i], at = raw[i] + half * shift;
			double to = shift + rate * (forecast_level[i] - (x < at));

			losses[k] += pinball(forecast_level[i], at, x);
			c->shift[k][i] =
				fabs(x - at) > EQUAL ? to_steps(to, chance[i]) : c->shift[k][i];
		}
	}
	learn_weights(c, losses);
}

double grid_loss(const double *q, double x)
{
	double sum = 0;

	for (int i = 0; i < FORECAST_LEVELS; i++)
		sum += pinball(forecast_level[i], q[i], x);
	return sum / FORECAST_LEVELS;
}

double grid_lowest(const double *q)
{
	return q[Q50] - (q[Q50] - q[Q025]) * grid_shape[Q99] / -grid_shape[Q025];
}
