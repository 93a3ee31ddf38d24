// SPDX-License-Identifier: GPL-2.0-or-later
/* plot_axis.c - round numbers and round times for the axes of a picture. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/util.h"
#include "agent/plot.h"

#define FAR_ABOVE  0.5    /* of the largest: from there on the axis does not start at 0 */
#define TINY       1e-200 /* no axis for less */
#define LONG_DAYS  300    /* from there on dates have their year and no day */
#define MAX_DIGITS 6      /* after the point */

static const double nice[] = {1, 2, 5, 10};

/* The least of 1, 2, 5 x 10^k that is not below @v. */
static double round_up(double v)
{
	double power = pow(10, floor(log10(v)));

	for (size_t i = 0; i < ARRAY_SIZE(nice); i++)
		if (nice[i] * power >= v * (1 - 1e-9))
			return nice[i] * power;
	return 10 * power;
}

struct plot_axis plot_axis(const struct plot *p, size_t most)
{
	struct plot_axis a;
	double lo, hi;

	if (!plot_range(p, &lo, &hi))
		lo = hi = 0;
	if (lo < FAR_ABOVE * hi || lo == hi)
		lo = fmin(lo, 0);
	if (hi - lo < TINY)
		hi = lo + 1;
	a.step = round_up((hi - lo) / (double)most);
	for (;; a.step = round_up(1.5 * a.step)) {
		a.lo = a.step * floor(lo / a.step + 1e-9);
		a.hi = a.step * ceil(hi / a.step - 1e-9);
		if (a.hi - a.lo >= a.step * ((double)most + 0.5))
			continue;
		a.n = (size_t)((a.hi - a.lo) / a.step + 0.5);
		return a;
	}
}

char *plot_tick(char *buf, size_t size, const struct plot_axis *a, double v)
{
	static const char letters[] = " kMGTP";
	double top = fmax(fabs(a->lo), fabs(a->hi)), unit = 1;
	int digits;
	size_t i = 0;

	for (; top / unit >= 1e4 && letters[i + 1]; i++)
		unit *= 1000;
	digits = (int)-floor(log10(a->step / unit) + 1e-9);
	if (digits > MAX_DIGITS || top / unit >= 1e5)
		(void)snprintf(buf, size, "%.4g", v);
	else
		(void)snprintf(buf, size, "%.*f%.*s", MAX(digits, 0),
			       fabs(v) < a->step / 2 ? 0 : v / unit, i > 0, &letters[i]);
	return buf;
}

static int64_t first_ns(const struct plot *p)
{
	return p->n > 0 ? p->points[0].at_ns : 0;
}

static int64_t last_ns(const struct plot *p)
{
	return p->n > 0 ? p->points[p->n - 1].at_ns : 0;
}

static bool local_time(const struct plot *p, int64_t at_ns, struct tm *ret, int64_t *ns)
{
	int64_t at, s;
	time_t t;

	if (__builtin_add_overflow(p->origin_real_ns, at_ns, &at))
		return false;
	s = at / (int64_t)NS_PER_S - (at % (int64_t)NS_PER_S < 0);
	*ns = at - s * (int64_t)NS_PER_S;
	t = (time_t)s;
	return localtime_r(&t, ret) != NULL;
}

/* A step of at least @least_ns that a clock or calendar has, roughly. */
static int64_t time_step(double least_ns)
{
	static const int64_t steps_s[] = {
		1,          2,          5,           10,         15,     30,     60,
		120,        300,        600,         900,        1800,   3600,   7200,
		10800,      21600,      43200,       86400,      172800, 604800, 1209600,
		28 * 86400, 91 * 86400, 182 * 86400, 365 * 86400};
	int64_t year_ns = 365 * (int64_t)(S_PER_DAY * NS_PER_S);

	if (least_ns <= (double)NS_PER_S)
		return MAX((int64_t)round_up(fmax(least_ns, 1)), 1);
	for (size_t i = 0; i < ARRAY_SIZE(steps_s); i++)
		if ((double)steps_s[i] * (double)NS_PER_S >= least_ns)
			return steps_s[i] * (int64_t)NS_PER_S;
	return year_ns * (int64_t)ceil(least_ns / (double)year_ns);
}

struct plot_times plot_times(const struct plot *p, size_t most)
{
	double span = (double)last_ns(p) - (double)first_ns(p);
	struct plot_times t = {.step_ns = time_step(span / (double)MAX(most, 1))};
	int64_t from = first_ns(p), ns, phase = 0;
	struct tm tm;

	/* Where the first point lies in its step, by local time; without a clock the origin is 0.
	 */
	if (p->clock && local_time(p, from, &tm, &ns))
		phase = ((p->origin_real_ns % t.step_ns + from % t.step_ns) +
			 tm.tm_gmtoff * (int64_t)NS_PER_S % t.step_ns) %
			t.step_ns;
	else
		phase = from % t.step_ns;
	if (phase < 0)
		phase += t.step_ns;
	t.first_ns = from + (phase > 0 ? t.step_ns - phase : 0);
	if (t.first_ns <= last_ns(p))
		t.n = (size_t)((last_ns(p) - t.first_ns) / t.step_ns) + 1;
	return t;
}

/* As a distance from the origin: "-12 h", "0", "+30 min". */
static char *distance(char *buf, size_t size, int64_t step_ns, int64_t at_ns)
{
	static const struct {
		int64_t ns;
		const char *name;
	} units[] = {{S_PER_DAY * NS_PER_S, "d"},
		     {S_PER_H * NS_PER_S, "h"},
		     {S_PER_MIN * NS_PER_S, "min"},
		     {NS_PER_S, "s"},
		     {NS_PER_MS, "ms"}};
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && step_ns % units[i].ns != 0)
		i++;
	if (at_ns == 0)
		(void)snprintf(buf, size, "0");
	else
		(void)snprintf(buf, size, "%+g %s", (double)at_ns / (double)units[i].ns,
			       units[i].name);
	return buf;
}

char *plot_time(char *buf, size_t size, const struct plot *p, const struct plot_times *t,
		int64_t at_ns)
{
	double days = ((double)last_ns(p) - (double)first_ns(p)) / (double)(S_PER_DAY * NS_PER_S);
	bool whole_days = t->step_ns >= (int64_t)(S_PER_DAY * NS_PER_S);
	const char *form = "%H:%M:%S";
	struct tm tm;
	int64_t ns;

	*buf = '\0';
	if (!p->clock || !local_time(p, at_ns, &tm, &ns))
		return distance(buf, size, t->step_ns, at_ns);
	if (whole_days && days > LONG_DAYS)
		form = "%b %Y";
	else if (whole_days || (tm.tm_hour == 0 && tm.tm_min == 0 && tm.tm_sec == 0))
		form = "%d %b";
	else if (t->step_ns >= (int64_t)(S_PER_MIN * NS_PER_S))
		form = "%H:%M";
	if (strftime(buf, size, form, &tm) == 0)
		*buf = '\0';
	if (ns > 0 && t->step_ns < (int64_t)NS_PER_S && size > strlen(buf) + 5)
		(void)snprintf(buf + strlen(buf), size - strlen(buf), ".%03d",
			       (int)(ns / (int64_t)NS_PER_MS));
	return buf;
}

char *plot_origin(char *buf, size_t size, const struct plot *p)
{
	struct tm tm;
	int64_t ns;

	*buf = '\0';
	if (p->clock && local_time(p, 0, &tm, &ns))
		(void)strftime(buf, size, "%Y-%m-%d %H:%M:%S %Z", &tm);
	return buf;
}
