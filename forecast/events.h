/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.h - known future events of a series and what they do to it, before, during and after:
 * multipliers stated, or shapes learned. */
#ifndef FORESHAPE_EVENTS_H
#define FORESHAPE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#define EVENTS_MAX  16 /* that are ahead, running or just over */
#define EFFECTS_MAX 16 /* ids whose effect is remembered; the least recent one makes room */

/*
 * Parts of a shape. An event of n steps is felt from n/2 before its start until n after its end: at
 * least one step before and two after.
 */
#define EVENT_BEFORE 2
#define EVENT_DURING 8
#define EVENT_AFTER  3
#define EVENT_PARTS  (EVENT_BEFORE + EVENT_DURING + EVENT_AFTER)

/* All functions but events_add take NULL where there are none. */
struct events {
	struct event {
		int64_t start, end; /* steps since the series began; end 0: free, < 0: cleared */
		float multiplier;   /* NAN: learned */
		float own;     /* log by which this one differs from its id's, or what is stated */
		float own_var; /* 0: not yet */
		uint32_t id;
	} list[EVENTS_MAX];
	uint64_t n; /* of the list that are not free */
	struct effect {
		uint32_t id, n; /* occurrences; 0: free */
		int64_t end;    /* of the last one */
		struct event_part {
			int16_t x;   /* log of the effect, in 1/4096 */
			uint16_t sd; /* of that, in 1/16384; 0: nothing measured yet */
		} parts[EVENT_PARTS];
	} effects[EFFECTS_MAX];
};

/*
 * Adds [start, end). One of the same id that overlaps by more than half of either is replaced.
 * Returns 0, -EINVAL (empty, or a multiplier that is negative or infinite), -ENOSPC.
 */
int events_add(struct events *e, uint32_t id, int64_t start, int64_t end, double multiplier);

/*
 * Drops all events that are not over before step @now, also running ones; learned effects stay. A
 * running one that is added again goes on with what was measured in it so far.
 */
void events_clear(struct events *e, int64_t now);

/* Whether an event is felt in [from, to). */
bool events_felt(const struct events *e, int64_t from, int64_t to);

/*
 * What the events make of a value at @step, where @now is the next to come: by what factor, and the
 * variance of its log; 1 and 0 where there is none.
 */
double events_multiplier(const struct events *e, int64_t step, int64_t now, double *var);

/* Of that the part people stated, where it is more than 1. */
double events_stated(const struct events *e, int64_t step);

/* Whether at @step events are forecast to bring more than what is measured says: see there. */
bool events_doubted(const struct events *e, int64_t step);

/*
 * Takes @value, measured at @step where @normal was to be expected without events, give or take
 * @sd (both of the log; @offset: of that scale); NAN: nothing is expected yet. Returns the value
 * without the events' effect, or NAN where it says more about the events than about normal times.
 * Ends events that are over.
 *
 * Each part of a shape has a value and a variance: what a measured value has above what was
 * expected is split between the part, the event's own and normal times in proportion to theirs (a
 * Kalman filter without its covariances: Harvey (1989), "Forecasting, structural time series",
 * sec. 3.2). A part not measured yet is taken to be like the nearest one.
 *
 * A stated event has its own share alone. Its load may come late, not at all, or be more: what is
 * far from stated is that, and no news of normal times.
 */
double events_observe(struct events *e, int64_t step, double value, double normal, double sd,
		      double offset);

/* As events_doubted, of the next step of @s. */
struct series;
bool series_doubts(const struct series *s);

/* What is known of @id, NULL: nothing. */
const struct effect *events_effect(const struct events *e, uint32_t id);

/* Log of the effect @f, mean of the parts [from, to) as far as they are known. */
double events_mean(const struct effect *f, int from, int to);

#endif
