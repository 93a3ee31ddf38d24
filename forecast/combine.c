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
#define FIRST_WEIGHT 0.15               /* of the newest value, before anything is known ... */
#define BARE_WEIGHT  0.5                /* ... and where there is no period either */

void combine_init(struct series *s)
{
	double first = s->n_periods > 0 ? FIRST_WEIGHT : BARE_WEIGHT;

	memset(s->health, 0, sizeof(s->health));
	for (uint32_t b = 0; b < s->n_buckets; b++) {
		struct bucket *k = &s->buckets[b];

		k->n_scored = k->n_issued = 0;
		k->loss = 0;
		k->covered[0] = 0.8f;
		k->covered[1] = 0.9f;
		k->covered[2] = 0.98f;
		for (int i = 0; i < PAST_REGIMES; i++)
			grid_shift_init(&k->shift[i]);
		grid_shift_init(&k->peak_shift);
		memset(k->n_judged, 0, sizeof(k->n_judged));
		for (size_t m = 0; m < SERIES_MODELS; m++) {
			double rest = (1 - first) / (SERIES_MODELS - 1);

			k->scores[m] = (struct score){.weight = (float)(m == 0 ? first : rest),
						      .scale = 1};
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
	g.x = MAX(g.x, (float)past->lowest); /* also where it is NAN */
	if (isnan(g.lo))
		return (struct guess){g.x, (float)spread, (float)spread};
	g.lo = (float)MAX(g.lo / SIDE_LEVEL, least);
	g.hi = (float)MAX(g.hi / SIDE_LEVEL, least);
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

static void learn_scale(struct score *score, double n, const struct guess *g, double x)
{
	double e = x - g->x, z = fabs(e) / (e < 0 ? g->lo : g->hi);

	z = fmin(z, SCALE_MAX * score->scale + 1);
	score->scale += (float)((z - score->scale) / fmin(n + SCALE_FIRST, SCALE_STEPS));
	score->scale = fmaxf(score->scale, 1e-3f);
}

/*
 * Exponential weights on the loss in units of the mean one, among those that were asked (Freund,
 * Schapire, Singer, Warmuth (1997), specialists), then the fixed share among all.
 */
static void learn_weights(struct bucket *k, const struct answer *a, size_t n, const double *losses,
			  double learning)
{
	double unit = fmax(k->loss, 1e-12), before = 0, sum = 0, to[SERIES_ASKED];

	for (size_t i = 0; i < n; i++) {
		double weight = k->scores[a[i].model].weight;

		to[i] = weight * exp(-learning * fmin(losses[i] / unit, LOSS_MAX));
		before += weight;
		sum += to[i];
	}
	for (size_t i = 0; i < n; i++)
		k->scores[a[i].model].weight = (float)(to[i] * before / sum);
	for (size_t m = 0; m < SERIES_MODELS; m++)
		k->scores[m].weight =
			(float)((1 - SHARE) * k->scores[m].weight + SHARE / SERIES_MODELS);
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

/* Learns scales and weights from @x, of which the @n models of @a said what they did. */
static void judge_models(struct bucket *k, const struct answer *a, size_t n, double x,
			 double learning)
{
	double losses[SERIES_ASKED];

	for (size_t i = 0; i < n; i++) {
		struct score *score = &k->scores[a[i].model];
		const struct guess *g = &a[i].guess;
		uint8_t *judged = &k->n_judged[a[i].model];
		double own[FORECAST_LEVELS];

		spread_out(g->x, g->lo * score->scale, g->hi * score->scale, own);
		losses[i] = grid_loss(own, x);
		score->loss += (float)((losses[i] - score->loss) / fmin(*judged + 1.0, LOSS_STEPS));
		learn_scale(score, *judged, g, x);
		*judged += *judged < UINT8_MAX;
	}
	learn_weights(k, a, n, losses, learning);
}

/* How a model's last one-step errors compare with its usual ones, whatever the horizon. */
static void learn_health(struct series *s, const struct answer *a, size_t n_answers, double x)
{
	for (size_t i = 0; i < n_answers; i++) {
		struct health *h = &s->health[a[i].model];
		float size = fabsf((float)x - a[i].guess.x), n = h->n + 1;

		h->fast += (size - h->fast) / fminf(n, HEALTH_FAST);
		if (n > HEALTH_FAST + 1)
			size = fminf(size, HEALTH_MAX * h->slow + 1e-6f);
		h->slow += (size - h->slow) / fminf(n, HEALTH_SLOW);
		h->n = fminf(n, HEALTH_SLOW);
	}
}

/* What is left of the weight of model @m: one that has just begun to fail counts less at once. */
static double trust(const struct series *s, size_t m)
{
	double slow = s->health[m].slow, usual = HEALTH_FROM * MAX(slow, HEALTH_FLOOR), share;

	if (s->health[m].fast <= usual)
		return 1;
	share = usual / s->health[m].fast;
	return share * share;
}

static void judge(struct series *s, struct bucket *k, const struct waiting_step *w, double x)
{
	double raw[FORECAST_LEVELS], q[FORECAST_LEVELS];
	struct answer answers[SERIES_ASKED];
	size_t n = waiting_answers(w, answers);

	spread_out(w->x, w->lo, w->hi, raw);
	memcpy(q, raw, sizeof(q));
	if (k->step == 1) {
		past_error(series_past(s), x - q[Q50]);
		learn_health(s, answers, n, x);
	}
	if (series_past(s)->steps < s->judge_from)
		return;
	grid_correct(&k->shift[w->regime], q);
	grid_temper(q, highest(s));
	k->loss += (float)((grid_loss(q, x) - k->loss) / fmin(k->n_scored + 1.0, LOSS_STEPS));
	learn_coverage(k, q, x);
	grid_learn(&k->shift[w->regime], raw, q, x, pace(k));
	judge_models(k, answers, n, x, series_past(s)->tuning.learning);
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

			if (!waiting_is_due(w, past->steps + 1))
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

/* What combining takes of a model. */
struct voice {
	uint32_t model;
	float weight, scale;
};

/* The weights of all models between buckets @from and @to, in the order of the table. */
static void weigh(const struct series *s, const struct bucket *from, const struct bucket *to,
		  double share, struct voice *ret)
{
	for (size_t m = 0; m < SERIES_MODELS; m++) {
		const struct score *a = &from->scores[m], *b = &to->scores[m];

		ret[m].model = (uint32_t)m;
		ret[m].weight =
			(float)((a->weight + share * (b->weight - a->weight)) * trust(s, m));
		ret[m].scale = (float)(a->scale + share * (b->scale - a->scale));
	}
	for (size_t m = series_speaking(s); m < SERIES_MODELS; m++)
		ret[m].weight = 0;
}

/* Brings the @n of most weight to the front, the others stay in order behind them. */
static void most_weight_first(struct voice *v, size_t n)
{
	struct voice first[SERIES_ASKED], rest[SERIES_MODELS];
	uint32_t taken = 0;
	size_t found = 0, left = 0;

	for (size_t m = 0; m < SERIES_MODELS; m++) {
		size_t at = found < n ? found++ : n;

		if (at == n && !(v[m].weight > first[--at].weight))
			continue;
		for (; at > 0 && v[m].weight > first[at - 1].weight; at--)
			first[at] = first[at - 1];
		first[at] = v[m];
	}
	for (size_t i = 0; i < n; i++)
		taken |= 1U << first[i].model;
	for (size_t m = 0; m < SERIES_MODELS; m++)
		if (!(taken >> m & 1))
			rest[left++] = v[m];
	memcpy(v, first, n * sizeof(*v));
	memcpy(v + n, rest, left * sizeof(*v));
}

static size_t n_asked(const struct series *s)
{
	return s->conf.brief ? SERIES_ASKED_BRIEF : SERIES_ASKED;
}

/* After the first ones of most weight, some of the others of @n, in turn with @nth. */
static void choose(const struct series *s, struct voice *v, uint64_t nth)
{
	size_t first = s->conf.brief ? SERIES_FIRST_BRIEF : SERIES_FIRST;
	size_t turns = n_asked(s) - first, others = series_speaking(s) - first;
	struct voice chosen[SERIES_ASKED];

	most_weight_first(v, first);
	for (size_t i = 0; i < turns; i++)
		chosen[i] = v[first + (nth * turns + i) % others];
	memcpy(&v[first], chosen, turns * sizeof(*chosen));
}

/*
 * Asks the first n_asked of @v for @step and combines what they say, each of which goes to @said at
 * its place of the table. All grids have one shape, so that the mean of their quantiles is the grid
 * of their means.
 */
static struct guess combine(const struct series *s, unsigned int step, const struct voice *v,
			    double spread, struct guess *said)
{
	double x = 0, lo = 0, hi = 0, sum = 0;

	for (size_t i = 0; i < n_asked(s); i++) {
		struct guess g = ask(s, v[i].model, step, spread);
		double weight = v[i].weight, scaled = weight * v[i].scale;

		sum += weight;
		x += weight * g.x;
		lo += scaled * g.lo;
		hi += scaled * g.hi;
		said[v[i].model] = g;
	}
	return (struct guess){(float)(x / sum), (float)(lo / sum), (float)(hi / sum)};
}

static void issue(const struct series *s, struct bucket *k, struct waiting_step *ret)
{
	const struct past *past = series_past(s);
	struct voice v[SERIES_MODELS];
	struct guess all, said[SERIES_MODELS];
	struct answer answers[SERIES_ASKED];
	unsigned int step = horizon_at(k, past->steps);
	double spread = past_spread(past, step);
	size_t n = 0;

	for (size_t m = 0; m < SERIES_MODELS; m++)
		said[m].x = NAN;
	weigh(s, k, k, 0, v);
	choose(s, v, k->n_issued++);
	all = combine(s, step, v, spread, said);
	for (size_t m = 0; m < SERIES_MODELS; m++)
		if (!isnan(said[m].x))
			answers[n++] = (struct answer){m, said[m]};
	*ret = (struct waiting_step){
		.regime = past_regime(past), .x = all.x, .lo = all.lo, .hi = all.hi};
	waiting_begin(ret, past->steps + step, spread, answers, n);
}

void combine_issue(struct series *s)
{
	const struct past *past = series_past(s);

	for (uint32_t b = 0; b < s->n_buckets; b++) {
		struct bucket *k = &s->buckets[b];

		if (past->steps % k->stride == 0)
			issue(s, k, slot_of(s, k, past->steps));
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
	struct voice v[SERIES_MODELS];
	struct guess g, said[SERIES_MODELS];
	uint32_t regime = past_regime(series_past(s));

	weigh(s, from, to, share, v);
	most_weight_first(v, n_asked(s));
	g = combine(s, step, v, past_spread(series_past(s), step), said);
	spread_out(g.x, g.lo, g.hi, q);
	grid_correct_between(&from->shift[regime], &to->shift[regime], share, q);
	grid_temper(q, highest(s));
}
