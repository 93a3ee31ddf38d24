// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_explain.c - foreshape explain: why a knob has its value, now or at a decision of the past. */
#include <math.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/client.h"
#include "agent/client_cmd.h"
#include "agent/explain_db.h"
#include "agent/json.h"
#include "agent/show.h"
#include "agent/table.h"
#include "shaping/knob.h"
#include "shaping/reason.h"

#define DEFAULT_DB "/var/lib/foreshape/history.db"
#define INDENT     4

static const struct cmd_option options[] = {
	{"db", "FILE", "history to look an ID up in; default: the running agent's"},
	{},
};

/* The words of a reason or refusal named @name, or @name itself. */
static const char *words_of(const struct reason_row *rows, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (streq(rows[i].name, name))
			return rows[i].text;
	return name;
}

static const char *unit_of(const char *knob)
{
	int k = knob_find(knob);

	return k < 0 ? "" : knob_rows[k].unit;
}

static bool is_trigger(const char *knob)
{
	int k = knob_find(knob);

	return k >= 0 && knob_rows[k].kind == KNOB_TRIGGER;
}

static void print_inputs(json_t *inputs)
{
	size_t column = INDENT;
	const char *name;
	json_t *value;
	char word[120];

	if (json_object_size(inputs) == 0)
		return;
	column = (size_t)printf("%*sfrom", INDENT, "");
	json_object_foreach (inputs, name, value) {
		(void)snprintf(word, sizeof(word), " %.60s=%s", name, show_plain(value).text);
		screen_word(stdout, &column, INDENT, word);
	}
	printf("\n");
}

static void print_refused(const json_t *refused)
{
	const json_t *one;
	size_t i;

	json_array_foreach (refused, i, one) {
		const char *name = show_text(one, "?");

		printf("%*snot done: %s (%s)\n", INDENT, "", name,
		       words_of(refusal_rows, REFUSAL_COUNT, name));
	}
}

static void print_why(const json_t *of)
{
	const char *reason = show_text(json_object_get(of, "reason"), "unchanged");
	const char *policy = show_text(json_object_get(of, "policy"), NULL);

	printf("%*s%s: %s\n", INDENT, "", reason, words_of(reason_rows, REASON_COUNT, reason));
	print_inputs(json_object_get(of, "inputs"));
	if (policy && *policy)
		printf("%*spolicy %s\n", INDENT, "", policy);
	print_refused(json_object_get(of, "refused"));
}

static void print_knob(const json_t *knob)
{
	const char *name = show_text(json_object_get(knob, "knob"), "?");
	const char *unit = unit_of(name);
	const json_t *planned = json_object_get(knob, "planned"),
		     *value = json_object_get(knob, "value");
	bool known = json_is_true(json_object_get(knob, "known"));

	printf("%s%s%s %s", screen_bold(stdout), name, screen_plain(stdout),
	       known ? show_knob(unit, value).text : "unknown");
	if (is_trigger(name) && known)
		printf(" given back last");
	else if (json_is_true(json_object_get(knob, "baseline_known")))
		printf(" (before foreshape: %s)",
		       show_knob(unit, json_object_get(knob, "baseline")).text);
	if (json_is_true(json_object_get(knob, "change")) && !json_equal(planned, value))
		printf(", planned %s", show_knob(unit, planned).text);
	if (json_is_integer(json_object_get(knob, "decision_id")))
		printf(", decision %lld", json_integer_value(json_object_get(knob, "decision_id")));
	printf("\n");
	print_why(knob);
}

static struct shown seconds_of(const json_t *s)
{
	double v = show_number(s);
	struct shown none = {"-"};

	return isfinite(v) ? show_ns((uint64_t)(v + 0.5) * NS_PER_S) : none;
}

static void print_lead(const json_t *lead)
{
	double lead_ns = show_number(json_object_get(lead, "lead_ns"));
	bool is_auto = json_is_true(json_object_get(lead, "auto"));

	if (!isfinite(lead_ns))
		return;
	printf("planned %s ahead (%s): warm %s after a start (%lld), %s after a burst (%lld)\n",
	       show_ns((uint64_t)lead_ns).text, is_auto ? "auto" : "policy",
	       seconds_of(json_object_get(lead, "after_start_s")).text,
	       json_integer_value(json_object_get(lead, "starts")),
	       seconds_of(json_object_get(lead, "after_burst_s")).text,
	       json_integer_value(json_object_get(lead, "bursts")));
}

