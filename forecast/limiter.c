// SPDX-License-Identifier: GPL-2.0-or-later
/* limiter.c - limits for the next steps by the rules that cost least, reactive ones too. */
#include "forecast/limiter.h"

#include <math.h>
#include <string.h>

#include "agent/base/util.h"

#define VALUE_MAX   1e30
#define MOST_TIMES  4.0   /* the largest value seen */
#define SHORT_PAST  5     /* values of the shorter look back */
#define ERRORS_MIN  20    /* fewer say nothing of a distance */
#define ERROR_MAX   1e30  /* units */
#define UNIT_MIN    1e-3  /* of the highest value of late: less scatters by chance */
#define SLACK       1e-6  /* more than floats lose: a limit at what came lets it pass */
#define LIMITS_KEPT 500.0 /* limits that "of late" is */
#define DOUBT       0.1   /* what costs by so much more than the cheapest has 1 / e of its weight */
#define MEAN_WORSE  3.0   /* standard deviations by which it is no chance that the mean is dearer */

enum { RULE_FORECAST = LIMITER_LEARNED, MEAN = LIMITER_RULES };

/* What rules go by: of the values of late and of the forecasts. */
enum view { ZERO, ONE, LAST, HIGH_SHORT, HIGH, DEVIATION, MEDIAN, SPREAD, VIEWS };

/* One row a rule. */
static const struct rule {
	enum view base, unit;
} rules[LIMITER_LEARNED] = {
	{ZERO, ONE}, {LAST, ONE},       {HIGH_SHORT, ONE},
	{HIGH, ONE}, {LAST, DEVIATION}, {MEDIAN, SPREAD},
};

void limiter_init(struct limiter *l, double short_cost)
{
	*l = (struct limiter){.short_cost = fmin(short_cost, VALUE_MAX)};
}

/* Not negative, and no more than sums of values come to; NAN is not. */
static bool is_sum(double v)
{
	return v >= 0 && v <= VALUE_MAX * VALUE_MAX;
}

static bool errors_are_sound(const struct limiter_errors *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(fabs((double)e->z[i]) <= 2 * ERROR_MAX) || (i > 0 && e->z[i] < e->z[i - 1]))
			return false;
	return true;
}

bool limiter_is_sound(const struct limiter *l)
{
	bool sound = l->short_cost > 0 && is_sum(l->short_cost) && is_sum(l->most);

	for (size_t i = 0; i < LIMITER_RECENT; i++)
		sound &= is_sum(l->recent[i]);
	for (size_t i = 0; i <= LIMITER_RULES; i++)
		sound &= is_sum(l->limits[i]) && is_sum(l->costs[i]) && is_sum(l->spent[i]) &&
			 l->square[i] >= 0 && isfinite(l->square[i]);
	for (size_t i = 0; i < LIMITER_LEARNED; i++)
		sound &= is_sum(l->base[i]) && is_sum(l->unit[i]) &&
			 (l->left == 0 || l->unit[i] > 0) &&
			 errors_are_sound(&l->errors[i], (size_t)MIN(l->n_errors, LIMITER_ROOM));
	return sound;
}

static void forget(struct limiter_errors *e, size_t n, uint16_t born)
{
	size_t at = 0;

	while (at + 1 < n && e->born[at] != born)
		at++;
	memmove(&e->z[at], &e->z[at + 1], (n - at - 1) * sizeof(*e->z));
	memmove(&e->born[at], &e->born[at + 1], (n - at - 1) * sizeof(*e->born));
}

static void insert(struct limiter_errors *e, size_t n, float z, uint16_t born)
{
	size_t at = 0, end = n;

	while (at < end) {
		size_t middle = (at + end) / 2;

		if (e->z[middle] <= z)
			at = middle + 1;
		else
			end = middle;
	}
	memmove(&e->z[at + 1], &e->z[at], (n - at) * sizeof(*e->z));
	memmove(&e->born[at + 1], &e->born[at], (n - at) * sizeof(*e->born));
	e->z[at] = z;
	e->born[at] = born;
}

static void learn(struct limiter *l, double value)
{
	size_t n = (size_t)MIN(l->n_errors, LIMITER_ROOM);
	uint16_t born = (uint16_t)l->n_errors;

	for (size_t i = 0; i < LIMITER_LEARNED; i++) {
		double z = (value - l->base[i]) / l->unit[i];

		if (n == LIMITER_ROOM)
			forget(&l->errors[i], n, (uint16_t)(born - LIMITER_ROOM));
		insert(&l->errors[i], n - (n == LIMITER_ROOM),
		       (float)fmin(fmax(z, -ERROR_MAX), ERROR_MAX), born);
	}
	l->n_errors++;
	for (size_t i = 0; i <= LIMITER_RULES; i++)
		l->costs[i] += value > l->limits[i] ? l->short_cost : l->limits[i] - value;
}

