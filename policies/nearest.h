/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nearest.h - how far one word is from another, for "did you mean". */
#ifndef FORESHAPE_NEAREST_H
#define FORESHAPE_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

#define NEAREST_FAR 1000 /* not alike at all */

/*
 * Distance of what was written, @word, from what may be meant, @name: insertions, deletions,
 * replacements and swaps of neighbours (restricted Damerau-Levenshtein), where case, '_', '-' and
 * '.' do not count; 0 also where only those differ. A beginning of three letters or more is 1.
 * NEAREST_FAR where more than a third of the longer one would change.
 */
unsigned nearest_distance(const char *word, const char *name);

/* True when @word, but for case and separators, is one of the blank-separated @words. */
bool nearest_listed(const char *word, const char *words);

/* The one of @names (ends with NULL) nearest to @word, or NULL. The first of equals. */
const char *nearest_name(const char *word, const char *const *names);

#endif
