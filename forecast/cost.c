// SPDX-License-Identifier: GPL-2.0-or-later
/* cost.c - what a request costs: forgetting, non-negative least squares, solved as it
 * goes. */
#include "forecast/cost.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "forecast/blob.h"

#define MAX_TERMS   (COST_MAX_APIS + 1) /* the APIs, then the base load */
#define FORGET_S    1800.0              /* a sample counts half a little after 20 minutes */
#define RIDGE       1e-4                /* pull to the mean cost, in shares of the mean curvature */
#define WORK        60000 /* products of one solution, which starts from the last one */
#define MAX_SWEEPS  200
#define SETTLE_FROM 60.0 /* samples from which a few sweeps each are enough ... */
#define FEW_SWEEPS  4    /* ... since the next one goes on from there */
#define SETTLED     1e-5 /* of the mean cost: a sweep that moves less is the last */
#define MIN_WEIGHT  30.0 /* requests an API needs before its cost is shown */
#define MIN_SAMPLES 20.0
#define KIND        UINT64_C(0x32747363687366)
#define SANE_MAX    1e18 /* larger inputs are taken as not measured */

/* The state is one flat block: everything in it is a sum that forgets, or the solution. */
struct cost {
	uint64_t n; /* APIs */
	double samples;
	double a[MAX_TERMS][MAX_TERMS]; /* sum of f f' */
	double b[MAX_TERMS];            /* sum of f y */
	double y, yy;                   /* sums of y, y y */
	double x[MAX_TERMS];            /* the solution: CPU-us per request; CPU-us per second */
	double total_cpu, total_requests, total_s;
	double requests[COST_MAX_APIS], answered[COST_MAX_APIS], bytes[COST_MAX_APIS];
	double flown_s[COST_MAX_APIS]; /* requests x seconds in flight */
	double flown[COST_MAX_APIS];   /* requests of the same time */
	double mw, mi, mm, mii, mim;   /* memory: sums of weight, in flight, memory and products */
};

int cost_new(size_t n_apis, struct cost **ret)
{
	struct cost *c;

	if (n_apis < 1 || n_apis > COST_MAX_APIS)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->n = n_apis;
	*ret = c;
	return 0;
}

void cost_free(struct cost *c)
{
	free(c);
}

void cost_freep(struct cost **c)
{
	cost_free(*c);
}

static bool sane(double v)
{
	return v >= 0 && v <= SANE_MAX;
}

/* Multiplies every sum by @keep, so that old samples fade. */
static void forget(struct cost *c, double keep)
{
	double *scalars[] = {&c->samples, &c->y,  &c->yy, &c->total_cpu, &c->total_requests,
			     &c->total_s, &c->mw, &c->mi, &c->mm,        &c->mii,
			     &c->mim};

	for (size_t i = 0; i < ARRAY_SIZE(scalars); i++)
		*scalars[i] *= keep;
	for (size_t i = 0; i <= c->n; i++) {
		for (size_t j = 0; j <= c->n; j++)
			c->a[i][j] *= keep;
		c->b[i] *= keep;
	}
	for (size_t i = 0; i < c->n; i++) {
		c->requests[i] *= keep;
		c->answered[i] *= keep;
		c->bytes[i] *= keep;
		c->flown_s[i] *= keep;
		c->flown[i] *= keep;
	}
}

static void add_cpu(struct cost *c, const double *f, double seconds, double y)
{
	for (size_t i = 0; i <= c->n; i++) {
		if (f[i] == 0)
			continue;
		for (size_t j = 0; j <= c->n; j++)
			c->a[i][j] += f[i] * f[j];
		c->b[i] += f[i] * y;
	}
	c->samples += 1;
	c->y += y;
	c->yy += y * y;
	c->total_cpu += y;
	c->total_s += seconds;
	for (size_t i = 0; i < c->n; i++)
		c->total_requests += f[i];
}

/*
 * Non-negative coordinate descent on the normal equations, each cost pulled a little to the mean
 * one, so that APIs whose traffic always moves together share their cost evenly.
 * Franc, Hlavac, Navara (2005), "Sequential coordinate-wise algorithm for NNLS".
 */
