// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tune.c - constants of a series fitted to its own past. The past is learned anew with today's
 * constants up to a part of it; from there each candidate replays the rest, and a Gaussian process
 * of their losses says which to try next. The best one is the challenger: over the days that follow
 * it must beat today's constants on values that were not there when it was chosen.
 */
#include "forecast/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "forecast/gp.h"
#include "forecast/job.h"
#include "forecast/random.h"

#define STEPS_MAX    24000 /* replayed a time */
#define NEWEST_MAX   2000  /* steps of the past that candidates are compared on */
#define NEWEST_MIN   96
#define TRIES_MAX    24 /* candidates, today's constants included */
#define TRIES_MIN    4
#define TRIES_FIRST  8    /* of them spread out before the process is asked */
#define PROPOSALS    120  /* points it is asked about */
#define NEARBY       0.5  /* of them around the best so far */
#define REACH        0.15 /* how far around, in sides of the cube */
#define SPREAD       0.7  /* share of the cube the first candidates cover, around today's */
#define ORIGINS      4    /* steps from forecast to forecast that is scored */
#define HORIZONS     4    /* scored of each */
#define BLOCKS       8    /* of what is compared, one by one */
#define WORTH        0.05 /* share of the loss that a change must save */
#define PROOFS_MIN   8    /* blocks of new values before the challenger wins or loses */
#define PROOFS_MAX   24   /* and until which it must have won */
#define PROOF_BLOCKS 2    /* a time */
#define SURE         3    /* standard errors from nothing */
#define FADING       1e-4 /* losses of so many values are none */
#define INTERVAL     24   /* steps at least from one time to the next */
#define GROWTH       3    /* shares of the past until then */

/* Losses of forecasts of the values [from, to), by block. */
struct losses {
	size_t from, to, n_blocks;
	double of[BLOCKS], size; /* size: sum of the values */
};

struct replay {
	const double *values;
	size_t n, first; /* values, and how many of them are learned before the candidates part */
	struct series *start; /* before the first of the others */
	struct series *now;
	struct gp *gp;
	struct losses usual; /* of today's constants */
	double least;        /* of the candidates' log ratios to those */
	double best_at[SERIES_TUNABLES];
	uint64_t seed;
};

uint64_t tune_interval(const struct series *s, uint64_t step)
{
	return MIN(GROWTH * step, MAX(S_PER_DAY * NS_PER_S / s->conf.step_ns, INTERVAL));
}

static void to_cube(const struct series_tuning *t, double *x)
{
	struct series_tuning copy = *t;

	for (size_t i = 0; i < SERIES_TUNABLES; i++) {
		const struct series_tunable *row = &series_tunables[i];
		double at = log(*series_tunable_of(&copy, i) / row->low);

		x[i] = at / log(row->high / row->low);
	}
}

static void from_cube(const double *x, struct series_tuning *ret)
{
	for (size_t i = 0; i < SERIES_TUNABLES; i++) {
		const struct series_tunable *row = &series_tunables[i];

		*series_tunable_of(ret, i) = (float)(row->low * pow(row->high / row->low, x[i]));
	}
}

/* Scores forecasts of @s, which has learned @at values, at horizons from all parts of what is
 * asked. */
static void score(const struct series *s, const double *values, size_t at, double turn,
		  struct losses *ret)
{
	size_t far = s->conf.horizon;

	for (size_t i = 0; i < HORIZONS; i++) {
		size_t step = 1 + (size_t)((turn + (double)i) / HORIZONS * (double)far);
		size_t target = at + MIN(step, far) - 1;
		double q[FORECAST_LEVELS];

		if (target < ret->from || target >= ret->to || isnan(values[target]))
			continue;
		combine_predict(s, (unsigned int)(target - at + 1), q);
		for (int j = 0; j < FORECAST_LEVELS; j++)
			q[j] = past_from_log(series_past(s), q[j]);
		ret->of[(target - ret->from) * ret->n_blocks / (ret->to - ret->from)] +=
			grid_loss(q, values[target]);
		ret->size += values[target];
	}
}

