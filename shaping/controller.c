// SPDX-License-Identifier: GPL-2.0-or-later
/* controller.c - makes and releases a controller, takes events, answers what it has learned. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "shaping/state.h"

#define BUSY_APIS    64 /* of a host, about */
#define SERVICE_APIS 2  /* of a service, at least, that have all clocks */

static int new_ladder(const struct controller *c, const struct service_state *s,
		      enum ladder_kind kind, size_t nth, struct ladder *ret)
{
	struct ladder_conf conf;

	ladder_conf(kind, c->period_ns, s->lead_ns, &conf);
	/* So that no tick is the one at which all of the host's series take a step. */
	conf.phase = (unsigned int)((size_t)(s->policy - c->set->services) + nth);
	return ladder_new(&conf, ret);
}

/* By the order in which a service's APIs are first asked for. */
static enum ladder_kind api_kind(const struct controller *c, size_t slot)
{
	if (slot < BUSY_APIS / MAX(c->n, 1))
		return LADDER_API;
	return slot < SERVICE_APIS ? LADDER_SLOW_API : LADDER_QUIET;
}

/* Links are shared by the second where that is not dear. */
static enum ladder_kind tx_kind(const struct controller *c)
{
	return SERVICE_APIS > BUSY_APIS / MAX(c->n, 1) ? LADDER_SLOW_TX : LADDER_TX;
}

static int new_ladders(const struct controller *c, struct service_state *s)
{
	int r = new_ladder(c, s, LADDER_CPU, 0, &s->cpu);

	if (r == 0)
		r = new_ladder(c, s, LADDER_MEMORY, 1, &s->memory);
	if (r == 0)
		r = new_ladder(c, s, tx_kind(c), 2, &s->tx);
	if (r == 0)
		r = new_ladder(c, s, LADDER_IO, 3, &s->io);
	for (size_t k = 0; r == 0 && k < s->n_slots; k++)
		r = new_ladder(c, s, api_kind(c, k), SERVICE_LADDERS + k, &s->requests[k]);
	return r;
}

static void start_kept(const struct controller *c, struct service_state *s)
{
	s->kept.utilisation = c->set->host.target_utilisation;
	s->kept.tier = s->policy->auto_tier ? s->policy->tier_min : s->policy->tier;
	demand_init(&s->kept.demand);
	/* So that no tick is the one at which all of the host's services are judged. */
	s->kept.demand.steps = (uint64_t)(s->policy - c->set->services);
	warmup_init(&s->kept.warmup);
	for (size_t i = 0; i < s->n_apis; i++)
		s->apis[i].slot = -1;
}

static int add_event(struct service_state *s, const char *name, int64_t starts_real_ns,
		     uint64_t lasts_ns, double multiplier)
{
	struct known_event e = {series_event_id(name), false, starts_real_ns, lasts_ns, multiplier};

	for (size_t i = 0; i < s->n_events; i++)
		if (s->events[i].id == e.id && s->events[i].starts_real_ns == starts_real_ns)
			return 0;
	if (s->n_events == KNOWN_EVENTS) {
		memmove(&s->events[0], &s->events[1], (KNOWN_EVENTS - 1) * sizeof(e));
		s->n_events--;
	}
	s->events[s->n_events++] = e;
	return 0;
}

void service_event_clear(struct service_state *s)
{
	s->n_events = 0;
	s->tell_anew = true;
	for (size_t i = 0; i < s->policy->n_events; i++) {
		const struct policy_event *e = &s->policy->events[i];

		(void)add_event(s, e->name, e->starts_real_ns, e->lasts_ns, e->multiplier);
	}
}

int service_new(const struct controller *c, const struct policy_service *policy,
		struct service_state *ret)
{
	struct service_state *s = ret;
	int r;

	*s = (struct service_state){.policy = policy, .n_apis = policy->n_apis + 1};
	s->n_slots = MIN(s->n_apis, COST_MAX_APIS);
	s->apis = calloc(s->n_apis, sizeof(*s->apis));
	s->requests = calloc(s->n_slots, sizeof(*s->requests));
	if (!s->apis || !s->requests)
		return -ENOMEM;
	(void)lead_follow(c, s);
	r = cost_new(s->n_slots, &s->cost);
	if (r == 0)
		r = price_new(policy, &s->price);
	if (r == 0)
		r = new_ladders(c, s);
	if (r < 0)
		return r;
	start_kept(c, s);
	(void)lead_follow(c, s);
	service_event_clear(s);
	return 0;
}

