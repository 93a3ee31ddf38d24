// SPDX-License-Identifier: GPL-2.0-or-later
/* control_file.c - reading and writing the small text files of a cgroup directory. */
#include "shaping/knobs/control_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"

#define STAT_MAX 8192 /* memory.stat of today's kernels is under 2 KiB a level */

/* A dead cgroup loses all its files; a living one may lack this one. */
static int open_file(int dir_fd, const char *file, int mode)
{
	int fd = openat(dir_fd, file, mode | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return -errno;
	return faccessat(dir_fd, "cgroup.procs", F_OK, 0) == 0 ? -EOPNOTSUPP : -ENODEV;
}

int control_read(int dir_fd, const char *file, char *buf, size_t size)
{
	_cleanup_(closep) int fd = open_file(dir_fd, file, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, buf, size);
	if (n < 0)
		return -errno;
	if ((size_t)n == size)
		return -E2BIG;
	while (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return 0;
}

int control_read_u64(int dir_fd, const char *file, uint64_t *ret)
{
	char text[64];
	int r;

	r = control_read(dir_fd, file, text, sizeof(text));
	if (r < 0)
		return r;
	if (streq(text, "max") || streq(text, "-1")) {
		*ret = UNLIMITED;
		return 0;
	}
	return parse_u64(text, ret);
}

int control_read_key(int dir_fd, const char *file, const char *key, uint64_t *ret)
{
	char text[STAT_MAX], *rest = text, *line;
	size_t n = strlen(key);
	int r;

	r = control_read(dir_fd, file, text, sizeof(text));
	if (r < 0)
		return r;
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, key, n) == 0 && line[n] == ' ')
			return parse_u64(line + n + 1, ret);
	}
	return -ENODATA;
}

int control_write(int dir_fd, const char *file, const char *text)
{
	_cleanup_(closep) int fd = open_file(dir_fd, file, O_WRONLY);

	if (fd < 0)
		return fd;
	if (write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

int control_write_u64(int dir_fd, const char *file, uint64_t value)
{
	char text[24];

	if (value == UNLIMITED)
		return -EINVAL;
	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	return control_write(dir_fd, file, text);
}
