/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tape.h - all that a planner was told, in order, as bytes: so that the same decisions can be made
 * again, bit for bit. The agent records, foreshape replay --audit plays.
 */
#ifndef FORESHAPE_TAPE_H
#define FORESHAPE_TAPE_H

#include "agent/tape_bytes.h"
#include "shaping/tick.h"

#define TAPE_FIELDS 43 /* numbers of a struct tick_service */
#define TAPE_LANES  2  /* of jobs: period searches, tuning */

struct tape {
	struct tape_bytes told;        /* since the last part was taken */
	uint64_t (*last)[TAPE_FIELDS]; /* [n_services], as they were told last */
	size_t n_services;
	bool running;
};

void tape_free(struct tape *t);

/*
 * Begins with the state of @c, right before a tick of it; writes what is to be kept first into
 * @ret. No job of @c may be under way. Returns 0 or -ENOMEM: then nothing is recorded.
 */
int tape_begin(struct tape *t, const struct controller *c, const struct policy_set *set,
	       const struct host_facts *facts, uint64_t period_ns, struct tape_bytes *ret);
void tape_end(struct tape *t);

/* What is done with the controller; nothing happens while no tape runs. */
void tape_tick(struct tape *t, const struct policy_set *set, const struct tick_input *in);
void tape_guard(struct tape *t, const struct policy_set *set, uint32_t service,
		const struct tick_service *ts, uint64_t now_mono_ns, uint64_t interval_ns);
/* A change of the last tick or guard, and its id in the audit. */
void tape_decided(struct tape *t, const struct plan_entry *e, int64_t id);
void tape_written(struct tape *t, const struct plan_entry *e, uint64_t after, int err);
/* A job of @lane was asked for: whether one was due; or given back. */
void tape_job_asked(struct tape *t, unsigned int lane, bool due);
void tape_job_given(struct tape *t, unsigned int lane);
/* controller_event_clear, and the policies' events as they are now. */
void tape_events(struct tape *t, const struct policy_set *set);
void tape_event(struct tape *t, uint32_t service, const char *name, int64_t starts_real_ns,
		uint64_t lasts_ns, double multiplier);

/* As numbers and back; of the APIs only their place is kept. */
void tape_flatten(const struct tick_service *ts, uint64_t f[TAPE_FIELDS]);
void tape_unflatten(const uint64_t f[TAPE_FIELDS], struct tick_service *ts);

enum tape_op {
	TAPE_TICK = 1,
	TAPE_GUARD,
	TAPE_DECIDED,
	TAPE_WRITTEN,
	TAPE_JOB_ASKED,
	TAPE_JOB_GIVEN,
	TAPE_EVENTS,
	TAPE_EVENT,
};

#endif
