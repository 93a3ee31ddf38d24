// SPDX-License-Identifier: GPL-2.0-or-later
/* demand.c - the forecasts of a service's own series and of its APIs, combined and calibrated. */
#include "forecast/demand.h"

#include <math.h>
#include <string.h>

#include "agent/base/util.h"

#define SCALE_RATE    0.01
#define OFFSET_PART   0.02 /* of the scale: smaller values are all the same to the log scale */
#define OFFSET_LEAST  1e-9
#define TRUSTED_AFTER 10.0 /* forecasts of an expert judged before it has a say */
#define SHARPNESS     6.0  /* weights go by loss to this power, inverse */
#define LOSS_RATE     0.01
#define LOSS_LEAST    1e-6
#define BIAS_RATE     0.02
#define BIAS_FARTHEST 2.0
#define WIDTH_RATE    0.02
#define WIDTH_FIRST   8.0  /* judged forecasts the start counts as */
#define WIDTH_USUAL   0.62 /* mean error over the distance from .50 to .90, of normal ones */
#define WIDTH_TINY    1e-6
#define WIDTH_MOST    4.0
#define WIDTH_LEAST   0.1
#define COVER_RATE    0.002
#define COVER_ENOUGH  20
#define OVERLAP       2.0  /* forecasts that may overlap before each counts less */
#define SANE_MAX      1e30 /* larger values are taken as not measured */
#define MOST          4.0  /* times the most ever used */
#define HOLDS         4    /* steps that a forecast of a slow resource does */

const char *const demand_expert_names[DEMAND_EXPERTS] = {
	[DEMAND_DIRECT] = "own series",
	[DEMAND_APIS] = "from APIs",
	[DEMAND_SLOWER] = "longer steps",
};

void demand_init(struct demand *d)
{
	memset(d, 0, sizeof(*d));
	bottom_up_init(&d->apis);
	for (int kind = 0; kind < DEMAND_KINDS; kind++) {
		for (int k = 0; k < DEMAND_RESOURCES; k++) {
			struct demand_target *t = &d->targets[kind][k];

			t->width = 1;
			grid_shift_init(&t->shift);
			for (int e = 0; e < DEMAND_EXPERTS; e++)
				grid_shift_init(&t->scores[e].shift);
		}
	}
}

void demand_drop_waiting(struct demand *d)
{
	for (size_t i = 0; i < DEMAND_WAITING; i++)
		d->waiting[i].end = 0;
}

bool demand_is_sound(const struct demand *d)
{
	return bottom_up_is_sound(&d->apis);
}

static void forget_score(struct demand_score *s)
{
	*s = (struct demand_score){};
	grid_shift_init(&s->shift);
}

void demand_forget_apis(struct demand *d)
{
	for (int i = 0; i < DEMAND_KINDS * DEMAND_RESOURCES; i++)
		forget_score(&d->targets[i / DEMAND_RESOURCES][i % DEMAND_RESOURCES]
				      .scores[DEMAND_APIS]);
	bottom_up_init(&d->apis);
	demand_drop_waiting(d);
}

/* Steps from forecast to forecast that is judged. */
static uint64_t stride(unsigned int lead_steps)
{
	return (MAX(lead_steps, 1) + DEMAND_WAITING - 1) / DEMAND_WAITING;
}

bool demand_due(const struct demand *d, unsigned int lead_steps)
{
	return (d->steps + 1) % stride(lead_steps) == 0;
}

static double offset_of(const struct demand *d, enum demand_resource resource)
{
	return fmax(OFFSET_PART * (double)d->scale[resource], OFFSET_LEAST);
}

static void order(double *q)
{
	for (int l = 1; l < FORECAST_LEVELS; l++)
		q[l] = MAX(q[l], q[l - 1]);
}

/* What expert @k said, on the log scale. */
static void to_log(const struct demand_target *t, enum demand_expert k, const float *said,
		   double offset, double *y)
{
	for (int l = 0; l < FORECAST_LEVELS; l++)
		y[l] = log((double)said[l] + offset) + (k == DEMAND_SLOWER ? (double)t->bias : 0);
}

/* By how it did; the resource's own series has done so itself. */
static void correct(const struct demand_target *t, enum demand_expert k, double *y)
{
	if (k != DEMAND_DIRECT)
		grid_correct(&t->scores[k].shift, y);
}

