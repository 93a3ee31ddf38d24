// SPDX-License-Identifier: GPL-2.0-or-later
/* parse.c - text to numbers with units and back. */
#include "agent/base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/base/util.h"

struct unit {
	const char *name;
	double scale;
};

/* clang-format off */
static const struct unit byte_units[] = {
	{ "B", 1 },
	{ "kB", 1e3 }, { "MB", 1e6 }, { "GB", 1e9 }, { "TB", 1e12 },
	{ "KiB", 1024.0 }, { "MiB", 1048576.0 }, { "GiB", 1073741824.0 }, { "TiB", 1099511627776.0 },
};
static const struct unit rate_units[] = {
	{ "bit", 1 }, { "kbit", 1e3 }, { "Mbit", 1e6 }, { "Gbit", 1e9 },
};
static const struct unit duration_units[] = {
	{ "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "min", 60e9 }, { "m", 60e9 },
	{ "h", 3600e9 }, { "d", 86400e9 }, { "w", 604800e9 },
};
static const struct unit cpu_units[] = { { "", 1000 }, { "m", 1 } };
/* clang-format on */

int parse_u64(const char *s, uint64_t *ret)
{
	char *end;
	uint64_t v;

	if (!isdigit((unsigned char)*s)) /* strtoull would take "-1" and " 1" */
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno)
		return -ERANGE;
	*ret = v;
	return 0;
}

/* Reads the decimal number at @s; no hex, no inf, no nan. Sets @end behind it. */
static int number(const char *s, double *ret, const char **end)
{
	const char *p = s;
	char *stop;
	double v;

	if (*p == '-' || *p == '+')
		p++;
	if (!isdigit((unsigned char)*p) && !(*p == '.' && isdigit((unsigned char)p[1])))
		return -EINVAL;
	if (*p == '0' && (p[1] == 'x' || p[1] == 'X'))
		return -EINVAL;
	v = strtod(s, &stop);
	if (!isfinite(v))
		return -ERANGE;
	*ret = v;
	*end = stop;
	return 0;
}

int parse_double(const char *s, double *ret)
{
	const char *end;
	double v;
	int r = number(s, &v, &end);

	if (r < 0)
		return r;
	if (*end)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int with_unit(const char *s, const struct unit *units, size_t n, uint64_t *ret)
{
	const char *end;
	double v;
	int r;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	r = number(s, &v, &end);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		double scaled = round(v * units[i].scale);

		if (!streq(end, units[i].name))
			continue;
		if (scaled >= 0x1p63)
			return -ERANGE;
		*ret = (uint64_t)scaled;
		return 0;
	}
	return -EINVAL;
}

int parse_cpu_mcpu(const char *s, uint64_t *ret)
{
	return with_unit(s, cpu_units, ARRAY_SIZE(cpu_units), ret);
}

int parse_bytes(const char *s, uint64_t *ret)
{
	return with_unit(s, byte_units, ARRAY_SIZE(byte_units), ret);
}

int parse_bits_per_s(const char *s, uint64_t *ret)
{
	return with_unit(s, rate_units, ARRAY_SIZE(rate_units), ret);
}

int parse_duration_ns(const char *s, uint64_t *ret)
{
	return with_unit(s, duration_units, ARRAY_SIZE(duration_units), ret);
}

int parse_ratio(const char *s, double *ret)
{
	const char *end;
	double v;
	int r;

	if (!isdigit((unsigned char)*s) && *s != '.')
		return -EINVAL;
	r = number(s, &v, &end);
	if (r < 0)
		return r;
	if (streq(end, "%"))
		v /= 100;
	else if (*end)
		return -EINVAL;
	if (v > 1)
		return -ERANGE;
	*ret = v;
	return 0;
}

/* Takes exactly @n digits at *@p as a number in [@lo, @hi] and steps over them. */
static bool digits(const char **p, int n, int lo, int hi, int *ret)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*p)[i]))
			return false;
		v = v * 10 + ((*p)[i] - '0');
	}
	if (v < lo || v > hi)
		return false;
	*p += n;
	*ret = v;
	return true;
}

