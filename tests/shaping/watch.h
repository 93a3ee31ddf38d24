/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - steps of a small host with all looked at that holds whatever comes: bounds, reasons,
 * dwell. */
#ifndef FORESHAPE_WATCH_H
#define FORESHAPE_WATCH_H

#include <inttypes.h>

#include "tests/check.h"
#include "tests/shaping/world.h"

/* What a service may be: each case is a line of its own. */
struct watch_row {
	const char *name;
	enum tier tier;
	enum cpu_mode mode;
	double short_cost; /* NAN: by quantile */
};

static const struct watch_row watch_rows[] = {
	{"gold reserve", TIER_GOLD, CPU_RESERVE, NAN},
	{"gold cap", TIER_GOLD, CPU_CAP, NAN},
	{"gold cap by price", TIER_GOLD, CPU_CAP, 100},
	{"silver reserve", TIER_SILVER, CPU_RESERVE, NAN},
	{"silver cap", TIER_SILVER, CPU_CAP, NAN},
	{"silver cap by price", TIER_SILVER, CPU_CAP, 100},
	{"bronze reserve", TIER_BRONZE, CPU_RESERVE, NAN},
	{"bronze cap", TIER_BRONZE, CPU_CAP, NAN},
	{"bronze cap by price", TIER_BRONZE, CPU_CAP, 100},
};

struct watch {
	struct world w;
	char what[96]; /* the case and the seed, for messages */
	uint64_t tick;
	uint64_t changed_ns[WORLD_MAX][KNOB_COUNT];
	bool went_up[WORLD_MAX][KNOB_COUNT];
	size_t writes, turns; /* a turn: the other way than the change before */
};

/* "shop", alone on its host, as the row says. */
static inline struct policy_service *watch_alone(struct watch *h, const struct watch_row *row,
						 uint64_t capacity_mcpu)
{
	struct policy_service *s;

	memset(h, 0, sizeof(*h));
	(void)snprintf(h->what, sizeof(h->what), "%s", row->name);
	world_init(&h->w, capacity_mcpu);
	s = world_add(&h->w, "shop", row->tier);
	s->cpu.mode = row->mode;
	s->forecast.short_cost = row->short_cost;
	return s;
}

/* Beside it a gold and a bronze service that want little. */
static inline struct policy_service *watch_init(struct watch *h, const struct watch_row *row,
						uint64_t capacity_mcpu)
{
	struct policy_service *s = watch_alone(h, row, capacity_mcpu);

	world_add(&h->w, "batch", TIER_BRONZE);
	world_add(&h->w, "front", TIER_GOLD);
	h->w.wants_mcpu[1] = 300;
	h->w.wants_mcpu[2] = 200;
	return s;
}

static inline void watch_fail(const struct watch *h, const struct plan_entry *e, const char *why)
{
	fail_msg("%s, tick %" PRIu64 ": %s of service %u from %" PRIu64 " to %" PRIu64
		 ", %s, refused %x: %s",
		 h->what, h->tick, knob_rows[e->knob].name, e->service, e->before, e->value,
		 reason_rows[e->reason].name, e->refused, why);
}

/* The policy's floor and ceiling of a knob, the floor above a ceiling that contradicts it. */
static inline void watch_bounds(const struct watch *h, const struct plan_entry *e, uint64_t *floor,
				uint64_t *ceiling)
{
	const struct policy_service *p = &h->w.services[e->service];
	uint64_t link = h->w.set.host.links[0].rate_bits_per_s;

	*floor = 0;
	*ceiling = UNLIMITED;
	if (e->knob == KNOB_CPU_MAX) {
		*floor = p->cpu.floor_mcpu;
		*ceiling = p->cpu.ceiling_mcpu < h->w.facts.capacity_mcpu ? p->cpu.ceiling_mcpu
									  : UNLIMITED;
	} else if (e->knob == KNOB_MEMORY_LOW) {
		*floor = p->memory.floor_bytes;
		*ceiling = p->memory.ceiling_bytes;
	} else if (e->knob == KNOB_HTB_RATE || e->knob == KNOB_HTB_CEIL) {
		*ceiling = MIN(p->bandwidth.ceiling_bits_per_s, link);
		*floor = e->knob == KNOB_HTB_RATE ? MIN(p->bandwidth.floor_bits_per_s, link) : 0;
	}
	*ceiling = MAX(*ceiling, *floor);
}

