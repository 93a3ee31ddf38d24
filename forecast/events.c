// SPDX-License-Identifier: GPL-2.0-or-later
/* events.c - known future events of a series and what they do to it. */
#include "forecast/events.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/base/util.h"

#define NOW_GAIN    0.4  /* how fast the effect of a running event follows */
#define EFFECT_GAIN 0.3  /* least share of the newest occurrence in the remembered effect */
#define LOG_MAX     5.0  /* an effect is between 1/148 and 148 */
#define LEAST_SHARE 0.05 /* of the offset */
#define STATED_MAX  1e3

static const struct effect *find_effect(const struct events *e, uint32_t id)
{
	for (int i = 0; i < EFFECTS_MAX; i++) {
		if (e->effects[i].n > 0 && e->effects[i].id == id)
			return &e->effects[i];
	}
	return NULL;
}

int events_add(struct events *e, uint32_t id, int64_t start, int64_t end, double multiplier)
{
	const struct effect *known = find_effect(e, id);
	struct event *at = NULL;

	if (end <= start || (!isnan(multiplier) && !(multiplier >= 0 && multiplier <= STATED_MAX)))
		return -EINVAL;
	for (int i = 0; i < EVENTS_MAX; i++) {
		struct event *v = &e->list[i];

		/* One just cleared goes on where it was. */
		if (v->end != 0 && v->id == id && v->start < end && start < llabs(v->end)) {
			v->start = start;
			v->end = end;
			v->multiplier = multiplier;
			return 0;
		}
		if (v->end <= 0 && !at)
			at = v;
	}
	if (!at)
		return -ENOSPC;
	*at = (struct event){.start = start,
			     .end = end,
			     .multiplier = multiplier,
			     .id = id,
			     .now = known ? known->log_effect : 0};
	return 0;
}

void events_clear(struct events *e)
{
	for (int i = 0; i < EVENTS_MAX; i++)
		e->list[i].end = -llabs(e->list[i].end);
}

static bool covers(const struct event *v, int64_t step)
{
	return v->end > 0 && step >= v->start && step < v->end;
}

bool events_running(const struct events *e, int64_t step)
{
	for (int i = 0; i < EVENTS_MAX; i++) {
		if (covers(&e->list[i], step))
			return true;
	}
	return false;
}

double events_multiplier(const struct events *e, int64_t step)
{
	double product = 1;

	for (int i = 0; i < EVENTS_MAX; i++) {
		const struct event *v = &e->list[i];

		if (covers(v, step))
			product *= isnan(v->multiplier) ? exp(v->now) : v->multiplier;
	}
	return product;
}

double events_stated(const struct events *e, int64_t step)
{
	double product = 1;

	for (int i = 0; i < EVENTS_MAX; i++) {
		const struct event *v = &e->list[i];

		if (covers(v, step) && v->multiplier > 1)
			product *= v->multiplier;
	}
	return product;
}

/* Remembers what event @v did, in the place of its id, a free one, or the least recent one. */
static void remember(struct events *e, const struct event *v)
{
	struct effect *at = &e->effects[0];

	for (int i = 0; i < EFFECTS_MAX; i++) {
		struct effect *f = &e->effects[i];

		if (f->n > 0 && f->id == v->id) {
			at = f;
			break;
		}
		if (at->n > 0 && (f->n == 0 || f->end < at->end))
			at = f;
	}
	if (at->n == 0 || at->id != v->id)
		*at = (struct effect){.id = v->id};
	at->n++;
	at->end = v->end;
	at->log_effect += (v->sum / v->n - at->log_effect) * fmax(1.0 / at->n, EFFECT_GAIN);
}

/* Events of the same id that are still ahead learn what is known now. */
static void expire(struct events *e, int64_t step)
{
	for (int i = 0; i < EVENTS_MAX; i++) {
		struct event *v = &e->list[i];

		if (v->end <= 0 || step < v->end)
			continue;
		if (isnan(v->multiplier) && v->n > 0)
			remember(e, v);
		v->end = 0;
	}
	for (int i = 0; i < EVENTS_MAX; i++) {
		struct event *v = &e->list[i];
		const struct effect *known = v->end > 0 && v->n == 0 ? find_effect(e, v->id) : NULL;

		if (known)
			v->now = known->log_effect;
	}
}

/* Lets learned event @v follow @ratio, the log of measured to expected. */
static void follow(struct event *v, double ratio)
{
	double gain = v->n == 0 ? fmax(NOW_GAIN, 0.7) : NOW_GAIN;

	ratio = fmin(fmax(ratio, -LOG_MAX), LOG_MAX);
	v->now += gain * (ratio - v->now);
	v->sum += ratio;
	v->n++;
}

double events_observe(struct events *e, int64_t step, double value, double normal, double offset)
{
	double stated = 1, least = LEAST_SHARE * offset; /* a ratio of nothing says nothing */
	bool learned = false;

	for (int i = 0; i < EVENTS_MAX; i++) {
		if (covers(&e->list[i], step) && !isnan(e->list[i].multiplier))
			stated *= e->list[i].multiplier;
	}
	for (int i = 0; i < EVENTS_MAX; i++) {
		struct event *v = &e->list[i];

		if (!covers(v, step) || !isnan(v->multiplier))
			continue;
		learned = true;
		if (!isnan(value) && !isnan(normal) && stated > 0)
			follow(v, log((value / stated + least) / (normal + least)));
	}
	expire(e, step + 1);
	return learned || stated <= 0 ? NAN : value / stated;
}

int64_t events_next(const struct events *e, int64_t from, int64_t to)
{
	int64_t first = -1;

	for (int i = 0; i < EVENTS_MAX; i++) {
		const struct event *v = &e->list[i];
		int64_t start = MAX(v->start, from);

		if (v->end > from && start < to && (first < 0 || start < first))
			first = start;
	}
	return first;
}
