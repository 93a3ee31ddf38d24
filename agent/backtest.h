/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backtest.h - forecasts of a recorded series from rolling origins, scored against what came. */
#ifndef FORESHAPE_BACKTEST_H
#define FORESHAPE_BACKTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "agent/backtest_events.h"
#include "agent/base/err.h"
#include "agent/csv.h"
#include "forecast/forecast.h"

struct backtest_conf {
	size_t train, horizon, stride; /* steps */
	bool gru;                      /* the network learns from the training part, too */
	bool tunes;                    /* constants are fitted to the series on the way */
	FILE *emit;                    /* every forecast goes here as CSV; NULL: nowhere */
	struct forecast
		*last; /* [horizon]: takes the forecasts of the last origin; NULL: nobody asks */
	struct backtest_events *events; /* told as they come into the horizon; NULL: none */
	void (*progress)(size_t step, size_t steps); /* now and then; NULL: nobody asks */
	/* After each step; NULL: nobody asks. */
	void (*look)(const struct csv_series *s, size_t index, const struct series_anomaly *now,
		     void *arg);
	/*
	 * After the forecasts of an origin, in @last; NULL: nobody asks. Of origins before the
	 * training is over, too, which are not scored: who sets limits learns from them.
	 */
	void (*made)(const struct csv_series *s, size_t origin, const struct forecast *steps,
		     size_t n, void *made_arg);
	void *arg, *made_arg;
};

struct backtest_score {
	size_t origins, scored; /* scored: steps with a value to compare with */
	size_t last_origin;     /* index of the newest value its forecasts know */
	double wql;  /* mean of twice the pinball loss at .05 .1 .25 .5 .75 .9 .95 over mean |y| */
	double mase; /* mean |y - median| over that of "as the step before" in the training part */
	double coverage80, coverage90, coverage95, coverage98;
	double update_us,
		forecast_us;         /* CPU, mean of one value and of one forecast of 8 horizons */
	double tune_ms;              /* CPU, of all fitting of constants */
	size_t state_bytes;          /* of the series, as saved */
	struct series_report report; /* at the end */
	struct backtest_effect *effects; /* of the events, at the end; NULL: none; free */
	size_t n_effects;
};

/* Whether @s is long enough for @conf: 0, or -EINVAL with a text that says what to pass. */
int backtest_check(const struct csv_series *s, const struct backtest_conf *conf, struct err *e);

/*
 * Learns @s value by value; after @train steps, and then every @stride, forecasts the next @horizon
 * from what was learned so far. Returns 0, -EINVAL as backtest_check, -ENOMEM, -EIO.
 */
int backtest_run(const struct csv_series *s, const struct backtest_conf *conf,
		 struct backtest_score *ret, struct err *e);

#endif
