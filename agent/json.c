// SPDX-License-Identifier: GPL-2.0-or-later
/* json.c - numbers and texts as JSON: what is not measured or has no limit is null. */
#include "agent/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/base/util.h"

#define DIGITS 12

json_t *json_number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

json_t *json_count(uint64_t v)
{
	return json_integer((json_int_t)MIN(v, (uint64_t)INT64_MAX));
}

json_t *json_limit(uint64_t v)
{
	return v == UNLIMITED ? json_null() : json_count(v);
}

json_t *json_text(const char *s)
{
	char plain[512];
	json_t *json;

	if (!s)
		return json_null();
	json = json_string(s);
	if (json)
		return json;
	(void)copy_str(plain, sizeof(plain), s);
	for (char *c = plain; *c; c++)
		if (*c & 0x80)
			*c = '?';
	return json_string(plain);
}

json_t *json_quantiles(const struct forecast *f)
{
	return json_pack("{s:o, s:o, s:o}", "0.5",
			 f ? json_number(forecast_at(f, 0.5)) : json_null(), "0.9",
			 f ? json_number(forecast_at(f, 0.9)) : json_null(), "0.99",
			 f ? json_number(forecast_at(f, 0.99)) : json_null());
}

json_t *json_slo(const struct view_slo *slo)
{
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "route", json_text(slo->route), "objective",
		json_number(slo->objective), "latency_us", json_count(slo->latency_us), "window_s",
		json_count(slo->window_s), "attained", json_number(slo->attained), "burn_rate",
		json_number(slo->burn_fast), "burn_rate_slow", json_number(slo->burn_slow));
}

int json_print(FILE *out, json_t *json)
{
	int r;

	if (!json)
		return -ENOMEM;
	r = json_dumpf(json, out, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
	json_decref(json);
	return r < 0 || fputc('\n', out) == EOF ? -EIO : 0;
}
