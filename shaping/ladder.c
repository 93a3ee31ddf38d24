// SPDX-License-Identifier: GPL-2.0-or-later
/* ladder.c - means over longer steps made of shorter ones, each step into its own series. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/base/util.h"
#include "shaping/ladder.h"

#define LEAD_STEPS_MOST 301
#define MEAN_STEPS      3 /* the mean over some steps is that of so many of them */

static const uint64_t steps_ns[LADDER_CLOCKS] = {NS_PER_S, 60 * NS_PER_S, 3600 * NS_PER_S};

/*
 * By kind and clock: the longest period looked for and the horizon, in steps; no period, no clock.
 * A step of the period costs 42 bytes, so only CPU looks for 10 min of seconds and a day of
 * minutes; all but the quiet and io, whose plan looks no further than its lead, find days and weeks
 * on the clock of hours.
 */
static const struct clock_row {
	unsigned int max_period, horizon;
	bool leads; /* reaches over the lead */
} clock_rows[LADDER_KINDS][LADDER_CLOCKS] = {
	[LADDER_CPU] = {{600, 300, true}, {1440, 1440, false}, {168, 336, false}},
	[LADDER_MEMORY] = {{60, 12, true}, {360, 360, false}, {168, 336, false}},
	[LADDER_TX] = {{300, 60, true}, {360, 360, false}, {168, 336, false}},
	[LADDER_IO] = {{60, 12, true}, {360, 1, false}},
	[LADDER_SLOW_TX] = {{60, 12, true}, {360, 360, false}, {168, 336, false}},
	[LADDER_API] = {{120, 60, true}, {60, 60, false}, {168, 168, false}},
	[LADDER_SLOW_API] = {{60, 12, true}, {60, 60, false}, {168, 168, false}},
	[LADDER_QUIET] = {{8, 1, false}},
};

/*
 * No step is shorter, by kind. A step costs the same whatever it is of: CPU, and the requests that
 * need it, have to be known within a second; memory hardly moves in that time.
 */
static const uint64_t shortest_ns[LADDER_KINDS] = {
	[LADDER_CPU] = NS_PER_S,          [LADDER_MEMORY] = 5 * NS_PER_S,  [LADDER_TX] = NS_PER_S,
	[LADDER_IO] = 5 * NS_PER_S,       [LADDER_SLOW_TX] = 5 * NS_PER_S, [LADDER_API] = NS_PER_S,
	[LADDER_SLOW_API] = 5 * NS_PER_S, [LADDER_QUIET] = 5 * NS_PER_S,
};

/* Whole ticks, no shorter than the shortest step of @kind. */
static uint64_t first_step_ns(enum ladder_kind kind, uint64_t period_ns)
{
	return (shortest_ns[kind] + period_ns - 1) / period_ns * period_ns;
}

void ladder_conf(enum ladder_kind kind, uint64_t period_ns, uint64_t lead_ns,
		 struct ladder_conf *ret)
{
	*ret = (struct ladder_conf){.tick_ns = period_ns};
	for (size_t i = 0; i < LADDER_CLOCKS; i++) {
		const struct clock_row *row = &clock_rows[kind][i];
		uint64_t step_ns = ret->n_clocks ? steps_ns[i] : first_step_ns(kind, period_ns);
		uint64_t lead = row->leads ? lead_ns / step_ns + 1 : 1;
		bool last = i + 1 == LADDER_CLOCKS || clock_rows[kind][i + 1].max_period == 0;

		/* A tick of a minute or more is a later clock's step: that clock comes first. */
		if (!last && ret->n_clocks == 0 && period_ns >= steps_ns[i + 1])
			continue;
		if (row->max_period == 0)
			return;
		ret->clock[ret->n_clocks++] = (struct series_conf){
			.step_ns = step_ns,
			.horizon = (unsigned int)MAX(row->horizon, MIN(lead, LEAD_STEPS_MOST)),
			.max_period = row->max_period,
			.brief = step_ns < steps_ns[1],
		};
	}
}

