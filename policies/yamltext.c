// SPDX-License-Identifier: GPL-2.0-or-later
/* yamltext.c - encoding checks and recovery from syntax errors, by blanking the broken block. */
#include "policies/yamltext.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "agent/base/cleanup.h"
#include "policies/yamltree.h"

#define MAX_SYNTAX_ERRORS 16

/* Why the character of @n bytes at @p may not stand in a policy; NULL: it may. */
static const char *refuse_character(const char *p, size_t n)
{
	unsigned char c = (unsigned char)p[0];

	if (n == 0)
		return "not UTF-8";
	if (n == 1 && (c == '\t' || c == '\n' || c == '\r'))
		return NULL;
	if (c < ' ' || c == 0x7f)
		return "a control character";
	if (n == 2 && c == 0xc2 && (unsigned char)p[1] < 0xa0)
		return "a control character";
	if (n == 3 && (memcmp(p, "\u2028", 3) == 0 || memcmp(p, "\u2029", 3) == 0))
		return "a line separator that is not a newline";
	if (n == 3 && (memcmp(p, "\ufeff", 3) == 0 || memcmp(p, "\xef\xbf\xbe", 3) == 0 ||
		       memcmp(p, "\xef\xbf\xbf", 3) == 0))
		return "a byte order mark or no character";
	return NULL;
}

static int check_characters(struct findings *f)
{
	uint32_t line = 1, column = 1;
	size_t n;

	for (size_t i = 0; i < f->size; i += n) {
		const char *p = f->text + i, *why;

		n = findings_character(p, f->size - i);
		why = refuse_character(p, n);
		if (why) {
			findings_error(f, line, column, "%s (byte 0x%02x): policies are plain text",
				       why, (unsigned char)*p);
			return -EINVAL;
		}
		column++;
		if (*p == '\n' || (*p == '\r' && !(i + 1 < f->size && p[1] == '\n'))) {
			line++;
			column = 1;
		}
	}
	return 0;
}

/*
 * Runs the parser over @text without looking at what it finds, until the end or what is nested too
 * deep (the tree says so; libyaml's time for more levels is quadratic). Returns 0, -ENOMEM, or
 * -EINVAL with @p at the error.
 */
