// SPDX-License-Identifier: GPL-2.0-or-later
/* blob.c - flat state to bytes and back. */
#include "forecast/blob.h"

#include <string.h>

struct header {
	uint64_t kind, length, sum;
};

/* FNV-1a, 64 bits: Fowler, Noll, Vo (1991). */
static uint64_t checksum(const unsigned char *p, size_t n, uint64_t seed)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

size_t blob_size(size_t length)
{
	return sizeof(struct header) + length;
}

size_t blob_save(uint64_t kind, const void *state, size_t length, void *buf, size_t size)
{
	struct header h = {.kind = kind, .length = length, .sum = checksum(state, length, kind)};

	if (size < blob_size(length))
		return 0;
	memcpy(buf, &h, sizeof(h));
	memcpy((char *)buf + sizeof(h), state, length);
	return blob_size(length);
}

const void *blob_check(uint64_t kind, size_t length, const void *buf, size_t size)
{
	const unsigned char *payload = (const unsigned char *)buf + sizeof(struct header);
	struct header h;

	if (!buf || size != blob_size(length))
		return NULL;
	memcpy(&h, buf, sizeof(h));
	if (h.kind != kind || h.length != length || h.sum != checksum(payload, length, kind))
		return NULL;
	return payload;
}
