// SPDX-License-Identifier: GPL-2.0-or-later
/* rules.c - what several keys of one file must say together. */
#include "policies/rules.h"

#include <stdio.h>

#include "agent/base/parse.h"
#include "policies/calendars.h"
#include "policies/names.h"

/* Reports at the value of key @name, or at the map where it is not written. */
#define ERROR_AT(r, node, name, ...)                                                               \
	do {                                                                                       \
		const struct yamltree_node *_n = place(node, name);                                \
		findings_error((r)->f, _n->line, _n->column, __VA_ARGS__);                         \
	} while (0)

static const struct yamltree_node *place(const struct yamltree_node *map, const char *name)
{
	const struct yamltree_node *key = yamltree_key(map, name);

	return key && key->value ? key->value : key ? key : map;
}

void rules_match(struct schema_reader *r, const struct yamltree_node *node, void *base)
{
	const struct policy_service *s = base;

	if (!*s->unit && !*s->cgroup && !r->tree->stopped)
		findings_error(r->f, node->line, node->column,
			       "match needs a unit or a cgroup, like '{ unit: checkout.service }'");
	if (*s->unit && *s->cgroup)
		ERROR_AT(r, node, "cgroup",
			 "match has a unit already: give one of unit and cgroup");
	for (size_t i = 0; i < s->n_ports; i++) {
		for (size_t j = 0; j < i; j++) {
			if (s->ports[i] == s->ports[j])
				ERROR_AT(r, node, "ports", "port %u is there twice", s->ports[i]);
		}
	}
}

/* Reports a floor above its ceiling, as @format writes them. */
static void check_bounds(struct schema_reader *r, const struct yamltree_node *node, uint64_t floor,
			 uint64_t ceiling, char *(*format)(char *, size_t, uint64_t))
{
	char low[32], high[32];

	if (floor > ceiling)
		ERROR_AT(r, node, "floor", "the floor %s is above the ceiling %s",
			 format(low, sizeof(low), floor), format(high, sizeof(high), ceiling));
}

void rules_cpu(struct schema_reader *r, const struct yamltree_node *node, void *base)
{
	const struct policy_cpu *c = base;

	check_bounds(r, node, c->floor_mcpu, c->ceiling_mcpu, format_cpu);
}

void rules_memory(struct schema_reader *r, const struct yamltree_node *node, void *base)
{
	const struct policy_memory *m = base;

	check_bounds(r, node, m->floor_bytes, m->ceiling_bytes, format_bytes);
}

void rules_bandwidth(struct schema_reader *r, const struct yamltree_node *node, void *base)
{
	const struct policy_bandwidth *b = base;

	check_bounds(r, node, b->floor_bits_per_s, b->ceiling_bits_per_s, format_bits_per_s);
}

void rules_event(struct schema_reader *r, const struct yamltree_node *node, void *base)
{
	struct policy_event *e = base;
	int64_t ends;

	if (!e->lasts_ns && !e->ends_real_ns) {
		if (!r->tree->stopped)
			findings_error(r->f, node->line, node->column,
				       "missing key 'lasts': write it like 'lasts: 12h'");
		return;
	}
	if (e->lasts_ns && e->ends_real_ns) {
		ERROR_AT(r, node, "ends",
			 "the event has 'lasts' already: give one of lasts and ends");
		return;
	}
	if (e->ends_real_ns && e->ends_real_ns <= e->starts_real_ns) {
		ERROR_AT(r, node, "ends", "the event ends before it starts");
		return;
	}
	if (e->ends_real_ns)
		e->lasts_ns = (uint64_t)(e->ends_real_ns - e->starts_real_ns);
	if (__builtin_add_overflow(e->starts_real_ns, (int64_t)e->lasts_ns, &ends) ||
	    ends > r->now_real_ns)
		return;
	findings_warning(r->f, place(node, "starts")->line, place(node, "starts")->column,
			 "the event '%s' is over", e->name);
}

