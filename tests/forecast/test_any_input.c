// SPDX-License-Identifier: GPL-2.0-or-later
/* test_any_input.c - whatever comes in, forecasts are finite, in order and in bounds. */
#include <stdlib.h>

#include "forecast/series_state.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

#define IDS     3 /* of events */
#define STEPS   700
#define WEEK    168   /* in hours */
#define WEEKS_3 30240 /* in minutes */
#define MANY    1000000
#define LONGEST (WEEK + 1)

typedef double input_fn(int t, uint64_t *seed);

static double zeros(int t, uint64_t *seed)
{
	(void)t, (void)seed;
	return 0;
}

static double constant(int t, uint64_t *seed)
{
	(void)t, (void)seed;
	return 42;
}

static double alternating(int t, uint64_t *seed)
{
	(void)seed;
	return t % 2 ? 1e6 : 0;
}

static double exponential(int t, uint64_t *seed)
{
	(void)seed;
	return exp(t / 12.0);
}

static double decaying(int t, uint64_t *seed)
{
	(void)seed;
	return exp(30 - t / 9.0);
}

static double huge(int t, uint64_t *seed)
{
	(void)t;
	return 1e15 * input_random(seed);
}

static double tiny(int t, uint64_t *seed)
{
	(void)t;
	return 1e-300 * input_random(seed);
}

static double not_numbers(int t, uint64_t *seed)
{
	(void)seed;
	return t % 4 == 0 ? NAN : t % 4 == 1 ? INFINITY : t % 4 == 2 ? -INFINITY : -3;
}

static double lone_values(int t, uint64_t *seed)
{
	(void)seed;
	return t % 97 == 50 ? t : NAN;
}

static double jumping(int t, uint64_t *seed)
{
	(void)t;
	return pow(10, 30 * input_random(seed) - 15);
}

static double anything(int t, uint64_t *seed)
{
	static const double odd[] = {0, -0.0, 1, 1e15, 1e30, 1e31, 1e300, 5e-324, -1, 1e-9};
	double at = input_random(seed);

	if (at < 0.1)
		return NAN;
	if (at < 0.5)
		return odd[(size_t)(input_random(seed) * 10)];
	return t % 13 * 100 * input_random(seed);
}

static double sawtooth_with_resets(int t, uint64_t *seed)
{
	(void)seed;
	return t % 131 == 0 ? 0 : (double)(t % 131) * 1e4;
}

static double one_point(int t, uint64_t *seed)
{
	(void)seed;
	return t == 10 ? 5 : NAN;
}

static double negative(int t, uint64_t *seed)
{
	return -1e3 * input_random(seed) - t;
}

static double infinite(int t, uint64_t *seed)
{
	(void)seed;
	return t % 2 ? INFINITY : -INFINITY;
}

/* Nothing for a while, then as much as there can be. */
static double from_nothing(int t, uint64_t *seed)
{
	if (t % 300 < 50)
		return 0;
	return (t % 300 < 55 ? 1e3 : 1e9) * (1 + 0.1 * input_random(seed));
}

static double constant_1e15(int t, uint64_t *seed)
{
	(void)t, (void)seed;
	return 1e15;
}

/* Every week a copy of the first, which is noise. */
static double copies(int t, uint64_t *seed)
{
	uint64_t hour = (uint64_t)(t % WEEK) * 977;

	(void)seed;
	return 100 * input_random(&hour);
}

static input_fn *const inputs[] = {
	zeros,     constant,    alternating, exponential, decaying,      huge,
	tiny,      not_numbers, lone_values, jumping,     anything,      sawtooth_with_resets,
	one_point, negative,    infinite,    copies,      constant_1e15, from_nothing,
};

static void check(const struct forecast *f, double most)
{
	assert_true(isfinite(f->mean) && f->mean >= 0 && f->mean <= 4 * most);
	for (int i = 0; i < FORECAST_LEVELS; i++) {
		assert_true(isfinite(f->q[i]) && f->q[i] >= 0 && f->q[i] <= 4 * most);
		assert_true(i == 0 || f->q[i] >= f->q[i - 1]);
	}
}

/* What the series thinks of its models stays sound, too. */
static void check_report(const struct series *s)
{
	struct series_report r;
	double sum = 0;

	series_report(s, &r);
	assert_true(isfinite(r.loss) && r.loss >= 0);
	for (size_t m = 0; m < r.n_models; m++) {
		assert_true(isfinite(r.models[m].loss) && r.models[m].loss >= 0);
		assert_true(r.models[m].weight >= 0 && r.models[m].weight <= 1);
		sum += r.models[m].weight;
	}
	assert_float_equal(sum, 1, 1e-3);
}

