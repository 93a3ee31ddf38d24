// SPDX-License-Identifier: GPL-2.0-or-later
/* ticker.c - the guard's 100 ms and the planner's second. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <time.h>

#include "agent/log.h"
#include "agent/worker/worker.h"

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static const struct policy_slo *slo_of(const struct worker_service *s, size_t api)
{
	if (api < s->n_apis && s->policy->apis[api].slo.set)
		return &s->policy->apis[api].slo;
	return &s->policy->slo;
}

/* Histograms are read where answers came, and at the window's steps where anything ever did. */
static void measure_latency(struct agent *a, struct worker_service *s, size_t i)
{
	const struct policy_slo *slo = slo_of(s, i);
	struct window *w = &s->windows[i];
	struct tick_api *t = &s->apis[i];
	bool step = a->n_ticks % WINDOW_STEP_S == 0 && w->requests;
	struct window_counts now;
	uint64_t within;

	if (!step && !(slo->set && t->finished))
		return;
	window_read(a->counters, s->rows[i], &now);
	if (slo->set && t->finished) {
		within = window_within(now.hist.total, slo->latency_us);
		t->slo_total = t->finished;
		t->slo_good = within - MIN(within, w->slo_seen);
		t->slo_good = MIN(t->slo_good, t->finished - MIN(t->finished, t->errors));
		w->slo_seen = within;
	}
	if (step)
		window_step(w, &now);
}

/* The second's difference of one API. */
static void measure_api(struct agent *a, struct worker_service *s, size_t i)
{
	struct window *w = &s->windows[i];
	struct tick_api *t = &s->apis[i];
	struct counters_totals now;
	uint64_t finished, errors;

	*t = (struct tick_api){};
	if (s->rows[i] == FSH_ROW_NONE)
		return;
	counters_read(a->counters, s->rows[i], &now);
	finished = now.done + now.aborted;
	errors = now.responses[4] + now.aborted;
	t->requests = now.requests - w->requests;
	t->finished = finished - w->finished;
	t->errors = errors - w->errors;
	t->bytes_in = now.bytes_in - w->bytes_in;
	t->bytes_out = now.bytes_out - w->bytes_out;
	t->in_flight = (double)counters_in_flight(&now);
	w->requests = now.requests;
	w->finished = finished;
	w->errors = errors;
	w->bytes_in = now.bytes_in;
	w->bytes_out = now.bytes_out;
	measure_latency(a, s, i);
}

static void measure_packets(struct agent *a, struct worker_service *s, double seconds)
{
	struct fsh_traffic traffic;

	if (!a->counters || !s->attached) {
		s->tick.missing |= MISSING_APIS;
		s->tick.tx_bytes = 0;
		s->tx_bits_per_s = NAN;
		memset(s->apis, 0, (s->n_apis + 1) * sizeof(*s->apis));
		return;
	}
	s->tick.missing &= ~(uint32_t)MISSING_APIS;
	for (size_t i = 0; i <= s->n_apis; i++)
		measure_api(a, s, i);
	counters_read_traffic(a->counters, s->number, &traffic);
	s->tick.tx_bytes = traffic.bytes_out - MIN(traffic.bytes_out, s->wire_bytes_before);
	s->wire_bytes_before = traffic.bytes_out;
	s->tx_bits_per_s = (double)s->tick.tx_bytes * (double)BITS_BYTE / seconds;
}

static void measure(struct agent *a, struct worker_service *s, double seconds)
{
	struct collect_sample now = {};

	measure_packets(a, s, seconds);
	if (!s->present) {
		s->tick.missing |= MISSING_ALL;
		return;
	}
	collect_read(s->group, &now);
	collect_difference(&s->before, &now, &s->tick);
	s->before = now;
}

static void host_use(struct agent *a, uint64_t interval_ns)
{
	uint64_t used_us, available = 0;

	a->input.host_cpu_used_mcpu = UNLIMITED;
	if (collect_host(&used_us, &available) < 0)
		return;
	a->input.host_memory_available_bytes = available;
	if (a->host_used_us && interval_ns)
		a->input.host_cpu_used_mcpu =
			(used_us - MIN(used_us, a->host_used_us)) * MCPU * NS_PER_US / interval_ns;
	a->host_used_us = used_us;
}

/* A CPU that went or came back counts at once; a tape knows those it began with alone. */
static void watch_cpus(struct agent *a)
{
	uint64_t now = collect_capacity_mcpu(a->collect), before = a->facts.capacity_mcpu;

	if (now == before)
		return;
	log_info("there are %" PRIu64 " CPUs to use, %" PRIu64 " before", now / MCPU,
		 before / MCPU);
	record_event(a, "capacity", NULL, "%" PRIu64 " CPUs to use, %" PRIu64 " before", now / MCPU,
		     before / MCPU);
	tapes_end(a);
	a->facts.capacity_mcpu = now;
	controller_capacity(a->controller, now);
}

