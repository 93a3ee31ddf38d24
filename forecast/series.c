// SPDX-License-Identifier: GPL-2.0-or-later
/* series.c - one series: takes values, answers with quantiles; models and weights in one flat
 * block. */
#include "forecast/forecast.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "forecast/blob.h"
#include "forecast/gru_fit.h"
#include "forecast/series_state.h"

#define KIND         UINT64_C(0x50737265736673) /* the layout and its version */
#define EVENTS_KIND  UINT64_C(0x0173746e766573) /* of what may follow */
#define HORIZON_MAX  100000
#define PERIOD_MAX   100000
#define LEAST_SD     1e-3 /* of the log, that a forecast has */
#define BOUND        4.0 /* times the largest value seen: no forecast is above, stated events apart */
#define FIRST_SEARCH 24
#define QUARTILES_SD 1.349 /* between the quartiles of a normal distribution, in sd */
#define PEAK_LOOKS   64    /* steps at which the events of a peak are looked at */
#define UNEARNED     1e-3F
#define FIRST_TUNE   240
#define MIN_SCORED   20 /* forecasts of a horizon that came true or not, before it is reported */

void series_restart(struct series *s, const unsigned int *periods, size_t n, double level,
		    uint64_t step)
{
	struct past *past = series_past(s);

	for (size_t i = 0; i < FORECAST_MAX_PERIODS; i++)
		s->periods[i] = i < n ? periods[i] : 0;
	s->n_periods = (uint32_t)n;
	s->judge_from = n > 0 ? step + periods[n - 1] : 0;
	past_init(past, s->conf.max_period);
	past->tuning = s->outer.tuned.tuning;
	past->gru = s->outer.gru;
	past->steps = step;
	past_set_periods(past, s->periods, n, level);
	for (size_t m = 0; m < SERIES_MODELS; m++) {
		const struct forecast_model *model = forecast_models[m];

		memset(series_model(s, m), 0, series_model_size(&s->conf, model));
		if (model->init)
			model->init(series_model(s, m), past, &s->conf);
		if (model->set_periods)
			model->set_periods(series_model(s, m), past, s->periods, n, level);
	}
	for (uint32_t b = 0; b < s->n_buckets; b++)
		memset(s->buckets[b].peaks, 0, sizeof(s->buckets[b].peaks));
	combine_init(s);
	s->outer.next.version = 0;
}

int series_new(const struct series_conf *conf, struct series **ret)
{
	_cleanup_(series_freep) struct series *s = NULL;
	struct series head = {.conf = *conf};

	if (!conf->step_ns || conf->horizon < 1 || conf->horizon > HORIZON_MAX ||
	    conf->max_period < 1 || conf->max_period > PERIOD_MAX)
		return -EINVAL;
	if (forecast_n_models != SERIES_MODELS)
		return -EINVAL;
	series_lay_out(&head);
	s = calloc(1, head.size_bytes);
	if (!s)
		return -ENOMEM;
	memcpy(s, &head, sizeof(head));
	series_lay_buckets(s);
	s->outer.newest = NAN;
	s->outer.version = 1;
	s->outer.search.next = FIRST_SEARCH;
	anomaly_init(&s->outer.anomaly);
	series_tuning_init(&s->outer.tuned.tuning);
	s->outer.tune.next = FIRST_TUNE;
	series_restart(s, NULL, 0, 0, 0);
	*ret = take_ptr(s);
	return 0;
}

void series_free(struct series *s)
{
	if (s)
		free(s->outer.events);
	free(s);
}

void series_freep(struct series **s)
{
	series_free(*s);
}

/* The log scale follows the mean in steps, so that its models seldom have to. */
static void rescale(struct series *s)
{
	struct past *past = series_past(s);
	double from = past->offset, to = past_wanted_offset(past);

	if (fabs(log(to / from)) < log(1.5))
		return;
	past_rescale(past, to);
	smoothing_rescale(&past->slow, from, to);
	for (size_t m = 0; m < SERIES_MODELS; m++) {
		if (forecast_models[m]->rescale)
			forecast_models[m]->rescale(series_model(s, m), past, from, to);
	}
	for (uint32_t b = 0; b < s->n_buckets; b++) {
		struct bucket *k = &s->buckets[b];

		for (uint32_t i = 0; i < k->slots; i++)
			waiting_shift(series_slot(s, k->first_slot + i), from, to);
		peak_rescale(s, k, from);
	}
}

