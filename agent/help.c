// SPDX-License-Identifier: GPL-2.0-or-later
/* help.c - help texts from the table of commands. */
#include "agent/help.h"

#include <string.h>

#include "agent/base/util.h"

#define TEXT_WIDTH    78
#define NAME_COLUMN   14
#define OPTION_COLUMN 22

/* clang-format off */
const struct help_row help_exit_codes[] = {
	{ "0",  "done" },
	{ "1",  "failed" },
	{ "2",  "usage or policy error" },
	{ "69", "no agent answers" },
	{ "75", "another agent holds the lock" },
	{ NULL, NULL },
};
const struct help_row help_environment[] = {
	{ "FORESHAPE_RUN", "runtime directory instead of /run/foreshape" },
	{ "NO_COLOR",      "when set and not empty, no colour on a terminal" },
	{ "COLUMNS",       "width of tables; 80 where there is no terminal" },
	{ NULL, NULL },
};
const struct help_row help_files[] = {
	{ "/etc/foreshape/policies.d/*.yaml", "one policy a service; host.yaml beside them for the host" },
	{ "/run/foreshape/control.sock",      "HTTP and JSON of the running agent" },
	{ "/run/foreshape/lock",              "held by the one agent of the host" },
	{ "/run/foreshape/journal",           "the baselines: what every limit was before" },
	{ "/var/lib/foreshape/history.db",    "samples, forecasts, decisions and writes (SQLite)" },
	{ NULL, NULL },
};
/* clang-format on */

/* Prints @text after what is on the line up to @column, going on at @indent of the next ones. */
static void print_hanging(FILE *out, int column, int indent, const char *text)
{
	while (*text) {
		int word = (int)strcspn(text, " ");

		if (column + 1 + word > TEXT_WIDTH)
			column = fprintf(out, "\n%*s", indent, "") - 1;
		column += fprintf(out, " %.*s", word, text);
		text += word;
		text += strspn(text, " ");
	}
	fprintf(out, "\n");
}

static void print_row(FILE *out, const char *name, int indent, const char *text)
{
	int column = fprintf(out, "  %s", name);

	if (column < indent)
		column += fprintf(out, "%*s", indent - column, "");
	print_hanging(out, column, indent, text);
}

void help_overview(FILE *out)
{
	fprintf(out, "usage: foreshape COMMAND [OPTIONS] [--json]\n\n"
		     "Measures every API of every service on this host, forecasts its demand, and\n"
		     "gives CPU, memory and bandwidth before they are needed.\n\ncommands:\n");
	for (size_t i = 0; i < cmd_table_size; i++)
		if (!cmd_table[i]->hidden)
			print_row(out, cmd_table[i]->name, NAME_COLUMN, cmd_table[i]->help);
	fprintf(out, "\nexit codes:\n");
	for (const struct help_row *row = help_exit_codes; row->name; row++)
		print_row(out, row->name, NAME_COLUMN, row->text);
	fprintf(out,
		"\n'foreshape help COMMAND' says more; 'foreshape doctor' checks this host.\n");
}

/* Prints @text filled to TEXT_WIDTH; an empty line parts paragraphs, an indented line stays as it
 * is. */
static void print_filled(FILE *out, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t line = strcspn(text, "\n"), word;

		if (line == 0 || *text == ' ') { /* paragraph end, or a line to keep */
			fprintf(out, "%s%.*s\n", column ? "\n" : "", (int)line, text);
			column = 0;
			text += line + (text[line] == '\n');
			continue;
		}
		for (; line > 0; text += word, line -= word) {
			word = strcspn(text, " \n");
			word = MIN(word, line);
			if (column && column + 1 + word > TEXT_WIDTH) {
				fprintf(out, "\n");
				column = 0;
			}
			if (word) {
				fprintf(out, "%s%.*s", column ? " " : "", (int)word, text);
				column += word + (column > 0);
			} else {
				word = 1; /* a space */
			}
		}
		text += *text == '\n';
	}
	if (column)
		fprintf(out, "\n");
}

static void print_option(FILE *out, const char *name, const char *metavar, const char *text)
{
	char words[64];

	(void)snprintf(words, sizeof(words), "--%.30s%s%.30s", name, metavar ? " " : "",
		       metavar ? metavar : "");
	print_row(out, words, OPTION_COLUMN, text);
}

void help_command(FILE *out, const struct cmd *cmd)
{
	char words[512];

	(void)snprintf(words, sizeof(words), "%s%s%s", cmd->args ? cmd->args : "",
		       cmd->args && *cmd->args ? " " : "",
		       cmd->options || cmd->json ? "[OPTIONS]" : "");
	print_hanging(out, fprintf(out, "usage: foreshape %s", cmd->name), NAME_COLUMN, words);
	fprintf(out, "\n");
	print_filled(out, cmd->help);
	if (cmd->more) {
		fprintf(out, "\n");
		print_filled(out, cmd->more);
	}
	fprintf(out, "\noptions:\n");
	for (const struct cmd_option *o = cmd->options; o && o->name; o++)
		print_option(out, o->name, o->metavar, o->help);
	if (cmd->json)
		print_option(out, "json", NULL, "print JSON with \"schema\": 1");
	print_option(out, "help", NULL, "print this");
}
