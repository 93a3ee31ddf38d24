// SPDX-License-Identifier: GPL-2.0-or-later
/* copula.c - the sum of quantities forecast apart, as quantiles, with their dependence learned. */
#include "forecast/copula.h"

#include <math.h>

#include "agent/base/util.h"

#define MEMORY    300.0 /* sets of scores remembered */
#define SHRINK    15.0  /* sets at which half of a correlation is believed */
#define PAIRS     6
#define BELOW_ALL -2.34 /* mean score below .025 */
#define ABOVE_ALL 3.37  /* and above .999 */
#define FITTED    5     /* of them, to find spread and skew: the last is far out */

/* Levels as far below as above the median; where the grid has no lower one, it is drawn out. */
static const struct pair {
	int lo, hi;
	double z;
} pairs[PAIRS] = {
	{Q25, Q75, 0.67449},   {Q10, Q90, 1.28155}, {Q05, Q95, 1.64485},
	{Q025, Q975, 1.95996}, {-1, Q99, 2.32635},  {-1, Q999, 3.09023},
};

static const double score_of[FORECAST_LEVELS] = {-1.95996, -1.64485, -1.28155, -0.67449,
						 0,        0.67449,  1.28155,  1.64485,
						 1.95996,  2.32635,  3.09023};

double copula_score(const double *q, double x)
{
	int lo = 0, hi = FORECAST_LEVELS - 1;

	if (isnan(x))
		return NAN;
	while (lo < FORECAST_LEVELS && q[lo] < x) /* the first not below */
		lo++;
	while (hi >= 0 && q[hi] > x) /* the last not above */
		hi--;
	if (lo == FORECAST_LEVELS)
		return ABOVE_ALL;
	if (hi < 0)
		return BELOW_ALL;
	if (lo <= hi)
		return (score_of[lo] + score_of[hi]) / 2;
	return score_of[hi] + (score_of[lo] - score_of[hi]) * (x - q[hi]) / (q[lo] - q[hi]);
}

void copula_learn(struct copula *c, const double *scores, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (isfinite(scores[i]))
			c->n[i] = fminf(c->n[i] + 1, (float)MEMORY);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i; j < n; j++) {
			double seen = (double)fminf(c->n[i], c->n[j]);
			float *p = &c->product[i][j];

			if (isfinite(scores[i]) && isfinite(scores[j]))
				*p += (float)((scores[i] * scores[j] - (double)*p) / seen);
		}
	}
}

void copula_forget(struct copula *c, size_t unit)
{
	c->n[unit] = 0;
	for (size_t k = 0; k < COPULA_UNITS; k++)
		c->product[MIN(unit, k)][MAX(unit, k)] = 0;
}

/* Of two quantities, @i the lower, whose mean scores are of size @size_i and @size_j. */
static double correlation(const struct copula *c, size_t i, size_t j, double size_i, double size_j)
{
	double seen = (double)MIN(c->n[i], c->n[j]), both = size_i * size_j, r;

	if (!(both > 0))
		return 0;
	r = (double)c->product[i][j] / both;
	r = MIN(r, 1.0);
	return MAX(r, -1.0) * seen / (seen + SHRINK);
}

static double size_of(const struct copula *c, size_t i)
{
	return sqrt((double)c->product[i][i]);
}

double copula_correlation(const struct copula *c, size_t i, size_t j)
{
	if (i == j)
		return 1;
	return correlation(c, MIN(i, j), MAX(i, j), size_of(c, i), size_of(c, j));
}

/* What a quantity is made of. */
struct part {
	double spread;           /* s: its standard deviation, about */
	double skew;             /* c */
	double asymmetry[PAIRS]; /* the pair's middle above the median */
	double rest[PAIRS];      /* half the pair's distance beyond s z */
};

/* The lower level of a pair; of the last ones by the normal distribution. */
static double low_end(const double *q, int pair)
{
	if (pairs[pair].lo >= 0)
		return q[pairs[pair].lo];
	return q[Q50] - (q[Q50] - q[Q025]) * pairs[pair].z / -score_of[Q025];
}

static void take_apart(const double *q, struct part *p)
{
	double half[PAIRS], hz = 0, sz = 0, zz = 0, zzzz = 0;

	for (int i = 0; i < PAIRS; i++) {
		double z = pairs[i].z, lo = low_end(q, i);

		half[i] = (q[pairs[i].hi] - lo) / 2;
		p->asymmetry[i] = (q[pairs[i].hi] + lo) / 2 - q[Q50];
		if (i >= FITTED)
			continue;
		hz += half[i] * z;
		sz += p->asymmetry[i] * z * z;
		zz += z * z;
		zzzz += z * z * z * z;
	}
	p->spread = hz / zz;
	p->skew = sz / zzzz;
	for (int i = 0; i < PAIRS; i++)
		p->rest[i] = half[i] - p->spread * pairs[i].z;
}

/*
 * How much each of @parts moves with the sum: the correlation of its score with the sum's. Returns
 * the standard deviation of the sum, that of the squares which do not move with it included.
 */
static double weigh(const struct copula *c, const struct part *parts, size_t n, double error,
		    double *with)
{
	double first = error * error, second = 0, shared = 0, all, size[COPULA_UNITS];

	for (size_t i = 0; i < n; i++) {
		size[i] = size_of(c, i);
		with[i] = parts[i].spread;
		second += parts[i].skew * parts[i].skew;
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			double r = correlation(c, i, j, size[i], size[j]);

			with[i] += r * parts[j].spread;
			with[j] += r * parts[i].spread;
			second += 2 * r * r * parts[i].skew * parts[j].skew;
		}
		first += with[i] * parts[i].spread;
	}
	first = sqrt(fmax(first, 0));
	for (size_t i = 0; i < n; i++) {
		with[i] = first > 0 ? fmax(fmin(with[i] / first, 1), -1) : 0;
		shared += parts[i].skew * with[i] * with[i];
	}
	all = sqrt(first * first + 2 * fmax(second - shared * shared, 0));
	for (size_t i = 0; i < n; i++)
		with[i] *= all > 0 ? first / all : 0;
	return all;
}

/* Ascending from the median on, which is no lower than @least. */
static void order(double *q, double least)
{
	q[Q50] = fmax(q[Q50], least);
	for (int i = Q50 + 1; i < FORECAST_LEVELS; i++)
		q[i] = fmax(q[i], q[i - 1]);
	for (int i = Q50; i-- > 0;)
		q[i] = fmax(fmin(q[i], q[i + 1]), 0);
}

void copula_sum(const struct copula *c, const double (*q)[FORECAST_LEVELS], size_t n, double error,
		double *ret)
{
	struct part parts[COPULA_UNITS];
	double with[COPULA_UNITS], medians = 0, median, spread;

	for (size_t k = 0; k < n; k++) {
		take_apart(q[k], &parts[k]);
		medians += q[k][Q50];
	}
	spread = weigh(c, parts, n, error, with);
	median = medians;
	for (size_t k = 0; k < n; k++)
		median += parts[k].skew * (1 - with[k] * with[k]);
	for (int i = 0; i < PAIRS; i++) {
		double half = spread * pairs[i].z, middle = median;

		for (size_t k = 0; k < n; k++) {
			half += parts[k].rest[i] * with[k] * with[k] * with[k];
			middle += parts[k].asymmetry[i] * with[k] * with[k];
		}
		ret[pairs[i].hi] = middle + half;
		if (pairs[i].lo >= 0)
			ret[pairs[i].lo] = middle - half;
	}
	ret[Q50] = median;
	order(ret, medians);
}
