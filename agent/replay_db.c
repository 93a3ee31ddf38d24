// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_db.c - samples of the history into steps. */
#include "agent/replay_db.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/store_schema.h"

#define SLIP_STEPS 3 /* a step so late is late, no gap: see GAP_PERIODS of the planner */

/* clang-format off */
static const char finest_sql[] =
	"WITH r AS (SELECT v.step_s, min(v.at_real_s) AS first FROM service_sample v JOIN series s"
	" ON s.id = v.series WHERE s.service = ?1 AND s.route = '' GROUP BY v.step_s)"
	" SELECT step_s FROM r ORDER BY first > max(?2, (SELECT min(first + step_s) FROM r)) + 2 * step_s,"
	" step_s LIMIT 1";

static const char rows_sql[] =
	"SELECT at_real_s, cpu_mcpu, throttled_ratio, memory_bytes, tx_bits_per_s, psi_cpu, psi_memory, psi_io"
	" FROM service_sample WHERE step_s = ?1 AND series = (SELECT id FROM series WHERE service = ?2 AND"
	" route = '') AND at_real_s >= ?3 AND at_real_s <= ?4 ORDER BY at_real_s";

static const char apis_sql[] =
	"SELECT r.at_real_s, s.route, r.requests, r.responses_1xx + r.responses_2xx + r.responses_3xx +"
	" r.responses_4xx + r.responses_5xx + r.aborted, r.responses_5xx + r.aborted, r.bytes_in, r.bytes_out,"
	" r.in_flight FROM route_sample r JOIN series s ON s.id = r.series WHERE r.step_s = ?1 AND s.service = ?2"
	" AND r.at_real_s >= ?3 AND r.at_real_s <= ?4 ORDER BY r.at_real_s";

static const char slo_sql[] =
	"SELECT max(objective), avg(attained), min(attained) FROM slo_sample WHERE ?1 > 0 AND series ="
	" (SELECT id FROM series WHERE service = ?2 AND route = '') AND at_real_s >= ?3 AND at_real_s <= ?4";
/* clang-format on */

static void finalizep(sqlite3_stmt **q)
{
	sqlite3_finalize(*q);
}

void replay_db_free(struct replay_db *db)
{
	free(db->routes);
	free(db->apis);
	free(db->rows);
	*db = (struct replay_db){};
}

/* Room for one more in *@list of @n elements of @size bytes; NULL: no memory. */
static void *grow(void **list, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 256;
	void *bigger;

	if (n < *room)
		return *list;
	bigger = reallocarray(*list, more, size);
	if (!bigger)
		return NULL;
	*room = more;
	*list = bigger;
	return bigger;
}

static double number(sqlite3_stmt *q, int i)
{
	return sqlite3_column_type(q, i) == SQLITE_NULL ? NAN : sqlite3_column_double(q, i);
}

static uint64_t count(sqlite3_stmt *q, int i)
{
	int64_t v = sqlite3_column_int64(q, i);

	return v > 0 ? (uint64_t)v : 0;
}

static int add_row(struct replay_db *db, const struct replay_step *step)
{
	if (!grow((void **)&db->rows, db->n, &db->room, sizeof(*db->rows)))
		return -ENOMEM;
	db->rows[db->n++] = (struct replay_db_row){.step = *step};
	db->n_missing += !isfinite(step->used_mcpu);
	return 0;
}

/* The end of a step: a second is stamped with its end, a rollup with its start. */
static int64_t end_of(const struct replay_db *db, int64_t at_s)
{
	int64_t end_s = db->step_ns == NS_PER_S ? at_s : at_s + (int64_t)(db->step_ns / NS_PER_S);

	return end_s * (int64_t)NS_PER_S;
}

static int take_row(struct replay_db *db, sqlite3_stmt *q)
{
	int64_t end_ns = end_of(db, sqlite3_column_int64(q, 0));
	uint64_t step_ns = db->step_ns;
	struct replay_step step;

	if (db->n > 0) {
		int64_t before_ns = db->rows[db->n - 1].step.ends_real_ns;
		uint64_t since_ns = (uint64_t)(end_ns - before_ns);

		if (since_ns > SLIP_STEPS * step_ns) {
			step = replay_step_blank(end_ns - (int64_t)step_ns, since_ns - step_ns);
			if (add_row(db, &step) < 0)
				return -ENOMEM;
		} else {
			step_ns = since_ns;
		}
	}
	step = (struct replay_step){
		.ends_real_ns = end_ns,
		.interval_ns = step_ns,
		.used_mcpu = number(q, 1),
		.throttled = number(q, 2),
		.memory_bytes = number(q, 3),
		.tx_bits_per_s = number(q, 4),
		.psi_cpu = number(q, 5),
		.psi_memory = number(q, 6),
		.psi_io = number(q, 7),
	};
	return add_row(db, &step);
}

/* The index of a route, that of a new one where it was not seen; SIZE_MAX: no memory. */
static size_t route_of(struct replay_db *db, const char *name)
{
	for (size_t i = 0; i < db->n_routes; i++)
		if (streq(db->routes[i], name))
			return i;
	if (!grow((void **)&db->routes, db->n_routes, &db->routes_room, sizeof(*db->routes)))
		return SIZE_MAX;
	(void)copy_str(db->routes[db->n_routes], sizeof(db->routes[0]), name);
	return db->n_routes++;
}

