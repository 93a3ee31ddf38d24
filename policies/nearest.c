// SPDX-License-Identifier: GPL-2.0-or-later
/* nearest.c - edit distance between a misspelt word and the right ones. */
#include "policies/nearest.h"

#include <ctype.h>
#include <string.h>

#include "agent/base/util.h"

#define WORD_MAX 40

/* Copies the letters that count. Returns their number; WORD_MAX: too long to be a slip. */
static size_t fold(const char *word, size_t len, char out[WORD_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (strchr("_-. ", word[i]))
			continue;
		if (n == WORD_MAX - 1)
			return WORD_MAX;
		out[n++] = (char)tolower((unsigned char)word[i]);
	}
	out[n] = '\0';
	return n;
}

static unsigned edits(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= na; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			unsigned v = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			v = MIN(v, d[i - 1][j] + 1);
			v = MIN(v, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				v = MIN(v, d[i - 2][j - 2] + 1);
			d[i][j] = v;
		}
	}
	return d[na][nb];
}

unsigned nearest_distance(const char *word, const char *name)
{
	char a[WORD_MAX], b[WORD_MAX];
	size_t na = fold(word, strlen(word), a), nb = fold(name, strlen(name), b);
	unsigned d;

	if (na == 0 || na == WORD_MAX || nb == WORD_MAX)
		return NEAREST_FAR;
	d = edits(a, na, b, nb);
	if (d > 1 && na >= 3 && strncmp(a, b, na) == 0)
		return 1;
	return d * 3 > MAX(na, nb) && d > 1 ? NEAREST_FAR : d == 1 && na < 2 ? NEAREST_FAR : d;
}

bool nearest_listed(const char *word, const char *words)
{
	char a[WORD_MAX], b[WORD_MAX];
	size_t na = fold(word, strlen(word), a);

	if (na == 0 || na == WORD_MAX || !words)
		return false;
	while (*words) {
		size_t len = strcspn(words, " ");

		if (fold(words, len, b) == na && streq(a, b))
			return true;
		words += len;
		words += *words == ' ';
	}
	return false;
}

const char *nearest_name(const char *word, const char *const *names)
{
	const char *best = NULL;
	unsigned least = NEAREST_FAR;

	for (; *names; names++) {
		unsigned d = nearest_distance(word, *names);

		if (d < least) {
			least = d;
			best = *names;
		}
	}
	return best;
}
