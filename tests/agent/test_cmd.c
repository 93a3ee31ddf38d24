// SPDX-License-Identifier: GPL-2.0-or-later
/* test_cmd.c - every row of the command table: help, man page, completion, option parsing. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "agent/base/util.h"
#include "agent/cmd.h"
#include "agent/help.h"

#define HELP_LINE_MAX 80

static char *text_of(void (*print)(FILE *out))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	print(out);
	fclose(out);
	return text;
}

static const struct cmd *shown;

static void print_shown(FILE *out)
{
	help_command(out, shown);
}

/* The longest line of @text, in bytes. */
static size_t longest_line(const char *text)
{
	size_t longest = 0, n;

	for (; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		longest = MAX(longest, n);
	}
	return longest;
}

static void rows_are_whole(void **state)
{
	for (size_t i = 0; i < cmd_table_size; i++) {
		const struct cmd *cmd = cmd_table[i];
		size_t n = 0;

		assert_non_null(cmd->name);
		assert_non_null(cmd->help);
		assert_true(*cmd->help && cmd->help[strlen(cmd->help) - 1] != '.');
		assert_non_null(cmd->run);
		assert_ptr_equal(cmd_find(cmd->name), cmd);
		assert_true(cmd->hidden == (*cmd->name == '_'));
		for (const struct cmd_option *o = cmd->options; o && o->name; o++, n++) {
			assert_non_null(o->help);
			assert_true(isalpha((unsigned char)*o->name));
		}
		assert_true(n <= CMD_MAX_OPTIONS);
	}
}

static void help_shows_every_command_within_the_screen(void **state)
{
	char *text = text_of(help_overview);

	assert_true(longest_line(text) <= HELP_LINE_MAX);
	for (size_t i = 0; i < cmd_table_size; i++) {
		char line[80];

		(void)snprintf(line, sizeof(line), "\n  %s ", cmd_table[i]->name);
		assert_true((strstr(text, line) != NULL) == !cmd_table[i]->hidden);
	}
	free(text);
}

static void help_of_a_command_shows_every_option(void **state)
{
	for (size_t i = 0; i < cmd_table_size; i++) {
		char *text;

		shown = cmd_table[i];
		text = text_of(print_shown);
		assert_true(longest_line(text) <= HELP_LINE_MAX);
		assert_true((strstr(text, "--json") != NULL) >= shown->json);
		for (const struct cmd_option *o = shown->options; o && o->name; o++)
			assert_non_null(strstr(text, o->name));
		free(text);
	}
}

/* @name as roff has it, every dash escaped. */
static void roff_name(char *buf, size_t size, const char *before, const char *name)
{
	size_t used = (size_t)snprintf(buf, size, "%s", before);

	for (; *name && used + 3 < size; name++)
		used += (size_t)snprintf(buf + used, size - used, *name == '-' ? "\\-" : "%c",
					 *name);
}

static void the_man_page_has_every_command_and_option(void **state)
{
	char *text = text_of(help_man), line[120];

	for (size_t i = 0; i < cmd_table_size; i++) {
		roff_name(line, sizeof(line), ".SS \"", cmd_table[i]->name);
		assert_true((strstr(text, line) != NULL) == !cmd_table[i]->hidden);
		for (const struct cmd_option *o = cmd_table[i]->options;
		     !cmd_table[i]->hidden && o && o->name; o++) {
			roff_name(line, sizeof(line), "\\-\\-", o->name);
			assert_non_null(strstr(text, line));
		}
	}
	free(text);
}

static void completion_has_every_command_and_option(void **state)
{
	char *text = text_of(help_bash), line[120];

	for (size_t i = 0; i < cmd_table_size; i++) {
		(void)snprintf(line, sizeof(line), "\t%s) options=\"--help", cmd_table[i]->name);
		assert_true((strstr(text, line) != NULL) == !cmd_table[i]->hidden);
		for (const struct cmd_option *o = cmd_table[i]->options;
		     !cmd_table[i]->hidden && o && o->name; o++) {
			(void)snprintf(line, sizeof(line), " --%s", o->name);
			assert_non_null(strstr(text, line));
		}
	}
	free(text);
}

static void near_names_are_offered(void **state)
{
	assert_string_equal(cmd_nearest("staus"), "status");
	assert_string_equal(cmd_nearest("forcast"), "forecast");
	assert_null(cmd_nearest("xylophone"));
}

static int main_of(const char *a, const char *b, const char *c)
{
	char *argv[] = {(char *)"foreshape", (char *)a, (char *)b, (char *)c, NULL};
	int argc = 1;

	while (argv[argc])
		argc++;
	return cmd_main(argc, argv);
}

static void misuse_exits_2(void **state)
{
	assert_int_equal(main_of(NULL, NULL, NULL), EXIT_USAGE);
	assert_int_equal(main_of("staus", NULL, NULL), EXIT_USAGE);
	assert_int_equal(main_of("version", "--jsn", NULL), EXIT_USAGE);
	assert_int_equal(main_of("enforce", "--for", NULL), EXIT_USAGE);
	assert_int_equal(main_of("enforce", "--for", "soon"), EXIT_USAGE);
	assert_int_equal(main_of("enforce", "--for", "3651d"), EXIT_USAGE);
	assert_int_equal(main_of("freeze", "--for", "100000d"), EXIT_USAGE);
	assert_int_equal(main_of("freeze", "--off=1", NULL), EXIT_USAGE);
	assert_int_equal(main_of("yield", NULL, NULL), EXIT_USAGE);
	assert_int_equal(main_of("yield", "a", "--all"), EXIT_USAGE);
	assert_int_equal(main_of("status", "-x", NULL), EXIT_USAGE);
	assert_int_equal(main_of("help", "nothing", NULL), EXIT_USAGE);
}

static void without_an_agent_the_code_is_69(void **state)
{
	assert_int_equal(setenv("FORESHAPE_RUN", "/nonexistent", 1), 0);
	assert_int_equal(main_of("status", NULL, NULL), EXIT_NO_AGENT);
	assert_int_equal(main_of("reload", "--json", NULL), EXIT_NO_AGENT);
}

static void of_an_option_given_twice_the_last_one_wins(void **state)
{
	struct cmd_args args = {.n_options = 3, .options = {{"for", "1s"}, {"for", "2s"}, {"all"}}};

	assert_string_equal(cmd_option(&args, "for"), "2s");
	assert_string_equal(cmd_option(&args, "all"), "");
	assert_null(cmd_option(&args, "db"));
}

static void values_of_an_option_given_twice_are_all_there(void **state)
{
	struct cmd_args args = {.n_options = 3,
				.options = {{"policy", "a"}, {"all"}, {"policy", "b"}}};

	assert_string_equal(cmd_option_nth(&args, "policy", 0), "a");
	assert_string_equal(cmd_option_nth(&args, "policy", 1), "b");
	assert_null(cmd_option_nth(&args, "policy", 2));
	assert_string_equal(cmd_option_nth(&args, "all", 0), "");
	assert_null(cmd_option_nth(&args, "db", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole),
		cmocka_unit_test(help_shows_every_command_within_the_screen),
		cmocka_unit_test(help_of_a_command_shows_every_option),
		cmocka_unit_test(the_man_page_has_every_command_and_option),
		cmocka_unit_test(completion_has_every_command_and_option),
		cmocka_unit_test(near_names_are_offered),
		cmocka_unit_test(misuse_exits_2),
		cmocka_unit_test(without_an_agent_the_code_is_69),
		cmocka_unit_test(of_an_option_given_twice_the_last_one_wins),
		cmocka_unit_test(values_of_an_option_given_twice_are_all_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
