/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * adjusted.h - what models of seasonally adjusted values share: level, the range seen, and the path
 * of a forecast, which is worked out once a step.
 */
#ifndef FORESHAPE_ADJUSTED_H
#define FORESHAPE_ADJUSTED_H

#include "forecast/past.h"

/* Plain memory, the last member of its owner: adjusted_room bytes of numbers follow it. */
struct adjusted {
	double level, lowest, highest; /* on the log scale */
	uint32_t n_values;
	uint32_t n_path, path_max; /* steps of the path, and at most */
	uint16_t path[];           /* as the past keeps values */
};

size_t adjusted_room(const struct series_conf *conf);
void adjusted_init(struct adjusted *a, const struct series_conf *conf);
void adjusted_set_periods(struct adjusted *a, const struct past *past, double level);

/* Takes note of @x, measured. The first one is the level where there is no season. */
void adjusted_see(struct adjusted *a, const struct past *past, double x);

/*
 * Takes @rest, what level and seasons left of the newest value, into the level. Returns by how much
 * that moved.
 */
double adjusted_learn(struct adjusted *a, const struct past *past, double rest);

/* Appends @x to the path, within reach of what was seen. Returns what is within. */
double adjusted_go_on(struct adjusted *a, const struct past *past, double x);

/* Step @step (from 1) of the path, which is as long at least. */
double adjusted_path(const struct adjusted *a, const struct past *past, unsigned int step);

/* The offset of the log scale goes from @from to @to. Returns by how much the level moved. */
double adjusted_rescale(struct adjusted *a, double from, double to);

#endif
