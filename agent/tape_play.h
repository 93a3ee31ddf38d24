/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tape_play.h - a planner that is told what a tape says, and who is told what it decides. */
#ifndef FORESHAPE_TAPE_PLAY_H
#define FORESHAPE_TAPE_PLAY_H

#include "agent/base/err.h"
#include "agent/tape.h"

/*
 * A change that was decided, as it is decided now; @id is that of the audit. @id 0: none was
 * decided then. @e NULL: none is now, of @service and @knob.
 */
typedef void tape_decided_t(void *arg, int64_t id, uint32_t service, uint16_t knob,
			    const struct plan_entry *e);

struct tape_player {
	struct policy_set *set; /* its events become the tape's */
	struct controller *controller;
	struct tick_service *services; /* [n_services] */
	uint64_t (*last)[TAPE_FIELDS]; /* [n_services] */
	struct tick_api *apis;         /* of all services, one after the other */
	struct tick_job *jobs[TAPE_LANES];
	struct plan_entry *changes; /* of the last tick or guard, not yet claimed */
	size_t n_changes;
	tape_decided_t *decided;
	void *arg;
	uint64_t n_ticks, n_guards;
};

/* Bytes of the state a tape begins with, of which the @size bytes @bytes are the first; 0: fewer
 * than tell. */
uint64_t tape_state_size(const void *bytes, size_t size);

/*
 * A planner in the state that @bytes, the first parts of a tape, hold, for the services of @set.
 * Returns 0 and *ret (tape_player_free); -EINVAL: other services, another version; -ENOMEM.
 */
int tape_player_new(struct policy_set *set, const void *bytes, size_t size, struct tape_player *ret,
		    struct err *e);
void tape_player_free(struct tape_player *p);

/*
 * Tells the next part. Returns 0, or -EINVAL where it is damaged or cannot be what a planner of
 * this state was told.
 */
int tape_play(struct tape_player *p, const void *bytes, size_t size, struct err *e);
/* Tells of the last changes, which nobody claimed. */
void tape_play_end(struct tape_player *p);

#endif
