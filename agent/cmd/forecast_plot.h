/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forecast_plot.h - the pictures of foreshape forecast, from an answer or from a backtest. */
#ifndef FORESHAPE_FORECAST_PLOT_H
#define FORESHAPE_FORECAST_PLOT_H

#include <jansson.h>

#include "agent/backtest.h"
#include "agent/cmd.h"
#include "agent/plot.h"

/* Reads what json_forecast says of models, periods and coverage; names point into @horizon. */
void forecast_plot_report(const json_t *horizon, struct series_report *ret);

/*
 * What @answer to a question for one horizon shows, or the last origin of a backtest, whose
 * forecasts are in @last. Released by plot_free; empty where there is nothing.
 */
void forecast_plot_answer(const json_t *answer, struct plot *ret);
void forecast_plot_backtest(const struct csv_series *s, const struct backtest_conf *conf,
			    const struct backtest_score *score, struct plot *ret);

/* Ends a line that has @column columns so far with the words of @basis, on more lines as needed. */
void forecast_plot_basis(size_t column, const char *basis);

/* Writes @p to the file of option --svg, if there is one. Returns 0, or a negative errno: said. */
int forecast_plot_svg(const struct cmd_args *args, const struct plot *p);

/* Prints the chart of @p to standard output. */
void forecast_plot_show(const struct plot *p);

#endif