/* "Z", "+hh:mm", "-hh:mm" at @p to seconds east of UTC; nothing left behind. */
static bool zone(const char *p, int *ret)
{
	int sign, h, m;

	if (streq(p, "Z")) {
		*ret = 0;
		return true;
	}
	if (*p != '+' && *p != '-')
		return false;
	sign = *p++ == '-' ? -1 : 1;
	if (!digits(&p, 2, 0, 14, &h))
		return false;
	if (*p == ':')
		p++;
	if (!digits(&p, 2, 0, 59, &m) || *p)
		return false;
	*ret = sign * (h * 3600 + m * 60);
	return true;
}

/* hh:mm[:ss[.fraction]] at *@p. */
static bool clock_time(const char **p, struct tm *tm, double *fraction)
{
	if (!digits(p, 2, 0, 23, &tm->tm_hour) || **p != ':')
		return false;
	(*p)++;
	if (!digits(p, 2, 0, 59, &tm->tm_min))
		return false;
	if (**p != ':')
		return true;
	(*p)++;
	if (!digits(p, 2, 0, 60, &tm->tm_sec))
		return false;
	if (**p == '.') {
		char *end;

		if (!isdigit((unsigned char)(*p)[1]))
			return false;
		*fraction = strtod(*p, &end);
		*p = end;
	}
	return true;
}

static int iso_time(const char *p, int64_t *ret)
{
	struct tm tm = {.tm_isdst = -1}, check;
	double fraction = 0;
	int east = 0;
	time_t t;

	if (!digits(&p, 4, 1970, 2200, &tm.tm_year) || *p++ != '-' ||
	    !digits(&p, 2, 1, 12, &tm.tm_mon) || *p++ != '-' || !digits(&p, 2, 1, 31, &tm.tm_mday))
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	if (*p == 'T' || *p == ' ') {
		p++;
		if (!clock_time(&p, &tm, &fraction))
			return -EINVAL;
	}
	check = tm;
	if (*p) {
		if (!zone(p, &east))
			return -EINVAL;
		t = timegm(&check) - east;
	} else {
		t = mktime(&check);
	}
	if (check.tm_mday != tm.tm_mday) /* 31 April became 1 May */
		return -EINVAL;
	*ret = (int64_t)t * (int64_t)NS_PER_S + (int64_t)(fraction * 1e9);
	return 0;
}

int parse_time_ns(const char *s, int64_t *ret)
{
	double v;

	if (parse_double(s, &v) == 0) {
		if (fabs(v) > 9e9)
			return -ERANGE;
		*ret = (int64_t)llround(floor(v)) * (int64_t)NS_PER_S +
		       (int64_t)llround((v - floor(v)) * 1e9);
		return 0;
	}
	return iso_time(s, ret);
}

char *format_cpu(char *buf, size_t size, uint64_t mcpu)
{
	if (mcpu == UNLIMITED)
		(void)snprintf(buf, size, "unlimited");
	else
		(void)snprintf(buf, size, "%" PRIu64 "m", mcpu);
	return buf;
}

/* The largest unit that leaves at least 1, with three significant digits. */
static char *scaled(char *buf, size_t size, uint64_t v, double base, const char *const *names)
{
	double x = (double)v;
	size_t i = 0;

	if (v == UNLIMITED) {
		(void)snprintf(buf, size, "unlimited");
		return buf;
	}
	while (x >= base * 0.9995 && names[i + 1]) {
		x /= base;
		i++;
	}
	(void)snprintf(buf, size, "%.*f %s",
		       x < 9.995 && i   ? 2
		       : x < 99.95 && i ? 1
					: 0,
		       x, names[i]);
	return buf;
}

char *format_bytes(char *buf, size_t size, uint64_t bytes)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", NULL};

	return scaled(buf, size, bytes, 1024, names);
}

char *format_bits_per_s(char *buf, size_t size, uint64_t rate)
{
	static const char *const names[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", NULL};

	return scaled(buf, size, rate, 1000, names);
}

char *format_duration(char *buf, size_t size, uint64_t ns)
{
	static const char *const names[] = {"ns", "us", "ms", "s", NULL};

	return scaled(buf, size, ns, 1000, names);
}

char *format_time(char *buf, size_t size, int64_t real_ns)
{
	time_t t = (time_t)(real_ns / (int64_t)NS_PER_S);
	struct tm tm;

	gmtime_r(&t, &tm);
	if (!strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		*buf = '\0';
	return buf;
}
