// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * job.c - the search for periods, apart from the series: on a copy, which learns the past anew with
 * the periods found, so that weights and calibration already know them; and fits that take long.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "forecast/periods.h"
#include "forecast/series_state.h"

#define CALENDAR     3
#define DENSE_UNTIL  100 /* steps; until then every few steps: two cycles may just be complete */
#define DENSE_EVERY  4
#define GROWTH       10 /* then when a tenth more has come */
#define MAX_EVERY_S  3600
#define PERIOD_SHARE 4 /* but no oftener than a quarter of the longest period, in the long run */

struct series_job {
	struct series *copy; /* what the series was; learned anew where periods changed */
	bool changed;
};

static uint64_t search_interval(const struct series *s, uint64_t step)
{
	uint64_t longest =
		MAX(MAX_EVERY_S * NS_PER_S / s->conf.step_ns, s->conf.max_period / PERIOD_SHARE);

	if (step < DENSE_UNTIL)
		return DENSE_EVERY;
	return MIN(step / GROWTH, MAX(longest, DENSE_EVERY));
}

static struct series *copy_of(const struct series *s)
{
	struct series *copy = malloc(s->size_bytes);

	if (copy)
		memcpy(copy, s, s->size_bytes);
	return copy;
}

struct series_job *series_job_take(struct series *s)
{
	uint64_t step = series_past(s)->steps;
	struct series_job *job;

	if (s->outer.searching || step < s->outer.next_search)
		return NULL;
	job = calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	job->copy = copy_of(s);
	if (!job->copy) {
		free(job);
		return NULL;
	}
	s->outer.searching = 1;
	s->outer.next_search = step + search_interval(s, step);
	return job;
}

/* Mean of the first cycle in @x on the log scale, where the smoothing starts. */
static double first_level(const double *x, size_t n, size_t cycle)
{
	double sum = 0, measured = 0;

	for (size_t i = 0; i < n && (i < cycle || measured == 0); i++) {
		if (isnan(x[i]))
			continue;
		sum += x[i];
		measured++;
	}
	return measured > 0 ? sum / measured : 0;
}

/* Teaches @s the @n newest steps of @from, starting over with @periods. */
static void relearn(struct series *s, const struct series *from, const double *x, size_t n,
		    const unsigned int *periods, size_t n_periods)
{
	const struct past *past = series_past(from);

	series_restart(s, periods, n_periods, first_level(x, n, periods[0]), past->steps - n);
	past_rescale(series_past(s), past->offset);
	series_past(s)->mean = past->mean;
	for (size_t i = 0; i < n; i++)
		series_learn(s, past_from_log(past, x[i]));
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

static void refit(struct series *s)
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
	size_t n = MIN(past->steps, past->size), n_periods, n_known;
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
	fresh = copy_of(s);
	if (!fresh)
		return;
	relearn(fresh, s, x, n, periods, n_periods);
	job->copy = take_ptr(fresh);
	series_free(s);
	job->changed = true;
}

void series_job_run(struct series_job *job)
{
	search(job);
	refit(job->copy);
}

/* Puts what @copy learned into @s; steps that passed since are learned first. */
static void adopt(struct series *s, struct series *copy)
{
	const struct past *past = series_past(s);
	uint64_t missed = past->steps - series_past(copy)->steps;

	if (missed > past->size)
		return;
	for (uint64_t lag = missed; lag-- > 0;)
		series_learn(copy, past_from_log(past, past_at(past, lag)));
	copy->outer = s->outer;
	memcpy(s, copy, s->size_bytes);
}

void series_job_give(struct series *s, struct series_job *job)
{
	if (!job)
		return;
	if (job->changed)
		adopt(s, job->copy);
	for (size_t m = 0; m < SERIES_MODELS && !job->changed; m++)
		memcpy(series_model(s, m), series_model(job->copy, m), forecast_models[m]->fitted);
	s->outer.searching = 0;
	series_free(job->copy);
	free(job);
}
