/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy.h - what the policy files say, after parsing: services, their APIs, the host. */
#ifndef FORESHAPE_POLICY_H
#define FORESHAPE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/base/util.h"

#define POLICY_MAX_SERVICES 256
#define POLICY_MAX_APIS     1000 /* a service */
#define POLICY_MAX_ROWS                                                                            \
	2048 /* APIs of all services and one "other" each: what the kernel counts                  \
	      */
#define POLICY_MAX_PORTS     16
#define POLICY_MAX_EVENTS    64 /* a service */
#define POLICY_MAX_CALENDARS 8
#define POLICY_MAX_LINKS     16
#define POLICY_MAX_HORIZONS  8
#define POLICY_MAX_FILES     256
#define POLICY_MAX_BYTES     (256 * KIB) /* a file */

#define POLICY_AUTO       0 /* of a number whose range is above: left to the agent */
#define POLICY_NAME_MAX   64
#define POLICY_PATH_MAX   256
#define POLICY_ROUTE_MAX  256
#define POLICY_IFNAME_MAX 16

enum tier { TIER_GOLD, TIER_SILVER, TIER_BRONZE, TIER_COUNT };

/* "gold", "silver", "bronze". */
const char *tier_name(enum tier tier);

/* Where a key stands: @file is the file's name as given, owned by the policy set. */
struct policy_pos {
	const char *file; /* NULL: a default, not written anywhere */
	uint32_t line;    /* from 1 */
	uint32_t column;  /* from 1 */
};

struct policy_slo {
	bool set;
	double objective;    /* fraction in (0, 1) */
	uint64_t latency_us; /* of the total, first byte in to last byte out */
	uint64_t window_s;
	struct policy_pos at;
};

struct policy_api {
	char method[16];              /* "GET"; "*" is any */
	char route[POLICY_ROUTE_MAX]; /* "/v1/orders/{id}", "/static/" + "*" */
	enum tier tier;               /* the service's where not given */
	bool tier_given;
	struct policy_slo slo;
	struct policy_pos at;
};

struct policy_event {
	char name[POLICY_NAME_MAX];
	int64_t starts_real_ns;
	uint64_t lasts_ns;
	int64_t ends_real_ns; /* the other way to say how long it lasts; 0 where not given */
	double multiplier;    /* NAN where not given: to be learned */
	struct policy_pos at;
};

enum cpu_mode { CPU_RESERVE, CPU_CAP };

struct policy_cpu {
	uint64_t floor_mcpu;   /* 0 where not given */
	uint64_t ceiling_mcpu; /* UNLIMITED where not given */
	enum cpu_mode mode;
	struct policy_pos at, floor_at, ceiling_at;
};

/* Whose cold memory is given back before anybody needs it. */
enum memory_reclaim { RECLAIM_BRONZE, RECLAIM_ALWAYS, RECLAIM_NEVER };

struct policy_memory {
	uint64_t floor_bytes;   /* 0 where not given */
	uint64_t ceiling_bytes; /* UNLIMITED where not given */
	enum memory_reclaim reclaim;
	struct policy_pos at, floor_at, ceiling_at;
};

struct policy_bandwidth {
	char interface[POLICY_IFNAME_MAX]; /* "" where not given: bandwidth is not shaped */
	uint64_t floor_bits_per_s;         /* 0 where not given */
	uint64_t ceiling_bits_per_s;       /* UNLIMITED where not given */
	struct policy_pos at, floor_at, ceiling_at;
};

struct policy_forecast {
	uint64_t lead_ns;  /* POLICY_AUTO: at least 30 s, learned; also where not given */
	double quantile;   /* NAN where not given: the tier's */
	double short_cost; /* of a step, in means of the use; NAN where not given: by quantile */
	struct policy_pos at;
};

struct policy_service {
	char name[POLICY_NAME_MAX];
	char tenant[POLICY_NAME_MAX]; /* "" where not given */
	enum tier tier;               /* with auto_tier: where it starts (tier_min) */
	bool auto_tier;
	enum tier tier_min, tier_max; /* of auto: lowest (bronze) and highest (gold) */
	enum tier tier_range[2];      /* as written; use tier_min and tier_max */
	size_t n_tier_range;
	double weight; /* within the tier; 1 where not given */

