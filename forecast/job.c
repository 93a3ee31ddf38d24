// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * job.c - what takes long, apart from the series and on a copy of it. The search for periods, which
 * learns the past anew with those found, so that weights and calibration already know them; fits of
 * models; and fitting constants.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "forecast/gru_fit.h"
#include "forecast/job.h"
#include "forecast/periods.h"
#include "forecast/tune.h"

#define CALENDAR     3
#define DENSE_UNTIL  100 /* steps; until then every few steps: two cycles may just be complete */
#define DENSE_EVERY  4
#define GROWTH       10 /* then when a tenth more has come */
#define MAX_EVERY_S  3600
#define PERIOD_SHARE 4 /* but no oftener than a quarter of the longest period, in the long run */

static uint64_t search_interval(const struct series *s, uint64_t step)
{
	uint64_t longest =
		MAX(MAX_EVERY_S * NS_PER_S / s->conf.step_ns, s->conf.max_period / PERIOD_SHARE);

	if (step < DENSE_UNTIL)
		return DENSE_EVERY;
	return MIN(step / GROWTH, MAX(longest, DENSE_EVERY));
}

struct series *series_copy(const struct series *s)
{
	struct series *copy = malloc(s->size_bytes);

	if (!copy)
		return NULL;
	memcpy(copy, s, s->size_bytes);
	series_share(copy, NULL);  /* its owner may free or change them meanwhile */
	copy->outer.events = NULL; /* a copy learns values that no event touches */
	return copy;
}

/* The next turn comes @interval steps later. */
static struct series_job *take(const struct series *s, struct series_turn *turn, uint64_t interval)
{
	uint64_t step = series_past(s)->steps;
	struct series_job *job;

	if (turn->out || step < turn->next)
		return NULL;
	job = calloc(1, sizeof(*job));
	if (job)
		job->copy = series_copy(s);
	if (!job || !job->copy) {
		free(job);
		return NULL;
	}
	turn->out = 1;
	turn->next = step + interval;
	return job;
}

struct series_job *series_job_take(struct series *s)
{
	return take(s, &s->outer.search, search_interval(s, series_past(s)->steps));
}

struct series_job *series_tune_take(struct series *s)
{
	struct series_job *job = take(s, &s->outer.tune, tune_interval(s, series_past(s)->steps));

	if (job)
		job->tunes = true;
	return job;
}

size_t series_remembers(const struct series *s)
{
	const struct past *past = series_past(s);

	return MIN(past->steps, past->size);
}

void series_remember(const struct series *s, double *ret, size_t n)
{
	const struct past *past = series_past(s);

	for (size_t i = 0; i < n; i++)
		ret[i] = past_from_log(past, past_at(past, n - 1 - i));
}

/* Mean of the first cycle in @values on the log scale, where the smoothing starts. */
static double first_level(const struct past *past, const double *values, size_t n, size_t cycle)
{
	double sum = 0, measured = 0;

	for (size_t i = 0; i < n && (i < cycle || measured == 0); i++) {
		if (isnan(values[i]))
			continue;
		sum += past_to_log(past, values[i]);
		measured++;
	}
	return measured > 0 ? sum / measured : 0;
}

void series_begin(struct series *s, const struct series *from, const double *values, size_t n,
		  const unsigned int *periods, size_t n_periods)
{
	const struct past *past = series_past(from);
	double level = first_level(past, values, n, n_periods > 0 ? periods[0] : 0);

	series_restart(s, periods, n_periods, level, past->steps - n);
	past_rescale(series_past(s), past->offset);
	series_past(s)->mean = past->mean;
}

/* Teaches @s the @n newest steps of @from, starting over with @periods. */
static void relearn(struct series *s, const struct series *from, const double *values, size_t n,
		    const unsigned int *periods, size_t n_periods)
{
	const struct past *past = series_past(from);

	series_begin(s, from, values, n, periods, n_periods);
	for (size_t i = 0; i < n; i++)
		series_learn(s, values[i]);
	series_past(s)->count = past->count;
	series_past(s)->max = past->max;
}

/* Lengths of the calendar in steps, where they are whole: a period found nearby is most likely
 * that. */
