// SPDX-License-Identifier: GPL-2.0-or-later
/* show.c - numbers of the API as short words for people. */
#include "agent/show.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/util.h"

#define NONE "-"

double show_number(const json_t *json)
{
	return json_is_number(json) ? json_number_value(json) : NAN;
}

const char *show_text(const json_t *json, const char *otherwise)
{
	return json_is_string(json) ? json_string_value(json) : otherwise;
}

/* Three digits and the letter of the power of @base out of @letters, the first of which is none. */
static struct shown scaled(double v, double base, const char *letters)
{
	struct shown s = {NONE};
	size_t i = 0;

	if (!isfinite(v))
		return s;
	/* From where three digits would round up to a fourth. */
	for (; fabs(v) >= 999.5 && letters[i + 1]; i++)
		v /= base;
	(void)snprintf(s.text, sizeof(s.text), v < 9.95 && v != floor(v) ? "%.1f%.*s" : "%.0f%.*s",
		       v, i > 0, &letters[i]);
	return s;
}

struct shown show_cores(const json_t *mcpu)
{
	double v = show_number(mcpu);
	struct shown s = {NONE};

	if (isfinite(v))
		(void)snprintf(s.text, sizeof(s.text), v < 99995 ? "%.2f" : "%.0f",
			       v / (double)MCPU);
	return s;
}

struct shown show_bytes(const json_t *bytes)
{
	return scaled(show_number(bytes), (double)KIB, " KMGTP");
}

struct shown show_rate(const json_t *rate)
{
	return scaled(show_number(rate), 1000, " kMGTP");
}

struct shown show_us(const json_t *us)
{
	static const char *const units[] = {"us", "ms", "s"};
	double v = show_number(us);
	struct shown s = {NONE};
	size_t i = 0;

	if (!isfinite(v))
		return s;
	for (; v >= 999.5 && i + 1 < ARRAY_SIZE(units); i++)
		v /= 1000;
	(void)snprintf(s.text, sizeof(s.text), v < 9.95 ? "%.1f%s" : "%.0f%s", v, units[i]);
	return s;
}

struct shown show_percent(const json_t *ratio)
{
	double v = show_number(ratio) * 100;
	struct shown s = {NONE};

	if (isfinite(v)) /* 99.996 is not 100: what is missed stays visible */
		(void)snprintf(s.text, sizeof(s.text),
			       v >= 99.995 && v < 100 ? ">99.99%%" : "%.2f%%", v);
	return s;
}

struct shown show_plain(const json_t *number)
{
	double v = show_number(number);
	struct shown s = {NONE};

	if (!isfinite(v))
		return s;
	if (v == floor(v) && fabs(v) < 1e15)
		(void)snprintf(s.text, sizeof(s.text), "%.0f", v);
	else
		(void)snprintf(s.text, sizeof(s.text), fabs(v) < 10 ? "%.3g" : "%.1f", v);
	return s;
}

struct shown show_burn(const json_t *slo)
{
	struct shown fast = show_plain(json_object_get(slo, "burn_rate"));
	struct shown slow = show_plain(json_object_get(slo, "burn_rate_slow"));
	struct shown s = {NONE};

	if (!streq(fast.text, NONE) || !streq(slow.text, NONE))
		(void)snprintf(s.text, sizeof(s.text), "%.15s/%.15s", fast.text, slow.text);
	return s;
}

struct shown show_fixed(double v, int digits, const char *unit)
{
	struct shown s = {NONE};

	if (isfinite(v))
		(void)snprintf(s.text, sizeof(s.text), "%.*f%s", digits, v, unit);
	return s;
}

struct shown show_ns(uint64_t ns)
{
	static const struct {
		uint64_t s;
		const char *unit;
	} rows[] = {{S_PER_DAY, "d"}, {S_PER_H, "h"}, {S_PER_MIN, "min"}};
	uint64_t s = ns / NS_PER_S;
	struct shown ret;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (s < 2 * rows[i].s && s != rows[i].s)
			continue;
		(void)snprintf(ret.text, sizeof(ret.text), "%llu %s",
			       (unsigned long long)((s + rows[i].s / 2) / rows[i].s), rows[i].unit);
		return ret;
	}
	(void)snprintf(ret.text, sizeof(ret.text), "%g s", (double)ns / (double)NS_PER_S);
	return ret;
}

struct shown show_knob(const char *unit, const json_t *value)
{
	static const struct {
		const char *unit;
		struct shown (*number)(const json_t *value);
		const char *after, *after_letter; /* where the number ends with one for thousands */
	} rows[] = {
		{"mcpu", show_cores, " CPUs", " CPUs"}, {"bytes", show_bytes, "B", "iB"},
		{"bytes/s", show_bytes, "B/s", "iB/s"}, {"bits/s", show_rate, "bit/s", "bit/s"},
		{"us", show_plain, " us", " us"},       {"", show_plain, "", ""},
	};
	struct shown s = {"unlimited"}, number;
	size_t i = 0;
	bool plain;

	if (!json_is_number(value))
		return s;
	while (i + 1 < ARRAY_SIZE(rows) && !streq(rows[i].unit, unit))
		i++;
	number = rows[i].number(value);
	plain = number.text[strspn(number.text, "0123456789.")] == '\0';
	(void)snprintf(s.text, sizeof(s.text), "%.24s%s", number.text,
		       plain ? rows[i].after : rows[i].after_letter);
	return s;
}
