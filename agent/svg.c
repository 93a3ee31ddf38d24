// SPDX-License-Identifier: GPL-2.0-or-later
/* svg.c - a picture of a forecast as an SVG file, on white, for light and dark viewers. */
#include "agent/svg.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"

#define WIDTH       960
#define HEIGHT      480
#define LEFT        84
#define RIGHT       24
#define TOP         92
#define BOTTOM      72
#define VALUE_TICKS 6
#define TIME_TICKS  8
#define TITLE_MAX   80 /* characters of a line that fit */
#define BASIS_MAX   150
#define ORIGIN_HALF 115 /* of the width of the text over it */

#define MEASURED "#1f2933"
#define ACTUAL   "#d9480f"
#define MEDIAN   "#1864ab"
#define BAND     "#339af0"

struct canvas {
	const struct plot *p;
	FILE *out;
	struct plot_axis axis;
	struct plot_times times;
	double from_ns, to_ns;
};

static double x_of(const struct canvas *c, double at_ns)
{
	return LEFT + (at_ns - c->from_ns) / (c->to_ns - c->from_ns) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct canvas *c, double v)
{
	return TOP + (c->axis.hi - v) / (c->axis.hi - c->axis.lo) * (HEIGHT - TOP - BOTTOM);
}

/* Bytes of the UTF-8 character at @s that XML allows, 0: it is none. */
static size_t character(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = u[0] < 0x80 ? 1 : u[0] >= 0xc2 && u[0] < 0xe0 ? 2 : u[0] < 0xe0 ? 0 : 3;

	if (u[0] >= 0xf0) /* nothing beyond U+FFFF is in names */
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	if (n == 1 && (u[0] < 0x20 || u[0] == 0x7f))
		return 0;
	/* Overlong forms, surrogates, U+FFFE and U+FFFF. */
	if (n == 3 && ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] >= 0xa0) ||
		       (u[0] == 0xef && u[1] == 0xbf && u[2] >= 0xbe)))
		return 0;
	return n;
}

/* At most @most characters of @s as XML text, what is no text as '?'; returns what is left of it.
 */
static const char *print_text(FILE *out, const char *s, size_t most)
{
	for (; *s && most > 0; most--) {
		size_t n = character(s);

		if (n == 0)
			fputc('?', out);
		else if (*s == '<' || *s == '>' || *s == '&')
			fprintf(out, "%s", *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : "&amp;");
		else
			fwrite(s, 1, n, out);
		s += MAX(n, 1);
	}
	return s;
}

