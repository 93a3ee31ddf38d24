// SPDX-License-Identifier: GPL-2.0-or-later
/* test_series.c - a forecast sees recurring peaks, follows shifts, learns events, and is kept. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/util.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

/* A day of 20 steps with a peak of 4, five times the rest. */
static double day_of_20(int t, uint64_t *seed)
{
	double base = t % 20 >= 12 && t % 20 < 16 ? 500 : 100;

	return base * (1 + 0.04 * input_normal(seed));
}

static void third_peak_is_seen_three_steps_ahead(void **state)
{
	struct series *s = input_series(30, 300);
	struct forecast f, peak;
	uint64_t seed = 1;

	(void)state;
	for (int t = 0; t < 50; t++)
		input_feed(s, day_of_20(t, &seed));
	series_predict(s, 3, &f);
	series_predict_peak(s, 3, &peak);
	assert_true(f.q[Q50] > 350 && f.q[Q50] < 600);
	assert_true(forecast_at(&peak, 0.9) > 400);
	series_predict(s, 2, &f);
	assert_true(f.q[Q50] < 200);
	series_free(s);
}

static void burst_in_between_does_not_hide_the_next_peak(void **state)
{
	static const int starts[] = {5, 45, 65};

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		struct series *s = input_series(30, 300);
		uint64_t seed = 2 + i;
		struct forecast f;

		for (int t = 0; t < 90; t++)
			input_feed(s,
				   t >= starts[i] && t < starts[i] + 4 ? 800 : day_of_20(t, &seed));
		series_predict(s, 3, &f);
		assert_true(f.q[Q50] > 350);
		assert_true(f.q[Q95] < 1500);
		series_free(s);
	}
}

static void shift_by_ten_is_followed_within_ten_steps(void **state)
{
	struct series *s = input_series(30, 300);
	struct forecast f;
	uint64_t seed = 3;

	(void)state;
	for (int t = 0; t < 400; t++)
		input_feed(s, 100 * (1 + 0.05 * input_normal(&seed)));
	for (int t = 0; t < 10; t++)
		input_feed(s, 1000 * (1 + 0.05 * input_normal(&seed)));
	for (unsigned int step = 1; step <= 8; step++) {
		series_predict(s, step, &f);
		assert_true(f.q[Q50] > 800 && f.q[Q50] < 1200);
	}
	series_free(s);
}

static void one_spike_leaves_the_level_alone(void **state)
{
	struct series *s = input_series(30, 300);
	struct forecast f;
	uint64_t seed = 4;

	(void)state;
	for (int t = 0; t < 300; t++)
		input_feed(s, t == 295 ? 5000 : 100 * (1 + 0.05 * input_normal(&seed)));
	series_predict(s, 5, &f);
	assert_true(f.q[Q50] > 85 && f.q[Q50] < 120);
	series_free(s);
}

/* How often values and maxima were within, of n. */
struct cover {
	int in80, in90, peaks, n;
};

static void cover(uint64_t seed, struct cover *c)
{
	struct series *s = input_series(10, 50);
	struct forecast waiting = {}, peak = {};
	double max = 0;

	for (int t = 0; t < 6000; t++) {
		double y = 200 * (1 + 0.3 * sin(t / 7.0)) * exp(0.2 * input_normal(&seed));

		max = fmax(max, y);
		if (t > 1000 && t % 5 == 4) {
			c->in80 += y >= waiting.q[Q10] && y <= waiting.q[Q90];
			c->in90 += y >= waiting.q[Q05] && y <= waiting.q[Q95];
			c->peaks += max <= peak.q[Q95];
			c->n++;
		}
		input_feed(s, y);
		if (t % 5 == 4) {
			series_predict(s, 5, &waiting);
			series_predict_peak(s, 5, &peak);
			max = 0;
		}
	}
	series_free(s);
}

/* Of one series alone a thousand maxima scatter by a point. */
static void intervals_cover_what_they_say(void **state)
{
	struct cover c = {};

	(void)state;
	for (uint64_t seed = 5; seed < 10; seed++)
		cover(seed, &c);
	assert_true(abs(100 * c.in80 / c.n - 80) <= 4);
	assert_true(abs(100 * c.in90 / c.n - 90) <= 4);
	assert_true(abs(100 * c.peaks / c.n - 95) <= 3);
}

