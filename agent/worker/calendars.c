// SPDX-License-Identifier: GPL-2.0-or-later
/* calendars.c - reads the policies' calendars again when they change, and as time goes on. */
#include "agent/log.h"
#include "agent/worker/worker.h"

#define LOOK_TICKS   10   /* whether they changed */
#define REREAD_TICKS 3600 /* a policy holds the next events alone */

static void reread(struct agent *a)
{
	struct policy_errors errors = {};
	char text[1024];

	if (policy_calendars_reread(a->set, a->policies_fd, &errors) < 0) {
		(void)policy_errors_first(&errors, text, sizeof(text));
		log_warning("calendars: %s; the events known so far stay", text);
		record_event(a, "error", NULL, "calendars: %s", text);
	}
	policy_errors_free(&errors);
	controller_event_clear(a->controller);
	events_apply(a);
}

void calendars_watch(struct agent *a)
{
	uint64_t stamp;

	if (!a->set || !a->controller || a->policies_fd < 0 || a->n_ticks % LOOK_TICKS != 0)
		return;
	stamp = policy_calendars_stamp(a->set, a->policies_fd);
	/* What was read at start and reloads is looked at once more, which is no harm. */
	if (stamp == 0 ||
	    (stamp == a->calendars_stamp && a->n_ticks - a->calendars_tick < REREAD_TICKS))
		return;
	a->calendars_stamp = stamp;
	a->calendars_tick = a->n_ticks;
	reread(a);
}
