/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.h - what a controller remembers between ticks; for the files of shaping/ alone. */
#ifndef FORESHAPE_STATE_H
#define FORESHAPE_STATE_H

#include "forecast/cost.h"
#include "forecast/demand.h"
#include "forecast/gru_fit.h"
#include "forecast/limiter.h"
#include "shaping/clamp.h"
#include "shaping/curve.h"
#include "shaping/ladder.h"
#include "shaping/share.h"
#include "shaping/slo.h"
#include "shaping/tenants.h"
#include "shaping/tick.h"

#define LEAD_MAX_STEPS  301
#define KNOWN_EVENTS    (POLICY_MAX_EVENTS * 2)
#define BUDGET_SLOTS    60 /* seconds of the minute writes are counted over */
#define SERVICE_LADDERS 4  /* of its own, before those of its APIs */
#define PRICE_STEPS     8  /* of the lead that a limit by price looks at */

/* What was decided about one knob and what came of it. */
struct knob_state {
	uint64_t value;                 /* decided last */
	uint64_t previous;              /* before that */
	uint64_t changed_ns;            /* when; 0: never */
	uint64_t lowered_ns;            /* when a lowering began to be watched; 0: none is */
	double burn_before;             /* burn rate when it was */
	uint64_t avoid, avoid_until_ns; /* lowerings to this or less went wrong */
	uint64_t hold, hold_until_ns;   /* raised to this by the guard: not lowered below it */
	uint64_t retry_ns;              /* the kernel refused: not before */
	uint16_t reason;                /* of the value decided last */
	bool decided;                   /* by us, ever */
	bool pending;                   /* no word from the kernel yet */
};

/* Plain memory: saved and loaded as it is. */
struct service_kept {
	struct knob_state knobs[KNOB_COUNT];
	struct demand demand;
	struct slo_window slo;
	double utilisation;          /* of planned CPU, learned */
	double level_less;           /* the demand is read at its quantile less this, learned */
	struct warmup warmup;        /* after starts and bursts, learned */
	struct curve curve;          /* of its objective, where a tight limit has to keep one */
	double planned_mcpu;         /* by the tick before */
	double asked_mcpu;           /* demand, by the tick before */
	double need_most_mcpu;       /* ever */
	double tx_most_bits_per_s;   /* ever */
	double use_peak_mcpu;        /* decaying maximum of use */
	double guard_use_mcpu;       /* decaying maximum over the guard's short intervals */
	double guard_ratio;          /* throttled share of periods, over about 10 s */
	uint64_t anomalies;          /* in its CPU use, of which ... */
	uint64_t anomaly_ns;         /* ... the last was found then */
	uint64_t guard_ns;           /* of its last raise */
	uint64_t guard_seen_ns;      /* when it looked last */
	double lent_mcpu;            /* of the limit in force, on top of what is planned */
	double usual_owed;           /* mcpu x s in flight, where it does not wait for CPU */
	uint64_t lent_ns;            /* when that last changed */
	uint64_t burned_ns;          /* when the objective was last found missed */
	uint64_t capped_ns, calm_ns; /* contention began; seemed over since */
	uint64_t tier_ns, missed_ns, idle_ns; /* effective tier changed; misses, idleness began */
	uint32_t tier;                        /* enum tier, effective */
	uint32_t ticks;                       /* with CPU measured, up to the maximum */
	double memory_stalled;                /* part of the time, a task waiting; over 10 s ... */
	double memory_stalled_long;           /* ... and a minute */
	uint64_t reclaim_ns, reclaim_paused_ns; /* asked for last; paused since; 0: never, is not */
	double reclaim_bytes;                   /* that were asked for then ... */
	double reclaim_back_bytes;              /* ... and were read again since */
	double set_most_bytes;                  /* of its working set, ever */
	double refaulted_bytes;                 /* read again of late, counting less and less */
	double io_stalled;                      /* part of the time, smoothed */
	double io_most;                   /* of it while bronze's io was held down for it ... */
	uint64_t io_tried_ns, io_left_ns; /* ... since when, or when that was given up; 0 */
	double io_crowded_bytes_per_s;    /* so much beside bronze and it waits; 0: not known */
	double io_room_bytes_per_s; /* of bronze: what it was held to when nobody waited any more */
	bool guard_throttled;       /* in its interval before */
	bool surprised;             /* in the tick before */
	bool capped;
};

struct api_kept {
	struct slo_window slo;
	int32_t slot; /* of the series and the cost model; -1: no traffic yet */
};

/* Of a service whose policy says what too little costs. Plain memory: saved as it is. */
struct price {
	struct limiter limiter;
	double n, mean_mcpu; /* of the need, over about a day; the unit of the cost */
};

struct known_event {
	uint32_t id;
	bool told; /* the series know */
	int64_t starts_real_ns;
	uint64_t lasts_ns;
	double multiplier;
};

