/* SPDX-License-Identifier: GPL-2.0-or-later */
/* findings.h - collecting errors and warnings of one file, each with its place and source line. */
#ifndef FORESHAPE_FINDINGS_H
#define FORESHAPE_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policies/policy.h"

#define FINDINGS_MAX      512 /* kept in all */
#define FINDINGS_FILE_MAX 100 /* of a file, before its reading stops */

/* A file under examination; borrows all it points to. */
struct findings {
	struct policy_errors *to;
	const char *file;
	const char *text; /* the file's bytes; NULL: not read */
	size_t size;
	size_t n;        /* findings of this file so far */
	size_t n_errors; /* of which errors */
};

/* Adds a finding at @line and @column (both from 1; 0: the file as a whole). */
void findings_error(struct findings *f, uint32_t line, uint32_t column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void findings_warning(struct findings *f, uint32_t line, uint32_t column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* True when so much is wrong with the file that reading on helps nobody. */
bool findings_enough(const struct findings *f);

/* Puts the findings from index @first on into the order of their lines and columns. */
void findings_sort(struct policy_errors *errors, size_t first);

/* Byte length of the UTF-8 character at @p, of at most @size bytes: 1 to 4; 0: not valid UTF-8. */
size_t findings_character(const char *p, size_t size);

#endif
