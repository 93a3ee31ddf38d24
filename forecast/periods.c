// SPDX-License-Identifier: GPL-2.0-or-later
/* periods.c - which periods a series has: periodogram peaks that autocorrelation confirms. */
#include "forecast/periods.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "forecast/fft.h"

#define MIN_VALUES    16
#define MIN_PERIOD    3
#define MAX_PEAKS     24   /* of the periodogram that are looked at */
#define PEAK_POWER    4.0  /* over the mean of the spectrum */
#define MIN_ACF       0.2  /* autocorrelation that counts as a season */
#define NOISE_ACF     2.0  /* and over so many standard errors of it */
#define FEW_CYCLES    0.5  /* and this much more over the number of cycles: wander looks like few */
#define REFINE_SHARE  40   /* a period is sharpened within this part of it */
#define MAX_MULTIPLES 12   /* that are asked for it */
#define MIN_HILL      0.1  /* by which it must rise over the valley before it */
#define SHORTER_WINS  0.5  /* a part of a period wins with this share of its autocorrelation */
#define LONGER_GAIN   0.12 /* a multiple wins with so much more */
#define LONGER_MAX    3    /* times: longer ones are found next, in what is left */
#define KEEP          0.9  /* a known period stays with this share of the new one's hills */
#define EDGE_SHARE    100  /* an edge is as wide as this part of a period */
#define EDGE_WEIGHT   2.0  /* of edges against hills */
#define MORE_ACF      0.35 /* autocorrelation that a further period needs in what is left */
#define KNOWN_CYCLES  3    /* of a known multiple of a period found, which then needs less ... */
#define KNOWN_ACF     0.2  /* ... autocorrelation in what is left */
#define OFTEN         5    /* cycles in which one unrelated to the others must show */
#define SAME          0.04 /* periods this near are one */

struct search {
	size_t n, size;        /* values; of the transforms */
	size_t longest;        /* period looked for */
	double *x;             /* [n], centred */
	double *acf;           /* [n] */
	double *power;         /* [size / 2] */
	double complex *work;  /* [size] */
	double complex *roots; /* [size / 2] */
};

