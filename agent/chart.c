// SPDX-License-Identifier: GPL-2.0-or-later
/* chart.c - a picture of a forecast in characters: braille and blocks, or ASCII. */
#include "agent/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/table.h"

#define ROWS        12 /* with axes and legend well within a screen of 24 */
#define ROWS_A_TICK 3
#define TIME_WIDTH  12 /* columns for a time under the axis */
#define TICK_MAX    16
#define DOTS_X      2 /* of a braille cell */
#define DOTS_Y      4

enum ink { INK_NONE, INK_BAND, INK_MEDIAN, INK_VALUE };

struct cell {
	enum ink ink;
	unsigned char dots; /* of a braille cell, by their bit in Unicode */
};

struct area {
	const struct plot *p;
	const struct chart_conf *conf;
	struct plot_axis axis;
	struct plot_times times;
	size_t margin, columns, rows; /* margin: of the labels, before the axis */
	double from_ns, to_ns;
	struct cell *cells; /* row after row, the upper first */
};

/* Signs of an area, by whether UTF-8 is to be had. */
static const struct signs {
	const char *ink[4];
	const char *axis, *axis_tick, *corner, *floor, *floor_tick, *origin;
} all_signs[] = {
	{{" ", ".", "-", "*"}, "|", "+", "+", "-", "+", "^"},
	{{" ", "░", "━", "⠒"}, "│", "┤", "└", "─", "┬", "▲"},
};

static const char *colour_of(enum ink ink)
{
	return ink == INK_BAND || ink == INK_MEDIAN ? "\033[36m" : "";
}

static bool env_is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *v = getenv(names[i]);

		if (v && *v)
			return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
	}
	return false;
}

struct chart_conf chart_conf_of(FILE *out)
{
	return (struct chart_conf){
		.columns = screen_columns(out),
		.rows = ROWS,
		.utf8 = env_is_utf8(),
		.colour = *screen_plain(out) != '\0',
	};
}

static struct cell *cell_at(const struct area *a, size_t column, size_t row)
{
	return &a->cells[row * a->columns + column];
}

/* Where @v lies in an area of @rows parts, the upper one 0. */
static size_t row_of(const struct area *a, double v, size_t rows)
{
	double part = (a->axis.hi - v) / (a->axis.hi - a->axis.lo);

	return (size_t)fmin(fmax(floor(part * (double)rows), 0), (double)rows - 1);
}

/* The time at the left of column @column of @columns. */
static double time_of(const struct area *a, size_t column, size_t columns)
{
	return a->from_ns + (a->to_ns - a->from_ns) * (double)column / (double)columns;
}

static bool span(const struct area *a, int curve, size_t column, size_t columns, double *lo,
		 double *hi)
{
	return plot_span(a->p, curve, time_of(a, column, columns), time_of(a, column + 1, columns),
			 lo, hi);
}

static void ink_from_to(struct area *a, size_t column, double lo, double hi, enum ink ink)
{
	for (size_t row = row_of(a, hi, a->rows); row <= row_of(a, lo, a->rows); row++)
		cell_at(a, column, row)->ink = ink;
}

static void draw_band(struct area *a, size_t column)
{
	double lo, hi, ignored;

	if (span(a, PLOT_Q05, column, a->columns, &lo, &ignored) &&
	    span(a, PLOT_Q95, column, a->columns, &ignored, &hi) && lo <= hi)
		ink_from_to(a, column, lo, hi, INK_BAND);
}

static void draw_dots(struct area *a, size_t column)
{
	/* Unicode 15, section 21.1: dots 1 2 3 7 are the left column from above, 4 5 6 8 the right.
	 */
	static const unsigned char bits[DOTS_X][DOTS_Y] = {{1, 2, 4, 64}, {8, 16, 32, 128}};
	double lo, hi;

	for (size_t x = 0; x < DOTS_X; x++) {
		if (!span(a, PLOT_VALUE, DOTS_X * column + x, DOTS_X * a->columns, &lo, &hi))
			continue;
		for (size_t y = row_of(a, hi, DOTS_Y * a->rows);
		     y <= row_of(a, lo, DOTS_Y * a->rows); y++) {
			struct cell *c = cell_at(a, column, y / DOTS_Y);

			c->ink = INK_VALUE;
			c->dots |= bits[x][y % DOTS_Y];
		}
	}
}

static void draw_column(struct area *a, size_t column)
{
	double lo, hi;

	draw_band(a, column);
	if (span(a, PLOT_Q50, column, a->columns, &lo, &hi))
		ink_from_to(a, column, lo, hi, INK_MEDIAN);
	if (a->conf->utf8)
		draw_dots(a, column);
	else if (span(a, PLOT_VALUE, column, a->columns, &lo, &hi))
		ink_from_to(a, column, lo, hi, INK_VALUE);
}

static void print_cell(const struct area *a, const struct cell *c, FILE *out)
{
	if (a->conf->utf8 && c->ink == INK_VALUE) /* U+2800 and the dots */
		fprintf(out, "\xe2%c%c", 0xa0 | c->dots >> 6, 0x80 | (c->dots & 0x3f));
	else
		fputs(all_signs[a->conf->utf8].ink[c->ink], out);
}

/* The tick that lies in row @row; false: none does. */
static bool tick_of(const struct area *a, size_t row, double *ret)
{
	for (size_t i = 0; i <= a->axis.n; i++) {
		*ret = a->axis.lo + (double)i * a->axis.step;
		if (row_of(a, *ret, a->rows) == row)
			return true;
	}
	return false;
}

