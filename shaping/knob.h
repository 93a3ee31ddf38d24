/* SPDX-License-Identifier: GPL-2.0-or-later */
/* knob.h - the knobs there are: names, units, bounds, and which way is tighter. Pure table. */
#ifndef FORESHAPE_KNOB_H
#define FORESHAPE_KNOB_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/util.h"

/*
 * Order matters: memory.high before memory.max, and what is a cgroup's before the rest, where the
 * next one of those goes: journals have the numbers. Values travel as uint64_t in the row's unit.
 */
enum knob {
	KNOB_CPU_MAX,        /* mcpu; UNLIMITED is "max" */
	KNOB_CPU_MAX_BURST,  /* us of CPU time a period may borrow */
	KNOB_CPU_WEIGHT,     /* 1..10000, 100 is neutral */
	KNOB_MEMORY_LOW,     /* bytes */
	KNOB_MEMORY_HIGH,    /* bytes; UNLIMITED is "max" */
	KNOB_MEMORY_MAX,     /* bytes; UNLIMITED is "max" */
	KNOB_IO_WEIGHT,      /* 1..10000, 100 is neutral */
	KNOB_IO_MAX,         /* bytes/s on each disk; UNLIMITED is "max" */
	KNOB_MEMORY_RECLAIM, /* bytes to give back now, once */
	KNOB_HTB_RATE,       /* bits/s guaranteed by the service's class */
	KNOB_HTB_CEIL,       /* bits/s the class may borrow up to */
	KNOB_COUNT
};

enum knob_kind {
	KNOB_LIMIT,   /* more is looser; restore after a death takes max(now, baseline) */
	KNOB_WEIGHT,  /* relative; restore takes the baseline */
	KNOB_TRIGGER, /* done once: it keeps no value, so there is nothing to restore */
};

struct knob_row {
	const char *name; /* the kernel's: "cpu.max" */
	const char *unit; /* "mcpu", "us", "", "bytes", "bytes/s", "bits/s" */
	enum knob_kind kind;
	uint64_t lowest, highest; /* what the gate ever lets through, UNLIMITED aside */
	bool may_be_unlimited;
	const char *help; /* one sentence */
};

extern const struct knob_row knob_rows[KNOB_COUNT];

/* Returns the knob named @name, or -ENOENT. */
int knob_find(const char *name);

#endif
