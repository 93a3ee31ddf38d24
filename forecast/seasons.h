/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seasons.h - effects of the phases of up to three periods, learned online, on the log scale. */
#ifndef FORESHAPE_SEASONS_H
#define FORESHAPE_SEASONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "forecast/forecast.h"

/* An effect, in steps of SEASONS_STEP: two bytes reach from 1e-7 to 9e6 times the level. */
typedef int16_t season_effect;
#define SEASONS_STEP (1.0 / 2048)

/* Plain memory; the effects lie where the owner puts them, seasons_room of them. */
struct seasons {
	uint64_t since; /* step at which they began */
	uint32_t n;
	struct season {
		uint32_t period, first; /* steps; index of its phase 0 in effects */
		int32_t window_sum;     /* in steps, as the effects */
	} list[FORECAST_MAX_PERIODS];
};

/* How many effects: one and a half times the longest period. */
size_t seasons_room(unsigned int max_period);

/* Starts over at step @step with @n periods, longest first; one that does not fit is left out. */
void seasons_start(struct seasons *s, season_effect *effects, unsigned int max_period,
		   uint64_t step, const unsigned int *steps, size_t n);

/* Sum of the effects at step @step (from the start of the series). */
double seasons_at(const struct seasons *s, const season_effect *effects, uint64_t step);

/*
 * Takes the @deviation of the value of step @step from level and effects into the seasons, a share
 * of at least @least.
 */
void seasons_learn(struct seasons *s, season_effect *effects, uint64_t step, double deviation,
		   double least);

/* Whether at @step the shortest period has not yet been seen once. */
bool seasons_first_cycle(const struct seasons *s, uint64_t step);

#endif