/* Rows are passed in order: *@at is the first that may be meant. */
static int take_api(struct replay_db *db, sqlite3_stmt *q, size_t *at)
{
	int64_t end_ns = end_of(db, sqlite3_column_int64(q, 0));
	const char *name = (const char *)sqlite3_column_text(q, 1);
	struct replay_db_row *row;
	size_t route;

	while (*at < db->n && db->rows[*at].step.ends_real_ns < end_ns)
		++*at;
	if (*at == db->n || db->rows[*at].step.ends_real_ns != end_ns || !name)
		return 0;
	route = route_of(db, name);
	if (route == SIZE_MAX ||
	    !grow((void **)&db->apis, db->n_apis, &db->apis_room, sizeof(*db->apis)))
		return -ENOMEM;
	row = &db->rows[*at];
	if (row->n_apis++ == 0)
		row->first_api = db->n_apis;
	db->apis[db->n_apis++] = (struct replay_db_api){
		.route = (uint32_t)route,
		.counts = {.requests = count(q, 2),
			   .finished = count(q, 3),
			   .errors = count(q, 4),
			   .bytes_in = count(q, 5),
			   .bytes_out = count(q, 6),
			   .in_flight = fmax(number(q, 7), 0)},
	};
	return 0;
}

static int prepare(sqlite3 *sql, const char *text, const struct replay_db_conf *conf,
		   uint64_t step_s, sqlite3_stmt **ret, struct err *e)
{
	if (sqlite3_prepare_v2(sql, text, -1, ret, NULL))
		return store_sql_err(sql, e, "read history");
	(void)sqlite3_bind_int64(*ret, 1, (int64_t)step_s);
	(void)sqlite3_bind_text(*ret, 2, conf->service, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(*ret, 3, conf->from_real_ns / (int64_t)NS_PER_S);
	(void)sqlite3_bind_int64(*ret, 4, conf->to_real_ns / (int64_t)NS_PER_S);
	return 0;
}

/* The finest rollup that goes back to where the range begins, or simply the finest. */
static int find_step(sqlite3 *sql, const struct replay_db_conf *conf, uint64_t *ret, struct err *e)
{
	_cleanup_(finalizep) sqlite3_stmt *q = NULL;
	bool all = conf->from_real_ns == INT64_MIN;
	int r;

	if (sqlite3_prepare_v2(sql, finest_sql, -1, &q, NULL))
		return store_sql_err(sql, e, "read history");
	(void)sqlite3_bind_text(q, 1, conf->service, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 2,
				 all ? INT64_MAX / 2 : conf->from_real_ns / (int64_t)NS_PER_S);
	r = sqlite3_step(q);
	if (r == SQLITE_DONE)
		return err_say(e, -ENOENT, "the history has no samples of service '%s'",
			       conf->service);
	if (r != SQLITE_ROW)
		return store_sql_err(sql, e, "read history");
	*ret = conf->step_s ? conf->step_s : (uint64_t)sqlite3_column_int64(q, 0);
	return 0;
}

static int read_rows(sqlite3 *sql, const struct replay_db_conf *conf, struct replay_db *db,
		     struct err *e)
{
	_cleanup_(finalizep) sqlite3_stmt *q = NULL;
	int r = prepare(sql, rows_sql, conf, db->step_ns / NS_PER_S, &q, e);

	if (r < 0)
		return r;
	while ((r = sqlite3_step(q)) == SQLITE_ROW)
		if (take_row(db, q) < 0)
			return err_set(e, -ENOMEM, "read history");
	return r == SQLITE_DONE ? 0 : store_sql_err(sql, e, "read history");
}

static int read_apis(sqlite3 *sql, const struct replay_db_conf *conf, struct replay_db *db,
		     struct err *e)
{
	_cleanup_(finalizep) sqlite3_stmt *q = NULL;
	int r = prepare(sql, apis_sql, conf, db->step_ns / NS_PER_S, &q, e);
	size_t at = 0;

	if (r < 0)
		return r;
	while ((r = sqlite3_step(q)) == SQLITE_ROW)
		if (take_api(db, q, &at) < 0)
			return err_set(e, -ENOMEM, "read history");
	return r == SQLITE_DONE ? 0 : store_sql_err(sql, e, "read history");
}

static int read_slo(sqlite3 *sql, const struct replay_db_conf *conf, struct replay_db_slo *ret,
		    struct err *e)
{
	_cleanup_(finalizep) sqlite3_stmt *q = NULL;
	int r = prepare(sql, slo_sql, conf, 1, &q, e);

	if (r < 0)
		return r;
	if (sqlite3_step(q) != SQLITE_ROW)
		return store_sql_err(sql, e, "read history");
	*ret = (struct replay_db_slo){number(q, 0), number(q, 1), number(q, 2)};
	return 0;
}

int replay_db_read(sqlite3 *db, const struct replay_db_conf *conf, struct replay_db *ret,
		   struct err *e)
{
	struct replay_db d = {};
	uint64_t step_s = 0;
	int r = find_step(db, conf, &step_s, e);

	d.step_ns = step_s * NS_PER_S;
	if (r == 0)
		r = read_rows(db, conf, &d, e);
	if (r == 0)
		r = read_apis(db, conf, &d, e);
	if (r == 0)
		r = read_slo(db, conf, &d.slo, e);
	if (r == 0 && d.n == 0)
		r = err_say(e, -ENOENT,
			    "the history has no samples of service '%s' there, of steps of %llu s",
			    conf->service, (unsigned long long)step_s);
	if (r < 0)
		replay_db_free(&d);
	else
		*ret = d;
	return r;
}
