// SPDX-License-Identifier: GPL-2.0-or-later
/* store_upkeep.c - minutes from seconds, hours from minutes, what became of forecasts, and an end
 * to it all. */
#include <errno.h>
#include <sqlite3.h>

#include "agent/base/util.h"
#include "agent/store_db.h"
#include "agent/store_db_private.h"
#include "agent/store_schema.h"

#define MINUTE_S ((int64_t)S_PER_MIN)
#define HOUR_S   ((int64_t)S_PER_H)
#define JUMP_S   ((int64_t)S_PER_DAY) /* a clock that moved on by more may be wrong */
#define DOUBT    60                   /* minutes until it is believed */

/* clang-format off */

/* A mean over the seconds it was measured in, and the largest; the seconds' own maximum is not kept. */
#define MEAN(x) "sum(" x " * seconds) / sum(iif(" x " IS NULL, NULL, seconds)), "
#define MOST(x) "max(coalesce(" x "_max, " x ")), "
#define BY_REQUESTS(x) "sum(" x " * requests) / nullif(sum(iif(" x " IS NULL, NULL, requests)), 0)"

/* ?1 coarse step, ?2 fine step, [?3, ?4) */
#define ROLL(table, columns)                                                                         \
	"INSERT OR REPLACE INTO " table " SELECT ?1, at_real_s / ?1 * ?1 AS bucket, series, sum(seconds), " \
	columns " FROM " table " WHERE step_s = ?2 AND at_real_s >= ?3 AND at_real_s < ?4"           \
	" GROUP BY bucket, series"

static const char *const rolls[] = {
	ROLL("service_sample",
	     MEAN("cpu_mcpu") MOST("cpu_mcpu") MEAN("throttled_ratio") MOST("throttled_ratio")
	     MEAN("memory_bytes") MOST("memory_bytes") MEAN("tx_bits_per_s") MOST("tx_bits_per_s")
	     MEAN("psi_cpu") MOST("psi_cpu") MEAN("psi_memory") MOST("psi_memory")
	     MEAN("psi_io") MOST("psi_io") MEAN("working_set_bytes")
	     "max(coalesce(working_set_bytes_max, working_set_bytes))"),
	ROLL("route_sample",
	     "sum(requests), sum(responses_1xx), sum(responses_2xx), sum(responses_3xx), sum(responses_4xx),"
	     " sum(responses_5xx), sum(aborted), sum(bytes_in), sum(bytes_out), "
	     MEAN("in_flight") MOST("in_flight")
	     BY_REQUESTS("ttfb_p50_us") ", max(ttfb_p99_us), " BY_REQUESTS("total_p50_us")
	     ", max(total_p99_us), " BY_REQUESTS("cpu_us_per_request")),
};

/*
 * What a forecast was about, once its step is over: a measure of the service, or requests/s of a
 * route; none where the service itself was not sampled. ?1 and ?2: targets from and until.
 */
static const char fill_actual[] =
	"UPDATE forecast AS f SET actual = (SELECT CASE f.series WHEN 'cpu_mcpu' THEN v.cpu_mcpu"
	" WHEN 'memory_bytes' THEN coalesce(v.working_set_bytes, v.memory_bytes) WHEN 'tx_bits_per_s' THEN v.tx_bits_per_s"
	" ELSE ifnull((SELECT 1.0 * r.requests FROM series rs JOIN route_sample r ON r.series = rs.id"
	" WHERE rs.service = f.service AND rs.route = f.series AND r.step_s = f.step_s"
	" AND r.at_real_s = f.target_real_s), 0) / v.seconds END"
	" FROM series s JOIN service_sample v ON v.series = s.id WHERE s.service = f.service AND s.route = ''"
	" AND v.step_s = f.step_s AND v.at_real_s = f.target_real_s)"
	" WHERE f.target_real_s >= ?1 AND f.target_real_s + f.step_s <= ?2 AND f.actual IS NULL";

/*
 * The largest use of the seconds of a lead, once it is over and nearly all of them were sampled. ?1
 * and ?2: leads from and until.
 */
static const char fill_demand[] =
	"UPDATE demand AS d SET actual = (SELECT iif(count(x) >= 0.9 * d.lead_s, max(x), NULL) FROM"
	" (SELECT CASE d.resource WHEN 'cpu_mcpu' THEN v.cpu_mcpu WHEN 'memory_bytes' THEN coalesce(v.working_set_bytes, v.memory_bytes)"
	" ELSE v.tx_bits_per_s END AS x FROM service_sample v WHERE v.step_s = 1"
	" AND v.at_real_s > d.at_real_s AND v.at_real_s <= d.at_real_s + d.lead_s"
	" AND v.series = (SELECT id FROM series WHERE service = d.service AND route = '')))"
	" WHERE d.at_real_s >= ?1 AND d.at_real_s + d.lead_s <= ?2 AND d.actual IS NULL";

