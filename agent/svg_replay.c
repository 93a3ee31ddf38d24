// SPDX-License-Identifier: GPL-2.0-or-later
/* svg_replay.c - a picture of a replay: what was used below the limits that were in force. */
#include "agent/svg_replay.h"

#include <math.h>
#include <string.h>

#include "agent/base/util.h"
#include "agent/svg_canvas.h"

#define LIMIT "#7048e8"
#define OTHER "#e8590c"
#define SHORT "#e03131"
#define RUG   7 /* high, the marks over the area */

/* Through the least and the largest of each span. */
static void draw_use(const struct canvas *c)
{
	const struct plot *p = c->p;
	bool pen = false;

	fputs("<path fill=\"none\" stroke=\"" CANVAS_MEASURED
	      "\" stroke-width=\"1\" stroke-linejoin=\"round\" d=\"",
	      c->out);
	for (size_t i = 0; i < p->n; i++) {
		double x = canvas_x(c, (double)p->points[i].at_ns);
		double lo = p->points[i].v[PLOT_LEAST], hi = p->points[i].v[PLOT_VALUE];

		if (!isfinite(hi)) {
			pen = false;
			continue;
		}
		fprintf(c->out, "%c%.1f %.1f", pen ? 'L' : 'M', x, canvas_y(c, hi));
		if (lo < hi)
			fprintf(c->out, "V%.1f", canvas_y(c, lo));
		else if (!pen)
			fputs("h0", c->out);
		pen = true;
	}
	fputs("\"/>\n", c->out);
}

/* A limit holds until it is another one: steps, over all it went through within a span. */
static void draw_limit(const struct canvas *c, int curve, const char *style)
{
	const struct plot *p = c->p;
	double y = NAN;

	if (!canvas_has(p, curve, 0, p->n))
		return;
	fprintf(c->out, "<path fill=\"none\" stroke-linejoin=\"round\" %s d=\"", style);
	for (size_t i = 0; i < p->n; i++) {
		double x = canvas_x(c, (double)p->points[i].at_ns);
		const double *v = &p->points[i].v[curve];
		double end = canvas_y(c, v[0]);

		if (!isfinite(v[0])) {
			y = NAN;
			continue;
		}
		if (isfinite(y))
			fprintf(c->out, "H%.1f", x);
		else
			fprintf(c->out, "M%.1f %.1fh0", x, end);
		if (v[1] < v[2])
			fprintf(c->out, "V%.1fV%.1f", canvas_y(c, v[1]), canvas_y(c, v[2]));
		if (v[1] < v[2] || (isfinite(y) && y != end))
			fprintf(c->out, "V%.1f", end);
		y = end;
	}
	fputs("\"/>\n", c->out);
}

/* What was above the limit, and a mark over it, for what is thin is not seen. */
static void draw_short(const struct canvas *c)
{
	const struct plot *p = c->p;

	fputs("<path fill=\"none\" stroke=\"" SHORT "\" stroke-width=\"2\" d=\"", c->out);
	for (size_t i = 0; i < p->n; i++) {
		const double *v = p->points[i].v;
		double x = canvas_x(c, (double)p->points[i].at_ns);

		if (!isfinite(v[PLOT_SHORT]))
			continue;
		fprintf(c->out, "M%.1f %.1fV%.1f", x, canvas_y(c, v[PLOT_SHORT]),
			canvas_y(c, fmin(v[PLOT_LIMIT_LO], v[PLOT_SHORT])));
		fprintf(c->out, "M%.1f %dv%d", x, CANVAS_TOP - RUG - 2, RUG);
	}
	fputs("\"/>\n", c->out);
}

static void draw_keys(const struct canvas *c)
{
	const struct plot *p = c->p;
	bool two = canvas_has(p, PLOT_OTHER, 0, p->n);
	const struct canvas_key keys[] = {
		{canvas_has(p, PLOT_VALUE, 0, p->n), "used",
		 "height=\"2\" y=\"-5\" fill=\"" CANVAS_MEASURED "\"", 75},
		{canvas_has(p, PLOT_LIMIT, 0, p->n), two ? "limit of A" : "limit",
		 "height=\"2\" y=\"-5\" fill=\"" LIMIT "\"", two ? 100 : 75},
		{two, "limit of B", "height=\"2\" y=\"-5\" fill=\"" OTHER "\"", 100},
		{canvas_has(p, PLOT_SHORT, 0, p->n), two ? "too little (A)" : "too little",
		 "transform=\"translate(9 0) scale(0.1 1)\" height=\"12\" y=\"-10\" fill=\"" SHORT
		 "\"",
		 two ? 125 : 105},
		{canvas_has(p, PLOT_Q50, 0, p->n), "forecast of the peak over the lead: median",
		 "height=\"2\" y=\"-5\" fill=\"" CANVAS_MEDIAN "\"", 280},
		{canvas_has(p, PLOT_READ, 0, p->n), "up to what the plan reads",
		 "height=\"10\" y=\"-9\" fill=\"" CANVAS_BAND "\" fill-opacity=\"0.35\"", 180},
	};

	canvas_legend(c, keys, ARRAY_SIZE(keys));
}

static void draw_replay(const struct canvas *c)
{
	canvas_band(c, PLOT_Q50, PLOT_READ, "0.35");
	canvas_curve(c, PLOT_Q50, 0, c->p->n,
		     "stroke=\"" CANVAS_MEDIAN "\" stroke-width=\"1\" stroke-opacity=\"0.8\"");
	draw_use(c);
	draw_limit(c, PLOT_OTHER, "stroke=\"" OTHER "\" stroke-width=\"1.5\"");
	draw_limit(c, PLOT_LIMIT, "stroke=\"" LIMIT "\" stroke-width=\"1.5\"");
	draw_short(c);
	draw_keys(c);
}

void svg_replay_draw(const struct plot *p, FILE *out)
{
	canvas_document(p, p->basis, draw_replay, out);
}

int svg_replay_write(const struct plot *p, const char *path, struct err *e)
{
	return canvas_write(p, svg_replay_draw, path, e);
}