struct service_state {
	const struct policy_service *policy;
	struct ladder cpu, memory, tx, io;
	struct cost *cost;
	struct price *price; /* NULL: demand is read at a quantile */
	size_t n_slots;
	struct ladder *requests; /* [n_slots] */
	size_t n_apis;           /* "other" included */
	struct api_kept *apis;   /* [n_apis] */
	struct service_kept kept;
	struct known_event events[KNOWN_EVENTS];
	size_t n_events;
	bool tell_anew; /* the series may know others: at the next tick they learn of these alone */
	uint64_t lead_ns; /* as the policy says or as learned */
	unsigned int lead_steps;
	size_t tenant; /* of controller.tenants */
	size_t place;  /* in controller.by_tenant */

	/* Of this tick alone. */
	double use_mcpu;  /* measured; NAN: not */
	double need_mcpu; /* what it would have used without its limit; NAN: unknown */
	double used_bytes, used_bits_per_s; /* measured; NAN: not; of memory the working set */
	double io_bytes_per_s;  /* read or written, whichever is more; NAN: not measured */
	bool apis_seen;         /* its requests were counted */
	double throttled;       /* share of periods; 0 where not measured */
	double limit_mcpu;      /* that was in force; NAN: none or not known */
	double answers, burned; /* under an objective, and those that missed it over its budget */
	double quantile;
	double demand_mcpu; /* at the quantile, peak over the lead */
	double soon_mcpu;   /* what a limit that lends has room for without a loan */
	double near_mcpu;   /* what is likely within NEAR_STEPS, and no less than the use */
	double own_part;    /* of it for APIs at the service's own tier */
	double above_mcpu;  /* that APIs are kept above their medians at the service's tier ... */
	double less_mcpu;   /* ... and what those of weaker tiers do without of it */
	double want_mcpu, got_mcpu, appetite_mcpu, got_bits_per_s;
	double spare_mcpu;           /* that idles for now, over what it got of what it wants */
	double protected_bytes;      /* of its memory, what the plan has room to protect */
	bool reclaims;               /* it is its turn to give some memory back */
	double left_bytes;           /* of bronze: its share of what others leave, while short */
	double burn_fast, burn_slow; /* the worst of service and APIs; NAN */
	double slot_requests[COST_MAX_APIS], slot_bytes[COST_MAX_APIS];
	double slot_arrived[COST_MAX_APIS]; /* a second */
	double slot_in_flight[COST_MAX_APIS];
	bool stale, event_near;
};

struct budget {
	uint64_t second[BUDGET_SLOTS];
	uint32_t writes[BUDGET_SLOTS];
};

/* The network that all series share; plain memory but for the time. */
struct network {
	struct network_kept {
		struct gru weights;
		double loss;      /* that they were judged by */
		uint64_t version; /* of the weights; 0: none yet */
	} kept;
	uint64_t next_ns; /* when to train again; 0: not known yet */
};

/* What gold and silver say of the disks. */
enum disks {
	DISKS_CALM,
	DISKS_BUSY,  /* some wait, but less than is acted on, or not for bronze */
	DISKS_SOON,  /* one is forecast to wait */
	DISKS_SHORT, /* too much: bronze is held down */
};

struct controller {
	const struct policy_set *set;
	struct host_facts facts;
	uint64_t period_ns;
	size_t n;
	struct service_state *services;
	struct plan plan;
	struct share_claim *claims; /* [n * TIER_COUNT], of one fill */
	struct tenants tenants;
	size_t *by_tenant; /* [n], services in order of their tenants */
	struct budget budget, loan_budget;
	uint64_t now_ns;
	struct network *network;
	double unmanaged_mcpu; /* what all else on the host uses, at least; NAN: not measured yet */
	double outside_mcpu;   /* the same in the last interval */
	double available_mcpu; /* capacity less the reserve and what is not managed */
	double guarded_mcpu;   /* of it, what gold and silver are likely to use */
	double memory_available_bytes;
	double memory_wanted_bytes; /* what is forecast to be worked with on all of the host */
	bool memory_short;          /* that is more than there is */
	enum disks disks;
	double io_soon_bytes_per_s, io_crowded_bytes_per_s; /* forecast, and too much, then */
	bool contention, frozen, gap, observe;
};

static inline bool gets_enough(const struct service_state *s, double mcpu)
{
	return mcpu >= s->want_mcpu * 0.99;
}

/*
 * The host has less than it wants, and its limit is its share: being throttled then is what it
 * means. The loose limit of silver is no share.
 */
static inline bool is_short(const struct service_state *s)
{
	bool loose = s->policy->cpu.mode == CPU_RESERVE && s->kept.tier != TIER_BRONZE;

	return !loose && !gets_enough(s, s->got_mcpu + s->spare_mcpu);
}