	char unit[POLICY_PATH_MAX];   /* match by systemd unit; "" where not given */
	char cgroup[POLICY_PATH_MAX]; /* match by path below each hierarchy's root, starts with "/"
				       */
	uint16_t ports[POLICY_MAX_PORTS];
	size_t n_ports; /* 0: every port */

	struct policy_slo slo;
	struct policy_api *apis;
	size_t n_apis;
	struct policy_cpu cpu;
	struct policy_memory memory;
	struct policy_bandwidth bandwidth;
	struct policy_forecast forecast;
	struct policy_event *events;
	size_t n_events, n_own_events; /* its own come first, then the next ones of its calendars */
	char calendars[POLICY_MAX_CALENDARS][POLICY_NAME_MAX]; /* names of files beside this one */
	size_t n_calendars;
	struct policy_pos at, match_at; /* of the service and the match key */
};

struct policy_tier {
	double quantile;       /* 0.99, 0.95, 0.80 */
	uint64_t cpu_weight;   /* at rest: 400, 200, 50 (cpu.weight, 1..10000) */
	uint64_t io_weight;    /* 400, 200, 50 (io.weight, 1..10000) */
	uint64_t ceiling_mcpu; /* all services of the tier; UNLIMITED where not given */
};

struct policy_link {
	char interface[POLICY_IFNAME_MAX];
	uint64_t rate_bits_per_s;
	struct policy_pos at;
};

struct policy_retention {
	uint64_t second_ns, minute_ns, hour_ns; /* 1 h, 30 d, 5 * 365 d */
};

struct policy_host {
	uint64_t reserve_mcpu;  /* kept free of the plan; 5 % of a CPU per CPU where not given =
				   UNLIMITED */
	uint64_t reserve_bytes; /* of memory; UNLIMITED where not given: 5 % */
	struct policy_tier tiers[TIER_COUNT];
	struct policy_link links[POLICY_MAX_LINKS];
	size_t n_links;
	uint64_t horizons_ns[POLICY_MAX_HORIZONS]; /* 30 s, 5 min, 1 h, 24 h, 7 d */
	size_t n_horizons;
	struct policy_retention retention;
	uint64_t writes_per_minute; /* knobs written on the host; 600 */
	double deadband;            /* smaller changes are not written; 0.05 */
	uint64_t dwell_ns;          /* a lowering waits this long after the last change; 10 s */
	double max_step;            /* largest lowering at once, as a fraction; 0.25 */
	double target_utilisation;  /* of planned CPU before feedback has learned it; 0.7 */
	double throttle_target;     /* throttled share of periods the fast guard accepts; 0.02 */
	char alert_hook[POLICY_PATH_MAX]; /* "" where not given */
	struct policy_pos at;
};

struct policy_set {
	struct policy_host host;
	struct policy_service *services; /* sorted by name */
	size_t n_services;
	char **files; /* the names policy_pos.file point into */
	size_t n_files;
};

/* One finding: an error or a warning at a place, with the line's text for the caret. */
struct policy_error {
	char file[POLICY_PATH_MAX];
	uint32_t line, column; /* 0: the file as a whole */
	bool warning;
	char text[512];   /* "unknown key 'cpu_flor', did you mean 'cpu_floor'?" */
	char source[256]; /* the line itself, long ones a part of it; "" where there is none */
	uint32_t caret;   /* the character of @source meant, from 1; 0: none */
};

struct policy_errors {
	struct policy_error *list;
	size_t n;
	size_t n_errors; /* of which not warnings */
	size_t skipped;  /* more than is kept */
};

/*
 * Loads host.yaml (@host_fd, -1: defaults) and the service policies from the @n open files; @names
 * are what errors and policy_pos say. Sets nothing on the host; all findings go to @errors, which
 * the caller frees with policy_errors_free. Returns 0 and *ret (policy_set_free), or -EINVAL with
 * at least one error in @errors, -ENOMEM. Cross-file checks included: duplicate names, infeasible
 * floors against @capacity_mcpu and @memory_bytes (0: not checked), the same cgroup and port twice.
 */
