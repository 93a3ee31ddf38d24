// SPDX-License-Identifier: GPL-2.0-or-later
/* test_corpus.c - each broken policy gives exactly the errors expected, each good one none. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/check.h"
#include "agent/base/cleanup.h"
#include "policies/policy.h"

#define BROKEN     "tests/data/policies/broken/"
#define MAX_INPUTS 8

/* A case: a file, or the files of a directory. */
struct sample {
	char name[128];
	char paths[MAX_INPUTS][512];
	struct policy_input in[MAX_INPUTS];
	size_t n;
};

static void add(struct sample *s, const char *name)
{
	char *path = s->paths[s->n];

	(void)snprintf(path, sizeof(s->paths[0]), BROKEN "%s", name);
	s->in[s->n].name = path + strlen(BROKEN);
	s->in[s->n].fd = open(path, O_RDONLY | O_CLOEXEC);
	s->in[s->n].is_host = strstr(name, "host.yaml") != NULL;
	assert_true(s->in[s->n].fd >= 0);
	s->n++;
}

static int is_yaml(const struct dirent *d)
{
	return strstr(d->d_name, ".yaml") != NULL;
}

static void open_sample(struct sample *s, const char *file)
{
	struct dirent **names;
	char path[256];
	int n;

	s->n = 0;
	(void)snprintf(s->name, sizeof(s->name), "%.*s", (int)strcspn(file, "/"), file);
	if (!strchr(file, '/')) {
		add(s, file);
		return;
	}
	(void)snprintf(path, sizeof(path), BROKEN "%s", s->name);
	n = scandir(path, &names, is_yaml, alphasort);
	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%.100s", s->name, names[i]->d_name);
		add(s, path);
		free(names[i]);
	}
	free(names);
}

static bool belongs(const struct sample *s, const char *line)
{
	size_t n = strlen(s->name);

	return strncmp(line, s->name, n) == 0 && (line[n] == ' ' || line[n] == '/');
}

/* Compares the error with "FILE LINE:COLUMN TEXT" and complains with both. */
static void compare(const struct policy_error *e, const char *line)
{
	char place[384];
	size_t n = (size_t)snprintf(place, sizeof(place), "%s %u:%u ", e->file, e->line, e->column);

	if (strncmp(line, place, n) == 0 && strstr(e->text, line + n))
		return;
	fail_msg("expected: %s\ngot:      %s%s", line, place, e->text);
}

/* Checks the case of @line and the lines after it that belong to it. Returns the next line. */
static char *check(char *line)
{
	_cleanup_(policy_errors_free) struct policy_errors errors = {};
	struct policy_set *set = NULL;
	struct sample s;
	char file[256];
	size_t i = 0;

	(void)snprintf(file, sizeof(file), "%.*s", (int)strcspn(line, " "), line);
	open_sample(&s, file);
	assert_int_equal(policy_load(s.in, s.n, 8000, UINT64_C(16) << 30, &set, &errors), -22);
	assert_null(set);
	for (; *line && belongs(&s, line); i++) {
		char *end = line + strcspn(line, "\n");

		*end = '\0';
		if (i == errors.n)
			fail_msg("expected one more: %s", line);
		compare(&errors.list[i], line);
		line = end + 1;
	}
	if (i != errors.n)
		fail_msg("unexpected: %s:%u:%u: %s", errors.list[i].file, errors.list[i].line,
			 errors.list[i].column, errors.list[i].text);
	for (i = 0; i < s.n; i++)
		close(s.in[i].fd);
	return line;
}

static void broken_policies_give_exactly_their_errors(void **state)
{
	static char text[64 * 1024];
	FILE *f = fopen(BROKEN "expected", "re");
	size_t n_cases = 0;
	char *line;

	(void)state;
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	(void)fclose(f);
	line = strchr(text, '\n') + 1;
	for (; *line; n_cases++)
		line = check(line);
	assert_true(n_cases >= 150);
}

static void good_policies_give_none(void **state)
{
	static const char *const dirs[] = {"tests/data/policies/good", "policies/examples"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_(policy_errors_free) struct policy_errors errors = {};
		_cleanup_(policy_set_freep) struct policy_set *set = NULL;
		_cleanup_(closep) int fd = open(dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_int_equal(policy_load_dir(fd, dirs[i], NULL, false, false, 8000,
						 UINT64_C(16) << 30, &set, &errors),
				 0);
		assert_true(set->n_services >= 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_policies_give_exactly_their_errors),
		cmocka_unit_test(good_policies_give_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