int ladder_new(const struct ladder_conf *conf, struct ladder *ret)
{
	struct ladder l = {};
	int r;

	for (size_t i = 0; i < conf->n_clocks; i++) {
		r = series_new(&conf->clock[i], &l.series[i]);
		if (r < 0) {
			ladder_free(&l);
			return r;
		}
		l.step_ns[i] = conf->clock[i].step_ns;
		l.horizon[i] = conf->clock[i].horizon;
		l.part[i].elapsed_ns = conf->phase * conf->tick_ns % l.step_ns[i];
	}
	l.tick_ns = conf->tick_ns ? conf->tick_ns : l.step_ns[0];
	*ret = l;
	return 0;
}

void ladder_free(struct ladder *l)
{
	for (size_t i = 0; i < LADDER_CLOCKS; i++)
		series_free(l->series[i]);
	*l = (struct ladder){};
}

/* A tick is a step, whatever its jitter; a long interval is a gap before it. */
static void observe_step(struct ladder *l, double value, uint64_t interval_ns)
{
	uint64_t steps = (interval_ns + l->step_ns[0] / 2) / l->step_ns[0];

	if (steps > 1)
		series_skip(l->series[0], steps - 1);
	series_observe(l->series[0], value);
}

/* A step is over up to @early_ns before its end. */
static void observe_part(struct ladder *l, size_t i, double value, uint64_t interval_ns,
			 uint64_t early_ns)
{
	struct ladder_part *p = &l->part[i];
	uint64_t steps, over_ns;

	p->elapsed_ns += interval_ns;
	if (!isnan(value)) {
		double seconds = (double)MIN(interval_ns, l->step_ns[i]) / (double)NS_PER_S;

		p->sum += value * seconds;
		p->seconds += seconds;
	}
	steps = (p->elapsed_ns + early_ns) / l->step_ns[i];
	if (steps == 0)
		return;
	if (steps > 1)
		series_skip(l->series[i], steps - 1);
	series_observe(l->series[i], p->seconds > 0 ? p->sum / p->seconds : NAN);
	over_ns = steps * l->step_ns[i];
	*p = (struct ladder_part){.elapsed_ns = MAX(p->elapsed_ns, over_ns) - over_ns};
}

bool ladder_begun(const struct ladder *l)
{
	return l->part[0].seconds > 0 || series_count(l->series[0]) > 0;
}

void ladder_observe(struct ladder *l, double value, uint64_t interval_ns)
{
	if (!l->series[0])
		return;
	if (l->tick_ns == l->step_ns[0])
		observe_step(l, value, interval_ns);
	else
		observe_part(l, 0, value, interval_ns, l->tick_ns / 2);
	for (size_t i = 1; i < LADDER_CLOCKS && l->series[i]; i++)
		observe_part(l, i, value, interval_ns, 0);
}

/* An event on one clock, in steps of it. */
struct stretch {
	int64_t start, length;
	double multiplier;
};

