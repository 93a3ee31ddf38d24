/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay_job.h - one call of foreshape replay: the recording, the policies, what came of each. */
#ifndef FORESHAPE_REPLAY_JOB_H
#define FORESHAPE_REPLAY_JOB_H

#include <stdio.h>

#include "agent/cmd.h"
#include "agent/plot.h"
#include "agent/replay.h"
#include "agent/replay_compare.h"
#include "agent/replay_db.h"
#include "policies/policy.h"

#define REPLAY_MAX_POLICIES 16

struct replay_try {
	const char *name; /* of the policy's file */
	struct policy_set *set;
	struct policy_errors errors;
	struct replay_result result;
	struct replay_trace trace;  /* where two are compared */
	struct replay_db_view view; /* of a history */
};

struct replay_job {
	struct csv_series used; /* of a CSV file */
	struct replay_csv csv;
	struct replay_db db; /* of a history */
	bool from_db;
	struct replay_load load;
	size_t n_missing;      /* steps without CPU use */
	int64_t start_real_ns; /* 0: without a clock */
	uint64_t step_ns;      /* asked for; 0: not */
	struct host_facts facts;
	uint64_t skip_ns;
	struct replay_try tries[REPLAY_MAX_POLICIES];
	size_t n_tries;
	FILE *emit;     /* NULL: not wanted */
	double seconds; /* that all replays took */
	bool drawn;     /* a picture is wanted: */
	struct {
		struct plot p;
		uint32_t n_median, n_read; /* steps of the last point with one */
		int64_t end_ns;
	} plot;
};

/*
 * replay_source.c: reads what is to be replayed, from the options. EXIT_OK, or what was said.
 */
int replay_source_read(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *job);
/* The range of a history, from the options. EXIT_OK or EXIT_USAGE. */
int replay_source_range(const struct cmd *cmd, const struct cmd_args *args,
			struct replay_db_conf *conf);
/* The recording as try @i sees it. Returns 0 and *ret, or -ENOMEM. */
int replay_source_load(struct replay_job *job, size_t i, struct replay_load *ret);
/* Writes the time of step @i, which begins then, as the recording has it. Returns @buf. */
char *replay_source_time(const struct replay_job *job, size_t i, int64_t begins_real_ns, char *buf,
			 size_t size);

/* replay_policies.c: reads the policies that @args name. EXIT_OK, or what was said. */
int replay_policies_load(const struct cmd *cmd, const struct cmd_args *args,
			 struct replay_job *job);
/* All that are named, files or a directory, as one set; where it is no directory --host is its own.
 */
int replay_policies_all(const struct cmd *cmd, const struct cmd_args *args,
			const struct replay_job *job, struct policy_set **ret);
/* The service of the first policy, into @buf; "" where it cannot be read. */
void replay_policies_service(const struct cmd_args *args, const struct replay_job *job, char *buf,
			     size_t size);

/* replay_report.c: prints what came of it. @d NULL: nothing was compared. EXIT_OK or EXIT_FAILED.
 */
int replay_report_json(const struct replay_job *job, const struct replay_difference *d);
void replay_report_text(const struct replay_job *job, const struct replay_difference *d);

#endif
