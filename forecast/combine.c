// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * combine.c - one forecast from all models: weights by recent loss for each horizon, quantiles
 * averaged level by level, then calibrated. Each bucket keeps a few forecasts that wait for their
 * value; what came is judged by the weights and scales of that moment.
 */
#include <math.h>
#include <string.h>

#include "agent/base/util.h"
#include "forecast/series_state.h"

#define LEARNING     0.15 /* of the weights, per mean loss */
#define SHARE        0.01 /* of all weight, handed out evenly: Herbster, Warmuth (1998), fixed share */
#define LOSS_MAX     8.0  /* one value counts no more than so many mean losses */
#define SCALE_STEPS  50.0 /* memory of a model's error size */
#define SCALE_FIRST  3.0  /* values that the first guess of it is worth */
#define SCALE_MAX    8.0  /* one error counts no more than so many times it */
#define LOSS_STEPS   100.0
#define COVER_STEPS  500.0
#define HEALTH_FAST  6.0f               /* steps that "of late" is, of a model's one-step errors */
#define HEALTH_SLOW  200.0f             /* and "usually" */
#define HEALTH_MAX   6.0f               /* times the usual that one error counts at most for it */
#define HEALTH_FROM  3.0                /* times it that are still healthy */
#define HEALTH_FLOOR 1e-3               /* usual errors below that are none */
#define GOLDEN       0.6180339887498949 /* its multiples leave no gaps between 0 and 1 */
#define SIDE_LEVEL   1.2816             /* normal quantile of .90, to get lo and hi from a grid */
#define SIDE_MIN     0.2                /* of the common spread: a model's own must not vanish */
#define FIRST_WEIGHT 0.15               /* of the newest value, before anything is known */

void combine_init(struct series *s)
{
	memset(s->health, 0, sizeof(s->health));
	for (uint32_t b = 0; b < s->n_buckets; b++) {
		struct bucket *k = &s->buckets[b];

		k->n_scored = k->n_health = 0;
		k->loss = 0;
		k->covered[0] = 0.8f;
		k->covered[1] = 0.9f;
		k->covered[2] = 0.98f;
		memset(k->shift, 0, sizeof(k->shift));
		k->peak_shift = (struct grid_shift){};
		for (size_t m = 0; m < SERIES_MODELS; m++) {
			double rest = (1 - FIRST_WEIGHT) / (SERIES_MODELS - 1);

			k->scores[m] = (struct score){
				.weight = (float)(m == 0 ? FIRST_WEIGHT : rest), .scale = 1};
		}
		for (uint32_t i = 0; i < k->slots; i++)
			series_slot(s, k->first_slot + i)->due = 0;
	}
}

/* The largest value seen, on the log scale. */
static double highest(const struct series *s)
{
	const struct past *past = series_past(s);

	return past_to_log(past, past->max);
}

/* Asks model @m for step @step; where it has no view of its spread, the common one. */
static struct guess ask(const struct series *s, size_t m, unsigned int step, double spread)
{
	const struct past *past = series_past(s);
	double least = SIDE_MIN * spread;
	struct guess g;

	forecast_models[m]->predict(series_model(s, m), past, step, &g);
	g.x = fmaxf(g.x, (float)log(past->offset));
	if (isnan(g.lo))
		return (struct guess){g.x, (float)spread, (float)spread};
	g.lo = (float)fmax(g.lo / SIDE_LEVEL, least);
	g.hi = (float)fmax(g.hi / SIDE_LEVEL, least);
	return g;
}

/* The grid of median @x with errors of mean size @lo below and @hi above. */
static void spread_out(double x, double lo, double hi, double *q)
{
	for (int i = 0; i < Q50; i++)
		q[i] = x + grid_shape[i] * lo;
	for (int i = Q50; i < FORECAST_LEVELS; i++)
		q[i] = x + grid_shape[i] * hi;
}