/* What the host has of it. */
static inline uint64_t watch_most(const struct watch *h, enum knob knob)
{
	switch (knob) {
	case KNOB_CPU_MAX:
		return h->w.facts.capacity_mcpu;
	case KNOB_CPU_MAX_BURST:
		return h->w.facts.capacity_mcpu * 100;
	case KNOB_MEMORY_LOW:
		return h->w.facts.memory_bytes;
	default:
		return knob_rows[knob].highest;
	}
}

static inline void watch_value(const struct watch *h, const struct plan_entry *e)
{
	const struct knob_row *row = &knob_rows[e->knob];
	uint64_t floor, ceiling;

	watch_bounds(h, e, &floor, &ceiling);
	if (e->value < MAX(row->lowest, floor))
		watch_fail(h, e, "below its floor");
	if (e->value > MAX(row->lowest, ceiling))
		watch_fail(h, e, "above its ceiling");
	if (e->value == UNLIMITED && !row->may_be_unlimited)
		watch_fail(h, e, "no value of it");
	/* From far above, where somebody else has set it, it goes down by steps. */
	if (e->value != UNLIMITED && e->value > e->before &&
	    e->value > MAX(watch_most(h, (enum knob)e->knob), floor))
		watch_fail(h, e, "more than the host has");
}

/* A limit goes below what is held and a margin only where that is more than the host has. */
static inline void watch_memory(const struct watch *h, const struct plan_entry *e)
{
	const struct tick_service *s = &h->w.seen[e->service];
	double held = (double)(s->anon_bytes ? s->anon_bytes : s->memory_bytes);
	double least = fmin(held * 1.1 + 16 * (double)MIB, (double)h->w.facts.memory_bytes);
	uint64_t ceiling = h->w.services[e->service].memory.ceiling_bytes;

	if (e->knob != KNOB_MEMORY_HIGH && e->knob != KNOB_MEMORY_MAX)
		return;
	if (e->value < e->before && (double)e->value < least - 1)
		watch_fail(h, e, "lowered below what is held");
	if (e->knob == KNOB_MEMORY_MAX && e->value > e->before && e->value > ceiling)
		watch_fail(h, e, "raised above the policy's ceiling");
}

/* Nothing is taken on what is not measured, nor below what stays. */
static inline void watch_reclaim(const struct watch *h, const struct plan_entry *e)
{
	const struct tick_service *s = &h->w.seen[e->service];

	if (e->knob != KNOB_MEMORY_RECLAIM)
		return;
	if (s->missing & (MISSING_MEMORY | MISSING_PSI | MISSING_CPU))
		watch_fail(h, e, "asked for on nothing");
	if (e->value > s->memory_bytes || s->memory_bytes - e->value < e->floor ||
	    e->floor < s->anon_bytes)
		watch_fail(h, e, "takes what must stay");
}

/*
 * What limits a service is not lowered before the dwell is over, but to leave room for others; nor
 * is such a cap raised at once.
 */
static inline void watch_dwell(const struct watch *h, const struct plan_entry *e)
{
	uint64_t changed = h->changed_ns[e->service][e->knob];
	bool cap = e->reason == REASON_CONTENTION_CAP;
	bool in_the_way = e->knob == KNOB_CPU_MAX_BURST &&
			  (e - KNOB_CPU_MAX_BURST + KNOB_CPU_MAX)->refused & 1u << REFUSAL_IN_USE;
	bool outside = e->before > MAX(e->ceiling, e->floor) || e->before < e->floor;
	bool careful = cap ? e->value > e->before : e->value < e->before;
	uint64_t dwell_ns = cap ? h->w.period_ns : h->w.set.host.dwell_ns;

	if (e->knob > KNOB_MEMORY_LOW || !changed || changed > h->w.now_ns || !careful ||
	    in_the_way || outside)
		return;
	if (h->w.now_ns - changed < dwell_ns)
		watch_fail(h, e, "within the dwell of the last change");
}

static inline bool may_be_unknown(const char *name)
{
	return streq(name, "use_mcpu") || streq(name, "burn_rate");
}

static inline void watch_reason(const struct watch *h, const struct plan_entry *e)
{
	if (e->reason == REASON_UNCHANGED || e->reason >= REASON_COUNT)
		watch_fail(h, e, "no reason");
	for (size_t k = 0; k < e->n_inputs; k++) {
		if (!isfinite(e->inputs[k].value) && !may_be_unknown(e->inputs[k].name))
			watch_fail(h, e, e->inputs[k].name);
	}
}

