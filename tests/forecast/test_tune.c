// SPDX-License-Identifier: GPL-2.0-or-later
/* test_tune.c - constants are fitted where that pays, stay where it does not, and are kept. */
#include <stdlib.h>
#include <string.h>

#include "forecast/series_state.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

#define HOURS 800

static struct series *hourly(void)
{
	struct series_conf conf = {
		.step_ns = UINT64_C(3600000000000), .horizon = 2, .max_period = 200};
	struct series *s;

	return series_new(&conf, &s) == 0 ? s : NULL;
}

/* A swing that is quicker and slower by turns: what is known of it holds for a hundred steps. */
static double swing(int t, double *phase, uint64_t *seed)
{
	*phase += 2 * M_PI / (20 + 10 * sin(t / 100.0));
	return 1000 * exp(0.5 * sin(*phase) + 0.01 * input_normal(seed));
}

static void feed(struct series *s, double value, bool tunes)
{
	struct series_job *job;

	input_feed(s, value);
	job = tunes ? series_tune_take(s) : NULL;
	if (!job)
		return;
	series_job_run(job);
	series_job_give(s, job);
}

static double loss(const struct series *s, double value)
{
	struct forecast f;

	series_predict(s, 1, &f);
	return fabs(value - f.q[Q50]) / 1000;
}

static void what_changes_is_forgotten_faster_once_tuned(void **state)
{
	struct series *usual = hourly(), *tuned = hourly();
	double phase = 0, a = 0, b = 0;
	struct series_report r;
	uint64_t seed = 1;

	(void)state;
	for (int t = 0; t < 3 * HOURS; t++) {
		double x = swing(t, &phase, &seed);

		if (t > HOURS) {
			a += loss(usual, x);
			b += loss(tuned, x);
		}
		feed(usual, x, false);
		feed(tuned, x, true);
	}
	series_report(tuned, &r);
	assert_true(r.n_tuned > 0 && r.n_gained > 0 && r.gain > 0);
	assert_true(b < 0.95 * a);
	series_report(usual, &r);
	assert_int_equal(r.n_tuned, 0);
	assert_int_equal(r.n_gained, 0);
	series_free(usual);
	series_free(tuned);
}

static void noise_has_nothing_to_tune(void **state)
{
	struct series *usual = hourly(), *tuned = hourly();
	struct forecast f, g;
	struct series_report r;
	uint64_t seed = 2;

	(void)state;
	for (int t = 0; t < HOURS; t++) {
		double x = 100 + input_normal(&seed);

		feed(usual, x, false);
		feed(tuned, x, true);
	}
	series_report(tuned, &r);
	assert_true(r.n_tuned > 0);
	assert_int_equal(r.n_gained, 0);
	series_predict(usual, 5, &f);
	series_predict(tuned, 5, &g);
	assert_memory_equal(&f, &g, sizeof(f));
	series_free(usual);
	series_free(tuned);
}

/* The same jobs at the same steps give the same series, through saving too; one is out at a time.
 */
static void tuning_is_the_same_again_and_saved(void **state)
{
	struct series *a = hourly(), *b = hourly();
	size_t size = series_save_size(a);
	void *x = malloc(size), *z = malloc(size);
	double phase = 0;
	struct series_job *job;
	uint64_t seed = 3;

	(void)state;
	for (int t = 0; t < HOURS; t++) {
		double v = swing(t, &phase, &seed);

		feed(a, v, true);
		feed(b, v, true);
		if (t == HOURS / 2) {
			assert_int_equal(series_save(a, x, size), size);
			assert_int_equal(series_load(b, x, size), 0);
		}
	}
	assert_int_equal(series_save(a, x, size), size);
	assert_int_equal(series_save(b, z, size), size);
	assert_memory_equal(x, z, size);
	series_skip(a, 30);
	job = series_tune_take(a);
	assert_non_null(job);
	assert_null(series_tune_take(a));
	series_job_run(job);
	series_job_give(a, job);
	free(x);
	free(z);
	series_free(a);
	series_free(b);
}

/* All losses 0, or no value at all: no change, and no harm. */
static void constant_and_empty_series_are_left_alone(void **state)
{
	struct series *constant = hourly(), *empty = hourly();
	struct series_report r;

	(void)state;
	for (int t = 0; t < HOURS; t++) {
		feed(constant, 5, true);
		feed(empty, NAN, true);
	}
	series_report(constant, &r);
	assert_int_equal(r.n_gained, 0);
	series_report(empty, &r);
	assert_int_equal(r.n_gained, 0);
	series_free(constant);
	series_free(empty);
}

static double odd(int kind, int t, uint64_t *seed)
{
	switch (kind) {
	case 0:
		return t % 2 ? 0 : 1e6;
	case 1:
		return 1e15 * input_random(seed);
	case 2:
		return t % 300 == 0 ? 1e29 : input_random(seed);
	case 3:
		return t % 131 * 1e4;
	default:
		return t % 7 ? NAN : 1e-30 * input_random(seed);
	}
}

static void forecasts_of_any_input_stay_finite_and_bounded(void **state)
{
	(void)state;
	for (int kind = 0; kind < 5; kind++) {
		struct series *s = hourly();
		uint64_t seed = (uint64_t)kind;
		double most = 0;

		for (int t = 0; t < 500; t++) {
			double x = odd(kind, t, &seed);
			struct forecast f;

			most = fmax(most, x);
			feed(s, x, true);
			series_predict(s, 1 + t % 2, &f);
			for (int i = 0; i < FORECAST_LEVELS; i++)
				assert_true(f.q[i] >= 0 && f.q[i] <= 4.000001 * most);
		}
		series_free(s);
	}
}

static void every_field_can_be_searched(void **state)
{
	struct series_tuning t;

	(void)state;
	series_tuning_init(&t);
	for (size_t i = 0; i < SERIES_TUNABLES; i++) {
		const struct series_tunable *row = &series_tunables[i];

		assert_true(row->low > 0 && row->low < row->usual && row->usual < row->high);
		assert_float_equal(*series_tunable_of(&t, i), row->usual, 1e-6);
		assert_int_equal(row->at, i * sizeof(float));
	}
	assert_int_equal(sizeof(t), SERIES_TUNABLES * sizeof(float));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changes_is_forgotten_faster_once_tuned),
		cmocka_unit_test(noise_has_nothing_to_tune),
		cmocka_unit_test(tuning_is_the_same_again_and_saved),
		cmocka_unit_test(constant_and_empty_series_are_left_alone),
		cmocka_unit_test(forecasts_of_any_input_stay_finite_and_bounded),
		cmocka_unit_test(every_field_can_be_searched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
