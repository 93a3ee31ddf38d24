// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd.c - finds the command in the table, takes its options apart and runs it. */
#include "agent/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/help.h"
#include "policies/nearest.h"

#define RUNTIME_DIR "/run/foreshape"

const char *cmd_runtime_dir(void)
{
	const char *dir = getenv("FORESHAPE_RUN");

	return dir && *dir ? dir : RUNTIME_DIR;
}

int cmd_time_ns(const char *text, int64_t *ret)
{
	struct timespec now;
	uint64_t back_ns;

	if (parse_duration_ns(text, &back_ns) < 0)
		return parse_time_ns(text, ret);
	clock_gettime(CLOCK_REALTIME, &now);
	*ret = now.tv_sec * (int64_t)NS_PER_S - (int64_t)MIN(back_ns, (uint64_t)INT64_MAX / 2);
	return 0;
}

const char *cmd_option(const struct cmd_args *args, const char *name)
{
	for (size_t i = args->n_options; i-- > 0;)
		if (streq(args->options[i].name, name))
			return args->options[i].value ? args->options[i].value : "";
	return NULL;
}

const char *cmd_option_nth(const struct cmd_args *args, const char *name, size_t n)
{
	for (size_t i = 0; i < args->n_options; i++)
		if (streq(args->options[i].name, name) && n-- == 0)
			return args->options[i].value ? args->options[i].value : "";
	return NULL;
}

const struct cmd *cmd_find(const char *name)
{
	for (size_t i = 0; i < cmd_table_size; i++)
		if (streq(cmd_table[i]->name, name))
			return cmd_table[i];
	return NULL;
}

const char *cmd_nearest(const char *word)
{
	const char *best = NULL;
	unsigned int least = NEAREST_FAR;

	for (size_t i = 0; i < cmd_table_size; i++) {
		unsigned int d = nearest_distance(word, cmd_table[i]->name);

		if (d < least && !cmd_table[i]->hidden) {
			least = d;
			best = cmd_table[i]->name;
		}
	}
	return best;
}

int cmd_usage(const struct cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "foreshape %s: ", cmd->name);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nsee 'foreshape help %s'\n", cmd->name);
	return EXIT_USAGE;
}

int cmd_failed(const char *text)
{
	fprintf(stderr, "foreshape: %s\n", text);
	return EXIT_FAILED;
}

static const struct cmd_option *find_option(const struct cmd *cmd, const char *name, size_t len)
{
	for (const struct cmd_option *o = cmd->options; o && o->name; o++)
		if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

static int unknown_option(const struct cmd *cmd, const char *word)
{
	const char *names[CMD_MAX_OPTIONS + 3] = {"help"}, *nearest;
	char name[64];
	size_t n = 1;

	(void)copy_str(name, MIN(sizeof(name), strcspn(word, "=") + 1), word);
	if (cmd->json)
		names[n++] = "json";
	for (const struct cmd_option *o = cmd->options; o && o->name && n < ARRAY_SIZE(names) - 1;
	     o++)
		names[n++] = o->name;
	nearest = nearest_name(name + strspn(name, "-"), names);
	if (nearest)
		return cmd_usage(cmd, "unknown option '%s', did you mean '--%s'?", name, nearest);
	return cmd_usage(cmd, "unknown option '%s'", name);
}

/* Takes the option at argv[*i], moving *i over a value that stands apart. */
static int take_option(const struct cmd *cmd, int argc, char **argv, int *i, struct cmd_args *args)
{
	const char *name = argv[*i] + 2, *value = strchr(name, '=');
	size_t len = strcspn(name, "=");
	const struct cmd_option *o = find_option(cmd, name, len);

	if (cmd->json && streq(name, "json")) {
		args->json = true;
		return EXIT_OK;
	}
	if (!o)
		return unknown_option(cmd, argv[*i]);
	if (!o->metavar && value)
		return cmd_usage(cmd, "--%s takes no value", o->name);
	if (o->metavar && value)
		value++;
	else if (o->metavar && *i + 1 < argc)
		value = argv[++*i];
	else if (o->metavar)
		return cmd_usage(cmd, "--%s needs %s", o->name, o->metavar);
	if (args->n_options == ARRAY_SIZE(args->options))
		return cmd_usage(cmd, "too many options");
	args->options[args->n_options].name = o->name;
	args->options[args->n_options++].value = value;
	return EXIT_OK;
}

static bool wants_help(const char *word)
{
	return streq(word, "--help") || streq(word, "-h");
}

/* Fills @args from the words after the command's name. EXIT_OK, EXIT_USAGE; *help: asked for it. */
static int take_words(const struct cmd *cmd, int argc, char **argv, struct cmd_args *args,
		      bool *help)
{
	bool options_over = false;

	for (int i = 0; i < argc; i++) {
		if (options_over || argv[i][0] != '-' || streq(argv[i], "-")) {
			args->words[args->n_words++] = argv[i];
		} else if (streq(argv[i], "--")) {
			options_over = true;
		} else if (wants_help(argv[i])) {
			*help = true;
		} else if (strncmp(argv[i], "--", 2) == 0) {
			int r = take_option(cmd, argc, argv, &i, args);

			if (r != EXIT_OK)
				return r;
		} else {
			return unknown_option(cmd, argv[i]);
		}
	}
	return EXIT_OK;
}

static int unknown_command(const char *name)
{
	const char *nearest = cmd_nearest(name);

	fprintf(stderr, "foreshape: no command '%s'", name);
	if (nearest)
		fprintf(stderr, ", did you mean '%s'?", nearest);
	fprintf(stderr, "\nsee 'foreshape help'\n");
	return EXIT_USAGE;
}

/* A failing stdout (a full disk, a closed pipe) is a failure of the command. */
static int flushed(int code)
{
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_OK) {
		perror("foreshape: write to standard output");
		return EXIT_FAILED;
	}
	return code;
}

static int run_command(const struct cmd *cmd, int argc, char **argv)
{
	_cleanup_(freep) char **words = calloc((size_t)argc + 1, sizeof(*words));
	struct cmd_args args = {.words = words};
	bool help = false;
	int r;

	if (!words)
		return cmd_failed("out of memory");
	r = take_words(cmd, argc, argv, &args, &help);
	if (r != EXIT_OK)
		return r;
	if (help) {
		help_command(stdout, cmd);
		return flushed(EXIT_OK);
	}
	return flushed(cmd->run(cmd, &args));
}

int cmd_main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	const struct cmd *cmd;

	if (!name) {
		help_overview(stderr);
		return EXIT_USAGE;
	}
	if (wants_help(name))
		name = "help";
	else if (streq(name, "--version") || streq(name, "-V"))
		name = "version";
	cmd = cmd_find(name);
	if (!cmd)
		return unknown_command(name);
	return run_command(cmd, argc - 2, argv + 2);
}
