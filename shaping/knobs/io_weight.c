// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * io_weight.c - io.weight: a share of the disks under contention. On v1 it is BFQ's alone; on v2
 * io.cost and BFQ have a file each, a disk obeys one of the two, so both get the weight.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "shaping/knobs/control_file.h"
#include "shaping/knobs/knob_ops.h"

#define BFQ_V1 "blkio.bfq.weight"
#define BFQ_V2 "io.bfq.weight"
#define COST   "io.weight"
#define EMPTY  "-" /* in a raw value: there is no such file */

/* BFQ has 1..1000 for 1..10000: up to here a weight is itself, above 19 make one step. */
#define SAME_MOST UINT64_C(500)
#define STEP      UINT64_C(19)

uint64_t knob_weight_to_bfq(uint64_t weight)
{
	return weight <= SAME_MOST ? weight : SAME_MOST + (weight - SAME_MOST + STEP / 2) / STEP;
}

uint64_t knob_bfq_to_weight(uint64_t bfq)
{
	return bfq <= SAME_MOST ? bfq : SAME_MOST + (bfq - SAME_MOST) * STEP;
}

static int get_v1(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	uint64_t bfq;
	int r = control_read(dir_fd, BFQ_V1, raw, KNOB_RAW_MAX);

	if (r == 0)
		r = parse_u64(raw, &bfq);
	if (r != 0)
		return r;
	*ret = knob_bfq_to_weight(bfq);
	return 0;
}

static int set_v1(int dir_fd, uint64_t weight)
{
	if (weight == UNLIMITED) /* rounded it were a number */
		return -EINVAL;
	return control_write_u64(dir_fd, BFQ_V1, knob_weight_to_bfq(weight));
}

static int set_raw_v1(int dir_fd, const char *raw)
{
	return control_write(dir_fd, BFQ_V1, raw);
}

/* The default of file @file, not what single devices got; 0: there is no such file. */
static int read_default(int dir_fd, const char *file, uint64_t *ret)
{
	int r = control_read_key(dir_fd, file, "default", ret);

	if (r != -EOPNOTSUPP)
		return r;
	*ret = 0;
	return 0;
}

/* As @raw has it: the number of io.cost, a blank, the number of BFQ. */
static int append(char raw[KNOB_RAW_MAX], size_t *n, uint64_t weight)
{
	const char *blank = *n ? " " : "";
	int len = weight ? snprintf(raw + *n, KNOB_RAW_MAX - *n, "%s%" PRIu64, blank, weight)
			 : snprintf(raw + *n, KNOB_RAW_MAX - *n, "%s" EMPTY, blank);

	if (len < 0 || (size_t)len >= KNOB_RAW_MAX - *n)
		return -E2BIG;
	*n += (size_t)len;
	return 0;
}

/* Where the two say different things somebody set BFQ's alone, and that is what counts. */
static int get_v2(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	uint64_t cost, bfq;
	size_t n = 0;
	int r = read_default(dir_fd, COST, &cost);

	if (r == 0)
		r = read_default(dir_fd, BFQ_V2, &bfq);
	if (r == 0 && !cost && !bfq)
		r = -EOPNOTSUPP;
	if (r == 0)
		r = append(raw, &n, cost);
	if (r == 0)
		r = append(raw, &n, bfq);
	if (r != 0)
		return r;
	*ret = bfq && bfq != knob_weight_to_bfq(cost) ? knob_bfq_to_weight(bfq) : cost;
	return 0;
}

static int write_default(int dir_fd, const char *file, uint64_t weight)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "default %" PRIu64, weight);
	return control_write(dir_fd, file, text);
}

static int set_v2(int dir_fd, uint64_t weight)
{
	int cost, bfq;

	if (weight == UNLIMITED)
		return -EINVAL;
	cost = write_default(dir_fd, COST, weight);
	bfq = write_default(dir_fd, BFQ_V2, knob_weight_to_bfq(weight));
	if (bfq == -EOPNOTSUPP)
		return cost;
	return cost < 0 && cost != -EOPNOTSUPP ? cost : bfq;
}

static int set_raw_v2(int dir_fd, const char *raw)
{
	static const char *const files[] = {COST, BFQ_V2};
	char copy[KNOB_RAW_MAX], *rest = copy, *word;
	uint64_t weight;
	int r = 0;

	(void)copy_str(copy, sizeof(copy), raw);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		word = strsep(&rest, " ");
		if (!word)
			return -EINVAL;
		if (streq(word, EMPTY))
			continue;
		r = parse_u64(word, &weight);
		if (r == 0)
			r = write_default(dir_fd, files[i], weight);
	}
	return r;
}

const struct knob_ops knob_io_weight_v1 = {
	get_v1, set_v1, set_raw_v1, {BFQ_V1, "blkio.bfq.weight_device"}};
const struct knob_ops knob_io_weight_v2 = {get_v2, set_v2, set_raw_v2, {COST, BFQ_V2}};
