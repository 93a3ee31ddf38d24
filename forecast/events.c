// SPDX-License-Identifier: GPL-2.0-or-later
/* events.c - known future events of a series and what they do to it. */
#include "forecast/events.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/base/util.h"

#define X_UNIT        4096.0
#define SD_UNIT       16384.0
#define LEVEL_VAR     0.5    /* of a running event never seen: its sd is a factor of 2 */
#define DURING_VAR    0.09   /* by which a part differs from the nearest */
#define AROUND_VAR    0.04   /* of the parts before and after */
#define OWN_VAR       0.01   /* by which one occurrence differs from the others */
#define OWN_CHANGES   0.5    /* share of that which comes anew while it runs */
#define STATED_VAR    0.5    /* by which one differs from what is stated of it */
#define NEW_TURN      9.0    /* times the variance: a square beyond is no noise */
#define DOUBT         0.05   /* log by which less is measured than is forecast of one */
#define DRIFT_VAR     0.0025 /* by which an effect changes from one occurrence to the next */
#define LEAST_SD      0.01   /* of a value around what was expected */
#define LEAST_PART_SD 0.001
#define LOG_MAX       5.0  /* an effect is between 1/148 and 148 */
#define LEAST_SHARE   0.05 /* of the offset */
#define STATED_MAX    1e3
#define AROUND_MAX    4096 /* steps that an event is felt before and after */
#define MOST_TELLING  0.5  /* share of a surprise that is the events': above, it tells no normal */
#define FAR           (INT64_C(1) << 60) /* steps; beyond, nothing is reckoned with */

/* An event that is felt at a step: in which part. */
_Static_assert(EFFECTS_MAX >= EVENTS_MAX, "a place for each that is felt at once");
struct felt {
	struct event *event;
	struct effect *effect; /* NULL: nothing is known, or it is stated */
	int part;
};

static bool is_stated(const struct event *v)
{
	return !isnan(v->multiplier);
}

static struct effect *find_effect(const struct events *e, uint32_t id)
{
	for (int i = 0; e && i < EFFECTS_MAX; i++) {
		if (e->effects[i].n > 0 && e->effects[i].id == id)
			return (struct effect *)&e->effects[i];
	}
	return NULL;
}

const struct effect *events_effect(const struct events *e, uint32_t id)
{
	return find_effect(e, id);
}

/* Whether @v is what [start, end) is: next to each other, two may share a step by rounding. */
static bool is_same(const struct event *v, int64_t start, int64_t end)
{
	int64_t from = MAX(v->start, start), to = MIN(llabs(v->end), end);

	return to > from &&
	       (to - from > (end - start) / 2 || to - from > (llabs(v->end) - v->start) / 2);
}

int events_add(struct events *e, uint32_t id, int64_t start, int64_t end, double multiplier)
{
	struct event *at = NULL;

	if (end <= start || (!isnan(multiplier) && !(multiplier >= 0 && multiplier <= STATED_MAX)))
		return -EINVAL;
	start = MAX(start, -FAR);
	end = MIN(end, FAR);
	if (start >= end)
		return 0;
	for (int i = 0; i < EVENTS_MAX; i++) {
		struct event *v = &e->list[i];

		/* One just cleared goes on where it was. */
		if (v->end != 0 && v->id == id && is_same(v, start, end)) {
			v->start = start;
			v->end = end;
			if (isnan(multiplier) ? is_stated(v) : v->multiplier != (float)multiplier)
				v->own = v->own_var = 0;
			v->multiplier = (float)multiplier;
			return 0;
		}
		if (v->end <= 0 && !at)
			at = v;
	}
	if (!at)
		return -ENOSPC;
	e->n += at->end == 0;
	*at = (struct event){.start = start, .end = end, .multiplier = (float)multiplier, .id = id};
	return 0;
}

void events_clear(struct events *e, int64_t now)
{
	for (int i = 0; e && i < EVENTS_MAX; i++)
		if (e->list[i].end > now)
			e->list[i].end = -e->list[i].end;
}

