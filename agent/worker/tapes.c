// SPDX-License-Identifier: GPL-2.0-or-later
/* tapes.c - what the planner is told, second by second, into history. */
#include "agent/worker/worker.h"

#define TAPE_NS    (600 * NS_PER_S) /* then another one begins */
#define APART_NS   (2 * NS_PER_S)   /* from a save of the models: the queue holds one of them */
#define STATE_MOST (6 * MIB)        /* what it takes; a host with more is not recorded */

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

static void keep(struct agent *a, const struct tape_bytes *b, int64_t at_real_ns)
{
	store_tape(a->store, &(struct store_tape){
				     .begun_real_ns = a->tape_begun_real_ns,
				     .at_real_ns = at_real_ns,
				     .part = a->tape_parts++,
				     .bytes = b->bytes,
				     .size = b->used,
			     });
}

void tapes_flush(struct agent *a)
{
	if (!a->tape.running)
		return;
	if (a->tape.told.failed) { /* what came after is not to be told without what is missing */
		tape_end(&a->tape);
		return;
	}
	if (a->tape.told.used > 0)
		keep(a, &a->tape.told, a->input.now_real_ns);
	a->tape.told.used = 0;
}

void tapes_end(struct agent *a)
{
	if (a->store)
		tapes_flush(a);
	tape_end(&a->tape);
}

static bool is_saving(const struct agent *a, uint64_t now_mono_ns)
{
	uint64_t since_ns = now_mono_ns - a->last_save_mono_ns;

	return since_ns < APART_NS || since_ns + APART_NS > WORKER_STATE_NS;
}

/* Only the state is kept, not what is under way: fits that are out, events that are felt. */
void tapes_begin(struct agent *a, uint64_t now_mono_ns, int64_t now_real_ns)
{
	struct tape_bytes state = {};

	if (a->tape.running && now_mono_ns - a->tape_begun_mono_ns < TAPE_NS)
		return;
	if (a->n_services == 0 || is_saving(a, now_mono_ns) || !jobs_idle(a->jobs) ||
	    event_is_felt(a, now_real_ns) || controller_save_size(a->controller) > STATE_MOST)
		return;
	tapes_end(a);
	if (tape_begin(&a->tape, a->controller, a->set, &a->facts, WORKER_TICK_NS, &state) < 0)
		return;
	a->tape_begun_mono_ns = now_mono_ns;
	a->tape_begun_real_ns = now_real_ns;
	a->tape_parts = 0;
	keep(a, &state, now_real_ns);
	tape_bytes_free(&state);
	events_renew(a);
}
