/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backtest_events.h - the events of a backtest: known in advance at every step. */
#ifndef FORESHAPE_BACKTEST_EVENTS_H
#define FORESHAPE_BACKTEST_EVENTS_H

#include "agent/csv.h"
#include "forecast/forecast.h"
#include "policies/calendar.h"

/* Those of several files; zeroed: none. */
struct backtest_events {
	struct calendar known; /* calendar_free */
	size_t next;           /* of them, that the series was not told of */
};

/* Adds the events of file @path that may be felt in @s. Returns 0, or an errno as calendar_read. */
int backtest_events_read(struct backtest_events *events, const char *path,
			 const struct csv_series *s, size_t horizon, struct err *e);
void backtest_events_free(struct backtest_events *events);

/* Tells @to, which has seen the values before @index, of the events from there to the horizon. */
void backtest_events_tell(struct backtest_events *events, const struct csv_series *s, size_t index,
			  size_t horizon, struct series *to);

/* What @from learned of one name. */
struct backtest_effect {
	const char *name; /* within the events */
	size_t n_known;   /* events of that name */
	double stated;    /* multiplier of the first; NAN: learned */
	struct series_effect learned;
};

/* Fills *ret (free) with an effect for each name, in order of the first events. Returns how many
 * there are, or -ENOMEM. */
int backtest_events_effects(const struct backtest_events *events, const struct series *from,
			    struct backtest_effect **ret);

#endif
