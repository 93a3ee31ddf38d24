// SPDX-License-Identifier: GPL-2.0-or-later
/* store_schema.c - the tables and views of the history, and how older files are brought up to them.
 */
#include "agent/store_schema.h"

#include <errno.h>
#include <stdio.h>

#include "agent/base/util.h"

/* clang-format off */
static const char version_1[] =
"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;\n"
"CREATE TABLE series (id INTEGER PRIMARY KEY, service TEXT NOT NULL, route TEXT NOT NULL,\n"
"  UNIQUE (service, route)) STRICT;\n"
"CREATE TABLE service_sample (step_s INTEGER NOT NULL, at_real_s INTEGER NOT NULL,\n"
"  series INTEGER NOT NULL, seconds INTEGER NOT NULL,\n"
"  cpu_mcpu REAL, cpu_mcpu_max REAL, throttled_ratio REAL, throttled_ratio_max REAL,\n"
"  memory_bytes REAL, memory_bytes_max REAL, tx_bits_per_s REAL, tx_bits_per_s_max REAL,\n"
"  psi_cpu REAL, psi_cpu_max REAL, psi_memory REAL, psi_memory_max REAL, psi_io REAL, psi_io_max REAL,\n"
"  PRIMARY KEY (step_s, at_real_s, series)) STRICT, WITHOUT ROWID;\n"
"CREATE TABLE route_sample (step_s INTEGER NOT NULL, at_real_s INTEGER NOT NULL,\n"
"  series INTEGER NOT NULL, seconds INTEGER NOT NULL,\n"
"  requests INTEGER, responses_1xx INTEGER, responses_2xx INTEGER, responses_3xx INTEGER,\n"
"  responses_4xx INTEGER, responses_5xx INTEGER, aborted INTEGER, bytes_in INTEGER, bytes_out INTEGER,\n"
"  in_flight REAL, in_flight_max REAL, ttfb_p50_us REAL, ttfb_p99_us REAL,\n"
"  total_p50_us REAL, total_p99_us REAL, cpu_us_per_request REAL,\n"
"  PRIMARY KEY (step_s, at_real_s, series)) STRICT, WITHOUT ROWID;\n"
"CREATE TABLE slo_sample (at_real_s INTEGER NOT NULL, series INTEGER NOT NULL, objective REAL,\n"
"  latency_us INTEGER, attained REAL, burn_rate REAL,\n"
"  PRIMARY KEY (at_real_s, series)) STRICT, WITHOUT ROWID;\n"
"CREATE TABLE forecast (at_real_ns INTEGER NOT NULL, service TEXT NOT NULL, series TEXT NOT NULL,\n"
"  horizon_s INTEGER NOT NULL, step_s INTEGER NOT NULL, target_real_s INTEGER NOT NULL, mean REAL,\n"
"  q05 REAL, q10 REAL, q25 REAL, q50 REAL, q75 REAL, q90 REAL, q95 REAL, q99 REAL, actual REAL) STRICT;\n"
"CREATE INDEX forecast_target ON forecast (target_real_s);\n"
"CREATE TABLE decision (id INTEGER PRIMARY KEY, at_real_ns INTEGER NOT NULL, service TEXT NOT NULL,\n"
"  knob TEXT NOT NULL, before INTEGER, value INTEGER, reason TEXT, mode TEXT, inputs TEXT,\n"
"  refused TEXT, policy TEXT) STRICT;\n"
"CREATE INDEX decision_at ON decision (at_real_ns);\n"
"CREATE TABLE knob_write (id INTEGER PRIMARY KEY, at_real_ns INTEGER NOT NULL, decision_id INTEGER,\n"
"  service TEXT NOT NULL, knob TEXT NOT NULL, before INTEGER, after INTEGER, asked INTEGER,\n"
"  errno INTEGER NOT NULL, reason TEXT) STRICT;\n"
"CREATE INDEX knob_write_at ON knob_write (at_real_ns);\n"
"CREATE INDEX knob_write_decision ON knob_write (decision_id);\n"
"CREATE TABLE event (id INTEGER PRIMARY KEY, at_real_ns INTEGER NOT NULL, kind TEXT NOT NULL,\n"
"  service TEXT, text TEXT, boot_id TEXT) STRICT;\n"
"CREATE INDEX event_at ON event (at_real_ns);\n"
"CREATE TABLE baseline (boot_id TEXT NOT NULL, cgroup TEXT NOT NULL, knob TEXT NOT NULL,\n"
"  at_real_ns INTEGER NOT NULL, service TEXT, value INTEGER,\n"
"  PRIMARY KEY (boot_id, cgroup, knob)) STRICT, WITHOUT ROWID;\n"
"CREATE TABLE known_event (id INTEGER PRIMARY KEY, service TEXT NOT NULL, name TEXT NOT NULL,\n"
"  starts_real_ns INTEGER NOT NULL, lasts_ns INTEGER NOT NULL, multiplier REAL,\n"
"  removed INTEGER NOT NULL DEFAULT 0) STRICT;\n"
"CREATE TABLE model_state (key TEXT PRIMARY KEY, at_real_ns INTEGER NOT NULL, state BLOB NOT NULL) STRICT;\n"
"\n"
"CREATE VIEW decisions AS SELECT d.id, datetime(d.at_real_ns / 1000000000, 'unixepoch') AS at, d.service,\n"
"  d.knob, d.before, d.value, d.reason, d.mode, d.policy, d.inputs, d.refused, w.id AS write_id,\n"
"  w.after, w.errno, (w.at_real_ns - d.at_real_ns) / 1e6 AS written_after_ms, d.at_real_ns\n"
"  FROM decision d LEFT JOIN knob_write w ON w.decision_id = d.id;\n"
"CREATE VIEW who_wrote AS SELECT datetime(at_real_ns / 1000000000, 'unixepoch') AS at, 'foreshape' AS who,\n"
"  service, knob, before, after, errno, reason AS why, at_real_ns FROM knob_write\n"
"  UNION ALL SELECT datetime(at_real_ns / 1000000000, 'unixepoch'), 'other', service, NULL, NULL, NULL,\n"
"  NULL, text, at_real_ns FROM event WHERE kind = 'foreign_write';\n"
"CREATE VIEW services AS SELECT datetime(v.at_real_s, 'unixepoch') AS at, s.service, v.* FROM\n"
"  service_sample v JOIN series s ON s.id = v.series;\n"
"CREATE VIEW routes AS SELECT datetime(r.at_real_s, 'unixepoch') AS at, s.service, s.route, r.*,\n"
"  1.0 * r.requests / r.step_s AS requests_per_s, r.responses_5xx + r.aborted AS errors\n"
"  FROM route_sample r JOIN series s ON s.id = r.series;\n"
"CREATE VIEW last_hour AS SELECT service, route, sum(requests) AS requests, sum(errors) AS errors,\n"
"  max(requests_per_s) AS peak_per_s, max(total_p99_us) AS worst_p99_us,\n"
"  sum(bytes_out) AS bytes_out FROM routes WHERE step_s = 60 AND at_real_s >\n"
"  (SELECT max(at_real_s) - 3600 FROM route_sample WHERE step_s = 60) GROUP BY service, route;\n"
"CREATE VIEW cost_per_api AS SELECT service, route, date(at_real_s, 'unixepoch') AS day,\n"
"  sum(requests) AS requests,\n"
"  sum(cpu_us_per_request * requests) / nullif(sum(iif(cpu_us_per_request IS NULL, 0, requests)), 0)\n"
"  AS cpu_us_per_request, 1.0 * sum(bytes_out) / nullif(sum(requests), 0) AS bytes_out_per_request\n"
"  FROM routes WHERE step_s = 60 GROUP BY service, route, day;\n"
"CREATE VIEW slo_attainment AS SELECT s.service, nullif(s.route, '') AS route,\n"
"  date(v.at_real_s, 'unixepoch') AS day, v.objective, v.latency_us, avg(v.attained) AS attained,\n"
"  min(v.attained) AS worst, max(v.burn_rate) AS burn_rate_max, count(v.attained) AS samples,\n"
"  sum(v.attained < v.objective) AS samples_missed FROM slo_sample v JOIN series s ON s.id = v.series\n"
"  GROUP BY s.service, s.route, day, v.objective, v.latency_us;\n"
"CREATE VIEW forecast_error AS SELECT service, series, horizon_s, count(*) AS forecasts,\n"
"  avg(abs(actual - q50)) AS mean_abs_error, sum(abs(actual - q50)) / nullif(sum(actual), 0) AS wape,\n"
"  avg(actual - mean) AS bias, avg(actual BETWEEN q05 AND q95) AS coverage90,\n"
"  avg(actual <= q99) AS below_q99 FROM forecast WHERE actual IS NOT NULL\n"
"  GROUP BY service, series, horizon_s;\n";

