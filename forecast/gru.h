/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gru.h - a small recurrent network that all series of a host may share: gated recurrent units, and
 * heads that say quantiles of the change to come at a few horizons. Cho et al. (2014), "Learning
 * phrase representations using RNN encoder-decoder"; the form in which the reset gate comes last.
 */
#ifndef FORESHAPE_GRU_H
#define FORESHAPE_GRU_H

#include <stddef.h>
#include <stdint.h>

#define GRU_HIDDEN 16
#define GRU_INPUTS 7
#define GRU_HEADS  6  /* horizons 1, 2, 4 ... 32 */
#define GRU_LEVELS 3  /* .10, .50, .90 */
#define GRU_SKIPS  2  /* inputs that go to a head alone */
#define GRU_STEPS  64 /* of a window */
#define GRU_WARM   16 /* of them nothing is asked of */

/* Plain floats, so that it can be saved, and counted through, as it is. */
struct gru {
	float z[GRU_HIDDEN][GRU_INPUTS + GRU_HIDDEN + 1]; /* update gate: inputs, hidden, bias */
	float r[GRU_HIDDEN][GRU_INPUTS + GRU_HIDDEN + 1]; /* reset gate */
	float n[GRU_HIDDEN][GRU_INPUTS + 1];              /* candidate, of the inputs */
	float u[GRU_HIDDEN][GRU_HIDDEN];                  /* and of what was hidden */
	float head[GRU_HEADS][GRU_LEVELS][GRU_HIDDEN + GRU_SKIPS + 1];
};
#define GRU_WEIGHTS (sizeof(struct gru) / sizeof(float))

/* Consecutive steps of one series to learn from. */
struct gru_window {
	float in[GRU_STEPS][GRU_INPUTS];
	float skip[GRU_STEPS][GRU_HEADS][GRU_SKIPS];
	float target[GRU_STEPS][GRU_HEADS]; /* NAN: not known */
};

/* Small random weights, the same for the same @seed. */
void gru_init(struct gru *g, uint64_t seed);

/* One step: @in to the hidden state @h. */
void gru_step(const struct gru *g, const float *in, float *h);

/* The levels of head @head, in order. */
void gru_ask(const struct gru *g, size_t head, const float *h, const float *skip, float *ret);

/* Mean pinball loss over @w, from an empty state. */
double gru_loss(const struct gru *g, const struct gru_window *w);

/*
 * The same, and its gradient added to @gradient by backpropagation through all of the window:
 * Werbos (1990), "Backpropagation through time". Checked against finite differences.
 */
double gru_gradient(const struct gru *g, const struct gru_window *w, struct gru *gradient);

/* Weights that learn by Adam: Kingma, Ba (2015), algorithm 1. Plain memory, zeroed at first. */
struct gru_trainer {
	struct gru weights, gradient, mean, square;
	uint64_t steps;
};

/* Learns from @n windows (at least one) with step size @rate. Returns their mean loss before. */
double gru_learn(struct gru_trainer *t, const struct gru_window *const *windows, size_t n,
		 double rate);

#endif
