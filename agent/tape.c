// SPDX-License-Identifier: GPL-2.0-or-later
/* tape.c - what a planner is told, onto the tape. */
#include "agent/tape.h"

#include <stdlib.h>
#include <string.h>

/* A field more is one more to record. */
_Static_assert(sizeof(struct tick_service) ==
		       8 + 17 * sizeof(uint64_t) + 2 * KNOB_COUNT * sizeof(uint64_t) + 16 + 8,
	       "tape_flatten knows all of it");
_Static_assert(sizeof(struct tick_api) == 8 * sizeof(uint64_t), "put_apis knows all of it");
_Static_assert(21 + 2 * KNOB_COUNT == TAPE_FIELDS, "as many as there are");

void tape_flatten(const struct tick_service *ts, uint64_t f[TAPE_FIELDS])
{
	const uint64_t all[] = {
		ts->missing,
		ts->cpu_usage_us,
		ts->nr_periods,
		ts->nr_throttled,
		ts->throttled_us,
		ts->memory_bytes,
		ts->anon_bytes,
		ts->file_bytes,
		ts->shmem_bytes,
		ts->inactive_file_bytes,
		ts->refaulted_bytes,
		ts->psi_cpu_some_us,
		ts->psi_memory_some_us,
		ts->psi_memory_full_us,
		ts->psi_io_some_us,
		ts->tx_bytes,
		ts->io_read_bytes,
		ts->io_write_bytes,
		ts->known,
		ts->yielded,
		ts->baseline_known,
	};

	memcpy(f, all, sizeof(all));
	memcpy(f + ARRAY_SIZE(all), ts->knob, sizeof(ts->knob));
	memcpy(f + ARRAY_SIZE(all) + KNOB_COUNT, ts->baseline, sizeof(ts->baseline));
}

void tape_unflatten(const uint64_t f[TAPE_FIELDS], struct tick_service *ts)
{
	const struct tick_api *apis = ts->apis;

	*ts = (struct tick_service){
		.missing = (uint32_t)f[0],
		.cpu_usage_us = f[1],
		.nr_periods = f[2],
		.nr_throttled = f[3],
		.throttled_us = f[4],
		.memory_bytes = f[5],
		.anon_bytes = f[6],
		.file_bytes = f[7],
		.shmem_bytes = f[8],
		.inactive_file_bytes = f[9],
		.refaulted_bytes = f[10],
		.psi_cpu_some_us = f[11],
		.psi_memory_some_us = f[12],
		.psi_memory_full_us = f[13],
		.psi_io_some_us = f[14],
		.tx_bytes = f[15],
		.io_read_bytes = f[16],
		.io_write_bytes = f[17],
		.known = (uint32_t)f[18],
		.yielded = (uint32_t)f[19],
		.baseline_known = (uint32_t)f[20],
		.apis = apis,
	};
	memcpy(ts->knob, f + 21, sizeof(ts->knob));
	memcpy(ts->baseline, f + 21 + KNOB_COUNT, sizeof(ts->baseline));
}

void tape_end(struct tape *t)
{
	free(t->last);
	t->last = NULL;
	t->told.used = 0;
	t->running = false;
}

void tape_free(struct tape *t)
{
	tape_end(t);
	tape_bytes_free(&t->told);
}

static void put_events(struct tape_bytes *b, const struct policy_set *set)
{
	tape_put(b, TAPE_EVENTS);
	for (size_t i = 0; i < set->n_services; i++) {
		const struct policy_service *p = &set->services[i];

		tape_put(b, p->n_events);
		for (size_t k = 0; k < p->n_events; k++) {
			tape_put_text(b, p->events[k].name);
			tape_put_signed(b, p->events[k].starts_real_ns);
			tape_put(b, p->events[k].lasts_ns);
			tape_put_real(b, p->events[k].multiplier);
		}
	}
}

/* What is other than it was when it was told last. */
static void put_service(struct tape *t, size_t i, const struct tick_service *ts)
{
	uint64_t f[TAPE_FIELDS], *last = t->last[i];
	uint64_t changed = 0;

	tape_flatten(ts, f);
	for (size_t k = 0; k < TAPE_FIELDS; k++)
		changed |= (uint64_t)(f[k] != last[k]) << k;
	tape_put(&t->told, changed);
	for (size_t k = 0; k < TAPE_FIELDS; k++)
		if (changed >> k & 1)
			tape_put_limit(&t->told, f[k]);
	memcpy(last, f, sizeof(f));
}

