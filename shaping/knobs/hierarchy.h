/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hierarchy.h - where this host's cgroup hierarchies are mounted: v1, hybrid or v2. */
#ifndef FORESHAPE_HIERARCHY_H
#define FORESHAPE_HIERARCHY_H

#include <stdbool.h>

#include "shaping/knob.h"

#define HIERARCHY_MOUNT_MAX 128

/* Those a service's group is made in; never name=systemd, cpuset or the rest. */
enum hierarchy {
	HIERARCHY_CPU,
	HIERARCHY_CPUACCT,
	HIERARCHY_MEMORY,
	HIERARCHY_BLKIO,
	HIERARCHY_UNIFIED,
	HIERARCHY_COUNT
};

struct hierarchies {
	char mount[HIERARCHY_COUNT][HIERARCHY_MOUNT_MAX]; /* "" where the host has none */
	/* Controllers of the unified root. */
	bool unified_has_cpu, unified_has_memory, unified_has_io;
};

/* The v1 controller's name, "unified" for v2. */
const char *hierarchy_name(enum hierarchy which);

/*
 * Fills @ret from @mountinfo (normally "/proc/self/mountinfo"). Returns 0, -ENOENT when there is no
 * cgroup file system at all, or -errno of reading.
 */
int hierarchies_find(const char *mountinfo, struct hierarchies *ret);

/* Whether @which is mounted and not the same mount as an earlier one (cpu,cpuacct). */
bool hierarchy_is_own(const struct hierarchies *h, enum hierarchy which);

/* The hierarchy the file of cgroup knob @knob is in, or -EOPNOTSUPP. */
int hierarchy_of_knob(const struct hierarchies *h, enum knob knob);

#endif
