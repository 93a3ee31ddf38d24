/* SPDX-License-Identifier: GPL-2.0-or-later */
/* svg_replay.h - a picture of a replay as an SVG file: use, forecast, limit, what was too little.
 */
#ifndef FORESHAPE_SVG_REPLAY_H
#define FORESHAPE_SVG_REPLAY_H

#include <stdio.h>

#include "agent/base/err.h"
#include "agent/plot.h"

/* Writes @p, whose points are spans of time (PLOT_LEAST, PLOT_LIMIT, ...), to @out. */
void svg_replay_draw(const struct plot *p, FILE *out);

/* The same into file @path; as svg_write. */
int svg_replay_write(const struct plot *p, const char *path, struct err *e);

#endif