static void print_service(const json_t *answer)
{
	const json_t *knobs = json_object_get(answer, "knobs"), *knob;
	const char *tier = show_text(json_object_get(answer, "tier"), "?");
	const char *effective = show_text(json_object_get(answer, "effective_tier"), tier);
	size_t i, left_out = 0;

	printf("%s, %s%s%s\n", show_text(json_object_get(answer, "service"), "?"), tier,
	       streq(tier, effective) ? "" : ", now ", streq(tier, effective) ? "" : effective);
	if (json_is_false(json_object_get(answer, "present"))) {
		printf("its cgroup %s does not exist: there is nothing to set\n",
		       show_text(json_object_get(answer, "cgroup"), "(none)"));
		return;
	}
	print_lead(json_object_get(answer, "lead"));
	if (json_array_size(knobs) == 0)
		printf("no plan yet: the first one is made within seconds\n");
	json_array_foreach (knobs, i, knob) {
		if (json_is_false(json_object_get(knob, "supported")))
			left_out++;
		else
			print_knob(knob);
	}
	if (left_out)
		printf("%zu knobs this host or policy has no use for are left out\n", left_out);
}

static void print_write(const json_t *write, const char *unit)
{
	json_int_t err = json_integer_value(json_object_get(write, "errno"));
	char at[40];

	printf("%*swritten %s: %s -> %s", INDENT, "",
	       format_time(at, sizeof(at),
			   json_integer_value(json_object_get(write, "at_real_ns"))),
	       show_knob(unit, json_object_get(write, "before")).text,
	       show_knob(unit, json_object_get(write, "after")).text);
	if (err)
		printf(", failed: %s", strerror((int)err));
	printf("\n");
}

static void print_decision(const json_t *d)
{
	const char *knob = show_text(json_object_get(d, "knob"), "?"), *unit = unit_of(knob);
	const json_t *writes = json_object_get(d, "writes"), *write;
	char at[40];
	size_t i;

	printf("decision %lld, %s, %s", json_integer_value(json_object_get(d, "id")),
	       format_time(at, sizeof(at), json_integer_value(json_object_get(d, "at_real_ns"))),
	       show_text(json_object_get(d, "service"), "?"));
	printf("\n%s%s%s %s -> %s (%s)\n", screen_bold(stdout), knob, screen_plain(stdout),
	       show_knob(unit, json_object_get(d, "before")).text,
	       show_knob(unit, json_object_get(d, "value")).text,
	       show_text(json_object_get(d, "mode"), "written without a plan"));
	print_why(d);
	json_array_foreach (writes, i, write)
		print_write(write, unit);
}

static int explain_id(const struct cmd_args *args, int64_t id)
{
	json_auto_t *status = NULL, *decision = NULL;
	const char *db = cmd_option(args, "db");
	struct err e = {};

	if (!db && client_get("/v1/status", &status, &e) == 0)
		db = show_text(json_object_get(status, "db"), NULL);
	if (store_explain(db ? db : DEFAULT_DB, id, &decision, &e) < 0)
		return cmd_failed(e.text);
	if (args->json)
		return json_print(stdout, json_incref(decision)) < 0 ? EXIT_FAILED : EXIT_OK;
	print_decision(decision);
	return EXIT_OK;
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	char path[400], name[300];
	uint64_t id;

	if (args->n_words != 1)
		return cmd_usage(cmd, "takes one service, or the number of a decision or write");
	if (parse_u64(args->words[0], &id) == 0 && id <= INT64_MAX)
		return explain_id(args, (int64_t)id);
	(void)snprintf(path, sizeof(path), "/v1/explain?service=%s",
		       client_escape(name, sizeof(name), args->words[0]));
	return client_show(args, path, print_service);
}

const struct cmd cmd_explain = {
	.name = "explain",
	.args = "SERVICE | ID",
	.help = "why a limit has its value: inputs, policy line, refusals",
	.more = "Of a service: how far ahead is planned, and how long it took after a start and after a jump of "
		"its load until requests cost the CPU they usually do (and how many of these were seen); each of its knobs with the value in force, the one before foreshape first wrote it, "
		"the reason with the numbers behind it, the line of the policy that decided, and what was "
		"considered and not done. Of a number, as 'foreshape history' shows them: that decision, with "
		"what was written for it; this also works when no agent runs.",
	.options = options,
	.json = true,
	.run = run,
};
