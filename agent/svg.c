// SPDX-License-Identifier: GPL-2.0-or-later
/* svg.c - a picture of a forecast as an SVG file. */
#include "agent/svg.h"

#include <math.h>

#include "agent/base/util.h"
#include "agent/svg_canvas.h"

#define ORIGIN_HALF 115 /* of the width of the text over it */

#define ACTUAL "#d9480f"

/* Where the forecast was made. */
static void draw_origin(const struct canvas *c)
{
	double x = canvas_x(c, 0);
	char when[48], text[64] = "forecast made";

	if (c->from_ns > 0 || c->to_ns < 0)
		return;
	fprintf(c->out,
		"<path d=\"M%.1f %dV%d\" stroke=\"#7b8794\" stroke-dasharray=\"3 3\"/>\n"
		"<g font-size=\"12\" fill=\"#52606d\">\n",
		x, CANVAS_TOP - 8, CANVAS_HEIGHT - CANVAS_BOTTOM);
	if (*plot_origin(when, sizeof(when), c->p))
		(void)snprintf(text, sizeof(text), "forecast of %s", when);
	canvas_label(
		c,
		fmin(fmax(x, CANVAS_LEFT + ORIGIN_HALF), CANVAS_WIDTH - CANVAS_RIGHT - ORIGIN_HALF),
		CANVAS_TOP - 14, "middle", text);
	fputs("</g>\n", c->out);
}

static size_t origin_of(const struct plot *p)
{
	size_t i = 0;

	while (i < p->n && p->points[i].at_ns <= 0)
		i++;
	return i;
}

static void draw_legend(const struct canvas *c)
{
	const struct plot *p = c->p;
	size_t now = origin_of(p);
	const struct canvas_key keys[] = {
		{canvas_has(p, PLOT_VALUE, 0, now), "measured",
		 "height=\"2\" y=\"-5\" fill=\"" CANVAS_MEASURED "\"", 100},
		{canvas_has(p, PLOT_VALUE, now, p->n), "what came",
		 "height=\"2\" y=\"-5\" fill=\"" ACTUAL "\"", 110},
		{canvas_has(p, PLOT_Q50, now, p->n), "median",
		 "height=\"2\" y=\"-5\" fill=\"" CANVAS_MEDIAN "\"", 90},
		{canvas_has(p, PLOT_Q25, now, p->n), "50 % band",
		 "height=\"10\" y=\"-9\" fill=\"" CANVAS_BAND "\" fill-opacity=\"0.45\"", 110},
		{canvas_has(p, PLOT_Q05, now, p->n), "90 % band",
		 "height=\"10\" y=\"-9\" fill=\"" CANVAS_BAND "\" fill-opacity=\"0.2\"", 120},
	};

	canvas_legend(c, keys, ARRAY_SIZE(keys));
}

static void draw_forecast(const struct canvas *c)
{
	size_t now = origin_of(c->p);

	canvas_band(c, PLOT_Q05, PLOT_Q95, "0.2");
	canvas_band(c, PLOT_Q25, PLOT_Q75, "0.3");
	draw_origin(c);
	canvas_curve(c, PLOT_VALUE, now - (now > 0), c->p->n,
		     "stroke=\"" ACTUAL "\" stroke-width=\"1.5\"");
	canvas_curve(c, PLOT_Q50, 0, c->p->n, "stroke=\"" CANVAS_MEDIAN "\" stroke-width=\"2\"");
	canvas_curve(c, PLOT_VALUE, 0, now, "stroke=\"" CANVAS_MEASURED "\" stroke-width=\"1.5\"");
	draw_legend(c);
}

void svg_draw(const struct plot *p, FILE *out)
{
	char under[sizeof(p->basis) + 16];

	(void)snprintf(under, sizeof(under), "%s%s", *p->basis ? "based on " : "", p->basis);
	canvas_document(p, under, draw_forecast, out);
}

int svg_write(const struct plot *p, const char *path, struct err *e)
{
	return canvas_write(p, svg_draw, path, e);
}
