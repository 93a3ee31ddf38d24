/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker.h - the unprivileged half of the agent: its state, and what its files do for each other.
 */
#ifndef FORESHAPE_WORKER_H
#define FORESHAPE_WORKER_H

#include <systemd/sd-event.h>

#include "agent/agent.h"
#include "agent/api.h"
#include "agent/counters.h"
#include "agent/models.h"
#include "agent/probe.h"
#include "agent/routes.h"
#include "agent/store.h"
#include "agent/tape.h"
#include "agent/worker/collect.h"
#include "agent/worker/mode.h"
#include "agent/worker/window.h"
#include "agent/base/cleanup.h"
#include "policies/policy.h"
#include "shaping/knobs/htb.h"
#include "shaping/order.h"
#include "shaping/tick.h"

#define WORKER_TICK_NS      NS_PER_S
#define WORKER_GUARD_NS     (100 * NS_PER_MS)
#define WORKER_MAX_DEGRADED 16
#define WORKER_MAX_PENDING  1024
#define WORKER_MAX_EVENTS   256
#define WORKER_MINUTE_TICKS 60 /* between records of forecasts and objectives */

/* How the keeper starts a worker; all strings are the process's own arguments. */
struct worker_conf {
	bool enforce;
	const char *policies_dir;
	const char *db_path;
	const char *boot_id;
	int keeper_pid;
	bool packets;           /* the maps of the packet programs were passed */
	bool names;             /* were passed: whose the counters are */
	const char *no_packets; /* why the programs are not loaded; NULL: they are */
};

/* One service: its policy, its cgroup now, what it uses, what its knobs are. */
/* How many anomalies of a series were found by the last look, by clock. */
#define WORKER_CLOCKS 2
struct worker_seen {
	bool known; /* there was a look */
	uint64_t count[WORKER_CLOCKS];
};

/* What the plan cannot resolve, and since when that is so or not. */
struct worker_alert {
	bool on;
	unsigned int ticks; /* in a row that it was otherwise */
	char text[160];
};

struct worker_service {
	const struct policy_service *policy;
	uint32_t target; /* the keeper's number of it; kept over reloads by name */
	uint32_t number; /* its place in the packet programs' maps */
	char cgroup[ORDER_PATH_MAX];
	bool systemd;  /* its cgroup belongs to systemd: measured, not written yet */
	bool present;  /* the cgroup is there */
	bool declared; /* the keeper knows this incarnation */
	bool attached; /* its packets are counted */
	uint64_t cgroup_id;
	uint32_t hierarchies; /* as answer.hierarchies */

	struct collect_group *group; /* NULL while absent */
	struct collect_sample before, guard_before;
	struct tick_service tick;
	struct tick_service guard;

	size_t n_apis;                         /* of the policy, "other" not counted */
	struct tick_api *apis;                 /* [n_apis + 1] */
	uint32_t *rows;                        /* [n_apis + 1] */
	struct window *windows;                /* [n_apis + 1] */
	char (*routes)[POLICY_ROUTE_MAX + 20]; /* [n_apis + 1] as shown */
	struct worker_seen *seen;              /* [n_apis + 2], the CPU's last */
	uint64_t wire_bytes_before;
	double tx_bits_per_s;

	uint64_t last_value[KNOB_COUNT]; /* last decision recorded, with its reason */
	uint16_t last_reason[KNOB_COUNT];
	int64_t decision_id[KNOB_COUNT];
	uint32_t in_flight_knobs;  /* bit k: an order for it is under way */
	uint32_t unsupported;      /* bit k: this host has no such knob here */
	bool link_ready;           /* its interface has our tree */
	uint64_t unseen_listeners; /* its processes hold them, the programs cannot see them */
	struct worker_alert alert; /* of its CPU */
};

/* An order that is not answered yet. */
struct worker_pending {
	uint32_t seq;
	struct order order;
	struct plan_entry entry; /* SET */
	int64_t decision_id;
	void *arg; /* of done; freed by it */
	void (*done)(struct agent *a, const struct worker_pending *p, const struct answer *ans);
};

/* A restore a person asked for. */
struct worker_restore {
	void (*done)(void *arg, unsigned int restored, unsigned int refused);
	void *arg;
};

struct agent {
	struct worker_conf conf;
	int64_t started_real_ns;
	uint64_t started_mono_ns;
	bool enforce;     /* in force: not while there is no policy */
	struct mode mode; /* asked for */

	sd_event *loop;
	int orders_fd;
	int policies_fd;
	struct api *api;
	struct store *store;
	struct counters *counters; /* NULL: packets are not counted */
	struct collect *collect;
	struct jobs *jobs;
	struct host_facts facts;

	struct policy_set *set;
	struct rows *rows; /* given out to APIs; stable over reloads */
	struct controller *controller;
	const struct plan *plan;
	struct worker_service *services; /* [set->n_services] */
	size_t n_services;
	uint8_t target_use[ORDER_MAX_TARGETS]; /* enum target_use */
	struct tape tape;                      /* all that the planner is told */
	int64_t tape_begun_real_ns;
	uint64_t tape_begun_mono_ns, tape_parts; /* without those of its first state */
	struct tape_bytes tape_state;            /* the rest of which is still to be kept ... */
	size_t tape_state_kept;                  /* ... after so much of it */
	struct models models;
	struct tick_input input;
	struct tick_service *tick_services; /* [n_services], what tick_once gets */

