// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_compare.c - the stretches in which two limits differ, the longest of them. */
#include "agent/replay_compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

int replay_trace_new(size_t n, struct replay_trace *ret)
{
	struct replay_mark *marks = calloc(MAX(n, (size_t)1), sizeof(*marks));

	if (!marks)
		return -ENOMEM;
	*ret = (struct replay_trace){.room = n, .marks = marks};
	return 0;
}

void replay_trace_free(struct replay_trace *t)
{
	free(t->marks);
	*t = (struct replay_trace){};
}

void replay_trace_take(struct replay_trace *t, const struct replay_now *now)
{
	if (t->n == t->room)
		return;
	t->marks[t->n++] = (struct replay_mark){
		.begins_real_ns = now->step->ends_real_ns - (int64_t)now->step->interval_ns,
		.used_mcpu = now->step->used_mcpu,
		.limit_mcpu = now->limit_mcpu,
		.reason = (uint16_t)now->reason,
		.skipped = now->skipped,
	};
}

/* 1: @a is above @b by more than REPLAY_MOVE of it; -1: below; 0: they are near enough. */
static int order(double a, double b)
{
	if (a > b * (1 + REPLAY_MOVE))
		return 1;
	return b > a * (1 + REPLAY_MOVE) ? -1 : 0;
}

static enum reason usual_reason(const struct replay_mark *marks, size_t n)
{
	size_t count[REASON_COUNT] = {};
	enum reason usual = (enum reason)marks[0].reason;

	for (size_t i = 0; i < n; i++)
		if (++count[marks[i].reason] > count[usual])
			usual = (enum reason)marks[i].reason;
	return usual;
}

static void describe(const struct replay_trace *const traces[2], struct replay_stretch *ret)
{
	const struct replay_mark *first = &traces[0]->marks[ret->from];
	double sum = 0, most = NAN;
	size_t n = 0;

	ret->from_real_ns = first->begins_real_ns;
	ret->to_real_ns = first[ret->n - 1].begins_real_ns;
	for (size_t i = 0; i < ret->n; i++) {
		if (!isfinite(first[i].used_mcpu))
			continue;
		sum += first[i].used_mcpu;
		most = fmax(most, first[i].used_mcpu); /* leaves out NAN */
		n++;
	}
	ret->used_mean_mcpu = n > 0 ? sum / (double)n : NAN;
	ret->used_most_mcpu = most;
	for (int k = 0; k < 2; k++) {
		const struct replay_mark *marks = &traces[k]->marks[ret->from];

		ret->of[k].limit_mean_mcpu = 0;
		ret->of[k].short_steps = 0;
		for (size_t i = 0; i < ret->n; i++) {
			ret->of[k].limit_mean_mcpu += marks[i].limit_mcpu / (double)ret->n;
			ret->of[k].short_steps += marks[i].used_mcpu > marks[i].limit_mcpu;
		}
		ret->of[k].reason = usual_reason(marks, ret->n);
	}
}

/* Keeps the longest, the earlier one where two are equal. */
static void keep(struct replay_difference *d, size_t from, size_t n)
{
	size_t at = d->n_longest;

	while (at > 0 && d->longest[at - 1].n < n)
		at--;
	d->n_stretches++;
	d->steps += n;
	if (at == REPLAY_STRETCHES)
		return;
	d->n_longest = MIN(d->n_longest + 1, (size_t)REPLAY_STRETCHES);
	for (size_t i = d->n_longest - 1; i > at; i--)
		d->longest[i] = d->longest[i - 1];
	d->longest[at] = (struct replay_stretch){.from = from, .n = n};
}

void replay_compare(const struct replay_trace *a, const struct replay_trace *b,
		    struct replay_difference *ret)
{
	const struct replay_trace *const traces[2] = {a, b};
	size_t n = MIN(a->n, b->n), from = 0;
	int now, before = 0;

	*ret = (struct replay_difference){};
	for (size_t i = 0; i < n; i++) {
		bool skipped = a->marks[i].skipped;

		now = skipped ? 0 : order(a->marks[i].limit_mcpu, b->marks[i].limit_mcpu);
		ret->compared += !skipped;
		if (now == before)
			continue;
		if (before)
			keep(ret, from, i - from);
		before = now;
		from = i;
	}
	if (before)
		keep(ret, from, n - from);
	for (size_t i = 0; i < ret->n_longest; i++)
		describe(traces, &ret->longest[i]);
}
