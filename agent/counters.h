/* SPDX-License-Identifier: GPL-2.0-or-later */
/* counters.h - the unprivileged side of the maps: read the counters, publish owners and routes. */
#ifndef FORESHAPE_COUNTERS_H
#define FORESHAPE_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/probe.h"
#include "bpf/abi.h"

struct counters;

/*
 * Maps what probe_fds gave into this process, which needs no capability. @fds are duplicated, not
 * kept. Returns 0 and *ret (counters_free), or a negative errno.
 */
int counters_open(const int fds[PROBE_MAPS], struct counters **ret, struct err *e);
void counters_free(struct counters *c);
void counters_freep(struct counters **c);

/* One API's totals since its row was given; every field only grows. */
struct counters_totals {
	uint64_t requests, responses[5] /* as struct fsh_row: [0] is 101, [1] 2xx */;
	uint64_t done, aborted, interim, upgrades, bytes_in, bytes_out;
	uint64_t ttfb_sum_ns, total_sum_ns;
};

struct counters_hist {
	uint32_t ttfb[FSH_HIST_SLOTS], total[FSH_HIST_SLOTS];
};

/*
 * Reads row @row < FSH_MAX_ROWS without its histograms: a few loads; no system call but the first
 * time, which maps it and its neighbours (0.3 MB).
 */
void counters_read(const struct counters *c, uint32_t row, struct counters_totals *ret);

/* Reads its histograms (5 KB): worth it when done or responses moved. */
void counters_read_hist(const struct counters *c, uint32_t row, struct counters_hist *ret);

/* Requests that wait for their response; never negative, whatever order the fields were read in. */
uint64_t counters_in_flight(const struct counters_totals *t);

/* Service @service's counters of what was not attributed, and its traffic. */
void counters_read_unseen(const struct counters *c, uint32_t service, struct fsh_unseen_row *ret);
void counters_read_traffic(const struct counters *c, uint32_t service, struct fsh_traffic *ret);

/* "tls" for FSH_UNSEEN_TLS; NULL past the end. */
const char *counters_unseen_name(unsigned int reason);

/* Sets a row's (a service's) counters back to 0, for rows_assign's clear. @c is a struct counters.
 */
void counters_clear_row(void *c, uint32_t row);
void counters_clear_service(void *c, uint32_t service);

/*
 * For rows_assign's back: what waited for a response when the service left counts as aborted, since
 * nobody saw how it ended. A connection that outlived that time begins with nothing pending.
 */
void counters_settle_row(void *c, uint32_t row);
void counters_settle_service(void *c, uint32_t service);

/*
 * Puts @table in force: written into the inner map that is not, then swapped. Generations must
 * differ from one to the next. Returns 0 or a negative errno.
 */
int counters_publish(struct counters *c, const struct fsh_route_table *table, struct err *e);

/*
 * Tells the programs what @service is: its sockets' packets get @priority where not 0, unmatched
 * requests go to @other_row; inactive, nothing of it is counted (from counters_owners_changed on).
 * Returns 0 or a negative errno.
 */
int counters_set_service(struct counters *c, uint32_t service, bool active, uint32_t priority,
			 uint32_t other_row, struct err *e);

/*
 * Makes @service the owner of the sockets of cgroup @cgroup_id (st_ino of its directory in the
 * unified hierarchy) and below: of the connections to @ports alone when @n_ports is not 0, others
 * being counted as other_port unless another service has them. Of services that share a cgroup the
 * first keeps its outgoing connections. counters_disown takes back every entry @keep is not true
 * of. New connections meet what is there; others look again at counters_owners_changed. So that
 * none begins as nobody's, own first, disown then, and own once more: of a cgroup shared, the entry
 * of every port may have been another's that went. Return 0 or a negative errno.
 */
typedef bool counters_keep(const void *arg, uint64_t cgroup_id, uint16_t port, uint32_t service);
int counters_own(struct counters *c, uint64_t cgroup_id, const uint16_t *ports, size_t n_ports,
		 uint32_t service, struct err *e);
int counters_disown(struct counters *c, counters_keep *keep, const void *arg, struct err *e);

/* Makes every socket look for its owner again at its next packet. Returns 0 or a negative errno. */
int counters_owners_changed(struct counters *c, struct err *e);

/* Latency distribution from the growth between two readings of one histogram; NAN when there is
 * none. */
struct counters_latency {
	double p50_us, p90_us, p99_us, p999_us, mean_us, max_us;
	uint64_t n;
};

/*
 * @before and @after are FSH_HIST_SLOTS counters that only grew (by less than 2^32); @sum_ns is the
 * growth of the sum that goes with them. A bucket [a, b) counts as 2ab/(a+b), within 3.03 % of what
 * was in it; max is that of the highest bucket.
 */
void counters_latency(const uint32_t *before, const uint32_t *after, uint64_t sum_ns,
		      struct counters_latency *ret);

/* What slot @slot stands for, in ns. */
double counters_slot_ns(unsigned int slot);

#endif