void series_learn(struct series *s, double value)
{
	struct past *past = series_past(s);
	double x;

	combine_judge(s, value);
	peak_judge(s, value);
	past_push(past, value);
	if (past->count == 0)
		return;
	rescale(s);
	x = isnan(value) ? NAN : past_to_log(past, value);
	past_learn(past, x);
	for (size_t m = 0; m < SERIES_MODELS; m++)
		if (forecast_models[m]->observe)
			forecast_models[m]->observe(series_model(s, m), past, x);
	s->outer.next.version = 0;
	combine_issue(s);
	peak_issue(s);
}

void series_observe(struct series *s, double value)
{
	const struct past *past = series_past(s);
	struct events *e = s->outer.events;
	int64_t at = (int64_t)past->steps;
	double normal = NAN, sd = 0;

	s->outer.version++;
	if (!(value >= 0 && value <= PAST_SANE_MAX))
		value = NAN;
	if (!isnan(value)) {
		s->outer.newest = value;
		s->outer.max = fmax(s->outer.max, value);
		s->outer.count++;
	}
	if (past->count > 0 && events_felt(e, at, at + 1)) {
		double q[FORECAST_LEVELS];

		combine_predict(s, 1, q);
		normal = past_from_log(past, q[Q50]);
		sd = (q[Q75] - q[Q25]) / QUARTILES_SD;
	}
	value = events_observe(e, at, value, normal, sd, past->offset);
	value = value <= PAST_SANE_MAX ? value : NAN;
	/* A value that is rarer than rare waits: if it stays, the fourth of them is learned. */
	series_learn(s, series_look(s, value) ? NAN : value);
}

void series_skip(struct series *s, uint64_t steps)
{
	struct past *past = series_past(s);
	uint64_t most = (uint64_t)past->size + s->conf.horizon + 1;

	/* Beyond the reach of everything that waits or is remembered, steps only count. */
	if (steps > most) {
		past->steps += steps - most;
		steps = most;
	}
	for (; steps > 0; steps--)
		series_observe(s, NAN);
}

int series_event(struct series *s, uint32_t id, int64_t start, uint64_t length, double multiplier)
{
	int64_t now = (int64_t)series_past(s)->steps, from, to;

	if (__builtin_add_overflow(now, start, &from) || length > INT64_MAX ||
	    __builtin_add_overflow(from, (int64_t)length, &to))
		return -EINVAL;
	if (to <= now)
		return 0;
	if (!s->outer.events)
		s->outer.events = calloc(1, sizeof(*s->outer.events));
	if (!s->outer.events)
		return -ENOMEM;
	s->outer.version++;
	return events_add(s->outer.events, id, from, to, multiplier);
}

void series_event_clear(struct series *s)
{
	s->outer.version++;
	events_clear(s->outer.events, (int64_t)series_past(s)->steps);
}

bool series_doubts(const struct series *s)
{
	return events_doubted(s->outer.events, (int64_t)series_past(s)->steps);
}

uint32_t series_event_id(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash;
}

int series_event_effect(const struct series *s, uint32_t id, struct series_effect *ret)
{
	const struct effect *f = events_effect(s->outer.events, id);
	const int start = EVENT_BEFORE, end = EVENT_BEFORE + EVENT_DURING;

	if (!f)
		return -ENOENT;
	*ret = (struct series_effect){.n = f->n};
	ret->before = exp(events_mean(f, 0, start));
	ret->during = exp(events_mean(f, start, end));
	ret->after = exp(events_mean(f, end, EVENT_PARTS));
	return 0;
}

/* What the events make of a forecast. */
struct lift {
	double multiplier, var; /* of its log */
	double stated;          /* the bounds are as many times wider */
};

/* Quantiles @q on the log scale as values with @lift, within the bounds. What is not known of the
 * events adds to their spread. */
static void finish(const struct series *s, const double *q, const struct lift *lift,
		   struct forecast *ret)
{
	double most = BOUND * s->outer.max * lift->stated, wider = 1;
	double sd = fmax((q[Q75] - q[Q25]) / QUARTILES_SD, LEAST_SD);

