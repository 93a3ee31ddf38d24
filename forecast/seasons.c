// SPDX-License-Identifier: GPL-2.0-or-later
/* seasons.c - effects of the phases of up to three periods, learned online, on the log scale. */
#include "forecast/seasons.h"

#include <math.h>

#include "agent/base/util.h"

#define SMOOTH_SHARE 144 /* it is smoothed over one step more on each side per so many steps */
#define SPARE        8   /* for the windows of short seasons */

size_t seasons_room(unsigned int max_period)
{
	return 3 * (size_t)max_period / 2 + SPARE;
}

/* Phases on each side that an effect is smoothed over. */
static uint32_t side(uint32_t period)
{
	return period / SMOOTH_SHARE;
}

/* The newest deviations, which an effect is the mean of; they lie behind its season's effects. */
static uint32_t window(uint32_t period)
{
	return 2 * side(period) + 1;
}

void seasons_start(struct seasons *s, season_effect *effects, unsigned int max_period,
		   uint64_t step, const unsigned int *steps, size_t n)
{
	uint32_t used = 0, room = 3 * max_period / 2;

	*s = (struct seasons){.since = step};
	for (size_t i = 0; i < n && i < FORECAST_MAX_PERIODS; i++) {
		uint32_t need = steps[i] + window(steps[i]);

		if (need > room - used)
			continue;
		s->list[s->n++] = (struct season){.period = steps[i], .first = used};
		used += need;
	}
	for (uint32_t i = 0; i < used; i++)
		effects[i] = 0;
}

double seasons_at(const struct seasons *s, const season_effect *effects, uint64_t step)
{
	int32_t sum = 0;

	for (uint32_t i = 0; i < s->n; i++)
		sum += effects[s->list[i].first + step % s->list[i].period];
	return SEASONS_STEP * sum;
}

static season_effect encode(double x)
{
	return (season_effect)lrint(fmin(fmax(x / SEASONS_STEP, -INT16_MAX), INT16_MAX));
}

/* How much of a deviation goes to a season: all in its first cycle, less with each further one. */
static double gain_of(uint64_t steps, uint32_t period, double least)
{
	uint64_t cycles = steps / period;

	return fmax(1 / ((double)cycles + 1), least);
}

/* The shortest season first; each smoothed over neighbouring phases. */
void seasons_learn(struct seasons *s, season_effect *effects, uint64_t step, double deviation,
		   double least)
{
	for (uint32_t i = s->n; i-- > 0;) {
		struct season *one = &s->list[i];
		uint32_t width = window(one->period), centre = one->period - side(one->period);
		season_effect *phases = &effects[one->first], *effect;
		season_effect *slot = &phases[one->period + step % width];
		season_effect newest = encode(deviation);
		double gain = gain_of(step - s->since, one->period, least);

		one->window_sum += newest - *slot;
		*slot = newest;
		effect = &phases[(step + centre) % one->period];
		*effect = encode(SEASONS_STEP * (*effect + gain * (double)one->window_sum / width));
		deviation -= gain * deviation;
	}
}

bool seasons_first_cycle(const struct seasons *s, uint64_t step)
{
	return s->n > 0 && step - s->since < s->list[s->n - 1].period;
}
