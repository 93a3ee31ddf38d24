/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gru_input.h - what a series tells the shared network: changes and distances in its own sizes. */
#ifndef FORESHAPE_GRU_INPUT_H
#define FORESHAPE_GRU_INPUT_H

#include "forecast/gru.h"
#include "forecast/past.h"

/* Running level and mean size of changes of a series, on the log scale. Plain memory. */
struct gru_scale {
	float level, size;
	uint32_t n;
};

/* Takes the value at lag @lag. */
void gru_scale_observe(struct gru_scale *s, const struct past *past, uint64_t lag);

/* Horizon of head @head, in steps. */
static inline unsigned int gru_horizon(size_t head)
{
	return 1U << head;
}

/* What a head's output of 1 means on the log scale. */
double gru_unit(const struct gru_scale *s, unsigned int horizon);

/*
 * The inputs of the step at @lag, with @period (0: none) and the scale as of then; skips are those
 * of a head of @horizon. Finite whatever was measured.
 */
void gru_inputs(const struct gru_scale *s, const struct past *past, uint64_t lag, uint32_t period,
		float *ret);
void gru_skips(const struct gru_scale *s, const struct past *past, uint64_t lag, uint32_t period,
	       unsigned int horizon, float *ret);

/*
 * Cuts windows out of the past, oldest first, each @stride steps after the one before. Returns how
 * many went to @ret, at most @max.
 */
size_t gru_windows(const struct past *past, uint32_t period, size_t stride, struct gru_window *ret,
		   size_t max);

#endif
