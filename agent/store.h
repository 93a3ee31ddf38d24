/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - the history: one SQLite file, one writing connection on its own thread, so that neither
 * SQL nor fsync is ever waited for by the loop.
 */
#ifndef FORESHAPE_STORE_H
#define FORESHAPE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/err.h"
#include "forecast/forecast.h"
#include "shaping/knob.h"

struct store;

struct store_conf {
	const char *path; /* of history.db */
	const char *boot_id;
	uint64_t second_ns, minute_ns, hour_ns; /* retention of the three rollups */
	uint64_t max_bytes;                     /* of the file; oldest samples go first */
};

/*
 * Makes FILE, FILE-wal and FILE-shm with owner @uid, group @gid, mode 0640 and the schema, so that
 * a process of that user can go on with it and readers of another user can read it. A damaged file
 * is set aside as FILE.corrupt-TIME first. A directory that is made, and /var/lib/foreshape while
 * it is as install made it, gets that owner too. Run before privileges are dropped. Returns 0 or
 * -errno.
 */
int store_prepare(const char *path, uid_t uid, gid_t gid, struct err *e);

/*
 * Starts the writing thread. Always gives a store, also when the file cannot be used: records are
 * then counted as lost, a later attempt may succeed, and store_degraded says why. Returns 0,
 * -ENOMEM or -EAGAIN (no thread).
 */
int store_open(const struct store_conf *conf, struct store **ret, struct err *e);
/* Writes what is queued (waiting at most 2 s for a disk that does not answer), checkpoints, closes.
 */
void store_close(struct store *s);
void store_closep(struct store **s);

/*
 * Waits until all that was recorded before the call is on disk. Returns 0, or -ETIMEDOUT after
 * @timeout_ms. Not for the loop.
 */
int store_flush(struct store *s, unsigned int timeout_ms);

/* One line when history is not being kept as it should, or was set aside; NULL when all is well.
 * Valid until the next call. */
const char *store_degraded(struct store *s);
uint64_t store_lost(struct store *s); /* records lost since start */

/*
 * The records. All copy what they are given into a bounded queue and return at once; where it is
 * full the record is counted as lost, and an event of kind "gap" says how many and since when as
 * soon as one can be written. While the disk fails, samples are lost and the audit (decisions,
 * writes, events, baselines) waits in 1 MiB. UNLIMITED values are kept as NULL. Texts are copied.
 */
struct store_sample { /* one service, one second */
	int64_t at_real_ns;
	const char *service;
	const char *route; /* NULL: the service as a whole (CPU, memory, network) */
	/* Service rows; NAN where not measured. */
	double cpu_mcpu, throttled_ratio, memory_bytes, tx_bits_per_s, psi_cpu, psi_memory, psi_io;
	double working_set_bytes;
	/* Route rows. */
	uint64_t requests, responses[5], aborted, bytes_in, bytes_out;
	double in_flight, ttfb_p50_us, ttfb_p99_us, total_p50_us, total_p99_us, cpu_us_per_request;
};
void store_sample(struct store *s, const struct store_sample *sample);

struct store_forecast {
	int64_t at_real_ns;
	const char *service, *series; /* "cpu_mcpu", or a route (requests per second) */
	uint64_t horizon_ns;
	uint64_t step_ns; /* of its clock: 1 s, 1 min, 1 h; 0: by the horizon (< 5 min, <= 24 h,
			     more) */
	const struct forecast *f;
};
/* What came of it is filled in by the history itself once the step is over; once a minute is
 * plenty. */
void store_forecast(struct store *s, const struct store_forecast *f);

struct store_forecast_model { /* once an hour is plenty */
	int64_t at_real_ns;
	const char *service, *series; /* as of a forecast */
	uint64_t horizon_ns;
	const char *model;
	double weight, loss; /* of the combination at that horizon; mean pinball loss, log scale */
};
void store_forecast_model(struct store *s, const struct store_forecast_model *m);

struct store_demand { /* the largest use within the lead; once a minute is plenty */
	int64_t at_real_ns;
	const char *service, *resource; /* "cpu_mcpu", "memory_bytes" or "tx_bits_per_s" */
	uint64_t lead_ns;
	double weight_apis; /* of what the APIs' forecasts say; the rest is the direct one's */
	const struct forecast *f;
};
/* What came is filled in by the history itself once the lead is over. */
void store_demand(struct store *s, const struct store_demand *d);

struct store_slo { /* once a minute is plenty */
	int64_t at_real_ns;
	const char *service, *route; /* route NULL: the service's own objective */
	double objective;            /* a fraction, as attained */
	uint64_t latency_us;
	double attained, burn_rate; /* NAN: no traffic */
};
void store_slo(struct store *s, const struct store_slo *slo);

struct store_decision { /* a knob that is to change; observe mode records them too */
	int64_t at_real_ns;
	const char *service, *knob, *reason, *mode; /* mode: "observe" or "enforce" */
	uint64_t before, value;
	const char *inputs_json, *refused_json, *policy; /* policy: "file:line" */
};
/* Returns the id writes refer to; ids grow over restarts. */
int64_t store_decision(struct store *s, const struct store_decision *d);

struct store_write { /* what reached the kernel; FULL synchronous, but for loans */
	int64_t at_real_ns;
	int64_t decision_id; /* 0: none (restore, guard) */
	const char *service, *knob, *reason;
	uint64_t before, after, asked;
	int err; /* 0 or a positive errno */
};
void store_write(struct store *s, const struct store_write *w);

/* kind: "start", "stop", "reload", "mode", "foreign_write", "gap", "anomaly", "slo", "attach", ...
 */
void store_event(struct store *s, int64_t at_real_ns, const char *kind, const char *service,
		 const char *text);

void store_baseline(struct store *s, int64_t at_real_ns, const char *service, const char *cgroup,
		    const char *knob, uint64_t value);

/* Model state by key; written off the loop, read at start. False: the queue has no room for it.
 * *ret is malloc'ed; -ENOENT: none. */
bool store_state(struct store *s, const char *key, const void *bytes, size_t size);
int store_state_load(const char *path, const char *key, void **ret, size_t *size, struct err *e);

/*
 * One part of what a planner was told (agent/tape.h): part 0 is its state at the begin. Copied; a
 * part that is lost ends what can be told again.
 */
struct store_tape {
	int64_t begun_real_ns, at_real_ns;
	uint64_t part;
	const void *bytes;
	size_t size;
};
void store_tape(struct store *s, const struct store_tape *t);

/* A known future event that a person added ("foreshape event add"). */
struct store_known_event {
	int64_t id;
	char service[64], name[64];
	int64_t starts_real_ns;
	uint64_t lasts_ns;
	double multiplier; /* NAN: learn it */
};
int64_t store_known_event_add(struct store *s, const struct store_known_event *ev);
void store_known_event_remove(struct store *s, int64_t id);
/* At start: those not yet past @now. Returns their number (calls @each for them) or -errno. */
int store_known_events(const char *path, int64_t now_real_ns,
		       void (*each)(const struct store_known_event *ev, void *arg), void *arg,
		       struct err *e);

#endif
