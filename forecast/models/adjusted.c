// SPDX-License-Identifier: GPL-2.0-or-later
/* adjusted.c - level and path of models of seasonally adjusted values. */
#include "forecast/models/adjusted.h"

#define LEVEL_STEP  0.01
#define FIRST_CYCLE 0.3 /* of the step: the level stands still until the season is seen once */
#define REACH       0.3 /* of a forecast beyond what was seen, in shares of its range */

size_t adjusted_room(const struct series_conf *conf)
{
	return conf->horizon * sizeof(uint16_t);
}

void adjusted_init(struct adjusted *a, const struct series_conf *conf)
{
	a->path_max = conf->horizon;
	a->lowest = INFINITY;
	a->highest = -INFINITY;
}

void adjusted_set_periods(struct adjusted *a, const struct past *past, double level)
{
	if (past->seasons.n > 0)
		a->level = level;
}

void adjusted_see(struct adjusted *a, const struct past *past, double x)
{
	if (a->n_values++ == 0 && past->seasons.n == 0)
		a->level = x;
	a->lowest = fmin(a->lowest, x);
	a->highest = fmax(a->highest, x);
}

double adjusted_learn(struct adjusted *a, const struct past *past, double rest)
{
	double gain = LEVEL_STEP * (double)past->tuning.level;

	if (seasons_first_cycle(&past->seasons, past->steps - 1))
		gain *= FIRST_CYCLE;
	else if (past->seasons.n == 0)
		gain = fmax(gain, 1.0 / a->n_values);
	a->level += gain * rest;
	return gain * rest;
}

double adjusted_go_on(struct adjusted *a, const struct past *past, double x)
{
	double reach = REACH * (a->highest - a->lowest);

	x = fmin(fmax(x, a->lowest - reach), a->highest + reach);
	a->path[a->n_path++] = past_encode(past, x);
	return x;
}

double adjusted_path(const struct adjusted *a, const struct past *past, unsigned int step)
{
	return past_decode(past, a->path[step - 1]);
}

double adjusted_rescale(struct adjusted *a, double from, double to)
{
	double before = a->level;

	a->n_path = 0;
	a->level = past_shift_log(before, from, to);
	a->lowest = past_shift_log(a->lowest, from, to);
	a->highest = past_shift_log(a->highest, from, to);
	return a->level - before;
}
