// SPDX-License-Identifier: GPL-2.0-or-later
/* gru.c - the shared recurrent network: a step, its heads, and learning by hand-written gradients.
 */
#include "forecast/gru.h"

#include <math.h>
#include <string.h>

#include "agent/base/util.h"
#include "forecast/random.h"

#define FIRST_SIZE   0.2f /* of random weights */
#define GATE_OPEN    1.0f /* first bias of the update gate: remember */
#define KEEP_MEAN    0.9
#define KEEP_SQUARE  0.999
#define LITTLE       1e-8
#define GRADIENT_MAX 1.0 /* norm above which it is cut: Pascanu, Mikolov, Bengio (2013) */

static const float level[GRU_LEVELS] = {0.1f, 0.5f, 0.9f};

/* What a step of a window leaves for the way back. */
struct trace {
	float before[GRU_HIDDEN], z[GRU_HIDDEN], r[GRU_HIDDEN], n[GRU_HIDDEN], u[GRU_HIDDEN];
	float after[GRU_HIDDEN];
};

/* In [-1, 1). */
static float uniform(uint64_t *seed)
{
	return (float)random_bits(seed, 24) / 8388608.0f - 1;
}

void gru_init(struct gru *g, uint64_t seed)
{
	float *w = (float *)g;

	for (size_t i = 0; i < GRU_WEIGHTS; i++)
		w[i] = FIRST_SIZE * uniform(&seed);
	for (size_t i = 0; i < GRU_HIDDEN; i++)
		g->z[i][GRU_INPUTS + GRU_HIDDEN] = GATE_OPEN;
}

static float dot(const float *a, const float *b, size_t n)
{
	float sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* to += scale * from */
static void add(float *to, const float *from, float scale, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] += scale * from[i];
}

static float sigmoid(float x)
{
	return 1 / (1 + expf(-x));
}

static float gate(const float *w, const float *in, const float *h)
{
	return sigmoid(dot(w, in, GRU_INPUTS) + dot(w + GRU_INPUTS, h, GRU_HIDDEN) +
		       w[GRU_INPUTS + GRU_HIDDEN]);
}

static void step(const struct gru *g, const float *in, const float *h, struct trace *t)
{
	memcpy(t->before, h, sizeof(t->before));
	for (size_t i = 0; i < GRU_HIDDEN; i++) {
		t->z[i] = gate(g->z[i], in, h);
		t->r[i] = gate(g->r[i], in, h);
		t->u[i] = dot(g->u[i], h, GRU_HIDDEN);
		t->n[i] = tanhf(dot(g->n[i], in, GRU_INPUTS) + g->n[i][GRU_INPUTS] +
				t->r[i] * t->u[i]);
		t->after[i] = (1 - t->z[i]) * t->n[i] + t->z[i] * h[i];
	}
}

void gru_step(const struct gru *g, const float *in, float *h)
{
	struct trace t;

	step(g, in, h, &t);
	memcpy(h, t.after, sizeof(t.after));
}

static float ask(const float *w, const float *h, const float *skip)
{
	return dot(w, h, GRU_HIDDEN) + dot(w + GRU_HIDDEN, skip, GRU_SKIPS) +
	       w[GRU_HIDDEN + GRU_SKIPS];
}

void gru_ask(const struct gru *g, size_t head, const float *h, const float *skip, float *ret)
{
	for (size_t i = 0; i < GRU_LEVELS; i++)
		ret[i] = ask(g->head[head][i], h, skip);
	ret[0] = fminf(ret[0], ret[1]);
	ret[2] = fmaxf(ret[2], ret[1]);
}

/* How many losses a window has. */
static size_t count(const struct gru_window *w)
{
	size_t n = 0;

	for (size_t s = GRU_WARM; s < GRU_STEPS; s++)
		for (size_t k = 0; k < GRU_HEADS; k++)
			n += !isnan(w->target[s][k]);
	return GRU_LEVELS * n;
}

/* Loss of head @k at step @s; its gradient, times @share, to @gradient and @dh where asked for. */
static double head_loss(const struct gru *g, const struct gru_window *w, size_t s, size_t k,
			const float *h, float share, struct gru *gradient, float *dh)
{
	const float *skip = w->skip[s][k];
	double sum = 0;

	for (size_t i = 0; i < GRU_LEVELS; i++) {
		const float *weights = g->head[k][i];
		float e = w->target[s][k] - ask(weights, h, skip);
		float slope = share * (e >= 0 ? -level[i] : 1 - level[i]);

		sum += e >= 0 ? level[i] * e : (level[i] - 1) * e;
		if (!gradient)
			continue;
		add(gradient->head[k][i], h, slope, GRU_HIDDEN);
		add(gradient->head[k][i] + GRU_HIDDEN, skip, slope, GRU_SKIPS);
		gradient->head[k][i][GRU_HIDDEN + GRU_SKIPS] += slope;
		add(dh, weights, slope, GRU_HIDDEN);
	}
	return sum;
}

