// SPDX-License-Identifier: GPL-2.0-or-later
/* plan_io.c - what io.weight of a service should be, by tier. */
#include "shaping/state.h"

void plan_io(struct controller *c, size_t i, const struct tick_service *ts,
	     struct want wants[KNOB_COUNT])
{
	const struct service_state *s = &c->services[i];
	struct want *w = &wants[KNOB_IO_WEIGHT];

	w->at = s->policy->at;
	w->must = !s->kept.knobs[KNOB_IO_WEIGHT].decided; /* a tier's weight is no lowering */
	w->reason = REASON_IO_WEIGHT;
	w->value = (double)c->set->host.tiers[s->kept.tier].io_weight;
	want_input(w, "tier_weight", w->value);
	if (!(ts->missing & (MISSING_PSI | MISSING_ALL)))
		want_input(w, "io_stalled_part",
			   (double)ts->psi_io_some_us * (double)NS_PER_US / (double)c->period_ns);
}
