// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_event.c - foreshape event: known future events that a person adds, lists or removes. */
#include <stdio.h>

#include "agent/agent.h"
#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/client.h"
#include "agent/cmd.h"
#include "agent/json.h"
#include "agent/show.h"
#include "agent/table.h"

/* clang-format off */
static const struct cmd_option options[] = {
	{ "starts", "TIME", "when it starts: 2027-03-20T08:00, in this host's zone unless it says Z or +hh:mm" },
	{ "lasts", "DURATION", "how long it lasts: 12h; at most 366d" },
	{ "multiplier", "M", "demand is M times the usual; learned from past events of the name where not given" },
	{ NULL, NULL, NULL },
};
static const struct table_column columns[] = {
	{ "ID", true, false }, { "SERVICE", false, true }, { "NAME", false, true }, { "STARTS", false, false },
	{ "LASTS", true, false }, { "MULTIPLIER", true, false },
};
/* clang-format on */

static int done(const struct cmd_args *args, int r, json_t *answer, const struct err *e,
		const char *said)
{
	if (r < 0)
		return client_failed(r, e);
	if (args->json)
		return json_print(stdout, json_incref(answer)) < 0 ? EXIT_FAILED : EXIT_OK;
	printf("%s\n", said);
	return EXIT_OK;
}

static int add(const struct cmd *cmd, struct cmd_args *args)
{
	const char *starts = cmd_option(args, "starts"), *lasts = cmd_option(args, "lasts");
	const char *multiplier = cmd_option(args, "multiplier");
	json_auto_t *answer = NULL, *body = NULL;
	double m = 0;
	uint64_t lasts_ns;
	int64_t starts_ns;
	struct err e = {};
	char said[64];
	int r;

	if (args->n_words != 3)
		return cmd_usage(cmd, "add takes SERVICE and NAME");
	if (!starts || parse_time_ns(starts, &starts_ns) < 0)
		return cmd_usage(cmd, "--starts takes a time such as 2027-03-20T08:00");
	if (!lasts || parse_duration_ns(lasts, &lasts_ns) < 0 || lasts_ns == 0 ||
	    lasts_ns > AGENT_MAX_LASTS_NS)
		return cmd_usage(cmd, "--lasts takes a duration such as 12h, at most %dd",
				 AGENT_MAX_LASTS_DAYS);
	if (multiplier && (parse_double(multiplier, &m) < 0 || !(m > 0)))
		return cmd_usage(cmd, "--multiplier takes a number above 0, not '%s'", multiplier);
	body = json_pack("{s:s, s:s, s:I, s:o, s:o}", "service", args->words[1], "name",
			 args->words[2], "starts_real_ns", (json_int_t)starts_ns, "lasts_ns",
			 json_count(lasts_ns), "multiplier",
			 multiplier ? json_real(m) : json_null());
	if (!body)
		return cmd_usage(cmd, "SERVICE and NAME are UTF-8");
	r = client_post("/v1/events", body, &answer, &e);
	(void)snprintf(said, sizeof(said), "event %lld added",
		       json_integer_value(json_object_get(answer, "id")));
	return done(args, r, answer, &e, said);
}

static void print_events(const json_t *events)
{
	const json_t *ev, *id;
	struct table t;
	char starts[40];
	size_t i;

	if (json_array_size(events) == 0) {
		printf("no events are known\n");
		return;
	}
	table_start(&t, columns, ARRAY_SIZE(columns));
	json_array_foreach (events, i, ev) {
		id = json_object_get(ev, "id");
		if (json_integer_value(id) > 0)
			table_cell(&t, "%lld", json_integer_value(id));
		else
			table_cell(&t, "policy");
		table_cell(&t, "%s", show_text(json_object_get(ev, "service"), "-"));
		table_cell(&t, "%s", show_text(json_object_get(ev, "name"), "-"));
		table_cell(&t, "%s",
			   format_time(starts, sizeof(starts),
				       json_integer_value(json_object_get(ev, "starts_real_ns"))));
		table_cell(&t, "%s",
			   show_ns((uint64_t)json_integer_value(json_object_get(ev, "lasts_ns")))
				   .text);
		table_cell(&t, "%s",
			   json_is_number(json_object_get(ev, "multiplier"))
				   ? show_plain(json_object_get(ev, "multiplier")).text
				   : "learned");
	}
	table_print(&t, stdout);
	table_free(&t);
}

static int list(const struct cmd *cmd, struct cmd_args *args)
{
	json_auto_t *answer = NULL;
	struct err e = {};
	int r;

	if (args->n_words != 1)
		return cmd_usage(cmd, "list takes no words");
	r = client_get("/v1/events", &answer, &e);
	if (r < 0 || args->json)
		return done(args, r, answer, &e, "");
	print_events(json_object_get(answer, "events"));
	return EXIT_OK;
}

static int remove_event(const struct cmd *cmd, struct cmd_args *args)
{
	json_auto_t *answer = NULL;
	struct err e = {};
	char path[64];
	uint64_t id;
	int r;

	if (args->n_words != 2 || parse_u64(args->words[1], &id) < 0)
		return cmd_usage(cmd, "remove takes the ID that 'foreshape event list' shows");
	(void)snprintf(path, sizeof(path), "/v1/events?id=%llu", (unsigned long long)id);
	r = client_delete(path, &answer, &e);
	return done(args, r, answer, &e, "event removed");
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	/* clang-format off */
	static const struct {
		const char *verb;
		int (*run)(const struct cmd *cmd, struct cmd_args *args);
	} verbs[] = {
		{ "add", add },
		{ "list", list },
		{ "remove", remove_event },
	};
	/* clang-format on */

	for (size_t i = 0; args->n_words > 0 && i < ARRAY_SIZE(verbs); i++)
		if (streq(args->words[0], verbs[i].verb))
			return verbs[i].run(cmd, args);
	return cmd_usage(cmd, "takes add, list or remove");
}

const struct cmd cmd_event = {
	.name = "event",
	.args = "add SERVICE NAME --starts TIME --lasts DURATION | list | remove ID",
	.help = "known future events: campaigns, matches, batch jobs, holidays",
	.more = "An event tells the forecast of a service that its demand will be unusual from a time on, for a "
		"while. With --multiplier it is expected to be so many times the usual; without, the effect is "
		"learned from earlier events of the same name. Events in policy files are listed too; they are "
		"changed there.",
	.options = options,
	.json = true,
	.run = run,
};
