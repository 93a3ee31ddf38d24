/* SPDX-License-Identifier: GPL-2.0-or-later */
/* job.h - what the jobs of a series share: a copy of it, and learning its past anew. */
#ifndef FORESHAPE_JOB_H
#define FORESHAPE_JOB_H

#include "forecast/series_state.h"

struct series_job {
	struct series *copy; /* what the series was; learned anew where periods changed */
	bool changed;        /* periods */
	bool tunes;
	struct series_tuned tuned; /* what came of it */
};

/* A copy to free with series_free, NULL: no memory. */
struct series *series_copy(const struct series *s);

/* How many steps of its past @s still knows. */
size_t series_remembers(const struct series *s);

/* The newest @n steps of @s to @ret, oldest first, as values. */
void series_remember(const struct series *s, double *ret, size_t n);

/*
 * Has @s, a copy of @from, start over with @periods as at @n steps before the newest, of which
 * @values are what is to be learned next.
 */
void series_begin(struct series *s, const struct series *from, const double *values, size_t n,
		  const unsigned int *periods, size_t n_periods);

/* Has all models that are fitted do so. */
void series_refit(struct series *s);

#endif
