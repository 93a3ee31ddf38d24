/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cost.h - what one request of an API costs its service, learned online: CPU, bytes, memory. */
#ifndef FORESHAPE_COST_H
#define FORESHAPE_COST_H

#include <stddef.h>
#include <stdint.h>

#define COST_MAX_APIS 64 /* the busiest of a service; the rest shares the last one */

struct cost;

/* @n_apis of 1..COST_MAX_APIS. Returns 0 and *ret (cost_free), -EINVAL, -ENOMEM. */
int cost_new(size_t n_apis, struct cost **ret);
void cost_free(struct cost *c);
void cost_freep(struct cost **c);

/* One interval: what was used and what was served in it. NAN where not measured. */
struct cost_sample {
	double seconds;
	double cpu_us;
	double memory_bytes;        /* in use at its end */
	const double *requests;     /* [n_apis], finished in the interval, parts of one allowed */
	const double *bytes_out;    /* [n_apis] */
	double in_flight;           /* mean over the interval */
	const double *in_flight_of; /* [n_apis], the same by API; NULL: not measured */
};

/* Non-negative online least squares with a base load; O(n^2) a call, no allocation. */
void cost_observe(struct cost *c, const struct cost_sample *s);

double cost_cpu_us(const struct cost *c, size_t api);    /* per request; NAN: not learned yet */
double cost_bytes_out(const struct cost *c, size_t api); /* per response; NAN: not learned yet */
double cost_base_mcpu(const struct cost *c);             /* load without requests */
double cost_memory_base_bytes(const struct cost *c);     /* NAN: not learned yet */
double cost_memory_per_in_flight_bytes(const struct cost *c);
/* How long a request is in flight, by Little's law: L = lambda W. NAN: not learned yet. */
double cost_in_flight_s(const struct cost *c, size_t api);
/*
 * Standard error of the CPU (mcpu) these costs give for @requests_per_s [n_apis], base load
 * included, from how well each is known: s^2 f' A^-1 f of least squares. Values that are not finite
 * or negative count as 0. O(n^3 / 6). NAN: not learned yet.
 */
double cost_cpu_error_mcpu(const struct cost *c, const double *requests_per_s);
/* Share of the CPU's variance the model explains, 0..1; NAN: not learned yet. */
double cost_fit(const struct cost *c);

size_t cost_save_size(const struct cost *c);
size_t cost_save(const struct cost *c, void *buf, size_t size);
int cost_load(struct cost *c, const void *buf, size_t size); /* 0 or -EINVAL */

#endif
