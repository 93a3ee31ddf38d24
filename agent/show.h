/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show.h - JSON values of the API as short words for people; "-" for what is null. */
#ifndef FORESHAPE_SHOW_H
#define FORESHAPE_SHOW_H

#include <jansson.h>
#include <stdint.h>

/* A short text, returned by value so that several fit one call. */
struct shown {
	char text[40];
};

struct shown show_cores(const json_t *mcpu);    /* "0.81" */
struct shown show_bytes(const json_t *bytes);   /* "212M", "1.5G": powers of 1024 */
struct shown show_rate(const json_t *rate);     /* "950", "12.1M": powers of 1000 */
struct shown show_us(const json_t *us);         /* "350us", "1.2ms", "2.1s" */
struct shown show_percent(const json_t *ratio); /* "99.95%" */
/* The two burn rates of an objective, "fast/slow"; "-" for one that is not known, or both. */
struct shown show_burn(const json_t *slo);
struct shown show_plain(const json_t *number); /* four digits: "0.3", "1.25e+07" never */
struct shown show_ns(uint64_t ns);             /* "30 s", "5 min", "7 d" */

/* @v with @digits after the point, and its unit: "93.1 %"; "-" alone where it is not finite. */
struct shown show_fixed(double v, int digits, const char *unit);

/* @json's text or @otherwise; its number or NAN. */
const char *show_text(const json_t *json, const char *otherwise);
double show_number(const json_t *json);

/* Value of a knob in its unit: "1.20 CPUs", "512M", "unlimited" where null. */
struct shown show_knob(const char *unit, const json_t *value);

#endif
