/* SPDX-License-Identifier: GPL-2.0-or-later */
/* anomaly.h - values that do not belong: one chain of tests on the residual of the next step. */
#ifndef FORESHAPE_ANOMALY_H
#define FORESHAPE_ANOMALY_H

#include <stdbool.h>
#include <stdint.h>

#define ANOMALY_FOUND 0.5  /* severity from which something is an anomaly */
#define ANOMALY_RATE  1e-3 /* share of the values of plain noise that are found, at most */
#define ANOMALY_REST  20   /* steps after one in which only a worse one or another kind counts */
#define ANOMALY_FIRST 60   /* values that are only learned from */
#define ANOMALY_SLOTS 24   /* of a day */
#define ANOMALY_BINS  48   /* of the residuals seen, four an octave */

enum anomaly_kind {
	ANOMALY_NONE,
	ANOMALY_SPIKE,
	ANOMALY_UNREST,
	ANOMALY_HOUR,
	ANOMALY_RANGE,
	ANOMALY_SHIFT,
	ANOMALY_DROUGHT,
	ANOMALY_FLAT,
	ANOMALY_KINDS
};

struct anomaly_row {
	const char *name, *help;
};
extern const struct anomaly_row anomaly_rows[ANOMALY_KINDS];

/* What has been the size of residuals: ranks, and above a high threshold moments of the excess. */
struct anomaly_tail {
	uint16_t bins[ANOMALY_BINS];
	uint32_t total;
	float threshold, mean, var; /* of the excess */
	uint32_t n, peaks;
};

/* Short mean of the size of residuals against its long mean and variance. */
struct anomaly_unrest {
	float now, mean, var;
	uint32_t n;
};

/* Plain memory. */
struct anomaly {
	uint64_t n; /* values */
	double low, high;
	float scale, hour_scale; /* mean size of the residuals, wild ones cut */
	double base;             /* value the level is told of, outside of days */
	float level, deviation;  /* log of the level over the usual of the hour or the base */
	bool hourly;             /* over the usual of the hour */
	float up, down;          /* CUSUM, in deviations */
	struct anomaly_tail tail;
	struct anomaly_unrest unrest, hour_unrest;
	float usual[ANOMALY_SLOTS]; /* value of each slot of the day, NAN: none yet */
	double newest;
	float moves, lows; /* share of steps of late that moved, that were far below the level */
	uint32_t still, longest_still, low_run;
	uint32_t strange; /* steps in a row whose residual is rare */
	uint32_t rest;    /* steps to go */
	float held;       /* severity that the rest is of */
	uint32_t said;    /* kinds found in this rest, by bit */
};

struct anomaly_step {
	double value;      /* NAN: not measured */
	double offset;     /* of the log scale, x = log(value + offset) */
	double median_log; /* that was forecast of it; NAN: nothing was */
	double day;        /* where in a day it lies, [0, 1); NAN: steps are too long for that */
	double per_day;    /* steps */
	uint64_t days;     /* that have passed */
};

struct anomaly_found {
	enum anomaly_kind kind; /* ANOMALY_NONE: nothing new */
	double severity;        /* [0, 1]; of the step as it is news, also where it is no anomaly */
	bool worse;             /* the newest anomaly goes on, at this severity */
	bool strange;           /* so rare that models had better not learn it yet */
	double p;               /* conformal p-value of the residual, 1 where there is none */
};

void anomaly_init(struct anomaly *a);

/* One step. O(1), no allocation; finite whatever comes. */
struct anomaly_found anomaly_observe(struct anomaly *a, const struct anomaly_step *in);

/*
 * The share of residuals that are as large as @size (in mean sizes), then learns it. Ranks: Vovk,
 * Gammerman, Shafer (2005), conformal p-value; beyond the threshold a generalised Pareto tail
 * fitted by moments: Siffer et al. (2017), SPOT; Hosking, Wallis (1987).
 */
double anomaly_tail_p(struct anomaly_tail *t, double size);

/*
 * -log10 of the probability that the short mean is as high as it is: Lavin, Ahmad (2015),
 * "Evaluating real-time anomaly detection algorithms", sec. III.
 */
double anomaly_unrest_observe(struct anomaly_unrest *u, double size);

#endif
