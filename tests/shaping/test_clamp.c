// SPDX-License-Identifier: GPL-2.0-or-later
/* test_clamp.c - nothing non-finite, wrapped or outside its bounds gets through the gate. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "shaping/clamp.h"

#define FREE                                                                                       \
	{                                                                                          \
		.ceiling = UNLIMITED, .highest = UNLIMITED, .now = UNLIMITED                       \
	}

struct row {
	enum knob knob;
	double value;
	struct clamp_bounds b;
	int r;
	uint64_t expect;
	unsigned int by;
};

/* floor, ceiling, lowest, highest, now, max_lower_ppm */
/* clang-format off */
#define U UNLIMITED
static const struct row rows[] = {
	{ KNOB_CPU_MAX, 1234.4, { 0, U, 0, U, U, 0 }, 0, 1234, 0 },
	{ KNOB_CPU_MAX, 1234.6, { 0, U, 0, U, U, 0 }, 0, 1235, 0 },
	{ KNOB_CPU_MAX, NAN, { 0, U, 0, U, U, 0 }, -ERANGE, 7, 0 },
	{ KNOB_CPU_MAX, INFINITY, { 0, U, 0, U, U, 0 }, -ERANGE, 7, 0 },
	{ KNOB_CPU_MAX, -INFINITY, { 0, U, 0, U, U, 0 }, -ERANGE, 7, 0 },
	{ KNOB_CPU_MAX, -1, { 0, U, 0, U, U, 0 }, -ERANGE, 7, 0 },
	{ KNOB_CPU_MAX, 1e30, { 0, U, 0, U, U, 0 }, 0, 10000000, CLAMP_HIGHEST },
	{ KNOB_CPU_MAX, 5e-324, { 0, U, 0, U, U, 0 }, 0, 10, CLAMP_LOWEST },
	{ KNOB_CPU_MAX, 100, { 200, 4000, 0, U, U, 0 }, 0, 200, CLAMP_FLOOR },
	{ KNOB_CPU_MAX, 5000, { 200, 4000, 0, U, U, 0 }, 0, 4000, CLAMP_CEILING },
	{ KNOB_CPU_MAX, 5000, { 0, U, 0, 2000, U, 0 }, 0, 2000, CLAMP_HIGHEST },
	{ KNOB_CPU_MAX, 5, { 0, U, 50, 2000, U, 0 }, 0, 50, CLAMP_LOWEST },
	{ KNOB_CPU_MAX, 100, { 0, U, 0, U, 1000, 250000 }, 0, 750, CLAMP_STEP },
	{ KNOB_CPU_MAX, 100, { 0, U, 0, 2000, U, 250000 }, 0, 1500, CLAMP_STEP },
	{ KNOB_CPU_MAX, 100, { 0, U, 0, U, U, 250000 }, 0, 100, 0 },
	{ KNOB_CPU_MAX, 100, { 0, 500, 0, U, 1000, 250000 }, 0, 500, CLAMP_STEP | CLAMP_CEILING },
	{ KNOB_CPU_MAX, 3000, { 2500, U, 0, 2000, U, 0 }, 0, 2500, CLAMP_HIGHEST | CLAMP_FLOOR },
	{ KNOB_CPU_MAX, 100, { 300, 200, 0, U, U, 0 }, -EINVAL, 7, 0 },
	{ KNOB_CPU_MAX, 100, { 0, U, 300, 200, U, 0 }, -EINVAL, 7, 0 },
	{ KNOB_CPU_MAX, 100, { 0, U, 0, U, U, 1000001 }, -EINVAL, 7, 0 },
	{ KNOB_CPU_MAX, 100, { U, U, 0, U, U, 0 }, -EINVAL, 7, 0 },
	{ KNOB_COUNT, 100, { 0, U, 0, U, U, 0 }, -EINVAL, 7, 0 },
	{ KNOB_CPU_WEIGHT, 0, { 0, U, 0, U, 100, 0 }, 0, 1, CLAMP_LOWEST },
	{ KNOB_CPU_WEIGHT, 12345, { 0, U, 0, U, 100, 0 }, 0, 10000, CLAMP_HIGHEST },
	{ KNOB_MEMORY_MAX, 0, { 0, U, 0, U, U, 0 }, 0, 4194304, CLAMP_LOWEST },
	{ KNOB_MEMORY_MAX, 18446744073709551616.0, { 0, U, 0, U, U, 0 }, 0, UINT64_C(1) << 52, CLAMP_HIGHEST },
};
/* clang-format on */