static size_t calendar(uint64_t step_ns, unsigned int *ret)
{
	static const uint64_t lengths_s[CALENDAR] = {7 * S_PER_DAY, S_PER_DAY, S_PER_H};
	size_t n = 0;

	for (size_t i = 0; i < CALENDAR; i++) {
		if (lengths_s[i] * NS_PER_S % step_ns == 0)
			ret[n++] = (unsigned int)MIN(lengths_s[i] * NS_PER_S / step_ns, UINT32_MAX);
	}
	return n;
}

static bool same_periods(const struct series *s, const unsigned int *periods, size_t n)
{
	if (n != s->n_periods)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (periods[i] != s->periods[i])
			return false;
	}
	return true;
}

void series_refit(struct series *s)
{
	for (size_t m = 0; m < SERIES_MODELS; m++)
		if (forecast_models[m]->refit)
			forecast_models[m]->refit(series_model(s, m), series_past(s));
}

/* Looks for periods in what @job remembers; where they are others, all is learned anew. */
static void search(struct series_job *job)
{
	struct series *s = job->copy;
	const struct past *past = series_past(s);
	size_t n = series_remembers(s), n_periods, n_known;
	unsigned int periods[FORECAST_MAX_PERIODS], known[FORECAST_MAX_PERIODS + CALENDAR];
	_cleanup_(freep) double *x = malloc(MAX(n, 1) * sizeof(*x));
	_cleanup_(series_freep) struct series *fresh = NULL;

	if (!x)
		return;
	for (size_t i = 0; i < n; i++)
		x[i] = past_at(past, n - 1 - i);
	n_known = calendar(s->conf.step_ns, known);
	memcpy(known + n_known, s->periods, s->n_periods * sizeof(*known));
	n_periods = periods_find(x, n, s->conf.max_period, known, n_known + s->n_periods, periods,
				 FORECAST_MAX_PERIODS);
	if (n_periods == 0 || same_periods(s, periods, n_periods))
		return;
	fresh = series_copy(s);
	if (!fresh)
		return;
	series_remember(s, x, n);
	relearn(fresh, s, x, n, periods, n_periods);
	job->copy = take_ptr(fresh);
	series_free(s);
	job->changed = true;
}

void series_job_run(struct series_job *job)
{
	if (job->tunes) {
		tune_run(job->copy, &job->tuned);
	} else {
		search(job);
		series_refit(job->copy);
	}
}

/* Puts what @copy learned into @s; steps that passed since are learned first. */
static void adopt(struct series *s, struct series *copy)
{
	const struct past *past = series_past(s);
	uint64_t missed = past->steps - series_past(copy)->steps;
	const struct series_outer outer = s->outer;

	if (missed > past->size)
		return;
	for (uint64_t lag = missed; lag-- > 0;)
		series_learn(copy, past_from_log(past, past_at(past, lag)));
	series_share(copy, s->outer.gru); /* it was silent there: its weight is to be earned */
	memcpy(s, copy, s->size_bytes);
	s->outer = outer;
	series_past(s)->tuning = outer.tuned.tuning;
}

static void give_searched(struct series *s, const struct series_job *job)
{
	if (job->changed)
		adopt(s, job->copy);
	for (size_t m = 0; m < SERIES_MODELS && !job->changed; m++)
		memcpy(series_model(s, m), series_model(job->copy, m), forecast_models[m]->fitted);
	s->outer.search.out = 0;
}

static void give_tuned(struct series *s, const struct series_tuned *tuned)
{
	s->outer.tuned = *tuned;
	series_past(s)->tuning = tuned->tuning;
	s->outer.tune.out = 0;
}

void series_job_give(struct series *s, struct series_job *job)
{
	const struct series_turn *turn;

	if (!job)
		return;
	/* A series that waits for no job is another one at the place of that which did. */
	turn = s && job->tunes ? &s->outer.tune : s ? &s->outer.search : NULL;
	if (turn && (!turn->out || s->size_bytes != job->copy->size_bytes))
		s = NULL;
	if (s)
		s->outer.version++;
	if (s && job->tunes)
		give_tuned(s, &job->tuned);
	else if (s)
		give_searched(s, job);
	series_free(job->copy);
	free(job);
}
