/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util.h - the few words every folder uses: sizes, units, comparison. */
#ifndef FORESHAPE_UTIL_H
#define FORESHAPE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)
#define US_PER_MS UINT64_C(1000)
#define US_PER_S  UINT64_C(1000000)
#define MS_PER_S  UINT64_C(1000)
#define S_PER_MIN UINT64_C(60)
#define S_PER_H   UINT64_C(3600)
#define S_PER_DAY UINT64_C(86400)
#define MCPU      UINT64_C(1000)    /* one CPU */
#define PPM       UINT64_C(1000000) /* all of it */
#define BITS_BYTE UINT64_C(8)
#define KIB       UINT64_C(1024)
#define MIB       (KIB * KIB)

/* A knob, floor or ceiling without a bound. */
#define UNLIMITED UINT64_MAX

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

static inline bool streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static inline uint64_t clamp_u64(uint64_t v, uint64_t lo, uint64_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

/* @at_ns + @for_ns, INT64_MAX where that does not fit. */
static inline int64_t ns_after(int64_t at_ns, uint64_t for_ns)
{
	int64_t sum;

	return __builtin_add_overflow(at_ns, for_ns, &sum) ? INT64_MAX : sum;
}

/* @to_ns - @from_ns, the end of the range where that does not fit. */
static inline int64_t ns_between(int64_t from_ns, int64_t to_ns)
{
	int64_t difference;

	if (!__builtin_sub_overflow(to_ns, from_ns, &difference))
		return difference;
	return to_ns < from_ns ? INT64_MIN : INT64_MAX;
}

/* Copies @src into @dst of @size bytes, cut and terminated. Returns false when it was cut. */
static inline bool copy_str(char *dst, size_t size, const char *src)
{
	size_t n = strlen(src);
	bool whole = n < size;

	if (!whole)
		n = size - 1;
	memcpy(dst, src, n);
	dst[n] = '\0';
	return whole;
}

#endif