static void each_branch_as_worked_by_hand(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int by = 0;
		uint64_t v = 7;

		assert_int_equal(clamp_double(rows[i].knob, rows[i].value, &rows[i].b, &v, &by),
				 rows[i].r);
		assert_int_equal(v, rows[i].expect);
		assert_int_equal(by, rows[i].by);
	}
}

static void unlimited_passes_only_where_the_knob_allows(void **state)
{
	struct clamp_bounds b = FREE;
	uint64_t v = 7;

	(void)state;
	b.highest = 2000;
	assert_int_equal(clamp_value(KNOB_CPU_MAX, UNLIMITED, &b, &v, NULL), 0);
	assert_true(v == UNLIMITED);
	b.ceiling = 1500;
	assert_int_equal(clamp_value(KNOB_CPU_MAX, UNLIMITED, &b, &v, NULL), 0);
	assert_int_equal(v, 1500);
	assert_int_equal(clamp_value(KNOB_CPU_WEIGHT, UNLIMITED, &b, &v, NULL), -ERANGE);
	assert_int_equal(v, 1500);
}

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* Half of all: any bit pattern at all; else a number of an everyday or absurd size. */
static double any_double(uint64_t *seed)
{
	static const double odd[] = {NAN, INFINITY, -INFINITY, 1e30, -1, 5e-324, 0, -0.0, 1e308};
	uint64_t bits = next_random(seed);
	double v;

	switch (bits & 3) {
	case 0:
		return odd[(bits >> 8) % ARRAY_SIZE(odd)];
	case 1:
		return (double)(bits >> 2) / (double)(1 + (next_random(seed) >> (bits % 61)));
	default:
		bits = next_random(seed);
		memcpy(&v, &bits, sizeof(v));
		return v;
	}
}

static uint64_t any_bound(uint64_t *seed)
{
	uint64_t bits = next_random(seed);

	return bits % 5 == 0   ? 0
	       : bits % 5 == 1 ? UNLIMITED
			       : next_random(seed) >> (bits >> 8) % 64;
}

static bool outside(enum knob k, uint64_t v, const struct clamp_bounds *b)
{
	const struct knob_row *row = &knob_rows[k];

	if (v == UNLIMITED || v < row->lowest || v > row->highest)
		return true;
	if (v < b->floor && b->floor <= row->highest)
		return true;
	return v > b->ceiling && b->ceiling >= row->lowest;
}

static void ten_million_random_values_stay_inside(void **state)
{
	uint64_t seed = 88172645463325252;
	size_t passed = 0;

	(void)state;
	for (size_t i = 0; i < 10000000; i++) {
		enum knob k = (enum knob)(next_random(&seed) % KNOB_COUNT);
		struct clamp_bounds b = {
			any_bound(&seed), any_bound(&seed),
			any_bound(&seed), any_bound(&seed),
			any_bound(&seed), (uint32_t)(next_random(&seed) % (PPM + 2))};
		double value = any_double(&seed);
		uint64_t v = 7;
		int r = clamp_double(k, value, &b, &v, NULL);

		if (r < 0) {
			assert_true(v == 7);
			assert_true((r == -ERANGE) == (!isfinite(value) || value < 0));
			continue;
		}
		passed++;
		if (outside(k, v, &b))
			fail_msg("%zu: %s %g gave %llu", i, knob_rows[k].name, value,
				 (unsigned long long)v);
	}
	assert_true(passed > 1000000);
}

static void every_knob_is_found_by_its_name(void **state)
{
	(void)state;
	for (int k = 0; k < KNOB_COUNT; k++) {
		assert_int_equal(knob_find(knob_rows[k].name), k);
		assert_true(knob_rows[k].lowest < knob_rows[k].highest);
		assert_true(*knob_rows[k].help);
	}
	assert_int_equal(knob_find("cpu.mx"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_branch_as_worked_by_hand),
		cmocka_unit_test(unlimited_passes_only_where_the_knob_allows),
		cmocka_unit_test(ten_million_random_values_stay_inside),
		cmocka_unit_test(every_knob_is_found_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