static bool covers(const struct event *v, int64_t step)
{
	return v->end > 0 && step >= v->start && step < v->end;
}

/* How far a learned event is felt. */
static int64_t steps_before(const struct event *v)
{
	return MIN(MAX((v->end - v->start) / 2, 1), AROUND_MAX);
}

static int64_t steps_after(const struct event *v)
{
	return MIN(MAX(v->end - v->start, 2), AROUND_MAX);
}

static bool is_felt(const struct event *v, int64_t from, int64_t to)
{
	if (v->end <= 0 || is_stated(v))
		return v->end > 0 && from < v->end && to > v->start;
	return from < v->end + steps_after(v) && to > v->start - steps_before(v);
}

bool events_felt(const struct events *e, int64_t from, int64_t to)
{
	for (int i = 0; e && i < EVENTS_MAX && e->n > 0; i++) {
		if (is_felt(&e->list[i], from, to))
			return true;
	}
	return false;
}

/* The part of @v that @step, at which it is felt, is in; the nearest to it come first and last. */
static int part_of(const struct event *v, int64_t step)
{
	if (step < v->start)
		return EVENT_BEFORE - 1 -
		       (int)((v->start - 1 - step) * EVENT_BEFORE / steps_before(v));
	if (step < v->end)
		return EVENT_BEFORE + (int)((double)(step - v->start) * EVENT_DURING /
					    (double)(v->end - v->start));
	return EVENT_BEFORE + EVENT_DURING + (int)((step - v->end) * EVENT_AFTER / steps_after(v));
}

static bool is_during(int part)
{
	return part >= EVENT_BEFORE && part < EVENT_BEFORE + EVENT_DURING;
}

static int64_t distance(const struct event *v, int64_t step)
{
	return step < v->start ? v->start - step : step < v->end ? 0 : step - v->end + 1;
}

/* While one runs, those before or after count no more. Returns how many are left of the @n. */
static size_t drop_near(struct felt *felt, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (is_during(felt[i].part))
			felt[kept++] = felt[i];
	}
	return kept > 0 ? kept : n;
}

/* The learned events felt at @step, of those with the same id the nearest alone. Returns how many.
 */
static size_t find_learned(const struct events *e, int64_t step, struct felt *ret)
{
	size_t n = 0;

	for (int i = 0; i < EVENTS_MAX; i++) {
		struct event *v = (struct event *)&e->list[i];
		size_t at = 0;

		if (is_stated(v) || !is_felt(v, step, step + 1))
			continue;
		while (at < n && ret[at].event->id != v->id)
			at++;
		if (at < n && distance(ret[at].event, step) <= distance(v, step))
			continue;
		ret[at] = (struct felt){v, find_effect(e, v->id), part_of(v, step)};
		n = MAX(n, at + 1);
	}
	return drop_near(ret, n);
}

/* All that are felt at @step but those of which it is stated that nothing comes. */
static size_t find_felt(const struct events *e, int64_t step, struct felt *ret)
{
	size_t n = find_learned(e, step, ret);

	for (int i = 0; i < EVENTS_MAX; i++) {
		struct event *v = (struct event *)&e->list[i];

		if (covers(v, step) && is_stated(v) && v->multiplier > 0)
			ret[n++] = (struct felt){v, NULL, part_of(v, step)};
	}
	return n;
}

/* What is known of a part. */
struct known {
	double x, var;
};

static struct known measured(const struct event_part *p)
{
	return (struct known){p->x / X_UNIT, p->sd / SD_UNIT * (p->sd / SD_UNIT)};
}

/* The part of a running event nearest to @part that was measured, or NULL. */
static const struct event_part *nearest(const struct effect *f, int part)
{
	for (int i = 1; i < EVENT_DURING; i++) {
		if (is_during(part - i) && f->parts[part - i].sd > 0)
			return &f->parts[part - i];
		if (is_during(part + i) && f->parts[part + i].sd > 0)
			return &f->parts[part + i];
	}
	return NULL;
}

static struct known know(const struct effect *f, int part)
{
	const struct event_part *p = &f->parts[part];
	struct known k = {0, AROUND_VAR};