/* Weights of those who have a view, by recent loss; the first of them alone while none is known. */
static void weigh(const struct demand_target *t, const bool *has_view, double *weights)
{
	double sum = 0;
	int first = -1;

	for (int k = 0; k < DEMAND_EXPERTS; k++) {
		const struct demand_score *s = &t->scores[k];

		weights[k] = 0;
		if (!has_view[k])
			continue;
		first = first < 0 ? k : first;
		if ((double)s->n >= TRUSTED_AFTER)
			weights[k] = pow(fmax((double)s->loss, LOSS_LEAST), -SHARPNESS);
		sum += weights[k];
	}
	for (int k = 0; k < DEMAND_EXPERTS; k++)
		weights[k] = sum > 0 ? weights[k] / sum : k == first;
}

/* The experts' quantiles averaged; on the log scale. False: nobody has a view. */
static bool combine(const struct demand_target *t, const struct demand_issued *said, double offset,
		    double *y)
{
	double weights[DEMAND_EXPERTS];
	bool has_view[DEMAND_EXPERTS], any = false;

	for (int k = 0; k < DEMAND_EXPERTS; k++) {
		has_view[k] = isfinite(said->q[k][Q50]);
		any |= has_view[k];
	}
	weigh(t, has_view, weights);
	memset(y, 0, FORECAST_LEVELS * sizeof(*y));
	for (int k = 0; k < DEMAND_EXPERTS; k++) {
		double one[FORECAST_LEVELS];

		if (weights[k] <= 0)
			continue;
		to_log(t, (enum demand_expert)k, said->q[k], offset, one);
		correct(t, (enum demand_expert)k, one);
		for (int l = 0; l < FORECAST_LEVELS; l++)
			y[l] += weights[k] * one[l];
	}
	return any;
}

/* All levels nearer to the median, or farther from it. One number is learned sooner than a grid. */
static void widen(const struct demand_target *t, double *y)
{
	for (int l = 0; l < FORECAST_LEVELS; l++)
		y[l] = y[Q50] + (double)t->width * (y[l] - y[Q50]);
}

static void learn_width(struct demand_target *t, const double *y, double now)
{
	double side = now < y[Q50] ? y[Q50] - y[Q10] : y[Q90] - y[Q50];
	double size = fmin(fabs(now - y[Q50]) / fmax(side, WIDTH_TINY), WIDTH_MOST) / WIDTH_USUAL;
	double rate = fmax(1 / ((double)t->judged + WIDTH_FIRST), WIDTH_RATE);

	t->width += (float)(rate * (size - (double)t->width));
	t->width = fmaxf(t->width, (float)WIDTH_LEAST);
}

static void ask(const struct demand *d, const struct demand_input *in, enum demand_kind kind,
		enum demand_resource resource, struct demand_issued *said)
{
	for (int k = 0; k < DEMAND_EXPERTS; k++) {
		const struct forecast *view = in->view[k][kind][resource];
		double q[FORECAST_LEVELS];
		bool known = view != NULL;

		if (view)
			memcpy(q, view->q, sizeof(q));
		if (k == DEMAND_APIS)
			known = bottom_up_forecast(&d->apis, in, kind, resource,
						   offset_of(d, resource), q);
		for (int l = 0; l < FORECAST_LEVELS; l++)
			said->q[k][l] = known ? (float)fmin(q[l], SANE_MAX) : NAN;
	}
}

static double highest_said(const struct demand_issued *said)
{
	double most = 0;

	for (int k = 0; k < DEMAND_EXPERTS; k++)
		most = fmax(most, (double)said->q[k][FORECAST_LEVELS - 1]); /* leaves out NAN */
	return most;
}

static void from_log(const double *y, double offset, double most, double *q)
{
	for (int l = 0; l < FORECAST_LEVELS; l++) {
		double value = exp(y[l]) - offset;

		value = MIN(value, most);
		q[l] = MAX(value, 0);
	}
	order(q);
}

/*
 * A forecast of one target from now on, by what the experts say, which goes to @said; @y: all of it
 * before the last calibration, on the log scale. False: nobody has a view.
 */
static bool forecast(struct demand *d, const struct demand_input *in, enum demand_kind kind,
		     enum demand_resource resource, struct demand_issued *said, double *y)
{
	struct demand_target *t = &d->targets[kind][resource];
	double z[FORECAST_LEVELS], q[FORECAST_LEVELS] = {}, offset = offset_of(d, resource);
	bool any;

	ask(d, in, kind, resource, said);
	any = combine(t, said, offset, y);
	if (any) {
		double most = fmax(MOST * (double)d->highest[resource], highest_said(said));

		memcpy(z, y, sizeof(z));
		widen(t, z);
		grid_correct(&t->shift, z);
		from_log(z, offset, most, q);
	}
	for (int l = 0; l < FORECAST_LEVELS; l++)
		t->latest[l] = (float)q[l];
	return any;
}

