// SPDX-License-Identifier: GPL-2.0-or-later
/* scalar.c - the table of value types, and reading a value by it. */
#include "policies/scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/parse.h"
#include "policies/names.h"
#include "policies/nearest.h"
#include "policies/policy.h"

#define WHOLE(name, parse)                                                                         \
	static int name(const char *text, struct scalar_number *ret)                               \
	{                                                                                          \
		ret->is_real = false;                                                              \
		return parse(text, &ret->whole);                                                   \
	}

WHOLE(number_cpu, parse_cpu_mcpu)
WHOLE(number_bytes, parse_bytes)
WHOLE(number_bits, parse_bits_per_s)
WHOLE(number_duration, parse_duration_ns)
WHOLE(number_count, parse_u64)

static int number_ratio(const char *text, struct scalar_number *ret)
{
	ret->is_real = true;
	return parse_ratio(text, &ret->real);
}

static int number_percent(const char *text, struct scalar_number *ret)
{
	return strchr(text, '%') ? number_ratio(text, ret) : -EINVAL;
}

static int number_factor(const char *text, struct scalar_number *ret)
{
	ret->is_real = true;
	return parse_double(text, &ret->real);
}

/* Calendar times only: a bare number has no unit, and "now" would move. */
static int number_time(const char *text, struct scalar_number *ret)
{
	int64_t at;
	int r;

	if (!isdigit((unsigned char)*text) || strcspn(text, "-") != 4)
		return -EINVAL;
	r = parse_time_ns(text, &at);
	if (r < 0)
		return r;
	ret->is_real = false;
	ret->whole = (uint64_t)at;
	return 0;
}

static bool fits_version(const char *text, char *why, size_t size)
{
	if (streq(text, "1"))
		return true;
	(void)snprintf(why, size, "version '%s' is not known: write 'version: 1'", text);
	return false;
}

static void store_nothing(const char *text, void *field)
{
	(void)text;
	(void)field;
}

static void store_route(const char *text, void *field)
{
	struct policy_api *api = field;
	const char *path = text + strcspn(text, "/");

	(void)snprintf(api->method, sizeof(api->method), "%.*s",
		       path == text ? 1 : (int)(path - text - 1), path == text ? "*" : text);
	copy_str(api->route, sizeof(api->route), path);
}

static const char *const tiers[] = {"gold", "silver", "bronze", "auto", NULL};
static const char *const fixed_tiers[] = {"gold", "silver", "bronze", NULL};
static const char *const modes[] = {"reserve", "cap", NULL};
static const char *const reclaims[] = {"bronze", "always", "never", NULL};
static const char *const cpu_units[] = {"m", NULL};
static const char *const byte_units[] = {"MiB", "GiB", "KiB", "TiB", "MB",
					 "GB",  "kB",  "TB",  "B",   NULL};
static const char *const bit_units[] = {"Mbit", "Gbit", "kbit", "bit", NULL};
static const char *const duration_units[] = {"ms", "min", "us", "ns", "s", "h", "d", "w", NULL};
static const char *const percent_units[] = {"%", NULL};

static void store_tier(const char *text, void *field)
{
	struct policy_service *s = field;

	s->auto_tier = streq(text, "auto");
	for (size_t i = 0; i < TIER_COUNT; i++) {
		if (streq(text, tiers[i]))
			s->tier = (enum tier)i;
	}
}

const char *tier_name(enum tier tier)
{
	return tier < TIER_COUNT ? fixed_tiers[tier] : "unknown";
}

/* clang-format off */
const struct scalar_type scalar_version = {
	.what = "the version of the language", .fits = fits_version, .store = store_nothing };
const struct scalar_type scalar_name = { .what = "a name", .fits = names_fits_service };
const struct scalar_type scalar_cpu = {
	.what = "a number of CPUs", .number = number_cpu, .bytes = 8, .units = cpu_units };
const struct scalar_type scalar_bytes = {
	.what = "a size", .number = number_bytes, .bytes = 8, .units = byte_units, .usual_unit = "MiB" };
const struct scalar_type scalar_bits_per_s = {
	.what = "a rate", .number = number_bits, .bytes = 8, .units = bit_units, .usual_unit = "Mbit" };
const struct scalar_type scalar_duration_ns = {
	.what = "a duration", .number = number_duration, .bytes = 8, .units = duration_units,
	.usual_unit = "s" };
const struct scalar_type scalar_duration_us = {
	.what = "a duration", .number = number_duration, .per = NS_PER_US, .bytes = 8,
	.units = duration_units, .usual_unit = "ms" };
