// SPDX-License-Identifier: GPL-2.0-or-later
/* knob_ops.c - the cgroup knobs as files: one row a knob and cgroup version. */
#include "shaping/knobs/knob_ops.h"

#include <unistd.h>

#include "agent/base/util.h"

/* clang-format off */
static const struct knob_ops *const table[KNOB_COUNT][2] = {
	/*                        v1                       v2 */
	[KNOB_CPU_MAX]       = { &knob_cpu_max_v1,        &knob_cpu_max_v2 },
	[KNOB_CPU_MAX_BURST] = { &knob_cpu_max_burst_v1,  &knob_cpu_max_burst_v2 },
	[KNOB_CPU_WEIGHT]    = { &knob_cpu_weight_v1,     &knob_cpu_weight_v2 },
	[KNOB_MEMORY_LOW]    = { NULL,                    &knob_memory_low_v2 },
	[KNOB_MEMORY_HIGH]   = { NULL,                    &knob_memory_high_v2 },
	[KNOB_MEMORY_MAX]    = { &knob_memory_max_v1,     &knob_memory_max_v2 },
	[KNOB_IO_WEIGHT]     = { &knob_io_weight_v1,      &knob_io_weight_v2 },
	[KNOB_IO_MAX]        = { &knob_io_max_v1,         &knob_io_max_v2 },
	[KNOB_MEMORY_RECLAIM] = { NULL,                   &knob_memory_reclaim_v2 },
};
/* clang-format on */

const struct knob_ops *knob_ops_find(const struct hierarchies *h, enum knob knob,
				     enum hierarchy *where)
{
	int in = hierarchy_of_knob(h, knob);

	if (in < 0)
		return NULL;
	*where = (enum hierarchy)in;
	return table[knob][in == HIERARCHY_UNIFIED];
}

bool knob_same(enum knob knob, uint64_t want, uint64_t got)
{
	uint64_t apart = want > got ? want - got : got - want;

	if (want == UNLIMITED || got == UNLIMITED)
		return want == got;
	switch (knob) {
	case KNOB_CPU_MAX: /* the quota is a whole number of us */
		return apart <= MAX(want / 1000, UINT64_C(1));
	case KNOB_MEMORY_LOW:
	case KNOB_MEMORY_HIGH:
	case KNOB_MEMORY_MAX:
		return apart < (uint64_t)sysconf(_SC_PAGESIZE);
	case KNOB_IO_WEIGHT:
		return knob_weight_to_bfq(want) == knob_weight_to_bfq(got);
	default:
		return apart == 0;
	}
}
