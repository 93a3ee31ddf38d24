// SPDX-License-Identifier: GPL-2.0-or-later
/* alerts.c - what the plan cannot resolve, told once it lasts: to history, status and the hook. */
#include <stdio.h>

#include "agent/worker/worker.h"

#define AFTER_TICKS 5  /* in a row, or it is no alert */
#define OVER_TICKS  30 /* in a row without, or it is not over */

static void tell(struct agent *a, const struct worker_alert *w, const char *service,
		 const char *resource, const char *text)
{
	record_event(a, w->on ? "alert" : "alert_over", service, "%s", text);
	hook_call(a, !w->on, service ? service : "", resource, text);
}

/* True when the alert begins or ends. */
static bool follow(struct worker_alert *w, bool is_short)
{
	w->ticks = is_short == w->on ? 0 : w->ticks + 1;
	if (w->ticks < (w->on ? OVER_TICKS : AFTER_TICKS))
		return false;
	w->on = !w->on;
	w->ticks = 0;
	return true;
}

static void watch_cpu(struct agent *a, size_t i)
{
	struct worker_service *s = &a->services[i];
	double missing = a->plan->services[i].short_mcpu;

	if (missing > 0)
		(void)snprintf(s->alert.text, sizeof(s->alert.text),
			       "%s: %.2f CPUs short of its forecast demand, with all that weaker "
			       "tiers can do without",
			       s->policy->name, missing / (double)MCPU);
	if (!follow(&s->alert, missing > 0))
		return;
	tell(a, &s->alert, s->policy->name, "cpu",
	     s->alert.on ? s->alert.text : "CPU for its forecast demand again");
}

static void watch_memory(struct agent *a)
{
	bool is_short = a->plan->short_bytes > 0;

	if (is_short)
		(void)snprintf(a->memory_alert.text, sizeof(a->memory_alert.text),
			       "%.0f MiB of memory short of all forecast working sets",
			       a->plan->short_bytes / (double)MIB);
	if (follow(&a->memory_alert, is_short))
		tell(a, &a->memory_alert, NULL, "memory",
		     a->memory_alert.on ? a->memory_alert.text
					: "memory for all forecast working sets again");
}

void alerts_watch(struct agent *a)
{
	for (size_t i = 0; i < a->n_services; i++)
		watch_cpu(a, i);
	watch_memory(a);
}
