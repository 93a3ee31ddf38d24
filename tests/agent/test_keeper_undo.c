// SPDX-License-Identifier: GPL-2.0-or-later
/* test_keeper_undo.c - what stands in the way of an undo: no memory. */
#include "tests/check.h"
#include "agent/keeper/private.h"

/* A failed allocation is NULL under the sanitizer too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void an_undo_without_memory_is_refused(void **state)
{
	struct journal vast = {.n = SIZE_MAX / 2}; /* no list of that many */
	struct undo_run run = {.journal = &vast, .undo = undo_exact};

	(void)state;
	undo_run(&run);
	assert_int_equal(run.restored, 0);
	assert_true(run.refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_undo_without_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
