/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ladder.h - one measured quantity as series on up to three clocks: steps of the tick or some of
 * them, 1 min, 1 h.
 */
#ifndef FORESHAPE_LADDER_H
#define FORESHAPE_LADDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "forecast/forecast.h"

#define LADDER_CLOCKS 3
#define LADDER_VIEWS  2 /* of the shortest clocks, that a plan asks again and again */

struct ladder_conf {
	size_t n_clocks;
	struct series_conf clock[LADDER_CLOCKS]; /* shortest step first */
	uint64_t tick_ns;                        /* 0: every tick is a step of the shortest clock */
	unsigned int phase; /* ticks that count as passed of each first step: not all end at once */
};

struct ladder {
	struct series *series[LADDER_CLOCKS]; /* NULL past the last clock */
	uint64_t step_ns[LADDER_CLOCKS];
	unsigned int horizon[LADDER_CLOCKS];
	uint64_t tick_ns; /* as of the conf */
	/* What of the step that is filling has been seen. Plain memory, saved as it is. */
	struct ladder_part {
		double sum, seconds;
		uint64_t elapsed_ns;
	} part[LADDER_CLOCKS];
	/* Forecasts that hold until the series changes; not saved. */
	struct ladder_view {
		uint64_t version; /* of the series; 0: none yet */
		unsigned int steps;
		struct forecast f;
	} peak[LADDER_VIEWS], mean[LADDER_VIEWS];
};

/* What is kept of a series, by how much depends on it. */
enum ladder_kind {
	LADDER_CPU,
	LADDER_MEMORY,
	LADDER_TX,
	LADDER_IO,
	LADDER_SLOW_TX,  /* of a host with many services: by longer steps */
	LADDER_API,      /* requests of one of the host's busiest APIs */
	LADDER_SLOW_API, /* of one of its service's busiest: by longer steps */
	LADDER_QUIET,    /* of any other: the shortest clock alone, one step ahead */
	LADDER_KINDS
};

/* The clocks of a host that ticks every @period_ns and plans @lead_ns ahead; the phase is 0. */
void ladder_conf(enum ladder_kind kind, uint64_t period_ns, uint64_t lead_ns,
		 struct ladder_conf *ret);

int ladder_new(const struct ladder_conf *conf, struct ladder *ret); /* 0, -EINVAL, -ENOMEM */
void ladder_free(struct ladder *l);

/* The mean of @value over the last @interval_ns; NAN where it was not measured. */
void ladder_observe(struct ladder *l, double value, uint64_t interval_ns);

/*
 * A known event that starts @starts_in_ns from now (negative: has begun) on every clock. Returns 0,
 * or -ENOSPC or -ENOMEM where a clock has no room for it: to be said again later, which is no news
 * to the clocks that have it.
 */
int ladder_event(struct ladder *l, uint32_t id, int64_t starts_in_ns, uint64_t lasts_ns,
		 double multiplier);

/* Drops all events on every clock; what was learned of them stays. */
void ladder_event_clear(struct ladder *l);

/* Whether a value has come of which the next step will know. */
bool ladder_begun(const struct ladder *l);

/* The clock that reaches @horizon_ns and the steps to it, at most its horizon. */
size_t ladder_pick(const struct ladder *l, uint64_t horizon_ns, unsigned int *steps);

/*
 * Of the next @steps steps of one of the first LADDER_VIEWS clocks: the largest, and the mean as if
 * all were high or low together. What is returned is the ladder's, until it is asked again.
 */
const struct forecast *ladder_peak(struct ladder *l, size_t clock, unsigned int steps);
const struct forecast *ladder_mean(struct ladder *l, size_t clock, unsigned int steps);

/* As series_save and series_load, over all clocks. */
size_t ladder_save_size(const struct ladder *l);
size_t ladder_save(const struct ladder *l, void *buf, size_t size);
int ladder_load(struct ladder *l, const void *buf, size_t size);

#endif
