/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bottom_up.h - what a service will use, from what its APIs will be asked and what that costs. */
#ifndef FORESHAPE_BOTTOM_UP_H
#define FORESHAPE_BOTTOM_UP_H

#include <stdbool.h>
#include <stdint.h>

#include "forecast/copula.h"

#define DEMAND_MAX_APIS 64

enum demand_resource { DEMAND_CPU, DEMAND_MEMORY, DEMAND_BANDWIDTH, DEMAND_RESOURCES };
/* Over the lead: the highest step, and the mean of all. */
enum demand_kind { DEMAND_PEAK, DEMAND_MEAN, DEMAND_KINDS };
/* Who has a view: the resource's own series, the APIs, the own series of longer steps. */
enum demand_expert { DEMAND_DIRECT, DEMAND_APIS, DEMAND_SLOWER, DEMAND_EXPERTS };

/* One API at one step, in requests/s. */
struct demand_api {
	double seen;                        /* in the step that is over; NAN: not measured */
	struct forecast rate[DEMAND_KINDS]; /* the mean counts only where demand_due() */
	double cost[DEMAND_RESOURCES];      /* mcpu, bytes, bits/s each; NAN: not known */
};

/* One step of a service: mcpu, bytes, bits/s. */
struct demand_input {
	unsigned int lead_steps; /* 1 or more, always the same */
	bool gap;                /* time is missing before this step */
	size_t n_apis;           /* DEMAND_MAX_APIS at most, always the same */
	const struct demand_api *apis;
	double used[DEMAND_RESOURCES];  /* in the step that is over; NAN: not measured */
	double base[DEMAND_RESOURCES];  /* without requests; NAN: not known */
	double error[DEMAND_RESOURCES]; /* standard error of what the costs make of the forecast */
	bool slow[DEMAND_RESOURCES]; /* a forecast holds for some steps: its series has longer ones
				      */
	/* Of the resource itself; NULL: no view. DEMAND_APIS is worked out here. */
	const struct forecast *view[DEMAND_EXPERTS][DEMAND_KINDS][DEMAND_RESOURCES];
};

/* Plain memory; bottom_up_init. */
struct bottom_up {
	struct copula copula;
	uint8_t api_of[COPULA_UNITS]; /* where there are more APIs than rows: the last has the rest
				       */
	/* The logarithm of what was used over what the APIs' requests explain of it. */
	struct bottom_up_ratio {
		float mean, variance, n;
	} ratio[DEMAND_KINDS][DEMAND_RESOURCES];
};

/* What was forecast of the APIs, and what has come of it so far. */
struct bottom_up_waiting {
	float base[DEMAND_RESOURCES];
	uint8_t api_of[COPULA_UNITS]; /* as it was then */
	struct bottom_up_unit {
		float q[FORECAST_LEVELS]; /* of the peak */
		float peak, sum, n;
	} units[COPULA_UNITS];
};

void bottom_up_init(struct bottom_up *b);

/* Whether bytes that were loaded may be used: every row is of an API. */
bool bottom_up_is_sound(const struct bottom_up *b);

/*
 * Quantiles of @resource into @q [FORECAST_LEVELS]; @offset: of its log scale, log(x + offset).
 * False: a cost or the base is not known.
 */
bool bottom_up_forecast(const struct bottom_up *b, const struct demand_input *in,
			enum demand_kind kind, enum demand_resource resource, double offset,
			double *q);

/*
 * A forecast begins to wait; a step of it is over; its end has come, with what was used (NAN: not
 * known). Of a row that another API has taken over meanwhile nothing is learned.
 */
void bottom_up_issue(struct bottom_up *b, const struct demand_input *in,
		     struct bottom_up_waiting *w);
void bottom_up_see(const struct bottom_up *b, const struct demand_input *in,
		   struct bottom_up_waiting *w);
void bottom_up_judge(struct bottom_up *b, const struct demand_input *in,
		     const struct bottom_up_waiting *w,
		     const double used[DEMAND_KINDS][DEMAND_RESOURCES], const double *offsets);

#endif
