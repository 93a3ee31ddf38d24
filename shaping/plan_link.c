// SPDX-License-Identifier: GPL-2.0-or-later
/* plan_link.c - each service's HTB rate and ceiling: a link's rate shared by tier and forecast. */
#include <math.h>

#include "shaping/state.h"

#define LINK_FULL     0.95 /* of the rate is given out; acknowledgements and ARP need the rest */
#define LINK_LEAST    0.01 /* of the rate, for whoever is quiet: its first packets must not wait */
#define LINK_DEADBAND 0.3
#define LINK_HEADROOM 0.7 /* of what is planned is to be used */
#define RATE_BIT      (1u << KNOB_HTB_RATE)

static const struct policy_link *link_of(const struct controller *c, const struct service_state *s)
{
	const struct policy_host *h = &c->set->host;

	if (!*s->policy->bandwidth.interface)
		return NULL;
	for (size_t k = 0; k < h->n_links; k++)
		if (streq(h->links[k].interface, s->policy->bandwidth.interface))
			return &h->links[k];
	return NULL;
}

/* Its class is there, and we may set its rate. */
static bool is_ours(const struct controller *c, size_t i, const struct tick_service *ts)
{
	const struct knob_state *ks = &c->services[i].kept.knobs[KNOB_HTB_RATE];

	return ts->known & RATE_BIT && !(ts->yielded & RATE_BIT) && ks->retry_ns <= c->now_ns;
}

/* What a service holds that cannot be changed now. */
static double fixed_bits_per_s(const struct controller *c, size_t i, const struct tick_service *ts)
{
	return ts->known & RATE_BIT && !is_ours(c, i, ts) ? (double)ts->knob[KNOB_HTB_RATE] : 0;
}

bool link_carries(const struct controller *c, size_t k, const struct service_state *s)
{
	return link_of(c, s) == &c->set->host.links[k];
}

double link_full_bits_per_s(const struct controller *c, size_t k)
{
	return LINK_FULL * (double)c->set->host.links[k].rate_bits_per_s;
}

double link_left(const struct controller *c, size_t k, const struct tick_service *seen)
{
	const struct policy_link *link = &c->set->host.links[k];
	double left = link_full_bits_per_s(c, k);

	for (size_t i = 0; i < c->n; i++)
		if (link_of(c, &c->services[i]) == link)
			left -= fixed_bits_per_s(c, i, &seen[i]);
	return fmax(0, left);
}

bool link_claim(const struct controller *c, size_t i, size_t k, const struct tick_service *ts,
		struct share_claim *ret)
{
	const struct service_state *s = &c->services[i];
	const struct policy_bandwidth *p = &s->policy->bandwidth;
	const struct policy_link *link = &c->set->host.links[k];
	double q;

	if (link_of(c, s) != link || !is_ours(c, i, ts))
		return false;
	q = forecast_at(&c->plan.services[i].demand_bits_per_s, s->quantile);
	q = fmax(q * s->own_part / LINK_HEADROOM, 0);
	*ret = (struct share_claim){
		.tier = (enum tier)s->kept.tier,
		.floor = (double)MIN(p->floor_bits_per_s, link->rate_bits_per_s),
		.want = fmin(q, (double)p->ceiling_bits_per_s),
		.weight = fmax(s->policy->weight, 1e-3),
	};
	return true;
}

static void share_link(struct controller *c, size_t link, const struct tick_service *seen)
{
	double least = LINK_LEAST * (double)c->set->host.links[link].rate_bits_per_s;
	size_t n = 0;

	tenants_start(&c->tenants);
	for (size_t k = 0; k < c->n; k++) {
		size_t i = c->by_tenant[k];

		if (!link_claim(c, i, link, &seen[i], &c->claims[n]))
			continue;
		c->claims[n].want = fmax(c->claims[n].want, least);
		c->claims[n].want =
			fmin(c->claims[n].want,
			     (double)c->services[i].policy->bandwidth.ceiling_bits_per_s);
		c->tenants.list[c->services[i].tenant].n++;
		n++;
	}
	tenants_fill(&c->tenants, TENANT_LINK + link, c->claims);
	n = 0;
	for (size_t k = 0; k < c->n; k++) {
		size_t i = c->by_tenant[k];
		struct service_state *s = &c->services[i];

		if (link_of(c, s) == &c->set->host.links[link] && is_ours(c, i, &seen[i]))
			s->got_bits_per_s = fmax(c->claims[n++].got, least / (double)c->n);
	}
}

