// SPDX-License-Identifier: GPL-2.0-or-later
/* test_keeper_knobs.c - knobs as text in plain files standing in for cgroups of both versions. */
#include <errno.h>
#include <stdio.h>

#include "tests/agent/knob_files.h"
#include "shaping/knobs/group.h"
#include "shaping/knobs/knob_ops.h"

static void cpu_max_is_a_ratio(void **state)
{
	/* clang-format off */
	static const struct { const char *text; uint64_t mcpu; } rows[] = {
		{ "50000 100000\n", 500 },
		{ "1000 1000000\n", 1 },       /* as systemd spells 0.05 %: rounded */
		{ "33333 100000\n", 333 },
		{ "150000 50000\n", 3000 },
		{ "max 100000\n", UNLIMITED },
	};
	/* clang-format on */
	char raw[KNOB_RAW_MAX];
	uint64_t got;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		file_is("cpu.max", rows[i].text);
		assert_int_equal(knob_cpu_max_v2.get(dir_fd, &got, raw), 0);
		assert_int_equal(got, rows[i].mcpu);
		assert_memory_equal(raw, rows[i].text, strlen(rows[i].text) - 1);
	}
	file_is("cpu.max", "nonsense");
	assert_int_equal(knob_cpu_max_v2.get(dir_fd, &got, raw), -EINVAL);
}

