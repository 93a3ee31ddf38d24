// SPDX-License-Identifier: GPL-2.0-or-later
/* anomaly.c - values that do not belong: each test says how severe, the worst of them is told. */
#include "forecast/anomaly.h"

#include <math.h>
#include <string.h>

#include "agent/base/util.h"

#define SCALE_STEPS   400.0
#define SCALE_FLOOR   1e-4 /* on the log scale: a hundredth of a per cent */
#define SCALE_CUT     6.0  /* mean sizes one residual counts at most */
#define SPIKE_FULL    8.0  /* -log10 of the p-value that is severity 1 */
#define UNREST_FULL   30.0 /* the same of the short mean, whose normal law is a rough one */
#define STRANGE_P     5e-4 /* p-value of what is kept from the models */
#define STRANGE_RUN   3    /* steps in a row at most: what stays is no accident */
#define STRANGE_FIRST 1000 /* values, before a p-value as small as that is to be trusted */
#define MARGIN        0.02 /* of the range seen, that a value must lie outside of it */
#define RANGE_SCORE   0.9
#define KIND_SCORE    0.5 /* of a shift, a drought, a flat line: told late, of what is long seen */
#define SCORE_STEP    0.05
#define SCORE_LEAST   0.3
#define HOUR_STEPS    12.0 /* values of an hour count as no fewer */
#define HOUR_DAYS     5.0  /* memory of the usual day */
#define LEVEL_STEPS   400.0
#define SLACK         2.0  /* deviations off the level that are no shift */
#define SHIFT_CUT     4.0  /* deviations one value counts at most */
#define SHIFT_FULL    50.0 /* the sum that is a shift: Page (1954), CUSUM */
#define LOW_SHARE     0.1  /* of the level: "far below" */
#define LOW_RARE      0.01 /* of the steps may be that low where it is a drought */
#define LOW_RUN       5
#define SHARE_STEPS   1000.0
#define MOVES_MOST    0.9 /* of the steps move in a series that a flat line is told of */
#define FLAT_RUN      20
#define FLAT_TIMES    3 /* times the longest stand so far */
#define HOURLY_DAYS   2 /* before the usual of an hour is a reference */

/* clang-format off */
const struct anomaly_row anomaly_rows[ANOMALY_KINDS] = {
	[ANOMALY_NONE]    = { "none",    "nothing new" },
	[ANOMALY_SPIKE]   = { "spike",   "one value far from its forecast" },
	[ANOMALY_UNREST]  = { "unrest",  "forecasts miss by more than usual for a while" },
	[ANOMALY_HOUR]    = { "hour",    "unlike this hour of the day for a while" },
	[ANOMALY_RANGE]   = { "range",   "above or below everything seen so far" },
	[ANOMALY_SHIFT]   = { "shift",   "the level went up or down and stays" },
	[ANOMALY_DROUGHT] = { "drought", "next to nothing where there was always load" },
	[ANOMALY_FLAT]    = { "flat",    "a value that always moved stands still" },
};
/* clang-format on */

void anomaly_init(struct anomaly *a)
{
	memset(a, 0, sizeof(*a));
	a->newest = NAN;
	for (int i = 0; i < ANOMALY_SLOTS; i++)
		a->usual[i] = NAN;
}

/* @size in units of @scale, which then learns it. */
static double relative(float *scale, double size, uint64_t n)
{
	double ret;

	if (*scale <= 0)
		*scale = (float)(size + 1e-9);
	ret = size / fmax(*scale, SCALE_FLOOR);
	size = fmin(size, SCALE_CUT * *scale + 1e-9);
	*scale += (float)((size - *scale) / fmin((double)n + 2, SCALE_STEPS));
	return ret;
}

/* -log10 of how rare this hour is; its usual so far goes to @usual_log, NAN where it has none. */
static double hour_unrest(struct anomaly *a, const struct anomaly_step *in, double x,
			  double *usual_log)
{
	double per_slot = fmax(in->per_day / ANOMALY_SLOTS, HOUR_STEPS), usual, size;
	float *slot;

	*usual_log = NAN;
	if (isnan(in->day))
		return 0;
	slot = &a->usual[(int)fmin(in->day * ANOMALY_SLOTS, ANOMALY_SLOTS - 1)];
	if (isnan(*slot))
		*slot = (float)in->value;
	*usual_log = usual = log(fmax(*slot, 0) + in->offset);
	size = fabs(x - usual);
	usual += (x - usual) / fmin((double)in->days * per_slot + 2, HOUR_DAYS * per_slot);
	*slot = (float)fmax(exp(usual) - in->offset, 0);
	return anomaly_unrest_observe(&a->hour_unrest, relative(&a->hour_scale, size, a->n));
}

/* How far @value lies outside the range seen, in its widths. */
static double outside(struct anomaly *a, double value)
{
	double width = a->high - a->low, ret = 0;

	if (a->n > 0 && (value > a->high || value < a->low))
		ret = width > 0 ? fmax(value - a->high, a->low - value) / width : 1;
	a->low = a->n > 0 ? fmin(a->low, value) : value;
	a->high = a->n > 0 ? fmax(a->high, value) : value;
	return ret;
}

/* Starts the level over, over the usual of the hour or else over @value. */
static void start_level(struct anomaly *a, bool hourly, double value, double level)
{
	a->hourly = hourly;
	a->base = value;
	a->level = (float)level;
	a->up = a->down = 0;
}