	char attached[ORDER_MAX_TARGETS][ORDER_PATH_MAX];
	size_t n_attached;
	char links[POLICY_MAX_LINKS][POLICY_IFNAME_MAX];
	bool link_asked[POLICY_MAX_LINKS];
	size_t n_links;

	struct worker_pending *pending; /* [WORKER_MAX_PENDING], seq 0 is free */
	uint32_t next_seq;

	struct store_known_event events[WORKER_MAX_EVENTS];
	size_t n_events;

	char degraded[WORKER_MAX_DEGRADED][200];
	const char *degraded_list[WORKER_MAX_DEGRADED];
	size_t n_degraded;
	char policy_problem[200]; /* of the last reload; "" when it was fine */
	char packets_problem[200];
	char write_problem[200]; /* of the last write that failed, until one does not */
	struct worker_alert memory_alert;
	int hook_fd; /* -1: nobody to run it */
	uint64_t host_used_us;
	uint64_t last_tick_mono_ns, last_guard_mono_ns;
	uint64_t n_ticks;
	struct {
		uint64_t stamp,
			tick; /* what they were when they were read last, and when that was */
		pid_t child;  /* 0: none reads */
		int fd;       /* its answer */
		sd_event_source *source;
		char *answer; /* so far */
		size_t n, room;
	} calendars;
	bool stopping;
};

/* alerts.c: once a second, after the plan. */
void alerts_watch(struct agent *a);

/*
 * hook.c: before the worker gives up its rights, a process that runs host.yaml's alert_hook for it;
 * it ends with the worker. Then: "PATH alert|over SERVICE RESOURCE TEXT", where there is one;
 * returns at once.
 */
int hook_start(struct agent *a, uid_t uid, gid_t gid, struct err *e);
void hook_call(struct agent *a, bool over, const char *service, const char *resource,
	       const char *text);

/* services.c: from policies to services, their cgroups coming and going. */
int services_find_dir(struct agent *a, struct err *e);
int services_load(struct agent *a, bool first, struct err *e);
void services_watch(struct agent *a); /* once a second: presence, attachment, links */
void services_free(struct agent *a);
uint32_t services_knobs(const struct worker_service *s); /* bits of the knobs it can have */

/* attach.c: the packet programs at the outermost cgroups, owners and priorities in the maps. */
void attach_reconcile(struct agent *a); /* services or their cgroups are others now */
void attach_publish(struct agent *a);   /* priorities are */
/* Asks about the unseen listeners of one service a second, in turn. */
void attach_look(struct agent *a);

/* links.c: the HTB trees of the interfaces policies name. */
void links_reconcile(struct agent *a);
/* A service without a class yet has no rate and no bound: known, so that it is planned. */
void links_known(struct worker_service *s);

/* orders.c: to the keeper and back. */
int orders_init(struct agent *a, struct err *e);
/* Sends @p->order (seq filled in) and remembers @p until the answer. 0 or -errno. */
int orders_send(struct agent *a, const struct worker_pending *p);

/* cmd_worker.c: ends this process soon, come what may. */
void worker_hurry(void);

/* ticker.c: the guard's 100 ms and the planner's second. */
int ticker_init(struct agent *a, struct err *e);

/* carry.c: a plan entry to an order, its answer to history. */
void carry_entry(struct agent *a, const struct plan_entry *entry);
void carry_read_knobs(struct agent *a, struct worker_service *s);
void carry_given_back(struct agent *a, struct worker_service *s); /* and record what changed */

/* record.c: what goes into history. */
void record_second(struct agent *a);
void record_anomalies(struct agent *a);
int64_t record_decision(struct agent *a, const struct plan_entry *entry);
void record_event(struct agent *a, const char *kind, const char *service, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* jobs.c: model fits on a thread of their own. */
int jobs_new(struct agent *a, struct jobs **ret, struct err *e);
void jobs_free(struct jobs *j);
void jobs_offer(struct jobs *j); /* starts the fits that are due, one of a kind at a time */
void jobs_move(struct jobs *j);  /* after a reload: a fit under way goes to the new controller */

bool jobs_idle(const struct jobs *j);

/* tapes.c: what the planner is told goes into history. Right before a tick; after it; at the end.
 */
void tapes_begin(struct agent *a, uint64_t now_mono_ns, int64_t now_real_ns);
void tapes_flush(struct agent *a);
void tapes_end(struct agent *a);

/* events.c: known events from policies, history and people. */
void events_load(struct agent *a);
void events_apply(struct agent *a); /* tells the controller all of them */
void events_renew(struct agent *a); /* the same, after it forgot those it knew */

/*
 * calendars.c: once a second; has a process read those of policies that changed, and all from time
 * to time. It is stopped where policies are others, and all are read anew.
 */
void calendars_watch(struct agent *a);
void calendars_stop(struct agent *a);

/* actions.c: what people asked for a while ends. */
void actions_expire(struct agent *a);
/* The mode in force to the keeper, and all that was asked for, for the worker after this one. */
void actions_tell_mode(struct agent *a);

/*
 * privilege.c: what the worker gives up. Before: history files made; after: no way back.
 * privilege_become leaves the right to start programs.
 */
int privilege_user(uid_t *uid, gid_t *gid);
int privilege_become(uid_t uid, gid_t gid, struct err *e);
int privilege_drop(uid_t uid, gid_t gid, struct err *e);

#endif
