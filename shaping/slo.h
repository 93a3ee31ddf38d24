/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slo.h - how well an objective is kept over its window, and how fast its error budget burns. */
#ifndef FORESHAPE_SLO_H
#define FORESHAPE_SLO_H

#include <stdint.h>

#define SLO_BUCKETS      60
#define SLO_FAST_BUCKETS 5  /* 5 min of an hour, as in "The Site Reliability Workbook", ch. 5 */
#define SLO_BURN_ANSWERS 20 /* in a window; fewer say nothing of a rate */

/* Plain memory, all zero at the start: counts over the window in 60 parts. */
struct slo_window {
	uint32_t good[SLO_BUCKETS], total[SLO_BUCKETS];
	uint32_t at;         /* the part being filled */
	uint32_t unused;     /* keeps the layout explicit */
	uint64_t elapsed_ns; /* of it */
};

/* An interval of @interval_ns with @total answers of which @good met the objective. */
void slo_observe(struct slo_window *w, uint64_t window_ns, uint64_t interval_ns, uint64_t good,
		 uint64_t total);

struct slo_view {
	double attained; /* share of good ones over the window; NAN: no traffic */
	/* 1 uses up the error budget exactly; NAN: fewer than SLO_BURN_ANSWERS answers. Over the
	 * last twelfth of the window, and over all of it. */
	double burn_fast, burn_slow;
	uint64_t total, total_fast;
};

void slo_view(const struct slo_window *w, double objective, struct slo_view *ret);

#endif
