// SPDX-License-Identifier: GPL-2.0-or-later
/* store_db.c - the one writing connection: opening it, and records into rows. */
#include "agent/store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/store_db_private.h"
#include "agent/store_schema.h"

#define BUSY_MS 1000

/* clang-format off */
static const char setup[] =
	"PRAGMA auto_vacuum=INCREMENTAL;" /* counts only for a file without tables */
	"PRAGMA journal_mode=WAL;"
	"PRAGMA journal_size_limit=4194304;"
	"PRAGMA cache_size=-512;"
	"PRAGMA temp_store=MEMORY;"
	"PRAGMA cell_size_check=ON;"
	"PRAGMA trusted_schema=OFF;";

static const char series_sql[] = "INSERT OR IGNORE INTO series (service, route) VALUES (?2, ?3)";

/* A batch whose commit was not seen to end is written again. */
#define ONCE " ON CONFLICT (id) DO NOTHING"

/* Parameters are the record's values in order. */
static const struct {
	const char *sql;
	bool sample; /* ?1 seconds, ?2 service, ?3 route */
} rows[RECORD_KINDS] = {
	[RECORD_SERVICE_SAMPLE] = { "INSERT OR REPLACE INTO service_sample (step_s, at_real_s, series, seconds,"
		" cpu_mcpu, throttled_ratio, memory_bytes, tx_bits_per_s, psi_cpu, psi_memory, psi_io,"
		" working_set_bytes) VALUES (1, ?1, (SELECT id FROM series WHERE service = ?2 AND route = ?3), 1, ?4, ?5,"
		" ?6, ?7, ?8, ?9, ?10, ?11)",
		true },
	[RECORD_ROUTE_SAMPLE] = { "INSERT OR REPLACE INTO route_sample (step_s, at_real_s, series, seconds,"
		" requests, responses_1xx, responses_2xx, responses_3xx, responses_4xx, responses_5xx, aborted,"
		" bytes_in, bytes_out, in_flight, ttfb_p50_us, ttfb_p99_us, total_p50_us, total_p99_us,"
		" cpu_us_per_request) VALUES (1, ?1, (SELECT id FROM series WHERE service = ?2 AND route = ?3), 1,"
		" ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)", true },
	[RECORD_SLO] = { "INSERT OR REPLACE INTO slo_sample (at_real_s, series, objective, latency_us, attained,"
		" burn_rate) VALUES (?1, (SELECT id FROM series WHERE service = ?2 AND route = ?3), ?4, ?5, ?6, ?7)",
		true },
	[RECORD_FORECAST] = { "INSERT INTO forecast (at_real_ns, service, series, horizon_s, step_s,"
		" target_real_s, mean, q05, q10, q25, q50, q75, q90, q95, q99) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
		" ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)", false },
	[RECORD_FORECAST_MODEL] = { "INSERT OR REPLACE INTO forecast_model (at_real_s, service, series,"
		" horizon_s, model, weight, loss) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", false },
	[RECORD_DEMAND] = { "INSERT OR REPLACE INTO demand (at_real_s, service, resource, lead_s, weight_apis,"
		" mean, q05, q10, q25, q50, q75, q90, q95, q99) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
		" ?11, ?12, ?13, ?14)", false },
	[RECORD_STATE] = { "INSERT OR REPLACE INTO model_state (at_real_ns, key, state) VALUES (?1, ?2, ?3)",
		false },
	[RECORD_TAPE] = { "INSERT OR REPLACE INTO planner_tape (begun_real_ns, part, at_real_ns, told) VALUES"
		" (?1, ?2, ?3, ?4)", false },
	[RECORD_DECISION] = { "INSERT INTO decision (id, at_real_ns, service, knob, before, value,"
		" reason, mode, inputs, refused, policy) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)" ONCE,
		false },
	[RECORD_WRITE] = { "INSERT INTO knob_write (id, at_real_ns, decision_id, service, knob, before,"
		" after, asked, errno, reason) VALUES (?1, ?2, nullif(?3, 0), ?4, ?5, ?6, ?7, ?8, ?9, ?10)" ONCE, false },
	[RECORD_EVENT] = { "INSERT INTO event (id, at_real_ns, kind, service, text, boot_id) VALUES"
		" (?1, ?2, ?3, ?4, ?5, ?6)" ONCE, false },
	[RECORD_BASELINE] = { "INSERT OR REPLACE INTO baseline (at_real_ns, service, cgroup, knob, value,"
		" boot_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", false },
	[RECORD_KNOWN_ADD] = { "INSERT INTO known_event (id, service, name, starts_real_ns, lasts_ns,"
		" multiplier) VALUES (?1, ?2, ?3, ?4, ?5, ?6)" ONCE, false },
	[RECORD_KNOWN_REMOVE] = { "UPDATE known_event SET removed = 1 WHERE id = ?1", false },
};
/* clang-format on */

