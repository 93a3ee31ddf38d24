/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tape_bytes.h - numbers and texts as bytes, small numbers as few of them. */
#ifndef FORESHAPE_TAPE_BYTES_H
#define FORESHAPE_TAPE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tape_bytes {
	uint8_t *bytes;
	size_t used, size;
	bool failed; /* out of memory: holds what came before */
};

void tape_bytes_free(struct tape_bytes *b);
void tape_put(struct tape_bytes *b, uint64_t v);
void tape_put_signed(struct tape_bytes *b, int64_t v);
void tape_put_limit(struct tape_bytes *b, uint64_t v); /* UNLIMITED is small */
void tape_put_real(struct tape_bytes *b, double v);    /* all its bits */
void tape_put_text(struct tape_bytes *b, const char *s);
void tape_put_raw(struct tape_bytes *b, const void *bytes, size_t n);
/* Room for @n bytes more, to be filled by the caller; NULL: out of memory. */
void *tape_room(struct tape_bytes *b, size_t n);

/* Reads what was written; where that ends too early, all are 0 and @cut is set. */
struct tape_reader {
	const uint8_t *p;
	size_t left;
	bool cut;
};
uint64_t tape_get(struct tape_reader *r);
int64_t tape_get_signed(struct tape_reader *r);
uint64_t tape_get_limit(struct tape_reader *r);
double tape_get_real(struct tape_reader *r);
void tape_get_text(struct tape_reader *r, char *buf, size_t size); /* cut to @size */

#endif
