/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_read.h - reading the history, mode=ro, while the agent writes it or after it has ended. */
#ifndef FORESHAPE_STORE_READ_H
#define FORESHAPE_STORE_READ_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdint.h>

#include "agent/base/err.h"

/*
 * Opens FILE for reading. A file whose -wal and -shm are gone and cannot be made is read as it
 * lies. Returns 0 and *ret (sqlite3_close), -ENOENT, -EACCES, or as store_sql_errno.
 */
int store_read_open(const char *path, sqlite3 **ret, struct err *e);
void store_read_closep(sqlite3 **db);

enum store_table { STORE_WRITES, STORE_DECISIONS, STORE_EVENTS };

struct store_filter {
	enum store_table table;
	const char *service, *knob; /* NULL: any; events have no knob */
	int64_t since_real_ns;
	int64_t limit; /* the newest so many */
};

/*
 * An array of objects, oldest first: "id", "at_real_ns", "service" and what the table has; a
 * before, after, asked or value of null is "unlimited". Returns 0 and *ret (json_decref) or a
 * negative errno.
 */
int store_read_rows(sqlite3 *db, const struct store_filter *f, json_t **ret, struct err *e);

/* The row @q stands in as an object; columns named "inputs" and "refused" hold JSON already. */
json_t *store_read_object(sqlite3_stmt *q);

#endif
