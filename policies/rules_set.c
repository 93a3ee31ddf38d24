// SPDX-License-Identifier: GPL-2.0-or-later
/* rules_set.c - what the policies of a host must say together: names, matches, and room for the
 * floors. */
#include "policies/rules.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/base/parse.h"

#define RESERVE_SHARE 20 /* one part in 20 where host.yaml names none */

static bool share_port(const struct policy_service *a, const struct policy_service *b)
{
	if (!a->n_ports || !b->n_ports)
		return true;
	for (size_t i = 0; i < a->n_ports; i++) {
		for (size_t j = 0; j < b->n_ports; j++) {
			if (a->ports[i] == b->ports[j])
				return true;
		}
	}
	return false;
}

static bool same_processes(const struct policy_service *a, const struct policy_service *b)
{
	bool same_unit = *a->unit && streq(a->unit, b->unit);
	bool same_cgroup = *a->cgroup && streq(a->cgroup, b->cgroup);

	return (same_unit || same_cgroup) && share_port(a, b);
}

/* Of two services in conflict the one whose file comes later is reported. */
static void check_pair(const struct rules_set *r, const struct policy_service *a,
		       const struct policy_service *b)
{
	struct findings *f = r->at(r->files, b->at.file);

	if (streq(a->name, b->name))
		findings_error(f, b->at.line, b->at.column,
			       "duplicate service '%s', it is in %s:%u already", b->name,
			       a->at.file, a->at.line);
	else if (same_processes(a, b))
		findings_error(
			f, b->match_at.line, b->match_at.column,
			"matches the same %s as '%s' in %s:%u%s", *b->unit ? "unit" : "cgroup",
			a->name, a->match_at.file, a->match_at.line,
			a->n_ports || b->n_ports ? ", on the same port" : ": narrow both by ports");
}

static void check_pairs(const struct rules_set *r)
{
	const struct policy_set *set = r->set;

	for (size_t i = 0; i < set->n_services; i++) {
		for (size_t j = 0; j < i; j++)
			check_pair(r, &set->services[j], &set->services[i]);
	}
}

static void check_rows(const struct rules_set *r)
{
	size_t rows = 0;

	for (size_t i = 0; i < r->set->n_services; i++) {
		const struct policy_service *s = &r->set->services[i];

		rows += s->n_apis + 1;
		if (rows <= POLICY_MAX_ROWS)
			continue;
		findings_error(r->at(r->files, s->at.file), s->at.line, s->at.column,
			       "more than %d APIs in all services", POLICY_MAX_ROWS);
		return;
	}
}

/* One resource whose floors are added up. */
struct sum {
	const char *of;
	uint64_t total, reserve;
	uint64_t (*floor)(const struct policy_service *s, const char *interface,
			  struct policy_pos *at);
	const char *interface;
	char *(*format)(char *, size_t, uint64_t);
};

static uint64_t cpu_floor(const struct policy_service *s, const char *interface,
			  struct policy_pos *at)
{
	*at = s->cpu.floor_at;
	return s->cpu.floor_mcpu;
}

static uint64_t memory_floor(const struct policy_service *s, const char *interface,
			     struct policy_pos *at)
{
	*at = s->memory.floor_at;
	return s->memory.floor_bytes;
}

static uint64_t bandwidth_floor(const struct policy_service *s, const char *interface,
				struct policy_pos *at)
{
	*at = s->bandwidth.floor_at;
	return streq(s->bandwidth.interface, interface) ? s->bandwidth.floor_bits_per_s : 0;
}

/* Writes "a.yaml:4 (200m), b.yaml:7 (1000m)": everything that adds to the sum. */
static void name_parts(const struct rules_set *r, const struct sum *sum, char *buf, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < r->set->n_services && used < size; i++) {
		struct policy_pos at;
		uint64_t floor = sum->floor(&r->set->services[i], sum->interface, &at);
		char amount[32];

		if (floor)
			used += (size_t)snprintf(buf + used, size - used, "%s%s:%u (%s)",
						 used ? ", " : "", at.file, at.line,
						 sum->format(amount, sizeof(amount), floor));
	}
}

/* Reports the floor at which the sum passes what there is. */
static void check_sum(const struct rules_set *r, const struct sum *sum)
{
	uint64_t room = sum->total > sum->reserve ? sum->total - sum->reserve : 0, all = 0;
	struct policy_pos over = {}, at;
	char parts[360] = "", need[32], have[32];

	for (size_t i = 0; i < r->set->n_services; i++) {
		uint64_t floor = sum->floor(&r->set->services[i], sum->interface, &at);

		if (__builtin_add_overflow(all, floor, &all))
			all = UNLIMITED;
		if (all > room && !over.file)
			over = at;
	}
	if (!over.file)
		return;
	name_parts(r, sum, parts, sizeof(parts));
	findings_error(r->at(r->files, over.file), over.line, over.column,
		       "the %s floors need %s, there is %s: %s", sum->of,
		       sum->format(need, sizeof(need), all), sum->format(have, sizeof(have), room),
		       parts);
}

static uint64_t reserve(uint64_t given, uint64_t total)
{
	return given == UNLIMITED ? total / RESERVE_SHARE : given;
}

static void check_link(const struct rules_set *r, const struct policy_link *link)
{
	struct sum sum = {"bandwidth",     link->rate_bits_per_s, 0,
			  bandwidth_floor, link->interface,       format_bits_per_s};
	char ceiling[32], rate[32];

	check_sum(r, &sum);
	for (size_t i = 0; i < r->set->n_services; i++) {
		const struct policy_bandwidth *b = &r->set->services[i].bandwidth;

		if (!streq(b->interface, link->interface) || b->ceiling_bits_per_s == UNLIMITED ||
		    b->ceiling_bits_per_s <= link->rate_bits_per_s)
			continue;
		findings_warning(r->at(r->files, b->ceiling_at.file), b->ceiling_at.line,
				 b->ceiling_at.column,
				 "the ceiling %s is above the link's rate %s (%s:%u)",
				 format_bits_per_s(ceiling, sizeof(ceiling), b->ceiling_bits_per_s),
				 format_bits_per_s(rate, sizeof(rate), link->rate_bits_per_s),
				 link->at.file, link->at.line);
	}
}

static void check_leads(const struct rules_set *r)
{
	const struct policy_host *h = &r->set->host;
	uint64_t longest = h->horizons_ns[h->n_horizons - 1];
	char lead[32], horizon[32];

	for (size_t i = 0; i < r->set->n_services; i++) {
		const struct policy_forecast *f = &r->set->services[i].forecast;

		if (f->lead_ns <= longest || !f->at.file)
			continue;
		findings_error(r->at(r->files, f->at.file), f->at.line, f->at.column,
			       "the lead %s is beyond the longest horizon %s",
			       format_duration(lead, sizeof(lead), f->lead_ns),
			       format_duration(horizon, sizeof(horizon), longest));
	}
}

void rules_all(const struct rules_set *r)
{
	const struct policy_host *h = &r->set->host;
	struct sum cpu = {
		"CPU", r->capacity_mcpu, reserve(h->reserve_mcpu, r->capacity_mcpu), cpu_floor,
		"",    format_cpu};
	struct sum memory = {
		"memory", r->memory_bytes, reserve(h->reserve_bytes, r->memory_bytes), memory_floor,
		"",       format_bytes};

	check_pairs(r);
	check_rows(r);
	check_leads(r);
	if (r->capacity_mcpu)
		check_sum(r, &cpu);
	if (r->memory_bytes)
		check_sum(r, &memory);
	for (size_t i = 0; i < h->n_links; i++)
		check_link(r, &h->links[i]);
}
