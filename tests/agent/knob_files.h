/* SPDX-License-Identifier: GPL-2.0-or-later */
/* knob_files.h - a directory of plain files that stands in for a cgroup, for tests of knobs. */
#ifndef FORESHAPE_KNOB_FILES_H
#define FORESHAPE_KNOB_FILES_H

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/check.h"

#include "agent/base/cleanup.h"
#include "agent/base/util.h"

static char dir_name[] = "/tmp/fsh-knob-files-XXXXXX";
static int dir_fd = -1;

static inline void file_is(const char *name, const char *text)
{
	_cleanup_(closep) int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static inline void assert_file(const char *name, const char *text)
{
	_cleanup_(closep) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	char got[64];
	ssize_t n = read(fd, got, sizeof(got) - 1);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, text);
}

/* A plain file keeps what a shorter write does not cover. */
static inline void assert_starts(const char *name, const char *text)
{
	_cleanup_(closep) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	char got[64] = {};

	assert_true(read(fd, got, sizeof(got) - 1) > 0);
	assert_memory_equal(got, text, strlen(text));
}

static inline int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir_name))
		return -1;
	dir_fd = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0;
}

static inline int remove_dir(void **state)
{
	static const char *const names[] = {
		"cpu.max",
		"cpu.weight",
		"cpu.shares",
		"memory.max",
		"memory.limit_in_bytes",
		"memory.current",
		"memory.low",
		"memory.reclaim",
		"memory.stat",
		"mountinfo",
		"cgroup.procs",
		"io.weight",
		"io.bfq.weight",
		"blkio.bfq.weight",
		"io.max",
		"io.stat",
		"blkio.throttle.read_bps_device",
		"blkio.throttle.write_bps_device",
		"blkio.throttle.io_service_bytes",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlinkat(dir_fd, names[i], 0);
	close(dir_fd);
	return rmdir(dir_name);
}

#endif
