/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.h - a small host for tests of the planner: CPUs, weights, quotas, and services that want.
 */
#ifndef FORESHAPE_WORLD_H
#define FORESHAPE_WORLD_H

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shaping/share.h"
#include "shaping/tick.h"

#define WORLD_MAX  8
#define WORLD_APIS 4
#define WORLD_CPU  (1u << KNOB_CPU_MAX | 1u << KNOB_CPU_MAX_BURST | 1u << KNOB_CPU_WEIGHT)
#define WORLD_ALL  ((1u << KNOB_COUNT) - 1)

struct world {
	struct policy_set set;
	struct policy_service services[WORLD_MAX];
	struct policy_api routes[WORLD_MAX][WORLD_APIS];
	struct host_facts facts;
	struct controller *controller;
	struct tick_service seen[WORLD_MAX];
	struct tick_api apis[WORLD_MAX][WORLD_APIS + 1];
	double wants_mcpu[WORLD_MAX]; /* set before a step */
	double used_mcpu[WORLD_MAX];  /* left by it */
	uint64_t available_bytes;     /* of memory, on the host */
	double outside_mcpu; /* used by all else on the host, which the CPUs here do not see */
	bool frozen, observe;
	int64_t real_off_ns; /* what the real clock is off by */
	uint64_t period_ns, interval_ns, now_ns;
	size_t writes; /* of the last step */
	const struct plan *plan;
};

static inline struct policy_service *world_add(struct world *w, const char *name, enum tier tier)
{
	size_t i = w->set.n_services++;
	struct policy_service *s = &w->services[i];

	*s = (struct policy_service){.tier = tier, .tier_min = TIER_BRONZE, .weight = 1};
	(void)copy_str(s->name, sizeof(s->name), name);
	s->apis = w->routes[i];
	s->cpu.ceiling_mcpu = s->memory.ceiling_bytes = UNLIMITED;
	s->bandwidth.ceiling_bits_per_s = UNLIMITED;
	s->forecast.lead_ns = 3 * NS_PER_S;
	s->forecast.quantile = NAN;
	w->seen[i].known = w->seen[i].baseline_known =
		WORLD_CPU | 1u << KNOB_MEMORY_LOW | 1u << KNOB_MEMORY_HIGH | 1u << KNOB_MEMORY_MAX;
	for (int k = 0; k < KNOB_COUNT; k++)
		w->seen[i].knob[k] = knob_rows[k].may_be_unlimited ? UNLIMITED : 0;
	w->seen[i].knob[KNOB_CPU_WEIGHT] = 100;
	memcpy(w->seen[i].baseline, w->seen[i].knob, sizeof(w->seen[i].knob));
	w->seen[i].missing = MISSING_APIS;
	w->seen[i].apis = w->apis[i];
	w->seen[i].memory_bytes = 64 * MIB;
	w->seen[i].anon_bytes = 32 * MIB;
	return s;
}

static inline void world_init(struct world *w, uint64_t capacity_mcpu)
{
	memset(w, 0, sizeof(*w));
	w->set.services = w->services;
	w->set.host = (struct policy_host){
		.reserve_mcpu = UNLIMITED,
		.reserve_bytes = UNLIMITED,
		.tiers = {{.99, 400, 400, UNLIMITED},
			  {.95, 200, 200, UNLIMITED},
			  {.80, 50, 50, UNLIMITED}},
		.writes_per_minute = 600,
		.deadband = 0.05,
		.dwell_ns = 2 * NS_PER_S,
		.max_step = 0.25,
		.target_utilisation = 0.7,
		.throttle_target = 0.02,
	};
	w->facts = (struct host_facts){capacity_mcpu, UINT64_C(8) << 30, 0};
	w->available_bytes = UINT64_C(4) << 30;
	w->period_ns = w->interval_ns = NS_PER_S;
	w->now_ns = NS_PER_S;
}

