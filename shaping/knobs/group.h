/* SPDX-License-Identifier: GPL-2.0-or-later */
/* group.h - a service's cgroup, at the same path in every hierarchy: make, enter, remove. */
#ifndef FORESHAPE_GROUP_H
#define FORESHAPE_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "shaping/knobs/hierarchy.h"

#define GROUP_PATH_MAX 256

/*
 * Whether @path may be shaped at all. Returns 0, -EINVAL for what is no clean absolute path
 * ("/a/b", without "..", "//" or a slash at the end), -EPERM for the root, init, sshd, journald,
 * dbus, whatever contains them, and the groups of this process (@own, from /proc/self/cgroup) and
 * above.
 */
int group_allowed(const char *path, const char *own, struct err *e);

/* Writes the content of /proc/self/cgroup to @buf, cut. */
void group_read_own(char *buf, size_t size);

/* The directory of @path in @which, O_PATH; or -ENOENT where either is missing, -errno. */
int group_open(const struct hierarchies *h, enum hierarchy which, const char *path);

/* The same directory, opened for the calls that take no O_PATH descriptor; -errno. */
int group_reopen(int dir_fd);

/* The number the kernel never gives to another cgroup of that hierarchy; 0 when it is gone. */
uint64_t group_id(int dir_fd);
/* Whether the cgroup of this descriptor still exists. */
bool group_is_alive(int dir_fd);

/*
 * Makes @path in every hierarchy of cpu, cpuacct, memory, blkio and unified the host has, parents
 * included, and marks each directory it made as foreshape's. On v2 the controllers are enabled for
 * it (not in directories of a running systemd). What is there already is left as it is. Returns 0,
 * or -errno when any of them could not be made.
 */
int group_make(const struct hierarchies *h, const char *path, struct err *e);

/* Moves the calling process into @path, in every hierarchy that has it. */
int group_enter(const struct hierarchies *h, const char *path, struct err *e);

/* Removes @path and its parents where foreshape made them and they are empty. Returns how many. */
int group_remove(const struct hierarchies *h, const char *path);

/* Whether foreshape made this directory. */
bool group_is_ours(int dir_fd);

#endif