static void gap_of_weeks_keeps_the_season(void **state)
{
	struct series *s = input_series(30, 300);
	struct forecast f;
	uint64_t seed = 6;
	int t = 0;

	(void)state;
	for (; t < 200; t++)
		input_feed(s, day_of_20(t, &seed));
	series_skip(s, 20 * 100000);
	t += 20 * 100000;
	assert_true(series_count(s) == 200);
	for (int i = 0; i < 50; i++, t++)
		input_feed(s, day_of_20(t, &seed));
	series_predict(s, 3, &f);
	assert_true(f.q[Q50] > 350 && f.q[Q50] < 650);
	series_free(s);
}

static void stated_event_multiplies_its_steps_alone(void **state)
{
	struct series *s = input_series(30, 300);
	struct forecast f;
	uint64_t seed = 7;

	(void)state;
	for (int t = 0; t < 200; t++)
		input_feed(s, 100 * (1 + 0.02 * input_normal(&seed)));
	assert_int_equal(series_event(s, 1, 5, 10, 3), 0);
	series_predict(s, 5, &f);
	assert_true(f.q[Q50] < 120);
	series_predict(s, 6, &f);
	assert_true(f.q[Q50] > 270 && f.q[Q50] < 330);
	series_predict_peak(s, 8, &f);
	assert_true(f.q[Q50] > 270);
	for (int t = 0; t < 20; t++)
		input_feed(s, (t >= 5 && t < 15 ? 300 : 100) * (1 + 0.02 * input_normal(&seed)));
	series_predict(s, 1, &f);
	assert_true(f.q[Q95] < 120);
	assert_int_equal(series_event(s, 1, 5, 0, 3), -EINVAL);
	assert_int_equal(series_event(s, 1, 5, 5, -1), -EINVAL);
	assert_int_equal(series_event(s, 1, INT64_MAX, 5, 2), -EINVAL);
	series_free(s);
}

/* Far beyond anything seen, since that is what was asked for; the steps around it are not. */
static void a_large_stated_multiplier_is_not_cut(void **state)
{
	struct series *s = input_series(30, 300);
	struct forecast f;
	uint64_t seed = 7;

	(void)state;
	for (int t = 0; t < 200; t++)
		input_feed(s, 100 * (1 + 0.02 * input_normal(&seed)));
	assert_int_equal(series_event(s, 1, 5, 10, 50), 0);
	series_predict(s, 6, &f);
	assert_true(f.q[Q50] > 4500 && f.q[Q50] < 5500);
	assert_true(f.mean > 4500 && f.mean < 5500);
	series_predict_peak(s, 8, &f);
	assert_true(f.q[Q50] > 4500 && f.q[Q99] < 20000);
	series_predict(s, 5, &f);
	assert_true(f.q[Q99] < 450);
	series_free(s);
}

static void effect_of_an_event_is_learned_from_the_last_one(void **state)
{
	struct series *s = input_series(30, 300);
	struct forecast f;
	uint64_t seed = 8;

	(void)state;
	for (int t = 0; t < 300; t++) {
		bool during = t >= 200 && t < 230;

		if (t == 195)
			assert_int_equal(series_event(s, 9, 5, 30, NAN), 0);
		input_feed(s, (during ? 400 : 100) * (1 + 0.02 * input_normal(&seed)));
		series_predict(s, 1, &f);
		if (t > 205 && t < 228)
			assert_true(f.q[Q50] > 300);
	}
	assert_true(f.q[Q50] < 120);
	assert_int_equal(series_event(s, 9, 10, 20, NAN), 0);
	series_predict(s, 10, &f);
	assert_true(f.q[Q50] < 120);
	series_predict(s, 15, &f);
	assert_true(f.q[Q50] > 300 && f.q[Q50] < 500);
	series_free(s);
}

