// SPDX-License-Identifier: GPL-2.0-or-later
/* test_mode.c - the mode as text, for the worker that comes after this one. */
#include <errno.h>

#include "tests/check.h"
#include "agent/base/util.h"
#include "agent/worker/mode.h"

static void a_mode_as_text_comes_back(void **state)
{
	static const struct mode rows[] = {
		{false, 0, 0},
		{true, 0, 0},
		{true, 1800000000123456789, 0},
		{false, 0, 1},
		{false, INT64_MAX, INT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[MODE_TEXT_MAX];
		struct mode m = {};

		mode_format(&rows[i], text);
		assert_int_equal(mode_parse(text, &m), 0);
		assert_int_equal(m.enforce, rows[i].enforce);
		assert_int_equal(m.until_real_ns, rows[i].until_real_ns);
		assert_int_equal(m.frozen_until_real_ns, rows[i].frozen_until_real_ns);
	}
}

static void a_word_alone_lasts(void **state)
{
	struct mode m = {false, 1, 1};

	(void)state;
	assert_int_equal(mode_parse("enforce", &m), 0);
	assert_true(m.enforce);
	assert_int_equal(m.until_real_ns, 0);
	assert_int_equal(m.frozen_until_real_ns, 0);
}

static void what_is_no_mode_changes_nothing(void **state)
{
	static const char *const rows[] = {
		"",
		"enforc",
		"enforced",
		"enforce/",
		"enforce/1",
		"enforce/1/",
		"enforce/1/2/3",
		"enforce/-1/2",
		"observe/1/x",
		"enforce 1 2",
		"observe/0/9223372036854775808",
	};
	struct mode m = {true, 7, 9};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(mode_parse(rows[i], &m), -EINVAL);
		assert_true(m.enforce);
		assert_int_equal(m.until_real_ns, 7);
		assert_int_equal(m.frozen_until_real_ns, 9);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mode_as_text_comes_back),
		cmocka_unit_test(a_word_alone_lasts),
		cmocka_unit_test(what_is_no_mode_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