/* Whether @d, the log of a value over its reference, says that the level is another one. */
static bool shifted(struct anomaly *a, double d)
{
	double n = (double)a->n, off = d - a->level, size = fabs(off), z;

	z = fmin(fmax(off / fmax(a->deviation, SCALE_FLOOR), -SHIFT_CUT), SHIFT_CUT);
	a->up = n < ANOMALY_FIRST ? 0 : fmaxf(0, a->up + (float)(z - SLACK));
	a->down = n < ANOMALY_FIRST ? 0 : fmaxf(0, a->down - (float)(z + SLACK));
	if (n > ANOMALY_FIRST) { /* while it may be a shift, the usual stays what it was */
		size = fmin(size, SCALE_CUT * a->deviation + SCALE_FLOOR);
		off = fmin(fmax(off, -size), size);
	}
	a->level += (float)(off / fmin(n + 1, LEVEL_STEPS));
	a->deviation += (float)((size - a->deviation) / fmin(n + 1, LEVEL_STEPS));
	return fmaxf(a->up, a->down) >= (float)SHIFT_FULL;
}

/* Whether the last few values were far below @expected, as few ever were. */
static bool dry(struct anomaly *a, double value, double expected)
{
	bool low = value < LOW_SHARE * expected, rare = a->lows < (float)LOW_RARE;

	a->low_run = low ? a->low_run + 1 : 0;
	a->lows += (float)((low - a->lows) / fmin((double)a->n + 1, SHARE_STEPS));
	return rare && a->low_run == LOW_RUN && a->n > ANOMALY_FIRST;
}

/* The kinds that are told of the level: what the values of a while are against what they were. */
static enum anomaly_kind level_kind(struct anomaly *a, const struct anomaly_step *in, double x,
				    double usual_log)
{
	bool hourly = in->days >= HOURLY_DAYS && !isnan(usual_log), drought;
	double reference;

	if (a->n == 0 || hourly != a->hourly)
		start_level(a, hourly, in->value, hourly ? x - usual_log : 0);
	reference = hourly ? usual_log : log(a->base + in->offset);
	drought = dry(a, in->value, exp(reference + a->level) - in->offset);
	if (shifted(a, x - reference)) {
		start_level(a, hourly, in->value, hourly ? x - reference : 0);
		return drought ? ANOMALY_DROUGHT : ANOMALY_SHIFT;
	}
	return drought ? ANOMALY_DROUGHT : ANOMALY_NONE;
}

static bool flat(struct anomaly *a, double value)
{
	bool moved = value != a->newest, moving = a->moves > (float)MOVES_MOST;

	if (moved)
		a->longest_still = MAX(a->longest_still, a->still);
	a->still = moved ? 0 : a->still + 1;
	a->moves += (float)((moved - a->moves) / fmin((double)a->n + 1, SHARE_STEPS));
	return moving && a->still == MAX(FLAT_RUN, FLAT_TIMES * a->longest_still) &&
	       a->n > ANOMALY_FIRST;
}

static void worse(struct anomaly_found *f, enum anomaly_kind kind, double severity)
{
	severity = fmin(severity, 1);
	if (severity <= f->severity)
		return;
	f->kind = kind;
	f->severity = severity;
}

static bool strange(struct anomaly *a, double p)
{
	a->strange = p <= STRANGE_P ? a->strange + 1 : 0;
	return a->strange > 0 && a->strange <= STRANGE_RUN && a->n >= STRANGE_FIRST;
}

static void begin_rest(struct anomaly *a, double score)
{
	a->held = fmaxf(a->held, (float)score);
	a->rest = ANOMALY_REST;
}

/*
 * In the rest after an anomaly a severity is news only where it is worse by a step, and an anomaly
 * only where its kind is a late one; what is worse belongs to the anomaly that the rest is of.
 */
static void take_rest(struct anomaly *a, struct anomaly_found *f)
{
	double score = floor(f->severity / SCORE_STEP + 1e-9) * SCORE_STEP;
	bool late = f->kind >= ANOMALY_SHIFT && !(a->said & 1u << f->kind);
	enum anomaly_kind kind = f->kind;

	a->rest -= a->rest > 0;
	if (a->rest == 0) {
		a->held = 0;
		a->said = 0;
	}
	f->kind = ANOMALY_NONE;
	f->severity = 0;
	if (a->n < ANOMALY_FIRST || (score <= a->held + 1e-6 && !late) || score < SCORE_LEAST)
		return;
	begin_rest(a, score);
	f->severity = score;
	if (score < ANOMALY_FOUND - 1e-9)
		return;
	f->worse = a->said && !late;
	if (f->worse)
		return;
	f->kind = kind;
	a->said |= 1u << kind;
}

struct anomaly_found anomaly_observe(struct anomaly *a, const struct anomaly_step *in)
{
	struct anomaly_found f = {.p = 1};
	double x = log(in->value + in->offset), size, usual_log;
	enum anomaly_kind late;

	if (isnan(x) || !isfinite(x)) {
		a->rest -= a->rest > 0;
		return f;
	}
	if (!isnan(in->median_log)) {
		size = relative(&a->scale, fabs(x - in->median_log), a->n);
		f.p = anomaly_tail_p(&a->tail, size);
		worse(&f, ANOMALY_UNREST, anomaly_unrest_observe(&a->unrest, size) / UNREST_FULL);
		worse(&f, ANOMALY_SPIKE, -log10(f.p) / SPIKE_FULL);
	}
	worse(&f, ANOMALY_HOUR, hour_unrest(a, in, x, &usual_log) / UNREST_FULL);
	if (outside(a, in->value) > MARGIN)
		worse(&f, ANOMALY_RANGE, RANGE_SCORE);
	late = level_kind(a, in, x, usual_log);
	if (flat(a, in->value))
		late = ANOMALY_FLAT;
	if (late && (f.severity < KIND_SCORE || f.severity <= a->held))
		f = (struct anomaly_found){.kind = late, .severity = KIND_SCORE, .p = f.p};
	f.strange = strange(a, f.p);
	a->n++;
	a->newest = in->value;
	take_rest(a, &f);
	return f;
}
