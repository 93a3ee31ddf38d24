/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.h - aligned columns for people, within the width of the screen. */
#ifndef FORESHAPE_TABLE_H
#define FORESHAPE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_MAX_COLUMNS 12
#define TABLE_CELL_MAX    256

struct table_column {
	const char *head;
	bool right;    /* numbers */
	bool flexible; /* cut with "..." when the row is too wide; the widest one first */
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	char (*cells)[TABLE_CELL_MAX]; /* row after row */
	size_t n_cells, room;
	bool failed; /* out of memory: printed as far as it got */
};

void table_start(struct table *t, const struct table_column *columns, size_t n_columns);
/* The next cell, left to right, row after row. Control characters become '?'. */
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *t, FILE *out);
void table_free(struct table *t);

/* Columns of the screen behind @out: COLUMNS, the terminal's, or 80; at least 40. */
size_t screen_columns(FILE *out);
/*
 * Prints @word, which starts with its space, after *column columns of a line; where it does not
 * fit, on the next line, from @indent on. Moves *column on.
 */
void screen_word(FILE *out, size_t *column, size_t indent, const char *word);
/* "" unless @out is a terminal, TERM is not dumb and NO_COLOR is empty. */
const char *screen_bold(FILE *out);
const char *screen_red(FILE *out);
const char *screen_plain(FILE *out); /* back to normal */

#endif
