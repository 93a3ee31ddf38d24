/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seasons.h - effects of the phases of up to three periods, learned online, on the log scale. */
#ifndef FORESHAPE_SEASONS_H
#define FORESHAPE_SEASONS_H

#include "forecast/forecast.h"
#include "forecast/past.h"

/* An effect, in steps of SEASONS_STEP: two bytes reach from 1e-7 to 9e6 times the level. */
typedef int16_t season_effect;
#define SEASONS_STEP (1.0 / 2048)

/* Plain memory; the effects follow where the owner puts them, seasons_room of them. */
struct seasons {
	uint32_t n;
	struct season {
		uint32_t period, first; /* steps; index of its phase 0 in effects */
		uint32_t side, first_window;
		int64_t window_sum; /* in steps, as the effects */
		uint64_t since;     /* step at which it began */
	} list[FORECAST_MAX_PERIODS];
};

/* How many effects: one and a half times the longest period. */
size_t seasons_room(const struct series_conf *conf);

/* Starts over with @n periods, longest first; one that does not fit is left out. */
void seasons_start(struct seasons *s, season_effect *effects, const struct past *past,
		   const unsigned int *steps, size_t n);

/* Sum of the effects at step @step (from the start of the series). */
double seasons_at(const struct seasons *s, const season_effect *effects, uint64_t step);

/* Takes the newest value's @deviation from level and effects into the seasons. */
void seasons_learn(struct seasons *s, season_effect *effects, const struct past *past,
		   double deviation);

/* Whether at @step the shortest period has not yet been seen once. */
bool seasons_first_cycle(const struct seasons *s, uint64_t step);

#endif