void service_free(struct service_state *s)
{
	ladder_free(&s->cpu);
	ladder_free(&s->memory);
	ladder_free(&s->tx);
	ladder_free(&s->io);
	for (size_t k = 0; s->requests && k < s->n_slots; k++)
		ladder_free(&s->requests[k]);
	free(s->requests);
	free(s->apis);
	cost_free(s->cost);
	free(s->price);
}

void controller_free(struct controller *c)
{
	if (!c)
		return;
	for (size_t i = 0; c->services && i < c->n; i++)
		service_free(&c->services[i]);
	free(c->services);
	free(c->network);
	free(c->claims);
	asks_free(c);
	free(c->plan.entries);
	free(c->plan.services);
	free(c);
}

void controller_freep(struct controller **c)
{
	controller_free(*c);
}

static int new_services(struct controller *c)
{
	size_t n = MAX(c->n, 1);
	int r = 0;

	c->services = calloc(n, sizeof(*c->services));
	c->network = calloc(1, sizeof(*c->network));
	c->claims = calloc(n * TIER_COUNT, sizeof(*c->claims));
	c->plan.entries = calloc(n * KNOB_COUNT, sizeof(*c->plan.entries));
	c->plan.services = calloc(n, sizeof(*c->plan.services));
	if (!c->network || !c->services || !c->claims || !c->plan.entries || !c->plan.services)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < c->n; i++)
		r = service_new(c, &c->set->services[i], &c->services[i]);
	return r < 0 ? r : asks_new(c);
}

int controller_new(const struct policy_set *set, const struct host_facts *facts, uint64_t period_ns,
		   struct controller **ret)
{
	_cleanup_(controller_freep) struct controller *c = NULL;
	int r;

	if (facts->capacity_mcpu == 0 || period_ns == 0)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->set = set;
	c->facts = *facts;
	c->period_ns = period_ns;
	c->unmanaged_mcpu = NAN;
	c->n = set->n_services;
	r = new_services(c);
	if (r < 0)
		return r;
	c->plan.n_entries = c->n * KNOB_COUNT;
	*ret = take_ptr(c);
	return 0;
}

void controller_capacity(struct controller *c, uint64_t capacity_mcpu)
{
	assert(capacity_mcpu > 0);
	c->facts.capacity_mcpu = capacity_mcpu;
}

struct ladder *service_ladder(const struct service_state *s, size_t k)
{
	struct service_state *m = (struct service_state *)s;

	switch (k) {
	case 0:
		return &m->cpu;
	case 1:
		return &m->memory;
	case 2:
		return &m->tx;
	case 3:
		return &m->io;
	default:
		k -= SERVICE_LADDERS;
		return k < s->n_slots ? &s->requests[k] : NULL;
	}
}

int controller_event(struct controller *c, uint32_t service, const char *name,
		     int64_t starts_real_ns, uint64_t lasts_ns, double multiplier)
{
	if (service >= c->n || lasts_ns == 0 || (!isnan(multiplier) && !(multiplier >= 0)))
		return -EINVAL;
	/* It may come before some that the series know. */
	c->services[service].tell_anew = true;
	return add_event(&c->services[service], name, starts_real_ns, lasts_ns, multiplier);
}

void controller_event_clear(struct controller *c)
{
	for (size_t i = 0; i < c->n; i++)
		service_event_clear(&c->services[i]);
}

static const struct ladder *ladder_of(const struct service_state *s, int api)
{
	if (api < 0)
		return &s->cpu;
	if ((size_t)api >= s->n_apis || s->apis[api].slot < 0)
		return NULL;
	return &s->requests[s->apis[api].slot];
}

int controller_forecast(const struct controller *c, uint32_t service, int api, uint64_t horizon_ns,
			struct forecast_point *points, size_t max, struct series_report *report)
{
	const struct ladder *l;
	unsigned int steps, n;
	size_t k;

