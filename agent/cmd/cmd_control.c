// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_control.c - commands that change the running agent: mode, freeze, reload, adopt, yield. */
#include "agent/agent.h"
#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/client.h"
#include "agent/client_cmd.h"
#include "agent/json.h"
#include "agent/show.h"

#define FOR_MORE                                                                                   \
	"With --for it goes back to the mode last asked for without; where that is this one, no "  \
	"end is set. The same command without --for makes it last."
#define FREEZE_DEFAULT_NS (10 * S_PER_MIN * NS_PER_S)

/* Posts @body (released here) to @path. EXIT_OK and the answer, or an exit code after saying why.
 */
static int ask(const char *path, json_t *body, json_t **ret)
{
	json_auto_t *sent = body;
	struct err e = {};
	int r;

	if (!sent)
		return cmd_failed("out of memory");
	r = client_post(path, sent, ret, &e);
	return r < 0 ? client_failed(r, &e) : EXIT_OK;
}

/* Prints @answer (released here) with --json, else @said. */
static int tell(const struct cmd_args *args, json_t *answer, const char *said)
{
	if (args->json)
		return json_print(stdout, answer) < 0 ? EXIT_FAILED : EXIT_OK;
	json_decref(answer);
	printf("%s\n", said);
	return EXIT_OK;
}

static int post(const struct cmd_args *args, const char *path, json_t *body, const char *said)
{
	json_t *answer = NULL;
	int r = ask(path, body, &answer);

	return r != EXIT_OK ? r : tell(args, answer, said);
}

/* Reads --for into @ret. EXIT_OK (untouched where not given) or EXIT_USAGE: 0 is none for a mode.
 */
static int take_for(const struct cmd *cmd, const struct cmd_args *args, bool zero_thaws,
		    uint64_t *ret)
{
	const char *text = cmd_option(args, "for");

	if (!text)
		return EXIT_OK;
	if (streq(text, "0"))
		text = "0s";
	if (parse_duration_ns(text, ret) < 0 || (*ret == 0 && !zero_thaws) ||
	    *ret > AGENT_MAX_FOR_NS)
		return cmd_usage(cmd, "--for takes a duration such as 30m, at most %dd, not '%s'",
				 AGENT_MAX_FOR_DAYS, text);
	return EXIT_OK;
}

static int no_words(const struct cmd *cmd, const struct cmd_args *args)
{
	return args->n_words == 0 ? EXIT_OK
				  : cmd_usage(cmd, "takes no words, not '%s'", args->words[0]);
}

static int run_reload(const struct cmd *cmd, struct cmd_args *args)
{
	int r = no_words(cmd, args);

	return r != EXIT_OK ? r : post(args, "/v1/reload", json_object(), "policies reloaded");
}

static int set_mode(const struct cmd *cmd, const struct cmd_args *args, int enforce,
		    const char *verb)
{
	json_t *answer = NULL;
	uint64_t for_ns = 0;
	char said[120];
	int r = no_words(cmd, args);

	if (r == EXIT_OK)
		r = take_for(cmd, args, false, &for_ns);
	if (r == EXIT_OK)
		r = ask("/v1/mode",
			json_pack("{s:b, s:o}", "enforce", enforce, "for_ns", json_count(for_ns)),
			&answer);
	if (r != EXIT_OK)
		return r;
	if (!for_ns)
		(void)snprintf(said, sizeof(said), "%s", verb);
	else if (json_is_integer(json_object_get(answer, "mode_until_real_ns")))
		(void)snprintf(said, sizeof(said), "%s for %s", verb, show_ns(for_ns).text);
	else
		(void)snprintf(said, sizeof(said), "%s, for good already: no end was set", verb);
	return tell(args, answer, said);
}

static int run_observe(const struct cmd *cmd, struct cmd_args *args)
{
	return set_mode(cmd, args, 0, "observing: limits are planned, not written");
}

