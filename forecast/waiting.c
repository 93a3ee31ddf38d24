// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * waiting.c - forecasts that wait for their value, in a byte or two a number: guesses as distances
 * from the combination's median, in units of the errors usual for the step.
 */
#include <math.h>

#include "agent/base/util.h"
#include "forecast/octet.h"
#include "forecast/series_state.h"

#define SIDE_UNITS 65536.0 /* units: sides from a 60th to 1,000 times the usual error */

void waiting_add(struct waiting_step *w, size_t model, const struct guess *guess)
{
	size_t i = w->n++;
	float far = (guess->x - w->x) / w->unit;

	w->model[i] = (uint8_t)model;
	w->guess[i] = (int16_t)lrintf(fminf(fmaxf(far, -INT16_MAX), INT16_MAX));
	w->below[i] = octet_encode(guess->lo, SIDE_UNITS * w->unit);
	w->above[i] = octet_encode(guess->hi, SIDE_UNITS * w->unit);
}

struct guess waiting_guess(const struct waiting_step *w, size_t i)
{
	return (struct guess){.x = w->x + w->unit * (float)w->guess[i],
			      .lo = (float)octet_decode(MAX(w->below[i], 1), SIDE_UNITS * w->unit),
			      .hi = (float)octet_decode(MAX(w->above[i], 1), SIDE_UNITS * w->unit)};
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