static void learn_scale(struct score *score, const struct guess *g, double x, double n)
{
	double e = x - g->x, z = fabs(e) / (e < 0 ? g->lo : g->hi);

	z = fmin(z, SCALE_MAX * score->scale + 1);
	score->scale += (float)((z - score->scale) / fmin(n + SCALE_FIRST, SCALE_STEPS));
	score->scale = fmaxf(score->scale, 1e-3f);
}

/* Exponential weights on the loss in units of the mean one, then the fixed share. */
static void learn_weights(struct bucket *k, const double *losses)
{
	double unit = fmax(k->loss, 1e-12), sum = 0, w[SERIES_MODELS];

	for (size_t m = 0; m < SERIES_MODELS; m++) {
		w[m] = k->scores[m].weight * exp(-LEARNING * fmin(losses[m] / unit, LOSS_MAX));
		sum += w[m];
	}
	for (size_t m = 0; m < SERIES_MODELS; m++)
		k->scores[m].weight = (float)((1 - SHARE) * w[m] / sum + SHARE / SERIES_MODELS);
}

static void learn_coverage(struct bucket *k, const double *q, double x)
{
	bool in[3] = {x >= q[Q10] && x <= q[Q90], x >= q[Q05] && x <= q[Q95],
		      x >= grid_lowest(q) && x <= q[Q99]};
	double n = fmin(k->n_scored + 1.0, COVER_STEPS);

	for (int i = 0; i < 3; i++)
		k->covered[i] += (float)((in[i] - k->covered[i]) / n);
}

/* Overlapping forecasts of a long horizon err together: each of them teaches less. */
static double pace(const struct bucket *k)
{
	return 1 / sqrt(k->slots);
}

/* Learns scales and weights from @x, for which @g were the guesses. */
static void judge_models(struct bucket *k, const struct guess *g, double x)
{
	double losses[SERIES_MODELS], n = k->n_scored;

	for (size_t m = 0; m < SERIES_MODELS; m++) {
		struct score *score = &k->scores[m];
		double own[FORECAST_LEVELS];

		spread_out(g[m].x, g[m].lo * score->scale, g[m].hi * score->scale, own);
		losses[m] = grid_loss(own, x);
		score->loss += (float)((losses[m] - score->loss) / fmin(n + 1, LOSS_STEPS));
		learn_scale(score, &g[m], x, n);
	}
	learn_weights(k, losses);
}

/* How a model's last one-step errors compare with its usual ones, whatever the horizon. */
static void learn_health(struct series *s, const struct guess *g, double x, double n)
{
	for (size_t m = 0; m < SERIES_MODELS; m++) {
		struct health *h = &s->health[m];
		float size = fabsf((float)x - g[m].x);

		h->fast += (size - h->fast) / (float)fmin(n + 1, HEALTH_FAST);
		if (n > HEALTH_FAST)
			size = fminf(size, HEALTH_MAX * h->slow + 1e-6f);
		h->slow += (size - h->slow) / (float)fmin(n + 1, HEALTH_SLOW);
	}
}

/* What is left of the weight of model @m: one that has just begun to fail counts less at once. */
static double trust(const struct series *s, size_t m)
{
	double usual = HEALTH_FROM * fmax(s->health[m].slow, HEALTH_FLOOR), share;

	if (s->health[m].fast <= usual)
		return 1;
	share = usual / s->health[m].fast;
	return share * share;
}

static void judge(struct series *s, struct bucket *k, const struct waiting_step *w, double x)
{
	double q[FORECAST_LEVELS];

	for (int i = 0; i < FORECAST_LEVELS; i++)
		q[i] = w->q[i];
	if (k->step == 1) {
		past_error(series_past(s), x - q[Q50]);
		learn_health(s, w->guesses, x, k->n_health++);
	}
	if (series_past(s)->steps < s->judge_from)
		return;
	grid_correct(&k->shift[w->regime], q);
	grid_temper(q, highest(s));
	k->loss += (float)((grid_loss(q, x) - k->loss) / fmin(k->n_scored + 1.0, LOSS_STEPS));
	learn_coverage(k, q, x);
	grid_learn(&k->shift[w->regime], q, x, pace(k));
	judge_models(k, w->guesses, x);
	k->n_scored++;
}

