// SPDX-License-Identifier: GPL-2.0-or-later
/* doctor_cgroups.c - which hierarchies there are, and whether limits can be written in them. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/util.h"
#include "agent/doctor.h"

static bool is_mounted(const struct doctor *d, enum hierarchy which)
{
	return d->has_cgroups && *d->cgroups.mount[which];
}

static void check_mode(const struct doctor *d, struct doctor_finding *ret)
{
	bool v1 = is_mounted(d, HIERARCHY_CPU) || is_mounted(d, HIERARCHY_MEMORY);
	bool v2 = is_mounted(d, HIERARCHY_UNIFIED);

	if (!v1 && !v2)
		doctor_say(ret, DOCTOR_BROKEN, "no cgroup file system is mounted");
	else if (!v2)
		doctor_say(ret, DOCTOR_BROKEN, "version 1 alone: requests cannot be counted");
	else
		doctor_say(ret, DOCTOR_OK, "%s at %s", v1 ? "hybrid, version 2" : "version 2",
			   d->cgroups.mount[HIERARCHY_UNIFIED]);
}

/* The controller of @v1 in its own hierarchy, or in the unified one where @unified_has says so. */
static void check_controller(const struct doctor *d, enum hierarchy v1, bool unified_has,
			     enum doctor_state without, struct doctor_finding *ret)
{
	enum hierarchy which = is_mounted(d, v1) ? v1 : HIERARCHY_UNIFIED;
	const char *mount = d->has_cgroups ? d->cgroups.mount[which] : "";

	if (!*mount || (which == HIERARCHY_UNIFIED && !unified_has))
		doctor_say(ret, without, "no hierarchy has the controller");
	else if (access(mount, W_OK) < 0)
		doctor_say(ret, without, "%s: %s", mount, strerror(errno));
	else
		doctor_say(ret, DOCTOR_OK, "in %s", mount);
}

static void check_cpu(const struct doctor *d, struct doctor_finding *ret)
{
	check_controller(d, HIERARCHY_CPU, d->cgroups.unified_has_cpu, DOCTOR_BROKEN, ret);
}

static void check_memory(const struct doctor *d, struct doctor_finding *ret)
{
	check_controller(d, HIERARCHY_MEMORY, d->cgroups.unified_has_memory, DOCTOR_BROKEN, ret);
}

static void check_io(const struct doctor *d, struct doctor_finding *ret)
{
	check_controller(d, HIERARCHY_BLKIO, d->cgroups.unified_has_io, DOCTOR_WARNING, ret);
}

/* The root of version 2 has no such file; the groups in it do where the kernel knows it. */
static void check_reclaim(const struct doctor *d, struct doctor_finding *ret)
{
	char files[HIERARCHY_MOUNT_MAX + 24];
	glob_t g;

	if (is_mounted(d, HIERARCHY_MEMORY) || !d->has_cgroups || !d->cgroups.unified_has_memory) {
		doctor_say(ret, DOCTOR_WARNING, "version 1 has no memory.reclaim");
		return;
	}
	(void)snprintf(files, sizeof(files), "%s/*/memory.*", d->cgroups.mount[HIERARCHY_UNIFIED]);
	if (glob(files, 0, NULL, &g) != 0) {
		doctor_say(ret, DOCTOR_OK, "seen when the first group is made");
		return;
	}
	globfree(&g);
	(void)snprintf(files, sizeof(files), "%s/*/memory.reclaim",
		       d->cgroups.mount[HIERARCHY_UNIFIED]);
	if (glob(files, 0, NULL, &g) != 0) {
		doctor_say(ret, DOCTOR_WARNING, "this kernel has no memory.reclaim");
		return;
	}
	globfree(&g);
	doctor_say(ret, DOCTOR_OK, "cold memory can be given back");
}

/* How many disks the scheduler that knows weights is set for. */
static size_t count_bfq(size_t *disks)
{
	char line[120];
	size_t n = 0;
	glob_t g;

	*disks = 0;
	if (glob("/sys/block/*/queue/scheduler", 0, NULL, &g) != 0)
		return 0;
	for (size_t i = 0; i < g.gl_pathc; i++)
		n += doctor_read(g.gl_pathv[i], line, sizeof(line)) > 0 && strstr(line, "[bfq]");
	*disks = g.gl_pathc;
	globfree(&g);
	return n;
}

static bool has_io_cost(const struct doctor *d)
{
	char path[HIERARCHY_MOUNT_MAX + 24], line[200];
	bool enabled = false;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/io.cost.qos", d->cgroups.mount[HIERARCHY_UNIFIED]);
	f = is_mounted(d, HIERARCHY_UNIFIED) ? fopen(path, "re") : NULL;
	while (f && !enabled && fgets(line, sizeof(line), f))
		enabled = strstr(line, "enable=1");
	if (f)
		(void)fclose(f);
	return enabled;
}

static void check_io_weight(const struct doctor *d, struct doctor_finding *ret)
{
	size_t disks, n = count_bfq(&disks);

	if (has_io_cost(d))
		doctor_say(ret, DOCTOR_OK, "io.cost is on");
	else if (n > 0)
		doctor_say(ret, DOCTOR_OK, "%zu of %zu block devices are scheduled by bfq", n,
			   disks);
	else
		doctor_say(ret, DOCTOR_WARNING,
			   "none of %zu block devices is scheduled by bfq, and io.cost is off",
			   disks);
}

/* The root of version 1 has the file; with version 2 it is in the groups alone. */
static void check_quota(const struct doctor *d, struct doctor_finding *ret)
{
	char path[HIERARCHY_MOUNT_MAX + 24];

	if (!is_mounted(d, HIERARCHY_CPU)) {
		doctor_say(ret, DOCTOR_OK, "seen when the first group is made");
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", d->cgroups.mount[HIERARCHY_CPU]);
	if (access(path, F_OK) == 0)
		doctor_say(ret, DOCTOR_OK, "CPU quotas can be set");
	else
		doctor_say(ret, DOCTOR_WARNING, "%s: %s", path, strerror(errno));
}

/* clang-format off */
const struct doctor_check doctor_cgroups[] = {
	{ "cgroup-mode", check_mode, "limits are written, and packets counted, by cgroup",
	  "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified" },
	{ "cgroup-cpu", check_cpu, "CPU limits and shares are written there",
	  "echo +cpu > /sys/fs/cgroup/cgroup.subtree_control" },
	{ "cgroup-memory", check_memory, "memory limits are written there",
	  "echo +memory > /sys/fs/cgroup/cgroup.subtree_control; or boot with cgroup_enable=memory" },
	{ "memory-reclaim", check_reclaim, "cold memory stays until the kernel runs out of it",
	  "boot Linux 5.19 or later with systemd.unified_cgroup_hierarchy=1" },
	{ "cgroup-io", check_io, "io.weight is written there",
	  "echo +io > /sys/fs/cgroup/cgroup.subtree_control" },
	{ "io-weight", check_io_weight, "io.weight is set but shares no disk then",
	  "modprobe bfq; echo bfq > /sys/block/DISK/queue/scheduler" },
	{ "cpu-quota", check_quota, "without quotas only CPU shares are set",
	  "the kernel needs CONFIG_CFS_BANDWIDTH" },
	{},
};
/* clang-format on */
