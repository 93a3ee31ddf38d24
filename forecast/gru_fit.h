/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gru_fit.h - trains the shared network on windows of many series, in slices. */
#ifndef FORESHAPE_GRU_FIT_H
#define FORESHAPE_GRU_FIT_H

#include <stdbool.h>

#include "forecast/forecast.h"
#include "forecast/gru.h"

/*
 * Weights for the model "gru" of a series; NULL: none. They stay the caller's and may change
 * between calls; jobs and saved bytes are without.
 */
void series_share(struct series *s, const struct gru *weights);

struct gru_fit;

/*
 * Returns 0 and *ret (gru_fit_free), -ENOMEM. Room for @windows to learn from, 7 KiB each, and a
 * quarter as many to judge by; where more are added, each has the same chance to stay. Starts from
 * @from, or where NULL from random weights.
 */
int gru_fit_new(size_t windows, uint64_t seed, const struct gru *from, struct gru_fit **ret);
void gru_fit_free(struct gru_fit *f);
void gru_fit_freep(struct gru_fit **f);

/* Adds windows of what @s remembers; the newest fifth of it is judged by, not learned from. */
void gru_fit_add(struct gru_fit *f, const struct series *s);

/*
 * The same, but later: what is quick is done here, with a copy of @s, the rest by gru_fit_run on
 * another thread. Of more than 32 each has the same chance. One too short to learn from is left
 * out.
 */
void gru_fit_offer(struct gru_fit *f, const struct series *s);

/* Learns from @batches batches; false: there is nothing to learn from, or to judge by. */
bool gru_fit_run(struct gru_fit *f, size_t batches);

/*
 * The best weights so far by what was judged, and their mean loss there; NULL where none was better
 * than @from by a hundredth, or than knowing the newest value alone.
 */
const struct gru *gru_fit_best(const struct gru_fit *f, double *loss);

#endif
