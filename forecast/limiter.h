/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limiter.h - limits for the next steps by the rules that cost least, reactive ones too. */
#ifndef FORESHAPE_LIMITER_H
#define FORESHAPE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include "forecast/forecast.h"

#define LIMITER_RECENT  30 /* newest values, for the rules that look back */
#define LIMITER_LEARNED 6  /* rules whose distance from what they go by is learned */
#define LIMITER_RULES   (LIMITER_LEARNED + 1)
#define LIMITER_ROOM    512 /* errors each of them remembers: of one step in a hundred, five */

/*
 * Chooses limits one after the other, each at a cost of what it leaves unused and of short_cost, in
 * units of the values, for each step that wants more. Rules are judged by what their limits would
 * have cost. Those that look back keep a distance from zero (a static limit), from the newest value
 * or from the highest of late, in plain units or in those of what values scatter; one keeps its
 * distance from the forecast, and forecast_limit() is the last one. Distances are those that would
 * have cost least: Ban, Rudin (2019), "The big data newsvendor", empirical risk, by location and
 * scale. The limit is the mean of theirs by weight, exponential in what they cost over the
 * cheapest (Vovk (1990), aggregating strategies); a short step costs the same however little is
 * missing, so that a mean may cost more than each of them: where it does, by more than chance, the
 * cheapest rule's counts.
 *
 * Plain memory, 19 KiB, copied and saved as it is; limiter_init. For who knows what a short step
 * costs: shaping/ has the share of short steps as stated by a policy instead, and steers to it.
 */
struct limiter {
	double short_cost;
	double recent[LIMITER_RECENT]; /* a ring */
	double most;                   /* ever */
	uint64_t n_values, n_errors;
	uint64_t left; /* steps for which the limit holds still */
	/* Of the limit that holds: what the rules go by, what each would have set, and the mean. */
	double base[LIMITER_LEARNED], unit[LIMITER_LEARNED];
	double limits[LIMITER_RULES + 1];
	/*
	 * What they would have cost, of the one that holds and of those of late, and the squares of
	 * by how much that was not what the mean's did.
	 */
	double costs[LIMITER_RULES + 1], spent[LIMITER_RULES + 1], square[LIMITER_RULES + 1];
	struct limiter_errors {
		float z[LIMITER_ROOM]; /* ascending */
		uint16_t born[LIMITER_ROOM];
	} errors[LIMITER_LEARNED];
};

/* @short_cost: above 0. */
void limiter_init(struct limiter *l, double short_cost);

/* Whether bytes that were loaded may be used: all are numbers, and costs have been paid. */
bool limiter_is_sound(const struct limiter *l);

/* Takes the value of a step. NAN, infinite and negative ones and those above 1e30: not measured. */
void limiter_observe(struct limiter *l, double value);

/*
 * The limit from the next step on, for which and for the ones after it @steps was forecast (1 or
 * more; of more than 64 some are looked at). It holds for @n steps or until the next call. Finite,
 * not negative, and at most 4 x the largest value seen or forecast_limit(). Some 10 us, and what
 * forecast_limit() takes.
 */
double limiter_limit(struct limiter *l, const struct forecast *steps, size_t n);

#endif
