// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reclaim.c - memory.reclaim (v2, Linux 5.19): memory that is given back at once. The file cannot
 * be read and keeps nothing, so there is no value in force and none to restore.
 */
#include "shaping/knobs/reclaim.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/base/util.h"
#include "shaping/knobs/control_file.h"
#include "shaping/knobs/group.h"
#include "shaping/knobs/knob_ops.h"

#define FILE_V2 "memory.reclaim"

/* What the group has above all that must stay: the kernel's memory.low does not hold against a
 * reclaim of the very group that has it (mm/vmscan.c, mem_cgroup_unprotected). */
static int room(int dir_fd, uint64_t least_bytes, uint64_t *usage_bytes, uint64_t *ret)
{
	uint64_t needed = 0, low = 0;
	int r = knob_memory_usage(dir_fd, true, usage_bytes, &needed);

	if (r == 0)
		r = control_read_u64(dir_fd, "memory.low", &low);
	if (r < 0)
		return r;
	least_bytes = MAX(least_bytes, MAX(needed, low));
	*ret = *usage_bytes - MIN(*usage_bytes, least_bytes);
	*ret = MIN(*ret, *usage_bytes / RECLAIM_PART);
	return 0;
}

int reclaim_run(int dir_fd, uint64_t bytes, uint64_t least_bytes, uint64_t *ret)
{
	uint64_t before = 0, after = 0, most = 0, needed;
	int r = room(dir_fd, least_bytes, &before, &most);

	bytes = MIN(MIN(bytes, most), knob_rows[KNOB_MEMORY_RECLAIM].highest);
	if (r < 0 || bytes == 0) {
		*ret = 0;
		return r;
	}
	r = control_write_u64(dir_fd, FILE_V2, bytes);
	*ret = r == 0 ? bytes : 0;
	if (r != -EAGAIN) /* less could be had than was asked for */
		return r;
	r = knob_memory_usage(dir_fd, true, &after, &needed);
	if (r == 0)
		*ret = MIN(before - MIN(before, after), bytes);
	return r;
}

static int get(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	if (faccessat(dir_fd, FILE_V2, F_OK, 0) < 0)
		return group_is_alive(dir_fd) ? -EOPNOTSUPP : -ENODEV;
	*ret = 0;
	(void)copy_str(raw, KNOB_RAW_MAX, "0");
	return 0;
}

static int set(int dir_fd, uint64_t bytes)
{
	uint64_t gone;

	return reclaim_run(dir_fd, bytes, 0, &gone);
}

static int set_raw(int dir_fd, const char *raw)
{
	(void)dir_fd;
	(void)raw;
	return 0;
}

const struct knob_ops knob_memory_reclaim_v2 = {get, set, set_raw, {NULL}};
