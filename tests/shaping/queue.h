/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * queue.h - a service on two CPUs under a quota of 100 ms periods, with requests that come by
 * chance and wait in one line, seen and limited by a controller as the agent's loop would: the
 * guard every 100 ms, the tick every second.
 */
#ifndef FORESHAPE_QUEUE_H
#define FORESHAPE_QUEUE_H

#include "tests/shaping/world.h"

#define QUEUE_STEP_US   500
#define QUEUE_PERIOD_US 100000
#define QUEUE_CPUS      2
#define QUEUE_MOST      4096 /* waiting; more are not taken */

struct queue {
	struct world w;
	double cost_us, latency_us;
	double at_us[QUEUE_MOST], left_us[QUEUE_MOST]; /* rings */
	size_t head, tail;
	uint64_t seed, us;
	double next_us, runtime_us;
	bool throttled;
	/* Since the last look of the guard, and of the tick. */
	struct queue_seen {
		double used_us, throttled_us;
		uint64_t periods, throttled;
	} guard, tick;
	uint64_t arrived, finished, good;
	/* Since queue_score_begin. */
	double limit_sum, limit_n, used_sum_us;
	uint64_t answers, late, writes;
};

static inline void queue_init(struct queue *q, double cost_us, double latency_us)
{
	struct policy_service *s;

	memset(q, 0, sizeof(*q));
	world_init(&q->w, QUEUE_CPUS * MCPU);
	q->w.set.host.dwell_ns = 10 * NS_PER_S;
	s = world_add(&q->w, "shop", TIER_GOLD);
	s->cpu.mode = CPU_CAP;
	s->forecast.lead_ns = 30 * NS_PER_S;
	s->slo = (struct policy_slo){.set = true,
				     .objective = 0.99,
				     .latency_us = (uint64_t)latency_us,
				     .window_s = 300};
	q->w.seen[0].missing = 0;
	q->w.controller = world_controller(&q->w);
	q->cost_us = cost_us;
	q->latency_us = latency_us;
	q->seed = 7;
	q->runtime_us = INFINITY;
}

static inline double queue_quota_us(const struct queue *q)
{
	uint64_t limit = q->w.seen[0].knob[KNOB_CPU_MAX];

	return limit == UNLIMITED ? INFINITY : (double)limit * QUEUE_PERIOD_US / MCPU;
}

static inline void queue_add(struct queue *q)
{
	size_t i = q->tail % QUEUE_MOST;

	if (q->tail - q->head >= QUEUE_MOST)
		return;
	q->at_us[i] = (double)q->us;
	q->left_us[i] = q->cost_us * (0.8 + 0.4 * world_unit(&q->seed));
	q->tail++;
	q->arrived++;
}

static inline void queue_arrive(struct queue *q, double rate_per_s)
{
	while (q->next_us <= (double)q->us) {
		q->next_us -= log(1 - world_unit(&q->seed)) / rate_per_s * 1e6;
		queue_add(q);
	}
}

static inline void queue_finish(struct queue *q, size_t i)
{
	bool good = (double)q->us + QUEUE_STEP_US - q->at_us[i] <= q->latency_us;

	q->at_us[i] = NAN;
	q->finished++;
	q->good += good;
	q->answers++;
	q->late += !good;
}

/* The first in line run, one a CPU, while there is quota. */
static inline void queue_run(struct queue *q)
{
	int running = 0;

	for (size_t k = q->head; k < q->tail && running < QUEUE_CPUS; k++) {
		size_t i = k % QUEUE_MOST;
		double use = fmin(QUEUE_STEP_US, q->left_us[i]);

		if (q->left_us[i] <= 0)
			continue;
		if (q->runtime_us <= 0 || q->throttled) {
			q->guard.throttled += !q->throttled;
			q->tick.throttled += !q->throttled;
			q->throttled = true;
			break;
		}
		running++;
		q->left_us[i] -= use;
		q->runtime_us -= use;
		q->guard.used_us += use;
		q->tick.used_us += use;
		q->used_sum_us += use;
		if (q->left_us[i] <= 0)
			queue_finish(q, i);
	}
	while (q->head < q->tail && q->left_us[q->head % QUEUE_MOST] <= 0)
		q->head++;
	if (q->throttled) {
		q->guard.throttled_us += QUEUE_STEP_US;
		q->tick.throttled_us += QUEUE_STEP_US;
	}
}

