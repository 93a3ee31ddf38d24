/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tick.h - one control step: what was measured goes in, what each knob should be comes out. Pure:
 * run feeds it the host, replay feeds it a file, and both get the same decisions bit for bit.
 */
#ifndef FORESHAPE_TICK_H
#define FORESHAPE_TICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "forecast/demand.h"
#include "forecast/forecast.h"
#include "policies/policy.h"
#include "shaping/knob.h"
#include "shaping/reason.h"
#include "shaping/slo.h"
#include "shaping/warmup.h"

#define TICK_MAX_INPUTS 12 /* named numbers behind one decision */

/* What the host has; set at start and reload, the CPUs by controller_capacity, too. */
struct host_facts {
	uint64_t capacity_mcpu;
	uint64_t memory_bytes;
	uint64_t swap_bytes;
};

/* One API over the interval: differences, not totals. */
struct tick_api {
	uint64_t requests; /* arrived */
	uint64_t finished;
	uint64_t errors; /* 5xx + aborted */
	uint64_t bytes_in, bytes_out;
	double in_flight;   /* at its end */
	uint64_t slo_total; /* answered or aborted, where the API or its service has an SLO */
	uint64_t slo_good;  /* of which within the latency and no error */
};

/* "Not measured" as bits of tick_service.missing. */
enum tick_missing {
	MISSING_CPU = 1,
	MISSING_MEMORY = 2,
	MISSING_PSI = 4,
	MISSING_APIS = 8, /* the packet programs are not attached */
	MISSING_ALL = 16, /* the cgroup is gone */
	MISSING_IO = 32,
};

struct tick_service {
	uint32_t missing;
	uint64_t cpu_usage_us;                           /* used in the interval */
	uint64_t nr_periods, nr_throttled, throttled_us; /* in the interval */
	uint64_t memory_bytes, anon_bytes, file_bytes;   /* at its end */
	uint64_t shmem_bytes, inactive_file_bytes;       /* parts of file_bytes */
	uint64_t refaulted_bytes; /* read again in the interval soon after they were reclaimed */
	uint64_t psi_cpu_some_us, psi_memory_some_us, psi_memory_full_us, psi_io_some_us;
	uint64_t io_read_bytes, io_write_bytes; /* of disks, in the interval */
	uint64_t tx_bytes;                      /* on the wire, in the interval */
	/* What is in force, read back: UNLIMITED where there is no limit; bit k of known: knob k
	 * was read. */
	uint64_t knob[KNOB_COUNT];
	uint32_t known;
	uint32_t yielded; /* bit k: knob k belongs to somebody else until adopted */
	uint32_t baseline_known;
	uint64_t baseline[KNOB_COUNT];
	const struct tick_api *apis; /* [n_apis of the policy + 1]; the last is "other" */
};

struct tick_input {
	uint64_t now_mono_ns;
	int64_t now_real_ns;
	uint64_t interval_ns;        /* since the last tick; much more than the period: a gap */
	uint64_t host_cpu_used_mcpu; /* all of the host, mean over the interval; UNLIMITED: not
					measured */
	uint64_t host_memory_available_bytes;
	bool frozen;  /* record, but hold every knob */
	bool observe; /* nothing is written: what was decided counts as in force from then on */
	const struct tick_service *services; /* [n_services], the policy set's order */
};

/* One decision about one knob. An entry is made for every knob of every service at every tick. */
struct plan_entry {
	uint32_t service;
	uint16_t knob;    /* enum knob */
	uint16_t reason;  /* enum reason: why it has this value */
	uint64_t value;   /* what it should be; equal to what is in force where nothing changes */
	uint64_t before;  /* what is in force */
	bool change;      /* write it */
	bool urgent;      /* by the fast guard */
	uint32_t refused; /* bits of enum reason's refusals: what was considered and not done */
	uint64_t floor, ceiling;  /* for the keeper's own clamp; of a trigger floor is what stays */
	struct policy_pos policy; /* the line that decides; file NULL: a default */
	size_t n_inputs;
	struct {
		const char *name; /* static text with its unit: "demand_q99_mcpu" */
		double value;
	} inputs[TICK_MAX_INPUTS];
};

