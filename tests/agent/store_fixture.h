/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_fixture.h - a history in a directory of its own, for the tests of what is kept and what is
 * read. */
#ifndef FORESHAPE_STORE_FIXTURE_H
#define FORESHAPE_STORE_FIXTURE_H

#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/util.h"
#include "agent/store.h"
#include "agent/store_read.h"
#include "tests/check.h"

#define BASE_S  INT64_C(1800000000) /* the start of an hour */
#define WAIT_MS 10000

static char dir[64], path[96];

static inline void fresh(void)
{
	(void)copy_str(dir, sizeof(dir), "/tmp/foreshape-store-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/history.db", dir);
}

static inline void clean(void)
{
	static const char *const names[] = {"history.db", "history.db-wal", "history.db-shm",
					    "model.bin"};
	char name[128];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		(void)unlink(name);
	}
	(void)rmdir(dir);
}

static inline struct store *open_store(uint64_t max_bytes)
{
	const struct store_conf conf = {path,
					"boot",
					S_PER_H * NS_PER_S,
					30 * S_PER_DAY * NS_PER_S,
					3650 * S_PER_DAY * NS_PER_S,
					max_bytes};
	struct store *s = NULL;

	assert_int_equal(store_open(&conf, &s, NULL), 0);
	return s;
}

/* The single value of @sql as text; "NULL" for none. */
static inline const char *ask(const char *sql)
{
	static char text[256];
	sqlite3_stmt *q = NULL;
	sqlite3 *db = NULL;
	struct err e = {};

	assert_int_equal(store_read_open(path, &db, &e), 0);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0))
		(void)copy_str(text, sizeof(text), (const char *)sqlite3_column_text(q, 0));
	else
		(void)copy_str(text, sizeof(text), "NULL");
	sqlite3_finalize(q);
	sqlite3_close(db);
	return text;
}

static inline void cpu_sample(struct store *s, int64_t at_s, double cpu_mcpu)
{
	const struct store_sample v = {.at_real_ns = at_s * (int64_t)NS_PER_S,
				       .service = "checkout",
				       .cpu_mcpu = cpu_mcpu,
				       .throttled_ratio = NAN,
				       .memory_bytes = 100,
				       .tx_bits_per_s = NAN,
				       .psi_cpu = 0,
				       .psi_memory = 0,
				       .psi_io = NAN,
				       .working_set_bytes = 60};

	store_sample(s, &v);
}

static inline void route_sample(struct store *s, int64_t at_s, uint64_t requests, double p50,
				double p99)
{
	const struct store_sample v = {.at_real_ns = at_s * (int64_t)NS_PER_S,
				       .service = "checkout",
				       .route = "GET /a",
				       .requests = requests,
				       .responses = {0, requests, 0, 0, 0},
				       .bytes_out = 10 * requests,
				       .in_flight = 1,
				       .ttfb_p50_us = p50,
				       .ttfb_p99_us = p99,
				       .total_p50_us = p50,
				       .total_p99_us = p99,
				       .cpu_us_per_request = NAN};

	store_sample(s, &v);
}

#endif
