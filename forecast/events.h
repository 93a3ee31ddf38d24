/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.h - known future events of a series and what they do to it: multipliers, stated or
 * learned. */
#ifndef FORESHAPE_EVENTS_H
#define FORESHAPE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#define EVENTS_MAX  16 /* that are ahead or running */
#define EFFECTS_MAX 16 /* ids whose effect is remembered; the least recent one makes room */

struct events {
	struct event {
		int64_t start, end; /* steps since the series began; end 0: free, < 0: cleared */
		double multiplier;  /* NAN: learned */
		double now, sum;    /* log of the effect: at present, and summed over the event */
		uint32_t id, n;     /* steps measured in it */
	} list[EVENTS_MAX];
	struct effect {
		uint32_t id, n; /* occurrences; 0: free */
		double log_effect;
		int64_t end; /* of the last one */
	} effects[EFFECTS_MAX];
};

/*
 * Adds [start, end). One of the same id that overlaps is replaced. Returns 0, -EINVAL (empty, or a
 * multiplier that is negative or infinite), -ENOSPC.
 */
int events_add(struct events *e, uint32_t id, int64_t start, int64_t end, double multiplier);

/*
 * Drops all events, also running ones; learned effects stay. A running one that is added again goes
 * on with what was measured in it so far.
 */
void events_clear(struct events *e);

/* Whether an event covers @step. */
bool events_running(const struct events *e, int64_t step);

/* What the events make of a value at @step: 1 where there is none. */
double events_multiplier(const struct events *e, int64_t step);

/* Of that the part people stated, where it is more than 1. */
double events_stated(const struct events *e, int64_t step);

/*
 * Takes @value, measured at @step where @normal was to be expected without events (@offset:
 * of the log scale). Returns the value without the events' effect, or NAN where it
 * says nothing about normal times. Ends events that are over and remembers their effect.
 */
double events_observe(struct events *e, int64_t step, double value, double normal, double offset);

/* First step of an event in [from, to), or -1. */
int64_t events_next(const struct events *e, int64_t from, int64_t to);

#endif
