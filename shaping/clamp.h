/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clamp.h - the one gate between a computed value and the kernel. */
#ifndef FORESHAPE_CLAMP_H
#define FORESHAPE_CLAMP_H

#include <stdint.h>

#include "shaping/knob.h"

/* What a value was changed by, as bits. */
enum clamp_by {
	CLAMP_FLOOR = 1,   /* of the policy */
	CLAMP_CEILING = 2, /* of the policy */
	CLAMP_LOWEST = 4,  /* of the knob or host */
	CLAMP_HIGHEST = 8,
	CLAMP_STEP = 16, /* the largest lowering at once */
};

struct clamp_bounds {
	uint64_t floor, ceiling; /* of the policy; 0 and UNLIMITED where there is none */
	uint64_t lowest,
		highest; /* of the host: capacity, link rate; 0 and UNLIMITED where unknown */
	uint64_t now;    /* what is in force; UNLIMITED is one of the values */
	uint32_t max_lower_ppm; /* largest lowering from @now at once; 0: no bound */
};

/*
 * Turns a computed @value into an integer the kernel may be given: the largest lowering is bounded
 * first (from UNLIMITED it counts from the highest or the ceiling, where there is one), then
 * @highest and @lowest, then the policy's ceiling and floor, then the knob's own row. UNLIMITED as
 * a value is not cut by @highest (no limit is what the host has), but by the ceiling. Returns 0,
 * *ret and, where not NULL, *by (enum clamp_by bits); -ERANGE for NaN, infinity or a negative
 * value, -EINVAL for bounds that contradict each other (floor above ceiling, lowest above highest,
 * a least of UNLIMITED, a step of more than all) or an unknown knob. *ret is untouched on failure.
 */
int clamp_double(enum knob knob, double value, const struct clamp_bounds *b, uint64_t *ret,
		 unsigned int *by);

/* The same for an integer; UNLIMITED is -ERANGE where the knob has no such value. */
int clamp_value(enum knob knob, uint64_t value, const struct clamp_bounds *b, uint64_t *ret,
		unsigned int *by);

#endif