void limiter_observe(struct limiter *l, double value)
{
	bool holds = l->left > 0;

	if (holds)
		l->left--;
	if (!(value >= 0 && value <= VALUE_MAX))
		return;
	if (holds)
		learn(l, value);
	l->recent[l->n_values++ % LIMITER_RECENT] = value;
	l->most = fmax(l->most, value);
}

static void look(const struct limiter *l, const struct forecast *steps, size_t n, double *v)
{
	size_t known = (size_t)MIN(l->n_values, LIMITER_RECENT);
	double mean = 0, square = 0, q95 = 0, least;

	memset(v, 0, VIEWS * sizeof(*v));
	v[ONE] = 1;
	v[LAST] = l->recent[(l->n_values - 1) % LIMITER_RECENT];
	for (size_t i = 0; i < known; i++) {
		double value = l->recent[(l->n_values - 1 - i) % LIMITER_RECENT];

		if (i < SHORT_PAST)
			v[HIGH_SHORT] = fmax(v[HIGH_SHORT], value);
		v[HIGH] = fmax(v[HIGH], value);
		mean += value / (double)known;
	}
	for (size_t i = 0; i < known; i++)
		square += pow(l->recent[i] - mean, 2) / (double)known;
	for (size_t i = 0; i < n; i++) {
		v[MEDIAN] = fmax(v[MEDIAN], steps[i].q[Q50]);
		q95 = fmax(q95, steps[i].q[Q95]);
	}
	least = fmax(UNIT_MIN * fmax(v[HIGH], v[MEDIAN]), 1 / VALUE_MAX);
	v[DEVIATION] = fmax(sqrt(square), least);
	v[SPREAD] = fmax(q95 - v[MEDIAN], least);
}

/* The error of least cost as a distance, where one above it costs @short_cost. */
static double distance(const struct limiter_errors *e, size_t n, double short_cost)
{
	double sum = 0, least = INFINITY, best = 0;

	for (size_t i = 0; i < n; i++) {
		double z = e->z[i], cost;

		sum += z;
		cost = z * (double)(i + 1) - sum + short_cost * (double)(n - i - 1);
		if ((i + 1 == n || e->z[i + 1] > e->z[i]) && cost < least) {
			least = cost;
			best = z;
		}
	}
	return best;
}

static void set_limits(struct limiter *l, const double *v, double forecast)
{
	size_t n = (size_t)MIN(l->n_errors, LIMITER_ROOM);

	for (size_t i = 0; i < LIMITER_LEARNED; i++) {
		double base = v[rules[i].base], unit = v[rules[i].unit];
		double limit = base + unit * distance(&l->errors[i], n,
						      fmin(l->short_cost / unit, VALUE_MAX));

		limit += SLACK * (base + fabs(limit));
		l->base[i] = base;
		l->unit[i] = unit;
		l->limits[i] =
			n < ERRORS_MIN ? forecast : fmin(fmax(limit, 0), MOST_TIMES * l->most);
	}
	l->limits[RULE_FORECAST] = forecast;
}

/* What the limit that held has cost by each rule goes into the sums. */
static void sum_up(struct limiter *l)
{
	for (size_t i = 0; i <= LIMITER_RULES; i++) {
		double d = l->costs[i] - l->costs[MEAN];

		l->spent[i] += l->costs[i] - l->spent[i] / LIMITS_KEPT;
		l->square[i] += d * d - l->square[i] / LIMITS_KEPT;
	}
	memset(l->costs, 0, sizeof(l->costs));
}

static size_t cheapest(const struct limiter *l)
{
	size_t best = RULE_FORECAST;

	for (size_t i = 0; i < LIMITER_RULES; i++) {
		if (l->spent[i] < l->spent[best])
			best = i;
	}
	return best;
}

static double mean_limit(const struct limiter *l, size_t best)
{
	double sum = 0, weights = 0;

	for (size_t i = 0; i < LIMITER_RULES; i++) {
		double worse = (l->spent[i] - l->spent[best]) / fmax(l->spent[best], 1 / VALUE_MAX);
		double weight = exp(-worse / DOUBT);

		sum += weight * l->limits[i];
		weights += weight;
	}
	return sum / weights;
}

/* Whether the mean has cost more than rule @best, by more than chance. */
static bool mean_is_worse(const struct limiter *l, size_t best)
{
	return l->spent[MEAN] - l->spent[best] > MEAN_WORSE * sqrt(l->square[best]);
}

double limiter_limit(struct limiter *l, const struct forecast *steps, size_t n)
{
	double forecast = forecast_limit(steps, n, l->short_cost);
	double v[VIEWS];
	size_t best;

	if (l->n_values == 0)
		return forecast;
	sum_up(l);
	best = cheapest(l);
	look(l, steps, n, v);
	set_limits(l, v, forecast);
	l->limits[MEAN] = mean_limit(l, best);
	l->left = n;
	return l->limits[mean_is_worse(l, best) ? best : MEAN];
}