static void solve(struct cost *c)
{
	double mean = c->total_requests > 0 ? c->total_cpu / c->total_requests : 0;
	double base = c->total_requests > 0 ? c->total_s / c->total_requests : 1;
	double pull = 0, moved = INFINITY;
	int most = c->samples > SETTLE_FROM ? FEW_SWEEPS : MAX_SWEEPS;
	int sweeps = (int)fmin(WORK / (double)((c->n + 1) * (c->n + 1)), most);

	for (size_t i = 0; i < c->n; i++)
		pull += RIDGE * c->a[i][i] / (double)c->n;
	for (int sweep = 0; sweep < sweeps && moved > SETTLED * mean; sweep++) {
		moved = 0;
		for (size_t i = 0; i <= c->n; i++) {
			double r = i < c->n ? pull : 0, was = c->x[i];
			double g = c->b[i] + r * mean, far;

			if (c->a[i][i] + r <= 0)
				continue;
			for (size_t j = 0; j < i; j++)
				g -= c->a[i][j] * c->x[j];
			for (size_t j = i + 1; j <= c->n; j++)
				g -= c->a[i][j] * c->x[j];
			g /= c->a[i][i] + r;
			c->x[i] = MAX(g, 0);
			/* The base is per second: what counts is what it makes of a request. */
			far = fabs(c->x[i] - was) * (i < c->n ? 1 : base);
			moved = MAX(far, moved);
		}
	}
}

static void add_answers(struct cost *c, const struct cost_sample *s)
{
	for (size_t i = 0; s->requests && i < c->n; i++) {
		if (!sane(s->requests[i]))
			continue;
		c->requests[i] += s->requests[i];
		if (s->in_flight_of && sane(s->in_flight_of[i])) {
			c->flown_s[i] += s->in_flight_of[i] * s->seconds;
			c->flown[i] += s->requests[i];
		}
		if (!s->bytes_out || !sane(s->bytes_out[i]))
			continue;
		c->answered[i] += s->requests[i];
		c->bytes[i] += s->bytes_out[i];
	}
}

static void add_memory(struct cost *c, const struct cost_sample *s)
{
	if (!sane(s->memory_bytes) || !sane(s->in_flight))
		return;
	c->mw += 1;
	c->mi += s->in_flight;
	c->mm += s->memory_bytes;
	c->mii += s->in_flight * s->in_flight;
	c->mim += s->in_flight * s->memory_bytes;
}

void cost_observe(struct cost *c, const struct cost_sample *s)
{
	double f[MAX_TERMS];

	if (!(s->seconds > 0) || !sane(s->seconds))
		return;
	forget(c, exp(-fmin(s->seconds, FORGET_S) / FORGET_S));
	add_answers(c, s);
	add_memory(c, s);
	if (!sane(s->cpu_us) || !s->requests)
		return;
	for (size_t i = 0; i < c->n; i++) {
		f[i] = s->requests[i];
		if (!sane(f[i]))
			return;
	}
	f[c->n] = s->seconds;
	add_cpu(c, f, s->seconds, s->cpu_us);
	solve(c);
}

double cost_cpu_us(const struct cost *c, size_t api)
{
	if (api >= c->n || c->requests[api] < MIN_WEIGHT || c->samples < MIN_SAMPLES)
		return NAN;
	return c->x[api];
}

double cost_bytes_out(const struct cost *c, size_t api)
{
	if (api >= c->n || c->answered[api] < 1)
		return NAN;
	return c->bytes[api] / c->answered[api];
}

double cost_base_mcpu(const struct cost *c)
{
	return c->x[c->n] / (double)(US_PER_S / MCPU);
}

double cost_memory_per_in_flight_bytes(const struct cost *c)
{
	double mean, var;

	if (c->mw < MIN_SAMPLES)
		return NAN;
	mean = c->mi / c->mw;
	var = c->mii / c->mw - mean * mean;
	if (var <= 1e-9 * (mean * mean + 1))
		return 0;
	return fmax((c->mim / c->mw - mean * c->mm / c->mw) / var, 0);
}