/* Events that overlap would both be applied: often not what was meant. */
static void check_events(struct schema_reader *r, const struct policy_service *s)
{
	for (size_t i = 0; i < s->n_events; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct policy_event *a = &s->events[j], *b = &s->events[i];
			double a_ends = (double)a->starts_real_ns + (double)a->lasts_ns;
			double b_ends = (double)b->starts_real_ns + (double)b->lasts_ns;

			if ((double)b->starts_real_ns >= a_ends ||
			    (double)a->starts_real_ns >= b_ends)
				continue;
			findings_warning(r->f, b->at.line, b->at.column,
					 "the event '%s' overlaps '%s' on line %u", b->name,
					 a->name, a->at.line);
			break;
		}
	}
}

static void check_routes(struct schema_reader *r, const struct policy_service *s)
{
	for (size_t i = 0; i < s->n_apis && !findings_enough(r->f); i++) {
		for (size_t j = 0; j < i; j++) {
			const struct policy_api *a = &s->apis[j], *b = &s->apis[i];

			if (!streq(a->method, b->method) || !names_same_pattern(a->route, b->route))
				continue;
			findings_error(
				r->f, b->at.line, b->at.column,
				"duplicate route '%s%s%s', line %u matches the same requests",
				*b->method == '*' ? "" : b->method, *b->method == '*' ? "" : " ",
				b->route, a->at.line);
			break;
		}
	}
}

/* Settles tier_min and tier_max, and the tier an automatic service starts in. */
static void settle_tier(struct schema_reader *r, const struct yamltree_node *node,
			struct policy_service *s)
{
	if (s->n_tier_range && !s->auto_tier)
		ERROR_AT(r, node, "tier_range", "tier_range belongs to 'tier: auto'");
	if (s->n_tier_range == 1)
		ERROR_AT(r, node, "tier_range",
			 "tier_range needs two tiers, write it like '[bronze, gold]'");
	if (!s->n_tier_range) {
		s->tier_range[0] = s->auto_tier ? TIER_BRONZE : s->tier;
		s->tier_range[1] = s->auto_tier ? TIER_GOLD : s->tier;
	}
	s->tier_min = MAX(s->tier_range[0], s->tier_range[1]);
	s->tier_max = MIN(s->tier_range[0], s->tier_range[1]);
	if (s->auto_tier)
		s->tier = s->tier_min;
}

void rules_service(struct schema_reader *r, const struct yamltree_node *node, void *base)
{
	struct policy_service *s = base;

	settle_tier(r, node, s);
	for (size_t i = 0; i < s->n_apis; i++) {
		if (!s->apis[i].tier_given)
			s->apis[i].tier = s->tier;
	}
	check_routes(r, s);
	check_events(r, s);
	calendars_read(r, place(node, "calendars"), s);
}

void rules_retention(struct schema_reader *r, const struct yamltree_node *node, void *base)
{
	const struct policy_retention *k = base;

	if (k->second_ns > k->minute_ns)
		ERROR_AT(r, node, "seconds", "seconds are kept longer than minutes");
	if (k->minute_ns > k->hour_ns)
		ERROR_AT(r, node, "minutes", "minutes are kept longer than hours");
}

void rules_host(struct schema_reader *r, const struct yamltree_node *node, void *base)
{
	const struct policy_host *h = base;

	for (size_t i = 1; i < h->n_horizons; i++) {
		if (h->horizons_ns[i] <= h->horizons_ns[i - 1]) {
			ERROR_AT(r, node, "horizons", "horizons must be ascending");
			break;
		}
	}
	for (size_t i = 0; i < h->n_links; i++) {
		for (size_t j = 0; j < i; j++) {
			if (streq(h->links[i].interface, h->links[j].interface))
				findings_error(r->f, h->links[i].at.line, h->links[i].at.column,
					       "the interface '%s' is on line %u already",
					       h->links[i].interface, h->links[j].at.line);
		}
	}
}
