// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_plot.c - steps into as many spans of time as a picture has columns. */
#include "agent/cmd/replay_plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/show.h"
#include "agent/svg_replay.h"

#define SPANS   850 /* of a picture; a column or so each */
#define CUT_AT  1.4 /* times the most used, and what nearly all is below */
#define CUT_FEW 20  /* no more than one in so many spans is cut */

static double cpus(double mcpu)
{
	return mcpu / (double)MCPU;
}

static void least(double *v, double other)
{
	*v = fmin(*v, other); /* leaves out NAN */
}

static void most(double *v, double other)
{
	*v = fmax(*v, other);
}

/* A mean of what is known: @n is how many of the span were. */
static void mean(double *v, uint32_t *n, double other)
{
	if (!isfinite(other))
		return;
	*v = *n > 0 ? *v + (other - *v) / (*n + 1) : other;
	++*n;
}

/* Without a limit in force there is none to draw: the host's CPUs are another scale. */
static void take_limit(const struct replay_job *job, const struct replay_now *now, double *v)
{
	double limit = cpus(now->limit_mcpu);

	if (now->limit_mcpu >= (double)job->facts.capacity_mcpu)
		return;
	v[0] = limit;
	least(&v[PLOT_LIMIT_LO - PLOT_LIMIT], limit);
	most(&v[PLOT_LIMIT_HI - PLOT_LIMIT], limit);
}

void replay_plot_take(struct replay_job *job, size_t which, const struct replay_now *now)
{
	struct plot *p = &job->plot.p;
	size_t spans = MIN(job->n_steps, (size_t)SPANS), at = now->index * spans / job->n_steps;
	int64_t begins = now->step->ends_real_ns - (int64_t)now->step->interval_ns;
	double used = cpus(now->step->used_mcpu);
	double *v;

	if (which == 0 && now->index == 0)
		p->origin_real_ns = begins;
	if (which == 0 && at == p->n && plot_add(p, begins - p->origin_real_ns))
		job->plot.n_median = job->plot.n_read = 0;
	if (at >= p->n) /* out of memory: svg_replay_write says so */
		return;
	v = p->points[at].v;
	job->plot.end_ns = now->step->ends_real_ns - p->origin_real_ns;
	take_limit(job, now, &v[which == 0 ? PLOT_LIMIT : PLOT_OTHER]);
	if (which > 0)
		return;
	least(&v[PLOT_LEAST], used);
	most(&v[PLOT_VALUE], used);
	if (now->step->used_mcpu > now->limit_mcpu)
		most(&v[PLOT_SHORT], used);
	mean(&v[PLOT_Q50], &job->plot.n_median, now->demand ? cpus(now->demand->q[Q50]) : NAN);
	mean(&v[PLOT_READ], &job->plot.n_read, cpus(now->read_mcpu));
}

/* A last point to which the last span's limits hold. */
static void close_spans(struct plot *p, int64_t end_ns)
{
	const struct plot_point last = p->points[p->n - 1];
	struct plot_point *end = plot_add(p, end_ns);

	if (!end)
		return;
	end->v[PLOT_LIMIT] = end->v[PLOT_LIMIT_LO] = end->v[PLOT_LIMIT_HI] = last.v[PLOT_LIMIT];
	end->v[PLOT_OTHER] = end->v[PLOT_OTHER_LO] = end->v[PLOT_OTHER_HI] = last.v[PLOT_OTHER];
}

static double cut(double v, double top)
{
	return v > top ? top : v; /* NAN stays */
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What all limits and forecasts but one span in CUT_FEW stay below; NAN: there are none. */
static double usual_most(const struct plot *p)
{
	_cleanup_(freep) double *all = calloc(p->n + 1, sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; all && i < p->n; i++) {
		const double *v = p->points[i].v;
		double hi = fmax(v[PLOT_READ], fmax(v[PLOT_LIMIT_HI], v[PLOT_OTHER_HI]));

		if (isfinite(hi))
			all[n++] = hi;
	}
	if (n == 0)
		return NAN;
	qsort(all, n, sizeof(*all), by_value);
	return all[n - 1 - n / CUT_FEW];
}

/*
 * A first limit or forecast far above all others would leave no room for the rest: few such spans
 * are cut. Returns the value they are cut at, NAN: none is.
 */
static double cut_limits(struct plot *p)
{
	double top = usual_most(p) * CUT_AT;
	size_t above = 0;

	for (size_t i = 0; i < p->n; i++)
		most(&top, p->points[i].v[PLOT_VALUE] * CUT_AT);
	for (size_t i = 0; i < p->n; i++)
		for (int c = PLOT_READ; c <= PLOT_OTHER_HI; c++) {
			above += p->points[i].v[c] > top;
			p->points[i].v[c] = cut(p->points[i].v[c], top);
		}
	return above > 0 ? top : NAN;
}

/* The one that is drawn, under the first policy. */
static const struct replay_service *shown_service(const struct replay_job *job)
{
	const struct policy_set *set = job->tries[0].set;
	size_t k = 0;

	while (job->shown && k + 1 < set->n_services && !streq(set->services[k].name, job->shown))
		k++;
	return &job->tries[0].services[k];
}

static void describe(const struct replay_job *job, struct plot *p)
{
	const struct replay_result *r = &shown_service(job)->result;

	(void)snprintf(p->basis, sizeof(p->basis),
		       "%.120s: slack %s, too little in %s (%s), %s reserved of which %s used, %zu "
		       "writes of the limit",
		       job->tries[0].name, show_fixed(r->slack * 100, 1, " %").text,
		       show_fixed(r->violations * 100, 2, " % of steps").text,
		       show_fixed(r->short_minutes, 1, " min").text,
		       show_fixed(r->reserved_core_h, 2, " core-hours").text,
		       show_fixed(r->used_core_h, 2, "").text, r->changes);
}

static void name(const struct replay_job *job, double top, struct plot *p)
{
	char origin[48];
	size_t used;

	p->unit = "CPUs";
	p->clock = job->start_real_ns != 0;
	plot_origin(origin, sizeof(origin), p);
	(void)snprintf(p->title, sizeof(p->title), "%.60s%s%.80s",
		       job->shown ? job->shown : job->tries[0].set->services[0].name,
		       *origin ? ", from " : "", origin);
	if (job->n_tries == 2) {
		(void)snprintf(p->basis, sizeof(p->basis), "A is %.120s, B is %.120s",
			       job->tries[0].name, job->tries[1].name);
	} else {
		describe(job, p);
	}
	used = strlen(p->basis);
	if (isfinite(top))
		(void)snprintf(p->basis + used, sizeof(p->basis) - used,
			       "; what is above %.3g CPUs is cut", top);
}

int replay_plot_write(struct replay_job *job, const char *path)
{
	struct plot *p = &job->plot.p;
	double top = cut_limits(p);
	struct err e = {};

	if (p->n > 0)
		close_spans(p, job->plot.end_ns);
	name(job, top, p);
	return svg_replay_write(p, path, &e) < 0 ? cmd_failed(e.text) : EXIT_OK;
}