static void search_free(struct search *s)
{
	free(s->x);
	free(s->acf);
	free(s->power);
	free(s->work);
	free(s->roots);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Fills what was not measured from its neighbours. Returns how many were measured. */
static size_t fill_gaps(double *x, size_t n)
{
	size_t measured = 0, last = n;

	for (size_t i = 0; i < n; i++) {
		if (isnan(x[i]))
			continue;
		measured++;
		for (size_t j = last == n ? 0 : last + 1; j < i; j++)
			x[j] = last == n ? x[i]
					 : x[last] + (x[i] - x[last]) * (double)(j - last) /
							     (double)(i - last);
		last = i;
	}
	for (size_t j = last + 1; last < n && j < n; j++)
		x[j] = x[last];
	return measured;
}

/* Cuts what lies far outside the middle nine tenths: a burst must not outweigh the season. */
static void cut_outliers(double *x, size_t n, double *sorted)
{
	double lo, hi, reach;

	memcpy(sorted, x, n * sizeof(*x));
	qsort(sorted, n, sizeof(*sorted), by_value);
	lo = sorted[n / 20];
	hi = sorted[n - 1 - n / 20];
	reach = 0.25 * (hi - lo);
	for (size_t i = 0; i < n; i++)
		x[i] = fmin(fmax(x[i], lo - reach), hi + reach);
}

/* Takes the straight line out. */
static void detrend(double *x, size_t n)
{
	double mean = 0, slope = 0, squares = 0, middle = 0.5 * (double)(n - 1);

	for (size_t i = 0; i < n; i++)
		mean += x[i] / (double)n;
	for (size_t i = 0; i < n; i++) {
		slope += ((double)i - middle) * (x[i] - mean);
		squares += ((double)i - middle) * ((double)i - middle);
	}
	slope /= squares;
	for (size_t i = 0; i < n; i++)
		x[i] -= mean + slope * ((double)i - middle);
}

/* Power and autocorrelation (each lag by its own number of pairs). False: nothing varies. */
static bool transform(struct search *s)
{
	double zero;

	for (size_t i = 0; i < s->size; i++)
		s->work[i] = i < s->n ? s->x[i] : 0;
	fft(s->work, s->size, s->roots);
	for (size_t i = 0; i < s->size; i++) {
		double p = creal(s->work[i]) * creal(s->work[i]) +
			   cimag(s->work[i]) * cimag(s->work[i]);

		if (i < s->size / 2)
			s->power[i] = p;
		s->work[i] = p;
	}
	fft(s->work, s->size, s->roots);
	zero = creal(s->work[0]) / (double)s->n;
	if (!(zero > 1e-12 * (double)s->size))
		return false;
	for (size_t i = 0; i < s->n; i++)
		s->acf[i] = creal(s->work[i]) / ((double)(s->n - i) * zero);
	return true;
}

/* How far lag @k rises over what lies half of period @p to both sides: no slope counts as a hill.
 */
static double hill(const struct search *s, size_t k, size_t p)
{
	size_t half = MAX(p / 2, 1), after = MIN(k + half, s->n - 1);

	return s->acf[k] - 0.5 * (s->acf[k - MIN(half, k)] + s->acf[after]);
}

/* The top of the hill of the autocorrelation near period @p, or 0 where there is none. */
static size_t climb(const struct search *s, double p)
{
	double width = fmax(p * p / (double)s->n / 2, 1.5);
	size_t lo = (size_t)fmax(p - width, MIN_PERIOD), hi = (size_t)ceil(p + width), top, near;

	hi = MIN(hi, s->longest);
	if (lo > hi)
		return 0;
	top = lo;
	near = (size_t)p;
	for (size_t i = lo; i <= hi; i++)
		top = hill(s, i, near) > hill(s, top, near) ? i : top;
	if (hill(s, top - 1, near) > hill(s, top, near) ||
	    hill(s, top + 1, near) > hill(s, top, near))
		return 0;
	return top;
}

/* Whether lag @p stands out: over noise, and over the valleys about it. */
static bool stands_out(const struct search *s, size_t p)
{
	double noise = NOISE_ACF / sqrt((double)(s->n - MIN(p, s->n - 1)));
	double few = FEW_CYCLES * (double)p / (double)s->n;

	if (p < MIN_PERIOD || p > s->longest)
		return false;
	return s->acf[p] >= fmax(MIN_ACF + few, noise) && hill(s, p, p) > MIN_HILL;
}

/* The strongest local maxima of the periodogram, as periods, strongest first. */
static size_t peaks(const struct search *s, double *ret)
{
	double mean = 0, power[MAX_PEAKS];
	size_t n = 0, half = s->size / 2;

	for (size_t i = 1; i < half; i++)
		mean += s->power[i] / (double)half;
	for (size_t i = 2; i + 1 < half; i++) {
		double p = s->power[i];
		size_t at;

		if (p < PEAK_POWER * mean || p < s->power[i - 1] || p < s->power[i + 1])
			continue;
		if (n == MAX_PEAKS && p <= power[n - 1])
			continue;
		at = n < MAX_PEAKS ? n++ : n - 1;
		for (; at > 0 && power[at - 1] < p; at--) {
			power[at] = power[at - 1];
			ret[at] = ret[at - 1];
		}
		power[at] = p;
		ret[at] = (double)s->size / (double)i;
	}
	return n;
}

static bool divides(size_t part, size_t whole)
{
	double ratio = (double)whole / (double)part;

	return part < whole && fabs(ratio - round(ratio)) < SAME * round(ratio);
}

/* The period to take from @n candidates: the best confirmed one, preferring parts to multiples. */
static size_t choose(const struct search *s, const size_t *candidates, size_t n)
{
	size_t best = 0;

	for (size_t i = 0; i < n; i++) {
		if (best == 0 || s->acf[candidates[i]] > s->acf[best])
			best = candidates[i];
	}
	for (size_t i = 0; i < n; i++) {
		if (divides(candidates[i], best) &&
		    s->acf[candidates[i]] >= SHORTER_WINS * s->acf[best])
			best = candidates[i];
	}
	for (size_t k = 2; best > 0 && k <= LONGER_MAX && k * best <= s->longest; k++) {
		size_t top = climb(s, (double)(k * best));

		if (top > 0 && stands_out(s, top) && s->acf[top] > s->acf[best] + LONGER_GAIN)
			return top;
	}
	return best;
}

static bool near(size_t a, size_t b)
{
	return fabs((double)a - (double)b) <= SAME * (double)MAX(a, b);
}

/* How sharp the top at lag @k is: where cycles have edges, only the right period lines them up. */
static double edge(const struct search *s, size_t k, size_t p)
{
	size_t side = p / EDGE_SHARE + 1;

	return s->acf[k] - 0.5 * (s->acf[k - MIN(side, k)] + s->acf[MIN(k + side, s->n - 1)]);
}

/* Mean height of the hills at @p and its multiples: one broad hill moves with every wander. */
static double comb(const struct search *s, size_t p)
{
	size_t n = 0;
	double sum = 0;

	for (size_t k = 1; k <= MAX_MULTIPLES && k * p + p / 2 < s->n; k++, n++)
		sum += hill(s, k * p, p) + EDGE_WEIGHT * edge(s, k * p, p);
	return n > 0 ? sum / (double)n : 0;
}

/* The period near @p whose multiples are highest. */
static size_t refine(const struct search *s, size_t p)
{
	size_t reach = p / REFINE_SHARE, best = p;

	for (size_t at = p - reach; at <= MIN(p + reach, s->longest); at++) {
		if (comb(s, at) > comb(s, best))
			best = at;
	}
	return best;
}

/* A known period that is as good as @found, nearly, stays: a change costs a new start. */
static size_t keep_known(const struct search *s, size_t found, const unsigned int *known, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (known[i] <= s->longest && near(known[i], found) &&
		    comb(s, known[i]) >= KEEP * comb(s, found))
			return known[i];
	}
	return found;
}

