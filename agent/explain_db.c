// SPDX-License-Identifier: GPL-2.0-or-later
/* explain_db.c - a past decision out of the history. */
#include "agent/explain_db.h"

#include <errno.h>
#include <sqlite3.h>

#include "agent/base/cleanup.h"
#include "agent/store_read.h"
#include "agent/store_schema.h"

/* clang-format off */
static const char decision_sql[] =
	"SELECT id, at_real_ns, service, knob, before, value, reason, mode, policy, inputs, refused"
	" FROM decision WHERE id = coalesce((SELECT decision_id FROM knob_write WHERE id = ?1), ?1)";
static const char alone_sql[] =
	"SELECT id, at_real_ns, service, knob, before, asked AS value, reason, NULL AS mode,"
	" NULL AS policy, NULL AS inputs, NULL AS refused FROM knob_write WHERE id = ?1";
static const char writes_sql[] =
	"SELECT id, at_real_ns, before, after, asked, errno, reason FROM knob_write"
	" WHERE decision_id = ?1 OR id = ?1 ORDER BY id";
/* clang-format on */

/* Appends an object for each row @sql gives for @id. */
static int rows_of(sqlite3 *db, const char *sql, int64_t id, json_t *list, struct err *e)
{
	sqlite3_stmt *q = NULL;
	int r = sqlite3_prepare_v2(db, sql, -1, &q, NULL);

	if (r == SQLITE_OK) {
		(void)sqlite3_bind_int64(q, 1, id);
		while ((r = sqlite3_step(q)) == SQLITE_ROW)
			(void)json_array_append_new(list, store_read_object(q));
	}
	r = r == SQLITE_DONE ? 0 : store_sql_err(db, e, "read history");
	sqlite3_finalize(q);
	return r;
}

int store_explain(const char *path, int64_t id, json_t **ret, struct err *e)
{
	_cleanup_(store_read_closep) sqlite3 *db = NULL;
	json_auto_t *found = json_array(), *writes = json_array();
	json_t *decision;
	int r = store_read_open(path, &db, e);

	if (r == 0)
		r = rows_of(db, decision_sql, id, found, e);
	if (r == 0 && json_array_size(found) == 0)
		r = rows_of(db, alone_sql, id, found, e);
	if (r < 0)
		return r;
	decision = json_array_get(found, 0);
	if (!decision)
		return err_say(e, -ENOENT, "no decision or write %lld in %s", (long long)id, path);
	r = rows_of(db, writes_sql, json_integer_value(json_object_get(decision, "id")), writes, e);
	if (r < 0)
		return r;
	(void)json_object_set_new(decision, "schema", json_integer(1));
	(void)json_object_set(decision, "writes", writes);
	*ret = json_incref(decision);
	return 0;
}