static void print_row(const struct area *a, size_t row, FILE *out)
{
	const struct signs *signs = &all_signs[a->conf->utf8];
	enum ink ink = INK_NONE;
	size_t end = a->columns;
	char label[TICK_MAX] = "";
	double v;
	bool tick = tick_of(a, row, &v);

	while (end > 0 && cell_at(a, end - 1, row)->ink == INK_NONE)
		end--;
	fprintf(out, "%*s %s", (int)a->margin,
		tick ? plot_tick(label, sizeof(label), &a->axis, v) : "",
		tick ? signs->axis_tick : signs->axis);
	for (size_t i = 0; i < end; i++) {
		const struct cell *c = cell_at(a, i, row);

		if (a->conf->colour && !streq(colour_of(c->ink), colour_of(ink)))
			fprintf(out, "\033[0m%s", colour_of(c->ink));
		ink = c->ink;
		print_cell(a, c, out);
	}
	fprintf(out, "%s\n", a->conf->colour ? "\033[0m" : "");
}

static size_t column_of(const struct area *a, int64_t at_ns)
{
	double part = ((double)at_ns - a->from_ns) / (a->to_ns - a->from_ns);

	return (size_t)fmin(fmax(floor(part * (double)a->columns), 0), (double)a->columns - 1);
}

static int64_t time_at(const struct area *a, size_t tick)
{
	return a->times.first_ns + (int64_t)tick * a->times.step_ns;
}

static bool has_tick(const struct area *a, size_t column)
{
	for (size_t i = 0; i < a->times.n; i++)
		if (column_of(a, time_at(a, i)) == column)
			return true;
	return false;
}

/* The axis of times, and below it the times that have room, each centred below its tick. */
static void print_times(const struct area *a, FILE *out)
{
	const struct signs *signs = &all_signs[a->conf->utf8];
	char label[32];
	size_t at = 0;

	fprintf(out, "%*s %s", (int)a->margin, "", signs->corner);
	for (size_t i = 0; i < a->columns; i++)
		fputs(column_of(a, 0) == i ? signs->origin
		      : has_tick(a, i)     ? signs->floor_tick
					   : signs->floor,
		      out);
	fprintf(out, "\n%*s", (int)a->margin + 2, "");
	for (size_t i = 0; i < a->times.n; i++) {
		int64_t t = time_at(a, i);
		size_t width = strlen(plot_time(label, sizeof(label), a->p, &a->times, t));
		size_t start = column_of(a, t) - MIN(width / 2, column_of(a, t));

		if ((at > 0 && start < at + 1) || start + width > a->columns)
			continue;
		at += (size_t)fprintf(out, "%*s%s", (int)(start - at), "", label);
	}
	fputc('\n', out);
}

static void print_legend(const struct area *a, FILE *out)
{
	static const struct {
		enum ink ink;
		int curve;
		const char *name;
	} rows[] = {{INK_VALUE, PLOT_VALUE, "measured"},
		    {INK_MEDIAN, PLOT_Q50, "median"},
		    {INK_BAND, PLOT_Q05, "90 % band"}};
	const char *const *ink = all_signs[a->conf->utf8].ink;
	const char *before = " ";
	double lo, hi;

	fprintf(out, "%*s", (int)a->margin + 1, "");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *colour = a->conf->colour ? colour_of(rows[i].ink) : "";

		if (!plot_span(a->p, rows[i].curve, -INFINITY, INFINITY, &lo, &hi))
			continue;
		fprintf(out, "%s%s%s%s %s", before, colour, ink[rows[i].ink],
			*colour ? "\033[0m" : "", rows[i].name);
		before = "   ";
	}
	fprintf(out, "%s%s forecast\n", before, all_signs[a->conf->utf8].origin);
}

/* What the axes measure: the unit of values, the zone of times. */
static void print_head(const struct area *a, FILE *out)
{
	char origin[48];

	plot_origin(origin, sizeof(origin), a->p);
	if (*a->p->unit || *origin)
		fprintf(out, "%*s %s%s%s%s\n", (int)a->margin, "", a->p->unit,
			*a->p->unit && *origin ? "; " : "", *origin ? "forecast of " : "", origin);
}

static void lay_out(struct area *a)
{
	char label[TICK_MAX];

	a->rows = a->conf->rows;
	a->axis = plot_axis(a->p, MAX(a->rows / ROWS_A_TICK, 1));
	for (size_t i = 0; i <= a->axis.n; i++) {
		double v = a->axis.lo + (double)i * a->axis.step;

		a->margin = MAX(a->margin, strlen(plot_tick(label, sizeof(label), &a->axis, v)));
	}
	a->columns = a->conf->columns - MIN(a->margin + 2, a->conf->columns - 1);
	a->times = plot_times(a->p, MAX(a->columns / TIME_WIDTH, 1));
	a->from_ns = (double)a->p->points[0].at_ns;
	a->to_ns = fmax((double)a->p->points[a->p->n - 1].at_ns, a->from_ns + 1);
}

void chart_draw(const struct plot *p, const struct chart_conf *conf, FILE *out)
{
	struct area a = {.p = p, .conf = conf};
	_cleanup_(freep) struct cell *cells = NULL;
	double lo, hi;

	if (!plot_range(p, &lo, &hi)) {
		fprintf(out, "no values to draw\n");
		return;
	}
	lay_out(&a);
	cells = calloc(a.rows * a.columns, sizeof(*cells));
	if (!cells)
		return;
	a.cells = cells;
	for (size_t i = 0; i < a.columns; i++)
		draw_column(&a, i);
	print_head(&a, out);
	for (size_t row = 0; row < a.rows; row++)
		print_row(&a, row, out);
	print_times(&a, out);
	print_legend(&a, out);
}
