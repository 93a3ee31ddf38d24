/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_db.h - the one writing connection to the history. It also checkpoints, so that no second
 * connection ever does (SQLite up to 3.51.2 can lose a WAL reset between two that do); every other
 * process opens the file mode=ro. Not locked: one thread at a time.
 */
#ifndef FORESHAPE_STORE_DB_H
#define FORESHAPE_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/store_queue.h"

struct store_db;

struct store_keep { /* retention */
	uint64_t second_s, minute_s, hour_s, max_bytes;
	uint64_t wal_max_bytes;
};

/*
 * Opens FILE for writing, makes it where it is missing and brings its schema up. Returns 0 and *ret
 * (store_db_close), or a negative errno as store_sql_errno gives, -EUCLEAN: damaged.
 */
int store_db_open(const char *path, const char *boot_id, struct store_db **ret, struct err *e);
void store_db_close(struct store_db *db);

/*
 * Writes @q in one transaction; @durable: on disk when it returns (synchronous=FULL). *refused
 * grows by the records the schema does not take. Returns 0, or a negative errno with nothing
 * written.
 */
int store_db_write(struct store_db *db, const struct records *q, bool durable, uint64_t *refused,
		   struct err *e);

/*
 * Once a batch of samples is in: rolls complete minutes and hours up, fills in what became of the
 * forecasts, and deletes what is older than @keep or beyond its size. Returns 0 or a negative
 * errno.
 */
int store_db_upkeep(struct store_db *db, const struct store_keep *keep, struct err *e);

/*
 * Keeps the WAL below @max_bytes. Returns 0, or -EFBIG while a reader holds a state so old that it
 * cannot be emptied: nothing that can wait should be written then.
 */
int store_db_bound_wal(struct store_db *db, uint64_t max_bytes, struct err *e);

/* The largest id of any record; 0: none. */
int64_t store_db_last_id(struct store_db *db);

/* True when the path leads to another file by now (removed or replaced under us). */
bool store_db_moved(struct store_db *db);

/* Renames FILE to FILE.corrupt-TIME with its -wal, removes its -shm. Returns 0 or -errno. */
int store_db_set_aside(const char *path, struct err *e);

#endif
