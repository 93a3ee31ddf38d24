/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd.h - the one table of commands, from which dispatch, help, man page and completion come. */
#ifndef FORESHAPE_CMD_H
#define FORESHAPE_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes; the contract of every command. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,     /* usage or policy error */
	EXIT_NO_AGENT = 69, /* EX_UNAVAILABLE */
	EXIT_LOCKED = 75,   /* EX_TEMPFAIL: another agent holds the lock */
};

struct cmd_args;

struct cmd_option {
	const char *name;    /* "policies", without the dashes */
	const char *metavar; /* "DIR"; "FILE...": may be given again for one more; NULL: a switch */
	const char *help;
};

#define CMD_MAX_OPTIONS 20

struct cmd {
	const char *name;
	const char *args; /* "SERVICE -- CMD..." */
	const char *help; /* one line */
	const char *more; /* paragraphs for the man page and `help CMD`; NULL: none */
	const struct cmd_option
		*options; /* ends with a NULL name; --help and --json are added by the parser */
	bool json;        /* takes --json */
	bool hidden;      /* for foreshape's own use */
	int (*run)(const struct cmd *cmd, struct cmd_args *args);
};

/* The words of a call after the command's name, options taken out. */
struct cmd_args {
	bool json;
	size_t n_options;
	struct {
		const char *name, *value; /* value NULL: a switch */
	} options[CMD_MAX_OPTIONS * 2];
	char **words; /* what is no option; everything after "--" */
	size_t n_words;
};

/* Value of option @name: NULL when not given, "" for a switch that is. The last one wins. */
const char *cmd_option(const struct cmd_args *args, const char *name);
/* Value @n, from 0, of option @name, in the order they were given; NULL past the last. */
const char *cmd_option_nth(const struct cmd_args *args, const char *name, size_t n);

extern const struct cmd *const cmd_table[];
extern const size_t cmd_table_size;

/* The command named @name, NULL: none. */
const struct cmd *cmd_find(const char *name);

/* The name of a command that @word may stand for, NULL: none is near. */
const char *cmd_nearest(const char *word);

/*
 * Prints "foreshape NAME: <formatted>" and where to read on to stderr. Returns EXIT_USAGE, so that
 * a command can say 'return cmd_usage(cmd, "no service given")'.
 */
int cmd_usage(const struct cmd *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints "foreshape: @text" to stderr, once a failure; returns EXIT_FAILED. */
int cmd_failed(const char *text);

/* Runs @argv[1] from the table; prints usage errors to stderr. Returns the exit code. */
int cmd_main(int argc, char **argv);

/* Reads a time, or a duration ("1h"): so long ago. Returns 0 or as parse_time_ns. */
int cmd_time_ns(const char *text, int64_t *ret);

/* FORESHAPE_RUN or /run/foreshape. */
const char *cmd_runtime_dir(void);

#endif
