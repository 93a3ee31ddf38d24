// SPDX-License-Identifier: GPL-2.0-or-later
/* group_allowed.c - the cgroups that are never shaped, whoever asks. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "shaping/knobs/group.h"

/* Any part of the path; what they run must stay reachable whatever a plan says. */
static const char *const untouchable_parts[] = {
	"init.scope",          "ssh.service",       "sshd.service",
	"ssh@*.service",       "sshd@*.service",    "dbus.service",
	"dbus-broker.service", "systemd-*.service", "foreshape.service",
};

/* Exactly these: they hold the ones above. */
static const char *const untouchable_paths[] = {"/", "/system.slice", "/user.slice", "/init"};

static int check_form(const char *path, struct err *e)
{
	size_t n = strlen(path);

	if (n == 0 || path[0] != '/' || n >= GROUP_PATH_MAX)
		return err_say(e, -EINVAL, "%s is no absolute cgroup path", path);
	if (n > 1 && path[n - 1] == '/')
		return err_say(e, -EINVAL, "cgroup path %s ends with a slash", path);
	for (const char *p = path; (p = strchr(p, '/')); p++) {
		size_t part = strcspn(p + 1, "/");

		if (n > 1 && (part == 0 || (part <= 2 && strspn(p + 1, ".") == part)))
			return err_say(e, -EINVAL, "cgroup path %s is not clean", path);
	}
	return 0;
}

static bool has_untouchable_part(const char *path)
{
	char copy[GROUP_PATH_MAX], *rest = copy, *part;

	(void)copy_str(copy, sizeof(copy), path);
	while ((part = strsep(&rest, "/"))) {
		for (size_t i = 0; i < ARRAY_SIZE(untouchable_parts); i++) {
			if (fnmatch(untouchable_parts[i], part, 0) == 0)
				return true;
		}
	}
	return false;
}

/* Whether a line of @own ("4:memory:/a/b") is @path or below it. */
static bool holds_own(const char *path, const char *own)
{
	size_t n = strlen(path);

	for (; *own; own += strcspn(own, "\n"), own += *own == '\n') {
		const char *colon = strchr(own, ':');

		colon = colon ? strchr(colon + 1, ':') : NULL;
		if (!colon)
			return false;
		if (strncmp(colon + 1, path, n) == 0 && strchr("/\n", colon[1 + n]))
			return true;
	}
	return false;
}

int group_allowed(const char *path, const char *own, struct err *e)
{
	int r = check_form(path, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(untouchable_paths); i++) {
		if (streq(path, untouchable_paths[i]))
			return err_say(e, -EPERM, "%s is never shaped", path);
	}
	if (has_untouchable_part(path))
		return err_say(e, -EPERM, "%s belongs to the system and is never shaped", path);
	if (holds_own(path, own))
		return err_say(e, -EPERM, "%s holds foreshape itself and is never shaped", path);
	return 0;
}

void group_read_own(char *buf, size_t size)
{
	_cleanup_(closep) int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = '\0';
}
