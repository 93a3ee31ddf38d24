// SPDX-License-Identifier: GPL-2.0-or-later
/* price.c - demand read at what costs least: too little has a price, and so has what lies idle. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "shaping/state.h"

#define MEAN_NS    (24 * 3600 * NS_PER_S) /* the mean use is that of about so long */
#define MCPU_LEAST 1.0                    /* a mean of less is no unit to count in */

int price_new(const struct policy_service *policy, struct price **ret)
{
	struct price *p = NULL;

	if (policy->forecast.short_cost > 0) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		limiter_init(&p->limiter, policy->forecast.short_cost);
	}
	*ret = p;
	return 0;
}

static void learn_mean(struct price *p, double need_mcpu, uint64_t period_ns)
{
	if (!isfinite(need_mcpu))
		return;
	p->n = fmin(p->n + 1, (double)MEAN_NS / (double)period_ns);
	p->mean_mcpu += (need_mcpu - p->mean_mcpu) / fmax(p->n, 1);
}

double price_mcpu(const struct controller *c, const struct service_state *s)
{
	struct price *p = s->price;
	struct forecast steps[PRICE_STEPS];
	unsigned int n = MIN(s->lead_steps, PRICE_STEPS);

	learn_mean(p, s->need_mcpu, c->period_ns);
	limiter_observe(&p->limiter, s->need_mcpu);
	p->limiter.short_cost = s->policy->forecast.short_cost * fmax(p->mean_mcpu, MCPU_LEAST);
	for (unsigned int i = 0; i < n; i++)
		series_predict(s->cpu.series[0], 1 + i * (s->lead_steps - 1) / MAX(n - 1, 1),
			       &steps[i]);
	return fmin(limiter_limit(&p->limiter, steps, n), (double)c->facts.capacity_mcpu);
}
