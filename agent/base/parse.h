/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parse.h - text to numbers with units and back; the only place that knows the spellings. */
#ifndef FORESHAPE_PARSE_H
#define FORESHAPE_PARSE_H

#include <stddef.h>
#include <stdint.h>

/*
 * All of these read the whole of @s: no space, no sign where none is named, no rest.
 * They return 0, -EINVAL (not of this form) or -ERANGE (does not fit), and leave
 * @ret untouched on failure.
 */
int parse_u64(const char *s, uint64_t *ret);         /* "42" */
int parse_double(const char *s, double *ret);        /* "-1.5e3"; finite only */
int parse_cpu_mcpu(const char *s, uint64_t *ret);    /* "200m", "4", "0.5"; 1000 is one CPU */
int parse_bytes(const char *s, uint64_t *ret);       /* "256MiB", "4kB", "10B"; unit required */
int parse_bits_per_s(const char *s, uint64_t *ret);  /* "10Mbit", "1.5Gbit", "800kbit", "9bit" */
int parse_duration_ns(const char *s, uint64_t *ret); /* "200ms", "1h", "30s", "7d", "5us", "1w" */
int parse_ratio(const char *s, double *ret);         /* "99.9%" or "0.999", in [0, 1] */

/*
 * Reads epoch seconds ("898207200", "12.5"; "now") or ISO-8601
 * ("2027-03-20T08:00[:ss[.f]][Z|+hh:mm]", date alone, or a space for the T); a time without zone is
 * in the host's zone. Nanoseconds since the epoch. Returns as above.
 */
int parse_time_ns(const char *s, int64_t *ret);

/* These write a short human form into @buf of @size bytes and return @buf. */
char *format_cpu(char *buf, size_t size, uint64_t mcpu);        /* "1500m"; "unlimited" */
char *format_bytes(char *buf, size_t size, uint64_t bytes);     /* "1.5 GiB" */
char *format_bits_per_s(char *buf, size_t size, uint64_t rate); /* "20 Mbit/s" */
char *format_duration(char *buf, size_t size, uint64_t ns);     /* "1.2 ms" */
char *format_time(char *buf, size_t size, int64_t real_ns);     /* ISO-8601, UTC, seconds */

#endif