const struct scalar_type scalar_duration_s = {
	.what = "a duration", .number = number_duration, .per = NS_PER_S, .bytes = 8,
	.units = duration_units, .usual_unit = "s" };
const struct scalar_type scalar_percent = {
	.what = "a percentage", .number = number_percent, .bytes = 8, .units = percent_units,
	.usual_unit = "%" };
const struct scalar_type scalar_ratio = {
	.what = "a ratio", .number = number_ratio, .bytes = 8, .units = percent_units };
const struct scalar_type scalar_factor = {
	.what = "a factor", .number = number_factor, .bytes = 8 };
const struct scalar_type scalar_count = {
	.what = "a whole number", .number = number_count, .bytes = 8 };
const struct scalar_type scalar_port = { .what = "a port", .number = number_count, .bytes = 2 };
const struct scalar_type scalar_time = {
	.what = "a time in the host's zone, or with Z or +hh:mm", .number = number_time, .bytes = 8 };
const struct scalar_type scalar_tier = { .what = "a tier", .words = fixed_tiers, .bytes = 4 };
const struct scalar_type scalar_tier_or_auto = {
	.what = "a tier", .words = tiers, .store = store_tier };
const struct scalar_type scalar_reclaim = { .what = "a time to reclaim", .words = reclaims, .bytes = 4 };
const struct scalar_type scalar_cpu_mode = { .what = "a mode", .words = modes, .bytes = 4 };
const struct scalar_type scalar_unit = { .what = "a systemd unit", .fits = names_fits_unit };
const struct scalar_type scalar_cgroup = {
	.what = "a cgroup's path below each hierarchy's root", .fits = names_fits_cgroup };
const struct scalar_type scalar_interface = {
	.what = "a network interface", .fits = names_fits_interface };
const struct scalar_type scalar_calendar = { .what = "a calendar's name", .fits = names_fits_calendar };
const struct scalar_type scalar_path = { .what = "an absolute path", .fits = names_fits_path };
const struct scalar_type scalar_route = {
	.what = "a route", .fits = names_fits_route, .store = store_route };
/* clang-format on */

static void store_number(const struct scalar_type *t, const struct scalar_number *v, void *field)
{
	uint64_t whole = t->per && v->whole != UNLIMITED ? v->whole / t->per : v->whole;
	uint16_t port = (uint16_t)whole;

	if (v->is_real)
		memcpy(field, &v->real, sizeof(v->real));
	else if (t->bytes == sizeof(port))
		memcpy(field, &port, sizeof(port));
	else
		memcpy(field, &whole, sizeof(whole));
}

/* Negative, 0 or positive as @a is below, equal to or above the value spelled @bound. */
static int compare(const struct scalar_type *t, const struct scalar_number *a, const char *bound)
{
	struct scalar_number b;

	(void)t->number(bound, &b);
	if (a->is_real)
		return (a->real > b.real) - (a->real < b.real);
	return (a->whole > b.whole) - (a->whole < b.whole);
}

static bool in_range(const struct schema_key *key, const struct scalar_number *v)
{
	int least = key->open_range ? 1 : 0;

	if (key->lowest && compare(key->type, v, key->lowest) < least)
		return false;
	return !key->highest || compare(key->type, v, key->highest) <= -least;
}

static void say_range(const struct schema_key *key, const char *text, char *why, size_t size)
{
	const char *format = key->open_range ? "'%s' is out of range: above %s and below %s"
					     : "'%s' is out of range: %s to %s";

	if (key->lowest && key->highest)
		(void)snprintf(why, size, format, text, key->lowest, key->highest);
	else
		(void)snprintf(why, size, "'%s' is out of range", text);
}

/* The unit of @type most likely meant by @unit; NULL: no idea. */
static const char *near_unit(const struct scalar_type *type, const char *unit)
{
	const char *best = NULL;

	if (*unit == '\0')
		return type->usual_unit;
	for (size_t i = 0; type->units[i]; i++) {
		if (strcasecmp(unit, type->units[i]) == 0)
			return type->units[i];
	}
	for (size_t i = 0; type->units[i] && !best; i++) {
		if (strncasecmp(unit, type->units[i], strlen(unit)) == 0)
			best = type->units[i];
	}
	for (size_t i = 0; type->units[i] && !best; i++) {
		if (strncasecmp(unit, type->units[i], strlen(type->units[i])) == 0)
			best = type->units[i];
	}
	for (size_t i = 0; type->units[i] && !best; i++) {
		if (strncasecmp(unit, type->units[i], 2) == 0) /* "mbps" */
			best = type->units[i];
	}
	return best ? best : nearest_name(unit, type->units);
}