static int64_t div_down(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * From @from_ns to @to_ns after the next step begins. One that is shorter than the steps it lies
 * in, and fills none of them, makes less of their means than it states.
 */
static struct stretch stretch(int64_t from_ns, int64_t to_ns, int64_t step_ns, double multiplier)
{
	int64_t start = div_down(from_ns, step_ns), end = div_down(to_ns, step_ns);
	bool fills = end - start > (from_ns % step_ns != 0);
	struct stretch s = {start, MAX(end + (to_ns % step_ns != 0) - start, 1), multiplier};

	if (!fills)
		s.multiplier = 1 + (multiplier - 1) * (double)(to_ns - from_ns) /
					   (double)(s.length * step_ns);
	return s;
}

int ladder_event(struct ladder *l, uint32_t id, int64_t starts_in_ns, uint64_t lasts_ns,
		 double multiplier)
{
	int ret = 0;

	for (size_t i = 0; i < LADDER_CLOCKS && l->series[i]; i++) {
		/* From the begin of the step that is filling, which is the series' next one. */
		int64_t from_ns = ns_after(starts_in_ns, l->part[i].elapsed_ns);
		struct stretch s = stretch(from_ns, ns_after(from_ns, lasts_ns),
					   (int64_t)l->step_ns[i], multiplier);
		int r = series_event(l->series[i], id, s.start, (uint64_t)s.length, s.multiplier);

		if (r == -ENOSPC || r == -ENOMEM) /* what is invalid will be so later, too */
			ret = r;
	}
	return ret;
}

void ladder_event_clear(struct ladder *l)
{
	for (size_t i = 0; i < LADDER_CLOCKS && l->series[i]; i++)
		series_event_clear(l->series[i]);
}

size_t ladder_pick(const struct ladder *l, uint64_t horizon_ns, unsigned int *steps)
{
	size_t i = 0;
	uint64_t n;

	while (i + 1 < LADDER_CLOCKS && l->series[i + 1] &&
	       l->step_ns[i] * l->horizon[i] < horizon_ns)
		i++;
	n = l->step_ns[i] ? (horizon_ns + l->step_ns[i] - 1) / l->step_ns[i] : 1;
	*steps = (unsigned int)clamp_u64(n, 1, l->horizon[i]);
	return i;
}

/* Whether @v is not of the next @steps steps of @s as it is now; it will be. */
static bool renew(struct ladder_view *v, const struct series *s, unsigned int steps)
{
	if (v->version == series_version(s) && v->steps == steps)
		return false;
	v->version = series_version(s);
	v->steps = steps;
	return true;
}

const struct forecast *ladder_peak(struct ladder *l, size_t clock, unsigned int steps)
{
	struct ladder_view *v = &l->peak[clock];

	if (renew(v, l->series[clock], steps))
		series_predict_peak(l->series[clock], steps, &v->f);
	return &v->f;
}

static void predict_mean(const struct series *s, unsigned int steps, struct forecast *ret)
{
	unsigned int n = MIN(steps, MEAN_STEPS);

	*ret = (struct forecast){};
	for (unsigned int i = 0; i < n; i++) {
		struct forecast f;

		series_predict(s, n > 1 ? 1 + (steps - 1) * i / (n - 1) : 1, &f);
		ret->mean += f.mean / n;
		for (size_t k = 0; k < FORECAST_LEVELS; k++)
			ret->q[k] += f.q[k] / n;
	}
}

const struct forecast *ladder_mean(struct ladder *l, size_t clock, unsigned int steps)
{
	struct ladder_view *v = &l->mean[clock];

	if (renew(v, l->series[clock], steps))
		predict_mean(l->series[clock], steps, &v->f);
	return &v->f;
}

size_t ladder_save_size(const struct ladder *l)
{
	size_t n = sizeof(l->part);

	for (size_t i = 0; i < LADDER_CLOCKS && l->series[i]; i++)
		n += sizeof(uint64_t) + series_save_size(l->series[i]);
	return n;
}

size_t ladder_save(const struct ladder *l, void *buf, size_t size)
{
	unsigned char *p = buf;
	size_t at = sizeof(l->part);

	if (size < ladder_save_size(l))
		return 0;
	memcpy(p, l->part, sizeof(l->part));
	for (size_t i = 0; i < LADDER_CLOCKS && l->series[i]; i++) {
		size_t room = size - at - sizeof(uint64_t);
		uint64_t n = series_save(l->series[i], p + at + sizeof(n), room);

		memcpy(p + at, &n, sizeof(n));
		at += sizeof(n) + n;
	}
	return at;
}

/* As far as numbers go; what is missing of a step is as if it had not been measured. */
static bool part_is_sound(const struct ladder_part *p, uint64_t step_ns)
{
	return p->sum >= 0 && isfinite(p->sum) && p->seconds >= 0 &&
	       p->seconds <= (double)step_ns / (double)NS_PER_S * 2 && p->elapsed_ns < step_ns;
}

int ladder_load(struct ladder *l, const void *buf, size_t size)
{
	const unsigned char *p = buf;
	size_t at = sizeof(l->part);
	int r = 0;

	if (size < at)
		return -EINVAL;
	memcpy(l->part, p, sizeof(l->part));
	for (size_t i = 0; i < LADDER_CLOCKS && l->series[i]; i++) {
		uint64_t n;

		if (!part_is_sound(&l->part[i], l->step_ns[i]))
			l->part[i] = (struct ladder_part){};

		if (size - at < sizeof(n))
			return -EINVAL;
		memcpy(&n, p + at, sizeof(n));
		at += sizeof(n);
		if (n > size - at)
			return -EINVAL;
		if (series_load(l->series[i], p + at, n) < 0)
			r = -EINVAL;
		at += n;
	}
	return r;
}
