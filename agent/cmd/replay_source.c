// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_source.c - what is replayed: columns of CSV files, or what a history holds. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/cmd/replay_job.h"
#include "agent/store_read.h"

void replay_source_free(struct replay_job *j)
{
	for (size_t i = 0; i < j->n_records; i++) {
		csv_free(&j->records[i].used);
		replay_db_free(&j->records[i].db);
	}
	free(j->records);
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

/* The service of a history that is meant, into the only record. */
static int name_service(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *j)
{
	const char *name = cmd_option(args, "service");
	char *service = j->records[0].service;
	int r;

	assert(service); /* there is a record */
	if (name && !copy_str(service, POLICY_NAME_MAX, name))
		return cmd_usage(cmd, "--service '%s' is no name of a service", name);
	if (name)
		return EXIT_OK;
	replay_policies_service(args, j, service, POLICY_NAME_MAX);
	if (*service)
		return EXIT_OK;
	r = replay_policies_load(cmd, args, j); /* says what is wrong */
	return r != EXIT_OK ? r : cmd_usage(cmd, "takes --policy FILE");
}

/* All at the step of the one that has the longest. */
static int read_services(sqlite3 *sql, struct replay_db_conf *conf, struct replay_job *j,
			 struct err *e)
{
	struct replay_db *dbs[POLICY_MAX_SERVICES];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < j->n_records; i++) {
		dbs[i] = &j->records[i].db;
		conf->service = j->records[i].service;
		r = replay_db_read(sql, conf, dbs[i], e);
		if (r < 0 || i == 0 || dbs[i]->step_ns == dbs[0]->step_ns)
			continue;
		conf->step_s = MAX(dbs[i]->step_ns, dbs[0]->step_ns) / NS_PER_S;
		for (size_t k = 0; k <= i; k++)
			replay_db_free(dbs[k]);
		i = SIZE_MAX; /* again from the first one on */
	}
	if (r >= 0 && j->n_records > 1)
		r = replay_db_align(dbs, j->n_records);
	return r;
}

static int read_db(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *j)
{
	_cleanup_(store_read_closep) sqlite3 *sql = NULL;
	struct replay_db_conf conf = {.from_real_ns = INT64_MIN,
				      .to_real_ns = INT64_MAX,
				      .step_s = j->asked_step_ns / NS_PER_S};
	const struct replay_db *first = &j->records[0].db;
	struct err e = {};
	int r = replay_source_range(cmd, args, &conf);

	if (r != EXIT_OK)
		return r;
	if (j->asked_step_ns && j->asked_step_ns != NS_PER_S &&
	    j->asked_step_ns != S_PER_MIN * NS_PER_S && j->asked_step_ns != S_PER_H * NS_PER_S)
		return cmd_usage(cmd, "a history has steps of 1s, 1m and 1h");
	if (!j->hosts)
		r = name_service(cmd, args, j);
	if (r != EXIT_OK)
		return r;
	if (store_read_open(cmd_option(args, "db"), &sql, &e) < 0 ||
	    read_services(sql, &conf, j, &e) < 0)
		return cmd_failed(e.text);
	j->from_db = true;
	j->n_steps = first->n;
	j->step_ns = first->step_ns;
	j->start_real_ns =
		first->rows[0].step.ends_real_ns - (int64_t)first->rows[0].step.interval_ns;
	return EXIT_OK;
}

/* A record for each service of all tries, or one for whatever is called so. */
static int name_records(struct replay_job *j)
{
	size_t room = 1;

	for (size_t i = 0; i < j->n_tries; i++)
		room += j->tries[i].set->n_services;
	j->records = calloc(room, sizeof(*j->records));
	if (!j->records)
		return cmd_failed("out of memory");
	if (!j->hosts)
		j->n_records = 1;
	for (size_t i = 0; i < j->n_tries; i++) {
		for (size_t k = 0; k < j->tries[i].set->n_services; k++) {
			const char *name = j->tries[i].set->services[k].name;

			if (replay_source_find(j, name) != REPLAY_NO_SERVICE)
				continue;
			(void)copy_str(j->records[j->n_records++].service, POLICY_NAME_MAX, name);
		}
	}
	return EXIT_OK;
}

size_t replay_source_find(const struct replay_job *j, const char *service)
{
	if (!j->hosts)
		return 0;
	for (size_t i = 0; i < j->n_records; i++)
		if (streq(j->records[i].service, service))
			return i;
	return REPLAY_NO_SERVICE;
}

int replay_source_read(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *j)
{
	static const char *const of_csv[] = {"column", "scale"}, *const of_db[] = {"from", "to"};
	bool db = cmd_option(args, "db") != NULL;
	int r;

	if (db == (cmd_option(args, "csv") != NULL))
		return cmd_usage(cmd, "takes --csv FILE or --db FILE, and --policy FILE");
	for (size_t i = 0; db && i < ARRAY_SIZE(of_csv); i++)
		if (cmd_option(args, of_csv[i]))
			return cmd_usage(cmd, "--%s goes with --csv", of_csv[i]);
	for (size_t i = 0; !db && i < ARRAY_SIZE(of_db); i++)
		if (cmd_option(args, of_db[i]))
			return cmd_usage(cmd, "--%s goes with --db", of_db[i]);
	if (!db && !j->hosts && cmd_option(args, "service"))
		return cmd_usage(cmd, "--service goes with --db, or with several services");
	r = name_records(j);
	if (r != EXIT_OK)
		return r;
	return db ? read_db(cmd, args, j) : replay_files_read(cmd, args, j);
}

int replay_source_load(struct replay_job *j, size_t i, size_t k, struct replay_load *ret)
{
	struct replay_service *s = &j->tries[i].services[k];
	struct replay_record *rec;
	int r;

	s->record = replay_source_find(j, j->tries[i].set->services[k].name);
	rec = &j->records[s->record];
	if (!j->from_db) {
		*ret = replay_csv_load(&rec->csv);
		return 0;
	}
	r = replay_db_view(&rec->db, &j->tries[i].set->services[k], &s->view);
	if (r == 0)
		*ret = replay_db_load(&s->view);
	return r;
}

char *replay_source_time(const struct replay_job *j, size_t i, int64_t begins_real_ns, char *buf,
			 size_t size)
{
	time_t at = (time_t)(begins_real_ns / (int64_t)NS_PER_S);
	struct tm tm;

	if (!j->from_db)
		return csv_format_time(buf, size, &j->records[0].used, i);
	*buf = '\0';
	if (gmtime_r(&at, &tm))
		(void)strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}
