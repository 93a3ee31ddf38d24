// SPDX-License-Identifier: GPL-2.0-or-later
/* findings.c - errors and warnings with their place, and how people read them. */
#include "policies/findings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_AFTER_CARET 80 /* characters of a long line shown behind the place */

size_t findings_character(const char *p, size_t size)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *u = (const unsigned char *)p;
	size_t n = u[0] < 0x80 ? 1 : u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
	uint32_t c;

	if (n == 1)
		return 1;
	if (u[0] < 0xc2 || u[0] > 0xf4 || n > size)
		return 0;
	c = u[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

/* Finds line @number (from 1) of @text. Returns its length in bytes, 0 and *ret NULL when none. */
static size_t find_line(const char *text, size_t size, uint32_t number, const char **ret)
{
	const char *end = text + size, *p = text;

	for (uint32_t line = 1; line < number && p < end; p++) {
		if (*p == '\r' && p + 1 < end && p[1] == '\n')
			continue;
		if (*p == '\n' || *p == '\r')
			line++;
		if (line == number) {
			p++;
			break;
		}
	}
	*ret = p;
	while (p < end && *p != '\n' && *p != '\r')
		p++;
	return (size_t)(p - *ret);
}

/*
 * Copies the part of the @n bytes at @line around character @column (from 1) to the source of
 * @e, controls as spaces, and sets its caret.
 */
static void copy_source(struct policy_error *e, const char *line, size_t n, uint32_t column)
{
	size_t skip = column > sizeof(e->source) - LINE_AFTER_CARET ? column - LINE_AFTER_CARET : 0;
	size_t i = 0, out = 0;

	for (size_t done = 0; done < skip && i < n; done++)
		i += MAX(findings_character(line + i, n - i), 1u);
	while (i < n) {
		size_t bytes = findings_character(line + i, n - i);

		if (out + MAX(bytes, 1u) >= sizeof(e->source))
			break;
		if (bytes == 0 || (unsigned char)line[i] < ' ' || line[i] == 0x7f)
			e->source[out++] = bytes ? ' ' : '?';
		else
			memcpy(e->source + out, line + i, bytes), out += bytes;
		i += MAX(bytes, 1u);
	}
	e->source[out] = '\0';
	e->caret = column ? column - (uint32_t)skip : 0;
}

/* A new finding at the end of the list; NULL when there is no room, which is counted. */
static struct policy_error *append(struct findings *f, bool warning)
{
	struct policy_errors *to = f->to;
	struct policy_error *list;

	f->n++;
	f->n_errors += !warning;
	to->n_errors += !warning;
	if (to->n >= FINDINGS_MAX) {
		to->skipped++;
		return NULL;
	}
	list = reallocarray(to->list, to->n + 1, sizeof(*list));
	if (!list) {
		to->skipped++;
		return NULL;
	}
	to->list = list;
	memset(&list[to->n], 0, sizeof(*list));
	list[to->n].warning = warning;
	return &list[to->n++];
}

static void add(struct findings *f, struct policy_error *e, uint32_t line, uint32_t column,
		const char *fmt, va_list ap)
{
	const char *source;
	size_t n;

	if (!e)
		return;
	copy_str(e->file, sizeof(e->file), f->file);
	e->line = line;
	e->column = column;
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	if (!f->text || line == 0)
		return;
	n = find_line(f->text, f->size, line, &source);
	copy_source(e, source, n, column);
}

void findings_error(struct findings *f, uint32_t line, uint32_t column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(f, append(f, false), line, column, fmt, ap);
	va_end(ap);
}

void findings_warning(struct findings *f, uint32_t line, uint32_t column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(f, append(f, true), line, column, fmt, ap);
	va_end(ap);
}

bool findings_enough(const struct findings *f)
{
	return f->n >= FINDINGS_FILE_MAX;
}

static bool stands_before(const struct policy_error *a, const struct policy_error *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

void findings_sort(struct policy_errors *errors, size_t first)
{
	struct policy_error *list = errors->list;

	for (size_t i = first + 1; i < errors->n; i++) {
		for (size_t j = i; j > first && stands_before(&list[j], &list[j - 1]); j--) {
			struct policy_error swap = list[j];

			list[j] = list[j - 1];
			list[j - 1] = swap;
		}
	}
}

void policy_errors_free(struct policy_errors *errors)
{
	free(errors->list);
	*errors = (struct policy_errors){};
}

static int format_line(const struct policy_error *e, char *buf, size_t size)
{
	const char *kind = e->warning ? "warning: " : "";

	if (!e->line)
		return snprintf(buf, size, "%s: %s%s", e->file, kind, e->text);
	return snprintf(buf, size, "%s:%" PRIu32 ":%" PRIu32 ": %s%s", e->file, e->line, e->column,
			kind, e->text);
}

char *policy_errors_first(const struct policy_errors *errors, char *buf, size_t size)
{
	const struct policy_error *first = errors->list;

	for (size_t i = 0; i < errors->n && first->warning; i++)
		if (!errors->list[i].warning)
			first = &errors->list[i];
	*buf = '\0';
	if (errors->n)
		(void)format_line(first, buf, size);
	return buf;
}

char *policy_error_format(const struct policy_error *e, char *buf, size_t size)
{
	int n = format_line(e, buf, size);

	if (e->caret && n >= 0 && (size_t)n < size)
		(void)snprintf(buf + n, size - (size_t)n, "\n  %s\n  %*s", e->source, (int)e->caret,
			       "^");
	return buf;
}