struct policy_input {
	const char *name;
	int fd;         /* read from its start; not closed */
	bool is_host;   /* host.yaml */
	bool strict;    /* as policy_load_dir: what others could write is no calendar */
	int dir_fd;     /* what @at is relative to */
	const char *at; /* the file's path, beside which its calendars are; NULL: there are none */
	bool calendars_later; /* they are named, not read: policy_calendars_reread does that */
	int64_t now_real_ns;  /* events over before then do not count; 0: the time of the call */
};
int policy_load(const struct policy_input *in, size_t n, uint64_t capacity_mcpu,
		uint64_t memory_bytes, struct policy_set **ret, struct policy_errors *errors);

/*
 * As policy_load for all "*.yaml" in directory @dir_fd (named @dir in errors), in order of name;
 * "host.yaml" in it, or @host_file when not NULL, is the host's file. Files must be regular,
 * owned by root, not writable by group or others, not symbolic links: with @strict that is an
 * error, else a warning. An empty or missing directory gives an empty set and returns 0.
 * @calendars_later: as in struct policy_input.
 */
int policy_load_dir(int dir_fd, const char *dir, const char *host_file, bool strict,
		    bool calendars_later, uint64_t capacity_mcpu, uint64_t memory_bytes,
		    struct policy_set **ret, struct policy_errors *errors);

/*
 * Reads the calendars of all services of @set anew, below directory @dir_fd, strictly: the events
 * of those from now on are others afterwards. A service with one that cannot be read, or all in a
 * directory that is not root's alone, keep what they have, and errors go to @errors. Returns 0, or
 * -EINVAL where there are some.
 */
int policy_calendars_reread(struct policy_set *set, int dir_fd, struct policy_errors *errors);

/*
 * Replaces the events of @s that came from calendars by the @n of @list, as far as there is room.
 * Returns 0 or -ENOMEM.
 */
int policy_calendars_replace(struct policy_service *s, const struct policy_event *list, size_t n);

/* Those of the services of @from to services of the same name and calendars in @to. 0 or -ENOMEM.
 */
int policy_calendars_hand_on(const struct policy_set *from, struct policy_set *to);

/*
 * Another number when one of the calendars of @set below @dir_fd is another file or was written, or
 * the directory is somebody else's or others may write it; 0: it has none.
 */
uint64_t policy_calendars_stamp(const struct policy_set *set, int dir_fd);

void policy_set_free(struct policy_set *set);
void policy_set_freep(struct policy_set **set);
void policy_errors_free(struct policy_errors *errors);

/* Sets @ret to the defaults of host.yaml. */
void policy_host_defaults(struct policy_host *ret);

/*
 * Why the unit or cgroup ("/a/b", below a hierarchy's root) of this name is never shaped ("it holds
 * sshd"): init, sshd, dbus, systemd's own, foreshape's, and what holds them. NULL: it may be.
 */
const char *policy_unit_refused(const char *unit);
const char *policy_cgroup_refused(const char *cgroup);

/* Prints foreshape-policy(5), in the man macros, from the table of keys. */
void policy_schema_print_man(FILE *out);

/* Prints every key, one a line ("cpu.floor  a number of CPUs, 0 to 4096, default none"). */
void policy_schema_print_keys(FILE *out);

/*
 * Prints what the key at dotted @path ("cpu.floor", "apis.route"; of host.yaml "host.reserve.cpu")
 * means, its range, default and an example. Returns 0 or -ENOENT.
 */
int policy_explain_key(FILE *out, const char *path);

/*
 * Writes one finding as people read it to @buf: "a.yaml:14:11: unknown key ...", the source line
 * and a caret under the column. Returns @buf.
 */
char *policy_error_format(const struct policy_error *e, char *buf, size_t size);

/*
 * Writes the first error of @errors (the first warning where there is none) to @buf in one line,
 * without the source line. Returns @buf, "" where nothing was found.
 */
char *policy_errors_first(const struct policy_errors *errors, char *buf, size_t size);

#endif
