// SPDX-License-Identifier: GPL-2.0-or-later
/* test_anomaly.c - what does not belong is told at once and by its kind; what is plain is not. */
#include "forecast/anomaly.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

/* One value where 100 was forecast, in steps of 1 s or so. */
static struct anomaly_found step(struct anomaly *a, double value, double expected)
{
	struct anomaly_step in = {
		.value = value, .offset = 1, .median_log = log(expected + 1), .day = NAN};

	return anomaly_observe(a, &in);
}

static double noisy(double mean, uint64_t *seed)
{
	return mean * exp(0.05 * input_normal(seed));
}

/* Knows 400 noisy values of about 100. */
static void warm(struct anomaly *a, uint64_t *seed)
{
	anomaly_init(a);
	for (int t = 0; t < 400; t++)
		(void)step(a, noisy(100, seed), 100);
	for (int t = 0; t < ANOMALY_REST; t++)
		(void)step(a, 100 + t % 2, 100);
}

static void a_spike_is_told_at_once_and_once(void **state)
{
	struct anomaly_found f;
	struct anomaly a;
	uint64_t seed = 1;

	(void)state;
	warm(&a, &seed);
	f = step(&a, 1000, 100);
	assert_int_equal(f.kind, ANOMALY_SPIKE);
	assert_true(f.severity == 1 && f.p < 1e-8);
	f = step(&a, 1000, 100);
	assert_int_equal(f.kind, ANOMALY_NONE);
	assert_true(f.severity == 0);
	for (int t = 0; t < 50; t++)
		assert_int_equal(step(&a, 100 + t % 2, 100).kind, ANOMALY_NONE);
}

/* The sum grows by 4 - 2 deviations a step at most, so 50 are reached at the 25th. */
static void a_shift_is_told_after_25_steps(void **state)
{
	static const double levels[] = {1000, 10};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int n = 0, at = 0;
		struct anomaly a;
		uint64_t seed = 2;

		warm(&a, &seed);
		for (int t = 1; t <= 300; t++) {
			if (step(&a, noisy(levels[i], &seed), levels[i]).kind != ANOMALY_SHIFT)
				continue;
			at = t;
			n++;
		}
		assert_int_equal(n, 1);
		assert_true(at >= 25 && at <= 27);
	}
}

static void a_drought_is_told_at_its_fifth_step(void **state)
{
	struct anomaly a;
	uint64_t seed = 3;

	(void)state;
	warm(&a, &seed);
	assert_int_equal(step(&a, 0, 100).kind, ANOMALY_SPIKE);
	for (int t = 2; t < 5; t++)
		assert_int_equal(step(&a, 0, 0).kind, ANOMALY_NONE);
	assert_int_equal(step(&a, 0, 0).kind, ANOMALY_DROUGHT);
}

static void a_flat_line_is_told_of_what_always_moved(void **state)
{
	struct anomaly a;
	uint64_t seed = 4;

	(void)state;
	warm(&a, &seed);
	(void)step(&a, 102, 100);
	for (int t = 1; t < 20; t++)
		assert_int_equal(step(&a, 102, 102).kind, ANOMALY_NONE);
	assert_int_equal(step(&a, 102, 102).kind, ANOMALY_FLAT);
	for (int t = 1; t < 200; t++)
		assert_int_equal(step(&a, 102, 102).kind, ANOMALY_NONE);
}

/* Outside of the range is severe, 1,000 mean errors off are worse: one anomaly, whose severity
 * grows. */
static void what_gets_worse_is_the_same_one(void **state)
{
	struct anomaly_found f;
	struct anomaly a;
	uint64_t seed = 10;

	(void)state;
	warm(&a, &seed);
	f = step(&a, 100 * exp(0.3), 100);
	assert_true(f.kind != ANOMALY_NONE && f.severity >= ANOMALY_FOUND && f.severity < 1);
	f = step(&a, 1e6, 100);
	assert_true(f.kind == ANOMALY_NONE && f.worse && f.severity == 1);
}

static void what_is_constant_from_the_start_is_none(void **state)
{
	static const double values[] = {0, 100, 1e15};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct anomaly a;

		anomaly_init(&a);
		for (int t = 0; t < 3000; t++)
			assert_int_equal(step(&a, values[i], values[i]).kind, ANOMALY_NONE);
	}
}

static void noise_gives_the_stated_rate(void **state)
{
	int found = 0, below10 = 0, below1 = 0, n = 20000;
	struct anomaly a;
	uint64_t seed = 5;

	(void)state;
	anomaly_init(&a);
	for (int t = 0; t < n; t++) {
		struct anomaly_found f = step(&a, noisy(100, &seed), 100);

		found += f.kind != ANOMALY_NONE;
		below10 += f.p <= 0.1;
		below1 += f.p <= 0.01;
	}
	assert_true(found <= n * ANOMALY_RATE);
	assert_true(below10 > n / 25 && below10 < n / 9);
	assert_true(below1 > n / 200 && below1 < n / 66);
}

/* Of 24 hours of 12 steps the one from 6 on is always busy; then one day it is not. */
static void an_hour_unlike_itself_is_told(void **state)
{
	struct anomaly a;
	uint64_t seed = 6;
	int kinds[ANOMALY_KINDS] = {};

	(void)state;
	anomaly_init(&a);
	for (int t = 0; t < 9 * 288; t++) {
		bool busy = t % 288 >= 72 && t % 288 < 96;
		double value = noisy(busy && t / 288 != 8 ? 500 : 100, &seed);
		struct anomaly_step in = {.value = value,
					  .offset = 10,
					  .median_log = NAN,
					  .day = t % 288 / 288.0,
					  .per_day = 288,
					  .days = (uint64_t)t / 288};
		struct anomaly_found f = anomaly_observe(&a, &in);

		if (t >= 8 * 288)
			kinds[f.kind]++;
	}
	assert_true(kinds[ANOMALY_HOUR] >= 1);
	assert_int_equal(kinds[ANOMALY_RANGE], 0);
}

