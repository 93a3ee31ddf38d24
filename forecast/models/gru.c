// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gru.c - the network that all series of a host share, as a model of one of them: the hidden state
 * follows each value, the heads are asked when a forecast is. Without weights it knows the newest
 * value alone.
 */
#include "agent/base/util.h"
#include "forecast/gru_input.h"
#include "forecast/models/models.h"

struct recurrent {
	struct gru_scale scale;
	uint32_t period;
	uint32_t asked; /* a bit for each head since the newest value */
	float hidden[GRU_HIDDEN];
	float q[GRU_HEADS][GRU_LEVELS]; /* on the log scale, from the newest value */
};

static size_t size(const struct series_conf *conf)
{
	(void)conf;
	return sizeof(struct recurrent);
}

static void observe(void *state, const struct past *past, double x)
{
	struct recurrent *m = state;
	float in[GRU_INPUTS];

	(void)x;
	m->asked = 0;
	gru_scale_observe(&m->scale, past, 0);
	if (!past->gru)
		return;
	gru_inputs(&m->scale, past, 0, m->period, in);
	gru_step(past->gru, in, m->hidden);
}

/* The quantiles of head @head, asked once a step. */
static const float *ask(struct recurrent *m, const struct past *past, size_t head)
{
	double unit = gru_unit(&m->scale, gru_horizon(head));
	float skip[GRU_SKIPS];

	if (m->asked & 1U << head)
		return m->q[head];
	gru_skips(&m->scale, past, 0, m->period, gru_horizon(head), skip);
	gru_ask(past->gru, head, m->hidden, skip, m->q[head]);
	for (size_t i = 0; i < GRU_LEVELS; i++)
		m->q[head][i] *= (float)unit;
	m->asked |= 1U << head;
	return m->q[head];
}

/* Between two heads by the logarithm of the horizon; beyond the last one as at the last. */
static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	struct recurrent *m = state;
	double at = fmin(log2(step), GRU_HEADS - 1), share;
	size_t head = MIN((size_t)at, (size_t)GRU_HEADS - 2);
	const float *a, *b;
	float q[GRU_LEVELS];

	*ret = models_point(past_last(past));
	if (!past->gru || isnan(past_at(past, 0)))
		return;
	share = at - (double)head;
	a = ask(m, past, head);
	b = ask(m, past, head + 1);
	for (size_t i = 0; i < GRU_LEVELS; i++)
		q[i] = a[i] + (float)share * (b[i] - a[i]);
	if (!isfinite(q[0] + q[1] + q[2]))
		return;
	*ret = (struct guess){ret->x + q[1], q[1] - q[0], q[2] - q[1]};
}

static void set_periods(void *state, const struct past *past, const unsigned int *steps, size_t n,
			double level)
{
	struct recurrent *m = state;

	(void)past, (void)level;
	m->period = n > 0 ? steps[0] : 0;
}

static void rescale(void *state, const struct past *past, double from, double to)
{
	struct recurrent *m = state;

	(void)past;
	m->asked = 0;
	m->scale.level = (float)past_shift_log(m->scale.level, from, to);
}

const struct forecast_model model_gru = {
	.name = "gru",
	.source = "recurrent network shared by all series of the host",
	.size = size,
	.observe = observe,
	.predict = predict,
	.set_periods = set_periods,
	.rescale = rescale,
};
