/* SPDX-License-Identifier: GPL-2.0-or-later */
/* svg_canvas.h - what all SVG pictures share: white ground, title, axes, curves, bands, legend. */
#ifndef FORESHAPE_SVG_CANVAS_H
#define FORESHAPE_SVG_CANVAS_H

#include <stdio.h>

#include "agent/base/err.h"
#include "agent/plot.h"

#define CANVAS_WIDTH  960
#define CANVAS_HEIGHT 480
#define CANVAS_LEFT   84 /* margins of the area drawn on */
#define CANVAS_RIGHT  24
#define CANVAS_TOP    92
#define CANVAS_BOTTOM 72

#define CANVAS_MEASURED "#1f2933"
#define CANVAS_MEDIAN   "#1864ab"
#define CANVAS_BAND     "#339af0"

struct canvas {
	const struct plot *p;
	FILE *out;
	struct plot_axis axis;
	struct plot_times times;
	double from_ns, to_ns;
};

/* Where a time and a value lie. */
double canvas_x(const struct canvas *c, double at_ns);
double canvas_y(const struct canvas *c, double v);

/* At most @most characters of @s as XML text, what is no text as '?'; what is left of it. */
const char *canvas_text(FILE *out, const char *s, size_t most);
/* @anchor: "start", "middle" or "end" of @text is at @x. */
void canvas_label(const struct canvas *c, double x, double y, const char *anchor, const char *text);
void canvas_line(const struct canvas *c, double x0, double y0, double x1, double y1,
		 const char *stroke);

/* Whether @p has a value of @curve at point @i; anywhere in points @from to @to. */
bool canvas_knows(const struct plot *p, size_t i, int curve);
bool canvas_has(const struct plot *p, int curve, size_t from, size_t to);

/* Lines from point to point, with dots for points alone. */
void canvas_curve(const struct canvas *c, int curve, size_t from, size_t to, const char *style);
/* The area between two curves, wherever both are known. */
void canvas_band(const struct canvas *c, int lo, int hi, const char *opacity);

/* What a curve is, @width wide; @sign the attributes of a rectangle. */
struct canvas_key {
	bool shown;
	const char *name, *sign;
	int width;
};
void canvas_legend(const struct canvas *c, const struct canvas_key *keys, size_t n);

/*
 * A whole document: title and @under it, axes, and what @draw draws on them where there is any
 * value. Valid XML whatever is in the texts.
 */
typedef void canvas_draw_t(const struct canvas *c);
void canvas_document(const struct plot *p, const char *under, canvas_draw_t *draw, FILE *out);

/*
 * What @document draws into file @path, which is opened only when it is complete. Returns 0,
 * -ENOMEM, or why it could not be written, with the file's name in @e.
 */
int canvas_write(const struct plot *p, void (*document)(const struct plot *p, FILE *out),
		 const char *path, struct err *e);

#endif