static int scan(yaml_parser_t *p, const char *text, size_t size)
{
	yaml_event_t event;
	int depth = 0;
	bool last;

	yaml_parser_set_encoding(p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(p, (const unsigned char *)text, size);
	do {
		if (!yaml_parser_parse(p, &event))
			return p->error == YAML_MEMORY_ERROR ? -ENOMEM : -EINVAL;
		depth += event.type == YAML_MAPPING_START_EVENT ||
			 event.type == YAML_SEQUENCE_START_EVENT;
		depth -= event.type == YAML_MAPPING_END_EVENT ||
			 event.type == YAML_SEQUENCE_END_EVENT;
		last = event.type == YAML_STREAM_END_EVENT || depth > YAMLTREE_MAX_DEPTH;
		yaml_event_delete(&event);
	} while (!last);
	return 0;
}

/* Byte offset of line @line (from 0). */
static size_t line_start(const char *text, size_t size, size_t line)
{
	size_t i = 0;

	for (; line > 0 && i < size; i++) {
		if (text[i] == '\n' || (text[i] == '\r' && !(i + 1 < size && text[i + 1] == '\n')))
			line--;
	}
	return i;
}

static bool at_margin(const char *text, size_t size, size_t i)
{
	bool starts_line = i == 0 || text[i - 1] == '\n' || text[i - 1] == '\r';

	return i < size && starts_line && (isalpha((unsigned char)text[i]) || text[i] == '_');
}

/* The mark to start cutting from: where an unclosed thing began, else where the error is. */
static const yaml_mark_t *origin(const yaml_parser_t *p)
{
	const char *context = p->context ? p->context : "";

	return strstr(context, "flow") || strstr(context, "quoted") || strstr(context, "simple key")
		       ? &p->context_mark
		       : &p->problem_mark;
}

/* Blanks the block of the error @p is at. Returns false when there was nothing left to blank. */
static bool blank(const yaml_parser_t *p, char *text, size_t size)
{
	size_t start = line_start(text, size, origin(p)->line), end;
	bool blanked = false;

	if (start >= size && size > 0)
		start = size - 1;
	while (start > 0 && !at_margin(text, size, start))
		start--;
	for (end = start + 1; end < size && !at_margin(text, size, end);)
		end++;
	for (size_t i = start; i < end && i < size; i++) {
		blanked |= !isspace((unsigned char)text[i]);
		if (text[i] != '\n' && text[i] != '\r')
			text[i] = ' ';
	}
	return blanked;
}

/* What people make wrong, by what libyaml says about it. */
/* clang-format off */
static const struct {
	const char *problem, *text;
} words[] = {
	{ "mapping values are not allowed", "a second ': ' on this line: quote the value or start a new line" },
	{ "could not find expected ':'", "a key without ':'" },
	{ "did not find expected ',' or '}'", "a '{' that is not closed, or ',' missing" },
	{ "did not find expected ',' or ']'", "a '[' that is not closed, or ',' missing" },
	{ "did not find expected key", "not in line with the keys above: check the indentation" },
	{ "did not find expected '-' indicator", "not in line with the '-' above: check the indentation" },
	{ "block sequence entries are not allowed", "a '-' list cannot start here: start a new line" },
	{ "found unexpected end of stream", "a quote that is not closed" },
	{ "found unexpected document indicator", "a quote that is not closed" },
	{ "found a tab character", "a tab: indent with spaces" },
	{ "found unknown escape character", "an unknown escape: use single quotes to keep '\\' as it is" },
	{ "did not find expected <document start>", "nothing can follow what stands above: check the indentation" },
};
/* clang-format on */

static void report(struct findings *f, const yaml_parser_t *p)
{
	const char *problem = p->problem ? p->problem : "not YAML", *text = problem;
	const yaml_mark_t *at = &p->problem_mark, *from = origin(p);
	size_t offset = line_start(f->text, f->size, at->line) + at->column;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strstr(problem, words[i].problem))
			text = words[i].text;
	}
	if (strstr(text, "not closed") || strstr(text, "without ':'"))
		at = from;
	if (strstr(problem, "cannot start any token"))
		text = offset < f->size && f->text[offset] == '\t'
			       ? "a tab: indent with spaces"
			       : "this character cannot start a value: quote it";
	findings_error(f, (uint32_t)at->line + 1, (uint32_t)at->column + 1, "%s", text);
}

/*
 * Looks for the first syntax error of @text; reports and blanks it, unless it is the one of the
 * call before, at @last. Returns 0 when there was none, 1 to go on, -EINVAL when that would not
 * help.
 */
static int clean_once(struct findings *f, char *text, yaml_mark_t *last)
{
	yaml_parser_t p;
	int r;

	if (!yaml_parser_initialize(&p))
		return -ENOMEM;
	r = scan(&p, text, f->size);
	if (r == -EINVAL &&
	    (p.problem_mark.line != last->line || p.problem_mark.column != last->column)) {
		report(f, &p);
		*last = p.problem_mark;
		if (blank(&p, text, f->size))
			r = 1;
	}
	yaml_parser_delete(&p);
	return r;
}

int yamltext_clean(struct findings *f, char **ret, bool *ret_cut)
{
	_cleanup_(freep) char *copy = NULL;
	yaml_mark_t last = {.line = SIZE_MAX};
	int n = 0, r = check_characters(f);

	if (r < 0)
		return r;
	copy = malloc(f->size + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, f->text, f->size);
	copy[f->size] = '\0';
	do {
		r = clean_once(f, copy, &last);
	} while (r == 1 && ++n < MAX_SYNTAX_ERRORS);
	if (r != 0)
		return r == 1 ? -EINVAL : r;
	*ret = take_ptr(copy);
	*ret_cut = n > 0;
	return 0;
}
