// SPDX-License-Identifier: GPL-2.0-or-later
/* seasonal_naive.c - the value one period ago, of the longest or of the shortest period found. */
#include "forecast/models/models.h"
#include "forecast/past.h"

#define CYCLES 3 /* looked back over where the newest were not measured */

struct naive {
	uint32_t period; /* 0: none */
};

static void init(void *state, const struct past *past)
{
	struct naive *m = state;

	(void)past;
	m->period = 0;
}

static void observe(void *state, const struct past *past, double x)
{
	(void)state, (void)past, (void)x;
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	const struct naive *m = state;
	double x = NAN;

	if (m->period > 0) {
		uint64_t lag = m->period - 1 - (step - 1) % m->period;

		for (int i = 0; i < CYCLES && isnan(x); i++)
			x = past_at(past, lag + (uint64_t)i * m->period);
	}
	*ret = models_point(isnan(x) ? past_last(past) : x);
}

static void set_longest(void *state, const struct past *past, const unsigned int *steps, size_t n,
			double level)
{
	struct naive *m = state;

	(void)past, (void)level;
	m->period = n > 0 ? steps[0] : 0;
}

static void set_shortest(void *state, const struct past *past, const unsigned int *steps, size_t n,
			 double level)
{
	struct naive *m = state;

	(void)past, (void)level;
	m->period = n > 1 ? steps[n - 1] : 0;
}

const struct forecast_model model_seasonal_naive = {
	.name = "seasonal-naive",
	.source = "value one (longest) period ago",
	.state_size = sizeof(struct naive),
	.init = init,
	.observe = observe,
	.predict = predict,
	.set_periods = set_longest,
};

const struct forecast_model model_seasonal_naive_short = {
	.name = "seasonal-naive-short",
	.source = "value one (shortest) period ago",
	.state_size = sizeof(struct naive),
	.init = init,
	.observe = observe,
	.predict = predict,
	.set_periods = set_shortest,
};
