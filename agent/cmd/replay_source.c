// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_source.c - what is replayed: a column of a CSV file, or what a history holds. */
#include <errno.h>
#include <math.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/cmd/replay_job.h"
#include "agent/store_read.h"

#define MAX_SCALE 1e9

static int read_csv(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *j)
{
	const char *scale = cmd_option(args, "scale");
	struct err e = {};

	j->csv = (struct replay_csv){.used = &j->used, .scale = 1};
	if (scale && (parse_double(scale, &j->csv.scale) < 0 || !(j->csv.scale > 0) ||
		      j->csv.scale > MAX_SCALE))
		return cmd_usage(cmd, "--scale takes a number above 0 and up to 1e9, not '%s'",
				 scale);
	if (csv_read(cmd_option(args, "csv"), cmd_option(args, "column"), j->step_ns, &j->used,
		     &e) < 0)
		return cmd_failed(e.text);
	j->load = replay_csv_load(&j->csv);
	j->n_missing = j->used.n_missing;
	j->start_real_ns = j->used.start_real_ns;
	return EXIT_OK;
}

/* Begins and ends of the range, where they are given. */
int replay_source_range(const struct cmd *cmd, const struct cmd_args *args,
			struct replay_db_conf *conf)
{
	const char *from = cmd_option(args, "from"), *to = cmd_option(args, "to");

	if (from && cmd_time_ns(from, &conf->from_real_ns) < 0)
		return cmd_usage(cmd, "--from takes a time, or a duration such as 2h, not '%s'",
				 from);
	if (to && cmd_time_ns(to, &conf->to_real_ns) < 0)
		return cmd_usage(cmd, "--to takes a time, or a duration such as 2h, not '%s'", to);
	return EXIT_OK;
}

static int read_db(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *j)
{
	_cleanup_(store_read_closep) sqlite3 *sql = NULL;
	struct replay_db_conf conf = {.service = cmd_option(args, "service"),
				      .from_real_ns = INT64_MIN,
				      .to_real_ns = INT64_MAX,
				      .step_s = j->step_ns / NS_PER_S};
	char service[POLICY_NAME_MAX];
	struct err e = {};
	int r = replay_source_range(cmd, args, &conf);

	if (r != EXIT_OK)
		return r;
	if (j->step_ns && j->step_ns != NS_PER_S && j->step_ns != S_PER_MIN * NS_PER_S &&
	    j->step_ns != S_PER_H * NS_PER_S)
		return cmd_usage(cmd, "a history has steps of 1s, 1m and 1h");
	if (!conf.service) {
		replay_policies_service(args, j, service, sizeof(service));
		conf.service = service;
		r = *service ? EXIT_OK : replay_policies_load(cmd, args, j);
		if (!*service)
			return r != EXIT_OK ? r : cmd_usage(cmd, "takes --policy FILE");
	}
	if (store_read_open(cmd_option(args, "db"), &sql, &e) < 0 ||
	    replay_db_read(sql, &conf, &j->db, &e) < 0)
		return cmd_failed(e.text);
	j->from_db = true;
	j->load = (struct replay_load){.n = j->db.n, .step_ns = j->db.step_ns};
	j->n_missing = j->db.n_missing;
	j->start_real_ns =
		j->db.rows[0].step.ends_real_ns - (int64_t)j->db.rows[0].step.interval_ns;
	return EXIT_OK;
}

int replay_source_read(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *j)
{
	static const char *const of_csv[] = {"column", "scale"}, *const of_db[] = {"service",
										   "from", "to"};
	bool db = cmd_option(args, "db") != NULL;

	if (db == (cmd_option(args, "csv") != NULL))
		return cmd_usage(cmd, "takes --csv FILE or --db FILE, and --policy FILE");
	for (size_t i = 0; db && i < ARRAY_SIZE(of_csv); i++)
		if (cmd_option(args, of_csv[i]))
			return cmd_usage(cmd, "--%s goes with --csv", of_csv[i]);
	for (size_t i = 0; !db && i < ARRAY_SIZE(of_db); i++)
		if (cmd_option(args, of_db[i]))
			return cmd_usage(cmd, "--%s goes with --db", of_db[i]);
	return db ? read_db(cmd, args, j) : read_csv(cmd, args, j);
}

int replay_source_load(struct replay_job *j, size_t i, struct replay_load *ret)
{
	struct replay_try *t = &j->tries[i];
	int r;

	*ret = j->load;
	if (!j->from_db)
		return 0;
	r = replay_db_view(&j->db, &t->set->services[0], &t->view);
	if (r == 0)
		*ret = replay_db_load(&t->view);
	return r;
}

char *replay_source_time(const struct replay_job *j, size_t i, int64_t begins_real_ns, char *buf,
			 size_t size)
{
	time_t at = (time_t)(begins_real_ns / (int64_t)NS_PER_S);
	struct tm tm;

	if (!j->from_db)
		return csv_format_time(buf, size, &j->used, i);
	*buf = '\0';
	if (gmtime_r(&at, &tm))
		(void)strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}
