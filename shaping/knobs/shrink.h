/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shrink.h - lowering memory.max or memory.high without a kill and without a stall: the group is
 * squeezed in small steps (memory.high on v2, the limit itself on v1, where too low is refused),
 * the limit follows once the use is below it, and what cannot be had in time is given back. For
 * half a second more the use is watched: one that grows into its new limit gets the old one back.
 */
#ifndef FORESHAPE_SHRINK_H
#define FORESHAPE_SHRINK_H

#include <stdint.h>

#include "shaping/knobs/knob_ops.h"

#define SHRINK_STEP_NS     (10 * NS_PER_MS) /* between calls of shrink_step */
#define SHRINK_DEADLINE_NS (3 * NS_PER_S)
#define SHRINK_WATCH_NS    (500 * NS_PER_MS)
#define SHRINK_WRITE_NS    (5 * NS_PER_MS) /* reclaim runs in the writer: what a step should take */

struct shrink {
	int dir_fd; /* borrowed */
	bool v2;
	const struct knob_ops *ops; /* of the knob that gets the goal */
	const struct knob_ops
		*squeeze; /* of the knob that is lowered on the way; may be the same */
	uint64_t goal;
	char old_raw[KNOB_RAW_MAX];       /* what the goal's knob had before */
	uint64_t reached_mono_ns;         /* when the goal came into force; 0: not yet */
	char goal_raw[KNOB_RAW_MAX];      /* the goal as it is to be spelled; "": by value */
	uint64_t squeezed;                /* the squeezing knob's value now */
	char before_raw[KNOB_RAW_MAX];    /* and before */
	uint64_t step_bytes;              /* grows and falls with how long the last one took */
	uint64_t least_bytes, gone_bytes; /* of a reclaim: what must stay, and what went */
	uint64_t deadline_mono_ns;
};

/*
 * KNOB_MEMORY_RECLAIM is done as the others are, since it takes as long: its goal is what to give
 * back, a single step does it, and nothing is squeezed or put back.
 *
 * Prepares lowering @knob (KNOB_MEMORY_HIGH or _MAX) of the cgroup at @dir_fd (of its hierarchy,
 * kept open by the caller) to @goal, spelled @goal_raw where that is not NULL. Writes nothing yet.
 * Returns 0, -EBUSY when what cannot be reclaimed and a tenth are more than @goal, or -errno of
 * reading.
 */
int shrink_start(struct shrink *s, const struct hierarchies *h, int dir_fd, enum knob knob,
		 uint64_t goal, const char *goal_raw, uint64_t now_mono_ns);

/*
 * One step. Returns 1: call again in SHRINK_STEP_NS; 0: the goal is in force; -EBUSY: too much came
 * into use, -ETIME: the deadline passed, -errno: a write failed. After a failure the old values are
 * in force again.
 */
int shrink_step(struct shrink *s, uint64_t now_mono_ns);

/* What came of it: the value in force of the goal's knob, of a reclaim what went. */
int shrink_value(const struct shrink *s, uint64_t *ret);

/* Gives the old values back and ends it. */
void shrink_abort(struct shrink *s);
/* The same for the squeezing knob alone. */
void shrink_unsqueeze(struct shrink *s);

/* The knob that is lowered on the way: KNOB_MEMORY_HIGH on v2, @knob itself on v1. */
enum knob shrink_squeezes(const struct hierarchies *h, enum knob knob);

#endif