/* Oldest first, in the order in which they are missed least; ?1 rows. */
static const char *const shrink[] = {
	"DELETE FROM planner_tape WHERE rowid IN (SELECT rowid FROM planner_tape ORDER BY at_real_ns LIMIT ?1 / 8)",
	"DELETE FROM route_sample WHERE (step_s, at_real_s, series) IN"
	" (SELECT step_s, at_real_s, series FROM route_sample ORDER BY step_s, at_real_s, series LIMIT ?1)",
	"DELETE FROM service_sample WHERE (step_s, at_real_s, series) IN"
	" (SELECT step_s, at_real_s, series FROM service_sample ORDER BY step_s, at_real_s, series LIMIT ?1)",
	"DELETE FROM forecast WHERE rowid IN (SELECT rowid FROM forecast ORDER BY target_real_s LIMIT ?1)",
	"DELETE FROM demand WHERE (at_real_s, service, resource) IN"
	" (SELECT at_real_s, service, resource FROM demand ORDER BY at_real_s LIMIT ?1)",
	"DELETE FROM forecast_model WHERE (at_real_s, service, series, horizon_s, model) IN"
	" (SELECT at_real_s, service, series, horizon_s, model FROM forecast_model ORDER BY at_real_s LIMIT ?1)",
	"DELETE FROM slo_sample WHERE (at_real_s, series) IN"
	" (SELECT at_real_s, series FROM slo_sample ORDER BY at_real_s LIMIT ?1)",
	"DELETE FROM decision WHERE id IN (SELECT id FROM decision ORDER BY at_real_ns LIMIT ?1 / 4)",
	"DELETE FROM knob_write WHERE id IN (SELECT id FROM knob_write ORDER BY at_real_ns LIMIT ?1 / 4)",
	"DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY at_real_ns LIMIT ?1 / 4)",
};
/* clang-format on */

static int64_t round_up(int64_t v, int64_t step)
{
	return (v + step - 1) / step * step;
}

/* Rolls [*until, @now) up from @fine to @coarse steps, nothing older than @kept_from. */
static int roll(struct store_db *db, int64_t coarse, int64_t fine, int64_t *until, int64_t now,
		int64_t kept_from, struct err *e)
{
	int64_t end = now / coarse * coarse;
	int64_t params[] = {coarse, fine, MAX(*until, round_up(kept_from, coarse)), end};
	int r = 0;

	if (params[2] >= end)
		return 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rolls); i++)
		r = store_db_run(db, rolls[i], params, 4, e);
	if (r == 0)
		*until = end;
	return r;
}

/* They come and go within a second; those of a week are looked at, by the index on the time. */
#define A_LOAN                                                                                     \
	"at_real_ns < ?1 AND at_real_ns >= ?1 - 604800000000000 AND reason IN ('loan', 'loan_back')"

static int prune(struct store_db *db, const struct store_keep *keep, int64_t now, struct err *e)
{
	const int64_t second = now - (int64_t)keep->second_s,
		      minute = now - (int64_t)keep->minute_s, hour = now - (int64_t)keep->hour_s,
		      ns = (int64_t)NS_PER_S;
	/* clang-format off */
	const struct {
		const char *sql;
		int64_t before;
	} cuts[] = {
		{ "DELETE FROM service_sample WHERE step_s = 1 AND at_real_s < ?1", second },
		{ "DELETE FROM route_sample WHERE step_s = 1 AND at_real_s < ?1", second },
		{ "DELETE FROM planner_tape WHERE at_real_ns < ?1", second * ns },
		{ "DELETE FROM service_sample WHERE step_s = 60 AND at_real_s < ?1", minute },
		{ "DELETE FROM route_sample WHERE step_s = 60 AND at_real_s < ?1", minute },
		{ "DELETE FROM slo_sample WHERE at_real_s < ?1", minute },
		{ "DELETE FROM forecast WHERE target_real_s < ?1", minute },
		{ "DELETE FROM demand WHERE at_real_s < ?1", minute },
		{ "DELETE FROM service_sample WHERE step_s = 3600 AND at_real_s < ?1", hour },
		{ "DELETE FROM route_sample WHERE step_s = 3600 AND at_real_s < ?1", hour },
		{ "DELETE FROM forecast_model WHERE at_real_s < ?1", hour },
		{ "DELETE FROM decision WHERE " A_LOAN, second * ns },
		{ "DELETE FROM knob_write WHERE " A_LOAN, second * ns },
		{ "DELETE FROM decision WHERE at_real_ns < ?1", hour * ns },
		{ "DELETE FROM knob_write WHERE at_real_ns < ?1", hour * ns },
		{ "DELETE FROM event WHERE at_real_ns < ?1", hour * ns },
	};
	/* clang-format on */
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(cuts); i++)
		r = store_db_run(db, cuts[i].sql, &cuts[i].before, 1, e);
	return r;
}

