// SPDX-License-Identifier: GPL-2.0-or-later
/* test_store_schema.c - the schema: what is documented is what there is, and versions are
 * respected. */
#include "agent/store_schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/util.h"
#include "tests/check.h"

#define PAGE "man/foreshape-history.5"
#define DROP_COLUMNS                                                                               \
	"ALTER TABLE service_sample DROP COLUMN working_set_bytes;"                                \
	"ALTER TABLE service_sample DROP COLUMN working_set_bytes_max;"

static sqlite3 *empty(void)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	return db;
}

static int run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static char *read_page(void)
{
	FILE *f = fopen(PAGE, "re");
	char *text = calloc(1, 64 * KIB);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, 64 * KIB - 1, f) > 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* The section of @name out of @page, to be freed. */
static char *section(const char *page, const char *name)
{
	char head[128];
	const char *begin, *end, *chapter;

	(void)snprintf(head, sizeof(head), "\n.SS %s\n", name);
	begin = strstr(page, head);
	if (!begin)
		fail_msg(PAGE " has no section for %s", name);
	begin += strlen(head);
	end = strstr(begin, "\n.SS ");
	chapter = strstr(begin, "\n.SH ");
	if (!end || (chapter && chapter < end))
		end = chapter;
	assert_non_null(end);
	return strndup(begin, (size_t)(end - begin));
}

/* A line of markup for the one word @name: ".I name", ".IR name ,". */
static bool names(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
		bool marked =
			at - text >= 3 && (strncmp(at - 3, ".I ", 3) == 0 ||
					   (at - text >= 4 && strncmp(at - 4, ".IR ", 4) == 0));

		if (marked && strchr(" \n", at[n]))
			return true;
	}
	return false;
}

static void every_table_view_and_column_is_documented(void **state)
{
	sqlite3 *db = empty();
	sqlite3_stmt *q = NULL;
	char *page = read_page();
	unsigned int columns = 0;

	assert_int_equal(store_schema_migrate(db, NULL), 0);
	assert_int_equal(
		sqlite3_prepare_v2(
			db,
			"SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c"
			" WHERE m.type IN ('table', 'view')",
			-1, &q, NULL),
		SQLITE_OK);
	for (; sqlite3_step(q) == SQLITE_ROW; columns++) {
		const char *table = (const char *)sqlite3_column_text(q, 0);
		const char *column = (const char *)sqlite3_column_text(q, 1);
		char *text = section(page, table);

		if (!names(text, column))
			fail_msg(PAGE ": %s does not describe %s", table, column);
		free(text);
	}
	assert_true(columns > 150);
	sqlite3_finalize(q);
	sqlite3_close(db);
	free(page);
}

static void every_view_can_be_read(void **state)
{
	sqlite3 *db = empty();
	sqlite3_stmt *q = NULL;

	assert_int_equal(store_schema_migrate(db, NULL), 0);
	assert_int_equal(sqlite3_prepare_v2(db,
					    "SELECT name FROM sqlite_schema WHERE type = 'view'",
					    -1, &q, NULL),
			 SQLITE_OK);
	while (sqlite3_step(q) == SQLITE_ROW) {
		char sql[128];

		(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s",
			       (const char *)sqlite3_column_text(q, 0));
		assert_int_equal(run(db, sql), SQLITE_OK);
	}
	sqlite3_finalize(q);
	sqlite3_close(db);
}

static void an_empty_file_gets_the_version_and_a_second_run_changes_nothing(void **state)
{
	sqlite3 *db = empty();
	int before;

	assert_int_equal(store_schema_migrate(db, NULL), 0);
	before = sqlite3_total_changes(db);
	assert_int_equal(store_schema_migrate(db, NULL), 0);
	assert_int_equal(sqlite3_total_changes(db), before);
	sqlite3_close(db);
}

