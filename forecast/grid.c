// SPDX-License-Identifier: GPL-2.0-or-later
/* grid.c - quantiles on the levels of the grid and their online calibration. */
#include "forecast/grid.h"

#include <math.h>

#define RATE       0.02 /* step of a correction, once it is known */
#define RATE_FIRST 2.0  /* over the number of errors seen: the steps before */
#define SHIFT_MIN  -6.0
#define SHIFT_MAX  12.0
#define TEMPER     0.3  /* what is left of a distance beyond the largest value seen */
#define EQUAL      1e-9 /* nearer values are the same: neither over nor under */

#define TAIL_FROM  0.05  /* share of values above .95, where the tail begins */
#define TAIL_PRIOR 10.0  /* excesses that the first guess of the tail is worth */
#define TAIL_KEEP  200.0 /* excesses it remembers */
#define TAIL_FIRST 0.47  /* mean excess of grid_shape, in halves */
#define EXCESS_MAX 60.0  /* halves one counts at most */
#define SHAPE_MIN  -0.3  /* of the tail: nearly the end of the scale ... */
#define SHAPE_MAX  0.45  /* ... to no fourth moment */

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
	return fmax(0.5 * (q[Q90] - q[Q10]), EQUAL);
}

static void order(double *q)
{
	for (int i = Q50 + 1; i < FORECAST_LEVELS; i++)
		q[i] = fmax(q[i], q[i - 1]);
	for (int i = Q50; i-- > 0;)
		q[i] = fmin(q[i], q[i + 1]);
}

void grid_correct_between(const struct grid_shift *a, const struct grid_shift *b, double share,
			  double *q)
{
	double half = grid_half(q);

	for (int i = 0; i < GRID_FREE; i++)
		q[i] += half * ((1 - share) * a->shift[i] + share * b->shift[i]);
	for (int i = GRID_FREE; i < FORECAST_LEVELS; i++)
		q[i] = q[Q95] + half * ((1 - share) * a->tail[i - GRID_FREE] +
					share * b->tail[i - GRID_FREE]);
	order(q);
}

void grid_correct(const struct grid_shift *c, double *q)
{
	grid_correct_between(c, c, 0, q);
}

void grid_temper(double *q, double highest)
{
	double from = fmax(highest, q[Q50]);

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

/*
 * Each level moves up when too much came above it and down when too much came below: adaptive
 * conformal inference, Gibbs, Candes (2021), as online quantiles of the scaled error.
 */
void grid_learn(struct grid_shift *c, const double *q, double half, double x, double pace)
{
	double rate = pace * fmax(RATE, fmin(RATE_FIRST / (c->n + 10), 0.1));

	c->n = fminf(c->n + 1, 1e6f);
	if (x > q[Q95] + EQUAL)
		learn_tail(c, (x - q[Q95]) / half, pace);
	for (int i = 0; i < GRID_FREE; i++) {
		double below = x < q[i] ? 1 : 0;

		if (fabs(x - q[i]) <= EQUAL)
			continue;
		c->shift[i] = (float)fmin(
			fmax(c->shift[i] + rate * (forecast_level[i] - below), SHIFT_MIN),
			SHIFT_MAX);
	}
}

double grid_loss(const double *q, double x)
{
	double sum = 0;

	/* level * d above, (level - 1) * d below: without a branch that none can foresee. */
	for (int i = 0; i < FORECAST_LEVELS; i++) {
		double d = x - q[i];

		sum += (forecast_level[i] - 0.5) * d + 0.5 * fabs(d);
	}
	return sum / FORECAST_LEVELS;
}

double grid_lowest(const double *q)
{
	return q[Q50] - (q[Q50] - q[Q025]) * grid_shape[Q99] / -grid_shape[Q025];
}
