/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tune.h - constants of a series fitted to its own past, where that is proven to pay. */
#ifndef FORESHAPE_TUNE_H
#define FORESHAPE_TUNE_H

#include "forecast/series_state.h"

/* Steps from one tuning to the next, at step @step. */
uint64_t tune_interval(const struct series *s, uint64_t step);

/*
 * Replays what @s remembers with other constants: those of the challenger, on the values that came
 * since the last time, or where there is none with candidates, to find one by Bayesian
 * optimisation. What came of it goes to @ret; its tuning is that of @s unless the challenger has by
 * now proved to be clearly better. The same for the same @s.
 * Snoek, Larochelle, Adams (2012), "Practical Bayesian optimization of machine learning".
 */
void tune_run(const struct series *s, struct series_tuned *ret);

#endif
