// SPDX-License-Identifier: GPL-2.0-or-later
/* test_cmd_table.c - what people see: short numbers, and columns cut to the screen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "agent/base/util.h"
#include "agent/show.h"
#include "agent/table.h"

static void numbers_are_short(void **state)
{
	/* clang-format off */
	static const struct { struct shown (*show)(const json_t *v); double v; const char *text; } rows[] = {
		{ show_cores, 812.4, "0.81" }, { show_cores, 0, "0.00" }, { show_cores, 128000, "128" },
		{ show_bytes, 222298112, "212M" }, { show_bytes, 1610612736, "1.5G" }, { show_bytes, 0, "0" },
		{ show_bytes, 1048575, "1.0M" }, { show_rate, 12100000, "12M" }, { show_rate, 999.4, "999" },
		{ show_rate, 999.5, "1.0k" }, { show_rate, 0.4, "0.4" },
		{ show_us, 350, "350us" }, { show_us, 1234, "1.2ms" }, { show_us, 999600, "1.0s" },
		{ show_percent, 0.9995, "99.95%" }, { show_percent, 1, "100.00%" },
		{ show_percent, 0.99999, ">99.99%" },
		{ show_plain, 0.9, "0.9" }, { show_plain, 12345678, "12345678" }, { show_plain, 1200.5, "1200.5" },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_auto_t *v = json_real(rows[i].v);

		assert_string_equal(rows[i].show(v).text, rows[i].text);
	}
	assert_string_equal(show_cores(NULL).text, "-");
}

static void durations_are_short(void **state)
{
	assert_string_equal(show_ns(500 * NS_PER_MS).text, "0.5 s");
	assert_string_equal(show_ns(30 * NS_PER_S).text, "30 s");
	assert_string_equal(show_ns(90 * NS_PER_S).text, "90 s");
	assert_string_equal(show_ns(5 * S_PER_MIN * NS_PER_S).text, "5 min");
	assert_string_equal(show_ns(7 * S_PER_DAY * NS_PER_S).text, "7 d");
}

static void a_knob_is_shown_in_its_unit(void **state)
{
	json_auto_t *v = json_integer(1500);

	assert_string_equal(show_knob("mcpu", v).text, "1.50 CPUs");
	assert_string_equal(show_knob("bits/s", v).text, "1.5kbit/s");
	assert_string_equal(show_knob("bytes/s", v).text, "1.5KiB/s");
	assert_string_equal(show_knob("", v).text, "1500");
	assert_string_equal(show_knob("bytes", v).text, "1.5KiB");
	assert_string_equal(show_knob("mcpu", NULL).text, "unlimited");
}

static void rows_are_aligned_and_cut_to_the_screen(void **state)
{
	static const struct table_column columns[] = {{"NAME", false, true}, {"N", true, false}};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct table t;

	assert_int_equal(setenv("COLUMNS", "40", 1), 0);
	table_start(&t, columns, ARRAY_SIZE(columns));
	table_cell(&t, "a\tb");
	table_cell(&t, "7");
	table_cell(&t, "%s", "a-name-that-is-much-longer-than-forty-columns-are");
	table_cell(&t, "123");
	table_print(&t, out);
	table_free(&t);
	fclose(out);
	assert_string_equal(text, "NAME                                   N\n"
				  "a?b                                    7\n"
				  "a-name-that-is-much-longer-than-f... 123\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_short),
		cmocka_unit_test(durations_are_short),
		cmocka_unit_test(a_knob_is_shown_in_its_unit),
		cmocka_unit_test(rows_are_aligned_and_cut_to_the_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