/* Replays all but the first part with the constants at @x. */
static void replay(const struct replay *r, const struct series_tuning *t, struct losses *ret)
{
	uint64_t seed = r->n;

	memset(ret->of, 0, sizeof(ret->of));
	ret->size = 0;
	memcpy(r->now, r->start, r->start->size_bytes);
	series_past(r->now)->tuning = *t;
	for (size_t i = r->first; i < r->n; i++) {
		if (i % ORIGINS == 0)
			score(r->now, r->values, i, random_unit(&seed), ret);
		series_learn(r->now, r->values[i]);
	}
}

/* The log of the ratio of losses @a to @b in block @i. */
static double ratio(const struct losses *a, const struct losses *b, size_t i)
{
	double little = 1e-12 + FADING * b->size / (double)b->n_blocks;

	return log((a->of[i] + little) / (b->of[i] + little));
}

/* Replays with the constants at @x and tells the process. */
static void try(struct replay *r, const double *x)
{
	struct losses losses = {.from = r->first, .to = r->n, .n_blocks = BLOCKS};
	struct series_tuning t;
	double mean = 0;

	from_cube(x, &t);
	replay(r, &t, &losses);
	if (r->gp->n == 0)
		r->usual = losses;
	for (size_t i = 0; i < BLOCKS; i++)
		mean += ratio(&losses, &r->usual, i) / BLOCKS;
	(void)gp_add(r->gp, x, mean);
	if (r->gp->n > 1 && mean >= r->least)
		return;
	r->least = mean;
	memcpy(r->best_at, x, sizeof(r->best_at));
}

/* A point that fills the space around today's constants. */
static void spread_out(struct replay *r, size_t nth, double *x)
{
	/* Root of x^5 = x + 1: Roberts (2018), "The unreasonable effectiveness of quasirandom
	 * sequences". */
	static const double root = 1.1673039782614187;
	double step = 1;

	for (size_t i = 0; i < SERIES_TUNABLES; i++) {
		double at;

		step /= root;
		at = 0.5 + step * (double)nth;
		at -= floor(at);
		x[i] = fmin(fmax(r->gp->x[0][i] + SPREAD * (at - 0.5), 0), 1);
	}
}

/* The point the process expects most of. */
static void propose(struct replay *r, double *x)
{
	double most = -1;

	gp_fit_best(r->gp);
	for (int i = 0; i < PROPOSALS; i++) {
		bool near = i < NEARBY * PROPOSALS;
		double at[SERIES_TUNABLES], gain;

		for (size_t j = 0; j < SERIES_TUNABLES; j++) {
			double u = random_unit(&r->seed);

			at[j] = near ? r->best_at[j] + REACH * (2 * u - 1) : u;
			at[j] = fmin(fmax(at[j], 0), 1);
		}
		gain = gp_improvement(r->gp, at, r->least);
		if (gain > most) {
			most = gain;
			memcpy(x, at, sizeof(at));
		}
	}
}

static bool same(const double *a, const double *b)
{
	for (size_t i = 0; i < SERIES_TUNABLES; i++) {
		if (fabs(a[i] - b[i]) > 1e-6)
			return false;
	}
	return true;
}

/* Today's constants first, the usual ones second. */
static void search(struct replay *r, size_t tries)
{
	struct series_tuning usual;
	double x[SERIES_TUNABLES];

	to_cube(&series_past(r->start)->tuning, x);
	try(r, x);
	series_tuning_init(&usual);
	to_cube(&usual, x);
	if (!same(x, r->gp->x[0]))
		try(r, x);
	while (r->gp->n < tries) {
		if (r->gp->n >= TRIES_FIRST)
			propose(r, x);
		else
			spread_out(r, r->gp->n, x);
		try(r, x);
	}
}