static bool is_idle(const struct tick_api *a)
{
	return !a->requests && !a->finished && !a->errors && !a->bytes_in && !a->bytes_out &&
	       a->in_flight == 0 && !a->slo_total && !a->slo_good;
}

static void put_apis(struct tape_bytes *b, const struct tick_api *apis, size_t n)
{
	size_t busy = 0;

	for (size_t i = 0; i < n; i++)
		busy += !is_idle(&apis[i]);
	tape_put(b, busy);
	for (size_t i = 0; i < n; i++) {
		const struct tick_api *a = &apis[i];

		if (is_idle(a))
			continue;
		tape_put(b, i);
		tape_put(b, a->requests);
		tape_put(b, a->finished);
		tape_put(b, a->errors);
		tape_put(b, a->bytes_in);
		tape_put(b, a->bytes_out);
		tape_put_real(b, a->in_flight);
		tape_put(b, a->slo_total);
		tape_put(b, a->slo_good);
	}
}

void tape_tick(struct tape *t, const struct policy_set *set, const struct tick_input *in)
{
	struct tape_bytes *b = &t->told;

	if (!t->running)
		return;
	tape_put(b, TAPE_TICK);
	tape_put(b, in->now_mono_ns);
	tape_put_signed(b, in->now_real_ns);
	tape_put(b, in->interval_ns);
	tape_put_limit(b, in->host_cpu_used_mcpu);
	tape_put_limit(b, in->host_memory_available_bytes);
	tape_put(b, in->frozen | in->observe << 1);
	for (size_t i = 0; i < t->n_services; i++) {
		put_service(t, i, &in->services[i]);
		put_apis(b, in->services[i].apis, set->services[i].n_apis + 1);
	}
}

/* Of all that wait, which are few at a time. */
static void put_in_flight(struct tape_bytes *b, const struct tick_api *apis, size_t n)
{
	size_t busy = 0;

	for (size_t i = 0; i < n; i++)
		busy += apis[i].in_flight != 0;
	tape_put(b, busy);
	for (size_t i = 0; i < n; i++) {
		if (apis[i].in_flight == 0)
			continue;
		tape_put(b, i);
		tape_put_real(b, apis[i].in_flight);
	}
}

void tape_guard(struct tape *t, const struct policy_set *set, uint32_t service,
		const struct tick_service *ts, uint64_t now_mono_ns, uint64_t interval_ns)
{
	if (!t->running)
		return;
	tape_put(&t->told, TAPE_GUARD);
	tape_put(&t->told, service);
	tape_put(&t->told, now_mono_ns);
	tape_put(&t->told, interval_ns);
	put_service(t, service, ts);
	if (tick_guard_reads_apis(&set->services[service]))
		put_in_flight(&t->told, ts->apis, set->services[service].n_apis + 1);
}

void tape_decided(struct tape *t, const struct plan_entry *e, int64_t id)
{
	if (!t->running)
		return;
	tape_put(&t->told, TAPE_DECIDED);
	tape_put(&t->told, e->service);
	tape_put(&t->told, e->knob);
	tape_put_signed(&t->told, id);
}

void tape_written(struct tape *t, const struct plan_entry *e, uint64_t after, int err)
{
	if (!t->running)
		return;
	tape_put(&t->told, TAPE_WRITTEN);
	tape_put(&t->told, e->service);
	tape_put(&t->told, e->knob);
	tape_put(&t->told, e->reason);
	tape_put_limit(&t->told, e->value);
	tape_put_limit(&t->told, e->before);
	tape_put_limit(&t->told, after);
	tape_put_signed(&t->told, err);
}

void tape_job_asked(struct tape *t, unsigned int lane, bool due)
{
	if (!t->running)
		return;
	tape_put(&t->told, TAPE_JOB_ASKED);
	tape_put(&t->told, lane << 1 | due);
}

void tape_job_given(struct tape *t, unsigned int lane)
{
	if (!t->running)
		return;
	tape_put(&t->told, TAPE_JOB_GIVEN);
	tape_put(&t->told, lane);
}

void tape_events(struct tape *t, const struct policy_set *set)
{
	if (t->running)
		put_events(&t->told, set);
}

void tape_event(struct tape *t, uint32_t service, const char *name, int64_t starts_real_ns,
		uint64_t lasts_ns, double multiplier)
{
	if (!t->running)
		return;
	tape_put(&t->told, TAPE_EVENT);
	tape_put(&t->told, service);
	tape_put_text(&t->told, name);
	tape_put_signed(&t->told, starts_real_ns);
	tape_put(&t->told, lasts_ns);
	tape_put_real(&t->told, multiplier);
}
