// SPDX-License-Identifier: GPL-2.0-or-later
/* test_gru.c - the network's step by hand, its gradient against finite differences, and learning.
 */
#include <stdlib.h>
#include <string.h>

#include "forecast/gru_fit.h"
#include "forecast/gru_input.h"
#include "forecast/models/models.h"
#include "forecast/series_state.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

static struct series *made(unsigned int horizon, unsigned int max_period)
{
	struct series *s = input_series(horizon, max_period);

	if (!s)
		abort();
	return s;
}

static void fill(struct gru_window *w, uint64_t *seed)
{
	for (size_t s = 0; s < GRU_STEPS; s++) {
		for (size_t i = 0; i < GRU_INPUTS; i++)
			w->in[s][i] = (float)input_normal(seed);
		for (size_t k = 0; k < GRU_HEADS; k++) {
			for (size_t i = 0; i < GRU_SKIPS; i++)
				w->skip[s][k][i] = (float)input_normal(seed);
			w->target[s][k] = (s + k) % 5 ? (float)input_normal(seed) : NAN;
		}
	}
}

/* One unit with all weights 0 but those named: h' = (1 - z) n + z h. */
static void step_is_what_the_formula_says(void **state)
{
	static struct gru g;
	float in[GRU_INPUTS] = {2}, h[GRU_HIDDEN] = {0.5f};
	double z = 1 / (1 + exp(-0.6)), r = 1 / (1 + exp(-0.5)), n = tanh(0.8 + r * 0.25);

	(void)state;
	g.z[0][0] = 0.3f;              /* of the input 2: 0.6 */
	g.r[0][GRU_INPUTS] = 1;        /* of what was hidden: 0.5 */
	g.n[0][0] = 0.4f;              /* 0.8 */
	g.u[0][0] = 0.5f;              /* 0.25 */
	g.head[2][1][0] = 2;           /* the median */
	g.head[2][1][GRU_HIDDEN] = 10; /* of the first skip */
	g.head[2][1][GRU_HIDDEN + GRU_SKIPS] = 1;
	gru_step(&g, in, h);
	assert_float_equal(h[0], (1 - z) * n + z * 0.5, 1e-6);
	assert_float_equal(h[1], 0, 1e-9);
	{
		float skip[GRU_SKIPS] = {0.1f}, q[GRU_LEVELS];

		gru_ask(&g, 2, h, skip, q);
		assert_float_equal(q[1], 2 * h[0] + 2, 1e-5);
		assert_true(q[0] <= q[1] && q[2] >= q[1]);
	}
}

/* Along random directions, which touch all weights at once; and along some weights alone. */
static void gradient_agrees_with_finite_differences(void **state)
{
	static struct gru g, gradient, moved;
	static struct gru_window w;
	uint64_t seed = 1;
	const float *slope = (const float *)&gradient, *from = (const float *)&g;
	float *to = (float *)&moved;

	(void)state;
	for (int round = 0; round < 40; round++) {
		float direction[GRU_WEIGHTS];
		double expected = 0, eps = 1e-3, up, down;

		gru_init(&g, seed++);
		fill(&w, &seed);
		memset(&gradient, 0, sizeof(gradient));
		assert_float_equal(gru_gradient(&g, &w, &gradient), gru_loss(&g, &w), 1e-6);
		for (size_t i = 0; i < GRU_WEIGHTS; i++) {
			/* A whole part of the network at a time: its own error must not hide. */
			bool part = i * 8 / GRU_WEIGHTS == (size_t)round % 8;

			direction[i] = part ? (float)input_normal(&seed) : 0;
			expected += (double)direction[i] * (double)slope[i];
		}
		for (size_t i = 0; i < GRU_WEIGHTS; i++)
			to[i] = from[i] + (float)eps * direction[i];
		up = gru_loss(&moved, &w);
		for (size_t i = 0; i < GRU_WEIGHTS; i++)
			to[i] = from[i] - (float)eps * direction[i];
		down = gru_loss(&moved, &w);
		assert_float_equal((up - down) / (2 * eps), expected, 0.02 * fabs(expected) + 2e-3);
	}
}

/* What comes is the sum of the last two inputs: the quantiles draw together around it. */
static void what_can_be_known_is_learned(void **state)
{
	static struct gru_trainer t;
	static struct gru_window windows[64], test;
	const struct gru_window *batch[8];
	double before, after;
	uint64_t seed = 7;

	(void)state;
	for (size_t i = 0; i <= 64; i++) {
		struct gru_window *w = i < 64 ? &windows[i] : &test;

		fill(w, &seed);
		for (size_t s = 1; s < GRU_STEPS; s++)
			for (size_t k = 0; k < GRU_HEADS; k++)
				w->target[s][k] = 0.5f * (w->in[s][0] + w->in[s - 1][0]);
	}
	gru_init(&t.weights, 3);
	before = gru_loss(&t.weights, &test);
	for (int n = 0; n < 300; n++) {
		for (size_t i = 0; i < 8; i++)
			batch[i] = &windows[(8 * n + i) % 64];
		(void)gru_learn(&t, batch, 8, 0.01);
	}
	after = gru_loss(&t.weights, &test);
	assert_true(after < 0.35 * before);
	assert_int_equal(t.steps, 300);
}

