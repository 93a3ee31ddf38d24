// SPDX-License-Identifier: GPL-2.0-or-later
/* store_queue.c - records as bytes: a kind, then typed values, then an end mark. */
#include "agent/store_queue.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/util.h"

#define KEEP_BYTES (256 * KIB)
#define END_MARK   0xff

void records_free(struct records *q)
{
	free(q->bytes);
	q->bytes = NULL;
	q->used = q->size = q->n = 0;
}

void records_clear(struct records *q)
{
	if (q->size > KEEP_BYTES)
		records_free(q);
	q->used = q->n = 0;
}

static bool grow(struct records *q, size_t need)
{
	size_t size = MAX(q->size, 4 * KIB);
	uint8_t *bytes;

	while (size < need)
		size *= 2;
	size = MIN(size, q->max);
	if (size < need)
		return false;
	bytes = realloc(q->bytes, size);
	if (!bytes)
		return false;
	q->bytes = bytes;
	q->size = size;
	return true;
}

static void put(struct records *q, const void *bytes, size_t size)
{
	if (q->no_room)
		return;
	if (q->used + size > q->size && !grow(q, q->used + size)) {
		q->no_room = true;
		return;
	}
	if (size)
		memcpy(q->bytes + q->used, bytes, size);
	q->used += size;
}

static void put_byte(struct records *q, uint8_t byte)
{
	put(q, &byte, 1);
}

void record_begin(struct records *q, enum record_kind kind)
{
	q->start = q->used;
	q->no_room = false;
	put_byte(q, (uint8_t)kind);
}

void record_int(struct records *q, int64_t v)
{
	put_byte(q, VALUE_INT);
	put(q, &v, sizeof(v));
}

void record_count(struct records *q, uint64_t v)
{
	record_int(q, (int64_t)MIN(v, (uint64_t)INT64_MAX));
}

void record_limit(struct records *q, uint64_t v)
{
	if (v == UNLIMITED)
		put_byte(q, VALUE_NULL);
	else
		record_count(q, v);
}

void record_real(struct records *q, double v)
{
	if (!isfinite(v)) {
		put_byte(q, VALUE_NULL);
		return;
	}
	put_byte(q, VALUE_REAL);
	put(q, &v, sizeof(v));
}

static void put_sized(struct records *q, enum value_type type, const void *v, size_t size)
{
	uint32_t n = (uint32_t)MIN(size, (size_t)UINT32_MAX);

	put_byte(q, (uint8_t)type);
	put(q, &n, sizeof(n));
	put(q, v, n);
}

void record_text(struct records *q, const char *v)
{
	if (v)
		put_sized(q, VALUE_TEXT, v, strlen(v));
	else
		put_byte(q, VALUE_NULL);
}

void record_blob(struct records *q, const void *v, size_t size)
{
	put_sized(q, VALUE_BLOB, v, size);
}

bool record_end(struct records *q)
{
	put_byte(q, END_MARK);
	if (q->no_room) {
		q->used = q->start;
		return false;
	}
	q->n++;
	return true;
}

bool records_next(const struct records *q, size_t *at, enum record_kind *kind)
{
	if (*at >= q->used)
		return false;
	*kind = (enum record_kind)q->bytes[(*at)++];
	return true;
}

bool records_value(const struct records *q, size_t *at, struct value *ret)
{
	uint8_t type = q->bytes[(*at)++];
	uint32_t n;

	if (type == END_MARK)
		return false;
	*ret = (struct value){.type = (enum value_type)type};
	switch (ret->type) {
	case VALUE_NULL:
		break;
	case VALUE_INT:
		memcpy(&ret->i, q->bytes + *at, sizeof(ret->i));
		*at += sizeof(ret->i);
		break;
	case VALUE_REAL:
		memcpy(&ret->real, q->bytes + *at, sizeof(ret->real));
		*at += sizeof(ret->real);
		break;
	case VALUE_TEXT:
	case VALUE_BLOB:
		memcpy(&n, q->bytes + *at, sizeof(n));
		ret->bytes = q->bytes + *at + sizeof(n);
		ret->size = n;
		*at += sizeof(n) + n;
		break;
	}
	return true;
}
