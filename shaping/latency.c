// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * latency.c - what waits for a CPU quota. The kernel lets a group use its quota q at once in each
 * period P of 100 ms and holds it until the next one. So the request that the work K of its period
 * ends with (what waited when the period began, what came since, its own cost s) is done
 * floor(K / q) periods after that, or s after it came. What waits at the begin of periods is a
 * random walk with a barrier at 0, its steps a Poisson number of requests less q.
 *
 * Its tail is bounded by e^(-theta y), E e^(theta (work - q)) = 1: Kingman (1970), "Inequalities in
 * the theory of queues", and Kleinrock (1976), Queueing Systems II, chapter 2. Far from saturation
 * that is too much, and a sum is closer: of the chances that what came in the last 1, 2, 3 ...
 * periods is more than they had quota for. Near and beyond it a step is too short for the walk to
 * be in balance, and is taken for a Brownian motion with drift, whose highest counts: Harrison
 * (1985), Brownian Motion and Stochastic Flow Systems, chapter 1. What the steps before left waits
 * as a fluid.
 */
#include "shaping/latency.h"

#include <math.h>

#include "agent/base/util.h"

#define PERIOD_S    0.1
#define NEGLIGIBLE  1e-7
#define MAX_PERIODS 64  /* looked back over */
#define BUSY        0.8 /* of the limit used: below, what waits is gone within a step */
#define PHASES      2   /* looked at of each part of a period */
#define TIMES       8   /* looked at of a step */

/* What the sums need of a step. */
struct walk {
	double arrivals;         /* requests a period */
	double quota;            /* requests a period may serve */
	double cost_s, limit;    /* limit: CPUs that requests have */
	double drift, deviation; /* of the waiting CPU time: a second; of the root of one */
	/* Before the step: what waits, for how long it was near saturation. */
	double backlog_s, busy_s;
	double decay; /* theta times cost: of the tail, a request; 0: it has none */
};

static double above(double z) /* chance of a normal value above @z */
{
	return 0.5 * erfc(z / M_SQRT2);
}

/* Chance of at least @n where @mean are expected: Peizer and Pratt (1968), JASA 63. */
static double poisson_tail(double n, double mean)
{
	double k = ceil(n) - 1, z = (k + 0.5) / mean, g = 0;

	if (k < 0)
		return 1;
	if (fabs(z - 1) > 1e-4)
		g = (1 - z * z + 2 * z * log(z)) / ((1 - z) * (1 - z));
	return above((k + 2.0 / 3 - mean + 0.02 / (k + 1)) * sqrt((1 + g) / mean));
}

/* Of e^z = 1 + z / @used, by Newton's method from above; used: of the limit, below 1. */
static double decay_of(double used)
{
	double z = 2 * log(1 / used);

	for (int i = 0; i < 6; i++)
		z -= (exp(z) - 1 - z / used) / (exp(z) - 1 / used);
	return fmax(z, 0);
}

/* Chance that a motion of @drift, which began at 0 @t seconds ago, was above @y since. */
static double highest(const struct walk *w, double drift, double y, double t)
{
	double sd = w->deviation * sqrt(t), way = drift * t;
	double turn = 2 * drift * y / (w->deviation * w->deviation);
	double back = above((y + way) / sd);

	return above((y - way) / sd) + (back > 0 ? exp(fmin(turn + log(back), 0)) : 0);
}

/* What waits by chance near saturation, beyond which it grows steadily within the step. */
static double highest_lately(const struct walk *w, double y, double t)
{
	double grown = fmax(w->drift, 0) * t;

	if (y <= grown)
		return 1;
	return highest(w, fmin(w->drift, 0), y - grown, t + w->busy_s);
}

/* The same far from saturation: more came in the last periods than they could serve; up to @most.
 */
static double came_at_once(const struct walk *w, double periods, double phase, double most)
{
	double sum = 0, before = 0;

	for (int k = 0; k < MAX_PERIODS; k++) {
		double more = floor((periods + k) * w->quota - 1 + 1e-9) + 1;
		double p = poisson_tail(more, (k + phase) * w->arrivals + 1e-12);

		sum += p;
		if (sum >= most || (p < before && p < 0.03 * sum))
			break;
		before = p;
	}
	return sum;
}

