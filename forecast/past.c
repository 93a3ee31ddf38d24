// SPDX-License-Identifier: GPL-2.0-or-later
/* past.c - the recent values of a series and the scale its models work on. */
#include "forecast/past.h"

#include "agent/base/util.h"

#define MIN_RING     64
#define CYCLES       3      /* of the longest period that the ring holds */
#define MEAN_STEPS   1000.0 /* memory of the mean */
#define OFFSET_SHARE 0.1    /* of the mean: below it the scale turns from ratios to differences */
#define OFFSET_MIN   1e-9
#define FAST_STEPS   12.0
#define SLOW_STEPS   400.0
#define REGIME_STEPS 30.0 /* how far ahead the present unrest says something */
#define REGIME_POWER 0.6
#define BURST        3.0  /* usual errors: more above the forecast is a burst */
#define UNREST_STEPS 30   /* that it counts for */
#define UNREST_FROM  50   /* values, before which none is seen */
#define SLOW_ALPHA   0.01 /* by which the slow level moves */
#define FIRST_CYCLE  0.3  /* shares that a level moves by in the first cycle of a season */
#define ERROR_FLOOR  1e-4 /* on the log scale: a hundredth of a per cent */

size_t past_size(unsigned int max_period)
{
	return sizeof(struct past) + sizeof(uint16_t) * MAX(CYCLES * (size_t)max_period, MIN_RING) +
	       sizeof(season_effect) * seasons_room(max_period);
}

static season_effect *effects(const struct past *p)
{
	return (season_effect *)(p->ring + p->size);
}

void past_init(struct past *p, unsigned int max_period)
{
	p->size = (uint32_t)MAX(CYCLES * (size_t)max_period, MIN_RING);
	p->max_period = max_period;
	p->newest = p->size - 1;
	p->steps = p->count = 0;
	p->last = p->max = p->mean = 0;
	p->offset = OFFSET_MIN;
	p->lowest = log(OFFSET_MIN);
	p->error_fast = p->error_slow = 0;
	p->unrest = 0;
	series_tuning_init(&p->tuning);
	p->gru = NULL;
	for (uint32_t i = 0; i < p->size; i++)
		p->ring[i] = PAST_NONE;
	past_set_periods(p, NULL, 0, NAN);
}

void past_set_periods(struct past *p, const unsigned int *steps, size_t n, double level)
{
	p->season = p->cycle = 0;
	seasons_start(&p->seasons, effects(p), p->max_period, p->steps, steps, n);
	past_start_level(p, &p->slow, level);
	cycles_start(&p->cycles, p, n > 0 ? steps[0] : 0);
}

void past_start_level(const struct past *p, struct smoothing *m, double level)
{
	const struct seasons *s = &p->seasons;

	smoothing_init(m, s->n > 0 ? level : NAN, s->n > 0 ? s->list[s->n - 1].period : 0);
}

double past_season(const struct past *p, uint64_t step)
{
	return seasons_at(&p->seasons, effects(p), step);
}

double past_level_gain(const struct past *p, double alpha, uint32_t n_values)
{
	const struct seasons *s = &p->seasons;

	if (s->n == 0)
		return fmax(alpha, 1 / ((double)n_values + 1));
	if (seasons_first_cycle(s, p->steps - 1))
		return fmin(alpha, FIRST_CYCLE / s->list[s->n - 1].period);
	return alpha;
}

void past_learn(struct past *p, double x)
{
	uint64_t step = p->steps - 1;
	double deviation, gain = past_level_gain(p, SLOW_ALPHA, p->slow.n_values);

	p->season = past_season(p, step);
	deviation = smoothing_observe(&p->slow, x - p->season, gain, 0);
	if (!isnan(deviation))
		seasons_learn(&p->seasons, effects(p), step, deviation, p->tuning.season);
	p->cycle = cycles_observe(&p->cycles, p);
}

uint16_t past_encode(const struct past *p, double x)
{
	double steps = (x - p->lowest) * (1 / PAST_STEP) + 0.5;

	if (isnan(steps))
		return isnan(x) ? PAST_NONE : 0;
	return (uint16_t)MIN(MAX(steps, 0), PAST_NONE - 1);
}

uint16_t past_recode(const struct past *p, uint16_t kept, double from)
{
	return kept == PAST_NONE ? PAST_NONE
				 : past_encode(p, past_shift_log(log(from) + PAST_STEP * kept, from,
								 p->offset));
}

void past_push(struct past *p, double value)
{
	p->steps++;
	p->newest = p->newest + 1 < p->size ? p->newest + 1 : 0;
	p->ring[p->newest] = past_encode(p, past_to_log(p, value));
	if (isnan(value))
		return;
	p->count++;
	p->last = value;
	p->max = fmax(p->max, value);
	p->mean += (value - p->mean) / fmin((double)p->count, MEAN_STEPS);
}

double past_wanted_offset(const struct past *p)
{
	return fmax(OFFSET_SHARE * p->mean, OFFSET_MIN);
}

void past_rescale(struct past *p, double to)
{
	double from = p->offset;
	uint16_t *newest = &p->ring[p->newest];

	p->offset = to;
	p->lowest = log(to);
	for (uint32_t i = 0; i < p->size; i++)
		p->ring[i] = past_recode(p, p->ring[i], from);
	/* The old scale may have ended below it. */
	if (*newest != PAST_NONE)
		*newest = past_encode(p, past_last(p));
	cycles_rescale(&p->cycles, p);
}

void past_error(struct past *p, double error)
{
	double size = fmin(fabs(error), 5), n = (double)p->count;

	p->unrest -= p->unrest > 0;
	if (n > UNREST_FROM && error > BURST * p->error_slow)
		p->unrest = UNREST_STEPS;
	p->error_slow += (size - p->error_slow) / fmin(n, SLOW_STEPS);
	/* One wild value must not widen everything that follows. */
	size = fmin(size, 6 * fmax(p->error_slow, ERROR_FLOOR));
	p->error_fast += (size - p->error_fast) / fmin(n, FAST_STEPS);
}

double past_spread(const struct past *p, unsigned int step)
{
	double slow = fmax(p->error_slow, ERROR_FLOOR), fast = fmax(p->error_fast, ERROR_FLOOR);
	double power = REGIME_POWER / (1 + (double)step / REGIME_STEPS);

	return slow * exp(power * log(fmax(fast / slow, 0.2)));
}