/* What is known of a service after a tick, for status and history. */
struct plan_service {
	enum tier effective_tier;
	struct forecast demand_mcpu;       /* peak over the lead horizon */
	struct forecast demand_bytes;      /* memory, the same */
	struct forecast demand_bits_per_s; /* the same */
	double planned_mcpu;               /* what the plan reserves for it */
	double short_mcpu;   /* of gold and silver: of its demand, what the host does not have; 0 */
	double slo_attained; /* over the service's window; NAN: no traffic or no SLO */
	/* Of the objective of service or API that is kept worst; NAN: as in slo_view. */
	double burn_rate_fast, burn_rate_slow;
	double cpu_usage_mcpu, throttled_ratio;
	double working_set_bytes; /* now; NAN: not measured */
};

/* What gold and silver are likely to leave of a resource; NAN: not known. */
struct left {
	double all;    /* that bronze may use */
	double unused; /* of it, what bronze does not use yet */
};

struct plan {
	size_t n_entries;
	struct plan_entry *entries; /* room for n_services * KNOB_COUNT, owned by the controller */
	struct plan_service *services; /* [n_services], owned by the controller */
	uint64_t planned_mcpu;         /* sum over services */
	double short_bytes; /* of all forecast working sets, what the host does not have */
	bool contention;    /* predicted demand exceeds what the host has */
	struct left left_mcpu, left_bytes;
	struct left left_bits_per_s[POLICY_MAX_LINKS]; /* [n_links], of host.yaml's links */
	size_t n_links;
};

struct controller;

/*
 * Makes the state for @set on a host of @facts ticking every @period_ns. @set must outlive it.
 * Returns 0 and *ret (controller_free), -EINVAL, -ENOMEM.
 */
int controller_new(const struct policy_set *set, const struct host_facts *facts, uint64_t period_ns,
		   struct controller **ret);
/*
 * A reload: a controller for @set that takes over the series and costs of services of equal name.
 * Events are those of @set: the others have to be added again.
 */
int controller_reload(struct controller *old, const struct policy_set *set,
		      const struct host_facts *facts, struct controller **ret);
/* The host has other CPUs from the next tick on, not 0; what was learned stays. */
void controller_capacity(struct controller *c, uint64_t capacity_mcpu);
void controller_free(struct controller *c);
void controller_freep(struct controller **c);

/* One step. The plan is valid until the next call. Never fails; no allocation, no system call. */
const struct plan *tick_once(struct controller *c, const struct tick_input *in);
/*
 * The same in its parts, with the same @in: tick_begin, tick_learn once for each service,
 * tick_plan. Services may be learned in any order, and several at once on threads of their own:
 * what comes of it is the same, bit for bit.
 */
void tick_begin(struct controller *c, const struct tick_input *in);
void tick_learn(struct controller *c, uint32_t service, const struct tick_input *in);
const struct plan *tick_plan(struct controller *c, const struct tick_input *in);

/*
 * The fast guard between ticks (SPEC 4.4): from the throttling of the last @interval_ns of
 * @service, in @s, decides whether its cpu.max has to go up now. Returns true and fills @ret.
 */
bool tick_guard(struct controller *c, uint32_t service, const struct tick_service *s,
		uint64_t now_mono_ns, uint64_t interval_ns, struct plan_entry *ret);

/* Whether the guard is told of the requests in flight right now, in @s->apis[..].in_flight. */
bool tick_guard_reads_apis(const struct policy_service *policy);

/* What became of a decision: @err 0 or a negative errno, @after as read back. */
void tick_written(struct controller *c, const struct plan_entry *entry, uint64_t after, int err);

/* A known event for @service (index), times on the real clock; multiplier NAN: learn it. */
int controller_event(struct controller *c, uint32_t service, const char *name,
		     int64_t starts_real_ns, uint64_t lasts_ns, double multiplier);
/* Drops what controller_event added; the policies' own events and learned effects stay. */
void controller_event_clear(struct controller *c);

/*
 * Period searches of all series, as series_job in forecast.h. NULL: none due. A job may be given
 * back to the controller a reload made of the one it was taken from, or to NULL: nothing comes of
 * it.
 */
struct tick_job;
struct tick_job *controller_job_take(struct controller *c);
/* Of the series of one service alone. Jobs of several services may be taken, run and given back at
 * once, on the threads that learn them. */
