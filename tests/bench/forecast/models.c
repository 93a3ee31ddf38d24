// SPDX-License-Identifier: GPL-2.0-or-later
/* models.c - what each model of the table costs by itself: bytes of a series, and CPU of learning a
 * value and of forecasting a step, on a day of 288 steps and a series without a period. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "forecast/series_state.h"
#include "tests/forecast/inputs.h"

#define HORIZON  60
#define LONGEST  300
#define WARM_UP  1400
#define STEPS    20000
#define EVERY    8 /* horizons that are asked for */
#define NS_PER_S 1e9

static double cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * NS_PER_S + (double)t.tv_nsec;
}

static double value(int t, uint64_t *seed)
{
	return 1000 * (1.5 + sin(2 * M_PI * t / 288)) * exp(0.1 * input_normal(seed));
}

static double sum; /* of what was forecast, so that none of it is left out */

/* A past and a model, as a series has them. */
struct alone {
	const struct forecast_model *model;
	struct past *past;
	void *state;
	uint64_t seed;
	int t;
};

/* A step passes. The model is told of it where @learns. */
static void pass(struct alone *a, int learns)
{
	double x = value(a->t++, &a->seed);

	past_push(a->past, x);
	past_learn(a->past, past_to_log(a->past, x));
	if (learns && a->model->observe)
		a->model->observe(a->state, a->past, past_to_log(a->past, x));
}

static void ask(struct alone *a)
{
	struct guess g;

	for (unsigned int step = 1; step <= HORIZON; step += EVERY) {
		a->model->predict(a->state, a->past, step, &g);
		sum += g.x;
	}
}

/* CPU of STEPS steps, ns each. */
static double time_of(struct alone *a, int learns, int asks)
{
	double start = cpu_ns();

	for (int i = 0; i < STEPS; i++) {
		pass(a, learns);
		if (asks)
			ask(a);
	}
	return (cpu_ns() - start) / STEPS;
}

static void show(const struct forecast_model *model, struct past *past, const char *comma)
{
	static const unsigned int day[] = {288};
	struct series_conf conf = {
		.step_ns = 300 * UINT64_C(1000000000), .horizon = HORIZON, .max_period = LONGEST};
	size_t bytes = model->size ? model->size(&conf) : 0;
	struct alone a = {model, past, calloc(1, bytes + 1), 1, 0};
	double bare, learning, all, horizons = (HORIZON + EVERY - 1) / EVERY;

	if (!a.state)
		exit(EXIT_FAILURE);
	past_init(past, LONGEST);
	past->mean = 1500;
	past_rescale(past, past_wanted_offset(past));
	past_set_periods(past, day, 1, past_to_log(past, 1500));
	if (model->init)
		model->init(a.state, past, &conf);
	if (model->set_periods)
		model->set_periods(a.state, past, day, 1, past_to_log(past, 1500));
	for (int i = 0; i < WARM_UP; i++)
		pass(&a, 1);
	if (model->refit)
		model->refit(a.state, past);
	bare = time_of(&a, 0, 0);
	learning = time_of(&a, 1, 0);
	all = time_of(&a, 1, 1);
	printf("{\"name\": \"%s\", \"source\": \"%s\", \"bytes\": %zu, \"learn_ns\": %.0f, "
	       "\"ask_ns\": %.0f}%s\n",
	       model->name, model->source, bytes, fmax(learning - bare, 0),
	       fmax(all - learning, 0) / horizons, comma);
	free(a.state);
}

int main(void)
{
	struct past *past = malloc(past_size(LONGEST));

	if (!past)
		return EXIT_FAILURE;
	printf("[");
	for (size_t m = 0; m < forecast_n_models; m++)
		show(forecast_models[m], past, m + 1 < forecast_n_models ? "," : "");
	printf("]\n");
	free(past);
	return isfinite(sum) ? EXIT_SUCCESS : EXIT_FAILURE;
}