/* A rate young enough to be wanted again soon is not given to a weaker tier. */
static double held_bits_per_s(const struct controller *c, size_t i, const struct tick_service *ts)
{
	const struct service_state *s = &c->services[i];
	uint64_t changed_ns = s->kept.knobs[KNOB_HTB_RATE].changed_ns;

	if (isnan(s->got_bits_per_s) || since(c, changed_ns) >= c->set->host.dwell_ns)
		return 0;
	return fmax(0, (double)ts->knob[KNOB_HTB_RATE] - s->got_bits_per_s);
}

static void leave_held(struct controller *c, const struct policy_link *link,
		       const struct tick_service *seen)
{
	double held[TIER_COUNT] = {}, above[TIER_COUNT] = {};

	for (size_t i = 0; i < c->n; i++)
		if (link_of(c, &c->services[i]) == link)
			held[c->services[i].kept.tier] += held_bits_per_s(c, i, &seen[i]);
	for (int t = 1; t < TIER_COUNT; t++)
		above[t] = above[t - 1] + held[t - 1];
	for (size_t i = 0; i < c->n; i++) {
		struct service_state *s = &c->services[i];
		double now = (double)seen[i].knob[KNOB_HTB_RATE], got = s->got_bits_per_s;

		if (link_of(c, s) == link && isfinite(got))
			s->got_bits_per_s = fmax(fmin(got, now), got - above[s->kept.tier]);
	}
}

void plan_links(struct controller *c, const struct tick_input *in)
{
	for (size_t i = 0; i < c->n; i++)
		c->services[i].got_bits_per_s = NAN;
	for (size_t k = 0; k < c->set->host.n_links; k++) {
		share_link(c, k, in->services);
		leave_held(c, &c->set->host.links[k], in->services);
	}
}

void plan_link(struct controller *c, size_t i, const struct tick_service *ts,
	       struct want wants[KNOB_COUNT])
{
	const struct service_state *s = &c->services[i];
	const struct policy_bandwidth *p = &s->policy->bandwidth;
	const struct policy_link *link = link_of(c, s);
	struct want *rate = &wants[KNOB_HTB_RATE], *ceil = &wants[KNOB_HTB_CEIL];

	rate->at = ceil->at = p->at;
	rate->reason = ceil->reason = link ? REASON_LINK_SHARE : REASON_BASELINE;
	rate->keep = ceil->keep = !link;
	if (!link)
		return;
	rate->keep = isnan(s->got_bits_per_s);
	rate->deadband = LINK_DEADBAND;
	rate->floor = MIN(p->floor_bits_per_s, link->rate_bits_per_s);
	rate->ceiling = MAX(p->ceiling_bits_per_s, rate->floor);
	/* With a ceiling above, a rate is no limit: it goes down where another needs the room. */
	rate->value = fmax(s->got_bits_per_s, (double)ts->knob[KNOB_HTB_RATE]);
	rate->value = fmin(rate->value, (double)link->rate_bits_per_s);
	want_input(rate, "demand_bits_per_s",
		   forecast_at(&c->plan.services[i].demand_bits_per_s, s->quantile));
	want_input(rate, "link_bits_per_s", (double)link->rate_bits_per_s);
	tenant_inputs(c, s, TENANT_LINK + (size_t)(link - c->set->host.links), rate);
	ceil->must = true;
	ceil->value = (double)MIN(p->ceiling_bits_per_s, link->rate_bits_per_s);
	want_input(ceil, "link_bits_per_s", (double)link->rate_bits_per_s);
}

static double sum_of_rates(const struct controller *c, const struct policy_link *link)
{
	double sum = 0;

	for (size_t i = 0; i < c->n; i++)
		if (link_of(c, &c->services[i]) == link)
			sum += (double)c->plan.entries[i * KNOB_COUNT + KNOB_HTB_RATE].value;
	return sum;
}

/* Lowers what is above its share, the weakest tier first, until the sum of rates fits. */
static void fit_link(struct controller *c, const struct policy_link *link)
{
	double over = sum_of_rates(c, link) - (double)link->rate_bits_per_s;

	for (int tier = TIER_COUNT - 1; tier >= 0; tier--) {
		for (size_t i = 0; i < c->n && over > 0; i++) {
			const struct service_state *s = &c->services[i];
			struct plan_entry *e = &c->plan.entries[i * KNOB_COUNT + KNOB_HTB_RATE];
			uint64_t least;

			if (link_of(c, s) != link || (int)s->kept.tier != tier || e->change ||
			    isnan(s->got_bits_per_s) || c->frozen)
				continue;
			least = MAX((uint64_t)s->got_bits_per_s, e->floor);
			if (least >= e->before)
				continue;
			over -= (double)(e->before - least);
			e->value = least;
			e->reason = REASON_LINK_SHARE;
			e->change = true;
			settle_now(c, e);
		}
	}
}

void fit_links(struct controller *c)
{
	for (size_t k = 0; k < c->set->host.n_links; k++)
		fit_link(c, &c->set->host.links[k]);
}
