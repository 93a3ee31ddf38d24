// SPDX-License-Identifier: GPL-2.0-or-later
/* test_parse.c - spellings of numbers with units, good and bad. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "tests/check.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"

struct row {
	int (*parse)(const char *s, uint64_t *ret);
	const char *text;
	int r;
	uint64_t value;
};

static void spellings_of_integers_with_units(void **state)
{
	/* clang-format off */
	static const struct row rows[] = {
		{ parse_u64, "42", 0, 42 },
		{ parse_u64, "18446744073709551615", 0, UINT64_MAX },
		{ parse_u64, "18446744073709551616", -ERANGE, 0 },
		{ parse_u64, "-1", -EINVAL, 0 },
		{ parse_u64, " 1", -EINVAL, 0 },
		{ parse_u64, "", -EINVAL, 0 },
		{ parse_cpu_mcpu, "200m", 0, 200 },
		{ parse_cpu_mcpu, "4", 0, 4000 },
		{ parse_cpu_mcpu, "0.5", 0, 500 },
		{ parse_cpu_mcpu, "inf", -EINVAL, 0 },
		{ parse_cpu_mcpu, "-1", -EINVAL, 0 },
		{ parse_bytes, "256MiB", 0, 268435456 },
		{ parse_bytes, "1kB", 0, 1000 },
		{ parse_bytes, "256", -EINVAL, 0 },
		{ parse_bytes, "256mib", -EINVAL, 0 },
		{ parse_bytes, "99999999999TiB", -ERANGE, 0 },
		{ parse_bits_per_s, "10Mbit", 0, 10000000 },
		{ parse_bits_per_s, "1.5Gbit", 0, 1500000000 },
		{ parse_duration_ns, "200ms", 0, 200000000 },
		{ parse_duration_ns, "86400s", 0, 86400000000000 },
		{ parse_duration_ns, "7d", 0, 604800000000000 },
		{ parse_duration_ns, "0x10s", -EINVAL, 0 },
	};
	/* clang-format on */
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t v = 7;

		assert_int_equal(rows[i].parse(rows[i].text, &v), rows[i].r);
		assert_int_equal(v, rows[i].r ? 7 : rows[i].value);
	}
}

static void ratios_are_between_none_and_all(void **state)
{
	double v = -1;

	(void)state;
	assert_int_equal(parse_ratio("99.9%", &v), 0);
	assert_true(v > 0.99899 && v < 0.99901);
	assert_int_equal(parse_ratio("0.25", &v), 0);
	assert_true(v > 0.2499 && v < 0.2501);
	assert_int_equal(parse_ratio("101%", &v), -ERANGE);
	assert_int_equal(parse_ratio("nan", &v), -EINVAL);
}

static void times_with_and_without_a_zone(void **state)
{
	int64_t t = 0;

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	assert_int_equal(parse_time_ns("2027-03-20T08:00", &t), 0);
	assert_int_equal(t / 1000000000, 1805529600);
	assert_int_equal(parse_time_ns("2027-03-20T08:00:30+02:00", &t), 0);
	assert_int_equal(t / 1000000000, 1805522430);
	assert_int_equal(parse_time_ns("2027-04-31T08:00", &t), -EINVAL);
	assert_int_equal(parse_time_ns("898207200", &t), 0);
	assert_int_equal(t, 898207200000000000);
	assert_int_equal(parse_time_ns("yesterday", &t), -EINVAL);
}

static void human_forms_are_short(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(format_bytes(buf, sizeof(buf), 1610612736), "1.50 GiB");
	assert_string_equal(format_bytes(buf, sizeof(buf), 512), "512 B");
	assert_string_equal(format_bytes(buf, sizeof(buf), UNLIMITED), "unlimited");
	assert_string_equal(format_bits_per_s(buf, sizeof(buf), 20000000), "20.0 Mbit/s");
	assert_string_equal(format_duration(buf, sizeof(buf), 1200000), "1.20 ms");
	assert_string_equal(format_cpu(buf, sizeof(buf), 1500), "1500m");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spellings_of_integers_with_units),
		cmocka_unit_test(ratios_are_between_none_and_all),
		cmocka_unit_test(times_with_and_without_a_zone),
		cmocka_unit_test(human_forms_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
