// SPDX-License-Identifier: GPL-2.0-or-later
/* gru_fit.c - trains the shared network on windows of many series, in slices. */
#include "forecast/gru_fit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "forecast/gru_input.h"
#include "forecast/job.h"
#include "forecast/random.h"
#include "forecast/series_state.h"

#define BATCH       8
#define RATE        0.004
#define RATE_STEPS  400.0 /* batches after which it is half */
#define JUDGE_EVERY 50    /* batches */
#define JUDGED      4     /* windows to learn from for one to judge by */
#define STRIDE      (GRU_STEPS / 4)
#define CUT_MAX     128 /* windows of one series at a time */
#define OFFERED     32
#define NEWEST      5 /* share of them that is judged by */
#define BETTER      0.99

/* Windows, each of all that came with the same chance: Vitter (1985), algorithm R. */
struct reservoir {
	struct gru_window *windows;
	size_t n, max, seen;
};

struct gru_fit {
	struct gru_trainer trainer;
	struct gru best;
	struct reservoir learned, judged;
	struct series *offered[OFFERED]; /* copies */
	size_t n_offered, n_offers;
	double least, must; /* loss of the best; that it must be below */
	bool any;           /* better than what must be */
	bool from;          /* there were weights to start from */
	uint64_t seed;
};

static uint64_t draw(struct gru_fit *f, uint64_t n)
{
	return random_bits(&f->seed, 31) % n;
}

int gru_fit_new(size_t windows, uint64_t seed, const struct gru *from, struct gru_fit **ret)
{
	_cleanup_(gru_fit_freep) struct gru_fit *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->seed = seed;
	f->least = f->must = NAN;
	f->learned.max = MAX(windows, JUDGED);
	f->judged.max = f->learned.max / JUDGED;
	f->learned.windows = calloc(f->learned.max, sizeof(*f->learned.windows));
	f->judged.windows = calloc(f->judged.max, sizeof(*f->judged.windows));
	if (!f->learned.windows || !f->judged.windows)
		return -ENOMEM;
	f->from = from != NULL;
	if (from)
		f->trainer.weights = *from;
	else
		gru_init(&f->trainer.weights, seed);
	*ret = take_ptr(f);
	return 0;
}

void gru_fit_free(struct gru_fit *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_offered; i++)
		series_free(f->offered[i]);
	free(f->learned.windows);
	free(f->judged.windows);
	free(f);
}

void gru_fit_freep(struct gru_fit **f)
{
	gru_fit_free(*f);
}

static void keep(struct gru_fit *f, struct reservoir *r, const struct gru_window *w)
{
	size_t at = r->n < r->max ? r->n++ : draw(f, r->seen + 1);

	r->seen++;
	if (at < r->max)
		r->windows[at] = *w;
}

void gru_fit_add(struct gru_fit *f, const struct series *s)
{
	_cleanup_(freep) struct gru_window *cut = calloc(CUT_MAX, sizeof(*cut));
	const struct past *past = series_past(s);
	size_t known = MIN(past->steps, past->size), n, newest;

	if (!cut)
		return;
	n = gru_windows(past, s->periods[0], MAX((size_t)STRIDE, known / CUT_MAX + 1), cut,
			CUT_MAX);
	newest = n / NEWEST;
	/* Windows overlap: those that reach into what is judged by are left out. */
	for (size_t i = 0; i + newest + GRU_STEPS / STRIDE < n; i++)
		keep(f, &f->learned, &cut[i]);
	for (size_t i = n - newest; i < n; i++)
		keep(f, &f->judged, &cut[i]);
}

void gru_fit_offer(struct gru_fit *f, const struct series *s)
{
	size_t at = f->n_offered < OFFERED ? f->n_offered : draw(f, f->n_offers + 1);
	struct series *copy;

	if (series_remembers(s) < 2 * GRU_STEPS)
		return;
	f->n_offers++;
	copy = at < OFFERED ? series_copy(s) : NULL;
	if (!copy)
		return;
	if (at == f->n_offered)
		f->n_offered++;
	else
		series_free(f->offered[at]);
	f->offered[at] = copy;
}

static void cut_offered(struct gru_fit *f)
{
	while (f->n_offered > 0) {
		struct series *s = f->offered[--f->n_offered];

		gru_fit_add(f, s);
		series_free(s);
	}
}

static double judge(const struct gru_fit *f, const struct gru *g)
{
	double sum = 0;

	for (size_t i = 0; i < f->judged.n; i++)
		sum += gru_loss(g, &f->judged.windows[i]);
	return sum / (double)f->judged.n;
}

static void look(struct gru_fit *f)
{
	double loss = judge(f, &f->trainer.weights);

	if (!(loss < f->must && !(loss >= f->least)))
		return;
	f->any = true;
	f->least = loss;
	f->best = f->trainer.weights;
}

bool gru_fit_run(struct gru_fit *f, size_t batches)
{
	static const struct gru none;

	cut_offered(f);
	if (f->learned.n < BATCH || f->judged.n == 0)
		return false;
	if (isnan(f->must)) {
		f->must = judge(f, &none);
		if (f->from)
			f->must = fmin(f->must, BETTER * judge(f, &f->trainer.weights));
	}
	for (size_t i = 0; i < batches; i++) {
		const struct gru_window *batch[BATCH];
		double rate = RATE / (1 + (double)f->trainer.steps / RATE_STEPS);

		for (size_t j = 0; j < BATCH; j++)
			batch[j] = &f->learned.windows[draw(f, f->learned.n)];
		(void)gru_learn(&f->trainer, batch, BATCH, rate);
		if (f->trainer.steps % JUDGE_EVERY == 0)
			look(f);
	}
	return true;
}

const struct gru *gru_fit_best(const struct gru_fit *f, double *loss)
{
	*loss = f->least;
	return f->any ? &f->best : NULL;
}
