// SPDX-License-Identifier: GPL-2.0-or-later
/* test_doctor.c - every check has a name of its own, a cause and a fix, and ends with a finding. */
#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "agent/base/util.h"
#include "agent/doctor.h"

#define MIN_CHECKS 14

static const struct doctor_check *const tables[] = {doctor_kernel, doctor_rights, doctor_cgroups,
						    doctor_install};

static size_t rows_named(const char *name)
{
	size_t n = 0;

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct doctor_check *c = tables[t]; c->name; c++)
			n += streq(c->name, name);
	return n;
}

static void every_check_is_whole(void **state)
{
	size_t n = 0;

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (const struct doctor_check *c = tables[t]; c->name; c++, n++) {
			assert_non_null(c->check);
			assert_non_null(c->cause);
			assert_non_null(c->fix);
			assert_int_equal(rows_named(c->name), 1);
		}
	}
	assert_true(n >= MIN_CHECKS);
}

/* Nothing there: what is not ok says why, and no check needs more than its arguments. */
static void a_host_without_anything_gets_findings_not_crashes(void **state)
{
	const struct doctor d = {.runtime_dir = "/nonexistent/run",
				 .policies_dir = "/nonexistent/policies.d",
				 .db = "/nonexistent/history.db"};

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (const struct doctor_check *c = tables[t]; c->name; c++) {
			struct doctor_finding f = {};

			doctor_run(&d, c, &f);
			assert_true(*f.text);
			assert_true(f.state == DOCTOR_OK || (*c->cause && *c->fix));
		}
	}
}

static void check_named(const struct doctor *d, const char *name, struct doctor_finding *ret)
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct doctor_check *c = tables[t]; c->name; c++)
			if (streq(c->name, name))
				doctor_run(d, c, ret);
}

static void missing_hierarchies_are_named(void **state)
{
	struct doctor d = {.has_cgroups = true};
	struct doctor_finding f = {};

	check_named(&d, "cgroup-mode", &f);
	assert_int_equal(f.state, DOCTOR_BROKEN);
	(void)copy_str(d.cgroups.mount[HIERARCHY_CPU], HIERARCHY_MOUNT_MAX, "/tmp");
	check_named(&d, "cgroup-mode", &f);
	assert_string_equal(f.text, "version 1 alone: requests cannot be counted");
	(void)copy_str(d.cgroups.mount[HIERARCHY_UNIFIED], HIERARCHY_MOUNT_MAX, "/u");
	check_named(&d, "cgroup-mode", &f);
	assert_int_equal(f.state, DOCTOR_OK);
	assert_string_equal(f.text, "hybrid, version 2 at /u");
	check_named(&d, "cgroup-memory", &f);
	assert_int_equal(f.state, DOCTOR_BROKEN);
	assert_string_equal(f.text, "no hierarchy has the controller");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_check_is_whole),
		cmocka_unit_test(a_host_without_anything_gets_findings_not_crashes),
		cmocka_unit_test(missing_hierarchies_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
