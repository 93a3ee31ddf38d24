/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gp.h - a Gaussian process over a few points of the unit cube, to search a costly function with.
 */
#ifndef FORESHAPE_GP_H
#define FORESHAPE_GP_H

#include <stddef.h>

#define GP_MAX  40 /* points */
#define GP_DIMS 5

/* Plain memory, about 27 KiB. */
struct gp {
	size_t n, dims;
	double x[GP_MAX][GP_DIMS], y[GP_MAX];
	/* Of the fit: */
	double length; /* over which the function changes, in sides of the cube */
	double noise;  /* variance of what is seen beside the function, in variances of it */
	double mean, variance;
	double factor[GP_MAX][GP_MAX]; /* lower Cholesky factor of the correlation matrix */
	double solved[GP_MAX];         /* its inverse times what lies above the mean */
};

/* Starts without points; @dims is 1..GP_DIMS. */
void gp_init(struct gp *g, size_t dims);

/* Adds that the function was seen to be @y (finite) at @x. Returns 0, or -ENOSPC. */
int gp_add(struct gp *g, const double *x, double y);

/*
 * Fits mean and variance in closed form with @length and @noise (above 0), correlation Matern 5/2.
 * Returns the log of the likelihood but for a constant. Needs a point. O(n^3).
 * Rasmussen, Williams (2006), "Gaussian processes for machine learning", algorithm 2.1, eq. 4.17.
 */
double gp_fit(struct gp *g, double length, double noise);

/* Fits with the length and noise of a small table that make what was seen the most likely. */
void gp_fit_best(struct gp *g);

/* Of the function at @x, once fitted: the mean to @mean and the standard deviation to @sd. */
void gp_predict(const struct gp *g, const double *x, double *mean, double *sd);

/*
 * How much less than @best the function is expected to be at @x, counted as 0 where it is more:
 * Mockus (1978); Jones, Schonlau, Welch (1998), "Efficient global optimization", eq. 15.
 */
double gp_improvement(const struct gp *g, const double *x, double best);

#endif