	if (lift->var > 0)
		wider = sqrt(1 + lift->var / (sd * sd));
	for (int i = 0; i < FORECAST_LEVELS; i++) {
		double x = q[Q50] + wider * (q[i] - q[Q50]);
		double value = lift->multiplier * past_from_log(series_past(s), x);

		ret->q[i] = MIN(value, most);
	}
	/* Each level stands for the probability half way to its neighbours. */
	ret->mean = 0;
	for (int i = 0; i < FORECAST_LEVELS; i++) {
		double from = i > 0 ? 0.5 * (forecast_level[i - 1] + forecast_level[i]) : 0;
		double to = i + 1 < FORECAST_LEVELS
				    ? 0.5 * (forecast_level[i] + forecast_level[i + 1])
				    : 1;

		ret->mean += (to - from) * ret->q[i];
	}
	ret->mean = fmin(ret->mean, most);
}

static unsigned int within_horizon(const struct series *s, unsigned int step)
{
	return MIN(MAX(step, 1), s->conf.horizon);
}

static struct lift lift_at(const struct events *e, int64_t step, int64_t now)
{
	struct lift l = {.multiplier = 1, .stated = 1};

	if (!events_felt(e, step, step + 1))
		return l;
	l.stated = events_stated(e, step);
	l.multiplier = events_multiplier(e, step, now, &l.var);
	return l;
}

/* The highest over [from, to), where @from is the next step. */
static struct lift lift_most(const struct events *e, int64_t from, int64_t to)
{
	int64_t stride = (to - from + PEAK_LOOKS - 1) / PEAK_LOOKS;
	struct lift most = lift_at(e, from, from);

	for (int64_t at = from + stride; at < to && events_felt(e, from, to); at += stride) {
		struct lift l = lift_at(e, at, from);

		if (l.multiplier > most.multiplier)
			most = l;
	}
	return most;
}

void series_predict(const struct series *s, unsigned int step, struct forecast *ret)
{
	const struct past *past = series_past(s);
	int64_t now = (int64_t)past->steps;
	double q[FORECAST_LEVELS];
	struct lift lift;

	*ret = (struct forecast){};
	if (past->count == 0)
		return;
	step = within_horizon(s, step);
	lift = lift_at(s->outer.events, now - 1 + step, now);
	combine_predict(s, step, q);
	finish(s, q, &lift, ret);
}

void series_predict_peak(const struct series *s, unsigned int steps, struct forecast *ret)
{
	const struct past *past = series_past(s);
	int64_t now = (int64_t)past->steps;
	double q[FORECAST_LEVELS];
	struct lift lift;

	*ret = (struct forecast){};
	if (past->count == 0)
		return;
	steps = within_horizon(s, steps);
	peak_predict(s, steps, q);
	lift = lift_most(s->outer.events, now, now + steps);
	finish(s, q, &lift, ret);
}

uint64_t series_version(const struct series *s)
{
	return s->outer.version;
}

uint64_t series_count(const struct series *s)
{
	return s->outer.count;
}

double series_last(const struct series *s)
{
	return s->outer.newest;
}

/* Adds what bucket @k says to the means over @n buckets in @ret. */
static void report_bucket(const struct bucket *k, double n, struct series_report *ret)
{
	for (size_t m = 0; m < SERIES_MODELS; m++) {
		ret->models[m].weight += k->weight[m] / n;
		ret->models[m].loss += k->losses[m] / n;
	}
	ret->loss += k->loss / n;
	if (k->n_scored < MIN_SCORED)
		return;
	ret->coverage80 += k->covered[0] / n;
	ret->coverage90 += k->covered[1] / n;
	ret->coverage98 += k->covered[2] / n;
}

/* Models without a view have no weight, whatever waits for them. */
static void silence(const struct series *s, struct series_report *ret)
{
	double sum = 0;

	for (size_t m = 0; m < SERIES_MODELS; m++) {
		if (m >= series_speaking(s))
			ret->models[m].weight = 0;
		sum += ret->models[m].weight;
	}
	for (size_t m = 0; m < SERIES_MODELS && sum > 0; m++)
		ret->models[m].weight /= sum;
}

