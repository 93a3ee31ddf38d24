// SPDX-License-Identifier: GPL-2.0-or-later
/* gru_input.c - what a series tells the shared network: changes and distances in its own sizes. */
#include "forecast/gru_input.h"

#include "agent/base/util.h"

#define LEVEL_STEP 0.02f
#define SIZE_STEPS 200.0f
#define WILD       6.0f  /* mean changes that one counts at most */
#define SIZE_MIN   1e-4f /* on the log scale */
#define INPUT_MAX  5.0
#define FAR        4.0 /* sizes that a distance of 1 is */

/* The first changes of a window learn the size. */
#define WARM (2 * GRU_WARM)

void gru_scale_observe(struct gru_scale *s, const struct past *past, uint64_t lag)
{
	double x = past_at(past, lag), change = x - past_at(past, lag + 1);

	if (isnan(x))
		return;
	if (s->n++ == 0)
		s->level = (float)x;
	s->level += ((float)x - s->level) * fmaxf(LEVEL_STEP, 1 / (float)s->n);
	if (!isnan(change)) {
		float size = fabsf((float)change);

		if (s->n > WARM)
			size = fminf(size, WILD * s->size + SIZE_MIN);
		s->size += (size - s->size) / fminf((float)s->n, SIZE_STEPS);
	}
}

double gru_unit(const struct gru_scale *s, unsigned int horizon)
{
	return (double)fmaxf(s->size, SIZE_MIN) * sqrt(horizon);
}

/* In units, cut, and 0 where not known. */
static float tame(double distance, double unit)
{
	return isnan(distance) ? 0 : (float)fmin(fmax(distance / unit, -INPUT_MAX), INPUT_MAX);
}

/* How far a cycle ago the value lay from that at @lag, and what it did then within @horizon. */
static void cycle_ago(const struct past *past, uint64_t lag, uint32_t period, unsigned int horizon,
		      double *distance, double *change)
{
	uint64_t cycles = period > 0 ? (horizon - 1) / period + 1 : 0;
	double then = past_at(past, lag + cycles * period);

	*distance = period > 0 ? then - past_at(past, lag) : NAN;
	*change = period > 0 ? past_at(past, lag + cycles * period - horizon) - then : NAN;
}

void gru_inputs(const struct gru_scale *s, const struct past *past, uint64_t lag, uint32_t period,
		float *ret)
{
	double unit = gru_unit(s, 1), x = past_at(past, lag), distance, change, phase = 0;

	cycle_ago(past, lag, period, 1, &distance, &change);
	if (period > 0)
		phase = 2 * M_PI * (double)((past->steps - 1 - lag) % period) / period;
	ret[0] = tame(x - past_at(past, lag + 1), unit);
	ret[1] = tame((double)s->level - x, FAR * unit);
	ret[2] = tame(change, unit);
	ret[3] = tame(distance, FAR * unit);
	ret[4] = period > 0 ? (float)sin(phase) : 0;
	ret[5] = period > 0 ? (float)cos(phase) : 0;
	ret[6] = isnan(x);
}

void gru_skips(const struct gru_scale *s, const struct past *past, uint64_t lag, uint32_t period,
	       unsigned int horizon, float *ret)
{
	double unit = gru_unit(s, horizon), distance, change;

	cycle_ago(past, lag, period, horizon, &distance, &change);
	ret[0] = tame(change, unit);
	ret[1] = tame(distance, unit);
}

static void cut_step(const struct gru_scale *s, const struct past *past, uint64_t lag,
		     uint32_t period, size_t at, struct gru_window *ret)
{
	double x = past_at(past, lag);

	gru_inputs(s, past, lag, period, ret->in[at]);
	for (size_t k = 0; k < GRU_HEADS; k++) {
		unsigned int ahead = gru_horizon(k);
		double change = ahead <= lag ? past_at(past, lag - ahead) - x : NAN;

		gru_skips(s, past, lag, period, ahead, ret->skip[at][k]);
		ret->target[at][k] = isnan(change) ? NAN : tame(change, gru_unit(s, ahead));
	}
}

size_t gru_windows(const struct past *past, uint32_t period, size_t stride, struct gru_window *ret,
		   size_t max)
{
	size_t known = MIN(past->steps, past->size), first = MAX(period, WARM), n = 0;
	struct gru_scale scale = {}, at_start;

	for (size_t i = 0; i + GRU_STEPS <= known && n < max; i++) {
		gru_scale_observe(&scale, past, known - 1 - i);
		if (i < first || (i - first) % stride != 0)
			continue;
		at_start = scale;
		for (size_t s = 0; s < GRU_STEPS; s++) {
			uint64_t lag = known - 1 - i - s;

			if (s > 0)
				gru_scale_observe(&at_start, past, lag);
			cut_step(&at_start, past, lag, period, s, &ret[n]);
		}
		n++;
	}
	return n;
}