/* The same, as it will be judged. */
static void issue_target(struct demand *d, const struct demand_input *in, enum demand_kind kind,
			 enum demand_resource resource, struct demand_issued *said)
{
	static const int ends[] = {Q05, Q10, Q90, Q95};
	double y[FORECAST_LEVELS], q[FORECAST_LEVELS];

	if (forecast(d, in, kind, resource, said, y)) {
		from_log(y, offset_of(d, resource), INFINITY, q);
		for (int l = 0; l < FORECAST_LEVELS; l++)
			said->combined[l] = (float)q[l];
	}
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		said->interval[i] = d->targets[kind][resource].latest[ends[i]];
}

static void cover(struct demand_target *t, const struct demand_issued *said, double x)
{
	const float *ends = said->interval;
	bool in80 = x >= (double)ends[1] && x <= (double)ends[2];
	bool in90 = x >= (double)ends[0] && x <= (double)ends[3];
	float rate;

	t->judged = fminf(t->judged + 1, 1e6f);
	rate = fmaxf(1 / t->judged, (float)COVER_RATE);
	t->covered80 += rate * ((float)in80 - t->covered80);
	t->covered90 += rate * ((float)in90 - t->covered90);
}

static void score(struct demand_target *t, enum demand_expert k, const float *said, double x,
		  double offset, double pace)
{
	struct demand_score *s = &t->scores[k];
	double raw[FORECAST_LEVELS], y[FORECAST_LEVELS], now = log(x + offset), rate;

	to_log(t, k, said, offset, raw);
	memcpy(y, raw, sizeof(y));
	correct(t, k, y);
	s->n = fminf(s->n + 1, 1e6f);
	s->loss +=
		(float)(fmax(1 / (double)s->n, LOSS_RATE) * (grid_loss(y, now) - (double)s->loss));
	grid_learn(&s->shift, raw, y, now, pace);
	if (k != DEMAND_SLOWER)
		return;
	rate = fmax(1 / ((double)s->n + 1), BIAS_RATE);
	now -= log((double)said[Q50] + offset);
	t->bias +=
		(float)(rate * (fmax(fmin(now, BIAS_FARTHEST), -BIAS_FARTHEST) - (double)t->bias));
}

/* What was forecast of one target turned out to be @x. */
static void judge_target(struct demand_target *t, const struct demand_issued *said, double x,
			 double offset, double pace)
{
	double raw[FORECAST_LEVELS], y[FORECAST_LEVELS], now = log(x + offset);
	bool any = false;

	for (int k = 0; k < DEMAND_EXPERTS; k++) {
		if (!isfinite(said->q[k][Q50]))
			continue;
		any = true;
		score(t, (enum demand_expert)k, said->q[k], x, offset, pace);
	}
	if (!any)
		return;
	cover(t, said, x);
	for (int l = 0; l < FORECAST_LEVELS; l++)
		raw[l] = log((double)said->combined[l] + offset);
	learn_width(t, raw, now);
	widen(t, raw);
	memcpy(y, raw, sizeof(y));
	grid_correct(&t->shift, y);
	grid_learn(&t->shift, raw, y, now, pace);
}

static void judge(struct demand *d, const struct demand_input *in, size_t slot)
{
	struct demand_waiting *w = &d->waiting[slot];
	double used[DEMAND_KINDS][DEMAND_RESOURCES], offsets[DEMAND_RESOURCES];
	double overlap = (double)in->lead_steps / (double)stride(in->lead_steps);
	double pace = fmin(OVERLAP / overlap, 1);

	w->end = 0;
	for (int k = 0; k < DEMAND_RESOURCES; k++) {
		bool enough = 2 * w->used[k].n >= (float)in->lead_steps;

		used[DEMAND_PEAK][k] = enough ? (double)w->used[k].peak : NAN;
		used[DEMAND_MEAN][k] = enough ? (double)(w->used[k].sum / w->used[k].n) : NAN;
		offsets[k] = offset_of(d, (enum demand_resource)k);
		for (int kind = 0; enough && kind < DEMAND_KINDS; kind++)
			judge_target(&d->targets[kind][k], &d->targets[kind][k].issued[slot],
				     used[kind][k], offsets[k], pace);
	}
	bottom_up_judge(&d->apis, in, &w->apis, used, offsets);
}

