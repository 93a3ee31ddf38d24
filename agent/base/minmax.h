/* SPDX-License-Identifier: GPL-2.0-or-later */
/* minmax.h - fmax and fmin without a call, which compilers make for the sake of NAN; included by
 * force into what a control step is made of. */
#ifndef FORESHAPE_MINMAX_H
#define FORESHAPE_MINMAX_H

#include <math.h>

/* As in C11 7.12.12: one NAN is left out. */
static inline double minmax_max(double a, double b)
{
	return a > b || b != b ? a : b;
}

static inline double minmax_min(double a, double b)
{
	return a < b || b != b ? a : b;
}

#define fmax(a, b) minmax_max(a, b)
#define fmin(a, b) minmax_min(a, b)

#endif