static void cpu_max_keeps_its_period_where_the_quota_fits(void **state)
{
	/* clang-format off */
	static const struct { const char *before; uint64_t mcpu; const char *after; } rows[] = {
		{ "max 100000", 1500, "150000 100000" },
		{ "max 20000",  1500, "30000 20000" },
		{ "max 20000",  30,   "3000 100000" }, /* 600 us would be refused */
		{ "max 100000", 10,   "1000 100000" },
		{ "20000 100000", UNLIMITED, "max 100000" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		file_is("cpu.max", rows[i].before);
		assert_int_equal(knob_cpu_max_v2.set(dir_fd, rows[i].mcpu), 0);
		assert_starts("cpu.max", rows[i].after);
	}
}

static void weights_are_shares_and_back(void **state)
{
	(void)state;
	assert_int_equal(knob_weight_to_shares(100), 1024);
	assert_int_equal(knob_weight_to_shares(1), 10);
	assert_int_equal(knob_shares_to_weight(2), 1);
	assert_int_equal(knob_shares_to_weight(262144), 25600);
	for (uint64_t w = 1; w <= 10000; w++)
		assert_int_equal(knob_shares_to_weight(knob_weight_to_shares(w)), w);
}

static void values_compare_by_meaning(void **state)
{
	(void)state;
	assert_true(knob_same(KNOB_CPU_MAX, 333, 334));
	assert_false(knob_same(KNOB_CPU_MAX, 333, 335));
	assert_true(knob_same(KNOB_CPU_MAX, 10000, 10010));
	assert_false(knob_same(KNOB_CPU_MAX, UNLIMITED, 10000));
	assert_true(knob_same(KNOB_MEMORY_MAX, 1000000, 999424)); /* whole pages */
	assert_false(knob_same(KNOB_MEMORY_MAX, 1000000, 990000));
	assert_false(knob_same(KNOB_MEMORY_MAX, 0, UNLIMITED));
	assert_false(knob_same(KNOB_CPU_WEIGHT, 100, 101));
}

static void memory_max_spells_no_limit(void **state)
{
	char raw[KNOB_RAW_MAX];
	uint64_t got;

	(void)state;
	file_is("memory.limit_in_bytes", "9223372036854771712\n");
	assert_int_equal(knob_memory_max_v1.get(dir_fd, &got, raw), 0);
	assert_true(got == UNLIMITED);
	file_is("memory.limit_in_bytes", "");
	assert_int_equal(knob_memory_max_v1.set(dir_fd, UNLIMITED), 0);
	assert_file("memory.limit_in_bytes", "-1");
	file_is("memory.max", "");
	assert_int_equal(knob_memory_max_v2.set(dir_fd, UNLIMITED), 0);
	assert_file("memory.max", "max");
	file_is("memory.max", "");
	assert_int_equal(knob_memory_max_v2.set(dir_fd, 4096), 0);
	assert_file("memory.max", "4096");
	assert_int_equal(knob_cpu_weight_v2.set(dir_fd, UNLIMITED), -EINVAL); /* never 2^64 */
}

static void a_missing_file_is_a_gone_group(void **state)
{
	char raw[KNOB_RAW_MAX];
	uint64_t got;

	(void)state; /* there is no cgroup.procs here either */
	assert_int_equal(knob_memory_high_v2.get(dir_fd, &got, raw), -ENODEV);
}

static struct hierarchies found_in(const char *text)
{
	struct hierarchies h = {};
	char name[64];

	file_is("mountinfo", text);
	(void)snprintf(name, sizeof(name), "%s/mountinfo", dir_name);
	assert_int_equal(hierarchies_find(name, &h), 0);
	return h;
}

static void mounts_say_which_hierarchies_there_are(void **state)
{
	struct hierarchies h;

	(void)state;
	h = found_in("32 31 0:29 / /nowhere/cpu rw shared:1 - cgroup cgroup rw,cpu,cpuacct\n"
		     "33 31 0:30 / /nowhere/systemd rw - cgroup cgroup rw,name=systemd\n"
		     "35 31 0:33 / /nowhere/memory rw - cgroup cgroup rw,memory\n"
		     "36 31 0:34 / /nowhere/cpuset rw - cgroup cgroup rw,cpuset\n"
		     "41 31 0:38 / /nowhere/unified rw - cgroup2 cgroup2 rw\n");
	assert_string_equal(h.mount[HIERARCHY_CPU], "/nowhere/cpu");
	assert_string_equal(h.mount[HIERARCHY_CPUACCT], "/nowhere/cpu");
	assert_true(hierarchy_is_own(&h, HIERARCHY_CPU));
	assert_false(hierarchy_is_own(&h, HIERARCHY_CPUACCT));
	assert_false(hierarchy_is_own(&h, HIERARCHY_BLKIO));
	assert_int_equal(hierarchy_of_knob(&h, KNOB_CPU_WEIGHT), HIERARCHY_CPU);
	assert_int_equal(hierarchy_of_knob(&h, KNOB_MEMORY_MAX), HIERARCHY_MEMORY);
	assert_int_equal(hierarchy_of_knob(&h, KNOB_HTB_RATE), -EOPNOTSUPP);
	assert_int_equal(hierarchy_of_knob(&h, KNOB_IO_WEIGHT), -EOPNOTSUPP);
	h = found_in("37 31 0:35 / /nowhere/blkio rw - cgroup cgroup rw,blkio\n");
	assert_int_equal(hierarchy_of_knob(&h, KNOB_IO_WEIGHT), HIERARCHY_BLKIO);
	assert_int_equal(hierarchy_of_knob(&h, KNOB_MEMORY_MAX), -EOPNOTSUPP);
	h = found_in("41 31 0:38 / /nowhere rw - cgroup2 cgroup2 rw\n");
	assert_int_equal(hierarchy_of_knob(&h, KNOB_CPU_MAX), -EOPNOTSUPP); /* no controllers */
}

static void a_unified_root_lends_its_controllers(void **state)
{
	struct hierarchies h;
	char text[128];

	(void)state;
	file_is("cgroup.controllers", "cpuset memory io pids\n");
	(void)snprintf(text, sizeof(text), "41 31 0:38 / %s rw - cgroup2 cgroup2 rw\n", dir_name);
	h = found_in(text);
	(void)unlinkat(dir_fd, "cgroup.controllers", 0);
	assert_int_equal(hierarchy_of_knob(&h, KNOB_IO_WEIGHT), HIERARCHY_UNIFIED);
	assert_int_equal(hierarchy_of_knob(&h, KNOB_MEMORY_HIGH), HIERARCHY_UNIFIED);
	assert_int_equal(hierarchy_of_knob(&h, KNOB_CPU_WEIGHT), -EOPNOTSUPP);
}

static void some_groups_are_never_shaped(void **state)
{
	static const char *const own = "4:memory:/me/deep\n0::/\n";
	/* clang-format off */
	static const struct { const char *path; int r; } rows[] = {
		{ "/shop/checkout", 0 }, { "/system.slice/shop.service", 0 }, { "/shop..x", 0 },
		{ "/", -EPERM }, { "/init.scope", -EPERM }, { "/system.slice", -EPERM },
		{ "/system.slice/ssh.service", -EPERM }, { "/system.slice/dbus.service/x", -EPERM },
		{ "/system.slice/systemd-journald.service", -EPERM },
		{ "/me", -EPERM }, { "/me/deep", -EPERM }, { "/me/other", 0 }, { "/meow", 0 },
		{ "", -EINVAL }, { "a", -EINVAL }, { "/a/", -EINVAL }, { "/a//b", -EINVAL },
		{ "/..", -EINVAL }, { "/a/../b", -EINVAL }, { "/a/.", -EINVAL },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(group_allowed(rows[i].path, own, NULL), rows[i].r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpu_max_is_a_ratio),
		cmocka_unit_test(cpu_max_keeps_its_period_where_the_quota_fits),
		cmocka_unit_test(weights_are_shares_and_back),
		cmocka_unit_test(values_compare_by_meaning),
		cmocka_unit_test(memory_max_spells_no_limit),
		cmocka_unit_test(a_missing_file_is_a_gone_group),
		cmocka_unit_test(mounts_say_which_hierarchies_there_are),
		cmocka_unit_test(a_unified_root_lends_its_controllers),
		cmocka_unit_test(some_groups_are_never_shaped),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