double cost_memory_base_bytes(const struct cost *c)
{
	if (c->mw < MIN_SAMPLES)
		return NAN;
	return fmax((c->mm - cost_memory_per_in_flight_bytes(c) * c->mi) / c->mw, 0);
}

double cost_in_flight_s(const struct cost *c, size_t api)
{
	if (api >= c->n || c->flown[api] < MIN_WEIGHT)
		return NAN;
	return c->flown_s[api] / c->flown[api];
}

/* Sum of the squares of what the solution leaves unexplained. */
static double unexplained(const struct cost *c)
{
	double error = c->yy;

	for (size_t i = 0; i <= c->n; i++) {
		error -= 2 * c->x[i] * c->b[i];
		for (size_t j = 0; j <= c->n; j++)
			error += c->x[i] * c->a[i][j] * c->x[j];
	}
	return fmax(error, 0);
}

double cost_fit(const struct cost *c)
{
	double total = c->yy - c->y * c->y / c->samples;

	if (c->samples < MIN_SAMPLES || !(total > 1e-9 * c->yy))
		return NAN;
	return fmin(fmax(1 - unexplained(c) / total, 0), 1);
}

/*
 * f' A^-1 f by Cholesky's decomposition, over the @n terms that were seen; @a is overwritten. A
 * term the others explain by themselves adds nothing.
 */
static double leverage(double (*a)[MAX_TERMS], double *f, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		double left = a[i][i], own = a[i][i];

		for (size_t k = 0; k < i; k++) {
			for (size_t j = 0; j < k; j++)
				a[i][k] -= a[i][j] * a[k][j];
			a[i][k] = a[k][k] > 0 ? a[i][k] / a[k][k] : 0;
			left -= a[i][k] * a[i][k];
			f[i] -= a[i][k] * f[k];
		}
		a[i][i] = left > 1e-12 * own ? sqrt(left) : 0;
		f[i] = a[i][i] > 0 ? f[i] / a[i][i] : 0;
		sum += f[i] * f[i];
	}
	return sum;
}

double cost_cpu_error_mcpu(const struct cost *c, const double *requests_per_s)
{
	double a[MAX_TERMS][MAX_TERMS], f[MAX_TERMS], pull = 0, us;
	size_t of[MAX_TERMS], n = 0;

	if (c->samples < MIN_SAMPLES)
		return NAN;
	for (size_t i = 0; i < c->n; i++)
		pull += RIDGE * c->a[i][i] / (double)c->n;
	for (size_t i = 0; i <= c->n; i++)
		if (c->a[i][i] > 0)
			of[n++] = i;
	for (size_t i = 0; i < n; i++) {
		double rate = of[i] < c->n ? requests_per_s[of[i]] : 1;

		f[i] = sane(rate) ? rate : 0;
		for (size_t j = 0; j <= i; j++)
			a[i][j] = c->a[of[i]][of[j]];
		a[i][i] += of[i] < c->n ? pull : 0;
	}
	us = sqrt(unexplained(c) / c->samples * leverage(a, f, n));
	return us / (double)(US_PER_S / MCPU);
}

size_t cost_save_size(const struct cost *c)
{
	return blob_size(sizeof(*c));
}

size_t cost_save(const struct cost *c, void *buf, size_t size)
{
	return blob_save(KIND, c, sizeof(*c), buf, size);
}

/* All sums are of what is not negative. */
static bool is_sound(const struct cost *c)
{
	const char *bytes = (const char *)c;

	for (size_t at = offsetof(struct cost, samples); at < sizeof(*c); at += sizeof(double)) {
		double v;

		memcpy(&v, bytes + at, sizeof(v));
		if (!(v >= 0 && isfinite(v)))
			return false;
	}
	return true;
}

int cost_load(struct cost *c, const void *buf, size_t size)
{
	const void *state = blob_check(KIND, sizeof(*c), buf, size);
	struct cost loaded;

	if (!state)
		return -EINVAL;
	memcpy(&loaded, state, sizeof(loaded));
	if (loaded.n != c->n || !is_sound(&loaded))
		return -EINVAL;
	*c = loaded;
	return 0;
}
