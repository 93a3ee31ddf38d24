/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_db_private.h - what the writing connection and its upkeep share. */
#ifndef FORESHAPE_STORE_DB_PRIVATE_H
#define FORESHAPE_STORE_DB_PRIVATE_H

#include <sqlite3.h>

#include "agent/store_db.h"
#include "agent/store_queue.h"

struct store_db {
	sqlite3 *sql;
	sqlite3_stmt *series; /* makes the (service, route) of a sample */
	sqlite3_stmt *insert[RECORD_KINDS];
	char boot_id[64];
	int64_t newest_s; /* of the samples of the last batch; 0: it had none */
	int64_t oldest_s;
	int64_t minute_until_s, hour_until_s; /* rolled up so far; -1: to be read */
	int64_t second_from_s, minute_from_s; /* what the last prune left */
	int doubtful_minutes;                 /* nothing is pruned for so long */
};

/* Runs @text, statements without parameters. */
int store_db_exec(struct store_db *db, const char *text, struct err *e);

/* Runs one statement with integer parameters ?1.. . */
int store_db_run(struct store_db *db, const char *text, const int64_t *params, int n,
		 struct err *e);

/* The single integer a statement gives, 0 where it gives NULL or fails. */
int64_t store_db_ask(struct store_db *db, const char *text);

#endif
