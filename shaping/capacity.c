// SPDX-License-Identifier: GPL-2.0-or-later
/* capacity.c - shares the host's CPUs over services and tiers, and sees contention coming. */
#include <math.h>

#include "shaping/state.h"

#define RESERVE_PART   0.05 /* of a CPU, a CPU, where host.yaml says nothing */
#define UNMANAGED_MOST 0.5  /* of the CPUs: weights hold the rest of the host to this */
#define UNMANAGED_UP   0.03 /* of the way, a tick: what comes and goes is no reason to plan less */
#define UNMANAGED_DOWN 0.3
#define PROTECTED_SOME 0.02 /* of the CPUs: less needs no protection */
#define CALM_BELOW     0.9  /* contention is over below this part of what is available */
#define SHORT_SOME     0.02 /* of the demand: less missing is none */
#define APPETITE_CUT   0.02 /* throttled share of periods that says a cap is felt */

static double reserve_mcpu(const struct controller *c)
{
	uint64_t r = c->set->host.reserve_mcpu;

	return r == UNLIMITED ? RESERVE_PART * (double)c->facts.capacity_mcpu : (double)r;
}

/* Follows what else runs on the host from below: a low expectile of it. */
static void learn_unmanaged(struct controller *c, const struct tick_input *in)
{
	double managed = 0, now, by;

	c->outside_mcpu = NAN;
	if (in->host_cpu_used_mcpu == UNLIMITED || c->gap)
		return;
	for (size_t i = 0; i < c->n; i++)
		if (isfinite(c->services[i].use_mcpu))
			managed += c->services[i].use_mcpu;
	now = fmax(0, (double)in->host_cpu_used_mcpu - managed);
	c->outside_mcpu = now;
	now = fmin(now, UNMANAGED_MOST * (double)c->facts.capacity_mcpu);
	if (isnan(c->unmanaged_mcpu))
		c->unmanaged_mcpu = now;
	by = now - c->unmanaged_mcpu;
	c->unmanaged_mcpu += by * (by > 0 ? UNMANAGED_UP : UNMANAGED_DOWN);
}

/* Capacity less the reserve and less what always runs on the host besides the services. */
static double available_mcpu(const struct controller *c)
{
	double left = (double)c->facts.capacity_mcpu - reserve_mcpu(c);

	return fmax(left - (isnan(c->unmanaged_mcpu) ? 0 : c->unmanaged_mcpu), 0);
}

static double within_policy(const struct controller *c, const struct service_state *s, double v)
{
	v = fmin(fmax(v, 0), (double)s->policy->cpu.ceiling_mcpu);
	v = fmax(v, (double)s->policy->cpu.floor_mcpu);
	return fmin(v, (double)c->facts.capacity_mcpu);
}

/* One claim a tier: APIs below the service's own tier claim in theirs (SPEC 4.3). */
static void claim(struct controller *c, size_t i, double want_mcpu)
{
	struct service_state *s = &c->services[i];
	struct share_claim *claims = &c->claims[s->place * TIER_COUNT];
	enum tier own = (enum tier)s->kept.tier;
	enum tier below = own == TIER_BRONZE ? TIER_BRONZE : own + 1;

	for (enum tier t = TIER_GOLD; t < TIER_COUNT; t++) {
		claims[t].tier = t;
		claims[t].weight = fmax(s->policy->weight, 1e-3);
		claims[t].floor = claims[t].got;
		claims[t].want = 0;
	}
	claims[own].floor =
		fmax(claims[own].floor, fmin((double)s->policy->cpu.floor_mcpu, want_mcpu));
	claims[own].want = own == below ? want_mcpu : want_mcpu * s->own_part;
	if (own != below)
		claims[below].want = fmax(0, want_mcpu - fmax(claims[own].want, claims[own].floor));
}

/* What is given in one go; nothing is taken back in a later one. */
enum stage { STAGE_NEAR, STAGE_DEMAND, STAGE_HEADROOM, STAGES };

/* A price has room for what comes by chance; more is given only where the objective asks for it. */
static double headroom(const struct controller *c, const struct service_state *s)
{
	if (s->price)
		return fmax(1, c->set->host.target_utilisation / s->kept.utilisation);
	/* Room for what may be lent is part of the plan. */
	return 1 / (loan_applies(c, s) ? fmin(1, s->kept.utilisation) : s->kept.utilisation);
}

static double stage_mcpu(const struct controller *c, const struct service_state *s,
			 enum stage stage)
{
	double all = s->demand_mcpu * headroom(c, s);

	if (stage == STAGE_NEAR)
		all = s->kept.tier == TIER_BRONZE ? 0 : fmin(s->near_mcpu, all);
	else if (stage == STAGE_DEMAND)
		all = fmin(s->demand_mcpu, all);
	return within_policy(c, s, all);
}

/* Claims what each wants by @stage; what it got in the stages before is its floor. */
static void claim_all(struct controller *c, enum stage stage)
{
	for (size_t i = 0; i < c->n; i++) {
		c->services[i].want_mcpu = stage_mcpu(c, &c->services[i], stage);
		claim(c, i, c->services[i].want_mcpu);
	}
}