static void wild_input_stays_finite(void **state)
{
	static const double wild[] = {NAN, 0, 1e30, -5, INFINITY, 1e-300, 7, -INFINITY};
	struct anomaly a;
	uint64_t seed = 7;

	(void)state;
	anomaly_init(&a);
	for (int t = 0; t < 20000; t++) {
		struct anomaly_step in = {.value = wild[(int)(input_random(&seed) * 8)],
					  .offset = 1e-9,
					  .median_log = 200 * input_random(&seed) - 100,
					  .day = input_random(&seed),
					  .per_day = 1e9 * input_random(&seed),
					  .days = (uint64_t)t};
		struct anomaly_found f = anomaly_observe(&a, &in);

		assert_true(f.kind < ANOMALY_KINDS);
		assert_true(f.severity >= 0 && f.severity <= 1 && f.p >= 0 && f.p <= 1);
	}
	assert_true(isfinite(a.level) && isfinite(a.deviation) && isfinite(a.scale));
	assert_true(isfinite(a.up) && isfinite(a.down) && isfinite(a.tail.mean));
}

static void state_is_small_and_kinds_are_named(void **state)
{
	(void)state;
	assert_true(sizeof(struct anomaly) < 1024);
	for (int i = 0; i < ANOMALY_KINDS; i++)
		assert_true(*anomaly_rows[i].name && *anomaly_rows[i].help);
}

static void series_tells_its_newest_one(void **state)
{
	struct series *s = input_series(10, 50);
	struct series_anomaly found;
	uint64_t seed = 8, before;

	(void)state;
	series_anomaly(s, &found);
	assert_true(found.count == 0 && found.kind == ANOMALY_NONE);
	for (int t = 0; t < 500; t++)
		input_feed(s, noisy(100, &seed));
	series_anomaly(s, &found);
	before = found.count;
	input_feed(s, 900);
	series_anomaly(s, &found);
	assert_true(found.count == before + 1 && found.step == 501);
	assert_int_equal(found.kind, ANOMALY_SPIKE);
	assert_true(found.severity == 1 && found.value == 900);
	assert_true(found.expected > 85 && found.expected < 115);
	input_feed(s, 100);
	series_anomaly(s, &found);
	assert_true(found.step == 501 && found.score == 0);
	series_free(s);
}

/* Mean relative error of the forecast 5 steps ahead over @n steps of about @level. */
static double steady_error(struct series *s, double level, int n, uint64_t *seed)
{
	struct forecast waiting[5];
	double sum = 0;

	for (int t = 0; t < n + 5; t++) {
		double value = noisy(level, seed);

		if (t >= 5)
			sum += fabs(waiting[t % 5].q[Q50] - value) / level / n;
		series_predict(s, 5, &waiting[t % 5]);
		input_feed(s, value);
	}
	return sum;
}

/* Two hours of 1 min after a shift by ten, errors are within 10 % of what they were. */
static void a_real_shift_is_learned_in_120_steps(void **state)
{
	static const double levels[] = {1000, 10};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct series_conf conf = {.step_ns = UINT64_C(60000000000), 60, 300};
		uint64_t seed = 9;
		double before, after;
		struct series *s;

		assert_int_equal(series_new(&conf, &s), 0);
		for (int t = 0; t < 2000; t++)
			input_feed(s, noisy(100, &seed));
		before = steady_error(s, 100, 1000, &seed);
		for (int t = 0; t < 120; t++)
			input_feed(s, noisy(levels[i], &seed));
		after = steady_error(s, levels[i], 1000, &seed);
		assert_true(after < 1.1 * before);
		series_free(s);
	}
}

/* Of 1,200 values three are ten times the rest: not learned, in all horizons as if they were not.
 */
static void a_short_burst_is_kept_from_the_models(void **state)
{
	struct series *s = input_series(10, 50);
	struct forecast before, f;
	uint64_t seed = 11;

	(void)state;
	for (int t = 0; t < 1200; t++)
		input_feed(s, noisy(100, &seed));
	series_predict(s, 5, &before);
	for (int t = 0; t < 3; t++) {
		input_feed(s, 1000);
		series_predict(s, 5, &f);
		assert_true(fabs(f.q[Q50] - before.q[Q50]) < 3);
	}
	for (int t = 0; t < 10; t++)
		input_feed(s, 1000);
	series_predict(s, 5, &f);
	assert_true(f.q[Q50] > 900 && f.q[Q50] < 1100);
	series_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spike_is_told_at_once_and_once),
		cmocka_unit_test(a_shift_is_told_after_25_steps),
		cmocka_unit_test(a_drought_is_told_at_its_fifth_step),
		cmocka_unit_test(a_flat_line_is_told_of_what_always_moved),
		cmocka_unit_test(what_gets_worse_is_the_same_one),
		cmocka_unit_test(what_is_constant_from_the_start_is_none),
		cmocka_unit_test(noise_gives_the_stated_rate),
		cmocka_unit_test(an_hour_unlike_itself_is_told),
		cmocka_unit_test(wild_input_stays_finite),
		cmocka_unit_test(state_is_small_and_kinds_are_named),
		cmocka_unit_test(series_tells_its_newest_one),
		cmocka_unit_test(a_short_burst_is_kept_from_the_models),
		cmocka_unit_test(a_real_shift_is_learned_in_120_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
