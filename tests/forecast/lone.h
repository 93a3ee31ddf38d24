/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lone.h - one model by itself over a past of its own, for tests of what it forecasts. */
#ifndef FORESHAPE_LONE_H
#define FORESHAPE_LONE_H

#include <stdlib.h>

#include "forecast/forecast.h"
#include "forecast/models/models.h"
#include "forecast/past.h"

struct lone {
	const struct forecast_model *model;
	struct past *past;
	void *state;
};

/* Starts @model with @n periods, its level at @level (a value). NULL: no memory. */
static inline struct lone *lone_new(const struct forecast_model *model, unsigned int max_period,
				    const unsigned int *periods, size_t n, double level)
{
	struct series_conf conf = {.step_ns = 1000000000, .horizon = 200, .max_period = max_period};
	struct lone *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	*l = (struct lone){model, calloc(1, past_size(max_period)), calloc(1, model->size(&conf))};
	if (!l->past || !l->state)
		abort();
	past_init(l->past, max_period);
	l->past->mean = level;
	past_rescale(l->past, past_wanted_offset(l->past));
	past_set_periods(l->past, periods, n, past_to_log(l->past, level));
	if (model->init)
		model->init(l->state, l->past, &conf);
	if (model->set_periods)
		model->set_periods(l->state, l->past, periods, n, past_to_log(l->past, level));
	return l;
}

static inline void lone_feed(struct lone *l, double value)
{
	double x = isnan(value) ? NAN : past_to_log(l->past, value);

	past_push(l->past, value);
	past_learn(l->past, x);
	l->model->observe(l->state, l->past, x);
}

static inline double lone_median(struct lone *l, unsigned int step)
{
	struct guess g;

	l->model->predict(l->state, l->past, step, &g);
	return past_from_log(l->past, g.x);
}

static inline void lone_free(struct lone *l)
{
	free(l->past);
	free(l->state);
	free(l);
}

#endif