static void forget_claims(struct controller *c)
{
	for (size_t k = 0; k < c->n * TIER_COUNT; k++)
		c->claims[k] = (struct share_claim){};
}

/* Of what is forecast for those who are to be sure of it, what could not be planned. */
static double short_mcpu(const struct controller *c, const struct service_state *s)
{
	double demand = within_policy(c, s, s->demand_mcpu), missing = demand - s->got_mcpu;

	return s->kept.tier != TIER_BRONZE && missing > SHORT_SOME * demand ? missing : 0;
}

/*
 * What is all but certain to be needed comes first, tier by tier; then what the tier's quantile may
 * need; then what each wants above that to stay quick.
 */
static void fill(struct controller *c)
{
	double sum = 0;

	forget_claims(c);
	tenants_start(&c->tenants);
	for (size_t i = 0; i < c->n; i++)
		c->tenants.list[c->services[i].tenant].n += TIER_COUNT;
	for (enum stage stage = STAGE_NEAR; stage < STAGES; stage++) {
		claim_all(c, stage);
		tenants_fill(&c->tenants, TENANT_CPU, c->claims);
	}
	for (size_t i = 0; i < c->n; i++) {
		struct service_state *s = &c->services[i];

		s->got_mcpu = 0;
		for (enum tier t = TIER_GOLD; t < TIER_COUNT; t++)
			s->got_mcpu += c->claims[s->place * TIER_COUNT + t].got;
		c->plan.services[i].planned_mcpu = s->got_mcpu;
		c->plan.services[i].short_mcpu = short_mcpu(c, s);
		sum += s->got_mcpu;
	}
	c->plan.planned_mcpu = (uint64_t)(sum + 0.5);
}

/* What bronze would use if nothing held it: all there is while it feels its cap. */
static double appetite(const struct controller *c, const struct service_state *s)
{
	double use = isfinite(s->use_mcpu) ? s->use_mcpu : 0;

	if (s->kept.capped && s->throttled > APPETITE_CUT)
		return (double)c->facts.capacity_mcpu;
	return fmax(use, s->want_mcpu);
}

/* Whether it is a service that is held down for others; one in cap mode has its limit anyway. */
static bool yields(const struct service_state *s)
{
	return s->kept.tier == TIER_BRONZE && s->policy->cpu.mode == CPU_RESERVE;
}

static void set_capped(struct controller *c, struct service_state *s, bool contended, bool calm)
{
	struct service_kept *k = &s->kept;

	if (contended) {
		k->capped_ns = k->capped ? k->capped_ns : c->now_ns;
		k->capped = true;
		k->calm_ns = 0;
		return;
	}
	if (!k->capped)
		return;
	if (!calm)
		k->calm_ns = 0;
	else if (k->calm_ns == 0)
		k->calm_ns = MAX(c->now_ns, 1);
	else if (since(c, k->calm_ns) >= c->set->host.dwell_ns)
		k->capped = false;
}

/* What is left for bronze is shared by appetite; a claim of its own keeps the room of claims[]. */
static void share_left(struct controller *c, double left)
{
	size_t n = 0;

	tenants_start(&c->tenants);
	for (size_t k = 0; k < c->n; k++) {
		const struct service_state *s = &c->services[c->by_tenant[k]];

		if (s->kept.tier != TIER_BRONZE)
			continue;
		c->tenants.list[s->tenant].n++;
		c->claims[n++] = (struct share_claim){
			.tier = TIER_BRONZE,
			.floor = (double)s->policy->cpu.floor_mcpu,
			.want = s->appetite_mcpu,
			.weight = fmax(s->policy->weight, 1e-3),
		};
	}
	tenants_fill_alone(&c->tenants, left, c->claims);
	n = 0;
	for (size_t k = 0; k < c->n; k++)
		if (c->services[c->by_tenant[k]].kept.tier == TIER_BRONZE)
			c->services[c->by_tenant[k]].appetite_mcpu = c->claims[n++].got;
}

void capacity(struct controller *c, const struct tick_input *in)
{
	double guarded = 0, hungry = 0, all = (double)c->facts.capacity_mcpu;
	bool calm;

	learn_unmanaged(c, in);
	c->available_mcpu = available_mcpu(c);
	forget_claims(c);
	claim_all(c, STAGE_HEADROOM);
	ask(c, in);
	fill(c);
	for (size_t i = 0; i < c->n; i++) {
		struct service_state *s = &c->services[i];

		s->appetite_mcpu = appetite(c, s);
		if (s->kept.tier == TIER_BRONZE)
			hungry += s->appetite_mcpu;
		else
			guarded += fmin(s->got_mcpu,
					fmax(s->near_mcpu, (double)s->policy->cpu.floor_mcpu));
	}
	c->contention = guarded > PROTECTED_SOME * all && guarded + hungry > c->available_mcpu;
	calm = guarded <= PROTECTED_SOME * all || guarded + hungry < CALM_BELOW * c->available_mcpu;
	c->plan.contention = c->contention;
	c->guarded_mcpu = guarded;
	for (size_t i = 0; i < c->n; i++)
		if (!c->services[i].stale)
			set_capped(c, &c->services[i], c->contention && yields(&c->services[i]),
				   calm || !yields(&c->services[i]));
	share_left(c, fmax(0, c->available_mcpu - guarded));
}