void series_report(const struct series *s, struct series_report *ret)
{
	uint32_t n = 1;

	*ret = (struct series_report){.n_models = SERIES_MODELS, .n_periods = s->n_periods};
	for (size_t m = 0; m < SERIES_MODELS; m++) {
		ret->models[m].name = forecast_models[m]->name;
		ret->models[m].bytes = series_model_size(&s->conf, forecast_models[m]);
	}
	for (size_t i = 0; i < s->n_periods; i++)
		ret->periods[i] = s->periods[i];
	while (n < s->n_buckets && s->buckets[n].n_scored >= MIN_SCORED)
		n++;
	for (uint32_t b = 0; b < n; b++)
		report_bucket(&s->buckets[b], n, ret);
	silence(s, ret);
	if (s->buckets[0].n_scored < MIN_SCORED)
		ret->coverage80 = ret->coverage90 = ret->coverage98 = NAN;
	ret->n_tuned = s->outer.tuned.n_done;
	ret->n_gained = s->outer.tuned.n_changed;
	ret->gain = s->outer.tuned.gain;
}

size_t series_save_size(const struct series *s)
{
	return blob_size(s->size_bytes) +
	       (s->outer.events ? blob_size(sizeof(*s->outer.events)) : 0);
}

static void point_at(struct series *s, const struct gru *weights)
{
	s->outer.gru = series_past(s)->gru = weights;
}

/* A network that is new here has to earn its weight. */
void series_share(struct series *s, const struct gru *weights)
{
	s->outer.version++;
	for (uint32_t b = 0; !s->outer.gru && b < s->n_buckets; b++)
		s->buckets[b].weight[SERIES_MODELS - 1] = UNEARNED;
	point_at(s, weights);
}

/* Saved bytes point to nothing and have no version. */
size_t series_save(const struct series *s, void *buf, size_t size)
{
	struct series *own = (struct series *)s;
	const struct gru *weights = s->outer.gru;
	struct events *events = s->outer.events;
	uint64_t version = s->outer.version;
	size_t n;

	if (size < series_save_size(s))
		return 0;
	own->outer.events = NULL;
	own->outer.version = 0;
	own->outer.next = (struct series_next){};
	point_at(own, NULL);
	n = blob_save(KIND, s, s->size_bytes, buf, size);
	point_at(own, weights);
	own->outer.version = version;
	own->outer.events = events;
	if (events)
		n += blob_save(EVENTS_KIND, events, sizeof(*events), (char *)buf + n, size - n);
	return n;
}

/* Whether @saved is of a series as @s: of the same conf, and so laid out in the same way. */
static bool is_alike(const struct series *s, const struct series *saved)
{
	return saved->conf.step_ns == s->conf.step_ns && saved->conf.horizon == s->conf.horizon &&
	       saved->conf.max_period == s->conf.max_period && saved->conf.brief == s->conf.brief &&
	       saved->size_bytes == s->size_bytes && saved->n_buckets == s->n_buckets &&
	       saved->past_at == s->past_at && saved->slots_at == s->slots_at &&
	       memcmp(saved->models_at, s->models_at, sizeof(s->models_at)) == 0 &&
	       saved->n_periods <= FORECAST_MAX_PERIODS;
}

/* The events of the @size bytes @buf that follow a series; *@ret NULL: there are none. */
static int load_events(const void *buf, size_t size, struct events **ret)
{
	const void *state = blob_check(EVENTS_KIND, sizeof(**ret), buf, size);
	struct events *events;

	if (size == 0) {
		*ret = NULL;
		return 0;
	}
	if (!state)
		return -EINVAL;
	events = malloc(sizeof(*events));
	if (!events)
		return -ENOMEM;
	memcpy(events, state, sizeof(*events));
	*ret = events;
	return 0;
}

int series_load(struct series *s, const void *buf, size_t size)
{
	size_t own = MIN(blob_size(s->size_bytes), size);
	const void *state = blob_check(KIND, s->size_bytes, buf, own);
	const struct gru *weights = s->outer.gru;
	uint64_t version = s->outer.version;
	struct events *events;
	struct series head;
	int r;

	if (!state)
		return -EINVAL;
	memcpy(&head, state, sizeof(head));
	if (!is_alike(s, &head))
		return -EINVAL;
	r = load_events((const char *)buf + own, size - own, &events);
	if (r < 0)
		return r;
	free(s->outer.events);
	memcpy(s, state, s->size_bytes);
	s->outer.events = events;
	s->outer.version = version + 1;
	point_at(s, weights);
	s->outer.search.out = s->outer.tune.out = 0;
	return 0;
}
