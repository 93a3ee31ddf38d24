// SPDX-License-Identifier: GPL-2.0-or-later
/* last.c - the newest value. */
#include "forecast/models/models.h"
#include "forecast/past.h"

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	(void)state, (void)step;
	*ret = models_point(past_last(past));
}

const struct forecast_model model_last = {
	.name = "last",
	.source = "random walk",
	.predict = predict,
};
