// SPDX-License-Identifier: GPL-2.0-or-later
/* help_bash.c - completion for bash from the table of commands. */
#include "agent/help.h"

#include <string.h>

#include "agent/base/util.h"

/* True when the first word a command takes is the name of a service. */
static bool takes_service(const struct cmd *cmd)
{
	const char *args = cmd->args ? cmd->args : "";

	args += strspn(args, "[");
	return strncmp(args, "SERVICE", strlen("SERVICE")) == 0;
}

static void print_case(FILE *out, const struct cmd *cmd)
{
	fprintf(out, "\t%s) options=\"--help%s", cmd->name, cmd->json ? " --json" : "");
	for (const struct cmd_option *o = cmd->options; o && o->name; o++)
		fprintf(out, " --%s", o->name);
	fprintf(out, "\"%s ;;\n", takes_service(cmd) ? " services=1" : "");
}

/* Options with a value: the word after one is a file or directory, or nothing we know. */
static void print_valued(FILE *out, const struct cmd *cmd)
{
	for (const struct cmd_option *o = cmd->options; o && o->name; o++) {
		if (!o->metavar)
			continue;
		fprintf(out, "\t%s:--%s) %s; return ;;\n", cmd->name, o->name,
			streq(o->metavar, "DIR") ? "COMPREPLY=($(compgen -d -- \"$word\"))"
			: streq(o->metavar, "FILE") || strstr(o->metavar, ".")
				? "COMPREPLY=($(compgen -f -- \"$word\"))"
				: "COMPREPLY=()");
	}
}

void help_bash(FILE *out)
{
	fprintf(out, "# bash completion for foreshape\n"
		     "_foreshape() {\n"
		     "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
		     "\tlocal cmd=${COMP_WORDS[1]} options= services= commands=\"");
	for (size_t i = 0; i < cmd_table_size; i++)
		if (!cmd_table[i]->hidden)
			fprintf(out, "%s%s", i ? " " : "", cmd_table[i]->name);
	fprintf(out,
		"\"\n\tif [ \"$COMP_CWORD\" -eq 1 ] || { [ \"$COMP_CWORD\" -eq 2 ] && [ \"$cmd\" = help ]; }; "
		"then\n\t\tCOMPREPLY=($(compgen -W \"$commands --help --version\" -- \"$word\"))\n"
		"\t\treturn\n\tfi\n\tcase $cmd:$before in\n");
	for (size_t i = 0; i < cmd_table_size; i++)
		if (!cmd_table[i]->hidden)
			print_valued(out, cmd_table[i]);
	fprintf(out, "\tesac\n\tcase $cmd in\n");
	for (size_t i = 0; i < cmd_table_size; i++)
		if (!cmd_table[i]->hidden)
			print_case(out, cmd_table[i]);
	fprintf(out,
		"\tesac\n\tcase $word in\n"
		"\t-*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")); return ;;\n\tesac\n"
		"\tif [ -n \"$services\" ]; then\n"
		"\t\tCOMPREPLY=($(compgen -W \"$(foreshape _services 2>/dev/null)\" -- \"$word\"))\n"
		"\telse\n\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n\tfi\n}\n"
		"complete -F _foreshape foreshape\n");
}