static double heads_loss(const struct gru *g, const struct gru_window *w, size_t s, const float *h,
			 float share, struct gru *gradient, float *dh)
{
	double sum = 0;

	for (size_t k = 0; s >= GRU_WARM && k < GRU_HEADS; k++) {
		if (!isnan(w->target[s][k]))
			sum += head_loss(g, w, s, k, h, share, gradient, dh);
	}
	return sum;
}

double gru_loss(const struct gru *g, const struct gru_window *w)
{
	float h[GRU_HIDDEN] = {0};
	size_t n = count(w);
	double sum = 0;

	for (size_t s = 0; s < GRU_STEPS; s++) {
		gru_step(g, w->in[s], h);
		sum += heads_loss(g, w, s, h, 0, NULL, NULL);
	}
	return n > 0 ? sum / (double)n : 0;
}

static void gate_back(const float *w, float *gradient, const float *in, const float *h, float slope,
		      float *dh)
{
	add(gradient, in, slope, GRU_INPUTS);
	add(gradient + GRU_INPUTS, h, slope, GRU_HIDDEN);
	gradient[GRU_INPUTS + GRU_HIDDEN] += slope;
	add(dh, w + GRU_INPUTS, slope, GRU_HIDDEN);
}

/* From the slope @dh after a step to that before it. */
static void step_back(const struct gru *g, const float *in, const struct trace *t,
		      struct gru *gradient, float *dh)
{
	float to[GRU_HIDDEN] = {0};

	for (size_t i = 0; i < GRU_HIDDEN; i++) {
		float z = t->z[i], r = t->r[i], n = t->n[i];
		float dn = dh[i] * (1 - z) * (1 - n * n);

		to[i] += dh[i] * z;
		add(gradient->n[i], in, dn, GRU_INPUTS);
		gradient->n[i][GRU_INPUTS] += dn;
		add(gradient->u[i], t->before, dn * r, GRU_HIDDEN);
		add(to, g->u[i], dn * r, GRU_HIDDEN);
		gate_back(g->z[i], gradient->z[i], in, t->before,
			  dh[i] * (t->before[i] - n) * z * (1 - z), to);
		gate_back(g->r[i], gradient->r[i], in, t->before, dn * t->u[i] * r * (1 - r), to);
	}
	memcpy(dh, to, sizeof(to));
}

double gru_gradient(const struct gru *g, const struct gru_window *w, struct gru *gradient)
{
	struct trace t[GRU_STEPS];
	float dh[GRU_HIDDEN] = {0};
	size_t n = count(w);
	double sum = 0;

	if (n == 0)
		return 0;
	for (size_t s = 0; s < GRU_STEPS; s++)
		step(g, w->in[s], s > 0 ? t[s - 1].after : dh, &t[s]);
	for (size_t s = GRU_STEPS; s-- > 0;) {
		sum += heads_loss(g, w, s, t[s].after, 1 / (float)n, gradient, dh);
		step_back(g, w->in[s], &t[s], gradient, dh);
	}
	return sum / (double)n;
}

double gru_learn(struct gru_trainer *t, const struct gru_window *const *windows, size_t n,
		 double rate)
{
	float *w = (float *)&t->weights, *mean = (float *)&t->mean, *square = (float *)&t->square;
	float *gradient = (float *)&t->gradient;
	double loss = 0, norm = 0, unbias_mean, unbias_square, shrink;

	memset(gradient, 0, sizeof(t->gradient));
	for (size_t i = 0; i < n; i++)
		loss += gru_gradient(&t->weights, windows[i], &t->gradient) / (double)n;
	for (size_t i = 0; i < GRU_WEIGHTS; i++)
		norm += (double)(gradient[i] * gradient[i]);
	norm = sqrt(norm) / (double)n;
	if (!isfinite(norm))
		return loss;
	shrink = fmin(1, GRADIENT_MAX / fmax(norm, LITTLE)) / (double)n;
	t->steps++;
	unbias_mean = 1 - pow(KEEP_MEAN, (double)t->steps);
	unbias_square = 1 - pow(KEEP_SQUARE, (double)t->steps);
	for (size_t i = 0; i < GRU_WEIGHTS; i++) {
		double d = gradient[i] * shrink;

		mean[i] = (float)(KEEP_MEAN * mean[i] + (1 - KEEP_MEAN) * d);
		square[i] = (float)(KEEP_SQUARE * square[i] + (1 - KEEP_SQUARE) * d * d);
		w[i] -= (float)(rate * (mean[i] / unbias_mean) /
				(sqrt(square[i] / unbias_square) + LITTLE));
	}
	return loss;
}
