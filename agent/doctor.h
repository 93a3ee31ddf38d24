/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor.h - checks of the host and the install: what is wrong, why it matters, what fixes it. */
#ifndef FORESHAPE_DOCTOR_H
#define FORESHAPE_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "shaping/knobs/hierarchy.h"

enum doctor_state {
	DOCTOR_OK,
	DOCTOR_WARNING, /* the agent runs, with less */
	DOCTOR_BROKEN,  /* the agent cannot do its work */
};

/* What the checks are told and share. */
struct doctor {
	const char *runtime_dir, *policies_dir, *db;
	struct hierarchies cgroups;
	bool has_cgroups; /* cgroups is filled */
};

#define DOCTOR_TEXT_MAX 240

struct doctor_finding {
	enum doctor_state state;
	char text[DOCTOR_TEXT_MAX]; /* what was found */
};

struct doctor_check {
	const char *name;
	void (*check)(const struct doctor *d, struct doctor_finding *ret);
	const char *cause; /* what it is needed for; shown where it is not ok */
	const char *fix;   /* the command that mends it */
};

/* The checks, a table each; end: NULL name. All leave the host as it was. */
extern const struct doctor_check doctor_kernel[], doctor_rights[], doctor_cgroups[],
	doctor_install[];

/* Runs @check and fills @ret. */
void doctor_run(const struct doctor *d, const struct doctor_check *check,
		struct doctor_finding *ret);

/* Writes what was found; for the checks. */
void doctor_say(struct doctor_finding *ret, enum doctor_state state, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Reads the first line of the small file @path into @buf. Returns its length, or -errno. */
int doctor_read(const char *path, char *buf, size_t size);

#endif