static size_t find_one(struct search *s, const unsigned int *known, size_t n_known)
{
	size_t candidates[MAX_PEAKS], n = 0, n_peaks, found;
	double at[MAX_PEAKS];

	if (!transform(s))
		return 0;
	n_peaks = peaks(s, at);
	for (size_t i = 0; i < n_peaks; i++) {
		size_t top = climb(s, at[i]);

		if (stands_out(s, top))
			candidates[n++] = top;
	}
	found = choose(s, candidates, n);
	return found > 0 ? keep_known(s, refine(s, found), known, n_known) : 0;
}

/* Takes the mean of each phase out. */
static void remove_season(struct search *s, size_t period)
{
	for (size_t phase = 0; phase < period; phase++) {
		double sum = 0, n = 0;

		for (size_t i = phase; i < s->n; i += period) {
			sum += s->x[i];
			n++;
		}
		for (size_t i = phase; i < s->n; i += period)
			s->x[i] -= sum / n;
	}
}

static int search_new(struct search *s, const double *x, size_t n, unsigned int max_period)
{
	s->n = n;
	s->size = fft_size(2 * n);
	s->longest = MIN(n / 2, max_period);
	s->x = malloc(n * sizeof(*s->x));
	s->acf = malloc(n * sizeof(*s->acf));
	s->power = malloc(s->size / 2 * sizeof(*s->power));
	s->work = malloc(s->size * sizeof(*s->work));
	s->roots = malloc(s->size / 2 * sizeof(*s->roots));
	if (!s->x || !s->acf || !s->power || !s->work || !s->roots)
		return -1;
	fft_roots(s->roots, s->size);
	memcpy(s->x, x, n * sizeof(*x));
	return 0;
}

/* Whether @period may stand beside those found: new, and a whole part or multiple, or seen often.
 */
static bool fits(const struct search *s, size_t period, const unsigned int *found, size_t n)
{
	bool related = n == 0 || period * OFTEN <= s->n;

	for (size_t i = 0; i < n; i++) {
		if (near(found[i], period))
			return false;
		related = related || divides(found[i], period) || divides(period, found[i]);
	}
	return related && (n == 0 || s->acf[period] >= MORE_ACF);
}

/* Whether known @period, a multiple of one found, shows in what is left of @s: less will do for it.
 */
static bool likely(struct search *s, size_t period, const unsigned int *found, size_t n)
{
	bool multiple = false;

	for (size_t i = 0; i < n; i++) {
		if (near(found[i], period))
			return false;
		multiple = multiple || divides(found[i], period);
	}
	if (!multiple || period > s->longest || period * KNOWN_CYCLES > s->n || !transform(s))
		return false;
	return s->acf[period] >= KNOWN_ACF && hill(s, period, period / 7) > 0;
}

static void sort_longest_first(unsigned int *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t j = i; j > 0 && v[j - 1] < v[j]; j--) {
			unsigned int x = v[j];

			v[j] = v[j - 1];
			v[j - 1] = x;
		}
	}
}

size_t periods_find(const double *x, size_t n, unsigned int max_period, const unsigned int *known,
		    size_t n_known, unsigned int *ret, size_t max)
{
	_cleanup_(search_free) struct search s = {};
	size_t found = 0;

	if (n < MIN_VALUES || search_new(&s, x, n, max_period) < 0)
		return 0;
	if (fill_gaps(s.x, n) < MIN_VALUES)
		return 0;
	cut_outliers(s.x, n, s.acf);
	detrend(s.x, n);
	while (found < max) {
		size_t period = find_one(&s, known, n_known);

		if (period == 0 || !fits(&s, period, ret, found))
			break;
		ret[found++] = (unsigned int)period;
		remove_season(&s, period);
	}
	for (size_t i = 0; i < n_known && found > 0 && found < max; i++) {
		if (!likely(&s, known[i], ret, found))
			continue;
		ret[found++] = known[i];
		remove_season(&s, known[i]);
	}
	sort_longest_first(ret, found);
	return found;
}
