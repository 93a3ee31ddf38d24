// SPDX-License-Identifier: GPL-2.0-or-later
/* lead.c - how far ahead a service is planned for: as its policy says, or as it takes to be warm.
 */
#include <math.h>

#include "shaping/state.h"

/*
 * What is learned goes up to one of these: few changes, each of which makes the forecasts of peaks
 * of another length. Where APIs and links are forecast for less, they go on to be: how far off that
 * is of the peak over the lead is learned with everything else.
 */
static const uint64_t rungs_s[] = {30, 45, 60, 90, 120, 180, 240, 300};

static uint64_t learned_ns(const struct controller *c, const struct service_state *s)
{
	const struct policy_host *h = &c->set->host;
	double warm_s = warmup_s(&s->kept.warmup);
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(rungs_s) && (double)rungs_s[i] < warm_s)
		i++;
	return h->n_horizons ? MIN(rungs_s[i] * NS_PER_S, h->horizons_ns[h->n_horizons - 1])
			     : rungs_s[i] * NS_PER_S;
}

bool lead_follow(const struct controller *c, struct service_state *s)
{
	uint64_t fixed_ns = s->policy->forecast.lead_ns, step_ns = s->cpu.step_ns[0];
	unsigned int had = s->lead_steps;

	s->lead_ns = fixed_ns == POLICY_AUTO ? learned_ns(c, s) : fixed_ns;
	if (step_ns == 0) /* the series are made for it */
		return false;
	/* A need that starts a lead from now is in the step after the lead's. */
	s->lead_steps = (unsigned int)clamp_u64(s->lead_ns / step_ns + 1, 1,
						MIN(s->cpu.horizon[0], LEAD_MAX_STEPS));
	return s->lead_steps != had;
}

/* CPU that what arrived or was answered usually costs; NAN where a cost is not known. */
static double usual_us(const struct service_state *s, double seconds)
{
	double sum = cost_base_mcpu(s->cost) * seconds * (double)(US_PER_S / MCPU);

	for (size_t k = 0; k < s->n_slots; k++) {
		double n = fmax(s->slot_requests[k], s->slot_arrived[k] * seconds);

		if (n > 0)
			sum += n * cost_cpu_us(s->cost, k);
	}
	return sum;
}

/* By costs as they were before this interval. */
void lead_learn(const struct controller *c, struct service_state *s, const struct tick_service *ts,
		uint64_t interval_ns)
{
	bool gone = ts->missing & MISSING_ALL, has_memory = !(ts->missing & MISSING_MEMORY);
	struct warmup_sample sample = {
		.seconds = (double)interval_ns / (double)NS_PER_S,
		.cpu_us = ts->missing & MISSING_CPU ? NAN : (double)ts->cpu_usage_us,
		.usual_us = NAN,
		.is_empty = gone || (has_memory && ts->anon_bytes == 0 && ts->cpu_usage_us == 0),
	};

	if (c->gap) {
		warmup_drop(&s->kept.warmup);
		return;
	}
	if (s->apis_seen)
		sample.usual_us = usual_us(s, sample.seconds);
	for (size_t k = 0; s->apis_seen && k < s->n_slots; k++)
		sample.answered |= s->slot_requests[k] > 0;
	warmup_observe(&s->kept.warmup, &sample);
	if (lead_follow(c, s))
		demand_drop_waiting(&s->kept.demand);
}
