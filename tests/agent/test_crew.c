// SPDX-License-Identifier: GPL-2.0-or-later
/* test_crew.c - every item is done once, whoever does it, run after run. */
#include <stdatomic.h>
#include <unistd.h>

#include "agent/base/util.h"
#include "agent/crew.h"
#include "tests/check.h"

#define ITEMS 37
#define RUNS  20000

struct tally {
	_Atomic size_t done[ITEMS];
	size_t given[ITEMS], seen[ITEMS]; /* written by the caller; by who did it */
};

static void count(void *arg, size_t i)
{
	struct tally *t = arg;

	atomic_fetch_add(&t->done[i], 1);
	t->seen[i] = t->given[i];
}

/* Of as many threads, each run with another number of items. */
static void check(size_t threads)
{
	static struct tally t;
	struct crew *c = NULL;

	assert_int_equal(crew_new(threads, &c), 0);
	for (size_t run = 1; run <= RUNS; run++) {
		size_t n = run % (ITEMS + 1);

		for (size_t i = 0; i < n; i++) {
			t.done[i] = 0;
			t.given[i] = run;
		}
		crew_run(c, count, &t, n);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(t.done[i], 1);
			assert_int_equal(t.seen[i], run);
		}
		if (run % (RUNS / 4) == 0)
			(void)usleep(5000); /* so that they sleep */
	}
	crew_free(c);
}

static void each_item_is_done_once(void **state)
{
	for (size_t threads = 1; threads <= 4; threads++)
		check(threads);
}

static void a_crew_may_have_nothing_to_do(void **state)
{
	struct crew *c = NULL;

	assert_int_equal(crew_new(3, &c), 0);
	crew_run(c, count, NULL, 0);
	crew_free(c);
	crew_free(NULL);
	assert_int_equal(crew_size(1), 1);
	assert_true(crew_size(1000) >= 1);
	assert_int_equal(crew_size(0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_item_is_done_once),
		cmocka_unit_test(a_crew_may_have_nothing_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