	if (p->sd > 0)
		return measured(p);
	if (!is_during(part))
		return k;
	p = nearest(f, part);
	if (!p)
		return (struct known){0, LEVEL_VAR};
	k = measured(p);
	k.var += DURING_VAR;
	return k;
}

/* Log of what @f does, above what is stated; *@var what is not known of it is added to. */
static double log_effect(const struct felt *f, double *var)
{
	struct known k;

	if (is_stated(f->event)) {
		*var += (double)f->event->own_var;
		return (double)f->event->own;
	}
	if (!f->effect)
		return 0;
	k = know(f->effect, f->part);
	*var += k.var;
	if (!is_during(f->part))
		return k.x;
	*var += f->event->own_var > 0 ? (double)f->event->own_var : OWN_VAR;
	return k.x + (double)f->event->own;
}

double events_mean(const struct effect *f, int from, int to)
{
	double sum = 0;
	int n = 0;

	for (int i = from; i < to; i++) {
		sum += f->parts[i].x / X_UNIT;
		n += f->parts[i].sd > 0;
	}
	return n > 0 ? sum / n : 0;
}

static double stated_at(const struct events *e, int64_t step)
{
	double stated = 1;

	for (int i = 0; i < EVENTS_MAX; i++) {
		if (covers(&e->list[i], step) && is_stated(&e->list[i]))
			stated *= (double)e->list[i].multiplier;
	}
	return stated;
}

/*
 * Log by which stated @v is taken to differ from that for the rest of it, @now. More is taken at
 * once; less by and by while it passes, as its load may still come.
 */
static double log_own(const struct event *v, int64_t now)
{
	double own = (double)v->own;
	double passed = (double)(now - v->start) / (double)(v->end - v->start);

	return own > 0 ? own : own * fmin(fmax(passed, 0), 1);
}

double events_multiplier(const struct events *e, int64_t step, int64_t now, double *var)
{
	struct felt felt[EVENTS_MAX];
	double own = 0, x = 0;
	size_t n = find_felt(e, step, felt);

	*var = 0;
	for (size_t i = 0; i < n; i++) {
		if (is_stated(felt[i].event))
			own += log_own(felt[i].event, now);
		else
			x += log_effect(&felt[i], var);
	}
	return stated_at(e, step) * exp(own + fmin(fmax(x, -LOG_MAX), LOG_MAX));
}

bool events_doubted(const struct events *e, int64_t step)
{
	for (int i = 0; e && i < EVENTS_MAX; i++) {
		const struct event *v = &e->list[i];

		if (covers(v, step) && is_stated(v) && log_own(v, step) - (double)v->own > DOUBT)
			return true;
	}
	return false;
}

double events_stated(const struct events *e, int64_t step)
{
	double product = 1;

	for (int i = 0; i < EVENTS_MAX; i++) {
		const struct event *v = &e->list[i];

		if (covers(v, step) && v->multiplier > 1)
			product *= (double)v->multiplier;
	}
	return product;
}

static void set_part(struct event_part *p, double x, double var)
{
	p->x = (int16_t)lrint(X_UNIT * fmin(fmax(x, -LOG_MAX), LOG_MAX));
	p->sd = (uint16_t)lrint(SD_UNIT * fmin(fmax(sqrt(var), LEAST_PART_SD), 1));
}

static bool is_one_of(const struct felt *felt, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (felt[i].event->id == id)
			return true;
	}
	return false;
}

/*
 * A place for @id: a free one, or that of the least recent which is not among the @n of @felt.
 * There is one, as those are no more than EFFECTS_MAX with @id itself.
 */
static struct effect *new_effect(struct events *e, uint32_t id, const struct felt *felt, size_t n)
{
	struct effect *at = NULL;

	for (int i = 0; i < EFFECTS_MAX; i++) {
		struct effect *f = &e->effects[i];

		if (f->n > 0 && is_one_of(felt, n, f->id))
			continue;
		if (!at || (at->n > 0 && (f->n == 0 || f->end < at->end)))
			at = f;
	}
	*at = (struct effect){.id = id};
	return at;
}

