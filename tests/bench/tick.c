// SPDX-License-Identifier: GPL-2.0-or-later
/* tick.c - what one control step costs with 100 services of 10 APIs: time, allocations, writes. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/util.h"
#include "shaping/tick.h"

#define SERVICES  100
#define APIS      10
#define WARM_UP   900 /* ticks before it counts: the longest memory of a step is full */
#define TICKS     600
#define HOST_MCPU 256000

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static size_t allocations;

void *__wrap_malloc(size_t n)
{
	allocations++;
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	allocations++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	allocations++;
	return __real_realloc(p, n);
}

static struct policy_service services[SERVICES];
static struct policy_api routes[SERVICES][APIS];
static struct tick_service seen[SERVICES];
static struct tick_api apis[SERVICES][APIS + 1];
static struct policy_set set = {.services = services, .n_services = SERVICES};

/* Uniform in [0, 1). Steele, Lea, Flood (2014), SplitMix64. */
static double draw(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* A third of each tier; each seventh in cap mode, each eleventh by price. */
static void add_service(size_t i)
{
	struct policy_service *s = &services[i];

	*s = (struct policy_service){.tier = (enum tier)(i % TIER_COUNT), .weight = 1};
	(void)snprintf(s->name, sizeof(s->name), "service-%zu", i);
	s->apis = routes[i];
	s->n_apis = APIS;
	s->cpu.ceiling_mcpu = s->memory.ceiling_bytes = UNLIMITED;
	s->cpu.mode = i % 7 == 0 ? CPU_CAP : CPU_RESERVE;
	s->bandwidth.ceiling_bits_per_s = UNLIMITED;
	s->forecast.lead_ns = 30 * NS_PER_S;
	s->forecast.quantile = NAN;
	s->forecast.short_cost = i % 11 == 0 ? 100 : NAN;
	s->slo = (struct policy_slo){
		.set = true, .objective = 0.99, .latency_us = 100000, .window_s = 3600};
	for (size_t k = 0; k < APIS; k++)
		(void)snprintf(routes[i][k].route, sizeof(routes[i][k].route), "/api/%zu", k);
	seen[i] = (struct tick_service){.apis = apis[i], .known = (1U << KNOB_COUNT) - 1};
	seen[i].baseline_known = seen[i].known;
	for (int k = 0; k < KNOB_COUNT; k++)
		seen[i].baseline[k] = seen[i].knob[k] =
			knob_rows[k].may_be_unlimited ? UNLIMITED : knob_rows[k].lowest;
}

static void make_host(void)
{
	set.host = (struct policy_host){
		.reserve_mcpu = UNLIMITED,
		.reserve_bytes = UNLIMITED,
		.writes_per_minute = 600,
		.deadband = 0.05,
		.dwell_ns = 10 * NS_PER_S,
		.max_step = 0.25,
		.target_utilisation = 0.7,
		.throttle_target = 0.02,
	};
	for (int t = 0; t < TIER_COUNT; t++) {
		set.host.tiers[t].quantile = (const double[]){.99, .95, .80}[t];
		set.host.tiers[t].cpu_weight = (const uint64_t[]){400, 200, 50}[t];
		set.host.tiers[t].ceiling_mcpu = UNLIMITED;
	}
	for (size_t i = 0; i < SERVICES; i++)
		add_service(i);
}

/* A second of load: every API has a level, a season of its own and noise. */
static void load(unsigned int t, uint64_t *seed)
{
	for (size_t i = 0; i < SERVICES; i++) {
		double mcpu = 50;

		for (size_t k = 0; k < APIS; k++) {
			double season = 1.5 + sin(2 * 3.14159265358979 * t / (20 + (i + k) % 200));
			uint64_t n =
				(uint64_t)((double)(5 + k) * season * (0.8 + 0.4 * draw(seed)));

			apis[i][k] = (struct tick_api){n, n, 0, 100 * n, 1000 * n, 1, n, n};
			mcpu += (double)n * (double)(1 + k % 3);
		}
		mcpu = fmin(mcpu, (double)seen[i].knob[KNOB_CPU_MAX]);
		seen[i].cpu_usage_us = (uint64_t)(1000 * mcpu);
		seen[i].nr_periods = 10;
		seen[i].memory_bytes = (200 + i) * MIB;
		seen[i].anon_bytes = 100 * MIB;
		seen[i].tx_bytes = (uint64_t)(1000 * mcpu);
	}
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static size_t obey(struct controller *c, const struct plan *plan)
{
	size_t n = 0;

	for (size_t k = 0; k < plan->n_entries; k++) {
		const struct plan_entry *e = &plan->entries[k];

		if (!e->change)
			continue;
		n++;
		seen[e->service].knob[e->knob] = e->value;
		tick_written(c, e, e->value, 0);
	}
	return n;
}

static void search(struct controller *c)
{
	struct tick_job *job;

	while ((job = controller_job_take(c))) {
		controller_job_run(job);
		controller_job_give(c, job);
	}
}

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(void)
{
	static uint64_t took[TICKS];
	struct host_facts facts = {HOST_MCPU, UINT64_C(512) << 30, 0};
	struct controller *c = NULL;
	size_t writes = 0, allocated = 0;
	uint64_t seed = 1;

	make_host();
	if (controller_new(&set, &facts, NS_PER_S, &c) < 0)
		return 1;
	for (unsigned int t = 0; t < WARM_UP + TICKS; t++) {
		struct tick_input in = {
			.now_mono_ns = (t + 1) * NS_PER_S,
			.now_real_ns = (int64_t)((t + UINT64_C(1700000000)) * NS_PER_S),
			.interval_ns = NS_PER_S,
			.host_cpu_used_mcpu = UNLIMITED,
			.host_memory_available_bytes = UNLIMITED,
			.services = seen,
		};
		const struct plan *plan;
		uint64_t began;

		load(t, &seed);
		allocations = 0;
		began = cpu_ns();
		plan = tick_once(c, &in);
		began = cpu_ns() - began;
		if (t >= WARM_UP) {
			took[t - WARM_UP] = began;
			allocated += allocations;
			writes += obey(c, plan);
		} else {
			(void)obey(c, plan);
		}
		search(c);
	}
	qsort(took, TICKS, sizeof(*took), ascending);
	(void)printf("%.3f %.3f %.3f %zu %.2f\n", (double)took[TICKS / 2] / 1e6,
		     (double)took[TICKS * 99 / 100] / 1e6, (double)took[TICKS - 1] / 1e6, allocated,
		     (double)writes / TICKS);
	controller_free(c);
	return 0;
}