struct tick_job *controller_job_take_of(struct controller *c, uint32_t service);
/* The same for what nothing waits for: fitting constants, as series_tune_take, and once a day the
 * network that all series share. */
struct tick_job *controller_tune_take(struct controller *c);
void controller_job_run(struct tick_job *job);
void controller_job_give(struct controller *c, struct tick_job *job);

/* When the shared network is fit next, which is not saved; 0: not known yet. */
uint64_t controller_fits_ns(const struct controller *c);
void controller_fit_at(struct controller *c, uint64_t mono_ns);

/*
 * What a forecast is asked for by name. @api: index, or -1 for the service's CPU (mcpu). The clock
 * (1 s, 1 min, 1 h) follows from @horizon_ns. Fills up to @max points of the path to the horizon,
 * @report of the series behind it. Returns the number of points, 0: nothing learned yet, -ENOENT.
 */
struct forecast_point {
	uint64_t ahead_ns;
	struct forecast f;
};
int controller_forecast(const struct controller *c, uint32_t service, int api, uint64_t horizon_ns,
			struct forecast_point *points, size_t max, struct series_report *report);
/*
 * What was measured of the same, on the same clock: fills @values with up to @max steps, oldest
 * first, NAN where not measured (series_past_values), and @ret. Returns the number of values,
 * -ENOENT.
 */
struct forecast_past {
	uint64_t step_ns;
	uint64_t measured;        /* values in all, those not remembered included */
	uint64_t age_ns;          /* since the last step ended */
	unsigned int steps_ahead; /* to the horizon */
};
int controller_past(const struct controller *c, uint32_t service, int api, uint64_t horizon_ns,
		    double *values, size_t max, struct forecast_past *ret);

/*
 * What a service will use over its policy's lead and how well that was forecast before. Returns 1,
 * 0 where nothing is known yet, -ENOENT.
 */
int controller_demand(const struct controller *c, uint32_t service, enum demand_kind kind,
		      enum demand_resource resource, struct demand_report *ret);
uint64_t controller_lead_ns(const struct controller *c, uint32_t service); /* 0: none such */
/* The same with what it comes from, learned in any case. Returns 0, -ENOENT. */
struct lead_report {
	uint64_t lead_ns;
	bool is_auto; /* follows what was learned, else the policy */
	struct warmup_learned learned[WARMUP_KINDS];
};
int controller_lead(const struct controller *c, uint32_t service, struct lead_report *ret);

/*
 * What was found in the series of the same name on clock @clock (0: the shortest). Returns 0, or
 * -ENOENT where there is no such series.
 */
int controller_anomaly(const struct controller *c, uint32_t service, int api, size_t clock,
		       struct series_anomaly *ret);

/* CPU-us per request of @api of @service; NAN: not learned yet. */
double controller_cpu_us(const struct controller *c, uint32_t service, uint32_t api);
double controller_base_mcpu(const struct controller *c, uint32_t service);
/*
 * How the objective of @api of @service (-1: the service's own) is kept; an API without one of its
 * own is held to the service's. False where there is none.
 */
bool controller_slo(const struct controller *c, uint32_t service, int api, struct slo_view *ret);
/* What the plan of @service aims to use of what it reserves, learned; 0..1. */
double controller_utilisation(const struct controller *c, uint32_t service);

/*
 * State to bytes and back, by service name, for restarts. Load ignores what no longer fits. Events
 * are not kept: they come from the policies and from controller_event.
 */
size_t controller_save_size(const struct controller *c);
size_t controller_save(const struct controller *c, void *buf, size_t size);
int controller_load(struct controller *c, const void *buf, size_t size);
/*
 * The same in parts: 0 is what is the host's, the others are a service each. Parts of one
 * @generation and number belong together, controller_part tells both of a part that is as it was
 * saved (0 or -EINVAL); controller_load takes parts, 0 first.
 */
size_t controller_n_parts(const struct controller *c);
size_t controller_part_size(const struct controller *c, size_t part);
size_t controller_save_part(const struct controller *c, uint64_t generation, size_t part, void *buf,
			    size_t size);
int controller_part(const void *buf, size_t size, uint64_t *generation, size_t *n_parts);

#endif
