/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forecast_csv.h - foreshape forecast --csv. */
#ifndef FORESHAPE_FORECAST_CSV_H
#define FORESHAPE_FORECAST_CSV_H

#include "agent/cmd.h"

/*
 * Backtests the file of option --csv; takes --column, --step, --train, --horizon, --stride,
 * --events, --svg, --emit, --anomalies, --scores, --short-cost, --tune and --gru besides. Returns
 * the exit code.
 */
int forecast_csv_main(const struct cmd *cmd, struct cmd_args *args);

#endif
