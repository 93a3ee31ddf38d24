// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_audit.c - whether what was decided is decided again. */
#include "agent/cmd/replay_audit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agent/audit.h"
#include "agent/base/cleanup.h"
#include "agent/json.h"
#include "agent/store_read.h"
#include "agent/table.h"

/* Only options that mean something here. */
static int check_options(const struct cmd *cmd, const struct cmd_args *args)
{
	static const char *const others[] = {"csv",  "compare", "svg",     "emit",        "step",
					     "skip", "cpus",    "service", "request-cost"};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (cmd_option(args, others[i]))
			return cmd_usage(cmd, "--audit does not go with --%s", others[i]);
	if (!cmd_option(args, "db"))
		return cmd_usage(cmd, "--audit takes --db FILE and the policies of then");
	return EXIT_OK;
}

static int print_json(const struct audit_result *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_shown; i++) {
		const struct audit_difference *d = &r->shown[i];

		(void)json_array_append_new(
			list, json_pack("{s:I, s:s, s:s, s:s, s:s}", "id", (json_int_t)d->id,
					"service", d->service, "knob", knob_rows[d->knob].name,
					"then", d->then, "now", d->now));
	}
	return json_print(stdout, json_pack("{s:i, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:o}",
					    "schema", 1, "recordings", (json_int_t)r->tapes,
					    "skipped", (json_int_t)r->skipped, "why",
					    json_text(*r->why ? r->why : NULL), "ticks",
					    (json_int_t)r->ticks, "guards", (json_int_t)r->guards,
					    "decisions", (json_int_t)r->decisions, "same",
					    (json_int_t)r->same, "different",
					    (json_int_t)r->different, "differences", list));
}

static void print_text(const struct audit_result *r)
{
	static const struct table_column columns[] = {
		{"ID", true, false},   {"SERVICE", false, true}, {"KNOB", false, false},
		{"THEN", false, true}, {"NOW", false, true},
	};
	struct table t;

	(void)printf("recordings    %zu", r->tapes);
	if (r->skipped)
		(void)printf(", %zu skipped", r->skipped);
	(void)printf("\nplanned       %llu times, guarded %llu times\n",
		     (unsigned long long)r->ticks, (unsigned long long)r->guards);
	(void)printf("decisions     %zu, %zu the same, %zu different\n", r->decisions, r->same,
		     r->different);
	if (*r->why)
		(void)printf("not all       %s\n", r->why);
	if (r->n_shown == 0)
		return;
	(void)printf("\n");
	table_start(&t, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < r->n_shown; i++) {
		const struct audit_difference *d = &r->shown[i];

		table_cell(&t, "%lld", (long long)d->id);
		table_cell(&t, "%s", d->service);
		table_cell(&t, "%s", knob_rows[d->knob].name);
		table_cell(&t, "%s", d->then);
		table_cell(&t, "%s", d->now);
	}
	table_print(&t, stdout);
	table_free(&t);
}

int replay_audit(const struct cmd *cmd, const struct cmd_args *args, const struct replay_job *job)
{
	_cleanup_(policy_set_freep) struct policy_set *set = NULL;
	_cleanup_(store_read_closep) sqlite3 *sql = NULL;
	struct replay_db_conf range = {.from_real_ns = INT64_MIN, .to_real_ns = INT64_MAX};
	struct audit_result res;
	struct err e = {};
	int r = check_options(cmd, args);

	if (r == EXIT_OK)
		r = replay_source_range(cmd, args, &range);
	if (r == EXIT_OK)
		r = replay_policies_all(cmd, args, job, &set);
	if (r != EXIT_OK)
		return r;
	if (store_read_open(cmd_option(args, "db"), &sql, &e) < 0 ||
	    audit_run(sql, set, range.from_real_ns, range.to_real_ns, progress_on_terminal(), &res,
		      &e) < 0)
		return cmd_failed(e.text);
	if (args->json && print_json(&res) < 0)
		return EXIT_FAILED;
	if (!args->json)
		print_text(&res);
	return res.different > 0 || res.tapes == 0 || *res.why ? EXIT_FAILED : EXIT_OK;
}