static void label(const struct canvas *c, double x, double y, const char *anchor, const char *text)
{
	fprintf(c->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
	print_text(c->out, text, SIZE_MAX);
	fputs("</text>\n", c->out);
}

static void line(const struct canvas *c, double x0, double y0, double x1, double y1,
		 const char *stroke)
{
	fprintf(c->out, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\"/>\n", x0, y0, x1, y1,
		stroke);
}

static bool is_known(const struct plot *p, size_t i, int curve)
{
	return isfinite(p->points[i].v[curve]);
}

/* Whether @p has anything of @curve in points @from to @to. */
static bool has_curve(const struct plot *p, int curve, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (is_known(p, i, curve))
			return true;
	return false;
}

/* Lines from point to point, with dots for points alone. */
static void draw_curve(const struct canvas *c, int curve, size_t from, size_t to, const char *style)
{
	const struct plot *p = c->p;
	bool pen = false;

	if (!has_curve(p, curve, from, to))
		return;
	fprintf(c->out,
		"<path fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\" %s d=\"",
		style);
	for (size_t i = from; i < to; i++) {
		double x = x_of(c, (double)p->points[i].at_ns), y;

		if (!is_known(p, i, curve)) {
			pen = false;
			continue;
		}
		y = y_of(c, p->points[i].v[curve]);
		fprintf(c->out, "%c%.1f %.1f", pen ? 'L' : 'M', x, y);
		if (!pen && (i + 1 == to || !is_known(p, i + 1, curve)))
			fputs("h0", c->out);
		pen = true;
	}
	fputs("\"/>\n", c->out);
}

static size_t end_of_run(const struct plot *p, size_t from, int lo, int hi)
{
	while (from < p->n && is_known(p, from, lo) && is_known(p, from, hi))
		from++;
	return from;
}

/* The area between two curves, wherever both are known. */
static void draw_band(const struct canvas *c, int lo, int hi, const char *opacity)
{
	const struct plot *p = c->p;
	size_t end;

	for (size_t i = 0; i < p->n; i = MAX(end, i + 1)) {
		end = end_of_run(p, i, lo, hi);
		if (end < i + 2)
			continue;
		fprintf(c->out, "<path fill=\"" BAND "\" fill-opacity=\"%s\" d=\"", opacity);
		for (size_t k = i; k < end; k++)
			fprintf(c->out, "%c%.1f %.1f", k > i ? 'L' : 'M',
				x_of(c, (double)p->points[k].at_ns), y_of(c, p->points[k].v[hi]));
		for (size_t k = end; k-- > i;)
			fprintf(c->out, "L%.1f %.1f", x_of(c, (double)p->points[k].at_ns),
				y_of(c, p->points[k].v[lo]));
		fputs("Z\"/>\n", c->out);
	}
}

static void draw_axes(const struct canvas *c)
{
	char text[48];

	fputs("<g font-size=\"12\" fill=\"#52606d\">\n", c->out);
	for (size_t i = 0; i <= c->axis.n; i++) {
		double v = c->axis.lo + (double)i * c->axis.step, y = y_of(c, v);

		line(c, LEFT, y, WIDTH - RIGHT, y, i > 0 ? "#e4e7eb" : "#9aa5b1");
		label(c, LEFT - 8, y + 4, "end", plot_tick(text, sizeof(text), &c->axis, v));
	}
	for (size_t i = 0; i < c->times.n; i++) {
		int64_t t = c->times.first_ns + (int64_t)i * c->times.step_ns;
		double x = x_of(c, (double)t);

		line(c, x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 5, "#9aa5b1");
		label(c, x, HEIGHT - BOTTOM + 20, "middle",
		      plot_time(text, sizeof(text), c->p, &c->times, t));
	}
	if (*c->p->unit)
		label(c, LEFT - 8, TOP - 14, "end", c->p->unit);
	fputs("</g>\n", c->out);
}

/* Where the forecast was made. */
static void draw_origin(const struct canvas *c)
{
	double x = x_of(c, 0);
	char when[48], text[64] = "forecast made";

	if (c->from_ns > 0 || c->to_ns < 0)
		return;
	fprintf(c->out,
		"<path d=\"M%.1f %dV%d\" stroke=\"#7b8794\" stroke-dasharray=\"3 3\"/>\n"
		"<g font-size=\"12\" fill=\"#52606d\">\n",
		x, TOP - 8, HEIGHT - BOTTOM);
	if (*plot_origin(when, sizeof(when), c->p))
		(void)snprintf(text, sizeof(text), "forecast of %s", when);
	label(c, fmin(fmax(x, LEFT + ORIGIN_HALF), WIDTH - RIGHT - ORIGIN_HALF), TOP - 14, "middle",
	      text);
	fputs("</g>\n", c->out);
}

/* Texts over the picture: the title, and the basis on up to two lines. */
static void draw_title(const struct canvas *c)
{
	char all[sizeof(c->p->basis) + 16], first[sizeof(all)];
	const char *rest = all;

	(void)snprintf(all, sizeof(all), "%s%s", *c->p->basis ? "based on " : "", c->p->basis);
	fputs("<text x=\"24\" y=\"30\" font-size=\"18\" font-weight=\"bold\" fill=\"" MEASURED
	      "\">",
	      c->out);
	print_text(c->out, c->p->title, TITLE_MAX);
	fputs("</text>\n<g font-size=\"12\" fill=\"#52606d\">\n", c->out);
	for (int y = 48; y <= 64 && *rest; y += 16) {
		(void)copy_str(first, sizeof(first), rest);
		if (strlen(first) > BASIS_MAX) {
			first[BASIS_MAX] = '\0';
			if (strrchr(first, ' '))
				*strrchr(first, ' ') = '\0';
		}
		rest += strlen(first) + (rest[strlen(first)] == ' ');
		label(c, 24, y, "start", first);
	}
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
	const struct {
		bool shown;
		const char *name, *sign;
		int width;
	} rows[] = {
		{has_curve(p, PLOT_VALUE, 0, now), "measured",
		 "height=\"2\" y=\"-5\" fill=\"" MEASURED "\"", 100},
		{has_curve(p, PLOT_VALUE, now, p->n), "what came",
		 "height=\"2\" y=\"-5\" fill=\"" ACTUAL "\"", 110},
		{has_curve(p, PLOT_Q50, now, p->n), "median",
		 "height=\"2\" y=\"-5\" fill=\"" MEDIAN "\"", 90},
		{has_curve(p, PLOT_Q25, now, p->n), "50 % band",
		 "height=\"10\" y=\"-9\" fill=\"" BAND "\" fill-opacity=\"0.45\"", 110},
		{has_curve(p, PLOT_Q05, now, p->n), "90 % band",
		 "height=\"10\" y=\"-9\" fill=\"" BAND "\" fill-opacity=\"0.2\"", 120},
	};
	int x = LEFT;

	fputs("<g font-size=\"12\" fill=\"#323f4b\">\n", c->out);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!rows[i].shown)
			continue;
		fprintf(c->out,
			"<g transform=\"translate(%d %d)\"><rect width=\"20\" %s/>"
			"<text x=\"27\">%s</text></g>\n",
			x, HEIGHT - 18, rows[i].sign, rows[i].name);
		x += rows[i].width;
	}
	fputs("</g>\n", c->out);
}

