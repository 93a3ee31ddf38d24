/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tuning.h - constants of a series that may be fitted to it. */
#ifndef FORESHAPE_TUNING_H
#define FORESHAPE_TUNING_H

#include <stddef.h>

/* Plain memory, a part of the series; each field has its row in series_tunables. */
struct series_tuning {
	float learning; /* of the weights of models, per mean loss */
	float forget;   /* what regressions lose of the past a step */
	float season;   /* smoothing of a season that is well known */
	float level;    /* times the usual step of levels that regressions return to */
};

#define SERIES_TUNABLES 4

/* What is sensible for a field: it is searched from @low to @high, by its logarithm. */
struct series_tunable {
	const char *name;
	size_t at; /* offset in struct series_tuning */
	double low, usual, high;
};
extern const struct series_tunable series_tunables[SERIES_TUNABLES];

static inline float *series_tunable_of(struct series_tuning *t, size_t i)
{
	return (float *)((char *)t + series_tunables[i].at);
}

/* All fields as usual. */
void series_tuning_init(struct series_tuning *t);

#endif
