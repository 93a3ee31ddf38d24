/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay.h - the planner over what was recorded of the services of a host, in virtual time. */
#ifndef FORESHAPE_REPLAY_H
#define FORESHAPE_REPLAY_H

#include "agent/base/err.h"
#include "agent/csv.h"
#include "agent/progress.h"
#include "shaping/tick.h"

#define REPLAY_MOVE 0.1 /* a change of the limit by more than this part is a move */

/* What was recorded over one step; NAN: not measured. */
struct replay_step {
	int64_t ends_real_ns;
	uint64_t interval_ns;
	double used_mcpu;
	double throttled; /* share of periods, when it was recorded */
	double memory_bytes, tx_bits_per_s;
	double psi_cpu, psi_memory, psi_io; /* shares of time */
	const struct tick_api *apis;        /* [n_apis of the policy + 1]; NULL: not counted */
};

/* A recording of one service, read step by step from the first to the last, once for each policy.
 */
struct replay_load {
	size_t n;
	uint64_t step_ns; /* of most steps: the planner's period */
	void (*read)(const void *arg, size_t i, struct replay_step *ret);
	const void *arg;
};

/* A step that is over, of one service. */
struct replay_now {
	size_t index;
	size_t service; /* in the set */
	const struct replay_step *step;
	double limit_mcpu;    /* in force during it, always a number */
	bool skipped, scored; /* within the skipped start; after it, with a value */
	enum reason reason;   /* of the limit */
	/* The peak over the lead as it was forecast before the step; NULL: nothing was yet. */
	const struct forecast *demand;
	double read_mcpu; /* what the plan read of it; NAN: nothing */
};

struct replay_conf {
	const struct replay_load *loads; /* [n_services of @set], of the same steps */
	const struct policy_set *set;
	double request_cost_s; /* CPU time of a request where none were counted; 0: not known */
	size_t threads;        /* that learn services side by side; 0: as many as there are CPUs */
	struct host_facts facts;
	uint64_t skip_ns; /* of the start: planned, but not scored */
	/* After each step, of each service; a negative errno ends the replay. NULL: nobody asks. */
	int (*look)(void *arg, const struct replay_now *now);
	void *arg;
	progress_t *progress; /* NULL: nobody asks */
	size_t part, parts;   /* of what progress tells: this replay is the @part-th, from 0 */
};

struct replay_result {
	size_t steps, scored; /* all; with a value and past the skipped start */
	/* NAN where no step was scored: */
	double used_mean_mcpu, limit_mean_mcpu;
	double slack;      /* 1 - used / limit */
	double violations; /* share of scored steps whose use was above the limit in force */
	double moves_per_day;
	double short_minutes;                /* of scored steps, with more use than the limit */
	double reserved_core_h, used_core_h; /* over the scored steps: the cost */
	size_t changes,
		moves;       /* writes of the limit in all; scored moves by more than REPLAY_MOVE */
	size_t short_steps;  /* scored, with more use than the limit in force */
	double slo_expected; /* share of requests within the latency of the objective; NAN: not
				known */
	size_t contended;    /* steps in which the host was planned to have too little */
};

/*
 * Runs the same control step as an agent would, over all services together. The limit in force
 * during a step is what was decided before it; the planner sees the step only after it: CPU time
 * up to the limit, and what is above it as throttled periods, excess / use of them, since that is
 * all a cgroup shows; what was throttled when it was recorded shows so again. Of memory and network
 * it sees what was recorded, but only cpu.max and cpu.weight are there to be set. A service without
 * a limit (mode reserve) is scored by what the plan reserves for it, and before there is a plan by
 * the host's capacity. Period searches run before the next step, so the result depends on the input
 * alone, not on the threads. How the service's own objective would be kept is expected from what
 * arrives (what was counted of requests, or use over conf->request_cost_s), what it costs and the
 * limit (latency.h). Fills @ret [n_services]. Returns 0, -ENOMEM, -EINVAL (no service, or
 * steps that are not the same), or what conf->look returned.
 */
int replay_run(const struct replay_conf *conf, struct replay_result *ret, struct err *e);

/* A step with nothing measured that ends then. */
struct replay_step replay_step_blank(int64_t ends_real_ns, uint64_t interval_ns);

/* One column of a CSV file as a recording of CPU use: @scale times a value is mcpu. */
struct replay_csv {
	const struct csv_series *used;
	double scale;
};
struct replay_load replay_csv_load(const struct replay_csv *csv);

#endif
