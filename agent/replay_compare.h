/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay_compare.h - where two policies would have set other limits over the same recording. */
#ifndef FORESHAPE_REPLAY_COMPARE_H
#define FORESHAPE_REPLAY_COMPARE_H

#include "agent/replay.h"

#define REPLAY_STRETCHES 10 /* that are told of */

/* What one policy did with a recording, step by step. */
struct replay_trace {
	size_t n, room;
	struct replay_mark {
		int64_t begins_real_ns;
		double used_mcpu, limit_mcpu; /* used: NAN where not measured */
		uint16_t reason;              /* enum reason */
		bool skipped;                 /* not compared */
	} * marks;                            /* [n] */
};
/* Room for @n steps: 0 or -ENOMEM. */
int replay_trace_new(size_t n, struct replay_trace *ret);
void replay_trace_free(struct replay_trace *t);
void replay_trace_take(struct replay_trace *t, const struct replay_now *now);

/* Steps one after the other in which one limit is above the other by more than REPLAY_MOVE. */
struct replay_stretch {
	size_t from, n;                        /* steps */
	int64_t from_real_ns, to_real_ns;      /* its begin; the begin of its last step */
	double used_mean_mcpu, used_most_mcpu; /* NAN: nothing was measured */
	struct {
		double limit_mean_mcpu;
		size_t short_steps;
		enum reason reason; /* of most of its steps */
	} of[2];
};

struct replay_difference {
	size_t steps, compared; /* in which they differ so; of how many */
	size_t n_stretches;
	struct replay_stretch longest[REPLAY_STRETCHES]; /* longest first, then by time */
	size_t n_longest;
};

/* Both traces are of the same recording. */
void replay_compare(const struct replay_trace *a, const struct replay_trace *b,
		    struct replay_difference *ret);

#endif
