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

#define SHARE        0.01f /* of all weight, handed out evenly: Herbster, Warmuth (1998), fixed share */
#define LOSS_MAX     8.0  /* one value counts no more than so many mean losses */
#define SCALE_STEPS  50.0 /* memory of a model's error size */
#define SCALE_FIRST  3.0  /* values that the first guess of it is worth */
#define SCALE_MAX    8.0  /* one error counts no more than so many times it */
#define LOSS_STEPS   100.0
#define COVER_STEPS  500.0
#define HEALTH_FAST  6.0f               /* steps that "of late" is, of a model's one-step errors */
#define HEALTH_SLOW  200.0f             /* and "usually" */
#define HEALTH_MAX   6.0f               /* times the usual that one error counts at most for it */
#define HEALTH_FROM  3.0f               /* times it that are still healthy */
#define HEALTH_FLOOR 1e-3f              /* usual errors below that are none */
#define GOLDEN       0.6180339887498949 /* its multiples leave no gaps between 0 and 1 */
#define SIDE_LEVEL   1.2816             /* normal quantile of .90, to get lo and hi from a grid */
#define SIDE_MIN     0.2                /* of the common spread: a model's own must not vanish */
#define FIRST_WEIGHT 0.15               /* of the newest value, before anything is known ... */
#define BARE_WEIGHT  0.5                /* ... and where there is no period either */

void combine_init(struct series *s)
{
	double first = s->n_periods > 0 ? FIRST_WEIGHT : BARE_WEIGHT;

	s->health = (struct health){};
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

			k->weight[m] = (float)(m == 0 ? first : rest);
			k->scale[m] = 1;
			k->losses[m] = 0;
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

static void learn_scale(float *scale, double n, const struct guess *g, double x)
{
	double e = x - g->x, z = fabs(e) / (e < 0 ? g->lo : g->hi);

	z = fmin(z, SCALE_MAX * *scale + 1);
	*scale += (float)((z - *scale) / fmin(n + SCALE_FIRST, SCALE_STEPS));
	*scale = fmaxf(*scale, 1e-3f);
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
		double weight = k->weight[a[i].model];

		to[i] = weight * exp(-learning * fmin(losses[i] / unit, LOSS_MAX));
		before += weight;
		sum += to[i];
	}
	for (size_t i = 0; i < n; i++)
		k->weight[a[i].model] = (float)(to[i] * before / sum);
	for (size_t m = 0; m < SERIES_MODELS; m++)
		k->weight[m] = (1 - SHARE) * k->weight[m] + SHARE / SERIES_MODELS;
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
		size_t m = a[i].model;
		float *scale = &k->scale[m], *loss = &k->losses[m];
		const struct guess *g = &a[i].guess;
		uint8_t *judged = &k->n_judged[m];
		double own[FORECAST_LEVELS];

		spread_out(g->x, g->lo * *scale, g->hi * *scale, own);
		losses[i] = grid_loss(own, x);
		*loss += (float)((losses[i] - *loss) / fmin(*judged + 1.0, LOSS_STEPS));
		learn_scale(scale, *judged, g, x);
		*judged += *judged < UINT8_MAX;
	}
	learn_weights(k, a, n, losses, learning);
}