static int run_enforce(const struct cmd *cmd, struct cmd_args *args)
{
	return set_mode(cmd, args, 1, "enforcing: limits are written");
}

static int run_freeze(const struct cmd *cmd, struct cmd_args *args)
{
	uint64_t for_ns = FREEZE_DEFAULT_NS;
	char said[80] = "thawed: limits follow the plan again";
	int r = no_words(cmd, args);

	if (r == EXIT_OK)
		r = take_for(cmd, args, true, &for_ns);
	if (r != EXIT_OK)
		return r;
	if (cmd_option(args, "off"))
		for_ns = 0;
	if (for_ns)
		(void)snprintf(said, sizeof(said), "frozen: every limit is held for %s",
			       show_ns(for_ns).text);
	return post(args, "/v1/freeze", json_pack("{s:o}", "for_ns", json_count(for_ns)), said);
}

static int run_adopt(const struct cmd *cmd, struct cmd_args *args)
{
	char said[160];

	if (args->n_words != 1)
		return cmd_usage(cmd, "takes one service");
	(void)snprintf(said, sizeof(said), "%.80s: its limits are foreshape's to set again",
		       args->words[0]);
	return post(args, "/v1/adopt", json_pack("{s:o}", "service", json_text(args->words[0])),
		    said);
}

static int run_yield(const struct cmd *cmd, struct cmd_args *args)
{
	const char *service = args->n_words ? args->words[0] : NULL;
	bool all = cmd_option(args, "all") != NULL;
	char said[160];

	if (args->n_words > 1 || all == (service != NULL))
		return cmd_usage(cmd, "takes one service, or --all");
	(void)snprintf(said, sizeof(said),
		       "%.80s: limits stay as they are and are left alone until 'foreshape adopt'",
		       service ? service : "all services");
	return post(args, "/v1/yield", json_pack("{s:o}", "service", json_text(service)), said);
}

static const struct cmd_option for_options[] = {
	{"for", "DURATION",
	 "then back to what it was, such as 30m, at most 3650d; default: for good"},
	{},
};

static const struct cmd_option freeze_options[] = {
	{"for", "DURATION", "how long, such as 10m (the default), at most 3650d; 0 thaws"},
	{"off", NULL, "thaw now"},
	{},
};

static const struct cmd_option yield_options[] = {
	{"all", NULL, "let go of every service"},
	{},
};

const struct cmd cmd_reload = {
	.name = "reload",
	.args = "",
	.help = "read the policies again",
	.more = "A reload with an error in it changes nothing: the last good policies stay in force. SIGHUP to the "
		"agent does the same.",
	.json = true,
	.run = run_reload,
};

const struct cmd cmd_observe = {
	.name = "observe",
	.args = "[--for DURATION]",
	.help = "plan and record, but write no limit",
	.more = "Limits stay as they are; 'foreshape restore' puts them back to what they were before. " FOR_MORE,
	.options = for_options,
	.json = true,
	.run = run_observe,
};

const struct cmd cmd_enforce = {
	.name = "enforce",
	.args = "[--for DURATION]",
	.help = "plan and write the limits",
	.more = "A time to enforce that ends in observing gives every limit back. " FOR_MORE,
	.options = for_options,
	.json = true,
	.run = run_enforce,
};

const struct cmd cmd_freeze = {
	.name = "freeze",
	.args = "[--for DURATION | --off]",
	.help = "hold every limit where it is for a while",
	.options = freeze_options,
	.json = true,
	.run = run_freeze,
};

const struct cmd cmd_adopt = {
	.name = "adopt",
	.args = "SERVICE",
	.help = "take back the limits of a service that somebody else set",
	.more = "When a limit is written by someone else, foreshape lets go of it until this command.",
	.json = true,
	.run = run_adopt,
};

const struct cmd cmd_yield = {
	.name = "yield",
	.args = "SERVICE | --all",
	.help = "let go of a service's limits without changing them",
	.options = yield_options,
	.json = true,
	.run = run_yield,
};
