// SPDX-License-Identifier: GPL-2.0-or-later
/* plot.c - the points of a picture and the words under it. */
#include "agent/plot.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/util.h"

#define SMALL_WEIGHT 0.005 /* of a model not worth a word */

void plot_free(struct plot *p)
{
	free(p->points);
	p->points = NULL;
	p->n = p->room = 0;
}

struct plot_point *plot_add(struct plot *p, int64_t at_ns)
{
	struct plot_point *point;

	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 128;
		void *points = reallocarray(p->points, room, sizeof(*p->points));

		if (!points) {
			p->failed = true;
			return NULL;
		}
		p->points = points;
		p->room = room;
	}
	point = &p->points[p->n++];
	point->at_ns = at_ns;
	for (int i = 0; i < PLOT_CURVES; i++)
		point->v[i] = NAN;
	return point;
}

struct words {
	char *buf;
	size_t size, at;
};

static void say(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct words *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(w->buf + w->at, w->size - w->at, fmt, ap);
	va_end(ap);
	w->at = MIN(w->at + (size_t)MAX(n, 0), w->size - 1);
}

/* The model of most weight below that of @after, or of the same and later in the table. */
static size_t next_heaviest(const struct series_report *r, size_t after)
{
	size_t best = r->n_models;

	for (size_t i = 0; i < r->n_models; i++) {
		double w = r->models[i].weight;
		double last = after < r->n_models ? r->models[after].weight : INFINITY;

		if (!(w >= SMALL_WEIGHT) || w > last || (w == last && i <= after))
			continue;
		if (best == r->n_models || w > r->models[best].weight)
			best = i;
	}
	return best;
}

char *plot_period(char *buf, size_t size, uint64_t ns)
{
	static const struct {
		uint64_t s;
		const char *one, *many;
	} units[] = {
		{7 * S_PER_DAY, "a week", "weeks"},
		{S_PER_DAY, "a day", "d"},
		{S_PER_H, "an hour", "h"},
		{S_PER_MIN, "a minute", "min"},
		{1, "a second", "s"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		uint64_t unit_ns = units[i].s * NS_PER_S;

		/* Weeks are whole, or they are days. */
		if (ns < unit_ns || (i == 0 && ns % unit_ns != 0))
			continue;
		if (ns == unit_ns)
			(void)snprintf(buf, size, "%s", units[i].one);
		else
			(void)snprintf(buf, size, "%.4g %s", (double)ns / (double)unit_ns,
				       units[i].many);
		return buf;
	}
	(void)snprintf(buf, size, "%.4g ms", (double)ns / (double)NS_PER_MS);
	return buf;
}

static void say_periods(struct words *w, const struct series_report *r, uint64_t step_ns)
{
	char period[40];

	if (r->n_periods == 0)
		say(w, "; no period found");
	for (size_t i = 0; i < r->n_periods; i++) {
		say(w, "%s ", i > 0 ? "," : r->n_periods > 1 ? "; periods of" : "; a period of");
		if (step_ns > 0)
			say(w, "%s", plot_period(period, sizeof(period), r->periods[i] * step_ns));
		else
			say(w, "%u steps", r->periods[i]);
	}
}

char *plot_basis(char *buf, size_t size, const struct series_report *report, uint64_t step_ns)
{
	struct words w = {buf, size, 0};
	const char *between = "";

	*buf = '\0';
	for (size_t i = next_heaviest(report, SIZE_MAX); i < report->n_models;
	     i = next_heaviest(report, i)) {
		say(&w, "%s%.40s %.2f", between, report->models[i].name, report->models[i].weight);
		between = ", ";
	}
	if (!*between)
		say(&w, "no model yet");
	say_periods(&w, report, step_ns);
	if (isfinite(report->coverage90))
		say(&w, "; 90%% interval held %.1f%%", 100 * report->coverage90);
	return buf;
}

bool plot_range(const struct plot *p, double *lo, double *hi)
{
	*lo = INFINITY;
	*hi = -INFINITY;
	for (size_t i = 0; i < p->n; i++) {
		for (int c = 0; c < PLOT_CURVES; c++) {
			if (!isfinite(p->points[i].v[c]))
				continue;
			*lo = fmin(*lo, p->points[i].v[c]);
			*hi = fmax(*hi, p->points[i].v[c]);
		}
	}
	return *lo <= *hi;
}

static double line_at(double t0, double v0, double t1, double v1, double t)
{
	return t1 > t0 ? v0 + (v1 - v0) * (t - t0) / (t1 - t0) : v1;
}

static void widen(double v, double *lo, double *hi)
{
	*lo = fmin(*lo, v);
	*hi = fmax(*hi, v);
}

bool plot_span(const struct plot *p, int curve, double from_ns, double to_ns, double *lo,
	       double *hi)
{
	*lo = INFINITY;
	*hi = -INFINITY;
	for (size_t i = 0; i < p->n; i++) {
		double t0 = (double)p->points[i].at_ns, v0 = p->points[i].v[curve], t1, v1;

		if (t0 > to_ns)
			break;
		if (!isfinite(v0))
			continue;
		if (t0 >= from_ns)
			widen(v0, lo, hi);
		if (i + 1 == p->n)
			break;
		t1 = (double)p->points[i + 1].at_ns;
		v1 = p->points[i + 1].v[curve];
		if (t1 < from_ns || !isfinite(v1))
			continue;
		widen(line_at(t0, v0, t1, v1, fmax(t0, from_ns)), lo, hi);
		widen(line_at(t0, v0, t1, v1, fmin(t1, to_ns)), lo, hi);
	}
	return *lo <= *hi;
}
