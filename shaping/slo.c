// SPDX-License-Identifier: GPL-2.0-or-later
/* slo.c - counts of good and all answers in 60 parts of the window, and the two burn rates. */
#include <math.h>

#include "agent/base/util.h"
#include "shaping/slo.h"

static void next_bucket(struct slo_window *w)
{
	w->at = (w->at + 1) % SLO_BUCKETS;
	w->good[w->at] = 0;
	w->total[w->at] = 0;
}

static uint32_t add(uint32_t a, uint64_t b)
{
	return b > UINT32_MAX - a ? UINT32_MAX : a + (uint32_t)b;
}

void slo_observe(struct slo_window *w, uint64_t window_ns, uint64_t interval_ns, uint64_t good,
		 uint64_t total)
{
	uint64_t part_ns = MAX(window_ns / SLO_BUCKETS, 1);
	uint64_t steps;

	w->elapsed_ns += MIN(interval_ns, window_ns + part_ns);
	steps = w->elapsed_ns / part_ns;
	w->elapsed_ns %= part_ns;
	for (uint64_t i = 0; i < MIN(steps, SLO_BUCKETS); i++)
		next_bucket(w);
	w->good[w->at] = add(w->good[w->at], MIN(good, total));
	w->total[w->at] = add(w->total[w->at], total);
}

static double burn(uint64_t good, uint64_t total, double objective)
{
	if (total < SLO_BURN_ANSWERS)
		return NAN;
	return (double)(total - good) / (double)total / (1 - objective);
}

void slo_view(const struct slo_window *w, double objective, struct slo_view *ret)
{
	uint64_t good = 0, good_fast = 0;

	*ret = (struct slo_view){.attained = NAN};
	for (uint32_t i = 0; i < SLO_BUCKETS; i++) {
		uint32_t k = (w->at + SLO_BUCKETS - i) % SLO_BUCKETS;

		good += w->good[k];
		ret->total += w->total[k];
		if (i > SLO_FAST_BUCKETS)
			continue;
		good_fast += w->good[k];
		ret->total_fast += w->total[k];
	}
	if (ret->total)
		ret->attained = (double)good / (double)ret->total;
	ret->burn_slow = burn(good, ret->total, objective);
	ret->burn_fast = burn(good_fast, ret->total_fast, objective);
}