static void draw_forecast(const struct canvas *c)
{
	size_t now = origin_of(c->p);

	draw_band(c, PLOT_Q05, PLOT_Q95, "0.2");
	draw_band(c, PLOT_Q25, PLOT_Q75, "0.3");
	draw_origin(c);
	draw_curve(c, PLOT_VALUE, now - (now > 0), c->p->n,
		   "stroke=\"" ACTUAL "\" stroke-width=\"1.5\"");
	draw_curve(c, PLOT_Q50, 0, c->p->n, "stroke=\"" MEDIAN "\" stroke-width=\"2\"");
	draw_curve(c, PLOT_VALUE, 0, now, "stroke=\"" MEASURED "\" stroke-width=\"1.5\"");
}

void svg_draw(const struct plot *p, FILE *out)
{
	struct canvas c = {.p = p, .out = out};
	double lo, hi;

	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
		"height=\"%d\" font-family=\"system-ui, Helvetica, Arial, sans-serif\" role=\"img\">\n"
		"<title>",
		WIDTH, HEIGHT, WIDTH, HEIGHT);
	print_text(out, p->title, SIZE_MAX);
	fprintf(out, "</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", WIDTH,
		HEIGHT);
	draw_title(&c);
	if (plot_range(p, &lo, &hi)) {
		c.axis = plot_axis(p, VALUE_TICKS);
		c.times = plot_times(p, TIME_TICKS);
		c.from_ns = (double)p->points[0].at_ns;
		c.to_ns = fmax((double)p->points[p->n - 1].at_ns, c.from_ns + 1);
		draw_axes(&c);
		draw_forecast(&c);
		draw_legend(&c);
	} else {
		label(&c, 0.5 * WIDTH, 0.5 * HEIGHT, "middle", "no values to draw");
	}
	fputs("</svg>\n", out);
}

int svg_write(const struct plot *p, const char *path, struct err *e)
{
	_cleanup_(freep) char *document = NULL;
	_cleanup_(fclosep) FILE *file = NULL;
	FILE *memory;
	size_t size = 0;

	memory = open_memstream(&document, &size);
	if (!memory)
		return err_set(e, -ENOMEM, "draw %s", path);
	svg_draw(p, memory);
	if (fclose(memory) != 0 || p->failed)
		return err_set(e, -ENOMEM, "draw %s", path);
	file = fopen(path, "we");
	if (!file)
		return err_set(e, -errno, "create %s", path);
	if (fwrite(document, 1, size, file) != size || fflush(file) != 0)
		return err_set(e, errno > 0 ? -errno : -EIO, "write %s", path);
	return 0;
}