int store_db_exec(struct store_db *db, const char *text, struct err *e)
{
	return sqlite3_exec(db->sql, text, NULL, NULL, NULL)
		       ? store_sql_err(db->sql, e, "write history")
		       : 0;
}

int store_db_run(struct store_db *db, const char *text, const int64_t *params, int n, struct err *e)
{
	sqlite3_stmt *q = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(db->sql, text, -1, &q, NULL))
		return store_sql_err(db->sql, e, "prepare history");
	for (int i = 0; i < n; i++)
		(void)sqlite3_bind_int64(q, i + 1, params[i]);
	if (sqlite3_step(q) != SQLITE_DONE)
		r = store_sql_err(db->sql, e, "write history");
	sqlite3_finalize(q);
	return r;
}

int64_t store_db_ask(struct store_db *db, const char *text)
{
	sqlite3_stmt *q = NULL;
	int64_t v = 0;

	if (!sqlite3_prepare_v2(db->sql, text, -1, &q, NULL) && sqlite3_step(q) == SQLITE_ROW)
		v = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return v;
}

int64_t store_db_last_id(struct store_db *db)
{
	return store_db_ask(db, "SELECT max((SELECT ifnull(max(id), 0) FROM decision),"
				" (SELECT ifnull(max(id), 0) FROM knob_write),"
				" (SELECT ifnull(max(id), 0) FROM event),"
				" (SELECT ifnull(max(id), 0) FROM known_event))");
}

void store_db_close(struct store_db *db)
{
	if (!db)
		return;
	sqlite3_finalize(db->series);
	for (size_t i = 0; i < RECORD_KINDS; i++)
		sqlite3_finalize(db->insert[i]);
	sqlite3_close(db->sql);
	free(db);
}

static void close_dbp(struct store_db **db)
{
	store_db_close(*db);
}

static int prepare(struct store_db *db, const char *text, sqlite3_stmt **ret, struct err *e)
{
	return sqlite3_prepare_v3(db->sql, text, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL)
		       ? store_sql_err(db->sql, e, "prepare history")
		       : 0;
}

static int prepare_all(struct store_db *db, struct err *e)
{
	int r = prepare(db, series_sql, &db->series, e);

	for (size_t i = 0; r == 0 && i < RECORD_KINDS; i++)
		r = prepare(db, rows[i].sql, &db->insert[i], e);
	return r;
}

int store_db_open(const char *path, const char *boot_id, struct store_db **ret, struct err *e)
{
	_cleanup_(close_dbp) struct store_db *db = calloc(1, sizeof(*db));
	int keep_wal = 1, r;

	if (!db)
		return err_set(e, -ENOMEM, "open %s", path);
	db->minute_until_s = db->hour_until_s = -1;
	copy_str(db->boot_id, sizeof(db->boot_id), boot_id ? boot_id : "");
	if (sqlite3_open_v2(path, &db->sql,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
				    SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
			    NULL)) {
		r = store_sql_err(db->sql, e, "open history");
		return err_wrap(e, r, "%s", path);
	}
	sqlite3_busy_timeout(db->sql, BUSY_MS);
	(void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* A new file in a directory of somebody else: no rollback journal could be made there. */
	if (store_db_ask(db, "PRAGMA page_count") == 0)
		(void)store_db_exec(db, "PRAGMA journal_mode=MEMORY", NULL);
	r = store_db_exec(db, setup, e);
	if (r == 0) /* readers of another user need the -wal and -shm after a clean close too */
		(void)sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_wal);
	if (r == 0)
		r = store_schema_migrate(db->sql, e);
	if (r == 0)
		r = prepare_all(db, e);
	if (r < 0)
		return err_wrap(e, r, "%s", path);
	*ret = take_ptr(db);
	return 0;
}

