// SPDX-License-Identifier: GPL-2.0-or-later
/* help_man.c - the man page foreshape(1) from the table of commands. */
#include "agent/help.h"

#include "agent/base/util.h"

/* Prints @text for roff: no dash becomes a hyphen, no line starts a request by accident. */
static void print_roff(FILE *out, const char *text)
{
	bool at_start = true;

	for (; *text; text++) {
		if (at_start && (*text == '.' || *text == '\''))
			fprintf(out, "\\&");
		at_start = *text == '\n';
		if (*text == '\\')
			fprintf(out, "\\e");
		else if (*text == '-')
			fprintf(out, "\\-");
		else
			fputc(*text, out);
	}
}

/* Paragraphs as help_command takes them: empty lines part them, indented lines are kept. */
static void print_paragraphs(FILE *out, const char *text)
{
	bool kept = false;

	while (*text) {
		size_t n = strcspn(text, "\n");
		char line[1024];

		(void)copy_str(line, MIN(sizeof(line), n + 1), text);
		if ((*line == ' ') != kept) {
			fprintf(out, kept ? ".EE\n" : ".EX\n");
			kept = !kept;
		}
		if (n == 0)
			fprintf(out, ".PP\n");
		else
			print_roff(out, line);
		if (n > 0)
			fprintf(out, "\n");
		text += n + (text[n] == '\n');
	}
	if (kept)
		fprintf(out, ".EE\n");
}

static void print_option(FILE *out, const char *name, const char *metavar, const char *text)
{
	fprintf(out, ".TP\n.B \\-\\-");
	print_roff(out, name);
	if (metavar) {
		fprintf(out, " \\fI");
		print_roff(out, metavar);
		fprintf(out, "\\fR");
	}
	fprintf(out, "\n");
	print_roff(out, text);
	fprintf(out, "\n");
}

static void print_command(FILE *out, const struct cmd *cmd)
{
	fprintf(out, ".SS \"");
	print_roff(out, cmd->name);
	if (cmd->args && *cmd->args) {
		fprintf(out, " ");
		print_roff(out, cmd->args);
	}
	fprintf(out, "\"\n");
	print_paragraphs(out, cmd->help);
	if (cmd->more) {
		fprintf(out, ".PP\n");
		print_paragraphs(out, cmd->more);
	}
	for (const struct cmd_option *o = cmd->options; o && o->name; o++)
		print_option(out, o->name, o->metavar, o->help);
	if (cmd->json)
		print_option(out, "json", NULL, "Print JSON with \"schema\": 1.");
}

static void print_rows(FILE *out, const char *title, const struct help_row *row)
{
	fprintf(out, ".SH %s\n", title);
	for (; row->name; row++) {
		fprintf(out, ".TP\n.B ");
		print_roff(out, row->name);
		fprintf(out, "\n");
		print_roff(out, row->text);
		fprintf(out, "\n");
	}
}

void help_man(FILE *out)
{
	fprintf(out,
		".TH FORESHAPE 1 \"\" \"foreshape " FORESHAPE_VERSION "\" \"User Commands\"\n"
		".SH NAME\nforeshape \\- give services CPU, memory and bandwidth before they need them\n"
		".SH SYNOPSIS\n.B foreshape\n.I COMMAND\n[\\fIOPTIONS\\fR]\n[\\fB\\-\\-json\\fR]\n"
		".SH DESCRIPTION\n"
		"An agent for one host. It measures every API of every service with eBPF and no change\n"
		"to the services, forecasts each API's demand, and sets the limits of the services'\n"
		"cgroups and traffic classes ahead of it: gold first, then silver, and bronze from what\n"
		"is left. It explains every change it makes, and can undo all of them. Until told to\n"
		"enforce, it only observes.\n.SH COMMANDS\n");
	for (size_t i = 0; i < cmd_table_size; i++)
		if (!cmd_table[i]->hidden)
			print_command(out, cmd_table[i]);
	print_rows(out, "EXIT STATUS", help_exit_codes);
	print_rows(out, "ENVIRONMENT", help_environment);
	print_rows(out, "FILES", help_files);
}