/* The slot of a forecast of bucket @k issued at step @issued. */
static struct waiting_step *slot_of(const struct series *s, const struct bucket *k, uint64_t issued)
{
	return series_slot(s, k->first_slot + (uint32_t)(issued / k->stride % k->slots));
}

void combine_judge(struct series *s, double value)
{
	const struct past *past = series_past(s);
	double x = past_to_log(past, value);

	for (uint32_t b = 0; b < s->n_buckets; b++) {
		struct bucket *k = &s->buckets[b];

		for (uint32_t i = 0; i < k->slots; i++) {
			struct waiting_step *w = series_slot(s, k->first_slot + i);

			if (w->due != past->steps + 1)
				continue;
			if (!isnan(x))
				judge(s, k, w, x);
			w->due = 0;
		}
	}
}

/* The horizon in bucket @k that is forecast at step @issued: all in turn, far ones after near ones.
 */
static unsigned int horizon_at(const struct bucket *k, uint64_t issued)
{
	uint64_t nth = issued / k->stride;
	double turn = GOLDEN * (double)nth;

	return k->first + (unsigned int)((turn - floor(turn)) * (k->step - k->first + 1));
}

/*
 * Guesses of all models for @step, and their combination before calibration. All grids have one
 * shape, so that the mean of their quantiles is the grid of their means.
 */
static void combine(const struct series *s, unsigned int step, const struct bucket *from,
		    const struct bucket *to, double share, struct guess *guesses, double *q)
{
	double spread = past_spread(series_past(s), step), x = 0, lo = 0, hi = 0, sum = 0;

	for (size_t m = 0; m < SERIES_MODELS; m++) {
		const struct score *a = &from->scores[m], *b = &to->scores[m];
		double weight = (a->weight + share * (b->weight - a->weight)) * trust(s, m);
		double scale = weight * (a->scale + share * (b->scale - a->scale));

		guesses[m] = ask(s, m, step, spread);
		sum += weight;
		x += weight * guesses[m].x;
		lo += scale * guesses[m].lo;
		hi += scale * guesses[m].hi;
	}
	spread_out(x / sum, lo / sum, hi / sum, q);
}

void combine_issue(struct series *s)
{
	const struct past *past = series_past(s);

	for (uint32_t b = 0; b < s->n_buckets; b++) {
		struct bucket *k = &s->buckets[b];
		struct waiting_step *w = slot_of(s, k, past->steps);
		double q[FORECAST_LEVELS];
		unsigned int step;

		if (past->steps % k->stride != 0)
			continue;
		step = horizon_at(k, past->steps);
		w->due = past->steps + step;
		w->regime = past_regime(past);
		combine(s, step, k, k, 0, w->guesses, q);
		for (int i = 0; i < FORECAST_LEVELS; i++)
			w->q[i] = (float)q[i];
	}
}

static double middle(const struct bucket *k)
{
	return 0.5 * (k->first + k->step);
}

size_t series_bucket(const struct series *s, unsigned int step, double *share)
{
	size_t b = 0;

	double to, from;

	while (b + 1 < s->n_buckets && middle(&s->buckets[b]) < step)
		b++;
	*share = 1;
	to = middle(&s->buckets[b]);
	if (b == 0 || to <= step)
		return b;
	from = middle(&s->buckets[b - 1]);
	*share = log(step / from) / log(to / from);
	return b;
}

void combine_predict(const struct series *s, unsigned int step, double *q)
{
	double share;
	const struct bucket *to = &s->buckets[series_bucket(s, step, &share)];
	const struct bucket *from = to > s->buckets ? to - 1 : to;
	struct guess guesses[SERIES_MODELS];
	uint32_t regime;

	combine(s, step, from, to, share, guesses, q);
	regime = past_regime(series_past(s));
	grid_correct_between(&from->shift[regime], &to->shift[regime], share, q);
	grid_temper(q, highest(s));
}
