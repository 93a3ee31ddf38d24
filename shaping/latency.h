/* SPDX-License-Identifier: GPL-2.0-or-later */
/* latency.h - how many requests a CPU limit would make late, from what arrives and what it costs.
 */
#ifndef FORESHAPE_LATENCY_H
#define FORESHAPE_LATENCY_H

/* One step of a service. */
struct latency_load {
	double rate_per_s; /* requests that arrive */
	double cost_s;     /* CPU time of one; above 0 */
	double other_mcpu; /* used by what is no request */
	double limit_mcpu;
	double seconds; /* that it lasts; above 0 */
};

/* What a service's requests wait for, carried from step to step; all 0 before the first. */
struct latency_queue {
	double backlog_s; /* CPU time */
	double busy_s;    /* for how long most of the limit was used */
};

/*
 * The share of the requests of a step, 0..1 (0 of none), that take longer than @latency_s because
 * of the limit. Requests are taken to come at random, to cost the same each, to be served in their
 * order by as many threads as are of use on CPUs that are free, and to wait for nothing but CPU
 * time. Values that are not finite or out of range give NAN, and leave @q.
 */
double latency_late(const struct latency_load *l, double latency_s, struct latency_queue *q);

#endif
