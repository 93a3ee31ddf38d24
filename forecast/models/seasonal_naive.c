// SPDX-License-Identifier: GPL-2.0-or-later
/* seasonal_naive.c - the value one period ago, of the longest or of the shortest period found. */
#include "forecast/models/models.h"
#include "forecast/past.h"

#define CYCLES     3   /* looked back over where the newest were not measured */
#define WILD       6.0 /* mean changes from cycle to cycle: more is a burst, not the season */
#define SIZE_STEPS 200.0

struct naive {
	uint32_t period; /* 0: none */
	uint32_t n_values;
	double size; /* mean change from cycle to cycle */
};

static size_t size(const struct series_conf *conf)
{
	(void)conf;
	return sizeof(struct naive);
}

static double middle(double a, double b, double c)
{
	return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* The value at @lag, or what three cycles agree on where it alone lies far from the others. */
static double without_burst(const struct naive *m, const struct past *past, uint64_t lag, double x)
{
	double b = past_at(past, lag + m->period), c = past_at(past, lag + 2 * (uint64_t)m->period);
	double usual = isnan(b) || isnan(c) ? x : middle(x, b, c);

	return fabs(x - usual) > WILD * m->size ? usual : x;
}

static void observe(void *state, const struct past *past, double x)
{
	struct naive *m = state;
	double size = m->period > 0 ? fabs(x - past_at(past, m->period)) : NAN;

	if (isnan(size))
		return;
	m->n_values++;
	if (m->n_values > 20)
		size = fmin(size, WILD * m->size + 1e-6);
	m->size += (size - m->size) / fmin(m->n_values, SIZE_STEPS);
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	const struct naive *m = state;
	double x = NAN;

	if (m->period > 0) {
		uint64_t lag = m->period - 1 - (step - 1) % m->period;

		for (int i = 0; i < CYCLES && isnan(x); i++, lag += m->period)
			x = without_burst(m, past, lag, past_at(past, lag));
	}
	*ret = models_point(isnan(x) ? past_last(past) : x);
}

static void set_longest(void *state, const struct past *past, const unsigned int *steps, size_t n,
			double level)
{
	struct naive *m = state;

	(void)past, (void)level;
	*m = (struct naive){.period = n > 0 ? steps[0] : 0};
}

static void set_shortest(void *state, const struct past *past, const unsigned int *steps, size_t n,
			 double level)
{
	struct naive *m = state;

	(void)past, (void)level;
	*m = (struct naive){.period = n > 1 ? steps[n - 1] : 0};
}

const struct forecast_model model_seasonal_naive = {
	.name = "seasonal-naive",
	.source = "value one (longest) period ago",
	.size = size,
	.observe = observe,
	.predict = predict,
	.set_periods = set_longest,
};

const struct forecast_model model_seasonal_naive_short = {
	.name = "seasonal-naive-short",
	.source = "value one (shortest) period ago",
	.size = size,
	.observe = observe,
	.predict = predict,
	.set_periods = set_shortest,
};
