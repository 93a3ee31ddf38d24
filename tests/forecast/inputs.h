/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inputs.h - made-up load for the tests of forecasts, the same at every run. */
#ifndef FORESHAPE_INPUTS_H
#define FORESHAPE_INPUTS_H

#include <math.h>
#include <stdint.h>

#include "forecast/forecast.h"

/* Uniform in [0, 1). Steele, Lea, Flood (2014), SplitMix64. */
static inline double input_random(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* About normal, mean 0, variance 1. */
static inline double input_normal(uint64_t *seed)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += input_random(seed);
	return sum;
}

/* One step, with the period search run at once where one is due. */
static inline void input_feed(struct series *s, double value)
{
	struct series_job *job;

	series_observe(s, value);
	job = series_job_take(s);
	if (!job)
		return;
	series_job_run(job);
	series_job_give(s, job);
}

static inline struct series *input_series(unsigned int horizon, unsigned int max_period)
{
	struct series_conf conf = {
		.step_ns = 1000000000, .horizon = horizon, .max_period = max_period};
	struct series *s;

	return series_new(&conf, &s) == 0 ? s : NULL;
}

#endif