/* controller.c: the state of a service of @policy, empty; and its release. */
int service_new(const struct controller *c, const struct policy_service *policy,
		struct service_state *ret);
void service_free(struct service_state *s);
/* Leaves it the events of its policy alone; the series hear of it with the next tick. */
void service_event_clear(struct service_state *s);

/*
 * price.c: the state of a price where @policy has one, else NULL. Returns 0, -ENOMEM; free().
 * The mcpu that cost least over the lead by the newsvendor's reckoning, see forecast/limiter.h:
 * once a tick, after learn, of a service with a price.
 */
int price_new(const struct policy_service *policy, struct price **ret);
double price_mcpu(const struct controller *c, const struct service_state *s);

/* feedback.c: whether a tight limit is sized by an objective, and whether that is kept of late. */
bool follows_slo(const struct service_state *s);
bool slo_is_kept(const struct service_state *s);
/* The strictest objective's latency; INFINITY without one. */
double slo_latency_us(const struct policy_service *p);

/* guard.c: what a limit of @s set without waiting for the tick is held to; @now is in force. */
struct clamp_bounds guard_bounds(const struct controller *c, const struct service_state *s,
				 uint64_t now);

/*
 * loan.c: whether the limit of @s is lent to while requests wait: under an objective in cap mode,
 * where costs are known and the guard is there to do it. loan_guard decides what the guard does
 * then, as tick_guard; the knob is known, ours and a limit.
 */
bool loan_applies(const struct controller *c, const struct service_state *s);
bool loan_guard(struct controller *c, uint32_t service, const struct tick_service *ts,
		uint64_t now_ns, uint64_t interval_ns, struct plan_entry *ret);
/* What of @in_force (mcpu) is planned. */
uint64_t loan_base(const struct service_state *s, uint64_t in_force);
/* Before a tick: what is in force and is not known to be lent is the plan. */
void loan_look(const struct controller *c, struct service_state *s, const struct tick_service *ts);
/* After it: makes what @e is of the plan one of plan and loan, @in_force (mcpu). */
void loan_add(const struct controller *c, struct service_state *s, uint64_t in_force,
	      struct plan_entry *e);
/* The plan's part of what is in force once @e is written, or was refused. */
uint64_t loan_written(struct service_state *s, const struct plan_entry *e, uint64_t after);
uint64_t loan_refused(const struct service_state *s, const struct plan_entry *e);

/*
 * sound.c: whether loaded bytes may be used: numbers are numbers and within what is possible,
 * indexes are within their arrays. The demand of a service has a check of its own.
 */
bool slo_is_sound(const struct slo_window *w);
bool kept_is_sound(const struct service_kept *k);
bool price_is_sound(const struct price *p);
bool network_is_sound(const struct network_kept *k);

/*
 * asks.c: who shares with whom; all that is asked for of CPU, memory and links, before any of it is
 * given out, c->claims being those for CPU. Returns 0 or -ENOMEM.
 */
int asks_new(struct controller *c);
void asks_free(struct controller *c);
void ask(struct controller *c, const struct tick_input *in);
/*
 * What its tenant gets in the tier in which @s is short of @resource because of its tenant: with
 * other services, or with another resource that the tenant has more of. NULL: not so.
 */
const struct tenant_tier *tenant_short(const struct controller *c, const struct service_state *s,
				       enum tenant_resource resource);

/* reload.c: moves what @from has learned to @to, a service of equal name. */
void service_take(const struct controller *c, struct service_state *to, struct service_state *from);

/* All ladders of a service in a fixed order; NULL past the last. */
struct ladder *service_ladder(const struct service_state *s, size_t k);

/* job.c: all series of a service in a fixed order, NULL where a clock is not there. */
struct series *service_series(const struct service_state *s, size_t k);
size_t service_n_series(const struct service_state *s);

/* Nanoseconds from @at to now; a time that is still to come is of another boot: long ago. */
static inline uint64_t since(const struct controller *c, uint64_t at)
{
	return at && c->now_ns >= at ? c->now_ns - at : UINT64_MAX;
}

/* network.c: has all series use the weights there are. */
void network_share(struct controller *c);
/* A fit that is due, or NULL. */
struct gru_fit *network_take(struct controller *c);
/* What takes long of it, on any thread. */
void network_run(struct gru_fit *fit);
/* Uses what came of @fit, unless that is no better; frees it. */
void network_give(struct controller *c, struct gru_fit *fit);

/*
 * Until capacity, nothing of a service is read or written for another one: learn, demand and
 * feedback of several may run at once.
 *
 * learn.c: one interval of service @i into series, cost model, objective windows.
 */
void learn(struct controller *c, size_t i, const struct tick_input *in);

