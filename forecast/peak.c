// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peak.c - quantiles of the maximum over the next steps: the highest step forecast, corrected by
 * what the maxima turned out to be, which covers that many uncertain steps top one.
 */
#include <math.h>

#include "agent/base/util.h"
#include "forecast/models/models.h"
#include "forecast/series_state.h"

#define MAX_SCANNED    96 /* steps looked at for the top of the season */
#define MAX_CANDIDATES 6
#define LOOKS          12 /* steps whose forecasts are kept while maxima are looked for */
#define MIN_PACE       4  /* steps from peak to peak at least: they cost most of an update */
#define SHAPE_MODEL    5  /* row of the table that knows the shape of a cycle at a look */

_Static_assert(SERIES_PEAKS == 2, "a peak is issued at every half of its horizon");

static void add_candidate(unsigned int *steps, size_t *n, unsigned int step)
{
	for (size_t i = 0; i < *n; i++) {
		if (steps[i] == step)
			return;
	}
	steps[(*n)++] = step;
}

/* The step within @horizon at which past cycles were highest. */
static unsigned int top_of_season(const struct series *s, unsigned int horizon)
{
	const struct forecast_model *model = forecast_models[SHAPE_MODEL];
	unsigned int pace = horizon / MAX_SCANNED + 1, top = 1;
	float highest = -INFINITY;

	for (unsigned int step = 1; step <= horizon; step += pace) {
		struct guess g;

		model->predict(series_model(s, SHAPE_MODEL), series_past(s), step, &g);
		if (g.x > highest) {
			highest = g.x;
			top = step;
		}
	}
	return top;
}

/* Steps to ask for: both ends, and where a season may have its top. */
static size_t candidates(const struct series *s, unsigned int horizon, unsigned int *steps)
{
	size_t n = 0;

	add_candidate(steps, &n, horizon);
	add_candidate(steps, &n, 1);
	if (horizon > 2)
		add_candidate(steps, &n, (horizon + 1) / 2);
	if (s->n_periods > 0)
		add_candidate(steps, &n, top_of_season(s, horizon));
	return n;
}

/* Forecasts of steps, as combine_predict has them; maxima over several windows have some in common.
 */
struct looks {
	size_t n;
	unsigned int steps[LOOKS];
	double q[LOOKS][FORECAST_LEVELS];
};

static const double *look(const struct series *s, unsigned int step, struct looks *l)
{
	size_t at = 0;

	while (at < l->n && l->steps[at] != step)
		at++;
	if (at == l->n) {
		at = MIN(at, LOOKS - 1);
		combine_predict(s, step, l->q[at]);
		l->steps[at] = step;
		l->n = at + 1;
	}
	return l->q[at];
}

/* Before calibration. */
static void highest_step(const struct series *s, unsigned int horizon, struct looks *l, double *q)
{
	unsigned int steps[MAX_CANDIDATES];
	size_t n = candidates(s, horizon, steps);

	for (size_t i = 0; i < n; i++) {
		const double *one = look(s, steps[i], l);

		for (int j = 0; j < FORECAST_LEVELS; j++)
			q[j] = i == 0 ? one[j] : MAX(q[j], one[j]);
	}
}

static void judge(struct series *s, struct bucket *k, struct waiting_peak *p)
{
	const struct past *past = series_past(s);
	double raw[FORECAST_LEVELS], q[FORECAST_LEVELS];

	p->end = 0;
	if (p->max == PAST_NONE || past->steps < s->judge_from + k->step)
		return;
	for (int i = 0; i < FORECAST_LEVELS; i++)
		q[i] = raw[i] = past_decode(past, p->q[i]);
	grid_correct(&k->peak_shift, q);
	grid_learn(&k->peak_shift, raw, q, past_decode(past, p->max), 1);
}

static bool is_over(const struct waiting_peak *p, uint64_t step)
{
	return (int32_t)((uint32_t)step - p->end) >= 0;
}

void peak_judge(struct series *s, double value)
{
	const struct past *past = series_past(s);
	uint16_t kept = past_encode(past, past_to_log(past, value));

	for (uint32_t b = 0; b < s->n_buckets; b++) {
		struct bucket *k = &s->buckets[b];

		for (int i = 0; i < SERIES_PEAKS; i++) {
			struct waiting_peak *p = &k->peaks[i];

			if (p->end == 0)
				continue;
			if (p->max == PAST_NONE || (kept != PAST_NONE && kept > p->max))
				p->max = kept;
			if (is_over(p, past->steps + 1))
				judge(s, k, p);
		}
	}
}

void peak_rescale(const struct series *s, struct bucket *k, double from)
{
	const struct past *past = series_past(s);

	for (int i = 0; i < SERIES_PEAKS; i++) {
		struct waiting_peak *p = &k->peaks[i];

		p->max = past_recode(past, p->max, from);
		for (int j = 0; j < FORECAST_LEVELS; j++)
			p->q[j] = past_recode(past, p->q[j], from);
	}
}

void peak_issue(struct series *s)
{
	const struct past *past = series_past(s);
	uint64_t step = past->steps;
	struct looks looks;

	looks.n = 0;
	for (uint32_t b = 1; b < s->n_buckets; b++) {
		struct bucket *k = &s->buckets[b];
		uint32_t half = MAX((k->step + 1) / 2, MIN_PACE);
		struct waiting_peak *p = &k->peaks[step / half % SERIES_PEAKS];
		double q[FORECAST_LEVELS];

		if (step % half != 0)
			continue;
		highest_step(s, k->step, &looks, q);
		p->end = (uint32_t)(step + k->step);
		p->max = PAST_NONE;
		for (int i = 0; i < FORECAST_LEVELS; i++)
			p->q[i] = past_encode(past, q[i]);
	}
}

void peak_predict(const struct series *s, unsigned int steps, double *q)
{
	double share;
	size_t b = series_bucket(s, steps, &share);
	struct looks looks;

	looks.n = 0;
	highest_step(s, steps, &looks, q);
	grid_correct_between(&s->buckets[b > 0 ? b - 1 : 0].peak_shift, &s->buckets[b].peak_shift,
			     share, q);
}
