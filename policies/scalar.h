/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scalar.h - the types of single values: how they are spelled, checked and stored. */
#ifndef FORESHAPE_SCALAR_H
#define FORESHAPE_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policies/schema.h"

/* A number before it is stored. */
struct scalar_number {
	bool is_real;
	uint64_t whole;
	double real;
};

struct scalar_type {
	const char *what; /* "a number of CPUs" */
	/* Numbers: reads @text; returns 0, -EINVAL (spelling) or -ERANGE. */
	int (*number)(const char *text, struct scalar_number *ret);
	uint64_t per; /* a whole number is stored divided by this; 0: as it is */
	size_t bytes; /* of the field a number or word goes to: 2, 4, 8; texts: the key's size */
	const char *const *units; /* ends with NULL; for suggestions */
	const char *usual_unit;   /* suggested for a bare number */
	const char *const *words; /* one of these, stored as an enum; ends with NULL */
	/* Texts: puts into @why what is wrong with @text and returns false. NULL: anything goes. */
	bool (*fits)(const char *text, char *why, size_t size);
	/* Stores a text whose field is no plain array of characters; @text fits. */
	void (*store)(const char *text, void *field);
};

extern const struct scalar_type scalar_version, scalar_name, scalar_cpu, scalar_bytes,
	scalar_bits_per_s, scalar_duration_ns, scalar_duration_us, scalar_duration_s,
	scalar_percent, scalar_ratio, scalar_factor, scalar_count, scalar_port, scalar_time,
	scalar_tier, scalar_tier_or_auto, scalar_cpu_mode, scalar_reclaim, scalar_unit,
	scalar_cgroup, scalar_interface, scalar_path, scalar_route, scalar_calendar;

/*
 * Reads @text as @key says and stores it at @field. Returns true, or false with a sentence in @why,
 * a suggestion included where there is one; nothing is stored then.
 */
bool scalar_read(const struct schema_key *key, const char *text, void *field, char *why,
		 size_t size);

/* Sets @field to the default of @key. */
void scalar_default(const struct schema_key *key, void *field);

#endif
