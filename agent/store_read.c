// SPDX-License-Identifier: GPL-2.0-or-later
/* store_read.c - reading the history, mode=ro. */
#include "agent/store_read.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/store.h"
#include "agent/store_schema.h"

#define BUSY_MS 2000

void store_read_closep(sqlite3 **db)
{
	sqlite3_close(*db);
}

static void finalizep(sqlite3_stmt **q)
{
	sqlite3_finalize(*q);
}

/* The path as a file: URI, with what a URI takes as its own written %XX. */
static int to_uri(const char *path, const char *query, char *buf, size_t size)
{
	size_t n = (size_t)snprintf(buf, size, "file:");

	for (; *path; path++) {
		if (n + 4 >= size)
			return -ENAMETOOLONG;
		if (strchr("%?#", *path))
			n += (size_t)snprintf(buf + n, size - n, "%%%02X", (unsigned char)*path);
		else
			buf[n++] = *path;
	}
	return (size_t)snprintf(buf + n, size - n, "%s", query) < size - n ? 0 : -ENAMETOOLONG;
}

static int open_with(const char *path, const char *query, sqlite3 **ret, struct err *e)
{
	_cleanup_(store_read_closep) sqlite3 *db = NULL;
	char uri[4096 + 64];
	int r = to_uri(path, query, uri, sizeof(uri));

	if (r < 0)
		return err_set(e, r, "open %s", path);
	if (sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL)) {
		r = store_sql_err(db, e, "open history");
		return err_wrap(e, r, "%s", path);
	}
	sqlite3_busy_timeout(db, BUSY_MS);
	(void)sqlite3_exec(db, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON", NULL, NULL,
			   NULL);
	/* Only a read shows whether the -wal and -shm can be used. */
	if (sqlite3_exec(db, "SELECT count(*) FROM meta", NULL, NULL, NULL)) {
		r = store_sql_err(db, e, "read history");
		return err_wrap(e, r, "%s", path);
	}
	*ret = take_ptr(db);
	return 0;
}

int store_read_open(const char *path, sqlite3 **ret, struct err *e)
{
	char wal[4096];
	int r;

	if (access(path, R_OK) < 0)
		return err_set(e, -errno, "open %s", path);
	r = open_with(path, "?mode=ro", ret, e);
	(void)snprintf(wal, sizeof(wal), "%s-wal", path);
	if (r < 0 && r != -EUCLEAN && access(wal, F_OK) < 0)
		r = open_with(path, "?mode=ro&immutable=1", ret, e);
	return r;
}

static json_t *column(sqlite3_stmt *q, int i)
{
	const char *name = sqlite3_column_name(q, i);
	const char *text;
	json_t *v;

	switch (sqlite3_column_type(q, i)) {
	case SQLITE_INTEGER:
		return json_integer(sqlite3_column_int64(q, i));
	case SQLITE_FLOAT:
		return json_real(sqlite3_column_double(q, i));
	case SQLITE_TEXT:
		text = (const char *)sqlite3_column_text(q, i);
		if (streq(name, "inputs") || streq(name, "refused")) {
			v = json_loads(text, JSON_DECODE_ANY, NULL);
			if (v)
				return v;
		}
		v = json_string(text);
		return v ? v : json_string("(not UTF-8)");
	default:
		return json_null();
	}
}

json_t *store_read_object(sqlite3_stmt *q)
{
	json_t *o = json_object();

	for (int i = 0; o && i < sqlite3_column_count(q); i++)
		(void)json_object_set_new(o, sqlite3_column_name(q, i), column(q, i));
	return o;
}

/* clang-format off */
#define NEWEST(columns, from, knob)                                                         \
	"SELECT * FROM (SELECT " columns " FROM " from " WHERE (?1 IS NULL OR t.service = ?1)"   \
	" AND (?2 IS NULL OR " knob " = ?2) AND t.at_real_ns >= ?3"                               \
	" ORDER BY t.at_real_ns DESC, t.id DESC LIMIT ?4) ORDER BY at_real_ns, id"