/* A past of 100, 200, 100, 200 ... on a log scale without offset: all changes are log 2. */
static void inputs_are_in_the_sizes_of_the_series(void **state)
{
	struct series *s = made(4, 20);
	const struct past *past;
	struct gru_scale scale = {};
	float in[GRU_INPUTS], skip[GRU_SKIPS];
	double size = log(210.0 / 110);

	(void)state;
	past = series_past(s);
	for (int t = 0; t < 60; t++)
		input_feed(s, t % 2 ? 200 : 100);
	for (uint64_t lag = 20; lag-- > 0;)
		gru_scale_observe(&scale, past, lag);
	assert_float_equal(scale.size, size, 0.1 * size);
	gru_inputs(&scale, past, 0, 2, in);
	assert_float_equal(in[0], 1, 0.1);  /* up by one change */
	assert_float_equal(in[2], -1, 0.1); /* two steps ago it went down next */
	assert_float_equal(in[3], 0, 1e-6); /* and was as high */
	assert_float_equal(in[6], 0, 1e-9); /* measured */
	gru_skips(&scale, past, 0, 2, 4, skip);
	assert_float_equal(skip[0], 0, 1e-6); /* four steps make two cycles */
	gru_inputs(&scale, past, 0, 0, in);
	assert_float_equal(in[2], 0, 1e-9); /* no period, nothing known */
	series_observe(s, NAN);
	gru_inputs(&scale, past, 0, 2, in);
	assert_float_equal(in[6], 1, 1e-9);
	for (size_t i = 0; i < GRU_INPUTS; i++)
		assert_true(isfinite(in[i]));
	series_free(s);
}

/* The next value is known from the last two, which none of the other models looks at like that. */
static double rule(int t, double *before)
{
	double x = t < 2 ? 1 + t : (before[0] > before[1] ? 3 : 7) + (before[0] > 5 ? 2 : 0);

	before[1] = before[0];
	before[0] = x;
	return x * 100;
}

static void fit_is_kept_only_where_it_is_better(void **state)
{
	struct series *s = made(8, 300);
	double before[2] = {0}, loss, again;
	struct gru_fit *f, *g;
	const struct gru *best;
	uint64_t seed = 4;

	(void)state;
	assert_int_equal(gru_fit_new(200, 1, NULL, &f), 0);
	assert_false(gru_fit_run(f, 10)); /* nothing to learn from */
	assert_null(gru_fit_best(f, &loss));
	for (int t = 0; t < 900; t++)
		input_feed(s, rule(t, before) * (1 + 0.02 * input_normal(&seed)));
	gru_fit_add(f, s);
	assert_true(gru_fit_run(f, 400));
	best = gru_fit_best(f, &loss);
	assert_non_null(best);
	assert_true(loss > 0 && loss < 0.2);
	/* One step more from there is no hundredth better. */
	assert_int_equal(gru_fit_new(200, 2, best, &g), 0);
	gru_fit_add(g, s);
	assert_true(gru_fit_run(g, 1));
	assert_null(gru_fit_best(g, &again));
	gru_fit_free(g);
	gru_fit_free(f);
	series_free(s);
}

/* Weights of any kind: forecasts stay finite, saving leaves the weights out, loading keeps them. */
static void series_uses_the_weights_it_was_lent(void **state)
{
	struct series *a = made(40, 100), *b = made(40, 100);
	size_t size = series_save_size(a);
	void *x = malloc(size), *y = malloc(size);
	static struct gru g;
	float *w = (float *)&g;
	struct guess with, without;
	struct series_report r;
	double sum = 0;
	struct forecast f;
	uint64_t seed = 6;

	(void)state;
	gru_init(&g, 8);
	for (size_t i = 0; i < GRU_WEIGHTS; i += 3)
		w[i] *= i % 2 ? 1e6f : 40;
	for (int t = 0; t < 500; t++) {
		double v = 100 + 20 * sin(t * 0.3) + input_normal(&seed);

		series_share(a, t < 400 ? NULL : &g);
		input_feed(a, t % 50 == 49 ? NAN : v);
		input_feed(b, t % 50 == 49 ? NAN : v);
		for (unsigned int step = 1; step <= 40; step += 13) {
			series_predict(a, step, &f);
			for (int i = 0; i < FORECAST_LEVELS; i++)
				assert_true(f.q[i] >= 0 && f.q[i] <= 4 * 130);
		}
	}
	input_feed(a, 100);
	input_feed(b, 100);
	model_gru.predict(series_model(a, SERIES_MODELS - 1), series_past(a), 3, &with);
	model_gru.predict(series_model(b, SERIES_MODELS - 1), series_past(b), 3, &without);
	assert_float_equal(without.x, past_last(series_past(b)), 1e-6);
	assert_true(isnan(without.lo) && !isnan(with.lo));
	assert_int_equal(series_save(a, x, size), size);
	assert_int_equal(series_load(b, x, size), 0);
	assert_int_equal(series_save(b, y, size), size);
	assert_memory_equal(x, y, size);
	assert_ptr_equal(series_past(a)->gru, &g);
	assert_ptr_equal(forecast_models[SERIES_MODELS - 1], &model_gru);
	series_report(b, &r);
	assert_float_equal(r.models[SERIES_MODELS - 1].weight, 0, 1e-9);
	for (size_t m = 0; m < r.n_models; m++)
		sum += r.models[m].weight;
	assert_float_equal(sum, 1, 1e-6);
	assert_null(series_past(b)->gru);
	free(x);
	free(y);
	series_free(a);
	series_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(step_is_what_the_formula_says),
		cmocka_unit_test(gradient_agrees_with_finite_differences),
		cmocka_unit_test(what_can_be_known_is_learned),
		cmocka_unit_test(inputs_are_in_the_sizes_of_the_series),
		cmocka_unit_test(fit_is_kept_only_where_it_is_better),
		cmocka_unit_test(series_uses_the_weights_it_was_lent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