static inline void watch_entry(struct watch *h, const struct plan_entry *e)
{
	const struct tick_service *s = &h->w.seen[e->service];
	bool up = e->value > e->before;
	bool *went_up = &h->went_up[e->service][e->knob];
	uint64_t *changed = &h->changed_ns[e->service][e->knob];

	if (!e->change) {
		if (e->value != e->before)
			watch_fail(h, e, "another value, but no change");
		return;
	}
	if (e->value == e->before || h->w.frozen || s->yielded & 1u << e->knob ||
	    s->missing & MISSING_ALL || !(s->known & 1u << e->knob))
		watch_fail(h, e, "not to be changed");
	if (e->knob == KNOB_CPU_MAX && !up && s->missing & MISSING_CPU && e->before <= e->ceiling)
		watch_fail(h, e, "lowered on nothing");
	watch_reason(h, e);
	watch_value(h, e);
	watch_memory(h, e);
	watch_reclaim(h, e);
	watch_dwell(h, e);
	h->writes++;
	h->turns += *changed && up != *went_up;
	*went_up = up;
	*changed = h->w.now_ns;
}

static inline void watch_forecast(const struct watch *h, size_t i, const struct forecast *f)
{
	for (int k = 0; k < FORECAST_LEVELS; k++)
		if (!(isfinite(f->q[k]) && f->q[k] >= 0))
			fail_msg("%s, tick %" PRIu64 ": service %zu: a forecast of %g", h->what,
				 h->tick, i, f->q[k]);
}

static inline void watch_service(const struct watch *h, size_t i)
{
	const struct plan_service *s = &h->w.plan->services[i];
	double most = (double)h->w.facts.capacity_mcpu;

	watch_forecast(h, i, &s->demand_mcpu);
	watch_forecast(h, i, &s->demand_bytes);
	watch_forecast(h, i, &s->demand_bits_per_s);
	if (!(s->planned_mcpu >= 0 && s->planned_mcpu <= most + 1e-6))
		fail_msg("%s, tick %" PRIu64 ": service %zu: planned %g", h->what, h->tick, i,
			 s->planned_mcpu);
}

/* Of the plan there is. */
static inline void watch_plan(struct watch *h)
{
	h->tick++;
	for (size_t k = 0; k < h->w.plan->n_entries; k++)
		watch_entry(h, &h->w.plan->entries[k]);
	for (size_t i = 0; i < h->w.set.n_services; i++)
		watch_service(h, i);
	if (h->w.plan->planned_mcpu > h->w.facts.capacity_mcpu)
		fail_msg("%s, tick %" PRIu64 ": planned %" PRIu64 " in all", h->what, h->tick,
			 h->w.plan->planned_mcpu);
}

static inline void watch_step(struct watch *h)
{
	world_step(&h->w);
	watch_plan(h);
}

/* @ticks at which the first service wants @want_mcpu, give or take a fiftieth. */
static inline void watch_run(struct watch *h, double want_mcpu, int ticks)
{
	uint64_t seed = 88172645463325252u + h->tick;

	for (int t = 0; t < ticks; t++) {
		h->w.wants_mcpu[0] = want_mcpu * (0.98 + 0.04 * world_unit(&seed));
		watch_step(h);
	}
}

static inline uint64_t watch_limit(const struct watch *h)
{
	return h->w.seen[0].knob[KNOB_CPU_MAX];
}

/* Ticks until the first service gets what it wants, of @most. */
static inline int watch_recovery(struct watch *h, double want_mcpu, int most)
{
	for (int t = 1; t <= most; t++) {
		watch_run(h, want_mcpu, 1);
		if (h->w.used_mcpu[0] >= want_mcpu * 0.95)
			return t;
	}
	fail_msg("%s: %.0f mcpu wanted, limit %" PRIu64 " after %d ticks", h->what, want_mcpu,
		 watch_limit(h), most);
	return most;
}

/* Of a steady load, what is written: no more than @most times and without going back and forth. */
static inline void watch_calm(struct watch *h, double want_mcpu, int ticks, size_t most)
{
	size_t writes = h->writes, turns = h->turns;

	watch_run(h, want_mcpu, ticks);
	if (h->writes - writes > most || h->turns - turns > most / 2)
		fail_msg("%s: %zu writes and %zu turns in %d calm ticks", h->what,
			 h->writes - writes, h->turns - turns, ticks);
}

#endif
