/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay_job.h - one call of foreshape replay: the recordings, the policies, what came of each. */
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

#define REPLAY_NO_SERVICE SIZE_MAX

/* What is known of one service. */
struct replay_record {
	char service[POLICY_NAME_MAX]; /* "": whatever the policy's is called */
	struct csv_series used;        /* of a CSV file */
	struct replay_csv csv;
	struct replay_db db; /* of a history */
};

/* One service under one policy. */
struct replay_service {
	size_t record; /* index */
	struct replay_result result;
	struct replay_trace trace;  /* where two are compared */
	struct replay_db_view view; /* of a history */
};

struct replay_try {
	const char *name; /* of the policy's file or directory */
	bool of_files;    /* a host of all files that are named */
	struct policy_set *set;
	struct policy_errors errors;
	struct replay_service *services; /* [set->n_services] */
};

struct replay_job {
	struct replay_record *records; /* [n_records], of the same steps */
	size_t n_records;
	bool from_db;
	bool hosts; /* a try is all services of a host, not one */
	size_t n_steps;
	uint64_t step_ns;       /* of most steps */
	int64_t start_real_ns;  /* 0: without a clock */
	double request_cost_s;  /* 0: not said */
	uint64_t asked_step_ns; /* 0: none was asked for */
	struct host_facts facts;
	uint64_t skip_ns;
	struct replay_try tries[REPLAY_MAX_POLICIES];
	size_t n_tries;
	const char *shown; /* the service that is drawn; NULL: the only one */
	FILE *emit;        /* NULL: not wanted */
	double seconds;    /* that all replays took */
	bool drawn;        /* a picture is wanted: */
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
/* replay_files.c: the same of CSV files alone, into the records. */
int replay_files_read(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *job);
/* The range of a history, from the options. EXIT_OK or EXIT_USAGE. */
int replay_source_range(const struct cmd *cmd, const struct cmd_args *args,
			struct replay_db_conf *conf);
/* The index of the record of @service, REPLAY_NO_SERVICE. */
size_t replay_source_find(const struct replay_job *job, const char *service);
/* The recording of service @k as try @i sees it. Returns 0 and *ret, or -ENOMEM. */
int replay_source_load(struct replay_job *job, size_t i, size_t k, struct replay_load *ret);
void replay_source_free(struct replay_job *job);
/* Writes the time of step @i, which begins then, as the recording has it. Returns @buf. */
char *replay_source_time(const struct replay_job *job, size_t i, int64_t begins_real_ns, char *buf,
			 size_t size);

/*
 * Whether whole hosts are meant: a directory of policies, or a recording with the name of its
 * service (replay_files.c). Then replay_hosts.c: the directories, or all files together, are read
 * for the names of their services, and once it is known when the recordings begin for good.
 * EXIT_OK, or what was said.
 */
bool replay_hosts_meant(const struct cmd_args *args);
int replay_hosts_load(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *job);

/* replay_policies.c: reads the policies that @args name, of one service each. EXIT_OK, or what was
 * said. */
int replay_policies_load(const struct cmd *cmd, const struct cmd_args *args,
			 struct replay_job *job);
/* All that are named, files or a directory, as one set; where it is no directory --host is its own.
 */
int replay_policies_all(const struct cmd *cmd, const struct cmd_args *args,
			const struct replay_job *job, struct policy_set **ret);
/* The @i-th policy named, those of --policy before words; NULL past the last. */
const char *replay_policies_named(const struct cmd_args *args, size_t i);
/* Prints what was found in policies. */
void replay_policies_say(const struct policy_errors *errors);
/* The service of the first policy, into @buf; "" where it cannot be read. */
void replay_policies_service(const struct cmd_args *args, const struct replay_job *job, char *buf,
			     size_t size);

/* How the two policies differ over service @k of the first one; false: the second has none. */
bool replay_job_compare(const struct replay_job *job, size_t k, struct replay_difference *ret);

/* replay_json.c and replay_report.c: print what came of it, with @compare where the two differ.
 * EXIT_OK or EXIT_FAILED. */
int replay_report_json(const struct replay_job *job, bool compare);
void replay_report_text(const struct replay_job *job, bool compare);

#endif
