/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_schema.h - the tables and views of the history; foreshape-history(5) describes each column.
 */
#ifndef FORESHAPE_STORE_SCHEMA_H
#define FORESHAPE_STORE_SCHEMA_H

#include <sqlite3.h>

#include "agent/base/err.h"

#define STORE_APPLICATION_ID 0x46736831 /* "Fsh1" */
#define STORE_VERSION        4          /* PRAGMA user_version */

/*
 * Brings @db to STORE_VERSION, each step and the new version in one transaction. Returns 0;
 * -EPROTONOSUPPORT: made by a newer foreshape; -EEXIST: a database of somebody else; or what
 * store_sql_errno gives. The file is untouched on failure.
 */
int store_schema_migrate(sqlite3 *db, struct err *e);

/* An SQLite result code as a negative errno: -EUCLEAN damaged, -ENOSPC, -EROFS, -EBUSY, -EIO, ...
 */
int store_sql_errno(int code);
/* Sets @e to "<what>: <SQLite's words>" and returns the errno of @db's last error. */
int store_sql_err(sqlite3 *db, struct err *e, const char *what);

#endif
