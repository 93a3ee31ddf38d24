// SPDX-License-Identifier: GPL-2.0-or-later
/* test_schema.c - the contract of every row of the tables of keys. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/check.h"
#include "policies/policy.h"
#include "policies/scalar.h"
#include "policies/schema.h"

/* Calls @check for each key below @map with its dotted path. */
static void each(const struct schema_map *map, const char *prefix,
		 void (*check)(const struct schema_key *key, const char *path))
{
	for (size_t i = 0; i < map->n_keys; i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s%s", prefix, map->keys[i].name);
		check(&map->keys[i], path);
		if (!map->keys[i].map)
			continue;
		(void)snprintf(path, sizeof(path), "%s%s.", prefix, map->keys[i].name);
		each(map->keys[i].map, path, check);
	}
}

static void spelled(const struct schema_key *key, const char *value)
{
	char field[8 * KIB], why[256] = "";

	if (value && !scalar_read(key, value, field, why, sizeof(why)))
		fail_msg("%s: %s", key->name, why);
}

static void check_row(const struct schema_key *key, const char *path)
{
	size_t n = strlen(key->name);

	assert_true((key->type != NULL) != (key->map != NULL));
	assert_non_null(key->help);
	assert_non_null(key->example);
	assert_int_equal(strncmp(key->example, key->name, n), 0);
	assert_true(key->example[n] == ':');
	assert_true(!key->lowest == !key->highest);
	if (!key->type)
		return;
	spelled(key, key->otherwise);
	if (key->count == SCHEMA_ONE)
		spelled(key, key->example + n + 2);
	if (!key->open_range) {
		spelled(key, key->lowest);
		spelled(key, key->highest);
	}
}

static void rows_are_whole_and_their_values_are_valid(void **state)
{
	(void)state;
	each(&schema_service, "", check_row);
	each(&schema_host, "", check_row);
}

static char *printed;
static size_t printed_size;

static void check_explained(const struct schema_key *key, const char *path)
{
	FILE *out = open_memstream(&printed, &printed_size);

	assert_int_equal(policy_explain_key(out, path), 0);
	(void)fclose(out);
	assert_non_null(strstr(printed, key->help));
	assert_non_null(strstr(printed, key->example));
	free(printed);
}

static void every_key_is_explained(void **state)
{
	(void)state;
	each(&schema_service, "", check_explained);
	each(&schema_host, "host.", check_explained);
	assert_int_equal(policy_explain_key(stdout, "cpu.flor"), -ENOENT);
	assert_int_equal(policy_explain_key(stdout, "cpu.floor.x"), -ENOENT);
}

static void check_listed(const struct schema_key *key, const char *path)
{
	char line[160];

	(void)snprintf(line, sizeof(line), "\n.B %s\n", path);
	if (!strstr(printed, line))
		fail_msg("%s is not in the man page", path);
}

static void the_man_page_has_every_key(void **state)
{
	FILE *out = open_memstream(&printed, &printed_size);

	(void)state;
	policy_schema_print_man(out);
	(void)fclose(out);
	each(&schema_service, "", check_listed);
	each(&schema_host, "", check_listed);
	free(printed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole_and_their_values_are_valid),
		cmocka_unit_test(every_key_is_explained),
		cmocka_unit_test(the_man_page_has_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
