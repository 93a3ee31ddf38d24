/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forecast_events.h - foreshape forecast --csv --events: reads the files, shows what was learned.
 */
#ifndef FORESHAPE_FORECAST_EVENTS_H
#define FORESHAPE_FORECAST_EVENTS_H

#include <jansson.h>

#include "agent/backtest.h"
#include "agent/cmd.h"

/* Reads every --events of @args. Returns 0, or a negative errno after a message. */
int forecast_events_read(const struct cmd_args *args, const struct csv_series *s, size_t horizon,
			 struct backtest_events *ret);

/* [{name, known, occurrences, multiplier, before, during, after}]; a new reference. */
json_t *forecast_events_json(const struct backtest_score *score);

void forecast_events_print(const struct backtest_score *score);

#endif
