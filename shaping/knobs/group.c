// SPDX-License-Identifier: GPL-2.0-or-later
/* group.c - a service's cgroup, at the same path in every hierarchy: make, enter, remove. */
#include "shaping/knobs/group.h"

#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "shaping/knobs/control_file.h"

#define MARK      "user.foreshape.made" /* lives exactly as long as the directory */
#define MODE      0755
#define MAX_DEPTH 16

static int open_mount(const struct hierarchies *h, enum hierarchy which)
{
	int fd;

	if (h->mount[which][0] == '\0')
		return -ENOENT;
	fd = open(h->mount[which], O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int group_open(const struct hierarchies *h, enum hierarchy which, const char *path)
{
	_cleanup_(closep) int mount = open_mount(h, which);
	int fd;

	if (mount < 0)
		return mount;
	fd = openat(mount, path[1] ? path + 1 : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int group_reopen(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

bool group_is_alive(int dir_fd)
{
	return faccessat(dir_fd, "cgroup.procs", F_OK, 0) == 0;
}

uint64_t group_id(int dir_fd)
{
	struct stat st;

	if (fstat(dir_fd, &st) < 0)
		return 0;
	return st.st_ino;
}

/* An O_PATH descriptor takes no attribute calls; its name in /proc does. */
static char *proc_name(char buf[32], int fd)
{
	(void)snprintf(buf, 32, "/proc/self/fd/%d", fd);
	return buf;
}

bool group_is_ours(int dir_fd)
{
	char name[32], value[8];

	return getxattr(proc_name(name, dir_fd), MARK, value, sizeof(value)) >= 0;
}

/* The lengths of "/a", "/a/b" in "/a/b/c", root first, the whole path last. */
static size_t prefixes(const char *path, size_t lengths[MAX_DEPTH])
{
	size_t n = 0;

	for (size_t i = 1; n < MAX_DEPTH; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		lengths[n++] = i;
		if (path[i] == '\0')
			break;
	}
	return n;
}

static int open_prefix(const struct hierarchies *h, enum hierarchy which, const char *path,
		       size_t length)
{
	char prefix[GROUP_PATH_MAX];

	if (length >= sizeof(prefix))
		return -ENAMETOOLONG;
	memcpy(prefix, path, length);
	prefix[length] = '\0';
	return group_open(h, which, prefix);
}

/* libcgroup keeps errno for ECGOTHER alone; what mkdir was refused has codes of its own. */
static int from_libcgroup(int code)
{
	switch (code) {
	case 0:
		return 0;
	case ECGROUPNOTALLOWED:
		return -EACCES;
	case ECGROUPNOTOWNER:
		return -EPERM;
	case ECGROUPNOTEXIST:
	case ECGROUPNOTMOUNTED:
	case ECGROUPSUBSYSNOTMOUNTED:
		return -ENOENT;
	case ECGOTHER:
		return cgroup_get_last_errno() > 0 ? -cgroup_get_last_errno() : -EIO;
	default:
		return -EIO;
	}
}

/* libcgroup makes parents too, and does nothing on v2 without a controller: v1 only. */
static int make_v1(const char *path, enum hierarchy which)
{
	struct cgroup *group;
	int r;

	if (cgroup_init() != 0)
		return -ENOENT;
	group = cgroup_new_cgroup(path + 1);
	if (!group)
		return -ENOMEM;
	r = cgroup_add_controller(group, hierarchy_name(which)) ? cgroup_create_cgroup(group, 1)
								: ECGINVAL;
	cgroup_free(&group);
	return from_libcgroup(r);
}

static void mark(const struct hierarchies *h, enum hierarchy which, const char *path, size_t length)
{
	_cleanup_(closep) int fd = open_prefix(h, which, path, length);
	char name[32];

	if (fd >= 0)
		(void)setxattr(proc_name(name, fd), MARK, "1", 1, 0);
}

/* Lets the children of @dir_fd have the controllers; a controller that is not there is no error. */
static void enable_controllers(int dir_fd)
{
	static const char *const wanted[] = {"+cpu", "+memory", "+io"};

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		(void)control_write(dir_fd, "cgroup.subtree_control", wanted[i]);
}

/* Makes the first @length bytes of @path, a directory, in @mount; -EEXIST where it is there. */
static int make_prefix(int mount, const char *path, size_t length)
{
	char prefix[GROUP_PATH_MAX];

	if (length > sizeof(prefix))
		return -ENAMETOOLONG;
	memcpy(prefix, path + 1, length - 1);
	prefix[length - 1] = '\0';
	return mkdirat(mount, prefix, MODE) < 0 ? -errno : 0;
}

/*
 * Root first, and in each directory the controllers before the next one: a group that is there has
 * all its files, whoever looks at it. Under systemd only what is ours gets controllers.
 */
static int make_unified(const struct hierarchies *h, const char *path, const size_t *lengths,
			size_t n)
{
	_cleanup_(closep) int mount = open_mount(h, HIERARCHY_UNIFIED);
	bool enables = h->unified_has_cpu || h->unified_has_memory || h->unified_has_io;
	bool systemd = access("/run/systemd/system", F_OK) == 0;
	int r;

	if (mount < 0)
		return mount;
	if (enables && !systemd)
		enable_controllers(mount);
	for (size_t i = 0; i < n; i++) {
		_cleanup_(closep) int fd = -1;

		r = make_prefix(mount, path, lengths[i]);
		if (r < 0 && r != -EEXIST)
			return r;
		if (r == 0)
			mark(h, HIERARCHY_UNIFIED, path, lengths[i]);
		if (!enables || i + 1 == n)
			continue;
		fd = open_prefix(h, HIERARCHY_UNIFIED, path, lengths[i]);
		if (fd >= 0 && (!systemd || group_is_ours(fd)))
			enable_controllers(fd);
	}
	return 0;
}

static int make_in(const struct hierarchies *h, enum hierarchy which, const char *path)
{
	size_t lengths[MAX_DEPTH], n = prefixes(path, lengths), there = 0;
	int r;

	if (which == HIERARCHY_UNIFIED)
		return make_unified(h, path, lengths, n);
	for (; there < n; there++) {
		_cleanup_(closep) int fd = open_prefix(h, which, path, lengths[there]);

		if (fd < 0)
			break;
	}
	if (there == n)
		return 0;
	r = make_v1(path, which);
	for (size_t i = there; r == 0 && i < n; i++)
		mark(h, which, path, lengths[i]);
	return r;
}

int group_make(const struct hierarchies *h, const char *path, struct err *e)
{
	int r;

	for (int i = 0; i < HIERARCHY_COUNT; i++) {
		if (!hierarchy_is_own(h, (enum hierarchy)i))
			continue;
		r = make_in(h, (enum hierarchy)i, path);
		if (r < 0)
			return err_set(e, r, "make %s%s", h->mount[i], path);
	}
	return 0;
}

int group_enter(const struct hierarchies *h, const char *path, struct err *e)
{
	for (int i = 0; i < HIERARCHY_COUNT; i++) {
		_cleanup_(closep) int fd = -1;
		int r;

		if (!hierarchy_is_own(h, (enum hierarchy)i))
			continue;
		fd = group_open(h, (enum hierarchy)i, path);
		r = fd < 0 ? fd : control_write(fd, "cgroup.procs", "0");
		if (r < 0)
			return err_set(e, r, "move into %s%s", h->mount[i], path);
	}
	return 0;
}

static int remove_in(const struct hierarchies *h, enum hierarchy which, const char *path)
{
	_cleanup_(closep) int mount = open_mount(h, which);
	size_t lengths[MAX_DEPTH], n = prefixes(path, lengths);
	char prefix[GROUP_PATH_MAX];
	int removed = 0;

	for (size_t i = n; mount >= 0 && i-- > 0;) {
		_cleanup_(closep) int fd = open_prefix(h, which, path, lengths[i]);

		if (fd == -ENOENT)
			continue;
		if (fd < 0 || !group_is_ours(fd))
			break;
		memcpy(prefix, path + 1, lengths[i] - 1);
		prefix[lengths[i] - 1] = '\0';
		if (unlinkat(mount, prefix, AT_REMOVEDIR) < 0)
			break;
		removed++;
	}
	return removed;
}

int group_remove(const struct hierarchies *h, const char *path)
{
	int removed = 0;

	for (int i = 0; i < HIERARCHY_COUNT; i++) {
		if (hierarchy_is_own(h, (enum hierarchy)i))
			removed += remove_in(h, (enum hierarchy)i, path);
	}
	return removed;
}
