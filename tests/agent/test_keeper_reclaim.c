// SPDX-License-Identifier: GPL-2.0-or-later
/* test_keeper_reclaim.c - what is asked of memory.reclaim, whatever the order says. */
#include <errno.h>
#include <stdio.h>

#include "tests/agent/knob_files.h"

#include "shaping/knobs/knob_ops.h"
#include "shaping/knobs/reclaim.h"

/* 1000 MiB in use, 300 of them anonymous and 100 shared. */
static void group_has(const char *low)
{
	file_is("cgroup.procs", "");
	file_is("memory.current", "1048576000\n");
	file_is("memory.stat", "anon 314572800\nfile 733000000\nshmem 104857600\n");
	file_is("memory.low", low);
	file_is("memory.reclaim", "");
}

static int asked(uint64_t bytes, uint64_t least_bytes, const char *text)
{
	uint64_t gone = 1;
	int r = reclaim_run(dir_fd, bytes, least_bytes, &gone);

	assert_file("memory.reclaim", text);
	assert_int_equal(gone, *text ? strtoull(text, NULL, 10) : 0);
	return r;
}

static void no_order_moves_the_bounds(void **state)
{
	(void)state;
	group_has("0\n");
	assert_int_equal(asked(1000000, 0, "1000000"), 0);
	group_has("0\n");
	assert_int_equal(asked(UNLIMITED, 0, "10485760"), 0); /* a hundredth */
	group_has("1043333120\n");                            /* 5 MiB above its memory.low */
	assert_int_equal(asked(UNLIMITED, 0, "5242880"), 0);
	group_has("0\n");
	assert_int_equal(asked(UNLIMITED, 1048575000, "1000"), 0); /* what must stay */
	group_has("max\n");
	assert_int_equal(asked(1000, 0, ""), 0);
	group_has("0\n");
	assert_int_equal(asked(1000, UINT64_C(1) << 40, ""), 0);
	file_is("memory.stat", "anon 943718400\nshmem 104857600\n"); /* all is held */
	assert_int_equal(asked(1000, 0, ""), 0);
	group_has("0\n");
	file_is("memory.current", "1099511627776\n");
	assert_int_equal(asked(UNLIMITED, 0, "67108864"), 0); /* the knob's row */
}

static void it_has_no_value(void **state)
{
	char raw[KNOB_RAW_MAX];
	uint64_t got = 1;

	(void)state;
	group_has("0\n");
	assert_int_equal(knob_memory_reclaim_v2.get(dir_fd, &got, raw), 0);
	assert_int_equal(got, 0);
	assert_int_equal(knob_memory_reclaim_v2.set_raw(dir_fd, raw), 0);
	assert_file("memory.reclaim", "");
	(void)unlinkat(dir_fd, "memory.reclaim", 0);
	assert_int_equal(knob_memory_reclaim_v2.get(dir_fd, &got, raw), -EOPNOTSUPP);
	(void)unlinkat(dir_fd, "memory.current", 0);
	assert_int_equal(reclaim_run(dir_fd, 1000, 0, &got), -EOPNOTSUPP);
}

/* Version 1 has none; on version 2 it is of the memory controller. */
static void only_version_2_has_it(void **state)
{
	struct hierarchies h = {.unified_has_memory = true};
	enum hierarchy where;

	(void)state;
	(void)copy_str(h.mount[HIERARCHY_UNIFIED], sizeof(h.mount[0]), "/u");
	assert_ptr_equal(knob_ops_find(&h, KNOB_MEMORY_RECLAIM, &where), &knob_memory_reclaim_v2);
	assert_int_equal(where, HIERARCHY_UNIFIED);
	(void)copy_str(h.mount[HIERARCHY_MEMORY], sizeof(h.mount[0]), "/m");
	assert_null(knob_ops_find(&h, KNOB_MEMORY_RECLAIM, &where));
	assert_int_equal(knob_rows[KNOB_MEMORY_RECLAIM].kind, KNOB_TRIGGER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_order_moves_the_bounds),
		cmocka_unit_test(it_has_no_value),
		cmocka_unit_test(only_version_2_has_it),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
