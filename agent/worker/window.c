// SPDX-License-Identifier: GPL-2.0-or-later
/* window.c - the last minute of one API from counters that only grow. */
#include "agent/worker/window.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/util.h"

#define BOTH_SLOTS (2 * FSH_HIST_SLOTS)

static const uint32_t *slot_of(const struct window_counts *c, unsigned int i)
{
	return i < FSH_HIST_SLOTS ? &c->hist.ttfb[i] : &c->hist.total[i - FSH_HIST_SLOTS];
}

void window_read(const struct counters *c, uint32_t row, struct window_counts *ret)
{
	struct counters_totals t;

	counters_read(c, row, &t);
	counters_read_hist(c, row, &ret->hist);
	ret->requests = t.requests;
	ret->ttfb_sum_ns = t.ttfb_sum_ns;
	ret->total_sum_ns = t.total_sum_ns;
}

/* The oldest step leaves the window: the base moves up by it. */
static void drop_oldest(struct window *w)
{
	struct window_step *s = &w->steps[w->next];

	w->base->requests += s->requests;
	w->base->ttfb_sum_ns += s->ttfb_sum_ns;
	w->base->total_sum_ns += s->total_sum_ns;
	for (uint32_t i = 0; i < s->n; i++)
		*(uint32_t *)slot_of(w->base, s->slots[i].slot) += s->slots[i].count;
	s->n = 0;
}

static bool make_room(struct window_step *s, uint32_t n)
{
	struct window_slot *more;

	if (n <= s->room)
		return true;
	more = reallocarray(s->slots, n, sizeof(*more));
	if (!more)
		return false;
	s->slots = more;
	s->room = n;
	return true;
}

static void take_slots(struct window_step *s, const struct window_counts *before,
		       const struct window_counts *now)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < BOTH_SLOTS; i++)
		n += *slot_of(now, i) != *slot_of(before, i);
	if (!make_room(s, n))
		return;
	for (unsigned int i = 0; i < BOTH_SLOTS; i++) {
		uint32_t count = *slot_of(now, i) - *slot_of(before, i);

		if (count)
			s->slots[s->n++] = (struct window_slot){(uint16_t)i, count};
	}
}

static bool start(struct window *w, const struct window_counts *now)
{
	if (!now->requests)
		return false;
	w->base = calloc(1, sizeof(*w->base));
	w->last = calloc(1, sizeof(*w->last));
	if (w->base && w->last)
		return true;
	window_release(w);
	return false;
}

void window_step(struct window *w, const struct window_counts *now)
{
	struct window_step *s;

	if (!w->base && !start(w, now))
		return;
	if (w->used == WINDOW_STEPS)
		drop_oldest(w);
	else
		w->used++;
	s = &w->steps[w->next];
	w->next = (w->next + 1) % WINDOW_STEPS;
	s->n = 0;
	s->requests = now->requests - w->last->requests;
	s->ttfb_sum_ns = now->ttfb_sum_ns - w->last->ttfb_sum_ns;
	s->total_sum_ns = now->total_sum_ns - w->last->total_sum_ns;
	if (s->requests || s->total_sum_ns)
		take_slots(s, w->last, now);
	memcpy(w->last, now, sizeof(*now));
}

static void latency(const uint32_t *before, const uint32_t *now, uint64_t sum_ns,
		    struct view_latency *ret)
{
	struct counters_latency l;

	counters_latency(before, now, sum_ns, &l);
	*ret = (struct view_latency){l.p50_us, l.p90_us, l.p99_us, l.p999_us, l.mean_us, l.max_us};
}

void window_view(const struct window *w, const struct window_counts *now, double *rate_per_s,
		 struct view_latency *ttfb, struct view_latency *total)
{
	static const struct window_counts none;
	const struct window_counts *base = w->base ? w->base : &none;

	*rate_per_s = (double)(now->requests - base->requests) /
		      (double)(WINDOW_STEP_S * MAX(w->used, 1u));
	latency(base->hist.ttfb, now->hist.ttfb, now->ttfb_sum_ns - base->ttfb_sum_ns, ttfb);
	latency(base->hist.total, now->hist.total, now->total_sum_ns - base->total_sum_ns, total);
}

uint64_t window_within(const uint32_t *total, uint64_t latency_us)
{
	uint64_t ns = latency_us * NS_PER_US, within = 0;
	unsigned int cut = fsh_hist_slot(ns);
	double a = (double)fsh_hist_lower(cut), b = (double)fsh_hist_lower(cut + 1);

	for (unsigned int i = 0; i < cut; i++)
		within += total[i];
	if (cut < FSH_HIST_SLOTS - 1)
		within += (uint64_t)(total[cut] * ((double)ns - a) / (b - a));
	return within;
}

void window_release(struct window *w)
{
	free(w->base);
	free(w->last);
	for (unsigned int i = 0; i < WINDOW_STEPS; i++)
		free(w->steps[i].slots);
	memset(w, 0, sizeof(*w));
}
