/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forecast_anomalies.h - what a backtest finds that does not belong: as a list, as scores. */
#ifndef FORESHAPE_FORECAST_ANOMALIES_H
#define FORESHAPE_FORECAST_ANOMALIES_H

#include <jansson.h>
#include <stdio.h>

#include "agent/csv.h"
#include "forecast/forecast.h"

struct anomalies {
	json_t *list; /* of {"time","kind","severity","value","expected"}; NULL: not wanted */
	FILE *scores; /* a line for every step goes here; NULL: nowhere */
	uint64_t count;
};

/* Takes step @index of @s, as the series sees it now; for struct backtest_conf. @arg: anomalies. */
void anomalies_take(const struct csv_series *s, size_t index, const struct series_anomaly *now,
		    void *arg);

void anomalies_print(const struct anomalies *a, FILE *out);

#endif
