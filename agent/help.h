/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help.h - what is generated from the table of commands: help, man page, bash completion. */
#ifndef FORESHAPE_HELP_H
#define FORESHAPE_HELP_H

#include <stdio.h>

#include "agent/cmd.h"

void help_overview(FILE *out);                       /* all commands, one line each */
void help_command(FILE *out, const struct cmd *cmd); /* one command in full */
void help_man(FILE *out);                            /* foreshape(1), roff man macros */
void help_bash(FILE *out);                           /* completion for bash */

/* Exit codes and files: rows that help and man page both show. */
struct help_row {
	const char *name, *text;
};
extern const struct help_row help_exit_codes[], help_environment[],
	help_files[]; /* end: NULL name */

#endif
