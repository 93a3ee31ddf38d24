// SPDX-License-Identifier: GPL-2.0-or-later
/* series_layout.c - where the parts of a series lie in its block. */
#include "agent/base/util.h"
#include "forecast/series_state.h"

static uint32_t aligned(size_t at)
{
	return (uint32_t)((at + 7) & ~(size_t)7);
}

size_t series_model_size(const struct series_conf *conf, const struct forecast_model *model)
{
	return model->size ? model->size(conf) : 0;
}

static uint32_t count_buckets(uint32_t horizon)
{
	uint32_t n = 1;

	for (uint32_t step = 1; step < horizon; step = MIN(2 * step, horizon))
		n++;
	return n;
}

static uint32_t stride_of(const struct series_conf *conf, uint32_t step)
{
	uint32_t slots = conf->brief ? SERIES_SLOTS_BRIEF : SERIES_SLOTS;

	return (step + slots - 1) / slots;
}

/* How many forecasts wait at most, of all horizons. */
static uint32_t count_slots(const struct series_conf *conf)
{
	uint32_t n = 1;

	for (uint32_t step = 1; step < conf->horizon;) {
		uint32_t stride;

		step = MIN(2 * step, conf->horizon);
		stride = stride_of(conf, step);
		n += (step + stride - 1) / stride;
	}
	return n;
}

void series_lay_buckets(struct series *s)
{
	uint32_t slots = 0, step = 1;

	for (uint32_t b = 0; b < s->n_buckets; b++) {
		struct bucket *k = &s->buckets[b];

		k->first = b > 0 ? s->buckets[b - 1].step + 1 : 1;
		k->step = step;
		k->stride = stride_of(&s->conf, step);
		k->slots = (step + k->stride - 1) / k->stride;
		k->first_slot = slots;
		slots += k->slots;
		step = MIN(2 * step, s->conf.horizon);
	}
}

void series_lay_out(struct series *s)
{
	uint32_t at;

	s->n_buckets = count_buckets(s->conf.horizon);
	at = aligned(sizeof(*s) + s->n_buckets * sizeof(struct bucket));
	s->slots_at = at;
	at = aligned(at + count_slots(&s->conf) * sizeof(struct waiting_step));
	for (size_t m = 0; m < SERIES_MODELS; m++) {
		s->models_at[m] = at;
		at = aligned(at + series_model_size(&s->conf, forecast_models[m]));
	}
	s->past_at = at;
	s->size_bytes = aligned(at + past_size(s->conf.max_period));
}