/* Puts the value most likely meant by @text into @ret. Returns false when there is none. */
static bool near_number(const struct schema_key *key, const char *text, char *ret, size_t size)
{
	size_t digits = strspn(text, "0123456789."), gap = strspn(text + digits, " _");
	struct scalar_number v;
	const char *unit;
	double real;

	if (digits == 0 || digits > 20 || !key->type->units)
		return false;
	unit = near_unit(key->type, text + digits + gap);
	if (!unit)
		return false;
	(void)snprintf(ret, size, "%.*s%s", (int)digits, text, unit);
	if (streq(unit, "%") && parse_double(text, &real) == 0 && real <= 1)
		(void)snprintf(ret, size, "%.6g%%", real * 100);
	return key->type->number(ret, &v) == 0 && in_range(key, &v);
}

static bool read_number(const struct schema_key *key, const char *text, void *field, char *why,
			size_t size)
{
	struct scalar_number v = {};
	char near[64];
	int r;

	if ((key->may_be_unlimited && streq(text, "unlimited")) ||
	    (key->may_be_auto && streq(text, "auto"))) {
		v.whole = key->may_be_auto ? POLICY_AUTO : UNLIMITED;
		store_number(key->type, &v, field);
		return true;
	}
	r = key->type->number(text, &v);
	if (r == 0 && in_range(key, &v)) {
		store_number(key->type, &v, field);
		return true;
	}
	if (r == 0 || r == -ERANGE)
		say_range(key, text, why, size);
	else if (key->may_be_unlimited && nearest_distance(text, "unlimited") < NEAREST_FAR)
		(void)snprintf(why, size, "'%s' is not %s, did you mean 'unlimited'?", text,
			       key->type->what);
	else if (near_number(key, text, near, sizeof(near)))
		(void)snprintf(why, size, "'%s' %s, did you mean '%s'?", text,
			       isdigit((unsigned char)text[strlen(text) - 1]) ? "needs its unit"
									      : "is misspelt",
			       near);
	else
		(void)snprintf(why, size, "'%s' is not %s, write it like '%s'", text,
			       key->type->what, key->example);
	return false;
}

static bool read_word(const struct schema_key *key, const char *text, void *field, char *why,
		      size_t size)
{
	const char *const *words = key->type->words;
	const char *what = key->type->what + strlen("a "), *near;
	size_t used;

	for (int i = 0; words[i]; i++) {
		if (!streq(words[i], text))
			continue;
		if (key->type->store)
			key->type->store(text, field);
		else
			memcpy(field, &i, sizeof(i));
		return true;
	}
	near = nearest_name(text, words);
	if (near) {
		(void)snprintf(why, size, "unknown %s '%s', did you mean '%s'?", what, text, near);
		return false;
	}
	used = (size_t)snprintf(why, size, "unknown %s '%s': one of", what, text);
	for (int i = 0; words[i] && used < size; i++)
		used += (size_t)snprintf(why + used, size - used, "%s %s", i ? "," : "", words[i]);
	return false;
}

static bool read_text(const struct schema_key *key, const char *text, void *field, char *why,
		      size_t size)
{
	if (key->size && strlen(text) >= key->size) {
		(void)snprintf(why, size, "longer than %zu characters", key->size - 1);
		return false;
	}
	if (key->type->fits && !key->type->fits(text, why, size))
		return false;
	if (key->type->store)
		key->type->store(text, field);
	else
		copy_str(field, key->size, text);
	return true;
}

bool scalar_read(const struct schema_key *key, const char *text, void *field, char *why,
		 size_t size)
{
	if (key->type->number)
		return read_number(key, text, field, why, size);
	if (key->type->words)
		return read_word(key, text, field, why, size);
	return read_text(key, text, field, why, size);
}

void scalar_default(const struct schema_key *key, void *field)
{
	const struct scalar_type *t = key->type;
	struct scalar_number v = {.whole = key->may_be_unlimited ? UNLIMITED : 0, .real = NAN};
	char why[8];

	if (key->otherwise) {
		(void)scalar_read(key, key->otherwise, field, why, sizeof(why));
	} else if (t->number) {
		v.is_real = t->number == number_ratio || t->number == number_percent ||
			    t->number == number_factor;
		store_number(t, &v, field);
	} else if (!t->words && !t->store) {
		memset(field, 0, key->size);
	}
}
