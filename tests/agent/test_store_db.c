// SPDX-License-Identifier: GPL-2.0-or-later
/* test_store_db.c - the writing connection: what it refuses, a bounded WAL, setting aside, files
 * made ready. */
#include "agent/store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/util.h"
#include "agent/store.h"
#include "agent/store_read.h"
#include "tests/check.h"

static char dir[64], path[96];

static int fresh(void **state)
{
	(void)copy_str(dir, sizeof(dir), "/tmp/foreshape-storedb-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/history.db", dir);
	return 0;
}

static size_t count(const char *pattern, bool remove_them)
{
	char full[160];
	glob_t found;
	size_t n;

	(void)snprintf(full, sizeof(full), "%s/%s", dir, pattern);
	if (glob(full, 0, NULL, &found) != 0)
		return 0;
	n = found.gl_pathc;
	for (size_t i = 0; remove_them && i < n; i++)
		(void)unlink(found.gl_pathv[i]);
	globfree(&found);
	return n;
}

static int clean(void **state)
{
	(void)count("*", true);
	return rmdir(dir);
}

static void put_event(struct records *q, int64_t id, const char *kind, const char *text)
{
	record_begin(q, RECORD_EVENT);
	record_int(q, id);
	record_int(q, 1);
	record_text(q, kind);
	record_text(q, NULL);
	record_text(q, text);
	record_text(q, "boot");
	assert_true(record_end(q));
}

static void a_record_the_schema_refuses_does_not_stop_the_others(void **state)
{
	struct records q = {.max = MIB};
	struct store_db *db = NULL;
	uint64_t refused = 0;

	assert_int_equal(store_db_open(path, "boot", &db, NULL), 0);
	put_event(&q, 7, "start", "a");
	put_event(&q, 8, NULL, "an event has a kind");
	put_event(&q, 9, "stop", "b");
	assert_int_equal(store_db_write(db, &q, true, &refused, NULL), 0);
	assert_int_equal(refused, 1);
	assert_int_equal(store_db_last_id(db), 9);
	/* The same batch once more, as after a commit whose end was not seen. */
	assert_int_equal(store_db_write(db, &q, true, &refused, NULL), 0);
	records_free(&q);
	store_db_close(db);
}

static void a_reader_that_stays_bounds_the_wal_and_not_the_disk(void **state)
{
	static char text[32 * 1024];
	struct records q = {.max = MIB};
	struct store_db *db = NULL;
	sqlite3 *reader = NULL;
	char wal[128];
	uint64_t refused = 0;
	struct stat st;
	struct err e = {};

	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(store_db_open(path, "boot", &db, NULL), 0);
	assert_int_equal(store_read_open(path, &reader, NULL), 0);
	assert_int_equal(
		sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM event", NULL, NULL, NULL),
		SQLITE_OK);
	for (int64_t id = 1; id <= 40; id++) {
		put_event(&q, id, "note", text);
		assert_int_equal(store_db_write(db, &q, false, &refused, NULL), 0);
		records_clear(&q);
	}
	assert_int_equal(store_db_bound_wal(db, MIB, &e), -EFBIG);
	assert_non_null(strstr(e.text, "a reader has kept an old state open"));
	assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_db_bound_wal(db, MIB, &e), 0);
	(void)snprintf(wal, sizeof(wal), "%s-wal", path);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(st.st_size, 0);
	sqlite3_close(reader);
	records_free(&q);
	store_db_close(db);
}

static void a_file_removed_under_us_is_noticed(void **state)
{
	struct store_db *db = NULL;

	assert_int_equal(store_db_open(path, "boot", &db, NULL), 0);
	assert_false(store_db_moved(db));
	assert_int_equal(unlink(path), 0);
	assert_true(store_db_moved(db));
	store_db_close(db);
}

static void files_made_ready_stay_after_a_clean_close(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	const struct store_conf conf = {.path = path};
	struct store *s = NULL;
	char name[128];
	struct stat st;

	assert_int_equal(store_prepare(path, getuid(), getgid(), NULL), 0);
	assert_int_equal(store_open(&conf, &s, NULL), 0);
	assert_null(store_degraded(s));
	store_close(s);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		assert_int_equal(stat(name, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0640);
	}
}

static void what_is_no_database_is_set_aside(void **state)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	for (int i = 0; i < 1000; i++)
		assert_true(fputs("not a database\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(store_prepare(path, getuid(), getgid(), NULL), 0);
	assert_int_equal(count("history.db.corrupt-*Z", false), 1);
	assert_int_equal(store_prepare(path, getuid(), getgid(), NULL), 0);
	assert_int_equal(count("history.db.corrupt-*Z", false), 1);
}

static void a_link_is_not_followed(void **state)
{
	char other[128];
	struct err e = {};

	(void)snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(store_prepare(path, getuid(), getgid(), &e), -ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(close(creat(other, 0600)), 0);
	assert_int_equal(link(other, path), 0);
	assert_int_equal(store_prepare(path, getuid(), getgid(), &e), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_record_the_schema_refuses_does_not_stop_the_others, fresh, clean),
		cmocka_unit_test_setup_teardown(a_reader_that_stays_bounds_the_wal_and_not_the_disk,
						fresh, clean),
		cmocka_unit_test_setup_teardown(a_file_removed_under_us_is_noticed, fresh, clean),
		cmocka_unit_test_setup_teardown(files_made_ready_stay_after_a_clean_close, fresh,
						clean),
		cmocka_unit_test_setup_teardown(what_is_no_database_is_set_aside, fresh, clean),
		cmocka_unit_test_setup_teardown(a_link_is_not_followed, fresh, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
