// SPDX-License-Identifier: GPL-2.0-or-later
/* svg_canvas.c - white ground, title, axes, curves, bands and legend of an SVG, for light and dark
 * viewers. */
#include "agent/svg_canvas.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"

#define VALUE_TICKS 6
#define TIME_TICKS  8
#define TITLE_MAX   80 /* characters of a line that fit */
#define UNDER_MAX   150

double canvas_x(const struct canvas *c, double at_ns)
{
	return CANVAS_LEFT + (at_ns - c->from_ns) / (c->to_ns - c->from_ns) *
				     (CANVAS_WIDTH - CANVAS_LEFT - CANVAS_RIGHT);
}

double canvas_y(const struct canvas *c, double v)
{
	return CANVAS_TOP + (c->axis.hi - v) / (c->axis.hi - c->axis.lo) *
				    (CANVAS_HEIGHT - CANVAS_TOP - CANVAS_BOTTOM);
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

const char *canvas_text(FILE *out, const char *s, size_t most)
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

void canvas_label(const struct canvas *c, double x, double y, const char *anchor, const char *text)
{
	fprintf(c->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
	canvas_text(c->out, text, SIZE_MAX);
	fputs("</text>\n", c->out);
}

void canvas_line(const struct canvas *c, double x0, double y0, double x1, double y1,
		 const char *stroke)
{
	fprintf(c->out, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\"/>\n", x0, y0, x1, y1,
		stroke);
}

bool canvas_knows(const struct plot *p, size_t i, int curve)
{
	return isfinite(p->points[i].v[curve]);
}

bool canvas_has(const struct plot *p, int curve, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (canvas_knows(p, i, curve))
			return true;
	return false;
}

void canvas_curve(const struct canvas *c, int curve, size_t from, size_t to, const char *style)
{
	const struct plot *p = c->p;
	bool pen = false;

	if (!canvas_has(p, curve, from, to))
		return;
	fprintf(c->out,
		"<path fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\" %s d=\"",
		style);
	for (size_t i = from; i < to; i++) {
		double x = canvas_x(c, (double)p->points[i].at_ns), y;

		if (!canvas_knows(p, i, curve)) {
			pen = false;
			continue;
		}
		y = canvas_y(c, p->points[i].v[curve]);
		fprintf(c->out, "%c%.1f %.1f", pen ? 'L' : 'M', x, y);
		if (!pen && (i + 1 == to || !canvas_knows(p, i + 1, curve)))
			fputs("h0", c->out);
		pen = true;
	}
	fputs("\"/>\n", c->out);
}

static size_t end_of_run(const struct plot *p, size_t from, int lo, int hi)
{
	while (from < p->n && canvas_knows(p, from, lo) && canvas_knows(p, from, hi))
		from++;
	return from;
}

void canvas_band(const struct canvas *c, int lo, int hi, const char *opacity)
{
	const struct plot *p = c->p;
	size_t end;

	for (size_t i = 0; i < p->n; i = MAX(end, i + 1)) {
		end = end_of_run(p, i, lo, hi);
		if (end < i + 2)
			continue;
		fprintf(c->out, "<path fill=\"" CANVAS_BAND "\" fill-opacity=\"%s\" d=\"", opacity);
		for (size_t k = i; k < end; k++)
			fprintf(c->out, "%c%.1f %.1f", k > i ? 'L' : 'M',
				canvas_x(c, (double)p->points[k].at_ns),
				canvas_y(c, p->points[k].v[hi]));
		for (size_t k = end; k-- > i;)
			fprintf(c->out, "L%.1f %.1f", canvas_x(c, (double)p->points[k].at_ns),
				canvas_y(c, p->points[k].v[lo]));
		fputs("Z\"/>\n", c->out);
	}
}

static void draw_axes(const struct canvas *c)
{
	char text[48];

	fputs("<g font-size=\"12\" fill=\"#52606d\">\n", c->out);
	for (size_t i = 0; i <= c->axis.n; i++) {
		double v = c->axis.lo + (double)i * c->axis.step, y = canvas_y(c, v);

		canvas_line(c, CANVAS_LEFT, y, CANVAS_WIDTH - CANVAS_RIGHT, y,
			    i > 0 ? "#e4e7eb" : "#9aa5b1");
		canvas_label(c, CANVAS_LEFT - 8, y + 4, "end",
			     plot_tick(text, sizeof(text), &c->axis, v));
	}
	for (size_t i = 0; i < c->times.n; i++) {
		int64_t t = c->times.first_ns + (int64_t)i * c->times.step_ns;
		double x = canvas_x(c, (double)t);

		canvas_line(c, x, CANVAS_HEIGHT - CANVAS_BOTTOM, x,
			    CANVAS_HEIGHT - CANVAS_BOTTOM + 5, "#9aa5b1");
		canvas_label(c, x, CANVAS_HEIGHT - CANVAS_BOTTOM + 20, "middle",
			     plot_time(text, sizeof(text), c->p, &c->times, t));
	}
	if (*c->p->unit)
		canvas_label(c, CANVAS_LEFT - 8, CANVAS_TOP - 14, "end", c->p->unit);
	fputs("</g>\n", c->out);
}

/* Texts over the picture: the title, and what is under it on up to two lines. */
static void draw_title(const struct canvas *c, const char *under)
{
	char first[sizeof(c->p->basis) + 32];

	fputs("<text x=\"24\" y=\"30\" font-size=\"18\" font-weight=\"bold\" fill=\"" CANVAS_MEASURED
	      "\">",
	      c->out);
	canvas_text(c->out, c->p->title, TITLE_MAX);
	fputs("</text>\n<g font-size=\"12\" fill=\"#52606d\">\n", c->out);
	for (int y = 48; y <= 64 && *under; y += 16) {
		(void)copy_str(first, sizeof(first), under);
		if (strlen(first) > UNDER_MAX) {
			first[UNDER_MAX] = '\0';
			if (strrchr(first, ' '))
				*strrchr(first, ' ') = '\0';
		}
		under += strlen(first) + (under[strlen(first)] == ' ');
		canvas_label(c, 24, y, "start", first);
	}
	fputs("</g>\n", c->out);
}

void canvas_legend(const struct canvas *c, const struct canvas_key *keys, size_t n)
{
	int x = CANVAS_LEFT;

	fputs("<g font-size=\"12\" fill=\"#323f4b\">\n", c->out);
	for (size_t i = 0; i < n; i++) {
		if (!keys[i].shown)
			continue;
		fprintf(c->out,
			"<g transform=\"translate(%d %d)\"><rect width=\"20\" %s/><text x=\"27\">",
			x, CANVAS_HEIGHT - 18, keys[i].sign);
		canvas_text(c->out, keys[i].name, SIZE_MAX);
		fputs("</text></g>\n", c->out);
		x += keys[i].width;
	}
	fputs("</g>\n", c->out);
}

void canvas_document(const struct plot *p, const char *under, canvas_draw_t *draw, FILE *out)
{
	struct canvas c = {.p = p, .out = out};
	double lo, hi;

	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
		"height=\"%d\" font-family=\"system-ui, Helvetica, Arial, sans-serif\" role=\"img\">\n"
		"<title>",
		CANVAS_WIDTH, CANVAS_HEIGHT, CANVAS_WIDTH, CANVAS_HEIGHT);
	canvas_text(out, p->title, SIZE_MAX);
	fprintf(out, "</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
		CANVAS_WIDTH, CANVAS_HEIGHT);
	draw_title(&c, under);
	if (plot_range(p, &lo, &hi)) {
		c.axis = plot_axis(p, VALUE_TICKS);
		c.times = plot_times(p, TIME_TICKS);
		c.from_ns = (double)p->points[0].at_ns;
		c.to_ns = fmax((double)p->points[p->n - 1].at_ns, c.from_ns + 1);
		draw_axes(&c);
		draw(&c);
	} else {
		canvas_label(&c, 0.5 * CANVAS_WIDTH, 0.5 * CANVAS_HEIGHT, "middle",
			     "no values to draw");
	}
	fputs("</svg>\n", out);
}

int canvas_write(const struct plot *p, void (*document)(const struct plot *p, FILE *out),
		 const char *path, struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(fclosep) FILE *file = NULL;
	FILE *memory;
	size_t size = 0;

	memory = open_memstream(&text, &size);
	if (!memory)
		return err_set(e, -ENOMEM, "draw %s", path);
	document(p, memory);
	if (fclose(memory) != 0 || p->failed)
		return err_set(e, -ENOMEM, "draw %s", path);
	file = fopen(path, "we");
	if (!file)
		return err_set(e, -errno, "create %s", path);
	if (fwrite(text, 1, size, file) != size || fflush(file) != 0)
		return err_set(e, errno > 0 ? -errno : -EIO, "write %s", path);
	return 0;
}