/* How a model's last one-step errors compare with its usual ones, whatever the horizon. */
static void learn_health(struct series *s, const struct answer *a, size_t n_answers, double x)
{
	for (size_t i = 0; i < n_answers; i++) {
		size_t m = a[i].model;
		float *fast = &s->health.fast[m], *slow = &s->health.slow[m];
		float size = fabsf((float)x - a[i].guess.x), n = s->health.n[m] + 1.0f;

		*fast += (size - *fast) / fminf(n, HEALTH_FAST);
		if (n > HEALTH_FAST + 1)
			size = fminf(size, HEALTH_MAX * *slow + 1e-6f);
		*slow += (size - *slow) / fminf(n, HEALTH_SLOW);
		s->health.n[m] = (uint8_t)fminf(n, HEALTH_SLOW);
	}
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

/* What combining takes of the models, and in which order they are asked. */
struct voices {
	float weight[SERIES_MODELS], scale[SERIES_MODELS];
	uint8_t order[SERIES_MODELS];
};

/*
 * The weights of all models between buckets @from and @to. A model that has just begun to fail
 * counts less at once, whatever the horizon.
 */
static void weigh(const struct series *s, const struct bucket *from, const struct bucket *to,
		  float share, struct voices *ret)
{
	const struct health *h = &s->health;

	for (size_t m = 0; m < SERIES_MODELS; m++) {
		float usual = HEALTH_FROM * MAX(h->slow[m], HEALTH_FLOOR);
		float trust = usual / MAX(h->fast[m], usual);

		ret->weight[m] = from->weight[m] + share * (to->weight[m] - from->weight[m]);
		ret->weight[m] *= trust * trust;
		ret->scale[m] = from->scale[m] + share * (to->scale[m] - from->scale[m]);
	}
	for (size_t m = series_speaking(s); m < SERIES_MODELS; m++)
		ret->weight[m] = 0;
}

/* In the order of the table, but the @n of most weight first. */
static void most_weight_first(struct voices *v, size_t n)
{
	int32_t key[SERIES_MODELS], rank[SERIES_MODELS] = {};
	size_t left = n;

	/* Floats that are not negative are in the order of their bits; of equal ones the first. */
	memcpy(key, v->weight, sizeof(key));
	for (size_t m = 0; m < SERIES_MODELS; m++)
		key[m] = (key[m] & ~(SERIES_MODELS - 1)) | (int32_t)(SERIES_MODELS - 1 - m);
	for (size_t k = 0; k < SERIES_MODELS; k++)
		for (size_t m = 0; m < SERIES_MODELS; m++)
			rank[m] += key[k] > key[m];
	for (size_t m = 0; m < SERIES_MODELS; m++)
		v->order[rank[m] < (int32_t)n ? (size_t)rank[m] : left++] = (uint8_t)m;
}

static size_t n_asked(const struct series *s)
{
	return s->conf.brief ? SERIES_ASKED_BRIEF : SERIES_ASKED;
}

/* After the first ones of most weight, some of the others of @n, in turn with @nth. */
static void choose(const struct series *s, struct voices *v, uint64_t nth)
{
	size_t first = s->conf.brief ? SERIES_FIRST_BRIEF : SERIES_FIRST;
	size_t turns = n_asked(s) - first, others = series_speaking(s) - first;
	uint8_t chosen[SERIES_ASKED];

	most_weight_first(v, first);
	for (size_t i = 0; i < turns; i++)
		chosen[i] = v->order[first + (nth * turns + i) % others];
	memcpy(&v->order[first], chosen, turns);
}

/*
 * Asks the first n_asked of @v for @step and combines what they say, each of which goes to @said at
 * its place of the table. All grids have one shape, so that the mean of their quantiles is the grid
 * of their means.
 */
static struct guess combine(const struct series *s, unsigned int step, const struct voices *v,
			    double spread, struct guess *said)
{
	double x = 0, lo = 0, hi = 0, sum = 0;

	for (size_t i = 0; i < n_asked(s); i++) {
		size_t m = v->order[i];
		struct guess g = ask(s, m, step, spread);
		double weight = v->weight[m], scaled = weight * v->scale[m];

		sum += weight;
		x += weight * g.x;
		lo += scaled * g.lo;
		hi += scaled * g.hi;
		said[m] = g;
	}
	return (struct guess){(float)(x / sum), (float)(lo / sum), (float)(hi / sum)};
}

static void issue(const struct series *s, struct bucket *k, struct waiting_step *ret)
{
	const struct past *past = series_past(s);
	struct voices v;
	struct guess all, said[SERIES_MODELS];
	struct answer answers[SERIES_ASKED];
	unsigned int step = horizon_at(k, past->steps);
	double spread = past_spread(past, step);
	size_t n = 0;

	for (size_t m = 0; m < SERIES_MODELS; m++)
		said[m].x = NAN;
	weigh(s, k, k, 0, &v);
	choose(s, &v, k->n_issued++);
	all = combine(s, step, &v, spread, said);
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

static void predict(const struct series *s, unsigned int step, double *q)
{
	double share;
	const struct bucket *to = &s->buckets[series_bucket(s, step, &share)];
	const struct bucket *from = to > s->buckets ? to - 1 : to;
	struct voices v;
	struct guess g, said[SERIES_MODELS];
	uint32_t regime = past_regime(series_past(s));

	weigh(s, from, to, (float)share, &v);
	most_weight_first(&v, n_asked(s));
	g = combine(s, step, &v, past_spread(series_past(s), step), said);
	spread_out(g.x, g.lo, g.hi, q);
	grid_correct_between(&from->shift[regime], &to->shift[regime], share, q);
	grid_temper(q, highest(s));
}

void combine_predict(const struct series *s, unsigned int step, double *q)
{
	struct series_next *next = (struct series_next *)&s->outer.next;

	if (step > 1) {
		predict(s, step, q);
		return;
	}
	if (next->version == 0 || next->version != (uint32_t)s->outer.version) {
		predict(s, 1, q);
		next->version = (uint32_t)s->outer.version;
		for (int i = 0; i < FORECAST_LEVELS; i++)
			next->q[i] = (float)q[i];
	}
	for (int i = 0; i < FORECAST_LEVELS; i++)
		q[i] = next->q[i];
}