static inline struct controller *world_controller(struct world *w)
{
	struct controller *c = NULL;
	int r = controller_new(&w->set, &w->facts, w->period_ns, &c);

	assert(r == 0);
	(void)r;
	return c;
}

static inline void world_free(struct world *w)
{
	controller_free(w->controller);
	w->controller = NULL;
}

static inline void world_search(struct controller *c)
{
	struct tick_job *job;

	while ((job = controller_job_take(c))) {
		controller_job_run(job);
		controller_job_give(c, job);
	}
}

/* CFS in one line: quota first, then the CPUs max-min fair by weight. */
static inline void world_run(struct world *w)
{
	static const double unbounded[TIER_COUNT] = {INFINITY, INFINITY, INFINITY};
	struct share_claim claims[WORLD_MAX];

	for (size_t i = 0; i < w->set.n_services; i++)
		claims[i] = (struct share_claim){
			.tier = TIER_GOLD,
			.want = fmin(w->wants_mcpu[i], (double)w->seen[i].knob[KNOB_CPU_MAX]),
			.weight = (double)w->seen[i].knob[KNOB_CPU_WEIGHT],
		};
	share_fill(claims, w->set.n_services, (double)w->facts.capacity_mcpu, unbounded);
	for (size_t i = 0; i < w->set.n_services; i++) {
		struct tick_service *s = &w->seen[i];
		double seconds = (double)w->interval_ns / (double)NS_PER_S;
		double limit = (double)s->knob[KNOB_CPU_MAX];
		bool held = w->wants_mcpu[i] > limit && claims[i].got >= limit * 0.999;

		w->used_mcpu[i] = claims[i].got;
		s->cpu_usage_us = (uint64_t)(claims[i].got * 1000 * seconds);
		s->nr_periods = MAX(w->interval_ns / (100 * NS_PER_MS), 1);
		s->nr_throttled = held ? s->nr_periods : 0;
		s->throttled_us =
			held ? (uint64_t)((1 - limit / w->wants_mcpu[i]) * seconds * 1e6) : 0;
	}
}

static inline struct tick_input world_input(struct world *w)
{
	double used = w->outside_mcpu;

	for (size_t i = 0; i < w->set.n_services; i++)
		used += w->used_mcpu[i];
	w->now_ns += w->interval_ns;
	return (struct tick_input){
		.now_mono_ns = w->now_ns,
		.now_real_ns = (int64_t)(w->now_ns + (uint64_t)w->real_off_ns +
					 UINT64_C(1700000000) * NS_PER_S),
		.interval_ns = w->interval_ns,
		.host_cpu_used_mcpu = (uint64_t)used,
		.host_memory_available_bytes = w->available_bytes,
		.frozen = w->frozen,
		.observe = w->observe,
		.services = w->seen,
	};
}

/* Does what the plan says, as a kernel that takes every value. */
static inline void world_obey(struct world *w, struct controller *c, const struct plan *plan)
{
	w->writes = 0;
	for (size_t k = 0; k < plan->n_entries; k++) {
		const struct plan_entry *e = &plan->entries[k];

		if (!e->change)
			continue;
		w->writes++;
		if (w->observe)
			continue;
		w->seen[e->service].knob[e->knob] = e->value;
		tick_written(c, e, e->value, 0);
	}
}

static inline void world_step(struct world *w)
{
	struct tick_input in;

	if (!w->controller)
		w->controller = world_controller(w);
	world_run(w);
	in = world_input(w);
	w->plan = tick_once(w->controller, &in);
	world_obey(w, w->controller, w->plan);
	world_search(w->controller);
}

static inline const struct plan_entry *world_entry(const struct world *w, size_t i, enum knob knob)
{
	return &w->plan->entries[i * KNOB_COUNT + knob];
}

static inline uint64_t world_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* In [0, 1). */
static inline double world_unit(uint64_t *s)
{
	return (double)(world_random(s) >> 11) / 9007199254740992.0;
}

#endif
