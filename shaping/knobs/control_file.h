/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_file.h - reading and writing the small text files of a cgroup directory. */
#ifndef FORESHAPE_CONTROL_FILE_H
#define FORESHAPE_CONTROL_FILE_H

#include <stddef.h>
#include <stdint.h>

/*
 * All of these name a control file by the descriptor of its cgroup's directory (O_PATH will do) and
 * return 0 or -errno: -ENODEV when the cgroup is gone, -EOPNOTSUPP when it has no such file.
 */

/* The content without its last newline; -E2BIG when @size is too small. */
int control_read(int dir_fd, const char *file, char *buf, size_t size);
/* A number; "max" and "-1" are UNLIMITED. -EINVAL for anything else. */
int control_read_u64(int dir_fd, const char *file, uint64_t *ret);
/* The number after the word @key in a file of "key number" lines; -ENODATA without such a line. */
int control_read_key(int dir_fd, const char *file, const char *key, uint64_t *ret);

/* One write call with the whole of @text. */
int control_write(int dir_fd, const char *file, const char *text);
/* @value in decimal; UNLIMITED is not a number here: -EINVAL. */
int control_write_u64(int dir_fd, const char *file, uint64_t value);

#endif
