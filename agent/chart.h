/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chart.h - a picture of a forecast in characters. */
#ifndef FORESHAPE_CHART_H
#define FORESHAPE_CHART_H

#include <stdio.h>

#include "agent/plot.h"

struct chart_conf {
	size_t columns; /* of the screen, 40 or more; the chart is no wider */
	size_t rows;    /* of the area drawn on, 3 or more */
	bool utf8;      /* braille and blocks; else ASCII */
	bool colour;
};

/*
 * What suits @out: its width, colours where it takes them, UTF-8 where LC_ALL, LC_CTYPE or LANG,
 * the first that is set, says so.
 */
struct chart_conf chart_conf_of(FILE *out);

/*
 * Draws @p on @out: unit, area with axes, what the signs mean. Nothing but a line where no curve
 * has a value. Measured values lie over the median, the median over the band from .05 to .95.
 */
void chart_draw(const struct plot *p, const struct chart_conf *conf, FILE *out);

#endif
