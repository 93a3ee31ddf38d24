// SPDX-License-Identifier: GPL-2.0-or-later
/* test_cpus.c - the kernel's lists of CPUs, and which of them count. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/util.h"
#include "agent/worker/cpus.h"
#include "tests/check.h"

static void a_list_has_so_many_cpus(void **state)
{
	static const struct {
		const char *list;
		uint64_t n;
	} rows[] = {
		{"0\n", 1},   {"0-3\n", 4},   {"0-3,7\n", 5}, {"0,2,4-5,90-95", 10},
		{"\n", 0},    {"", 0},        {"3-1\n", 0},   {"0-\n", 0},
		{"all\n", 0}, {"0-3 x\n", 0}, {"0-70000", 0}, {"-1", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(cpus_count(rows[i].list), rows[i].n);
}

static char dir[] = "/tmp/fsh-cpus-XXXXXX";

static void put(const char *folder, const char *file, const char *list)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, folder);
	(void)mkdir(path, 0755);
	(void)snprintf(path, sizeof(path), "%s/%s/%s", dir, folder, file);
	f = fopen(path, "we");
	assert_non_null(f);
	(void)fputs(list, f);
	(void)fclose(f);
}

static void drop(const char *folder, const char *file)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", dir, folder, file);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, folder);
	(void)rmdir(path);
}

/* v2's own says more than v1's; neither more than is online. */
static void a_cpuset_of_all_leaves_fewer(void **state)
{
	uint64_t online = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN) * MCPU;
	struct hierarchies h = {};

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(cpus_capacity_mcpu(&h), online);
	(void)snprintf(h.mount[HIERARCHY_CPU], sizeof(h.mount[0]), "%s/cpu,cpuacct", dir);
	(void)snprintf(h.mount[HIERARCHY_UNIFIED], sizeof(h.mount[0]), "%s/unified", dir);
	assert_int_equal(cpus_capacity_mcpu(&h), online);
	put("cpuset", "cpuset.effective_cpus", "1\n");
	assert_int_equal(cpus_capacity_mcpu(&h), MCPU);
	put("unified", "cpuset.cpus.effective", "0-9999\n");
	assert_int_equal(cpus_capacity_mcpu(&h), online);
	put("cpuset", "cpuset.effective_cpus", "0-9999\n");
	put("unified", "cpuset.cpus.effective", "0\n");
	assert_int_equal(cpus_capacity_mcpu(&h), MCPU);
	drop("unified", "cpuset.cpus.effective");
	drop("cpuset", "cpuset.effective_cpus");
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_has_so_many_cpus),
		cmocka_unit_test(a_cpuset_of_all_leaves_fewer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
