/* SPDX-License-Identifier: GPL-2.0-or-later */
/* knob_ops.h - the cgroup knobs as files: one row a knob and cgroup version. */
#ifndef FORESHAPE_KNOB_OPS_H
#define FORESHAPE_KNOB_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "shaping/knob.h"
#include "shaping/knobs/hierarchy.h"

#define KNOB_RAW_MAX 48

/*
 * @dir_fd is the cgroup's directory in the knob's hierarchy. All return 0 or -errno: -ENODEV when
 * the cgroup is gone, -EOPNOTSUPP when it has no such knob, else the kernel's word.
 */
struct knob_ops {
	/* The value in knob.h's unit (of a trigger 0) and, in @raw, what set_raw gives back
	 * exactly. */
	int (*get)(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX]);
	int (*set)(int dir_fd, uint64_t value);
	int (*set_raw)(int dir_fd, const char *raw);
	const char *files[2]; /* whose change by somebody else is a change of the knob */
};

extern const struct knob_ops knob_cpu_max_v1, knob_cpu_max_v2;
extern const struct knob_ops knob_cpu_max_burst_v1, knob_cpu_max_burst_v2;
extern const struct knob_ops knob_cpu_weight_v1, knob_cpu_weight_v2;
extern const struct knob_ops knob_memory_low_v2, knob_memory_high_v2;
extern const struct knob_ops knob_memory_max_v1, knob_memory_max_v2;
extern const struct knob_ops knob_io_weight_v1, knob_io_weight_v2;
extern const struct knob_ops knob_io_max_v1, knob_io_max_v2;
extern const struct knob_ops knob_memory_reclaim_v2;

/* The row for @knob on this host and, in *where, its hierarchy; NULL: the host has no such knob. */
const struct knob_ops *knob_ops_find(const struct hierarchies *h, enum knob knob,
				     enum hierarchy *where);

/* Whether the kernel's @got is what was asked by @want: ratios within 0.1 %, bytes within a page,
 * io.weight within a step of BFQ. */
bool knob_same(enum knob knob, uint64_t want, uint64_t got);

/* cpu.weight as v1's cpu.shares, 100 being 1024, and back; exact both ways for 1..10000. */
uint64_t knob_weight_to_shares(uint64_t weight);
uint64_t knob_shares_to_weight(uint64_t shares);

/* io.weight as BFQ's 1..1000 and back; exact up to 500, above within 2 %. */
uint64_t knob_weight_to_bfq(uint64_t weight);
uint64_t knob_bfq_to_weight(uint64_t bfq);

/* What the group uses now, and what of it no reclaim can take away; bytes. */
int knob_memory_usage(int dir_fd, bool v2, uint64_t *usage_bytes, uint64_t *needed_bytes);

#endif