static void plan(struct agent *a, uint64_t now_mono_ns, uint64_t interval_ns)
{
	for (size_t i = 0; i < a->n_services; i++)
		a->tick_services[i] = a->services[i].tick;
	a->input.now_mono_ns = now_mono_ns;
	a->input.now_real_ns = (int64_t)clock_ns(CLOCK_REALTIME);
	a->input.interval_ns = interval_ns;
	a->input.observe = !a->enforce;
	a->input.frozen = a->mode.frozen_until_real_ns > a->input.now_real_ns;
	a->input.services = a->tick_services;
	tapes_begin(a, now_mono_ns, a->input.now_real_ns);
	tape_tick(&a->tape, a->set, &a->input);
	a->plan = tick_once(a->controller, &a->input);
	for (size_t i = 0; i < a->plan->n_entries; i++)
		if (a->plan->entries[i].change)
			carry_entry(a, &a->plan->entries[i]);
}

static void second(struct agent *a, uint64_t now)
{
	uint64_t interval = a->last_tick_mono_ns ? now - a->last_tick_mono_ns : WORKER_TICK_NS;

	a->last_tick_mono_ns = now;
	a->n_ticks++;
	services_watch(a);
	for (size_t i = 0; i < a->n_services; i++)
		measure(a, &a->services[i], (double)interval / 1e9);
	host_use(a, interval);
	watch_cpus(a);
	calendars_watch(a);
	plan(a, now, interval);
	record_second(a);
	jobs_offer(a->jobs);
	tapes_flush(a);
	actions_expire(a);
}

/* What waits right now. */
static void measure_in_flight(struct agent *a, struct worker_service *s)
{
	struct counters_totals now;

	if (!tick_guard_reads_apis(s->policy) || s->tick.missing & MISSING_APIS)
		return;
	for (size_t i = 0; i <= s->n_apis; i++) {
		if (s->rows[i] == FSH_ROW_NONE)
			continue;
		counters_read(a->counters, s->rows[i], &now);
		s->apis[i].in_flight = (double)counters_in_flight(&now);
	}
}

/* Only a service with a CPU limit can be throttled. */
static void guard(struct agent *a, uint32_t i, uint64_t now, uint64_t interval)
{
	struct worker_service *s = &a->services[i];
	struct collect_sample sample = s->guard_before;
	uint64_t before = sample.at_mono_ns;
	struct plan_entry entry;

	if (!s->present || !(s->tick.known & 1u << KNOB_CPU_MAX) ||
	    s->tick.knob[KNOB_CPU_MAX] == UNLIMITED)
		return;
	collect_read_cpu(s->group, &sample);
	s->guard = s->tick;
	collect_difference(&s->guard_before, &sample, &s->guard);
	s->guard_before = sample;
	if (before == 0 || sample.at_mono_ns - before > 2 * interval) /* it had no limit before */
		return;
	if (a->input.frozen)
		return;
	measure_in_flight(a, s);
	tape_guard(&a->tape, a->set, i, &s->guard, now, interval);
	if (tick_guard(a->controller, i, &s->guard, now, interval, &entry))
		carry_entry(a, &entry);
}

static int tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct agent *a = arg;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint64_t interval = now - a->last_guard_mono_ns;
	uint64_t next = usec + WORKER_GUARD_NS / NS_PER_US;

	/* The plan first: an order of it would be dropped while a loan is on its way back. */
	if (now - a->last_tick_mono_ns + WORKER_GUARD_NS / 2 >= WORKER_TICK_NS)
		second(a, now);
	for (uint32_t i = 0; i < a->n_services; i++)
		guard(a, i, now, interval);
	a->last_guard_mono_ns = now;
	if (next * NS_PER_US < now) /* late by more than a period: do not catch up */
		next = now / NS_PER_US + WORKER_GUARD_NS / NS_PER_US;
	(void)sd_event_source_set_time(source, next);
	return sd_event_source_set_enabled(source, SD_EVENT_ON);
}

int ticker_init(struct agent *a, struct err *e)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int r;

	a->last_guard_mono_ns = now;
	r = sd_event_add_time(a->loop, NULL, CLOCK_MONOTONIC, (now + WORKER_GUARD_NS) / NS_PER_US,
			      1000, tick, a);
	return r < 0 ? err_set(e, r, "start the clock") : 0;
}
