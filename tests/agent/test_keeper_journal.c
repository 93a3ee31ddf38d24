// SPDX-License-Identifier: GPL-2.0-or-later
/* test_keeper_journal.c - what was journaled is there again, torn, foreign and full files included.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/check.h"
#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/keeper/journal.h"

#define BOOT "11111111-2222-3333-4444-555555555555"

static char dir_name[] = "/tmp/fsh-keeper-journal-XXXXXX";
static int dir_fd = -1;

static int open_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir_name))
		return -1;
	dir_fd = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlinkat(dir_fd, "journal", 0);
	close(dir_fd);
	return rmdir(dir_name);
}

static int fresh(void **state)
{
	(void)state;
	(void)unlinkat(dir_fd, "journal", 0);
	return 0;
}

static struct journal *opened(const char *boot_id)
{
	struct journal *j = NULL;
	struct err e = {};

	assert_int_equal(journal_open(dir_fd, boot_id, &j, &e), 0);
	return j;
}

static struct journal_entry entry(enum knob knob, uint64_t cgroup_id, uint64_t baseline)
{
	struct journal_entry e = {.kind = JOURNAL_KNOB,
				  .knob = knob,
				  .flags = JOURNAL_WRITTEN,
				  .cgroup_id = cgroup_id,
				  .baseline = baseline,
				  .raw = "50000 100000",
				  .path = "/a/b"};

	return e;
}

static void put(struct journal *j, enum knob knob, uint64_t cgroup_id, uint64_t baseline)
{
	struct journal_entry e = entry(knob, cgroup_id, baseline);

	assert_int_equal(journal_put_durable(j, &e), 0);
}

static off_t file_size(void)
{
	struct stat st;

	assert_int_equal(fstatat(dir_fd, "journal", &st, 0), 0);
	return st.st_size;
}

static void cut(off_t by)
{
	_cleanup_(closep) int fd = openat(dir_fd, "journal", O_WRONLY | O_CLOEXEC);

	assert_int_equal(ftruncate(fd, file_size() - by), 0);
}

static void entries_are_there_after_reopening(void **state)
{
	struct journal *j = opened(BOOT);
	const struct journal_entry *e;
	struct journal_entry gone = entry(KNOB_CPU_MAX, 2, 0);

	(void)state;
	put(j, KNOB_CPU_MAX, 1, 500);
	put(j, KNOB_CPU_MAX, 2, 600);
	put(j, KNOB_CPU_WEIGHT, 1, 100);
	put(j, KNOB_CPU_MAX, 1, 501); /* the same key: replaced */
	assert_int_equal(journal_delete(j, &gone), 0);
	journal_close(j);
	j = opened(BOOT);
	assert_int_equal(j->n, 2);
	e = journal_find(j, JOURNAL_KNOB, KNOB_CPU_MAX, 1);
	assert_non_null(e);
	assert_int_equal(e->baseline, 501);
	assert_string_equal(e->raw, "50000 100000");
	assert_string_equal(e->path, "/a/b");
	assert_null(journal_find(j, JOURNAL_KNOB, KNOB_CPU_MAX, 2));
	journal_close(j);
}

static void a_torn_record_is_cut_off_and_the_rest_stays(void **state)
{
	(void)state;
	for (off_t by = 1; by < (off_t)sizeof(struct journal_entry); by += 37) {
		struct journal *j;

		(void)fresh(state);
		j = opened(BOOT);
		put(j, KNOB_CPU_MAX, 1, 500);
		put(j, KNOB_CPU_MAX, 2, 600);
		journal_close(j);
		cut(by);
		j = opened(BOOT);
		assert_int_equal(j->n, 1);
		assert_non_null(journal_find(j, JOURNAL_KNOB, KNOB_CPU_MAX, 1));
		put(j, KNOB_CPU_MAX, 3, 700); /* what follows a tear is not lost with it */
		journal_close(j);
		j = opened(BOOT);
		assert_int_equal(j->n, 2);
		journal_close(j);
	}
}

static void no_flipped_bit_is_believed(void **state)
{
	struct journal *j;
	off_t size;

	(void)state;
	for (off_t at = 48; at < 48 + 416; at += 11) {
		_cleanup_(closep) int fd = -1;
		unsigned char c;

		(void)fresh(state);
		j = opened(BOOT);
		put(j, KNOB_CPU_MAX, 1, 500);
		journal_close(j);
		size = file_size();
		assert_true(at < size);
		fd = openat(dir_fd, "journal", O_RDWR | O_CLOEXEC);
		assert_int_equal(pread(fd, &c, 1, at), 1);
		c ^= 0x10;
		assert_int_equal(pwrite(fd, &c, 1, at), 1);
		j = opened(BOOT);
		assert_int_equal(j->n, 0);
		journal_close(j);
	}
}

static void another_boots_journal_says_nothing(void **state)
{
	struct journal *j = opened(BOOT);

	(void)state;
	put(j, KNOB_CPU_MAX, 1, 500);
	journal_close(j);
	j = opened("99999999-2222-3333-4444-555555555555");
	assert_int_equal(j->n, 0);
	journal_close(j);
}

static void dead_records_do_not_pile_up(void **state)
{
	struct journal *j = opened(BOOT);

	(void)state;
	for (uint64_t i = 0; i < 5000; i++) {
		struct journal_entry e = entry(KNOB_CPU_MAX, 1, i);

		assert_int_equal(journal_put(j, &e), 0);
	}
	assert_true(file_size() < 1200 * (off_t)sizeof(struct journal_entry));
	journal_close(j);
	j = opened(BOOT);
	assert_int_equal(j->n, 1);
	assert_int_equal(j->entries[0].baseline, 4999);
	journal_close(j);
}

static void paths_tell_made_groups_apart(void **state)
{
	struct journal_entry a = {.kind = JOURNAL_MADE, .path = "/a"},
			     b = {.kind = JOURNAL_MADE, .path = "/b"};
	struct journal *j = opened(BOOT);

	(void)state;
	assert_int_equal(journal_put(j, &a), 0);
	assert_int_equal(journal_put(j, &b), 0);
	assert_int_equal(journal_put(j, &a), 0);
	assert_int_equal(j->n, 2);
	assert_int_equal(journal_delete(j, &b), 0);
	assert_int_equal(j->n, 1);
	assert_string_equal(j->entries[0].path, "/a");
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(entries_are_there_after_reopening, fresh),
		cmocka_unit_test_setup(a_torn_record_is_cut_off_and_the_rest_stays, fresh),
		cmocka_unit_test_setup(no_flipped_bit_is_believed, fresh),
		cmocka_unit_test_setup(another_boots_journal_says_nothing, fresh),
		cmocka_unit_test_setup(dead_records_do_not_pile_up, fresh),
		cmocka_unit_test_setup(paths_tell_made_groups_apart, fresh),
	};

	return cmocka_run_group_tests(tests, open_dir, remove_dir);
}
