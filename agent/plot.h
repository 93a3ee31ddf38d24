/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plot.h - what a picture shows: values, median, bands and limits over time, and where the ticks of
 * its axes go. chart.h draws a forecast on a terminal, svg.h and svg_replay.h draw SVG files.
 */
#ifndef FORESHAPE_PLOT_H
#define FORESHAPE_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "forecast/forecast.h"

enum {
	PLOT_VALUE, /* measured; the largest where a point is a span of time */
	PLOT_Q05,
	PLOT_Q25,
	PLOT_Q50,
	PLOT_Q75,
	PLOT_Q95,
	/* Of a replay, in which a point is a span of time. */
	PLOT_LEAST, /* measured */
	PLOT_SHORT, /* the largest use that was above the limit */
	PLOT_READ,  /* of the forecast by the plan */
	PLOT_LIMIT, /* at the end of the span; then the least and the largest in it */
	PLOT_LIMIT_LO,
	PLOT_LIMIT_HI,
	PLOT_OTHER, /* the same of another policy */
	PLOT_OTHER_LO,
	PLOT_OTHER_HI,
	PLOT_CURVES,
	PLOT_LEVELS_END = PLOT_Q95 + 1,
};

/* NAN: nothing known of that curve there. */
struct plot_point {
	/* From the origin, the newest step known to the forecast or the start of a replay;
	 * ascending. */
	int64_t at_ns;
	double v[PLOT_CURVES];
};

struct plot {
	char title[160], basis[480];
	const char *unit;       /* "CPUs"; "": none is known */
	bool clock;             /* times are those of a clock, not just distances */
	int64_t origin_real_ns; /* where there is a clock */
	struct plot_point *points;
	size_t n, room;
	bool failed; /* out of memory: holds what came before */
};

void plot_free(struct plot *p);

/* Appends a point with nothing known; NULL where there is no memory. */
struct plot_point *plot_add(struct plot *p, int64_t at_ns);

/*
 * Writes what a forecast rests on into @buf: models that weigh anything, heaviest first, the
 * periods in words, and how often the 90 % interval held ("ets 0.75, last 0.25; a period of a day;
 * 90 % interval held 89.5%"). @step_ns 0: unknown, periods are in steps. Returns @buf.
 */
char *plot_basis(char *buf, size_t size, const struct series_report *report, uint64_t step_ns);

/* @ns in words, as a period: "a day", "12 h", "90 s". Returns @buf. */
char *plot_period(char *buf, size_t size, uint64_t ns);

/* Whether any value of any curve is there to draw. */
bool plot_range(const struct plot *p, double *lo, double *hi);

/*
 * The least and largest value of @curve between @from_ns and @to_ns, as straight lines from point
 * to point; false where there is none.
 */
bool plot_span(const struct plot *p, int curve, double from_ns, double to_ns, double *lo,
	       double *hi);

/* An axis of values: from @lo in @n round steps (1, 2 or 5 x 10^k) to @hi, all of them multiples.
 */
struct plot_axis {
	double lo, hi, step;
	size_t n;
};
/* Holds all values of @p in at most @most steps; from 0 unless all is far above. */
struct plot_axis plot_axis(const struct plot *p, size_t most);
/* Writes tick value @v of @a, as "0.5", "1200", "35k", all of an axis alike. Returns @buf. */
char *plot_tick(char *buf, size_t size, const struct plot_axis *a, double v);

/* Round times: @n multiples of @step_ns in local time, the first one @first_ns after the origin. */
struct plot_times {
	int64_t first_ns, step_ns;
	size_t n;
};
struct plot_times plot_times(const struct plot *p, size_t most);
/* Writes the time @at_ns from the origin: local time or date, or the distance. Returns @buf. */
char *plot_time(char *buf, size_t size, const struct plot *p, const struct plot_times *t,
		int64_t at_ns);
/* Writes when the forecast was made: "2027-03-20 08:00:00 UTC"; "" without a clock. Returns @buf.
 */
char *plot_origin(char *buf, size_t size, const struct plot *p);

#endif