	if (service >= c->n || api >= (int)c->services[service].n_apis)
		return -ENOENT;
	l = ladder_of(&c->services[service], api);
	if (!l || max == 0)
		return 0;
	k = ladder_pick(l, horizon_ns, &steps);
	if (report)
		series_report(l->series[k], report);
	if (series_count(l->series[k]) == 0)
		return 0;
	n = (unsigned int)MIN(steps, max);
	for (unsigned int i = 0; i < n; i++) {
		unsigned int step = (unsigned int)((uint64_t)(i + 1) * steps / n);

		points[i].ahead_ns = step * l->step_ns[k];
		series_predict(l->series[k], step, &points[i].f);
	}
	return (int)n;
}

int controller_past(const struct controller *c, uint32_t service, int api, uint64_t horizon_ns,
		    double *values, size_t max, struct forecast_past *ret)
{
	const struct ladder *l;
	unsigned int steps;
	size_t k;

	*ret = (struct forecast_past){};
	if (service >= c->n || api >= (int)c->services[service].n_apis)
		return -ENOENT;
	l = ladder_of(&c->services[service], api);
	if (!l)
		return 0;
	k = ladder_pick(l, horizon_ns, &steps);
	*ret = (struct forecast_past){
		.step_ns = l->step_ns[k],
		.measured = series_count(l->series[k]),
		.age_ns = l->part[k].elapsed_ns,
		.steps_ahead = steps,
	};
	return (int)series_past_values(l->series[k], values, MIN(max, INT32_MAX));
}

int controller_demand(const struct controller *c, uint32_t service, enum demand_kind kind,
		      enum demand_resource resource, struct demand_report *ret)
{
	if (service >= c->n)
		return -ENOENT;
	demand_report(&c->services[service].kept.demand, kind, resource, ret);
	return ret->f.q[Q99] > 0;
}

uint64_t controller_lead_ns(const struct controller *c, uint32_t service)
{
	return service < c->n ? c->services[service].lead_ns : 0;
}

int controller_lead(const struct controller *c, uint32_t service, struct lead_report *ret)
{
	const struct service_state *s;

	if (service >= c->n)
		return -ENOENT;
	s = &c->services[service];
	*ret = (struct lead_report){
		.lead_ns = s->lead_ns,
		.is_auto = s->policy->forecast.lead_ns == POLICY_AUTO,
	};
	memcpy(ret->learned, s->kept.warmup.learned, sizeof(ret->learned));
	return 0;
}

int controller_anomaly(const struct controller *c, uint32_t service, int api, size_t clock,
		       struct series_anomaly *ret)
{
	const struct ladder *l;

	if (service >= c->n || api >= (int)c->services[service].n_apis || clock >= LADDER_CLOCKS)
		return -ENOENT;
	l = ladder_of(&c->services[service], api);
	if (!l || !l->series[clock])
		return -ENOENT;
	series_anomaly(l->series[clock], ret);
	return 0;
}

double controller_cpu_us(const struct controller *c, uint32_t service, uint32_t api)
{
	const struct service_state *s;

	if (service >= c->n || api >= c->services[service].n_apis)
		return NAN;
	s = &c->services[service];
	return s->apis[api].slot < 0 ? NAN : cost_cpu_us(s->cost, (size_t)s->apis[api].slot);
}

double controller_base_mcpu(const struct controller *c, uint32_t service)
{
	return service < c->n ? cost_base_mcpu(c->services[service].cost) : NAN;
}

bool controller_slo(const struct controller *c, uint32_t service, int api, struct slo_view *ret)
{
	const struct service_state *s;
	const struct policy_slo *slo;

	if (service >= c->n || api >= (int)c->services[service].n_apis)
		return false;
	s = &c->services[service];
	slo = &s->policy->slo;
	if (api >= 0 && (size_t)api < s->policy->n_apis && s->policy->apis[api].slo.set)
		slo = &s->policy->apis[api].slo;
	if (!slo->set)
		return false;
	slo_view(api < 0 ? &s->kept.slo : &s->apis[api].slo, slo->objective, ret);
	return true;
}

double controller_utilisation(const struct controller *c, uint32_t service)
{
	return service < c->n ? c->services[service].kept.utilisation : NAN;
}
