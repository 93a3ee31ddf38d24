// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_help.c - foreshape help, version, completion, and the man page: what the table says. */
#include <ctype.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/client.h"
#include "agent/client_cmd.h"
#include "agent/help.h"
#include "agent/json.h"
#include "agent/show.h"

static json_t *options_json(const struct cmd *cmd)
{
	json_t *list = json_array();

	for (const struct cmd_option *o = cmd->options; o && o->name; o++)
		json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "name", o->name, "metavar",
						      json_text(o->metavar), "help", o->help));
	return list;
}

static json_t *command_json(const struct cmd *cmd)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:o}", "name", cmd->name, "args",
			 cmd->args ? cmd->args : "", "help", cmd->help, "json", cmd->json,
			 "options", options_json(cmd));
}

/* The table, or one command of it. */
static json_t *table_json(const struct cmd *only)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cmd_table_size; i++)
		if (only ? cmd_table[i] == only : !cmd_table[i]->hidden)
			json_array_append_new(list, command_json(cmd_table[i]));
	return json_pack("{s:i, s:o}", "schema", 1, "commands", list);
}

static int no_command(const struct cmd *cmd, const char *name)
{
	const char *nearest = cmd_nearest(name);

	if (nearest)
		return cmd_usage(cmd, "no command '%s', did you mean '%s'?", name, nearest);
	return cmd_usage(cmd, "no command '%s'", name);
}

static int run_help(const struct cmd *cmd, struct cmd_args *args)
{
	const struct cmd *about = args->n_words ? cmd_find(args->words[0]) : NULL;

	if (args->n_words > 1)
		return cmd_usage(cmd, "takes one command");
	if (args->n_words && !about)
		return no_command(cmd, args->words[0]);
	if (args->json)
		return json_print(stdout, table_json(about)) < 0 ? EXIT_FAILED : EXIT_OK;
	if (about)
		help_command(stdout, about);
	else
		help_overview(stdout);
	return EXIT_OK;
}

static int run_version(const struct cmd *cmd, struct cmd_args *args)
{
	if (args->json)
		return json_print(stdout, json_pack("{s:i, s:s}", "schema", 1, "version",
						    FORESHAPE_VERSION)) < 0
			       ? EXIT_FAILED
			       : EXIT_OK;
	printf("foreshape " FORESHAPE_VERSION "\n");
	return EXIT_OK;
}

static int run_completion(const struct cmd *cmd, struct cmd_args *args)
{
	if (args->n_words > 1 || (args->n_words == 1 && !streq(args->words[0], "bash")))
		return cmd_usage(cmd, "knows no shell but bash");
	help_bash(stdout);
	return EXIT_OK;
}

static int run_man(const struct cmd *cmd, struct cmd_args *args)
{
	help_man(stdout);
	return EXIT_OK;
}

/* A shell expands what completion gets: only names of harmless letters. */
static bool is_plain(const char *name)
{
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-_.@", *name))
			return false;
	return true;
}

static int run_services(const struct cmd *cmd, struct cmd_args *args)
{
	json_auto_t *status = NULL;
	const json_t *s;
	struct err e = {};
	size_t i;

	if (client_get("/v1/status", &status, &e) < 0)
		return EXIT_NO_AGENT;
	json_array_foreach (json_object_get(status, "services"), i, s) {
		const char *name = show_text(json_object_get(s, "name"), "");

		if (is_plain(name))
			printf("%s\n", name);
	}
	return EXIT_OK;
}

const struct cmd cmd_help = {
	.name = "help",
	.args = "[COMMAND]",
	.help = "all commands, or one in full",
	.json = true,
	.run = run_help,
};

const struct cmd cmd_version = {
	.name = "version",
	.args = "",
	.help = "print the version",
	.json = true,
	.run = run_version,
};

const struct cmd cmd_completion = {
	.name = "completion",
	.args = "[bash]",
	.help = "print the completion for bash",
	.more = "To have it in this shell:\n\n  . <(foreshape completion)",
	.run = run_completion,
};

const struct cmd cmd_man = {
	.name = "_man",
	.help = "print the man page",
	.hidden = true,
	.run = run_man,
};

const struct cmd cmd_services = {
	.name = "_services",
	.help = "print the services, for completion",
	.hidden = true,
	.run = run_services,
};
