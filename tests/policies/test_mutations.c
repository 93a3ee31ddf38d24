// SPDX-License-Identifier: GPL-2.0-or-later
/* test_mutations.c - whatever is done to a good policy, it is either valid or has an error. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/policies/load_text.h"

#define ROUNDS 400 /* a file */
#define ROOM   8192

static uint64_t random_state = 0x9e3779b97f4a7c15;

/* xorshift64*: Vigna (2016), "An experimental exploration of Marsaglia's xorshift generators". */
static size_t below(size_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (size_t)((random_state * UINT64_C(2685821657736338717)) >> 33) % n;
}

static size_t read_whole(const char *path, char *text)
{
	FILE *f = fopen(path, "re");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, ROOM / 2, f);
	(void)fclose(f);
	return n;
}

/* Does one thing of a few to the @n bytes; returns how many there are then. */
static size_t mutate(char *text, size_t n)
{
	static const char marks[] = "{}[]:,-#&*!|>'\"%@`\n\t ~?";
	size_t at = below(n), length = 1 + below(MIN(n - at, (size_t)40));

	switch (below(6)) {
	case 0:
		text[at] = (char)(text[at] ^ (1 << below(8)));
		return n;
	case 1:
		text[at] = marks[below(sizeof(marks) - 1)];
		return n;
	case 2: /* truncate */
		return at ? at : 1;
	case 3: /* delete */
		memmove(text + at, text + at + length, n - at - length);
		return n > length ? n - length : 1;
	case 4: /* double */
		if (n + length > ROOM)
			return n;
		memmove(text + at + length, text + at, n - at);
		return n + length;
	default:
		text[at] = (char)below(256);
		return n;
	}
}

static void check_one(const char *text, size_t n, bool is_host)
{
	struct policy_errors errors = {};
	struct policy_set *set = NULL;
	int r = load_bytes(text, n, is_host, &set, &errors);
	char buf[2048];

	assert_true(r == 0 || r == -EINVAL);
	assert_true((r == 0) == (set != NULL));
	assert_true((r == 0) == (errors.n_errors == 0));
	for (size_t i = 0; i < errors.n; i++) {
		assert_true(*errors.list[i].text);
		assert_true(errors.list[i].caret <= strlen(errors.list[i].source) + 1);
		policy_error_format(&errors.list[i], buf, sizeof(buf));
	}
	policy_set_free(set);
	policy_errors_free(&errors);
}

static void mutations_are_valid_or_have_an_error(void **state)
{
	static const char *const paths[] = {
		"policies/examples/checkout.yaml", "tests/data/policies/good/everything.yaml",
		"tests/data/policies/good/host.yaml", "tests/data/policies/good/crlf.yaml"};
	static char good[ROOM], text[ROOM];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		size_t size = read_whole(paths[i], good);

		for (int round = 0; round < ROUNDS; round++) {
			size_t n = size, times = 1 + below(4);

			memcpy(text, good, size);
			for (size_t k = 0; k < times; k++)
				n = mutate(text, n);
			check_one(text, n, strstr(paths[i], "host") != NULL);
		}
	}
}

static void every_truncation_is_valid_or_has_an_error(void **state)
{
	static char text[ROOM];
	size_t size = read_whole("tests/data/policies/good/everything.yaml", text);

	(void)state;
	for (size_t n = 0; n <= size; n++)
		check_one(text, n, false);
}

/* Hostile shapes of the largest size: none may take long or crash. */
static void hostile_shapes_end(void **state)
{
	static const char *const shapes[] = {"[",    "{",   "- ",       "a: ",    "? ",
					     "\"",   "&a ", "x\n",      "a:\n ",  "- - ",
					     "{a: ", "\t",  "\xc3\xa4", "a: b\n", "'"};
	size_t size = POLICY_MAX_BYTES;
	char *text = malloc(size);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		size_t n = strlen(shapes[i]);

		for (size_t k = 0; k + n <= size; k += n)
			memcpy(text + k, shapes[i], n);
		check_one(text, size / n * n, false);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutations_are_valid_or_have_an_error),
		cmocka_unit_test(every_truncation_is_valid_or_has_an_error),
		cmocka_unit_test(hostile_shapes_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
