/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forecast_demand.h - what a service will use over its lead, as a table. */
#ifndef FORESHAPE_FORECAST_DEMAND_H
#define FORESHAPE_FORECAST_DEMAND_H

#include <jansson.h>

/* Prints "demand" of an answer to standard output; nothing for null. */
void forecast_demand_print(const json_t *demand);

#endif
