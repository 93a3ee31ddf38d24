// SPDX-License-Identifier: GPL-2.0-or-later
/* knob.c - the table of knobs: names, units and what the gate ever lets through. */
#include <errno.h>

#include "shaping/knob.h"

/*
 * cpu.max below 1 ms a 100 ms period is refused by the kernel, so 10 mcpu is the least. Memory
 * below 4 MiB kills whatever it is set on. Highest values stay far from 2^64, which kernels wrap to
 * 0.
 */
#define MCPU_MAX     UINT64_C(10000000)
#define BURST_MAX_US UINT64_C(100000000)
#define BYTES_MAX    (UINT64_C(1) << 52)
#define DISK_MIN     (64 * KIB)
#define DISK_MAX     (UINT64_C(1) << 40)
#define RECLAIM_MAX  (64 * MIB)
#define RATE_MAX     UINT64_C(4000000000000)
#define RATE_MIN     UINT64_C(8000)

/* clang-format off */
const struct knob_row knob_rows[KNOB_COUNT] = {
	[KNOB_CPU_MAX] = { "cpu.max", "mcpu", KNOB_LIMIT, 10, MCPU_MAX, true,
		"CPU time the service may use, in thousandths of a CPU" },
	[KNOB_CPU_MAX_BURST] = { "cpu.max.burst", "us", KNOB_LIMIT, 0, BURST_MAX_US, false,
		"unused CPU time a period may borrow from the ones before it" },
	[KNOB_CPU_WEIGHT] = { "cpu.weight", "", KNOB_WEIGHT, 1, 10000, false,
		"share of the CPU when there is not enough for all; 100 is neutral" },
	[KNOB_MEMORY_LOW] = { "memory.low", "bytes", KNOB_WEIGHT, 0, BYTES_MAX, false,
		"memory the kernel does not reclaim while others have some to give" },
	[KNOB_MEMORY_HIGH] = { "memory.high", "bytes", KNOB_LIMIT, 4 * MIB, BYTES_MAX, true,
		"memory above which the service is slowed down and reclaimed" },
	[KNOB_MEMORY_MAX] = { "memory.max", "bytes", KNOB_LIMIT, 4 * MIB, BYTES_MAX, true,
		"memory above which the service is killed" },
	[KNOB_IO_WEIGHT] = { "io.weight", "", KNOB_WEIGHT, 1, 10000, false,
		"share of the disks when there is not enough for all; 100 is neutral" },
	[KNOB_IO_MAX] = { "io.max", "bytes/s", KNOB_LIMIT, DISK_MIN, DISK_MAX, true,
		"bytes the service may read, and as many write, on each disk it uses" },
	[KNOB_MEMORY_RECLAIM] = { "memory.reclaim", "bytes", KNOB_TRIGGER, 0, RECLAIM_MAX, false,
		"memory that is cold and is given back at once; not a value that stays" },
	[KNOB_HTB_RATE] = { "htb.rate", "bits/s", KNOB_LIMIT, RATE_MIN, RATE_MAX, false,
		"bandwidth the service's class is sure of" },
	[KNOB_HTB_CEIL] = { "htb.ceil", "bits/s", KNOB_LIMIT, RATE_MIN, RATE_MAX, false,
		"bandwidth the service's class may borrow up to" },
};
/* clang-format on */

int knob_find(const char *name)
{
	for (int k = 0; k < KNOB_COUNT; k++)
		if (streq(knob_rows[k].name, name))
			return k;
	return -ENOENT;
}
