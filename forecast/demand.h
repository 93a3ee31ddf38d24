/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * demand.h - what a service will use over its lead: the forecast of its own series and that from
 * its APIs, combined by recent loss and calibrated by what came.
 */
#ifndef FORESHAPE_DEMAND_H
#define FORESHAPE_DEMAND_H

#include "forecast/bottom_up.h"
#include "forecast/grid.h"

#define DEMAND_WAITING 4 /* forecasts that wait for their end */

/* Plain memory, saved as it is; demand_init. About 12 KiB. */
struct demand {
	uint64_t steps;
	struct bottom_up apis;
	float scale[DEMAND_RESOURCES], scale_n[DEMAND_RESOURCES]; /* slow mean of use */
	float highest[DEMAND_RESOURCES];                          /* use ever */
	/* One quantity that is forecast. */
	struct demand_target {
		float latest[FORECAST_LEVELS];
		float bias; /* of the slower series, on the log scale */
		struct demand_score {
			float loss, n; /* mean pinball loss on the log scale, forecasts judged */
			struct grid_shift shift;
		} scores[DEMAND_EXPERTS];
		float width; /* of the combination: its errors over what it says they are */
		struct grid_shift shift;
		float covered80, covered90, judged;
		struct demand_issued {
			float q[DEMAND_EXPERTS]
			       [FORECAST_LEVELS];        /* as the expert said; NAN: nothing */
			float combined[FORECAST_LEVELS]; /* before the last calibration */
			float interval[4]; /* .05, .10, .90, .95 as they were given out */
		} issued[DEMAND_WAITING];
	} targets[DEMAND_KINDS][DEMAND_RESOURCES];
	struct demand_waiting {
		uint64_t end; /* the last step; 0: none waits */
		struct bottom_up_waiting apis;
		struct {
			float peak, sum, n;
		} used[DEMAND_RESOURCES];
	} waiting[DEMAND_WAITING];
};

void demand_init(struct demand *d);

/* Whether bytes that were loaded may be used: what is an index in them is one. */
bool demand_is_sound(const struct demand *d);

/* The APIs are others: what was learned of them and what waits is dropped, the rest stays. */
void demand_forget_apis(struct demand *d);

/* What was forecast is judged by nothing that comes: as a gap does, for one that is known better.
 */
void demand_drop_waiting(struct demand *d);

/* Whether the next demand_step reads the forecasts of DEMAND_MEAN. */
bool demand_due(const struct demand *d, unsigned int lead_steps);

/*
 * One step: learns from the one that is over, then forecasts. Into @ret the quantiles of the peak
 * of each resource over the lead; all zero for one of which nobody has a view. Finite, not
 * negative, and no more than 4 x the most ever used or any expert's .999. No allocation; O(n) in
 * APIs and O(COPULA_UNITS^2).
 */
void demand_step(struct demand *d, const struct demand_input *in,
		 struct forecast ret[DEMAND_RESOURCES]);

/* The newest forecast of a target and how well it did: NAN where too little was judged. */
struct demand_report {
	struct forecast f;
	double coverage80, coverage90; /* of forecasts as they were given out, recent ones most */
	double judged;                 /* forecasts */
	struct {
		double weight, loss;
	} experts[DEMAND_EXPERTS];
};
void demand_report(const struct demand *d, enum demand_kind kind, enum demand_resource resource,
		   struct demand_report *ret);
extern const char *const demand_expert_names[DEMAND_EXPERTS];

#endif