static const char *const queries[] = {
	[STORE_WRITES] = NEWEST("t.id, t.at_real_ns, t.service, t.knob, t.before, t.after, t.errno, t.reason,"
		" t.asked, t.decision_id, d.mode, d.policy, d.inputs",
		"knob_write t LEFT JOIN decision d ON d.id = t.decision_id", "t.knob"),
	[STORE_DECISIONS] = NEWEST("t.id, t.at_real_ns, t.service, t.knob, t.before, t.value, t.reason, t.mode,"
		" t.policy, t.inputs, t.refused", "decision t", "t.knob"),
	[STORE_EVENTS] = NEWEST("t.id, t.at_real_ns, t.service, t.kind, t.text, t.boot_id", "event t", "NULL"),
};
/* clang-format on */

int store_read_rows(sqlite3 *db, const struct store_filter *f, json_t **ret, struct err *e)
{
	_cleanup_(finalizep) sqlite3_stmt *q = NULL;
	json_t *rows = json_array();
	int r;

	if (sqlite3_prepare_v2(db, queries[f->table], -1, &q, NULL)) {
		json_decref(rows);
		return store_sql_err(db, e, "read history");
	}
	(void)sqlite3_bind_text(q, 1, f->service, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 2, f->table == STORE_EVENTS ? NULL : f->knob, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 3, f->since_real_ns);
	(void)sqlite3_bind_int64(q, 4, f->limit);
	while ((r = sqlite3_step(q)) == SQLITE_ROW)
		(void)json_array_append_new(rows, store_read_object(q));
	if (r != SQLITE_DONE) {
		json_decref(rows);
		return store_sql_err(db, e, "read history");
	}
	*ret = rows;
	return 0;
}

int store_state_load(const char *path, const char *key, void **ret, size_t *size, struct err *e)
{
	_cleanup_(store_read_closep) sqlite3 *db = NULL;
	_cleanup_(finalizep) sqlite3_stmt *q = NULL;
	size_t n;
	void *copy;
	int r;

	r = store_read_open(path, &db, e);
	if (r < 0)
		return r;
	if (sqlite3_prepare_v2(db, "SELECT state FROM model_state WHERE key = ?1", -1, &q, NULL))
		return store_sql_err(db, e, "read model state");
	(void)sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
	r = sqlite3_step(q);
	if (r == SQLITE_DONE)
		return err_set(e, -ENOENT, "model state %s", key);
	if (r != SQLITE_ROW)
		return store_sql_err(db, e, "read model state");
	n = (size_t)sqlite3_column_bytes(q, 0);
	copy = malloc(MAX(n, (size_t)1));
	if (!copy)
		return err_set(e, -ENOMEM, "model state %s", key);
	if (n)
		memcpy(copy, sqlite3_column_blob(q, 0), n);
	*ret = copy;
	*size = n;
	return 0;
}

static void read_known(sqlite3_stmt *q, struct store_known_event *ret)
{
	const char *service = (const char *)sqlite3_column_text(q, 1);
	const char *name = (const char *)sqlite3_column_text(q, 2);

	ret->id = sqlite3_column_int64(q, 0);
	(void)copy_str(ret->service, sizeof(ret->service), service ? service : "");
	(void)copy_str(ret->name, sizeof(ret->name), name ? name : "");
	ret->starts_real_ns = sqlite3_column_int64(q, 3);
	ret->lasts_ns = (uint64_t)sqlite3_column_int64(q, 4);
	ret->multiplier =
		sqlite3_column_type(q, 5) == SQLITE_NULL ? NAN : sqlite3_column_double(q, 5);
}

int store_known_events(const char *path, int64_t now_real_ns,
		       void (*each)(const struct store_known_event *ev, void *arg), void *arg,
		       struct err *e)
{
	_cleanup_(store_read_closep) sqlite3 *db = NULL;
	_cleanup_(finalizep) sqlite3_stmt *q = NULL;
	struct store_known_event ev;
	int n = 0, r;

	r = store_read_open(path, &db, e);
	if (r < 0)
		return r;
	if (sqlite3_prepare_v2(
		    db,
		    "SELECT id, service, name, starts_real_ns, lasts_ns, multiplier"
		    " FROM known_event WHERE removed = 0 AND ?1 - starts_real_ns < lasts_ns"
		    " ORDER BY starts_real_ns, id",
		    -1, &q, NULL))
		return store_sql_err(db, e, "read known events");
	(void)sqlite3_bind_int64(q, 1, now_real_ns);
	for (; (r = sqlite3_step(q)) == SQLITE_ROW; n++) {
		read_known(q, &ev);
		each(&ev, arg);
	}
	return r == SQLITE_DONE ? n : store_sql_err(db, e, "read known events");
}
