// SPDX-License-Identifier: GPL-2.0-or-later
/* test_cycles.c - seasons read off past cycles, and theta and card, which live on them. */
#include "forecast/cycles.h"

#include "tests/check.h"
#include "tests/forecast/inputs.h"
#include "tests/forecast/lone.h"

static struct past *past_of_1000(unsigned int max_period)
{
	struct past *past = calloc(1, past_size(max_period));

	if (!past)
		abort();
	past_init(past, max_period);
	past->mean = 1000;
	past_rescale(past, past_wanted_offset(past));
	return past;
}

static double feed(struct cycles *c, struct past *past, double log_change)
{
	past_push(past, (1000 + past->offset) * exp(log_change) - past->offset);
	return cycles_observe(c, past);
}

/* The cycle is 0.4, 0, 0, 0 on the log scale, which is 0.3, -0.1, -0.1, -0.1 about its mean; some
 * trust is still that of the start. */
static void a_phase_lies_against_the_mean_of_its_cycle(void **state)
{
	struct past *past = past_of_1000(8);
	struct cycles c = {};

	(void)state;
	cycles_start(&c, past, 4);
	for (int t = 0; t < 200; t++)
		feed(&c, past, t % 4 == 0 ? 0.4 : 0);
	for (unsigned int step = 1; step <= 9; step++)
		assert_true(fabs(cycles_season(&c, past, step) - (step % 4 == 1 ? 0.3 : -0.1)) <
			    0.02);
	/* The middle of the cycles: one wild value says nothing. */
	feed(&c, past, 3);
	assert_true(fabs(cycles_season(&c, past, 4) - 0.3) < 0.05);
	free(past);
}

static void running_means_are_what_the_past_says(void **state)
{
	struct past *past = past_of_1000(20);
	struct cycles c = {}, anew = {};
	uint64_t seed = 1;

	(void)state;
	cycles_start(&c, past, 7);
	for (int t = 0; t < 1000; t++) {
		if (input_random(&seed) < 0.2) {
			past_push(past, NAN);
			cycles_observe(&c, past);
		} else
			feed(&c, past, 0.3 * input_normal(&seed));
	}
	cycles_start(&anew, past, 7);
	assert_int_equal(c.n, 6);
	for (uint32_t i = 0; i < c.n; i++) {
		assert_int_equal(c.measured[i], anew.measured[i]);
		assert_true(fabs(c.sum[i] - anew.sum[i]) < 1e-9);
	}
	free(past);
}

static void a_season_that_tells_nothing_is_given_up(void **state)
{
	struct past *past = past_of_1000(20);
	struct cycles noise = {}, real = {};
	double said = 0, kept = 0;
	uint64_t seed = 2;

	(void)state;
	cycles_start(&noise, past, 20);
	for (int t = 0; t < 400; t++) {
		double season = feed(&noise, past, 0.2 * input_normal(&seed));

		said += t >= 300 ? fabs(season) / 100 : 0;
	}
	cycles_start(&real, past, 20);
	for (int t = 0; t < 400; t++) {
		double season = feed(&real, past, t % 20 < 10 ? 0.2 : -0.2);

		kept += t >= 300 ? fabs(season) / 100 : 0;
	}
	assert_true(said < 0.05); /* means of the middle of three have 0.1 */
	assert_true(kept > 0.19);
	free(past);
}

/*
 * On a line of slope b smoothing by 0.7 lags by 3/7 b; theta goes on from there by half of b (step
 * - 1 + 1 / 0.7): together 2/7 b above the newest value at step 1, and half of b more with each
 * step.
 */
static void theta_goes_on_by_half_the_slope(void **state)
{
	struct lone *l = lone_new(&model_theta, 100, NULL, 0, 1000);
	double b = 0.01, newest = 0, offset = l->past->offset;

	(void)state;
	for (int t = 0; t < 150; t++) {
		newest = log(1000) + b * t;
		lone_feed(l, exp(newest) - offset);
	}
	for (unsigned int step = 1; step <= 20; step++) {
		double x = log(lone_median(l, step) + offset);

		assert_true(fabs(x - newest - b * (2.0 / 7 + 0.5 * (step - 1))) < 0.02 * b * step);
	}
	lone_free(l);
}

static void theta_takes_a_smooth_level_of_a_noisy_series(void **state)
{
	struct lone *l = lone_new(&model_theta, 100, NULL, 0, 1000);
	uint64_t seed = 3;

	(void)state;
	for (int t = 0; t < 600; t++)
		lone_feed(l, 1000 * exp(0.3 * input_normal(&seed)));
	/* The smoothest level scatters by 0.3 sqrt(0.02 / 1.98), the quickest by seven times that.
	 */
	assert_true(fabs(log(lone_median(l, 1) / 1000)) < 0.1);
	lone_free(l);
}

/* About a level, with rho .8: the newest value is right by .32 in the long run, card is to be
 * nearer. */
static void card_beats_the_newest_value_about_a_level(void **state)
{
	struct lone *l = lone_new(&model_card, 100, NULL, 0, 1000);
	double away = 0, of_card = 0, of_last = 0;
	uint64_t seed = 4;

	(void)state;
	for (int t = 0; t < 3000; t++) {
		double card = t > 0 ? log(lone_median(l, 8) / 1000) : 0, then = away;

		for (int i = 0; i < 8; i++) {
			away = 0.8 * away + 0.1 * input_normal(&seed);
			lone_feed(l, 1000 * exp(away));
		}
		of_card += t > 100 ? fabs(away - card) : 0;
		of_last += t > 100 ? fabs(away - then) : 0;
	}
	assert_true(of_card < 0.9 * of_last);
	lone_free(l);
}

static void shifts_are_followed_by(const struct forecast_model *model)
{
	static const unsigned int periods[] = {24};
	struct lone *l = lone_new(model, 100, periods, 1, 100);
	uint64_t seed = 5;

	for (int t = 0; t < 200; t++)
		lone_feed(l, (t < 190 ? 100 : 1000) * exp(0.05 * input_normal(&seed)));
	assert_true(lone_median(l, 1) > 600 && lone_median(l, 1) < 1600);
	lone_free(l);
}

static void a_level_ten_times_as_high_is_followed(void **state)
{
	(void)state;
	shifts_are_followed_by(&model_theta);
	shifts_are_followed_by(&model_card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_phase_lies_against_the_mean_of_its_cycle),
		cmocka_unit_test(running_means_are_what_the_past_says),
		cmocka_unit_test(a_season_that_tells_nothing_is_given_up),
		cmocka_unit_test(theta_goes_on_by_half_the_slope),
		cmocka_unit_test(theta_takes_a_smooth_level_of_a_noisy_series),
		cmocka_unit_test(card_beats_the_newest_value_about_a_level),
		cmocka_unit_test(a_level_ten_times_as_high_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