static void bind(sqlite3_stmt *q, int i, const struct value *v)
{
	switch (v->type) {
	case VALUE_NULL:
		(void)sqlite3_bind_null(q, i);
		break;
	case VALUE_INT:
		(void)sqlite3_bind_int64(q, i, v->i);
		break;
	case VALUE_REAL:
		(void)sqlite3_bind_double(q, i, v->real);
		break;
	case VALUE_TEXT:
		(void)sqlite3_bind_text64(q, i, v->bytes, v->size, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case VALUE_BLOB:
		(void)sqlite3_bind_blob64(q, i, v->bytes, v->size, SQLITE_STATIC);
		break;
	}
}

static void saw(struct store_db *db, int64_t at_s)
{
	db->oldest_s = db->newest_s ? MIN(db->oldest_s, at_s) : at_s;
	db->newest_s = MAX(db->newest_s, at_s);
}

/* One record into its row. Returns 0, -EINVAL when the schema refuses it, or a negative errno. */
static int write_record(struct store_db *db, const struct records *q, size_t *at,
			enum record_kind kind, struct err *e)
{
	sqlite3_stmt *insert = db->insert[kind];
	bool sample = rows[kind].sample;
	struct value v;
	int r = 0;

	for (int i = 1; records_value(q, at, &v); i++) {
		bind(insert, i, &v);
		if (sample && i <= 3)
			bind(db->series, i, &v);
		if (sample && i == 1)
			saw(db, v.i);
	}
	if (sample) {
		if (sqlite3_step(db->series) != SQLITE_DONE)
			r = store_sql_err(db->sql, e, "write history");
		(void)sqlite3_reset(db->series);
	}
	if (r == 0 && sqlite3_step(insert) != SQLITE_DONE)
		r = store_sql_err(db->sql, e, "write history");
	(void)sqlite3_reset(insert);
	return r;
}

int store_db_write(struct store_db *db, const struct records *q, bool durable, uint64_t *refused,
		   struct err *e)
{
	enum record_kind kind;
	size_t at = 0;
	uint64_t n = 0;
	int r;

	if (q->n == 0)
		return 0;
	r = store_db_exec(db,
			  durable ? "PRAGMA synchronous=FULL; BEGIN IMMEDIATE"
				  : "PRAGMA synchronous=NORMAL; BEGIN IMMEDIATE",
			  e);
	while (r == 0 && records_next(q, &at, &kind)) {
		r = write_record(db, q, &at, kind, e);
		if (r == -EINVAL) {
			n++;
			r = 0;
		}
	}
	if (r == 0)
		r = store_db_exec(db, "COMMIT", e);
	if (r < 0) {
		(void)sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
		return r;
	}
	*refused += n;
	return 0;
}

int store_db_bound_wal(struct store_db *db, uint64_t max_bytes, struct err *e)
{
	const char *wal = sqlite3_filename_wal(sqlite3_db_filename(db->sql, "main"));
	struct stat st;

	if (stat(wal, &st) < 0 || (uint64_t)st.st_size <= max_bytes)
		return 0;
	if (sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
	    SQLITE_OK)
		return 0;
	return err_say(e, -EFBIG, "%s has %llu MiB: a reader has kept an old state open for long",
		       wal, (unsigned long long)((uint64_t)st.st_size / MIB));
}

bool store_db_moved(struct store_db *db)
{
	int moved = 0;

	(void)sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	return moved != 0;
}

int store_db_set_aside(const char *path, struct err *e)
{
	char name[4096], from[4096], to[4096 + 8], when[32];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	(void)strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	for (int i = 0;; i++) {
		(void)snprintf(name, sizeof(name), i ? "%s.corrupt-%s.%d" : "%s.corrupt-%s", path,
			       when, i);
		if (access(name, F_OK) < 0)
			break;
	}
	if (rename(path, name) < 0)
		return errno == EACCES || errno == EPERM
			       ? err_say(e, -errno,
					 "%s is damaged and its directory is not this user's: the "
					 "next start of the agent sets it aside",
					 path)
			       : err_set(e, -errno, "set %s aside", path);
	(void)snprintf(from, sizeof(from), "%s-wal", path);
	(void)snprintf(to, sizeof(to), "%s-wal", name);
	(void)rename(from, to);
	(void)snprintf(from, sizeof(from), "%s-shm", path);
	(void)unlink(from);
	return 0;
}
