// SPDX-License-Identifier: GPL-2.0-or-later
/* models.c - the table of models. */
#include "forecast/models/models.h"

#include "agent/base/util.h"

/* clang-format off */
const struct forecast_model *const forecast_models[] = {
	&model_last,
	&model_seasonal_naive,
	&model_seasonal_naive_short,
	&model_ets,
	&model_ets_slow,
	&model_profile,
	&model_profile_short,
	&model_ar,
	&model_ar_season,
	&model_arima,
	&model_structural,
	&model_theta,
	&model_card,
	&model_low_pass,
	&model_histogram,
	&model_gru,
};
/* clang-format on */
const size_t forecast_n_models = ARRAY_SIZE(forecast_models);