static const char version_2[] =
"CREATE TABLE forecast_model (at_real_s INTEGER NOT NULL, service TEXT NOT NULL, series TEXT NOT NULL,\n"
"  horizon_s INTEGER NOT NULL, model TEXT NOT NULL, weight REAL, loss REAL,\n"
"  PRIMARY KEY (at_real_s, service, series, horizon_s, model)) STRICT, WITHOUT ROWID;\n"
"CREATE TABLE demand (at_real_s INTEGER NOT NULL, service TEXT NOT NULL, resource TEXT NOT NULL,\n"
"  lead_s INTEGER NOT NULL, mean REAL, q05 REAL, q10 REAL, q25 REAL, q50 REAL, q75 REAL, q90 REAL,\n"
"  q95 REAL, q99 REAL, weight_apis REAL, actual REAL,\n"
"  PRIMARY KEY (at_real_s, service, resource)) STRICT, WITHOUT ROWID;\n"
"CREATE VIEW forecast_winner AS SELECT datetime(at_real_s, 'unixepoch') AS at, service, series,\n"
"  horizon_s, model, max(weight) AS weight, loss, at_real_s FROM forecast_model\n"
"  GROUP BY at_real_s, service, series, horizon_s;\n"
"CREATE VIEW demand_error AS SELECT service, resource, count(*) AS forecasts,\n"
"  avg(abs(actual - q50)) AS mean_abs_error, sum(abs(actual - q50)) / nullif(sum(actual), 0) AS wape,\n"
"  avg(actual BETWEEN q05 AND q95) AS coverage90, avg(actual <= q90) AS below_q90,\n"
"  avg(actual <= q99) AS below_q99 FROM demand WHERE actual IS NOT NULL GROUP BY service, resource;\n";

