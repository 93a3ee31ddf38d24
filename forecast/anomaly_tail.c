// SPDX-License-Identifier: GPL-2.0-or-later
/* anomaly_tail.c - how rare the size of a residual is, alone and over a short while. */
#include <math.h>

#include "agent/base/util.h"
#include "forecast/anomaly.h"

#define BINS_OCTAVE 4.0
#define BIN_FIRST   -6.0 /* log2 of the lowest */
#define RANK_STEPS  4000 /* memory of the ranks */
#define LEVEL       0.95 /* of the threshold */
#define PEAKS_FIRST 8    /* before the tail is believed */
#define PEAKS       60.0 /* memory of the tail */
#define PEAK_MAX    30.0 /* mean excesses one peak counts at most */
#define SHAPE_MAX   0.45 /* beyond .5 there is no variance to fit by */
#define SHORT_STEPS 8.0
#define LONG_STEPS  2000.0
#define SIZE_MAX_   20.0
#define VAR_MIN     1e-4
#define UNREST_FROM 30
#define LEAST_P     1e-300

static unsigned int bin_of(double size)
{
	double at = (log2(fmax(size, 1e-12)) - BIN_FIRST) * BINS_OCTAVE;

	return (unsigned int)fmin(fmax(at, 0), ANOMALY_BINS - 1);
}

static double rank(const struct anomaly_tail *t, unsigned int bin)
{
	uint32_t above = 0;

	for (unsigned int i = bin; i < ANOMALY_BINS; i++)
		above += t->bins[i];
	return (above + 1.0) / (t->total + 1.0);
}

static void learn_rank(struct anomaly_tail *t, unsigned int bin)
{
	if (t->total >= RANK_STEPS) {
		t->total = 0;
		for (unsigned int i = 0; i < ANOMALY_BINS; i++)
			t->total += t->bins[i] /= 2;
	}
	t->bins[bin]++;
	t->total++;
}

/* Log of the share of the excess @over above the threshold that is as large. */
static double log_survival(const struct anomaly_tail *t, double over)
{
	double ratio = t->mean * t->mean / fmax(t->var, 1e-12);
	double shape = fmin(fmax(0.5 * (1 - ratio), 0), SHAPE_MAX);
	double scale = fmax(t->mean * (1 - shape), 1e-6);

	return shape < 1e-3 ? -over / scale : -log1p(shape * over / scale) / shape;
}

static void learn_tail(struct anomaly_tail *t, double size)
{
	double pace = fmax(5.0 / t->n, 1 / 500.0) * 2 * fmax(t->threshold, 0.1), over, d, share;

	if (size > t->threshold) {
		over = size - t->threshold;
		if (t->peaks > PEAKS_FIRST)
			over = fmin(over, PEAK_MAX * fmax(t->mean, 1e-6));
		t->peaks++;
		share = 1 / fmin(t->peaks, PEAKS);
		d = over - t->mean;
		t->mean += (float)(share * d);
		t->var = (float)((1 - share) * (t->var + share * d * d));
	}
	t->threshold += (float)(pace * (LEVEL - (size <= t->threshold)));
	t->threshold = fmaxf(t->threshold, 1e-6f);
}

double anomaly_tail_p(struct anomaly_tail *t, double size)
{
	unsigned int bin = bin_of(size);
	double p = rank(t, bin);

	size = fmin(size, 1e9);
	learn_rank(t, bin);
	if (t->n++ == 0) {
		t->threshold = (float)fmax(size, 1e-6);
		return 1;
	}
	if (size > t->threshold && t->peaks > PEAKS_FIRST)
		p = fmin(p, (1 - LEVEL) * exp(log_survival(t, size - t->threshold)));
	learn_tail(t, size);
	return fmax(p, LEAST_P);
}

double anomaly_unrest_observe(struct anomaly_unrest *u, double size)
{
	double x = log1p(fmin(size, SIZE_MAX_)), d, share, z, ret = 0;

	u->n++;
	u->now += (float)((x - u->now) / fmin(u->n, SHORT_STEPS));
	if (u->n > UNREST_FROM) {
		z = (u->now - u->mean) / sqrt(fmax(u->var, VAR_MIN) / (2 * SHORT_STEPS - 1));
		ret = -log10(fmax(0.5 * erfc(fmax(z, 0) / M_SQRT2), LEAST_P));
	}
	d = x - u->mean;
	share = 1 / fmin(u->n, LONG_STEPS);
	u->mean += (float)(share * d);
	u->var = (float)((1 - share) * (u->var + share * d * d));
	return ret;
}
