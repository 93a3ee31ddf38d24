// SPDX-License-Identifier: GPL-2.0-or-later
/* tape_bytes.c - LEB128 numbers, as DWARF has them. */
#include "agent/tape_bytes.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/util.h"

void tape_bytes_free(struct tape_bytes *b)
{
	free(b->bytes);
	*b = (struct tape_bytes){};
}

void *tape_room(struct tape_bytes *b, size_t n)
{
	size_t size = MAX(b->used + n, MIN(2 * b->size, b->size + MIB));
	uint8_t *more;

	if (b->failed)
		return NULL;
	if (b->used + n > b->size) {
		more = realloc(b->bytes, MAX(size, (size_t)KIB));
		if (!more) {
			b->failed = true;
			return NULL;
		}
		b->bytes = more;
		b->size = MAX(size, (size_t)KIB);
	}
	b->used += n;
	return b->bytes + b->used - n;
}

void tape_put_raw(struct tape_bytes *b, const void *bytes, size_t n)
{
	void *room = tape_room(b, n);

	if (room && n > 0)
		memcpy(room, bytes, n);
}

void tape_put(struct tape_bytes *b, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	tape_put_raw(b, bytes, n);
}

void tape_put_signed(struct tape_bytes *b, int64_t v)
{
	tape_put(b, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void tape_put_limit(struct tape_bytes *b, uint64_t v)
{
	tape_put(b, v + 1); /* UNLIMITED becomes 0 */
}

void tape_put_real(struct tape_bytes *b, double v)
{
	tape_put_raw(b, &v, sizeof(v));
}

void tape_put_text(struct tape_bytes *b, const char *s)
{
	size_t n = strlen(s);

	tape_put(b, n);
	tape_put_raw(b, s, n);
}

static const uint8_t *take(struct tape_reader *r, uint64_t n)
{
	const uint8_t *at = r->p;

	if (n > r->left) {
		r->cut = true;
		r->left = 0;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return at;
}

uint64_t tape_get(struct tape_reader *r)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		const uint8_t *byte = take(r, 1);

		if (!byte)
			return 0;
		v |= (uint64_t)(*byte & 0x7f) << shift;
		if (!(*byte & 0x80))
			return v;
	}
	r->cut = true;
	r->left = 0;
	return 0;
}

int64_t tape_get_signed(struct tape_reader *r)
{
	uint64_t v = tape_get(r);

	return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

uint64_t tape_get_limit(struct tape_reader *r)
{
	return tape_get(r) - 1;
}

double tape_get_real(struct tape_reader *r)
{
	double v = 0;
	const uint8_t *at = take(r, sizeof(v));

	if (at)
		memcpy(&v, at, sizeof(v));
	return v;
}

void tape_get_text(struct tape_reader *r, char *buf, size_t size)
{
	uint64_t n = tape_get(r);
	const uint8_t *at = take(r, n);

	n = at ? MIN(n, (uint64_t)size - 1) : 0;
	if (n > 0)
		memcpy(buf, at, n);
	buf[n] = '\0';
}