/* A file as the first version left it: what is in it stays, what is new is made. */
static void an_older_version_is_brought_up(void **state)
{
	sqlite3 *db = empty();

	(void)state;
	assert_int_equal(store_schema_migrate(db, NULL), 0);
	assert_int_equal(run(db, "DROP VIEW forecast_winner; DROP VIEW demand_error;"
				 "DROP TABLE forecast_model; DROP TABLE demand;"
				 "DROP TABLE planner_tape;" DROP_COLUMNS "PRAGMA user_version = 1;"
				 "INSERT INTO meta VALUES ('minute_until_s', 60)"),
			 SQLITE_OK);
	assert_int_equal(store_schema_migrate(db, NULL), 0);
	assert_int_equal(run(db, "SELECT * FROM forecast_winner, demand_error"), SQLITE_OK);
	assert_int_equal(run(db, "SELECT * FROM planner_tape"), SQLITE_OK);
	assert_int_equal(
		run(db, "CREATE TABLE kept (n INTEGER CHECK (n = 60));"
			"INSERT INTO kept SELECT value FROM meta WHERE key = 'minute_until_s'"),
		SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	sqlite3_close(db);
}

static void the_version_before_gets_what_is_new_alone(void **state)
{
	sqlite3 *db = empty();

	(void)state;
	assert_int_equal(store_schema_migrate(db, NULL), 0);
	assert_int_equal(run(db, "DROP TABLE planner_tape;" DROP_COLUMNS "PRAGMA user_version = 2;"
				 "INSERT INTO forecast_model VALUES (1, 'a', 'b', 2, 'c', 1, 1)"),
			 SQLITE_OK);
	assert_int_equal(store_schema_migrate(db, NULL), 0);
	assert_int_equal(run(db, "SELECT * FROM planner_tape"), SQLITE_OK);
	assert_int_equal(run(db, "SELECT working_set_bytes_max FROM services"), SQLITE_OK);
	assert_int_equal(run(db, "DELETE FROM forecast_model"), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	sqlite3_close(db);
}

static void a_newer_version_is_left_alone(void **state)
{
	sqlite3 *db = empty();
	struct err e = {};

	assert_int_equal(store_schema_migrate(db, NULL), 0);
	assert_int_equal(run(db, "PRAGMA user_version = 7"), SQLITE_OK);
	assert_int_equal(store_schema_migrate(db, &e), -EPROTONOSUPPORT);
	assert_string_equal(e.text, "the file has version 7, this foreshape knows up to 4");
	sqlite3_close(db);
}

static void the_database_of_another_program_is_left_alone(void **state)
{
	sqlite3 *db = empty();
	struct err e = {};

	assert_int_equal(run(db, "CREATE TABLE theirs (x)"), SQLITE_OK);
	assert_int_equal(store_schema_migrate(db, &e), -EEXIST);
	assert_int_equal(run(db, "SELECT * FROM decision"), SQLITE_ERROR);
	sqlite3_close(db);
}

static void a_migration_that_fails_leaves_nothing_behind(void **state)
{
	sqlite3 *db = empty();

	/* Ours by its id, of version 0, with a table in the way. */
	assert_int_equal(run(db, "PRAGMA application_id = 1181968433; CREATE TABLE decision (x)"),
			 SQLITE_OK);
	assert_true(store_schema_migrate(db, NULL) < 0);
	assert_int_equal(run(db, "SELECT * FROM meta"), SQLITE_ERROR);
	assert_true(sqlite3_get_autocommit(db));
	sqlite3_close(db);
}

static void wrong_types_are_refused_by_strict_tables(void **state)
{
	sqlite3 *db = empty();

	assert_int_equal(store_schema_migrate(db, NULL), 0);
	assert_int_equal(
		run(db, "INSERT INTO knob_write (at_real_ns, service, knob, errno, after) VALUES"
			" (1, 'a', 'cpu.max', 0, 'max')"),
		SQLITE_CONSTRAINT);
	sqlite3_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_table_view_and_column_is_documented),
		cmocka_unit_test(every_view_can_be_read),
		cmocka_unit_test(an_empty_file_gets_the_version_and_a_second_run_changes_nothing),
		cmocka_unit_test(an_older_version_is_brought_up),
		cmocka_unit_test(the_version_before_gets_what_is_new_alone),
		cmocka_unit_test(a_newer_version_is_left_alone),
		cmocka_unit_test(the_database_of_another_program_is_left_alone),
		cmocka_unit_test(a_migration_that_fails_leaves_nothing_behind),
		cmocka_unit_test(wrong_types_are_refused_by_strict_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
