// SPDX-License-Identifier: GPL-2.0-or-later
/* tapes.c - what the planner is told, second by second, into history. */
#include <stdlib.h>

#include "agent/worker/worker.h"

#define TAPE_NS     (600 * NS_PER_S) /* then another one begins ... */
#define STATE_USUAL (6 * MIB)        /* ... later where its state takes more: so many times */
#define STATE_MOST  (64 * MIB)       /* a host with more is not recorded */
#define CHUNK       (2 * MIB)        /* of the state, a second: the queue takes some of them */

/* An event that is felt now: all are told anew where a tape begins, and this one would be cut. */
static bool is_felt(int64_t now_real_ns, int64_t starts_real_ns, uint64_t lasts_ns)
{
	int64_t in_ns = ns_between(now_real_ns, starts_real_ns);

	return in_ns < (int64_t)MIN(lasts_ns, (uint64_t)INT64_MAX) &&
	       ns_after(ns_after(in_ns, lasts_ns), lasts_ns) > 0;
}

static bool event_is_felt(const struct agent *a, int64_t now_real_ns)
{
	for (size_t i = 0; i < a->n_events; i++)
		if (is_felt(now_real_ns, a->events[i].starts_real_ns, a->events[i].lasts_ns))
			return true;
	for (size_t i = 0; i < a->set->n_services; i++) {
		const struct policy_service *p = &a->set->services[i];

		for (size_t k = 0; k < p->n_events; k++)
			if (is_felt(now_real_ns, p->events[k].starts_real_ns,
				    p->events[k].lasts_ns))
				return true;
	}
	return false;
}

static uint64_t n_chunks(const struct agent *a)
{
	return (a->tape_state.used + CHUNK - 1) / CHUNK;
}

static void keep(struct agent *a, uint64_t part, const uint8_t *bytes, size_t size)
{
	store_tape(a->store, &(struct store_tape){
				     .begun_real_ns = a->tape_begun_real_ns,
				     .at_real_ns = a->input.now_real_ns,
				     .part = part,
				     .bytes = bytes,
				     .size = size,
			     });
}

/* The state, a chunk at a time; then its memory is given back, its size is remembered. */
static void keep_chunk(struct agent *a)
{
	struct tape_bytes *b = &a->tape_state;
	size_t at = a->tape_state_kept, size = MIN(b->used - at, CHUNK);

	if (size == 0)
		return;
	keep(a, at / CHUNK, b->bytes + at, size);
	a->tape_state_kept += size;
	if (a->tape_state_kept < b->used)
		return;
	free(b->bytes);
	b->bytes = NULL;
}

void tapes_flush(struct agent *a)
{
	if (!a->tape.running)
		return;
	if (a->tape.told.failed) { /* what came after is not to be told without what is missing */
		tape_end(&a->tape);
		return;
	}
	keep_chunk(a);
	if (a->tape.told.used > 0)
		keep(a, n_chunks(a) + a->tape_parts++, a->tape.told.bytes, a->tape.told.used);
	a->tape.told.used = 0;
}

void tapes_end(struct agent *a)
{
	if (a->store)
		tapes_flush(a);
	tape_end(&a->tape);
	tape_bytes_free(&a->tape_state);
}

/* As much is written a minute, whatever the size of the state. */
static uint64_t lasts_ns(const struct agent *a)
{
	return TAPE_NS / STATE_USUAL * MAX(a->tape_state.used, (size_t)STATE_USUAL);
}

/* Only the state is kept, not what is under way: fits that are out, events that are felt. */
void tapes_begin(struct agent *a, uint64_t now_mono_ns, int64_t now_real_ns)
{
	if (a->tape.running && now_mono_ns - a->tape_begun_mono_ns < lasts_ns(a))
		return;
	if (a->n_services == 0 || !jobs_idle(a->jobs) || event_is_felt(a, now_real_ns) ||
	    controller_save_size(a->controller) > STATE_MOST)
		return;
	tapes_end(a);
	if (tape_begin(&a->tape, a->controller, a->set, &a->facts, WORKER_TICK_NS, &a->tape_state) <
	    0)
		return;
	a->tape_begun_mono_ns = now_mono_ns;
	a->tape_begun_real_ns = now_real_ns;
	a->tape_parts = a->tape_state_kept = 0;
	keep_chunk(a);
	events_renew(a);
}
