/* SPDX-License-Identifier: GPL-2.0-or-later */
/* periods.h - which periods a series has. */
#ifndef FORESHAPE_PERIODS_H
#define FORESHAPE_PERIODS_H

#include <stddef.h>

/*
 * Finds up to @max periods of 3..@max_period steps in the @n values of @x (NAN: not measured; at
 * least two cycles must be there), longest first; a period of @known (@n_known) is kept while it is
 * nearly as good as a new one, and one that is a multiple of what was found is taken at a weaker
 * sign. Returns how many went to @ret; 0 also where there is no memory. Deterministic. Periodogram
 * peaks checked by autocorrelation: Vlachos, Yu, Castelli (2005), "On periodicity detection and
 * structural periodic similarity".
 */
size_t periods_find(const double *x, size_t n, unsigned int max_period, const unsigned int *known,
		    size_t n_known, unsigned int *ret, size_t max);

#endif
