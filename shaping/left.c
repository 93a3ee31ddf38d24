// SPDX-License-Identifier: GPL-2.0-or-later
/* left.c - what gold and silver leave of the host: what bronze may use, and what it still could. */
#include <math.h>

#include "shaping/state.h"

static struct left left_of(double all, double guarded, double used)
{
	double left = fmax(0, all - guarded);

	return (struct left){.all = left, .unused = fmax(0, left - used)};
}

static double or_zero(double v)
{
	return isfinite(v) && v > 0 ? v : 0;
}

static bool is_bronze(const struct service_state *s)
{
	return s->kept.tier == TIER_BRONZE;
}

static struct left cpu_left(const struct controller *c)
{
	uint64_t most = c->set->host.tiers[TIER_BRONZE].ceiling_mcpu;
	double left = fmax(0, c->available_mcpu - c->guarded_mcpu), used = 0;

	for (size_t i = 0; i < c->n; i++)
		if (is_bronze(&c->services[i]))
			used += or_zero(c->services[i].use_mcpu);
	return left_of(most == UNLIMITED ? left : fmin(left, (double)most), 0, used);
}

/*
 * What the kernel has available, less the reserve and less what gold and silver are likely to grow
 * by, is unused; with what bronze has it is all that is left for it.
 */
static struct left memory_left_now(const struct controller *c, const struct tick_input *in)
{
	double all = (double)in->host_memory_available_bytes, used = 0, grows = 0;
	double reserve = (double)c->facts.memory_bytes - memory_left(c);

	if (in->host_memory_available_bytes == UNLIMITED)
		return (struct left){NAN, NAN};
	for (size_t i = 0; i < c->n; i++) {
		const struct service_state *s = &c->services[i];
		double now = or_zero(s->used_bytes);
		double then =
			fmin(working_set_bytes(c, i), (double)s->policy->memory.ceiling_bytes);

		used += is_bronze(s) ? now : 0;
		grows += is_bronze(s) ? 0 : fmax(0, then - now);
	}
	return left_of(all + used - reserve, grows, used);
}

/* What service @i is likely to send within the lead. */
static double likely_bits_per_s(const struct controller *c, size_t i)
{
	const struct service_state *s = &c->services[i];
	double q = forecast_at(&c->plan.services[i].demand_bits_per_s, s->quantile);

	return fmin(or_zero(q), (double)s->policy->bandwidth.ceiling_bits_per_s);
}

/* Not known where packets of a service on the link are not counted. */
static struct left link_left_now(const struct controller *c, size_t k, const struct tick_input *in)
{
	double used = 0, guarded = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct service_state *s = &c->services[i];
		uint32_t missing = in->services[i].missing;

		if (!link_carries(c, k, s))
			continue;
		if (missing & MISSING_APIS && !(missing & MISSING_ALL))
			return (struct left){NAN, NAN};
		if (is_bronze(s))
			used += or_zero(s->used_bits_per_s);
		else
			guarded += likely_bits_per_s(c, i);
	}
	return left_of(link_full_bits_per_s(c, k), guarded, used);
}

void left(struct controller *c, const struct tick_input *in)
{
	struct plan *p = &c->plan;

	p->left_mcpu = cpu_left(c);
	p->left_bytes = memory_left_now(c, in);
	p->n_links = c->set->host.n_links;
	for (size_t k = 0; k < p->n_links; k++)
		p->left_bits_per_s[k] = link_left_now(c, k, in);
}