/*
 * True when @now may be believed: a clock a century ahead for a moment must not delete all. After
 * a long stop this only delays.
 */
static bool clock_is_sure(struct store_db *db, int64_t second_from)
{
	if (db->second_from_s > 0 && second_from - db->second_from_s > JUMP_S)
		db->doubtful_minutes = DOUBT;
	else if (db->doubtful_minutes > 0)
		db->doubtful_minutes--;
	return db->doubtful_minutes == 0;
}

/* The minute's work, when a minute is complete; in one transaction. */
static int minute_work(struct store_db *db, const struct store_keep *keep, int64_t now,
		       struct err *e)
{
	int64_t actual[2] = {now - 3 * HOUR_S, 0}, marks[4];
	int64_t second_from = now - (int64_t)keep->second_s;
	int64_t minute_from = now - (int64_t)keep->minute_s;
	int r;

	/* After a long stop more is there than now would keep: as far back as the last prune left.
	 */
	r = roll(db, MINUTE_S, 1, &db->minute_until_s, now, MIN(second_from, db->second_from_s), e);
	if (r == 0)
		r = roll(db, HOUR_S, MINUTE_S, &db->hour_until_s, now,
			 MIN(minute_from, db->minute_from_s), e);
	actual[1] = now / MINUTE_S * MINUTE_S;
	if (r == 0)
		r = store_db_run(db, fill_actual, actual, 2, e);
	if (r == 0)
		r = store_db_run(db, fill_demand, actual, 2, e);
	if (r == 0 && clock_is_sure(db, second_from))
		r = prune(db, keep, now, e);
	marks[0] = db->minute_until_s;
	marks[1] = db->hour_until_s;
	marks[2] = db->second_from_s = second_from;
	marks[3] = db->minute_from_s = minute_from;
	if (r == 0)
		r = store_db_run(db,
				 "INSERT OR REPLACE INTO meta (key, value) VALUES"
				 " ('minute_until_s', ?1), ('hour_until_s', ?2),"
				 " ('second_from_s', ?3), ('minute_from_s', ?4)",
				 marks, 4, e);
	return r;
}

static uint64_t used_bytes(struct store_db *db)
{
	int64_t pages =
		store_db_ask(db, "PRAGMA page_count") - store_db_ask(db, "PRAGMA freelist_count");

	return (uint64_t)(pages * store_db_ask(db, "PRAGMA page_size"));
}

/* Frees rows until nine tenths of @max_bytes are left, 4,000 rows a round and at most 50 rounds. */
static int stay_small(struct store_db *db, uint64_t max_bytes, struct err *e)
{
	const int64_t some = 4000;
	size_t stage = 0;
	int r = 0;

	if (max_bytes == 0)
		return 0;
	for (int round = 0; r == 0 && round < 50 && stage < ARRAY_SIZE(shrink); round++) {
		if (used_bytes(db) <= max_bytes / 10 * 9)
			break;
		r = store_db_run(db, shrink[stage], &some, 1, e);
		if (sqlite3_changes(db->sql) == 0)
			stage++;
	}
	if (r == 0 && (uint64_t)(store_db_ask(db, "PRAGMA page_count") *
				 store_db_ask(db, "PRAGMA page_size")) > max_bytes)
		r = store_db_exec(db, "PRAGMA incremental_vacuum", e);
	return r;
}

static void read_marks(struct store_db *db)
{
	db->minute_until_s =
		store_db_ask(db, "SELECT value FROM meta WHERE key = 'minute_until_s'");
	db->hour_until_s = store_db_ask(db, "SELECT value FROM meta WHERE key = 'hour_until_s'");
	db->second_from_s = store_db_ask(db, "SELECT value FROM meta WHERE key = 'second_from_s'");
	db->minute_from_s = store_db_ask(db, "SELECT value FROM meta WHERE key = 'minute_from_s'");
}

int store_db_upkeep(struct store_db *db, const struct store_keep *keep, struct err *e)
{
	int64_t now = db->newest_s, oldest = db->oldest_s;
	int r;

	if (now == 0)
		return 0;
	db->newest_s = db->oldest_s = 0;
	if (db->minute_until_s < 0)
		read_marks(db);
	/* Late samples, or a clock set back: those minutes are rolled up once more. */
	db->minute_until_s = MIN(db->minute_until_s, oldest / MINUTE_S * MINUTE_S);
	db->hour_until_s = MIN(db->hour_until_s, oldest / HOUR_S * HOUR_S);
	if (now / MINUTE_S * MINUTE_S <= db->minute_until_s)
		return 0;
	r = store_db_exec(db, "BEGIN IMMEDIATE", e);
	if (r == 0)
		r = minute_work(db, keep, now, e);
	if (r == 0)
		r = store_db_exec(db, "COMMIT", e);
	if (r < 0) {
		(void)sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
		db->minute_until_s = -1;
		return r;
	}
	return stay_small(db, keep->max_bytes, e);
}
