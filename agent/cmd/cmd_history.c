// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_history.c - foreshape history: what was written and why, out of the database alone. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/client.h"
#include "agent/cmd.h"
#include "agent/json.h"
#include "agent/show.h"
#include "agent/store_read.h"
#include "agent/table.h"
#include "shaping/knob.h"

#define DEFAULT_DB    "/var/lib/foreshape/history.db"
#define PEOPLE_LIMIT  50
#define JSON_LIMIT    100000
#define LARGEST_LIMIT 10000000
#define RECENT_DAYS   300

/* clang-format off */
static const struct cmd_option options[] = {
	{ "service", "NAME", "only this service" },
	{ "since", "TIME", "not older: 1h, 7d, or a date or time" },
	{ "knob", "NAME", "only this knob, as cpu.max" },
	{ "limit", "N", "the newest N (default 50; 100000 with --json)" },
	{ "decisions", NULL, "what was decided, also where nothing was written" },
	{ "events", NULL, "starts, mode changes, foreign writes, gaps and the like" },
	{ "db", "FILE", "this database (default: the running agent's, else " DEFAULT_DB ")" },
	{ NULL, NULL, NULL },
};
static const struct table_column changes[] = {
	{ "ID", true, false }, { "AT", false, false }, { "SERVICE", false, true }, { "KNOB", false, false },
	{ "BEFORE", true, false }, { "AFTER", true, false }, { "RESULT", false, false },
	{ "REASON", false, true },
};
static const struct table_column happenings[] = {
	{ "ID", true, false }, { "AT", false, false }, { "KIND", false, false }, { "SERVICE", false, true },
	{ "WHAT", false, true },
};
/* clang-format on */

/* The file of the running agent where one says, else where it is by default. */
static void find_db(const struct cmd_args *args, char *buf, size_t size)
{
	const char *given = cmd_option(args, "db");
	json_auto_t *status = NULL;

	if (!given && client_get("/v1/status", &status, NULL) == 0)
		given = json_string_value(json_object_get(status, "db"));
	(void)copy_str(buf, size, given ? given : DEFAULT_DB);
}

static int take_filter(const struct cmd *cmd, const struct cmd_args *args, struct store_filter *f)
{
	const char *limit = cmd_option(args, "limit"), *since = cmd_option(args, "since");
	uint64_t n = args->json ? JSON_LIMIT : PEOPLE_LIMIT;

	if (args->n_words > 0)
		return cmd_usage(cmd, "takes no words, not '%s'; --service NAME?", args->words[0]);
	f->service = cmd_option(args, "service");
	f->knob = cmd_option(args, "knob");
	if (f->knob && knob_find(f->knob) < 0)
		return cmd_usage(cmd, "no knob '%s'", f->knob);
	if (limit && (parse_u64(limit, &n) < 0 || n == 0 || n > LARGEST_LIMIT))
		return cmd_usage(cmd, "--limit takes a count, not '%s'", limit);
	if (since && cmd_time_ns(since, &f->since_real_ns) < 0)
		return cmd_usage(cmd, "--since takes a duration such as 1h, or a time, not '%s'",
				 since);
	f->limit = (int64_t)n;
	if (cmd_option(args, "events"))
		f->table = STORE_EVENTS;
	else if (cmd_option(args, "decisions"))
		f->table = STORE_DECISIONS;
	return EXIT_OK;
}

static const char *text_of(const json_t *row, const char *key)
{
	return show_text(json_object_get(row, key), "-");
}

/* In the host's zone: a time of day where it is recent, else the date. */
static void put_time(struct table *t, int64_t at_real_ns)
{
	time_t at = (time_t)(at_real_ns / (int64_t)NS_PER_S), now = time(NULL);
	bool recent = now - at < (time_t)(RECENT_DAYS * S_PER_DAY);
	struct tm tm;
	char text[32];

	localtime_r(&at, &tm);
	(void)strftime(text, sizeof(text), recent ? "%b %d %H:%M:%S" : "%Y-%m-%d", &tm);
	table_cell(t, "%s", text);
}

static void start_row(struct table *t, const json_t *row)
{
	table_cell(t, "%lld", json_integer_value(json_object_get(row, "id")));
	put_time(t, json_integer_value(json_object_get(row, "at_real_ns")));
}

/* A write's after, or the value a decision asked for; and how it went. */
static void add_change(struct table *t, const json_t *row)
{
	const json_t *errnum = json_object_get(row, "errno"),
		     *value = json_object_get(row, "value");
	int knob = knob_find(text_of(row, "knob"));
	const char *unit = knob < 0 ? "" : knob_rows[knob].unit, *result = "ok";

	if (!errnum)
		result = text_of(row, "mode");
	else if (json_integer_value(errnum) != 0)
		result = strerrorname_np((int)json_integer_value(errnum));
	start_row(t, row);
	table_cell(t, "%s", text_of(row, "service"));
	table_cell(t, "%s", text_of(row, "knob"));
	table_cell(t, "%s", show_knob(unit, json_object_get(row, "before")).text);
	table_cell(t, "%s", show_knob(unit, value ? value : json_object_get(row, "after")).text);
	table_cell(t, "%s", result ? result : "failed");
	table_cell(t, "%s", text_of(row, "reason"));
}

static void add_event(struct table *t, const json_t *row)
{
	start_row(t, row);
	table_cell(t, "%s", text_of(row, "kind"));
	table_cell(t, "%s", text_of(row, "service"));
	table_cell(t, "%s", text_of(row, "text"));
}

static void print_rows(const json_t *rows, enum store_table table)
{
	const json_t *row;
	struct table t;
	size_t i;

	if (json_array_size(rows) == 0) {
		printf("%s\n", table == STORE_WRITES
				       ? "nothing was written; --decisions shows what was decided"
				       : "nothing found");
		return;
	}
	if (table == STORE_EVENTS)
		table_start(&t, happenings, ARRAY_SIZE(happenings));
	else
		table_start(&t, changes, ARRAY_SIZE(changes));
	json_array_foreach (rows, i, row) {
		if (table == STORE_EVENTS)
			add_event(&t, row);
		else
			add_change(&t, row);
	}
	table_print(&t, stdout);
	table_free(&t);
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	_cleanup_(store_read_closep) sqlite3 *db = NULL;
	json_auto_t *rows = NULL;
	struct store_filter f = {0};
	struct err e = {};
	char path[4096];
	int r = take_filter(cmd, args, &f);

	if (r != EXIT_OK)
		return r;
	find_db(args, path, sizeof(path));
	r = store_read_open(path, &db, &e);
	if (r == 0)
		r = store_read_rows(db, &f, &rows, &e);
	if (r < 0)
		return cmd_failed(e.text);
	if (args->json)
		return json_print(stdout, json_pack("{s:i, s:O}", "schema", 1, "rows", rows)) < 0
			       ? EXIT_FAILED
			       : EXIT_OK;
	print_rows(rows, f.table);
	return EXIT_OK;
}

const struct cmd cmd_history = {
	.name = "history",
	.args = "",
	.help = "what was changed, when and why; also without a running agent",
	.more = "Lists the writes to knobs, oldest first: the value before and after, the reason, and the error "
		"where the kernel refused. In JSON a before or after of null is no limit. The database is SQLite "
		"and may be read while the agent runs; foreshape-history(5) describes its tables and views. "
		"'foreshape explain ID' tells all about one row.",
	.options = options,
	.json = true,
	.run = run,
};
