// SPDX-License-Identifier: GPL-2.0-or-later
/* cpu_max.c - cpu.max and cpu.max.burst: a CPU bandwidth ceiling and what a period may borrow. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "shaping/knobs/control_file.h"
#include "shaping/knobs/knob_ops.h"

#define QUOTA_V1     "cpu.cfs_quota_us"
#define PERIOD_V1    "cpu.cfs_period_us"
#define PERIOD_US    UINT64_C(100000) /* the kernel's default */
#define QUOTA_MIN_US UINT64_C(1000)   /* less is EINVAL */

static uint64_t to_mcpu(uint64_t quota_us, uint64_t period_us)
{
	if (quota_us == UNLIMITED || period_us == 0)
		return UNLIMITED;
	return (quota_us * MCPU + period_us / 2) / period_us;
}

/* The quota for @mcpu; where the period in force is too short for it, *period_us becomes longer. */
static uint64_t to_quota(uint64_t mcpu, uint64_t *period_us)
{
	if (mcpu == UNLIMITED)
		return UNLIMITED;
	if (mcpu * *period_us / MCPU < QUOTA_MIN_US)
		*period_us = PERIOD_US;
	return MAX(mcpu * *period_us / MCPU, QUOTA_MIN_US);
}

/* "50000 100000", "max 100000" */
static int parse_pair(const char *text, uint64_t *quota_us, uint64_t *period_us)
{
	char quota[24];
	const char *space = strchr(text, ' ');

	if (!space || (size_t)(space - text) >= sizeof(quota))
		return -EINVAL;
	memcpy(quota, text, (size_t)(space - text));
	quota[space - text] = '\0';
	if (streq(quota, "max"))
		*quota_us = UNLIMITED;
	else if (parse_u64(quota, quota_us) < 0)
		return -EINVAL;
	return parse_u64(space + 1, period_us);
}

static void format_pair(char raw[KNOB_RAW_MAX], uint64_t quota_us, uint64_t period_us)
{
	if (quota_us == UNLIMITED)
		(void)snprintf(raw, KNOB_RAW_MAX, "max %" PRIu64, period_us);
	else
		(void)snprintf(raw, KNOB_RAW_MAX, "%" PRIu64 " %" PRIu64, quota_us, period_us);
}

static int read_v1(int dir_fd, uint64_t *quota_us, uint64_t *period_us)
{
	int r = control_read_u64(dir_fd, QUOTA_V1, quota_us);

	return r < 0 ? r : control_read_u64(dir_fd, PERIOD_V1, period_us);
}

static int get_v1(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	uint64_t quota_us, period_us;
	int r = read_v1(dir_fd, &quota_us, &period_us);

	if (r < 0)
		return r;
	*ret = to_mcpu(quota_us, period_us);
	format_pair(raw, quota_us, period_us);
	return 0;
}

static int write_quota_v1(int dir_fd, uint64_t quota_us)
{
	if (quota_us == UNLIMITED)
		return control_write(dir_fd, QUOTA_V1, "-1");
	return control_write_u64(dir_fd, QUOTA_V1, quota_us);
}

/* By way of no quota: any other order can pass above the parent's ratio. */
static int write_both_v1(int dir_fd, uint64_t quota_us, uint64_t period_us)
{
	int r = write_quota_v1(dir_fd, UNLIMITED);

	if (r == 0)
		r = control_write_u64(dir_fd, PERIOD_V1, period_us);
	return r == 0 ? write_quota_v1(dir_fd, quota_us) : r;
}

/* A quota that is refused (below the burst, above the parent) leaves what was. */
static int write_v1(int dir_fd, uint64_t quota_us, uint64_t period_us)
{
	uint64_t old_quota_us, old_period_us;
	int r = read_v1(dir_fd, &old_quota_us, &old_period_us);

	if (r < 0)
		return r;
	if (period_us == old_period_us)
		return write_quota_v1(dir_fd, quota_us);
	r = write_both_v1(dir_fd, quota_us, period_us);
	if (r < 0)
		(void)write_both_v1(dir_fd, old_quota_us, old_period_us);
	return r;
}

static int set_v1(int dir_fd, uint64_t mcpu)
{
	uint64_t quota_us, period_us;
	int r = read_v1(dir_fd, &quota_us, &period_us);

	if (r < 0)
		return r;
	quota_us = to_quota(mcpu, &period_us);
	return write_v1(dir_fd, quota_us, period_us);
}

static int set_raw_v1(int dir_fd, const char *raw)
{
	uint64_t quota_us, period_us;
	int r = parse_pair(raw, &quota_us, &period_us);

	return r < 0 ? r : write_v1(dir_fd, quota_us, period_us);
}

static int get_v2(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	uint64_t quota_us, period_us;
	int r = control_read(dir_fd, "cpu.max", raw, KNOB_RAW_MAX);

	if (r == 0)
		r = parse_pair(raw, &quota_us, &period_us);
	if (r != 0)
		return r;
	*ret = to_mcpu(quota_us, period_us);
	return 0;
}

static int set_raw_v2(int dir_fd, const char *raw)
{
	return control_write(dir_fd, "cpu.max", raw);
}

static int set_v2(int dir_fd, uint64_t mcpu)
{
	uint64_t quota_us, period_us;
	char raw[KNOB_RAW_MAX];
	int r = control_read(dir_fd, "cpu.max", raw, sizeof(raw));

	if (r == 0)
		r = parse_pair(raw, &quota_us, &period_us);
	if (r != 0)
		return r;
	quota_us = to_quota(mcpu, &period_us);
	format_pair(raw, quota_us, period_us);
	return set_raw_v2(dir_fd, raw);
}

static int burst_get(int dir_fd, const char *file, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	int r = control_read(dir_fd, file, raw, KNOB_RAW_MAX);

	return r < 0 ? r : parse_u64(raw, ret);
}

static int burst_get_v1(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	return burst_get(dir_fd, "cpu.cfs_burst_us", ret, raw);
}

static int burst_get_v2(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	return burst_get(dir_fd, "cpu.max.burst", ret, raw);
}

static int burst_set_v1(int dir_fd, uint64_t value)
{
	return control_write_u64(dir_fd, "cpu.cfs_burst_us", value);
}

static int burst_set_v2(int dir_fd, uint64_t value)
{
	return control_write_u64(dir_fd, "cpu.max.burst", value);
}

static int burst_set_raw_v1(int dir_fd, const char *raw)
{
	return control_write(dir_fd, "cpu.cfs_burst_us", raw);
}

static int burst_set_raw_v2(int dir_fd, const char *raw)
{
	return control_write(dir_fd, "cpu.max.burst", raw);
}

const struct knob_ops knob_cpu_max_v1 = {get_v1, set_v1, set_raw_v1, {QUOTA_V1, PERIOD_V1}};
const struct knob_ops knob_cpu_max_v2 = {get_v2, set_v2, set_raw_v2, {"cpu.max"}};
const struct knob_ops knob_cpu_max_burst_v1 = {
	burst_get_v1, burst_set_v1, burst_set_raw_v1, {"cpu.cfs_burst_us"}};
const struct knob_ops knob_cpu_max_burst_v2 = {
	burst_get_v2, burst_set_v2, burst_set_raw_v2, {"cpu.max.burst"}};
