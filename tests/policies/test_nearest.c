// SPDX-License-Identifier: GPL-2.0-or-later
/* test_nearest.c - which word is near which. */
#include "tests/check.h"
#include "agent/base/util.h"
#include "policies/nearest.h"

static void distances_by_hand(void **state)
{
	/* clang-format off */
	static const struct {
		const char *word, *name;
		unsigned d;
	} rows[] = {
		{ "floor", "floor", 0 },
		{ "cpu-floor", "cpu_floor", 0 },     /* separators do not count */
		{ "FLOOR", "floor", 0 },             /* nor does case */
		{ "flor", "floor", 1 },              /* one letter missing */
		{ "flooor", "floor", 1 },
		{ "folor", "floor", 1 },             /* two swapped */
		{ "glod", "gold", 1 },
		{ "cieling", "ceiling", 1 },
		{ "ceil", "ceiling", 1 },            /* a beginning */
		{ "objctve", "objective", 2 },
		{ "xyzzy", "floor", NEAREST_FAR },
		{ "", "floor", NEAREST_FAR },
		{ "a", "b", NEAREST_FAR },           /* one letter says nothing */
		{ "0123456789012345678901234567890123456789", "floor", NEAREST_FAR },
	};
	/* clang-format on */
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(nearest_distance(rows[i].word, rows[i].name), rows[i].d);
}

static void the_nearest_is_chosen_and_the_first_of_equals(void **state)
{
	static const char *const names[] = {"gold", "silver", "bronze", NULL};

	(void)state;
	assert_string_equal(nearest_name("glod", names), "gold");
	assert_string_equal(nearest_name("sliver", names), "silver");
	assert_null(nearest_name("platinum", names));
}

static void a_listed_word_is_a_whole_one(void **state)
{
	(void)state;
	assert_true(nearest_listed("Limits", "max limits cap"));
	assert_true(nearest_listed("cap", "max limits cap"));
	assert_false(nearest_listed("lim", "max limits cap"));
	assert_false(nearest_listed("max", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances_by_hand),
		cmocka_unit_test(the_nearest_is_chosen_and_the_first_of_equals),
		cmocka_unit_test(a_listed_word_is_a_whole_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
