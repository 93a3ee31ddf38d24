// SPDX-License-Identifier: GPL-2.0-or-later
/* cycles.c - the last cycles of a period: running means of each, and phases against them. */
#include "forecast/cycles.h"

#include "agent/base/util.h"
#include "forecast/past.h"

#define MEMORY      3.0 /* of how far to trust the season, in cycles */
#define FIRST_TRUST 0.5
#define PRIOR       0.25 /* cycles that it counts */
#define CLIP        4.0  /* usual seasons at which what came is cut */

void cycles_rescale(struct cycles *c, const struct past *past)
{
	for (uint32_t i = 0; i < c->n; i++) {
		c->sum[i] = c->measured[i] = 0;
		for (uint32_t lag = i * c->period; lag < (i + 1) * c->period; lag++) {
			double x = past_at(past, lag);

			if (isnan(x))
				continue;
			c->sum[i] += x;
			c->measured[i]++;
		}
	}
}

void cycles_start(struct cycles *c, const struct past *past, uint32_t period)
{
	*c = (struct cycles){.period = period, .since = past->steps};
	c->n = period > 0 ? MIN((past->size - 1) / period, CYCLES_MAX) : 0;
	cycles_rescale(c, past);
}

/* What leaves a cycle enters the one before. */
static void slide(struct cycles *c, const struct past *past)
{
	double in = past_at(past, 0);

	for (uint32_t i = 0; i < c->n; i++) {
		double out = past_at(past, (uint64_t)(i + 1) * c->period);

		if (!isnan(in)) {
			c->sum[i] += in;
			c->measured[i]++;
		}
		if (!isnan(out)) {
			c->sum[i] -= out;
			c->measured[i]--;
		}
		in = out;
	}
}

static double mean_of(const struct cycles *c, uint32_t i)
{
	return 2 * c->measured[i] < c->period ? NAN : c->sum[i] / c->measured[i];
}

/* Mean of the middle third and more of @v, ascending. */
static double middle(const double *v, uint32_t n)
{
	double sum = 0;
	uint32_t cut = n / 3;

	for (uint32_t i = cut; i < n - cut; i++)
		sum += v[i];
	return n > 0 ? sum / (n - 2 * cut) : 0;
}

/* What cycles @first and on say of the phase at @lag of a cycle. */
static double phase(const struct cycles *c, const struct past *past, uint32_t lag, uint32_t first)
{
	double v[CYCLES_MAX];
	uint32_t n = 0;

	for (uint32_t i = first; i < c->n; i++) {
		double x = past_at(past, lag + (uint64_t)i * c->period) - mean_of(c, i);
		uint32_t j = n;

		if (isnan(x))
			continue;
		for (; j > 0 && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
		n++;
	}
	return middle(v, n);
}

static double trust(const struct cycles *c)
{
	double prior = PRIOR * c->period;
	double share = c->said > 0 ? c->came / c->said : 1;

	return fmin(fmax((c->seen * share + FIRST_TRUST * prior) / (c->seen + prior), 0), 1);
}

/* The newest value lay @away from its cycle, of which @season was said. */
static void learn_trust(struct cycles *c, double away, double season)
{
	double keep = 1 - 1 / (MEMORY * c->period), most;

	c->seen = (float)(keep * c->seen + 1);
	c->said = (float)(keep * c->said + season * season);
	most = CLIP * sqrt(c->said / c->seen);
	c->came = (float)(keep * c->came + fmin(fmax(away, -most), most) * season);
}

double cycles_observe(struct cycles *c, const struct past *past)
{
	double season, away;

	if (c->n == 0)
		return 0;
	slide(c, past);
	season = phase(c, past, 0, 1);
	away = past_at(past, 0) - mean_of(c, 0);
	/* Means of the first two cycles are not yet whole. */
	if (past->steps > c->since + 2 * (uint64_t)c->period && !isnan(away) && season != 0)
		learn_trust(c, away, season);
	return trust(c) * season;
}

double cycles_season(const struct cycles *c, const struct past *past, unsigned int step)
{
	if (c->n == 0)
		return 0;
	return trust(c) * phase(c, past, c->period - 1 - (step - 1) % c->period, 0);
}