/* @stated: of events; up to as many as there are ids run at once. */
static void run(input_fn *input, uint64_t seed, unsigned int horizon, unsigned int max_period,
		double stated)
{
	static const unsigned int steps[] = {1, 2, 3, 7, 20, 59, 200, 1000000};
	struct series *s = input_series(horizon, max_period);
	double most = 0;

	for (int t = 0; t < STEPS; t++) {
		double v = input(t, &seed);
		struct forecast f;

		if (v >= 0 && v <= 1e30)
			most = fmax(most, v);
		if (input_random(&seed) < 0.003)
			series_skip(s, (uint64_t)pow(10, 7 * input_random(&seed)));
		if (input_random(&seed) < 0.01)
			(void)series_event(
				s, (uint32_t)(IDS * input_random(&seed)),
				(int64_t)(40 * input_random(&seed)) - 10,
				(uint64_t)(30 * input_random(&seed)),
				input_random(&seed) < 0.5 ? NAN : stated * input_random(&seed));
		input_feed(s, v);
		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			series_predict(s, steps[i], &f);
			check(&f, most * pow(stated, IDS));
		}
		series_predict_peak(s, steps[t % 8], &f);
		check(&f, most * pow(stated, IDS));
		check_report(s);
	}
	series_free(s);
}

static void forecasts_of_any_input_are_finite_and_ordered(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++) {
		run(inputs[i], i, 60, 100, 1);
		run(inputs[i], i, 60, 100, 1000);
		run(inputs[i], i + 100, 1, 1, 1000);
	}
	for (uint64_t seed = 0; seed < 12; seed++)
		run(anything, seed, 1 + (unsigned int)seed * 7, 1 + (unsigned int)seed * 13,
		    seed % 2 ? 1 : 1000);
}

/* Gives model @m all the weight, at every horizon. */
static void leave_alone(struct series *s, size_t m)
{
	for (uint32_t b = 0; b < s->n_buckets; b++)
		for (size_t i = 0; i < SERIES_MODELS; i++)
			s->buckets[b].weight[i] = i == m;
}

static void check_guess(const struct series *s, size_t m, unsigned int step)
{
	struct guess g;

	forecast_models[m]->predict(series_model(s, m), series_past(s), step, &g);
	assert_true(isfinite(g.x));
	assert_true(isnan(g.lo) || (isfinite(g.lo) && g.lo >= 0));
	assert_true(isnan(g.lo) || (isfinite(g.hi) && g.hi >= 0));
}

/* Weeks without a value after @gap steps. */
static void run_alone(size_t m, input_fn *input, int gap)
{
	static const unsigned int steps[] = {1, 5, 24, 60};
	struct series *s = input_series(60, LONGEST);
	uint64_t seed = m;
	double most = 0;

	for (int t = 0; t < STEPS; t++) {
		double v = input(t, &seed);
		struct forecast f;

		if (v >= 0 && v <= 1e30)
			most = fmax(most, v);
		if (t == gap)
			series_skip(s, WEEKS_3);
		input_feed(s, v);
		if (series_count(s) == 0)
			continue;
		leave_alone(s, m);
		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			check_guess(s, m, steps[i]);
			series_predict(s, steps[i], &f);
			check(&f, most);
		}
	}
	series_free(s);
}

static void each_model_by_itself_is_finite_and_bounded(void **state)
{
	(void)state;
	for (size_t m = 0; m < forecast_n_models; m++) {
		for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++) {
			run_alone(m, inputs[i], -1);
			run_alone(m, inputs[i], 350);
		}
	}
}

/* What a step costs does not grow with the steps before: the searches thin out. */
static void a_million_points_need_few_searches(void **state)
{
	struct series *s = input_series(1, 30);
	struct series_job *job;
	uint64_t seed = 5;
	int searches = 0;
	struct forecast f;

	(void)state;
	for (int t = 0; t < MANY; t++) {
		series_observe(s, t % 20 + input_random(&seed));
		job = series_job_take(s);
		if (!job)
			continue;
		searches++;
		series_job_run(job);
		series_job_give(s, job);
		series_predict(s, 1, &f);
		check(&f, 21);
	}
	assert_true(searches > 20 && searches < MANY / 1000);
	assert_int_equal(series_count(s), MANY);
	series_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forecasts_of_any_input_are_finite_and_ordered),
		cmocka_unit_test(each_model_by_itself_is_finite_and_bounded),
		cmocka_unit_test(a_million_points_need_few_searches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
