// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * waiting.c - forecasts that wait for their value, in a byte or two a number: guesses as distances
 * from the combination's median, in units of the errors usual for the step.
 */
#include <math.h>

#include "agent/base/util.h"
#include "forecast/octet.h"
#include "forecast/series_state.h"

#define UNITS      256.0   /* that the usual error of a step is kept in */
#define SIDE_UNITS 65536.0 /* units: sides from a 60th to 1,000 times the usual error */
#define DUE_MASK   UINT32_C(0x7fffffff)

bool waiting_is_due(const struct waiting_step *w, uint64_t step)
{
	return w->due > 0 && w->due == (step & DUE_MASK);
}

static int16_t to_units(float far)
{
	return (int16_t)lrintf(fminf(fmaxf(far, -INT16_MAX), INT16_MAX));
}

void waiting_begin(struct waiting_step *w, uint64_t due, double spread,
		   const struct answer *answers, size_t n)
{
	size_t sides = 0;

	w->due = due & DUE_MASK;
	w->unit = (float)(spread / UNITS);
	w->asked = w->own = 0;
	for (size_t i = 0; i < n; i++) {
		const struct guess *g = &answers[i].guess;
		uint16_t bit = (uint16_t)(1U << answers[i].model);

		w->asked |= bit;
		w->guess[i] = to_units((g->x - w->x) / w->unit);
		if ((g->lo == (float)spread && g->hi == (float)spread) || sides == SERIES_SIDES)
			continue;
		w->own |= bit;
		w->below[sides] = octet_encode(g->lo, SIDE_UNITS * w->unit);
		w->above[sides++] = octet_encode(g->hi, SIDE_UNITS * w->unit);
	}
}

static float to_side(const struct waiting_step *w, uint8_t code)
{
	return (float)octet_decode(MAX(code, 1), SIDE_UNITS * w->unit);
}

size_t waiting_answers(const struct waiting_step *w, struct answer *ret)
{
	const float usual = (float)UNITS * w->unit;
	size_t n = 0, sides = 0;

	for (size_t m = 0; m < SERIES_MODELS && n < SERIES_ASKED; m++) {
		struct guess g = {.lo = usual, .hi = usual};

		if (!(w->asked >> m & 1))
			continue;
		g.x = w->x + w->unit * (float)w->guess[n];
		if (w->own >> m & 1 && sides < SERIES_SIDES) {
			g.lo = to_side(w, w->below[sides]);
			g.hi = to_side(w, w->above[sides++]);
		}
		ret[n++] = (struct answer){m, g};
	}
	return n;
}

void waiting_shift(struct waiting_step *w, double from, double to)
{
	double x = past_shift_log(w->x, from, to), above = past_shift_log(w->x + w->hi, from, to);

	/* Where the new scale is so coarse that all of it is one point, there is nothing to judge.
	 */
	if (!((float)(above - x) > 0)) {
		w->due = 0;
		return;
	}
	w->lo = (float)(x - past_shift_log(w->x - w->lo, from, to));
	/* As much finer or coarser as the scale is here. */
	w->unit *= (float)((above - x) / w->hi);
	w->hi = (float)(above - x);
	w->x = (float)x;
}