/* An occurrence begins: that of @f, one of the @n of @felt. */
static void begin(struct events *e, struct felt *f, const struct felt *felt, size_t n)
{
	if (!f->effect)
		f->effect = new_effect(e, f->event->id, felt, n);
	if (f->event->own_var > 0)
		return;
	f->event->own_var = OWN_VAR;
	f->effect->n++;
	f->effect->end = f->event->end;
	for (int i = 0; i < EVENT_PARTS; i++) {
		struct event_part *p = &f->effect->parts[i];
		struct known k = measured(p);

		if (p->sd > 0)
			set_part(p, k.x, k.var + DRIFT_VAR);
	}
}

/* What is particular about an occurrence changes while it runs. */
static void change(struct event *v)
{
	double more = OWN_VAR * OWN_CHANGES / (double)(v->end - v->start);

	v->own_var = (float)fmin((double)v->own_var + more, OWN_VAR);
}

/* Gives each component of @f its share of @surprise, whose variance is @var. */
static void share(struct felt *f, double surprise, double var)
{
	double gain;

	if (!is_stated(f->event)) {
		struct known k = know(f->effect, f->part);

		gain = k.var / var;
		set_part(&f->effect->parts[f->part], k.x + gain * surprise, k.var * (1 - gain));
	}
	if (!is_during(f->part))
		return;
	gain = (double)f->event->own_var / var;
	f->event->own += (float)(gain * surprise);
	f->event->own_var *= (float)(1 - gain);
}

/* Makes room of events that are not felt from @step on. */
static void expire(struct events *e, int64_t step)
{
	for (int i = 0; i < EVENTS_MAX; i++) {
		struct event *v = &e->list[i];

		if (v->end == 0 || (v->end > 0 ? is_felt(v, step, INT64_MAX) : step < -v->end))
			continue;
		v->end = 0;
		e->n--;
	}
}

/*
 * A surprise far beyond the noise is the stated events': their load does not come, or comes late,
 * or ends before they do. Anything nearer says that they are as stated, or still as they were.
 */
static void turn(struct felt *felt, size_t n, double surprise, double noise, double *var)
{
	if (surprise * surprise < NEW_TURN * (*var + noise))
		return;
	for (size_t i = 0; i < n; i++) {
		struct event *v = felt[i].event;

		if (!is_stated(v))
			continue;
		*var += STATED_VAR - (double)v->own_var;
		v->own_var = STATED_VAR;
	}
}

/* Learns from @ratio, the log of measured to normal. Returns the log of the effect, or NAN. */
static double learn(struct events *e, struct felt *felt, size_t n, double ratio, double sd)
{
	double noise = fmax(sd, LEAST_SD) * fmax(sd, LEAST_SD), var = 0, x = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_stated(felt[i].event)) {
			begin(e, &felt[i], felt, n);
			change(felt[i].event);
		}
		x += log_effect(&felt[i], &var);
	}
	ratio = fmin(fmax(ratio, -LOG_MAX), LOG_MAX) - x;
	turn(felt, n, ratio, noise, &var);
	x = 0;
	for (size_t i = 0; i < n; i++) {
		double known = 0;

		share(&felt[i], ratio, var + noise);
		x += log_effect(&felt[i], &known);
	}
	return var > MOST_TELLING * (var + noise) ? NAN : x;
}

double events_observe(struct events *e, int64_t step, double value, double normal, double sd,
		      double offset)
{
	double stated, least = LEAST_SHARE * offset;
	struct felt felt[EVENTS_MAX];
	size_t n;

	if (!e || e->n == 0)
		return value;
	stated = stated_at(e, step);
	n = find_felt(e, step, felt);
	/* A ratio of nothing says nothing; without any normal times yet these are. */
	if (n > 0 && !isnan(value) && !isnan(normal) && stated > 0)
		value /= exp(
			learn(e, felt, n, log((value / stated + least) / (normal + least)), sd));
	expire(e, step + 1);
	return stated > 0 ? value / stated : NAN;
}
