/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit.h - what the history says was decided, decided again from what the planner was told. */
#ifndef FORESHAPE_AUDIT_H
#define FORESHAPE_AUDIT_H

#include <sqlite3.h>

#include "agent/base/err.h"
#include "agent/progress.h"
#include "policies/policy.h"
#include "shaping/knob.h"

#define AUDIT_MAX_SHOWN 20
#define AUDIT_TEXT      96

/* One decision that is another one now. */
struct audit_difference {
	int64_t id; /* in the history; 0: none was decided */
	char service[POLICY_NAME_MAX];
	uint16_t knob;
	char then[AUDIT_TEXT], now[AUDIT_TEXT]; /* value and reason, or what else is other */
};

struct audit_result {
	size_t tapes, skipped; /* told again; not: of other policies or another version */
	char why[480];         /* the last one was skipped, or ended early; "" */
	uint64_t ticks, guards;
	size_t decisions; /* that were recorded or are made now; repeats of an unwritten wish, too
			   */
	size_t same;      /* in knob, value before and after, reason, refusals and inputs */
	size_t different; /* of which some are made now alone, or not any more */
	struct audit_difference shown[AUDIT_MAX_SHOWN];
	size_t n_shown;
};

/*
 * Tells planners for @set all tapes that begin in the range, and compares. Returns 0, -ENOENT where
 * there is no tape, -ENOMEM, or as store_sql_errno.
 */
int audit_run(sqlite3 *db, struct policy_set *set, int64_t from_real_ns, int64_t to_real_ns,
	      progress_t *progress, struct audit_result *ret, struct err *e);

#endif
