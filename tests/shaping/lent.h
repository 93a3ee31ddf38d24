/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lent.h - for tests of loans: a service of queue.h that has learned, looked at by hand. */
#ifndef FORESHAPE_LENT_H
#define FORESHAPE_LENT_H

#include "shaping/reason.h"
#include "tests/shaping/queue.h"

#define COST_US    3000.0
#define LATENCY_US 100000.0

static struct queue q;

static inline int setup(void **state)
{
	(void)state;
	queue_init(&q, COST_US, LATENCY_US);
	for (int t = 0; t < 120; t++)
		queue_second(&q, 100);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	world_free(&q.w);
	return 0;
}

/* A look of the guard @ms after the last tick: @in_flight requests, throttled for @part of it. */
static inline bool look(unsigned int ms, double in_flight, double part, struct plan_entry *e)
{
	struct tick_service ts = q.w.seen[0];

	ts.nr_periods = 1;
	ts.nr_throttled = part > 0;
	ts.throttled_us = (uint64_t)(part * 100000);
	ts.cpu_usage_us = 30000;
	q.w.apis[0][0].in_flight = in_flight;
	return tick_guard(q.w.controller, 0, &ts, queue_now_ns(&q) + ms * NS_PER_MS,
			  100 * NS_PER_MS, e);
}

/* The guard is there, and decides nothing: the knob is somebody else's. */
static inline void seen(void)
{
	struct plan_entry e;

	q.w.seen[0].yielded = 1u << KNOB_CPU_MAX;
	assert_false(look(100, 0, 0, &e));
	q.w.seen[0].yielded = 0;
}

static inline void obey(const struct plan_entry *e)
{
	q.w.seen[0].knob[KNOB_CPU_MAX] = e->value;
	tick_written(q.w.controller, e, e->value, 0);
}

/* Without a look at @in_flight the next tick, as if all that waited had been done by then. */
static inline void next_tick(void)
{
	q.us += 1000000;
	q.head = q.tail;
	queue_tick(&q);
}

static inline uint64_t limit(void)
{
	return q.w.seen[0].knob[KNOB_CPU_MAX];
}

/* A second of @n requests of which none waits. */
static inline void tick_of(uint64_t n)
{
	q.arrived = q.finished = q.good = n;
	q.tick = (struct queue_seen){.used_us = (double)n * COST_US, .periods = 10};
	next_tick();
}

static inline void calm_tick(void)
{
	tick_of(100);
}

/* Nothing is lent any more, and the plan is at rest; the limit then. */
static inline uint64_t give_back(void)
{
	struct plan_entry e;

	for (int t = 0; t < 3; t++) {
		for (unsigned int ms = 100; ms < 1000; ms += 100)
			if (look(ms, 0, 0, &e))
				obey(&e);
		calm_tick();
	}
	return limit();
}

#endif
