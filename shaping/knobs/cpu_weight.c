// SPDX-License-Identifier: GPL-2.0-or-later
/* cpu_weight.c - cpu.weight, on v1 as cpu.shares: a share of the CPU under contention. */
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "shaping/knobs/control_file.h"
#include "shaping/knobs/knob_ops.h"

#define SHARES_V1      "cpu.shares"
#define SHARES_NEUTRAL UINT64_C(1024)
#define WEIGHT_NEUTRAL UINT64_C(100)

uint64_t knob_weight_to_shares(uint64_t weight)
{
	return (weight * SHARES_NEUTRAL + WEIGHT_NEUTRAL / 2) / WEIGHT_NEUTRAL;
}

uint64_t knob_shares_to_weight(uint64_t shares)
{
	return MAX((shares * WEIGHT_NEUTRAL + SHARES_NEUTRAL / 2) / SHARES_NEUTRAL, UINT64_C(1));
}

static int get_v1(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	uint64_t shares;
	int r = control_read(dir_fd, SHARES_V1, raw, KNOB_RAW_MAX);

	if (r == 0)
		r = parse_u64(raw, &shares);
	if (r != 0)
		return r;
	*ret = knob_shares_to_weight(shares);
	return 0;
}

static int set_v1(int dir_fd, uint64_t weight)
{
	return control_write_u64(dir_fd, SHARES_V1, knob_weight_to_shares(weight));
}

static int set_raw_v1(int dir_fd, const char *raw)
{
	return control_write(dir_fd, SHARES_V1, raw);
}

static int get_v2(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	int r = control_read(dir_fd, "cpu.weight", raw, KNOB_RAW_MAX);

	return r < 0 ? r : parse_u64(raw, ret);
}

static int set_v2(int dir_fd, uint64_t weight)
{
	return control_write_u64(dir_fd, "cpu.weight", weight);
}

static int set_raw_v2(int dir_fd, const char *raw)
{
	return control_write(dir_fd, "cpu.weight", raw);
}

const struct knob_ops knob_cpu_weight_v1 = {get_v1, set_v1, set_raw_v1, {SHARES_V1}};
const struct knob_ops knob_cpu_weight_v2 = {
	get_v2, set_v2, set_raw_v2, {"cpu.weight", "cpu.weight.nice"}};
