// SPDX-License-Identifier: GPL-2.0-or-later
/* table.c - aligned columns for people, and what the screen can do. */
#include "agent/table.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"

#define COLUMNS_DEFAULT 80
#define COLUMNS_MIN     40
#define CELL_MIN        8 /* a flexible column is not cut below this */

size_t screen_columns(FILE *out)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t n;

	if (columns && parse_u64(columns, &n) == 0 && n > 0)
		return (size_t)clamp_u64(n, COLUMNS_MIN, TABLE_CELL_MAX * TABLE_MAX_COLUMNS);
	if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return MAX((size_t)size.ws_col, (size_t)COLUMNS_MIN);
	return COLUMNS_DEFAULT;
}

static const char *if_colour(FILE *out, const char *code)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	if ((no_colour && *no_colour) || !term || streq(term, "dumb") || !isatty(fileno(out)))
		return "";
	return code;
}

const char *screen_bold(FILE *out)
{
	return if_colour(out, "\033[1m");
}

const char *screen_red(FILE *out)
{
	return if_colour(out, "\033[31m");
}

const char *screen_plain(FILE *out)
{
	return if_colour(out, "\033[0m");
}

void screen_word(FILE *out, size_t *column, size_t indent, const char *word)
{
	if (*column + strlen(word) > screen_columns(out)) {
		*column = (size_t)fprintf(out, "\n%*s", (int)indent, "") - 1;
		word += *word == ' ';
	}
	*column += (size_t)fprintf(out, "%s", word);
}

void table_start(struct table *t, const struct table_column *columns, size_t n_columns)
{
	*t = (struct table){.columns = columns, .n_columns = MIN(n_columns, TABLE_MAX_COLUMNS)};
	for (size_t i = 0; i < t->n_columns; i++)
		table_cell(t, "%s", columns[i].head);
}

static bool make_room(struct table *t)
{
	size_t room = t->room ? t->room * 2 : 64;
	void *cells;

	if (t->n_cells < t->room)
		return true;
	cells = reallocarray(t->cells, room, sizeof(*t->cells));
	if (!cells)
		return false;
	t->cells = cells;
	t->room = room;
	return true;
}

void table_cell(struct table *t, const char *fmt, ...)
{
	char *cell;
	va_list ap;

	if (t->failed || !make_room(t)) {
		t->failed = true;
		return;
	}
	cell = t->cells[t->n_cells++];
	va_start(ap, fmt);
	(void)vsnprintf(cell, TABLE_CELL_MAX, fmt, ap);
	va_end(ap);
	for (; *cell; cell++)
		if ((unsigned char)*cell < 0x20 || *cell == 0x7f)
			*cell = '?';
}

void table_free(struct table *t)
{
	free(t->cells);
	t->cells = NULL;
}

/* Characters on the screen: UTF-8 continuation bytes take no place. */
static size_t text_columns(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

/* Bytes of the first @columns characters of @s. */
static size_t bytes_of(const char *s, size_t columns)
{
	size_t i = 0;

	for (; s[i]; i++) {
		if ((s[i] & 0xc0) != 0x80 && columns-- == 0)
			break;
	}
	return i;
}

/* The widest flexible column that can still be cut, or SIZE_MAX. */
static size_t widest_flexible(const struct table *t, const size_t *width)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].flexible && width[i] > CELL_MIN &&
		    (best == SIZE_MAX || width[i] > width[best]))
			best = i;
	return best;
}

static void fit(const struct table *t, size_t screen, size_t *width)
{
	size_t total = t->n_columns - 1;

	for (size_t i = 0; i < t->n_cells; i++)
		width[i % t->n_columns] = MAX(width[i % t->n_columns], text_columns(t->cells[i]));
	for (size_t i = 0; i < t->n_columns; i++)
		total += width[i];
	for (size_t i; total > screen; total--) {
		i = widest_flexible(t, width);
		if (i == SIZE_MAX)
			return;
		width[i]--;
	}
}

static void print_cell(FILE *out, const char *cell, size_t width, bool right, bool last)
{
	size_t columns = text_columns(cell);
	int pad = (int)(width - MIN(columns, width));

	if (columns > width)
		fprintf(out, "%.*s...", (int)bytes_of(cell, width - 3), cell);
	else if (right)
		fprintf(out, "%*s%s", pad, "", cell);
	else
		fprintf(out, "%s%*s", cell, last ? 0 : pad, "");
}

void table_print(const struct table *t, FILE *out)
{
	size_t width[TABLE_MAX_COLUMNS] = {};

	fit(t, screen_columns(out), width);
	for (size_t row = 0; row + t->n_columns <= t->n_cells; row += t->n_columns) {
		if (row == 0)
			fputs(screen_bold(out), out);
		for (size_t i = 0; i < t->n_columns; i++) {
			bool last = i + 1 == t->n_columns;

			print_cell(out, t->cells[row + i], width[i], t->columns[i].right, last);
			if (!last)
				fputc(' ', out);
		}
		if (row == 0)
			fputs(screen_plain(out), out);
		fputc('\n', out);
	}
}