static const char version_3[] =
"CREATE TABLE planner_tape (begun_real_ns INTEGER NOT NULL, part INTEGER NOT NULL,\n"
"  at_real_ns INTEGER NOT NULL, told BLOB NOT NULL, PRIMARY KEY (begun_real_ns, part)) STRICT;\n"
"CREATE INDEX planner_tape_at ON planner_tape (at_real_ns);\n";

static const char version_4[] =
"ALTER TABLE service_sample ADD COLUMN working_set_bytes REAL;\n"
"ALTER TABLE service_sample ADD COLUMN working_set_bytes_max REAL;\n";
/* clang-format on */

/* Row i brings version i to i + 1. */
static const char *const migrations[STORE_VERSION] = {version_1, version_2, version_3, version_4};

int store_sql_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_ERROR: /* our own statements do not fit the schema the file claims to have */
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
	case SQLITE_RANGE:
		return -EINVAL;
	default:
		return -EIO;
	}
}

int store_sql_err(sqlite3 *db, struct err *e, const char *what)
{
	int r = store_sql_errno(sqlite3_extended_errcode(db));

	return err_say(e, r ? r : -EIO, "%s: %s", what, sqlite3_errmsg(db));
}

/* One integer from a statement without parameters. */
static int ask(sqlite3 *db, const char *sql, int64_t *ret, struct err *e)
{
	sqlite3_stmt *q = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) || sqlite3_step(q) != SQLITE_ROW)
		r = store_sql_err(db, e, "read history");
	else
		*ret = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return r;
}

static int step_up(sqlite3 *db, int64_t version, struct err *e)
{
	char set[96];
	int r;

	(void)snprintf(set, sizeof(set), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
		       STORE_APPLICATION_ID, STORE_VERSION);
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL))
		return store_sql_err(db, e, "migrate history");
	for (; version < STORE_VERSION; version++) {
		if (sqlite3_exec(db, migrations[version], NULL, NULL, NULL))
			goto fail;
	}
	if (!sqlite3_exec(db, set, NULL, NULL, NULL))
		return 0;
fail:
	r = store_sql_err(db, e, "migrate history");
	(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

int store_schema_migrate(sqlite3 *db, struct err *e)
{
	int64_t version = 0, id = 0, tables = 0;
	int r;

	r = ask(db, "PRAGMA user_version", &version, e);
	if (r == 0)
		r = ask(db, "PRAGMA application_id", &id, e);
	if (r == 0)
		r = ask(db, "SELECT count(*) FROM sqlite_schema", &tables, e);
	if (r < 0)
		return r;
	if (tables > 0 && id != STORE_APPLICATION_ID)
		return err_say(e, -EEXIST, "the file is a database of another program");
	if (version > STORE_VERSION || version < 0)
		return err_say(e, -EPROTONOSUPPORT,
			       "the file has version %lld, this foreshape knows up to %d",
			       (long long)version, STORE_VERSION);
	if (tables == 0)
		version = 0;
	return version == STORE_VERSION ? 0 : step_up(db, version, e);
}