static void see(struct demand *d, const struct demand_input *in)
{
	for (int k = 0; k < DEMAND_RESOURCES; k++) {
		float used = (float)in->used[k];

		if (!(in->used[k] >= 0 && in->used[k] <= SANE_MAX))
			continue;
		d->scale_n[k] = fminf(d->scale_n[k] + 1, 1e6f);
		d->scale[k] += fmaxf(1 / d->scale_n[k], (float)SCALE_RATE) * (used - d->scale[k]);
		d->highest[k] = fmaxf(d->highest[k], used);
		for (size_t i = 0; i < DEMAND_WAITING; i++) {
			struct demand_waiting *w = &d->waiting[i];

			w->used[k].peak = fmaxf(w->used[k].peak, used);
			w->used[k].sum += used;
			w->used[k].n += 1;
		}
	}
	for (size_t i = 0; i < DEMAND_WAITING; i++)
		if (d->waiting[i].end > 0)
			bottom_up_see(&d->apis, in, &d->waiting[i].apis);
}

static void issue(struct demand *d, const struct demand_input *in)
{
	size_t slot = d->steps / stride(in->lead_steps) % DEMAND_WAITING;
	struct demand_waiting *w = &d->waiting[slot];

	memset(w, 0, sizeof(*w));
	w->end = d->steps + in->lead_steps;
	bottom_up_issue(&d->apis, in, &w->apis);
	for (int kind = 0; kind < DEMAND_KINDS; kind++)
		for (int k = 0; k < DEMAND_RESOURCES; k++)
			issue_target(d, in, (enum demand_kind)kind, (enum demand_resource)k,
				     &d->targets[kind][k].issued[slot]);
}

/* Of uniform levels between those of the grid, flat beyond its ends. */
static void give(const float *q, struct forecast *ret)
{
	*ret = (struct forecast){};
	for (int l = 0; l < FORECAST_LEVELS; l++) {
		double from = l > 0 ? (forecast_level[l - 1] + forecast_level[l]) / 2 : 0;
		double to = l + 1 < FORECAST_LEVELS
				    ? (forecast_level[l] + forecast_level[l + 1]) / 2
				    : 1;

		ret->q[l] = (double)q[l];
		ret->mean += (to - from) * ret->q[l];
	}
}

/* Whether the last forecast of a slow resource goes on. */
static bool holds(const struct demand *d, const struct demand_input *in, int resource)
{
	const float *latest = d->targets[DEMAND_PEAK][resource].latest;

	return in->slow[resource] && (d->steps + (uint64_t)resource) % HOLDS != 0 &&
	       latest[FORECAST_LEVELS - 1] > 0;
}

void demand_step(struct demand *d, const struct demand_input *in,
		 struct forecast ret[DEMAND_RESOURCES])
{
	bool due = demand_due(d, in->lead_steps);

	if (in->gap)
		demand_drop_waiting(d);
	see(d, in);
	d->steps++;
	for (size_t i = 0; i < DEMAND_WAITING; i++)
		if (d->waiting[i].end > 0 && d->steps >= d->waiting[i].end)
			judge(d, in, i);
	if (due)
		issue(d, in);
	for (int k = 0; k < DEMAND_RESOURCES; k++) {
		struct demand_issued said = {};
		double y[FORECAST_LEVELS];

		if (!due && !holds(d, in, k))
			(void)forecast(d, in, DEMAND_PEAK, (enum demand_resource)k, &said, y);
		give(d->targets[DEMAND_PEAK][k].latest, &ret[k]);
	}
}

void demand_report(const struct demand *d, enum demand_kind kind, enum demand_resource resource,
		   struct demand_report *ret)
{
	const struct demand_target *t = &d->targets[kind][resource];
	bool enough = t->judged >= COVER_ENOUGH, has_view[DEMAND_EXPERTS];
	double weights[DEMAND_EXPERTS];

	for (int k = 0; k < DEMAND_EXPERTS; k++)
		has_view[k] = t->scores[k].n > 0;
	weigh(t, has_view, weights);
	*ret = (struct demand_report){
		.coverage80 = enough ? (double)t->covered80 : NAN,
		.coverage90 = enough ? (double)t->covered90 : NAN,
		.judged = (double)t->judged,
	};
	give(t->latest, &ret->f);
	for (int k = 0; k < DEMAND_EXPERTS; k++) {
		ret->experts[k].weight = weights[k];
		ret->experts[k].loss = has_view[k] ? (double)t->scores[k].loss : NAN;
	}
}
