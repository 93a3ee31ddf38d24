/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tape_host.h - a host of random load whose planner is recorded: ticks, guards, writes that fail,
 * fits that come back late. */
#ifndef FORESHAPE_TAPE_HOST_H
#define FORESHAPE_TAPE_HOST_H

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/base/util.h"
#include "agent/tape.h"
#include "tests/check.h"
#include "tests/shaping/world.h"

#define MAX_DECIDED 20000

struct host {
	struct world w;
	struct tape tape;
	struct tape_bytes first;
	struct tick_job *jobs[TAPE_LANES];
	uint64_t seed;
	struct plan_entry decided[MAX_DECIDED];
	size_t n;
	/* Keeps a decision, the @id-th; NULL: nobody does. */
	void (*keep)(const struct plan_entry *e, int64_t id);
};

static struct host h;

static inline void a_host(uint64_t seed)
{
	struct policy_service *s;

	world_init(&h.w, 4000);
	s = world_add(&h.w, "batch", TIER_BRONZE);
	s->memory.ceiling_bytes = UINT64_C(1) << 30;
	s = world_add(&h.w, "capped", TIER_GOLD);
	s->cpu = (struct policy_cpu){.floor_mcpu = 150, .ceiling_mcpu = 2500, .mode = CPU_CAP};
	s->forecast.short_cost = 100;
	s = world_add(&h.w, "shop", TIER_SILVER);
	s->n_apis = 2;
	s->slo = (struct policy_slo){.set = true, .objective = 0.99, .window_s = 300};
	h.w.set.host.dwell_ns = 5 * NS_PER_S;
	h.w.controller = world_controller(&h.w);
	h.seed = seed;
	h.n = 0;
}

static inline void done(void)
{
	for (size_t i = 0; i < TAPE_LANES; i++)
		if (h.jobs[i])
			controller_job_give(NULL, h.jobs[i]);
	h.jobs[0] = h.jobs[1] = NULL;
	tape_free(&h.tape);
	tape_bytes_free(&h.first);
	world_free(&h.w);
}

static inline void decide(const struct plan_entry *e)
{
	assert_true(h.n < MAX_DECIDED);
	h.decided[h.n++] = *e;
	tape_decided(&h.tape, e, (int64_t)h.n);
	if (h.keep)
		h.keep(e, (int64_t)h.n);
	/* Now and then no word comes. */
	if (!h.w.observe && world_random(&h.seed) % 10) {
		int err = world_random(&h.seed) % 20 ? 0 : -EBUSY;
		uint64_t after = err ? e->before : e->value;

		h.w.seen[e->service].knob[e->knob] = after;
		tape_written(&h.tape, e, after, err);
		tick_written(h.w.controller, e, after, err);
	}
}

static inline void offer_jobs(void)
{
	for (unsigned int lane = 0; lane < TAPE_LANES; lane++) {
		if (h.jobs[lane] && world_random(&h.seed) % 3 == 0) {
			tape_job_given(&h.tape, lane);
			controller_job_give(h.w.controller, h.jobs[lane]);
			h.jobs[lane] = NULL;
		}
		if (h.jobs[lane])
			continue;
		h.jobs[lane] = lane ? controller_tune_take(h.w.controller)
				    : controller_job_take(h.w.controller);
		tape_job_asked(&h.tape, lane, h.jobs[lane] != NULL);
		if (h.jobs[lane])
			controller_job_run(h.jobs[lane]);
	}
}

static inline void guards(void)
{
	for (uint32_t i = 0; i < h.w.set.n_services; i++) {
		struct tick_service ts = h.w.seen[i];
		struct plan_entry entry;

		ts.cpu_usage_us /= 10;
		ts.nr_periods = 1;
		ts.nr_throttled = world_random(&h.seed) % 8 == 0;
		ts.throttled_us = ts.nr_throttled * (world_random(&h.seed) % 60000);
		tape_guard(&h.tape, &h.w.set, i, &ts, h.w.now_ns + 50 * NS_PER_MS, 100 * NS_PER_MS);
		if (tick_guard(h.w.controller, i, &ts, h.w.now_ns + 50 * NS_PER_MS, 100 * NS_PER_MS,
			       &entry))
			decide(&entry);
	}
}

static inline void any_input(void)
{
	struct world *w = &h.w;

	w->interval_ns = NS_PER_S + world_random(&h.seed) % 1000000;
	if (world_random(&h.seed) % 200 == 0)
		w->interval_ns = 30 * NS_PER_S;
	w->frozen = world_random(&h.seed) % 100 == 0;
	if (world_random(&h.seed) % 300 == 0)
		w->observe = !w->observe;
	for (size_t i = 0; i < w->set.n_services; i++) {
		struct tick_service *s = &w->seen[i];

		if (world_random(&h.seed) % 10 == 0)
			w->wants_mcpu[i] = exp(8 * world_unit(&h.seed)) - 1;
		s->missing = world_random(&h.seed) % 40 ? i == 2 ? 0 : MISSING_APIS
							: (uint32_t)(world_random(&h.seed) % 32);
		s->yielded = world_random(&h.seed) % 300 ? s->yielded
							 : (uint32_t)(world_random(&h.seed) & 0xff);
		s->memory_bytes = (world_random(&h.seed) % 3000) * MIB;
		s->anon_bytes = s->memory_bytes / 2;
		s->psi_cpu_some_us = world_random(&h.seed) % 1000000;
		s->tx_bytes = world_random(&h.seed) % 1000000;
		for (size_t k = 0; k <= w->services[i].n_apis; k++)
			w->apis[i][k] =
				world_random(&h.seed) % 3 == 0
					? (struct tick_api){}
					: (struct tick_api){
						  .requests = world_random(&h.seed) % 500,
						  .finished = world_random(&h.seed) % 500,
						  .bytes_out = world_random(&h.seed) % 99999,
						  .in_flight = 7 * world_unit(&h.seed),
						  .slo_total = 100,
						  .slo_good = world_random(&h.seed) % 101,
					  };
	}
}

static inline void step(void)
{
	struct tick_input in;
	const struct plan *plan;

	any_input();
	world_run(&h.w);
	in = world_input(&h.w);
	tape_tick(&h.tape, &h.w.set, &in);
	plan = tick_once(h.w.controller, &in);
	for (size_t i = 0; i < plan->n_entries; i++)
		if (plan->entries[i].change)
			decide(&plan->entries[i]);
	offer_jobs();
	guards();
}

static inline void start_tape(void)
{
	assert_int_equal(
		tape_begin(&h.tape, h.w.controller, &h.w.set, &h.w.facts, NS_PER_S, &h.first), 0);
}

/* Fits that are out when a tape begins are none of it. */
static inline void finish_jobs(void)
{
	for (size_t i = 0; i < TAPE_LANES; i++) {
		if (h.jobs[i])
			controller_job_give(h.w.controller, h.jobs[i]);
		h.jobs[i] = NULL;
	}
}

#endif