static inline void queue_period(struct queue *q)
{
	q->guard.periods++;
	q->tick.periods++;
	q->throttled = false;
	q->runtime_us = fmin(q->runtime_us, 0) + queue_quota_us(q);
}

/* The kernel gives a whole new quota with each write. */
static inline void queue_limit(struct queue *q, uint64_t before)
{
	if (q->w.seen[0].knob[KNOB_CPU_MAX] == before)
		return;
	q->writes++;
	q->throttled = false;
	q->runtime_us = queue_quota_us(q);
}

static inline void queue_see(struct queue *q, const struct queue_seen *seen,
			     struct tick_service *ts)
{
	ts->cpu_usage_us = (uint64_t)seen->used_us;
	ts->nr_periods = seen->periods;
	ts->nr_throttled = seen->throttled;
	ts->throttled_us = (uint64_t)seen->throttled_us;
	q->w.apis[0][0].in_flight = (double)(q->tail - q->head);
}

static inline uint64_t queue_now_ns(const struct queue *q)
{
	return NS_PER_S + q->us * NS_PER_US;
}

static inline void queue_guard(struct queue *q)
{
	struct tick_service ts = q->w.seen[0];
	uint64_t before = ts.knob[KNOB_CPU_MAX];
	struct plan_entry e;

	queue_see(q, &q->guard, &ts);
	q->guard = (struct queue_seen){};
	if (before == UNLIMITED ||
	    !tick_guard(q->w.controller, 0, &ts, queue_now_ns(q), QUEUE_PERIOD_US * NS_PER_US, &e))
		return;
	q->w.seen[0].knob[KNOB_CPU_MAX] = e.value;
	tick_written(q->w.controller, &e, e.value, 0);
	queue_limit(q, before);
}

static inline void queue_tick(struct queue *q)
{
	uint64_t before = q->w.seen[0].knob[KNOB_CPU_MAX];
	struct tick_input in;

	q->w.apis[0][0] = (struct tick_api){.requests = q->arrived,
					    .finished = q->finished,
					    .slo_total = q->finished,
					    .slo_good = q->good};
	queue_see(q, &q->tick, &q->w.seen[0]);
	q->w.used_mcpu[0] = q->tick.used_us / 1000;
	q->tick = (struct queue_seen){};
	q->arrived = q->finished = q->good = 0;
	q->w.now_ns = queue_now_ns(q);
	in = world_input(&q->w);
	q->w.plan = tick_once(q->w.controller, &in);
	world_obey(&q->w, q->w.controller, q->w.plan);
	world_search(q->w.controller);
	queue_limit(q, before);
}

static inline void queue_step(struct queue *q)
{
	queue_run(q);
	q->limit_sum += fmin((double)q->w.seen[0].knob[KNOB_CPU_MAX], QUEUE_CPUS * MCPU);
	q->limit_n++;
	q->us += QUEUE_STEP_US;
	if (q->us % QUEUE_PERIOD_US)
		return;
	queue_period(q);
	queue_guard(q);
}

/* One second at @rate_per_s. */
static inline void queue_second(struct queue *q, double rate_per_s)
{
	for (int k = 0; k < 1000000 / QUEUE_STEP_US; k++) {
		queue_arrive(q, rate_per_s);
		queue_step(q);
	}
	queue_tick(q);
}

/* One second of @n clients that ask anew as soon as they are answered. */
static inline void queue_second_closed(struct queue *q, size_t n)
{
	for (int k = 0; k < 1000000 / QUEUE_STEP_US; k++) {
		while (q->tail - q->head < n)
			queue_add(q);
		queue_step(q);
	}
	queue_tick(q);
}

static inline void queue_score_begin(struct queue *q)
{
	q->limit_sum = q->limit_n = q->used_sum_us = 0;
	q->answers = q->late = q->writes = 0;
}

/* The mean limit over the mean use. */
static inline double queue_ratio(const struct queue *q)
{
	double limit_mcpu = q->limit_sum / q->limit_n;
	double seconds = q->limit_n * QUEUE_STEP_US / 1e6;

	return limit_mcpu / (q->used_sum_us / 1000 / seconds);
}

static inline double queue_late(const struct queue *q)
{
	return (double)q->late / (double)MAX(q->answers, 1);
}

#endif