/*
 * lead.c: how far ahead to plan for a service, in s->lead_ns and s->lead_steps: once it is made and
 * whenever what was learned may be other. True where it changed; forecasts that wait for their end
 * are of another lead then, and dropped.
 */
bool lead_follow(const struct controller *c, struct service_state *s);
/* One interval, before its costs are learned. */
void lead_learn(const struct controller *c, struct service_state *s, const struct tick_service *ts,
		uint64_t interval_ns);

/* working_set.c: the working set of this tick into s->used_bytes; before the series learn. */
void learn_memory(struct service_state *s, const struct tick_service *ts, uint64_t interval_ns);
/* What of its memory cannot be reclaimed, or all in use where that is not known. */
double held_bytes(const struct tick_service *ts);

/* demand.c: forecasts into s->demand_mcpu and the plan's service. After learn. */
void demand(struct controller *c, size_t i);
/* feedback.c: target utilisation and effective tier from how it went. */
void feedback(struct controller *c, size_t i);
/* capacity.c: want, got and appetite of every service; contention. */
void capacity(struct controller *c, const struct tick_input *in);
/* spare.c: what idles and is given to every service; after capacity. */
void spare(struct controller *c);

/* left.c: what is left to bronze of everything, into the plan. After capacity. */
void left(struct controller *c, const struct tick_input *in);

/* What a knob should be, before it is settled against what it is. */
struct want {
	double value;
	bool unlimited;    /* instead of a value */
	bool keep;         /* no opinion: what is in force stays */
	bool tighten;      /* the careful way is down: lower at once, raise after the dwell */
	bool must;         /* neither dwell nor step nor memory of failures apply */
	uint64_t dwell_ns; /* before going the careful way; 0: the host's */
	enum reason reason;
	struct policy_pos at;
	uint64_t floor, ceiling, highest;
	double deadband;  /* at least this; the host's where larger */
	bool fine;        /* @deadband counts alone */
	double max_lower; /* of what is in force, at once; 0: the host's max_step */
	uint32_t refused;
	size_t n_inputs;
	struct {
		const char *name;
		double value;
	} inputs[TICK_MAX_INPUTS];
};
void want_input(struct want *w, const char *name, double value);
/* The tenant's share of its dominant resource, where @s is short of @resource because of it. */
void tenant_inputs(const struct controller *c, const struct service_state *s,
		   enum tenant_resource resource, struct want *w);

/* plan_cpu.c, plan_memory.c, plan_reclaim.c, plan_io.c, plan_link.c: fill the wants of service @i.
 */
void plan_cpu(struct controller *c, size_t i, const struct tick_service *ts,
	      struct want wants[KNOB_COUNT]);
void plan_memory(struct controller *c, size_t i, const struct tick_service *ts,
		 struct want wants[KNOB_COUNT]);
void plan_reclaim(struct controller *c, size_t i, const struct tick_service *ts,
		  struct want wants[KNOB_COUNT]);
void plan_io(struct controller *c, size_t i, const struct tick_service *ts,
	     struct want wants[KNOB_COUNT]);
void plan_link(struct controller *c, size_t i, const struct tick_service *ts,
	       struct want wants[KNOB_COUNT]);
/* Once a tick, before these: memory to protect, disks and each link are given out, and whose turn
 * it is to give memory back. */
void plan_memories(struct controller *c, const struct tick_input *in);
void plan_reclaims(struct controller *c, const struct tick_input *in);
void plan_disks(struct controller *c, const struct tick_input *in);
void plan_links(struct controller *c, const struct tick_input *in);
/* What is to be given out of memory or link @k, and what service @i claims of it; false: nothing.
 */
double memory_left(const struct controller *c);
/* What is forecast to be worked with, and protected. */
double working_set_bytes(const struct controller *c, size_t i);
bool memory_claim(const struct controller *c, size_t i, const struct tick_service *ts,
		  struct share_claim *ret);
double link_left(const struct controller *c, size_t k, const struct tick_service *seen);
bool link_claim(const struct controller *c, size_t i, size_t k, const struct tick_service *ts,
		struct share_claim *ret);
/* Whether @s sends over link @k, and what of the link's rate is given out in all. */
bool link_carries(const struct controller *c, size_t k, const struct service_state *s);
double link_full_bits_per_s(const struct controller *c, size_t k);
void fit_links(struct controller *c); /* after settle_budget: rates never exceed a link's */

/* settle.c: from what is wanted to an entry; then the minute's budget over all entries. */
void settle(struct controller *c, size_t i, enum knob knob, const struct tick_service *ts,
	    const struct want *w, struct plan_entry *entry);
void settle_budget(struct controller *c);
void settle_now(struct controller *c, struct plan_entry *e); /* whatever the budget says */
bool budget_take(struct budget *b, uint64_t now_ns, uint64_t per_minute);

#endif
