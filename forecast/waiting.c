// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * waiting.c - forecasts that wait for their value, in two bytes a number: guesses as distances from
 * the combination's median, in units of the errors usual for the step.
 */
#include <math.h>

#include "agent/base/util.h"
#include "forecast/series_state.h"

static uint16_t side(const struct waiting_step *w, float size)
{
	return (uint16_t)fminf(size / w->unit + 0.5f, UINT16_MAX);
}

void waiting_add(struct waiting_step *w, size_t model, const struct guess *guess)
{
	size_t i = w->n++;
	float far = (guess->x - w->x) / w->unit;

	w->model[i] = (uint8_t)model;
	w->guess[i] = (int16_t)lrintf(fminf(fmaxf(far, -INT16_MAX), INT16_MAX));
	w->below[i] = side(w, guess->lo);
	w->above[i] = side(w, guess->hi);
}

struct guess waiting_guess(const struct waiting_step *w, size_t i)
{
	return (struct guess){.x = w->x + w->unit * (float)w->guess[i],
			      .lo = w->unit * (float)MAX(w->below[i], 1),
			      .hi = w->unit * (float)MAX(w->above[i], 1)};
}

void waiting_shift(struct waiting_step *w, double from, double to)
{
	double x = past_shift_log(w->x, from, to), above = past_shift_log(w->x + w->hi, from, to);

	w->lo = (float)(x - past_shift_log(w->x - w->lo, from, to));
	/* As much finer or coarser as the scale is here. */
	w->unit *= (float)((above - x) / w->hi);
	w->hi = (float)(above - x);
	w->x = (float)x;
}
