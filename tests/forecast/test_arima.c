// SPDX-License-Identifier: GPL-2.0-or-later
/* test_arima.c - what arima fits is the process it was fed, and never one that runs away. */
#include <math.h>
#include <stdlib.h>

#include "forecast/models/models.h"
#include "forecast/past.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

#define STEPS 1000
#define AHEAD 20

struct world {
	struct series_conf conf;
	struct past *past;
	void *state;
};

static void start(struct world *w)
{
	w->conf = (struct series_conf){.step_ns = 1, .horizon = AHEAD, .max_period = 400};
	w->past = calloc(1, past_size(w->conf.max_period));
	w->state = calloc(1, model_arima.size(&w->conf));
	past_init(w->past, w->conf.max_period);
	past_rescale(w->past, 1); /* x = log(value + 1) */
	model_arima.init(w->state, w->past, &w->conf);
}

static void end(struct world *w)
{
	free(w->state);
	free(w->past);
}

static void feed(struct world *w, double x)
{
	past_push(w->past, exp(x) - 1);
	past_learn(w->past, x);
	model_arima.observe(w->state, w->past, x);
}

static double ahead(struct world *w, unsigned int step)
{
	struct guess g;

	model_arima.predict(w->state, w->past, step, &g);
	return g.x;
}

/* x = 5 + y, y = 0.8 y' + e: h steps ahead 5 + 0.8^h y. */
static void an_ar1_is_forecast_as_it_decays(void **state)
{
	struct world w;
	uint64_t seed = 3;
	double y = 0;

	(void)state;
	start(&w);
	for (int t = 0; t < STEPS; t++) {
		y = 0.8 * y + 0.1 * input_normal(&seed);
		feed(&w, 5 + y);
	}
	model_arima.refit(w.state, w.past);
	y = 0.8 * y + 0.5;
	feed(&w, 5 + y);
	for (unsigned int h = 1; h <= 5; h++)
		assert_float_equal(ahead(&w, h), 5 + pow(0.8, h) * y, 0.08);
	assert_float_equal(ahead(&w, AHEAD), 5, 0.08);
	end(&w);
}

/* x = x' + e - 0.7 e': the best forecast is smoothing by 0.3 at every horizon. */
static void changes_with_echo_are_smoothed(void **state)
{
	struct world w;
	uint64_t seed = 4;
	double x = 5, before = 0, smooth = 5, error = 0;

	(void)state;
	start(&w);
	for (int t = 0; t < STEPS + 200; t++) {
		double e = 0.1 * input_normal(&seed);

		if (t >= STEPS)
			error += fabs(ahead(&w, 1) - smooth);
		x += e - 0.7 * before;
		before = e;
		feed(&w, x);
		smooth += 0.3 * (x - smooth);
		if (t == STEPS - 1)
			model_arima.refit(w.state, w.past);
	}
	assert_true(error / 200 < 0.03);
	end(&w);
}

static void explosive_and_degenerate_input_is_held(void **state)
{
	static double (*const inputs[])(double x) = {exp, sqrt, cbrt, fabs};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct world w;
		double highest = 0;

		start(&w);
		for (int t = 0; t < STEPS; t++) {
			double x = i == 3 ? 2 : fmin(inputs[i](t * 0.02), 30);

			highest = fmax(highest, x);
			feed(&w, x);
			if (t % 100 == 99)
				model_arima.refit(w.state, w.past);
			for (unsigned int h = 1; h <= AHEAD; h++)
				assert_true(ahead(&w, h) <= 1.31 * highest + 1e-9 &&
					    ahead(&w, h) >= 0);
		}
		end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ar1_is_forecast_as_it_decays),
		cmocka_unit_test(changes_with_echo_are_smoothed),
		cmocka_unit_test(explosive_and_degenerate_input_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
