// SPDX-License-Identifier: GPL-2.0-or-later
/* clamp.c - the one gate between a computed value and the kernel. */
#include <errno.h>
#include <math.h>

#include "shaping/clamp.h"

static bool bounds_valid(const struct clamp_bounds *b)
{
	return b->floor <= b->ceiling && b->lowest <= b->highest && b->floor != UNLIMITED &&
	       b->lowest != UNLIMITED && b->max_lower_ppm <= PPM;
}

/*
 * The least value one step below @now may reach. From unlimited the step is counted from @from, the
 * most there is to give; with nothing known there is nothing to take a step from.
 */
static uint64_t step_least(uint64_t now, uint64_t from, uint32_t max_lower_ppm)
{
	uint64_t start = now == UNLIMITED ? from : now;
	unsigned __int128 cut = (unsigned __int128)start * max_lower_ppm / PPM;

	return max_lower_ppm == 0 || start == UNLIMITED ? 0 : start - (uint64_t)cut;
}

static uint64_t raise_to(uint64_t v, uint64_t least, unsigned int bit, unsigned int *by)
{
	if (v >= least)
		return v;
	*by |= bit;
	return least;
}

static uint64_t lower_to(uint64_t v, uint64_t most, unsigned int bit, unsigned int *by)
{
	if (v <= most)
		return v;
	*by |= bit;
	return most;
}

/* The most that is known of what the host or the policy can give; UNLIMITED where nothing is. */
static uint64_t most_there_is(const struct clamp_bounds *b)
{
	return MIN(b->highest, b->ceiling);
}

/*
 * Step first, then the host, then the policy (its floor has the last word: too loose is safe), and
 * the knob's own bounds after all: no policy can ask for what the kernel would refuse or wrap.
 */
static uint64_t within(const struct knob_row *row, uint64_t v, const struct clamp_bounds *b,
		       unsigned int *by)
{
	v = raise_to(v, step_least(b->now, most_there_is(b), b->max_lower_ppm), CLAMP_STEP, by);
	if (v != UNLIMITED)
		v = lower_to(v, b->highest, CLAMP_HIGHEST, by);
	v = raise_to(v, b->lowest, CLAMP_LOWEST, by);
	v = lower_to(v, b->ceiling, CLAMP_CEILING, by);
	v = raise_to(v, b->floor, CLAMP_FLOOR, by);
	v = raise_to(v, row->lowest, CLAMP_LOWEST, by);
	return v == UNLIMITED && row->may_be_unlimited
		       ? v
		       : lower_to(v, row->highest, CLAMP_HIGHEST, by);
}

int clamp_value(enum knob knob, uint64_t value, const struct clamp_bounds *b, uint64_t *ret,
		unsigned int *by)
{
	unsigned int bits = 0;
	uint64_t v;

	if ((unsigned int)knob >= KNOB_COUNT || !bounds_valid(b))
		return -EINVAL;
	if (value == UNLIMITED && !knob_rows[knob].may_be_unlimited)
		return -ERANGE;
	v = within(&knob_rows[knob], value, b, &bits);
	*ret = v;
	if (by)
		*by = bits;
	return 0;
}

int clamp_double(enum knob knob, double value, const struct clamp_bounds *b, uint64_t *ret,
		 unsigned int *by)
{
	uint64_t most;

	if (!isfinite(value) || value < 0)
		return -ERANGE;
	if ((unsigned int)knob >= KNOB_COUNT)
		return -EINVAL;
	/* Casting a double of 2^64 or more is undefined: what is above the row becomes one above
	 * it. */
	most = knob_rows[knob].highest + 1;
	if (value >= (double)most)
		return clamp_value(knob, most, b, ret, by);
	return clamp_value(knob, (uint64_t)(value + 0.5), b, ret, by);
}