/* Three times the load is stated for 200 steps and does not come. */
static void a_stated_event_that_stays_away_leaves_normal_times(void **state)
{
	struct series *s = input_series(30, 120);
	struct forecast f;
	uint64_t seed = 3;

	(void)state;
	assert_int_equal(series_event(s, 7, 300, 200, 3), 0);
	for (int t = 0; t < 520; t++) {
		series_predict(s, 1, &f);
		if (t >= 300 && t < 320)
			assert_true(f.q[Q50] > 240);
		if (t >= 500)
			assert_float_equal(f.q[Q50], 100, 10);
		input_feed(s, 100 * (1 + 0.05 * input_normal(&seed)));
	}
	series_free(s);
}

/* A service that starts in the middle of a campaign has a forecast soon, not after it. */
static void a_series_may_begin_within_an_event(void **state)
{
	static const double multipliers[] = {NAN, 3};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(multipliers); i++) {
		struct series *s = input_series(30, 100);
		struct forecast f;

		assert_int_equal(series_event(s, 1, 0, 1000, multipliers[i]), 0);
		for (int t = 0; t < 20; t++)
			series_observe(s, 100);
		series_predict(s, 1, &f);
		assert_float_equal(f.q[Q50], 100, 10);
		series_free(s);
	}
}

static void a_cleared_event_is_gone_and_its_effect_stays(void **state)
{
	struct series *s = input_series(30, 300);
	struct forecast f;
	uint64_t seed = 8;

	(void)state;
	for (int t = 0; t < 300; t++) {
		if (t == 195)
			assert_int_equal(series_event(s, 9, 5, 30, NAN), 0);
		input_feed(s, (t >= 200 && t < 230 ? 400 : 100) * (1 + 0.02 * input_normal(&seed)));
	}
	assert_int_equal(series_event(s, 9, 10, 20, NAN), 0);
	assert_int_equal(series_event(s, 1, 10, 20, 3), 0);
	series_event_clear(s);
	series_predict(s, 15, &f);
	assert_true(f.q[Q50] < 120);
	assert_int_equal(series_event(s, 9, 10, 20, NAN), 0);
	series_predict(s, 15, &f);
	assert_true(f.q[Q50] > 300 && f.q[Q50] < 500);
	series_free(s);
}

static void kept_state_goes_on_bit_for_bit(void **state)
{
	uint64_t seed = 9;

	(void)state;
	for (int n = 0; n < 400; n += 37) {
		struct series *a = input_series(50, 100), *b = input_series(50, 100);
		struct series *other = input_series(51, 100);
		size_t size = series_save_size(a);
		char *x = malloc(size), *y = malloc(size);

		for (int t = 0; t < n; t++)
			input_feed(a, t % 11 == 3 ? NAN : day_of_20(t, &seed));
		assert_int_equal(series_save(a, x, size - 1), 0);
		assert_int_equal(series_save(a, x, size), size);
		assert_int_equal(series_load(b, x, size), 0);
		assert_int_equal(series_load(other, x, size), -EINVAL);
		for (int t = n; t < n + 100; t++) {
			double v = day_of_20(t, &seed);

			input_feed(a, v);
			input_feed(b, v);
		}
		assert_int_equal(series_save(a, x, size), size);
		assert_int_equal(series_save(b, y, size), size);
		assert_memory_equal(x, y, size);
		y[size / 2] ^= 4;
		assert_int_equal(series_load(b, y, size), -EINVAL);
		assert_int_equal(series_load(b, y, size - 1), -EINVAL);
		free(x);
		free(y);
		series_free(a);
		series_free(b);
		series_free(other);
	}
}

