/* SPDX-License-Identifier: GPL-2.0-or-later */
/* svg.h - a picture of a forecast as an SVG file. */
#ifndef FORESHAPE_SVG_H
#define FORESHAPE_SVG_H

#include <stdio.h>

#include "agent/base/err.h"
#include "agent/plot.h"

/* Writes @p as an SVG document to @out: valid XML whatever is in its texts. */
void svg_draw(const struct plot *p, FILE *out);

/*
 * The same into file @path, which is opened only when the document is complete. Returns 0, -ENOMEM,
 * or why it could not be written, with the file's name in @e.
 */
int svg_write(const struct plot *p, const char *path, struct err *e);

#endif
