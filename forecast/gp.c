// SPDX-License-Identifier: GPL-2.0-or-later
/* gp.c - a Gaussian process over a few points of the unit cube, to search a costly function with.
 */
#include "forecast/gp.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/base/util.h"

#define VARIANCE_MIN 1e-12 /* of a function that was the same at all points */

static const double lengths[] = {0.2, 0.4, 0.8, 1.6}, noises[] = {0.003, 0.03, 0.3};

void gp_init(struct gp *g, size_t dims)
{
	g->n = 0;
	g->dims = MIN(dims, (size_t)GP_DIMS);
}

int gp_add(struct gp *g, const double *x, double y)
{
	if (g->n >= GP_MAX)
		return -ENOSPC;
	memcpy(g->x[g->n], x, g->dims * sizeof(*x));
	g->y[g->n++] = y;
	return 0;
}

static double correlation(const struct gp *g, const double *a, const double *b)
{
	double square = 0, r;

	for (size_t i = 0; i < g->dims; i++)
		square += (a[i] - b[i]) * (a[i] - b[i]);
	r = sqrt(5 * square) / g->length;
	return (1 + r + r * r / 3) * exp(-r);
}

static void factorise(struct gp *g)
{
	for (size_t i = 0; i < g->n; i++) {
		for (size_t j = 0; j <= i; j++) {
			double sum = correlation(g, g->x[i], g->x[j]) + (i == j ? g->noise : 0);

			for (size_t k = 0; k < j; k++)
				sum -= g->factor[i][k] * g->factor[j][k];
			g->factor[i][j] = i == j ? sqrt(sum) : sum / g->factor[j][j];
		}
	}
}

/* @v := inverse of the factor times @v. */
static void solve_lower(const struct gp *g, double *v)
{
	for (size_t i = 0; i < g->n; i++) {
		for (size_t j = 0; j < i; j++)
			v[i] -= g->factor[i][j] * v[j];
		v[i] /= g->factor[i][i];
	}
}

static void solve_upper(const struct gp *g, double *v)
{
	for (size_t i = g->n; i-- > 0;) {
		for (size_t j = i + 1; j < g->n; j++)
			v[i] -= g->factor[j][i] * v[j];
		v[i] /= g->factor[i][i];
	}
}

double gp_fit(struct gp *g, double length, double noise)
{
	double ones[GP_MAX], above = 0, below = 0, square = 0, log_det = 0, n = (double)g->n;

	g->length = length;
	g->noise = noise;
	factorise(g);
	memcpy(g->solved, g->y, g->n * sizeof(*g->y));
	solve_lower(g, g->solved);
	for (size_t i = 0; i < g->n; i++)
		ones[i] = 1;
	solve_lower(g, ones);
	for (size_t i = 0; i < g->n; i++) {
		above += ones[i] * g->solved[i];
		below += ones[i] * ones[i];
		log_det += log(g->factor[i][i]);
	}
	g->mean = above / below;
	for (size_t i = 0; i < g->n; i++) {
		g->solved[i] -= g->mean * ones[i];
		square += g->solved[i] * g->solved[i];
	}
	g->variance = fmax(square / n, VARIANCE_MIN);
	solve_upper(g, g->solved);
	return -0.5 * n * log(g->variance) - log_det;
}

void gp_fit_best(struct gp *g)
{
	double best = -INFINITY, length = lengths[0], noise = noises[0];

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(noises); j++) {
			double likely = gp_fit(g, lengths[i], noises[j]);

			if (likely <= best)
				continue;
			best = likely;
			length = lengths[i];
			noise = noises[j];
		}
	}
	(void)gp_fit(g, length, noise);
}

void gp_predict(const struct gp *g, const double *x, double *mean, double *sd)
{
	double k[GP_MAX], left = 1;

	*mean = g->mean;
	for (size_t i = 0; i < g->n; i++) {
		k[i] = correlation(g, x, g->x[i]);
		*mean += k[i] * g->solved[i];
	}
	solve_lower(g, k);
	for (size_t i = 0; i < g->n; i++)
		left -= k[i] * k[i];
	*sd = sqrt(g->variance * fmax(left, 0));
}

double gp_improvement(const struct gp *g, const double *x, double best)
{
	double mean, sd, z;

	gp_predict(g, x, &mean, &sd);
	if (sd <= 0)
		return fmax(best - mean, 0);
	z = (best - mean) / sd;
	return (best - mean) * 0.5 * erfc(-z * M_SQRT1_2) + sd * exp(-0.5 * z * z) / sqrt(2 * M_PI);
}