/* The step the series is at. */
static uint64_t step_of(const struct replay *r)
{
	return series_past(r->start)->steps - r->first + r->n;
}

/* Looks for a challenger of today's constants. */
static void find_challenger(struct replay *r, size_t tries, struct series_tuned *ret)
{
	ret->n_done++;
	search(r, tries);
	if (r->least > -WORTH)
		return;
	from_cube(r->best_at, &ret->challenger);
	ret->since = step_of(r);
	ret->n_proofs = 0;
	ret->sum = ret->square = ret->losses[0] = ret->losses[1] = 0;
}

static bool proven(const struct series_tuned *t)
{
	double n = t->n_proofs, mean = t->sum / n;
	double error = sqrt(fmax(t->square / n - mean * mean, 0) / (n - 1));

	return mean < -WORTH && mean + SURE * error < 0 &&
	       t->losses[0] < (1 - WORTH) * t->losses[1];
}

/* Has the challenger meet today's constants on the @fresh newest values, which it was not chosen
 * on. */
static void challenge(struct replay *r, size_t fresh, struct series_tuned *ret)
{
	struct losses a = {.from = r->n - fresh, .to = r->n, .n_blocks = PROOF_BLOCKS}, b = a;

	replay(r, &ret->challenger, &a);
	replay(r, &ret->tuning, &b);
	ret->since = step_of(r); /* of more than that the oldest are left out */
	for (size_t i = 0; i < PROOF_BLOCKS; i++) {
		double x = ratio(&a, &b, i);

		ret->sum += (float)x;
		ret->square += (float)(x * x);
		ret->losses[0] += (float)a.of[i];
		ret->losses[1] += (float)b.of[i];
		ret->n_proofs++;
	}
	if (ret->n_proofs < PROOFS_MIN)
		return;
	if (proven(ret)) {
		ret->tuning = ret->challenger;
		ret->gain = 1 - expf(ret->sum / (float)ret->n_proofs);
		ret->n_changed++;
		ret->since = 0;
	} else if (ret->sum >= 0 || ret->n_proofs >= PROOFS_MAX) {
		ret->since = 0;
	}
}

static void run(struct replay *r, const struct series *s, struct series_tuned *ret)
{
	size_t n = r->n, cycle = s->n_periods > 0 ? s->periods[0] : 0, newest;
	size_t fresh = (size_t)(series_past(s)->steps - ret->since);

	r->first = MAX(MAX(n / 3, MIN(cycle, n / 2)), n - MIN(n, (size_t)NEWEST_MAX));
	newest = n - r->first;
	if (newest < NEWEST_MIN)
		return;
	series_begin(r->start, s, r->values, n, s->periods, s->n_periods);
	for (size_t i = 0; i < r->first; i++)
		series_learn(r->start, r->values[i]);
	series_refit(r->start);
	if (ret->since > 0)
		challenge(r, MIN(fresh, newest), ret);
	if (ret->since == 0)
		find_challenger(r, MIN((STEPS_MAX - r->first) / newest, (size_t)TRIES_MAX), ret);
}

void tune_run(const struct series *s, struct series_tuned *ret)
{
	size_t n = MIN(series_remembers(s), (size_t)(STEPS_MAX - TRIES_MIN * NEWEST_MAX));
	_cleanup_(freep) double *values = malloc(MAX(n, 1) * sizeof(*values));
	_cleanup_(freep) struct gp *gp = malloc(sizeof(*gp));
	_cleanup_(series_freep) struct series *start = series_copy(s), *now = series_copy(s);
	struct replay r = {.values = values,
			   .n = n,
			   .start = start,
			   .now = now,
			   .gp = gp,
			   .seed = series_past(s)->steps};

	*ret = s->outer.tuned;
	if (!values || !gp || !start || !now)
		return;
	series_remember(s, values, n);
	gp_init(gp, SERIES_TUNABLES);
	run(&r, s, ret);
}
