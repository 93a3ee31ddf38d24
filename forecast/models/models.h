/* SPDX-License-Identifier: GPL-2.0-or-later */
/* models.h - the models there are, and what they share. */
#ifndef FORESHAPE_MODELS_H
#define FORESHAPE_MODELS_H

#include "forecast/forecast.h"

extern const struct forecast_model model_last, model_seasonal_naive, model_seasonal_naive_short,
	model_ets, model_ets_slow, model_profile, model_profile_short;

/* A forecast that says one value and nothing of its spread. */
static inline void models_point(double value, struct forecast *ret)
{
	ret->mean = value;
	for (int i = 0; i < FORECAST_LEVELS; i++)
		ret->q[i] = value;
}

#endif
