/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent.h - the worker as its HTTP interface sees it: views to read, actions to ask for. All calls
 * are made on the worker's loop thread; strings in views are owned by the agent and valid until the
 * loop runs again.
 */
#ifndef FORESHAPE_AGENT_H
#define FORESHAPE_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/base/util.h"
#include "shaping/tick.h"

struct agent;

struct view_agent {
	bool enforce;
	int64_t mode_until_real_ns;   /* 0: for good */
	int64_t frozen_until_real_ns; /* 0: not frozen */
	int keeper_pid, worker_pid;
	double uptime_s;             /* of the keeper */
	const char *const *degraded; /* one line each */
	size_t n_degraded;
	size_t n_services;
	const char *db_path;
	const char *policies_dir;
	uint64_t history_lost;
	const struct plan *plan; /* NULL before the first tick */
	const struct policy_host *host;
};

/* One latency distribution over the last 60 s, in us; all NAN where there was none. */
struct view_latency {
	double p50, p90, p99, p999, mean, max;
};

struct view_api {
	const char *service;
	const char *route; /* "GET /v1/orders/{id}"; "other" for the unmatched one */
	uint64_t requests, responses[5], aborted, errors, bytes_in, bytes_out, in_flight;
	double rate_per_s;
	struct view_latency ttfb_us, total_us;
	double cpu_us_per_request; /* NAN: not learned */
};

struct view_slo {
	const char *route; /* NULL: the service */
	double objective;
	uint64_t latency_us, window_s;
	double attained;             /* NAN: no traffic in the window */
	double burn_fast, burn_slow; /* as in struct slo_view; NAN: too few answers */
};

struct view_service {
	const char *name, *tier, *effective_tier, *cgroup;
	const char *owner;                      /* systemd, foreshape, other */
	bool present;                           /* its cgroup exists */
	bool attached;                          /* its packets are counted */
	double cpu_usage_mcpu, throttled_ratio; /* NAN: not measured */
	uint64_t cpu_limit_mcpu, cpu_weight;    /* UNLIMITED: none; weight 0: unknown */
	double memory_usage_bytes;
	uint64_t memory_limit_bytes, memory_high_bytes;
	double tx_bits_per_s;
	uint64_t tx_limit_bits_per_s;
	const struct plan_service *plan; /* demand; NULL before the first tick */
	const struct policy_service *policy;
	size_t n_slos;
	uint32_t yielded; /* bit k: knob k */
};

struct view_knob {
	const struct plan_entry *entry;
	uint64_t value; /* in force; meaningful when known */
	bool known, baseline_known, yielded, supported;
	uint64_t baseline;
	int64_t decision_id; /* newest in history about it; 0: none */
};

void agent_view(struct agent *a, struct view_agent *ret);
/* @i < n_services */
void agent_view_service(struct agent *a, size_t i, struct view_service *ret);
void agent_view_slo(struct agent *a, size_t i, size_t slo, struct view_slo *ret);
/*
 * The objective API @api (-1: all of the service) is held to, its own or the service's; false:
 * none.
 */
bool agent_view_api_slo(struct agent *a, size_t i, int api, struct view_slo *ret);
size_t agent_n_apis(struct agent *a, size_t i); /* "other" included, last */
void agent_view_api(struct agent *a, size_t i, size_t api, struct view_api *ret);
/* False when the service has no such knob at all (no plan yet). */
bool agent_view_knob(struct agent *a, size_t i, enum knob knob, struct view_knob *ret);
/* Totals over all services since start, by enum fsh_unseen; @unseen_listeners: SPEC 2.9. */
void agent_view_unseen(struct agent *a, uint64_t *counts, uint64_t *unseen_listeners);
/* The host's horizons, shortest first: their number, and *ret. */
size_t agent_view_horizons(struct agent *a, const uint64_t **ret);
/* Index of the service named @name, or -ENOENT. */
int agent_find(struct agent *a, const char *name);
struct controller *agent_controller(struct agent *a);

#define AGENT_MAX_FOR_DAYS   3650 /* of a mode or freeze */
#define AGENT_MAX_LASTS_DAYS 366  /* of an event; policies have the same bound */
#define AGENT_MAX_FOR_NS     (AGENT_MAX_FOR_DAYS * S_PER_DAY * NS_PER_S)
#define AGENT_MAX_LASTS_NS   (AGENT_MAX_LASTS_DAYS * S_PER_DAY * NS_PER_S)

/*
 * Actions. 0, or a negative errno with a line in @e that says what to do. A duration of 0 is "until
 * told otherwise". A NULL service is all of them.
 */
int agent_reload(struct agent *a, struct err *e);
/* Then back to the mode that lasts, the one last asked for without an end; where @enforce is that
 * one, no end is set. */
int agent_mode(struct agent *a, bool enforce, uint64_t for_ns, struct err *e);
int agent_freeze(struct agent *a, uint64_t for_ns, struct err *e); /* 0: thaw */
int agent_adopt(struct agent *a, const char *service, struct err *e);
int agent_yield(struct agent *a, const char *service, struct err *e);
int agent_event_add(struct agent *a, const char *service, const char *name, int64_t starts_real_ns,
		    uint64_t lasts_ns, double multiplier, int64_t *id, struct err *e);
int agent_event_remove(struct agent *a, int64_t id, struct err *e);

struct view_event {
	int64_t id; /* 0: from a policy file */
	const char *service, *name;
	int64_t starts_real_ns;
	uint64_t lasts_ns;
	double multiplier; /* NAN: learned */
};
size_t agent_n_events(struct agent *a);
void agent_view_event(struct agent *a, size_t i, struct view_event *ret);

/*
 * Switches to observe and gives every baseline back (memory by the guarded shrink); @done is called
 * once, from the loop, with the number of knobs restored and refused.
 */
int agent_restore(struct agent *a, const char *service,
		  void (*done)(void *arg, unsigned int restored, unsigned int refused), void *arg,
		  struct err *e);

#endif
