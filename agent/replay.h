/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay.h - the planner over a recorded CPU use, in virtual time. */
#ifndef FORESHAPE_REPLAY_H
#define FORESHAPE_REPLAY_H

#include <stdio.h>

#include "agent/base/err.h"
#include "agent/csv.h"
#include "shaping/tick.h"

#define REPLAY_MOVE 0.1 /* a change of the limit by more than this part is a move */

struct replay_conf {
	const struct csv_series *used; /* of one service */
	double scale;                  /* values times this are mcpu */
	const struct policy_set *set;  /* of one service */
	struct host_facts facts;
	uint64_t skip_ns; /* of the start: planned and written out, but not scored */
	FILE *emit;       /* time,used_mcpu,limit_mcpu,reason a step; NULL: nowhere */
};

struct replay_result {
	size_t steps, scored; /* all; with a value and past the skipped start */
	/* NAN where no step was scored: */
	double used_mean_mcpu, limit_mean_mcpu;
	double slack;      /* 1 - used / limit */
	double violations; /* share of scored steps whose use was above the limit in force */
	double moves_per_day;
	size_t changes,
		moves;      /* writes of the limit in all; scored moves by more than REPLAY_MOVE */
	size_t short_steps; /* scored, with more use than the limit in force */
};

/*
 * Runs the same tick_once as an agent would. The limit in force during a step is what was decided
 * before it; the planner sees the step only after it: CPU time up to the limit, and what is above
 * it as throttled periods, excess / use of them, since that is all a cgroup shows. A service
 * without a limit (mode reserve) is scored by what the plan reserves for it, and before there is a
 * plan by the host's capacity. Period searches run at once, so the result depends on the input
 * alone. Returns 0, -ENOMEM, -EINVAL (not one service), -EIO (emit).
 */
int replay_run(const struct replay_conf *conf, struct replay_result *ret, struct err *e);

#endif