static void kept_events_go_on_too(void **state)
{
	struct series *a = input_series(50, 100), *b = input_series(50, 100);
	size_t bare = series_save_size(a), size;
	struct series_effect x, y;
	char *kept;
	uint64_t seed = 9;

	(void)state;
	assert_int_equal(series_event_effect(a, 1, &x), -ENOENT);
	for (int t = 0; t < 200; t++) {
		if (t % 50 == 0)
			assert_int_equal(series_event(a, 1, 20, 10, NAN), 0);
		input_feed(a, (t % 50 >= 20 && t % 50 < 30 ? 3 : 1) * day_of_20(t, &seed));
	}
	size = series_save_size(a);
	assert_true(size > bare);
	kept = malloc(size);
	assert_int_equal(series_save(a, kept, size - 1), 0);
	assert_int_equal(series_save(a, kept, size), size);
	assert_int_equal(series_load(b, kept, bare + 1), -EINVAL);
	assert_int_equal(series_load(b, kept, size), 0);
	assert_int_equal(series_event_effect(a, 1, &x), 0);
	assert_int_equal(series_event_effect(b, 1, &y), 0);
	assert_true(x.during > 2 && x.during == y.during && x.n == y.n);
	/* What comes first alone is a series without events. */
	assert_int_equal(series_load(b, kept, bare), 0);
	assert_int_equal(series_event_effect(b, 1, &y), -ENOENT);
	kept[size - 1] ^= 4;
	assert_int_equal(series_load(b, kept, size), -EINVAL);
	free(kept);
	series_free(a);
	series_free(b);
}

static size_t bytes_of(unsigned int horizon, unsigned int max_period)
{
	struct series *s = input_series(horizon, max_period);
	size_t n = series_save_size(s);

	series_free(s);
	return n;
}

static void a_series_is_as_small_as_is_promised(void **state)
{
	(void)state;
	assert_true(bytes_of(60, 300) <= (size_t)16 * 1024);
	assert_true(bytes_of(24, 168) <= (size_t)13 * 1024);
	assert_int_equal(bytes_of(60, 1400) - bytes_of(60, 400), 18 * 1000);
}

static void late_job_gives_the_same_periods(void **state)
{
	struct series *s = input_series(30, 300);
	struct series_report r;
	struct series_job *job = NULL;
	uint64_t seed = 10;

	(void)state;
	for (int t = 0; t < 80; t++) {
		series_observe(s, day_of_20(t, &seed));
		if (t == 60)
			job = series_job_take(s);
	}
	assert_non_null(job);
	assert_null(series_job_take(s));
	series_job_run(job);
	series_job_give(s, job);
	series_report(s, &r);
	assert_int_equal(r.n_periods, 1);
	assert_int_equal(r.periods[0], 20);
	assert_true(series_count(s) == 80);
	series_free(s);
}

static void conf_out_of_range_is_refused(void **state)
{
	struct series_conf conf = {.step_ns = 1, .horizon = 0, .max_period = 1};
	struct series *s = NULL;
	struct forecast f;

	(void)state;
	assert_int_equal(series_new(&conf, &s), -EINVAL);
	conf.horizon = 1;
	assert_int_equal(series_new(&conf, &s), 0);
	series_predict(s, 1, &f);
	assert_true(f.q[Q99] == 0 && f.mean == 0);
	assert_true(isnan(series_last(s)));
	series_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(third_peak_is_seen_three_steps_ahead),
		cmocka_unit_test(burst_in_between_does_not_hide_the_next_peak),
		cmocka_unit_test(shift_by_ten_is_followed_within_ten_steps),
		cmocka_unit_test(one_spike_leaves_the_level_alone),
		cmocka_unit_test(intervals_cover_what_they_say),
		cmocka_unit_test(gap_of_weeks_keeps_the_season),
		cmocka_unit_test(stated_event_multiplies_its_steps_alone),
		cmocka_unit_test(a_large_stated_multiplier_is_not_cut),
		cmocka_unit_test(effect_of_an_event_is_learned_from_the_last_one),
		cmocka_unit_test(a_stated_event_that_stays_away_leaves_normal_times),
		cmocka_unit_test(a_series_may_begin_within_an_event),
		cmocka_unit_test(a_cleared_event_is_gone_and_its_effect_stays),
		cmocka_unit_test(kept_state_goes_on_bit_for_bit),
		cmocka_unit_test(kept_events_go_on_too),
		cmocka_unit_test(a_series_is_as_small_as_is_promised),
		cmocka_unit_test(late_job_gives_the_same_periods),
		cmocka_unit_test(conf_out_of_range_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
