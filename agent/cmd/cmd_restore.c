// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_restore.c - restore: gives back what limits had before foreshape, with or without the agent.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/client.h"
#include "agent/cmd.h"
#include "agent/keeper/keeper.h"

#define WAIT_FD 3
#define AGENT_PATIENCE_MS                                                                          \
	20000 /* the guarded shrinks of all services run side by side, 3 s each                    \
	       */

struct told {
	bool json;
	json_t *rows;
	unsigned int restored, left, gone;
};

static void tell(void *arg, const struct restore_line *line)
{
	struct told *t = arg;

	t->restored += streq(line->what, "restored");
	t->left += streq(line->what, "left");
	t->gone += streq(line->what, "gone");
	if (t->json) {
		(void)json_array_append_new(
			t->rows, json_pack("{s:s,s:s,s:s,s:s}", "cgroup", line->path, "knob",
					   line->knob, "result", line->what, "why", line->why));
		return;
	}
	printf("%-10s %-14s %s%s%s\n", line->what, line->knob, line->path, *line->why ? ": " : "",
	       line->why);
}

static int print_totals(const struct told *t, unsigned int refused)
{
	json_t *all;

	if (!t->json) {
		printf("%u given back, %u refused, %u left to others\n", t->restored, refused,
		       t->left);
		return refused ? EXIT_FAILED : EXIT_OK;
	}
	all = json_pack("{s:i,s:i,s:i,s:i,s:O}", "schema", 1, "restored", (int)t->restored,
			"refused", (int)refused, "left", (int)t->left, "knobs", t->rows);
	json_dumpf(all, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(all);
	return refused ? EXIT_FAILED : EXIT_OK;
}

/* @said is what an agent that was asked first failed with; NULL: there was none. */
static int restore_offline(const struct cmd_args *args, const char *service, const char *said)
{
	struct told t = {.json = args->json, .rows = json_array()};
	struct err e = {};
	int r = keeper_restore(cmd_runtime_dir(), service, tell, &t, &e);

	if (r < 0) {
		json_decref(t.rows);
		if (r == -EBUSY && said) /* it is there, and that is what it said */
			return cmd_failed(said);
		(void)cmd_failed(e.text);
		return r == -EBUSY ? EXIT_LOCKED : EXIT_FAILED;
	}
	r = print_totals(&t, (unsigned int)r);
	json_decref(t.rows);
	return r;
}

static int print_reply(const struct cmd_args *args, const json_t *reply)
{
	json_int_t restored = json_integer_value(json_object_get(reply, "restored"));
	json_int_t refused = json_integer_value(json_object_get(reply, "refused"));

	if (args->json) {
		json_dumpf(reply, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		printf("%lld given back, %lld refused; the agent only observes now\n",
		       (long long)restored, (long long)refused);
	}
	return refused ? EXIT_FAILED : EXIT_OK;
}

/* An agent that refuses is there; one that does not answer in order may just have been killed. */
static bool agent_has_spoken(int r)
{
	return r == -EPERM || r == -EACCES || r == -ENOENT || r == -EINVAL;
}

/*
 * Asks the agent; -ENOTCONN when there is none, or one that may just have been killed (@e says what
 * became of the question). Else the exit code.
 */
static int restore_by_agent(const struct cmd_args *args, const char *service, struct err *e)
{
	json_t *body = service ? json_pack("{s:s}", "service", service) : json_object();
	json_t *reply = NULL;
	int r = client_post_wait("/v1/restore", body, AGENT_PATIENCE_MS, &reply, e);

	json_decref(body);
	if (r == -ENOTCONN)
		*e = (struct err){};
	if (r < 0)
		return agent_has_spoken(r) ? client_failed(r, e) : -ENOTCONN;
	r = print_reply(args, reply);
	json_decref(reply);
	return r;
}

/* What systemd runs when the agent has failed for good. */
static int loosen(const struct cmd_args *args)
{
	struct err e = {};
	int r = args->n_words ? err_say(&e, -EINVAL, "--loosen is for all services at once")
			      : keeper_loosen(cmd_runtime_dir(), &e);

	if (r < 0)
		fprintf(stderr, "foreshape: %s\n", e.text);
	return r == 0         ? EXIT_OK
	       : r == -EINVAL ? EXIT_USAGE
	       : r == -EBUSY  ? EXIT_LOCKED
			      : EXIT_FAILED;
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	const char *word = args->n_words ? args->words[0] : NULL;
	struct err said = {};
	int r;

	if (cmd_option(args, "wait"))
		return keeper_wait_and_loosen(cmd_runtime_dir(), WAIT_FD) < 0 ? EXIT_FAILED
									      : EXIT_OK;
	if (cmd_option(args, "loosen"))
		return loosen(args);
	if (args->n_words > 1) {
		fprintf(stderr, "foreshape %s: one service at most\n", cmd->name);
		return EXIT_USAGE;
	}
	r = restore_by_agent(args, word, &said);
	return r == -ENOTCONN ? restore_offline(args, word, *said.text ? said.text : NULL) : r;
}

static const struct cmd_option options[] = {
	{"loosen", NULL, "without an agent: raise limits to their baseline, lower none"},
	{"wait", NULL, "for the agent's own use: wait for it to end, then loosen"},
	{},
};

const struct cmd cmd_restore = {
	.name = "restore",
	.args = "[SERVICE]",
	.help = "give limits back the values they had before foreshape",
	.more = "With a running agent, it is switched to observe first and does the work. Without one, "
		"the journal in the runtime directory says what to give back. Memory limits are lowered only as far as use allows. Values somebody "
		"else set in the meantime are left alone.",
	.options = options,
	.json = true,
	.run = run,
};
