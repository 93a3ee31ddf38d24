// SPDX-License-Identifier: GPL-2.0-or-later
/* hierarchy.c - where this host's cgroup hierarchies are mounted: v1, hybrid or v2. */
#include "shaping/knobs/hierarchy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "shaping/knobs/control_file.h"

static const char *const names[HIERARCHY_COUNT] = {
	[HIERARCHY_CPU] = "cpu",     [HIERARCHY_CPUACCT] = "cpuacct", [HIERARCHY_MEMORY] = "memory",
	[HIERARCHY_BLKIO] = "blkio", [HIERARCHY_UNIFIED] = "unified",
};

const char *hierarchy_name(enum hierarchy which)
{
	return names[which];
}

static bool has_word(const char *list, const char *word, const char *separators)
{
	size_t n = strlen(word);

	while (*list) {
		size_t len = strcspn(list, separators);

		if (len == n && memcmp(list, word, n) == 0)
			return true;
		list += len;
		list += strspn(list, separators);
	}
	return false;
}

/* The first mount of a hierarchy counts: a later one is a bind mount. */
static void take_mount(struct hierarchies *h, enum hierarchy which, const char *point)
{
	if (h->mount[which][0] == '\0')
		(void)copy_str(h->mount[which], sizeof(h->mount[which]), point);
}

/* "31 23 0:28 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu" */
static void take_line(struct hierarchies *h, char *line)
{
	char *fields[5], *rest = line, *type, *options;
	char *tail = strstr(line, " - ");

	if (!tail)
		return;
	*tail = '\0';
	tail += 3;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		fields[i] = strsep(&rest, " ");
		if (!fields[i])
			return;
	}
	type = strsep(&tail, " ");
	(void)strsep(&tail, " ");
	options = tail ? tail : (char *)"";
	options[strcspn(options, "\n")] = '\0';
	if (streq(type, "cgroup2"))
		take_mount(h, HIERARCHY_UNIFIED, fields[4]);
	if (!streq(type, "cgroup"))
		return;
	for (int i = 0; i < HIERARCHY_UNIFIED; i++) {
		if (has_word(options, names[i], ","))
			take_mount(h, (enum hierarchy)i, fields[4]);
	}
}

static void find_controllers(struct hierarchies *h)
{
	_cleanup_(closep) int dir = -1;
	char list[256];

	if (h->mount[HIERARCHY_UNIFIED][0] == '\0')
		return;
	dir = open(h->mount[HIERARCHY_UNIFIED], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || control_read(dir, "cgroup.controllers", list, sizeof(list)) < 0)
		return;
	h->unified_has_cpu = has_word(list, "cpu", " ");
	h->unified_has_memory = has_word(list, "memory", " ");
	h->unified_has_io = has_word(list, "io", " ");
}

int hierarchies_find(const char *mountinfo, struct hierarchies *ret)
{
	_cleanup_(fclosep) FILE *f = fopen(mountinfo, "re");
	_cleanup_(freep) char *line = NULL;
	struct hierarchies h = {};
	size_t size = 0;

	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0)
		take_line(&h, line);
	find_controllers(&h);
	for (int i = 0; i < HIERARCHY_COUNT; i++) {
		if (h.mount[i][0] == '\0')
			continue;
		*ret = h;
		return 0;
	}
	return -ENOENT;
}

bool hierarchy_is_own(const struct hierarchies *h, enum hierarchy which)
{
	if (h->mount[which][0] == '\0')
		return false;
	for (int i = 0; i < (int)which; i++) {
		if (streq(h->mount[i], h->mount[which]))
			return false;
	}
	return true;
}

int hierarchy_of_knob(const struct hierarchies *h, enum knob knob)
{
	enum hierarchy v1 = HIERARCHY_BLKIO;
	bool in_unified = h->unified_has_io;

	if (knob >= KNOB_HTB_RATE)
		return -EOPNOTSUPP;
	if (knob <= KNOB_CPU_WEIGHT) {
		v1 = HIERARCHY_CPU;
		in_unified = h->unified_has_cpu;
	} else if (knob <= KNOB_MEMORY_MAX || knob == KNOB_MEMORY_RECLAIM) {
		v1 = HIERARCHY_MEMORY;
		in_unified = h->unified_has_memory;
	}
	if (h->mount[v1][0])
		return (int)v1;
	return in_unified ? HIERARCHY_UNIFIED : -EOPNOTSUPP;
}
