// SPDX-License-Identifier: GPL-2.0-or-later
/* test_keeper_undo.c - what stands in the way of an undo: no memory, and whose shrink runs. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/check.h"
#include "agent/keeper/private.h"

#define SHARED_ID 7 /* ids of two hierarchies are counted apart, so they meet */

static const char *const files[][2] = {
	{"memory.limit_in_bytes", "400000000\n"},
	{"memory.usage_in_bytes", "300000000\n"},
	{"memory.stat", "total_rss 1000\n"},
	{"mountinfo", "32 31 0:29 / /nowhere/cpu rw - cgroup cgroup rw,cpu\n"
		      "35 31 0:33 / /nowhere/memory rw - cgroup cgroup rw,memory\n"},
};

static char dir_name[] = "/tmp/fsh-keeper-undo-XXXXXX";
static int dir_fd = -1;

/* A failed allocation is NULL under the sanitizer too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir_name))
		return -1;
	dir_fd = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_(closep) int fd =
			openat(dir_fd, files[i][0], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (write(fd, files[i][1], strlen(files[i][1])) < 0)
			return -1;
	}
	return dir_fd < 0;
}

static int remove_dir(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		(void)unlinkat(dir_fd, files[i][0], 0);
	(void)unlinkat(dir_fd, "journal", 0);
	close(dir_fd);
	return rmdir(dir_name);
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

static void a_shrink_is_found_in_its_own_hierarchy(void **state)
{
	struct keeper *k = calloc(1, sizeof(*k));
	const struct journal_entry e = {.knob = KNOB_MEMORY_MAX,
					.flags = JOURNAL_WRITTEN,
					.cgroup_id = SHARED_ID,
					.before = 400000000,
					.value = 200000000};
	struct squeeze_ask ask = {.entry = &e, .goal = e.value};
	char mounts[64];

	(void)state;
	k->orders_fd = -1;
	(void)snprintf(mounts, sizeof(mounts), "%s/mountinfo", dir_name);
	assert_int_equal(hierarchies_find(mounts, &k->h), 0);
	assert_int_equal(sd_event_new(&k->loop), 0);
	assert_int_equal(journal_open(dir_fd, "boot", &k->journal, NULL), 0);
	assert_int_equal(journal_put(k->journal, &e), 0);
	ask.dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(squeeze_start(k, &ask), 1);
	assert_false(squeeze_is_active(k, KNOB_CPU_MAX, SHARED_ID));
	squeeze_cancel(k, KNOB_CPU_WEIGHT, SHARED_ID);
	assert_true(squeeze_is_active(k, KNOB_MEMORY_MAX, SHARED_ID));
	squeeze_cancel(k, KNOB_MEMORY_MAX, SHARED_ID);
	assert_false(squeeze_is_active(k, KNOB_MEMORY_MAX, SHARED_ID));
	journal_close(k->journal);
	sd_event_unref(k->loop);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_undo_without_memory_is_refused),
		cmocka_unit_test(a_shrink_is_found_in_its_own_hierarchy),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