/*
 * Chance that a request that comes at @phase of a period, @t seconds into the step, is done more
 * than @periods after the period began.
 */
static double late_at(const struct walk *w, double periods, double phase, double t)
{
	double y = (w->quota * (periods - phase) - 1) * w->cost_s, p;

	if (y <= 0)
		return 1;
	p = highest_lately(w, y, t);
	if (w->decay > 0) {
		p = fmin(p, exp(-w->decay * y / w->cost_s));
		if (p > NEGLIGIBLE)
			p = fmin(p, came_at_once(w, periods, phase, p));
	}
	if (w->backlog_s > 0)
		p = fmax(p, above((y - w->backlog_s - w->drift * t) / (w->deviation * sqrt(t))));
	return fmin(p, 1);
}

/* Over the phases of a period: who comes late in it has one period more. */
static double late_in_period(const struct walk *w, double room_s, double t)
{
	double whole = floor(room_s / PERIOD_S), part = room_s / PERIOD_S - whole;
	double sum = 0;

	for (int i = 0; i < PHASES; i++) {
		double at = (i + 0.5) / PHASES;

		sum += (1 - part) * late_at(w, whole + 1, at * (1 - part), t);
		sum += part * late_at(w, whole + 2, 1 - part + at * part, t);
	}
	return sum / PHASES;
}

/* CPUs that requests have. */
static double limit_of(const struct latency_load *l)
{
	return fmax(l->limit_mcpu - l->other_mcpu, 0) / (double)MCPU;
}

static struct walk walk_of(const struct latency_load *l, const struct latency_queue *q)
{
	double limit = limit_of(l);
	double used = l->rate_per_s * l->cost_s / limit;

	return (struct walk){
		.arrivals = l->rate_per_s * PERIOD_S,
		.quota = limit * PERIOD_S / l->cost_s,
		.cost_s = l->cost_s,
		.limit = limit,
		.drift = l->rate_per_s * l->cost_s - limit,
		.deviation = l->cost_s * sqrt(l->rate_per_s),
		.backlog_s = q->backlog_s,
		.busy_s = fmax(q->busy_s, l->seconds),
		.decay = used < 1 ? decay_of(used) : 0,
	};
}

static double late_in_step(const struct walk *w, const struct latency_load *l, double room_s)
{
	double sum = 0;

	if (w->backlog_s == 0 && w->drift < 0) {
		/* The least that has to wait for anyone to be late. */
		if (w->decay * (w->limit * room_s / w->cost_s - 1) > -log(NEGLIGIBLE))
			return 0;
		return late_in_period(w, room_s, l->seconds / 2);
	}
	for (int i = 0; i < TIMES; i++)
		sum += late_in_period(w, room_s, l->seconds * (i + 0.5) / TIMES);
	return sum / TIMES;
}

double latency_late(const struct latency_load *l, double latency_s, struct latency_queue *q)
{
	double room_s = latency_s - l->cost_s, late;
	struct walk w;

	if (!(l->rate_per_s >= 0 && l->cost_s > 0 && l->seconds > 0 && l->limit_mcpu >= 0 &&
	      l->other_mcpu >= 0 && latency_s > 0) ||
	    !isfinite(l->rate_per_s * l->cost_s * l->seconds * latency_s + l->other_mcpu +
		      l->limit_mcpu))
		return NAN;
	if (l->rate_per_s == 0) {
		q->backlog_s = fmax(q->backlog_s - limit_of(l) * l->seconds, 0);
		q->busy_s = 0;
		return 0;
	}
	w = walk_of(l, q);
	late = room_s <= 0 || w.limit <= 0 ? 1 : late_in_step(&w, l, room_s);
	late = fmin(late, 1); /* means of ones may be above it by their last bit */
	q->backlog_s = fmax(q->backlog_s + w.drift * l->seconds, 0);
	q->busy_s = w.drift < -(1 - BUSY) * w.limit ? 0 : q->busy_s + l->seconds;
	return late;
}
