/* SPDX-License-Identifier: GPL-2.0-or-later */
/* models.h - the models there are, and what they share. */
#ifndef FORESHAPE_MODELS_H
#define FORESHAPE_MODELS_H

#include <math.h>

#include "forecast/forecast.h"

extern const struct forecast_model model_last, model_seasonal_naive, model_seasonal_naive_short,
	model_ets, model_ets_slow, model_profile, model_profile_short, model_ar, model_ar_season,
	model_arima, model_structural, model_theta, model_card, model_low_pass, model_histogram,
	model_gru;

/* A guess that says nothing of its spread. */
static inline struct guess models_point(double x)
{
	return (struct guess){(float)x, NAN, NAN};
}

#endif
