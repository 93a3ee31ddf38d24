/* SPDX-License-Identifier: GPL-2.0-or-later */
/* window.h - the last minute of one API: latency quantiles and rate from counters that only grow.
 */
#ifndef FORESHAPE_WINDOW_H
#define FORESHAPE_WINDOW_H

#include "agent/agent.h"
#include "agent/counters.h"

#define WINDOW_STEP_S 5
#define WINDOW_STEPS  12

/* What changed in one step, without the zeros; @slots index both histograms in a row. */
struct window_step {
	uint64_t requests, ttfb_sum_ns, total_sum_ns;
	uint32_t n, room;
	struct window_slot {
		uint16_t slot; /* total_hist starts at FSH_HIST_SLOTS */
		uint32_t count;
	} * slots;
};

/* What the window needs of an API's counters. */
struct window_counts {
	uint64_t requests, ttfb_sum_ns, total_sum_ns;
	struct counters_hist hist;
};

/* Reads row @row of @c. */
void window_read(const struct counters *c, uint32_t row, struct window_counts *ret);

struct window {
	struct window_counts *base; /* a minute ago; NULL until the API has seen a request */
	struct window_counts *last; /* at the last step */
	struct window_step steps[WINDOW_STEPS];
	unsigned int next, used;
	uint64_t slo_good, slo_seen; /* of the last second's difference */
	uint64_t requests, finished, errors, bytes_in, bytes_out; /* at the last second */
	uint64_t responses[5];                                    /* at the last sample kept */
};

/*
 * A step has passed: @now is the API's counters. Allocates at the first request and when a step
 * has more different latencies than any before; without memory the step is empty.
 */
void window_step(struct window *w, const struct window_counts *now);

/* Quantiles, mean, max and rate over the window up to @now. */
void window_view(const struct window *w, const struct window_counts *now, double *rate_per_s,
		 struct view_latency *ttfb, struct view_latency *total);

/* Answers of histogram @total whose total latency was within @latency_us, by slots, the one cut in
 * two by share. */
uint64_t window_within(const uint32_t *total, uint64_t latency_us);

void window_release(struct window *w);

#endif
