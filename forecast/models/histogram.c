// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * histogram.c - quantiles of a histogram whose past fades: whatever the step, what was usual of
 * late. Rzadca et al. (2020), "Autopilot: workload autoscaling at Google", sec. 3.2, and the
 * recommender of Kubernetes' vertical pod autoscaler: bins wider by a ratio, half-life of a day.
 * Bins are equal on the log scale here, and twice as wide whenever a value lies beyond them.
 */
#include <stdbool.h>
#include <string.h>

#include "agent/base/util.h"
#include "forecast/models/models.h"
#include "forecast/past.h"

#define BINS        64
#define FIRST_WIDTH 0.02    /* of a bin, on the log scale */
#define HALF_LIFE_S 86400.0 /* a day, ... */
#define HALF_LEAST  100.0   /* or so many steps */
#define WEIGHT_MAX  1e20f   /* of a new value: then all are made smaller */
#define PLACE_MAX   1e6     /* of where bins begin and how wide they are */
#define READ_EVERY  8       /* steps between two looks at the quantiles, once there are some */

struct histogram {
	double first, width; /* where the bins begin; 0: none yet */
	float growth;        /* of the weight of a new value, a step */
	float weight, total;
	float q10, q50, q90;
	uint32_t n_values;
	float bins[BINS];
};

static size_t size(const struct series_conf *conf)
{
	(void)conf;
	return sizeof(struct histogram);
}

static void init(void *state, const struct past *past, const struct series_conf *conf)
{
	struct histogram *m = state;
	double half = HALF_LIFE_S * 1e9 / (double)conf->step_ns;

	(void)past;
	m->growth = (float)exp2(1 / fmax(half, HALF_LEAST));
	m->weight = 1;
}

/* Two bins become one; the new ones begin at the same place, or end there. */
static void widen(struct histogram *m, bool upwards)
{
	float merged[BINS / 2];

	for (uint32_t i = 0; i < BINS / 2; i++)
		merged[i] = m->bins[2 * i] + m->bins[2 * i + 1];
	memset(m->bins, 0, sizeof(m->bins));
	memcpy(m->bins + (upwards ? 0 : BINS / 2), merged, sizeof(merged));
	if (!upwards)
		m->first -= BINS * m->width;
	m->width *= 2;
}

/* No value on the log scale is beyond; what was loaded may be anything. */
static bool has_place(const struct histogram *m)
{
	return m->width > 0 && m->width <= PLACE_MAX && fabs(m->first) <= PLACE_MAX;
}

static void add(struct histogram *m, double x, float weight)
{
	if (!(fabs(x) <= PLACE_MAX))
		return;
	if (!has_place(m)) {
		memset(m->bins, 0, sizeof(m->bins));
		m->total = 0;
		m->width = FIRST_WIDTH;
		m->first = x - 0.5 * BINS * FIRST_WIDTH;
	}
	while (x < m->first || x >= m->first + BINS * m->width)
		widen(m, x >= m->first);
	m->bins[MIN((uint32_t)((x - m->first) / m->width), BINS - 1)] += weight;
	m->total += weight;
}

/* The value below which @share of the weight lies, linear within a bin. */
static double quantile(const struct histogram *m, double share)
{
	double left = share * m->total;
	uint32_t i = 0;

	for (; i + 1 < BINS && left > m->bins[i]; i++)
		left -= m->bins[i];
	return m->first + m->width * (i + fmin(left / fmax(m->bins[i], 1e-30), 1));
}

static void shrink(struct histogram *m)
{
	for (uint32_t i = 0; i < BINS; i++)
		m->bins[i] /= m->weight;
	m->total /= m->weight;
	m->weight = 1;
}

static void read_quantiles(struct histogram *m)
{
	m->q10 = (float)quantile(m, 0.1);
	m->q50 = (float)quantile(m, 0.5);
	m->q90 = (float)quantile(m, 0.9);
}

static void observe(void *state, const struct past *past, double x)
{
	struct histogram *m = state;

	m->weight *= m->growth;
	if (m->weight > WEIGHT_MAX)
		shrink(m);
	if (isnan(x))
		return;
	add(m, x, m->weight);
	m->n_values++;
	if (m->n_values < BINS || past->steps % READ_EVERY == 0)
		read_quantiles(m);
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	const struct histogram *m = state;

	(void)step;
	if (m->n_values == 0)
		*ret = models_point(past_last(past));
	else
		*ret = (struct guess){m->q50, m->q50 - m->q10, m->q90 - m->q50};
}

/* Each bin goes where its middle is on the new scale. */
static void rescale(void *state, const struct past *past, double from, double to)
{
	struct histogram *m = state, before = *m;

	(void)past;
	memset(m->bins, 0, sizeof(m->bins));
	m->width = m->total = 0;
	for (uint32_t i = 0; i < BINS; i++) {
		double middle = before.first + before.width * (i + 0.5);

		if (before.bins[i] > 0)
			add(m, past_shift_log(middle, from, to), before.bins[i]);
	}
	if (m->total > 0)
		read_quantiles(m);
}

const struct forecast_model model_histogram = {
	.name = "histogram",
	.source = "percentiles of a fading histogram (Autopilot)",
	.size = size,
	.init = init,
	.observe = observe,
	.predict = predict,
	.rescale = rescale,
};
