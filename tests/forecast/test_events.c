// SPDX-License-Identifier: GPL-2.0-or-later
/* test_events.c - the shape of an event: learned by part and occurrence, unlearned, kept apart. */
#include <errno.h>
#include <stdlib.h>

#include "agent/base/util.h"
#include "forecast/events.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

#define SD 0.1

static void assert_near(double value, double wanted, double most)
{
	if (!(fabs(value - wanted) <= most))
		fail_msg("%g is not %g", value, wanted);
}

/* Values @factor[k] times the normal 100 at the steps from @from on. */
static void feed(struct events *e, int64_t from, const double *factor, int n)
{
	for (int k = 0; k < n; k++)
		(void)events_observe(e, from + k, 100 * factor[k], 100, SD, 0);
}

static double at(const struct events *e, int64_t step)
{
	double var;

	return events_multiplier(e, step, step, &var);
}

/*
 * A log of 1 above normal, of variance 0.5 + 0.01 (part, occurrence) + 0.01 (noise): 0.51/0.52 of
 * it are the event's. The next part, unknown, is taken to be the same with a variance of 0.09 more.
 */
static void a_surprise_is_split_by_variance(void **state)
{
	struct events e = {};
	double var;

	(void)state;
	assert_int_equal(events_add(&e, 1, 10, 18, NAN), 0);
	assert_near(events_multiplier(&e, 10, 10, &var), 1, 0);
	assert_near(var, 0, 0);
	assert_true(isnan(events_observe(&e, 10, 100 * exp(1), 100, SD, 0)));
	assert_near(log(events_multiplier(&e, 10, 10, &var)), 0.51 / 0.52, 1e-3);
	assert_near(var, 0.5 * 0.02 / 0.52 + 0.01 * 0.51 / 0.52, 1e-3);
	assert_near(log(events_multiplier(&e, 11, 11, &var)), 0.51 / 0.52, 1e-3);
	assert_near(var, 0.5 * 0.02 / 0.52 + 0.09 + 0.01 * 0.51 / 0.52, 1e-3);
}

/* Where the event is known well, what is left of a value is normal and the rest of the surprise. */
static void a_known_event_leaves_the_normal_part(void **state)
{
	struct events e = {};
	double flat[] = {3, 3, 3, 3, 3, 3, 3, 3}, normal;

	(void)state;
	for (int k = 0; k < 3; k++) {
		assert_int_equal(events_add(&e, 1, 100 * k, 100 * k + 8, NAN), 0);
		feed(&e, 100 * k, flat, 8);
	}
	assert_int_equal(events_add(&e, 1, 300, 308, NAN), 0);
	assert_near(at(&e, 300), 3, 0.3);
	normal = events_observe(&e, 300, 300, 100, 3 * SD, 0);
	assert_near(normal, 100, 5);
	normal = events_observe(&e, 301, 360, 100, 3 * SD, 0); /* 20 % more than expected */
	assert_near(normal, 115, 4);
}

/* Ramp, plateau and decay, from one occurrence and better from three. */
static void shape_is_learned_by_position(void **state)
{
	static const double factor[] = {1.2, 1.5, 1.8, 2, 2, 3, 3, 4, 4, 5,   5,   6,   6,   5,  5,
					4,   4,   3,   3, 2, 2, 2, 2, 2, 1.5, 1.5, 1.5, 1.5, 1.5};
	double bound[] = {0.35, 0.25, 0.15};
	struct events e = {};

	(void)state;
	for (int k = 0; k < 3; k++) {
		int64_t start = 1000 * k + 100;

		/* 16 steps, felt from 8 before to 16 after. */
		assert_int_equal(events_add(&e, 7, start, start + 16, NAN), 0);
		if (k > 0)
			for (int i = 5; i < 21; i++)
				assert_true(fabs(log(at(&e, start - 5 + i) / factor[i])) <
					    bound[k - 1]);
		feed(&e, start - 5, factor, ARRAY_SIZE(factor));
		for (int i = 0; i < 40; i++)
			(void)events_observe(&e, start + 24 + i, 100, 100, SD, 0);
	}
	assert_int_equal(events_add(&e, 7, 5000, 5016, NAN), 0);
	for (int i = 1; i < 24; i++)
		assert_true(fabs(log(at(&e, 4995 + i) / factor[i])) < 0.35);
	assert_near(at(&e, 4991), 1, 0);
	assert_near(at(&e, 5032), 1, 0);
}

static void shape_stretches_with_the_length(void **state)
{
	double up[16];
	struct events e = {};

	(void)state;
	for (int i = 0; i < 16; i++)
		up[i] = i < 8 ? 2 : 6;
	assert_int_equal(events_add(&e, 7, 100, 116, NAN), 0);
	feed(&e, 100, up, 16);
	assert_int_equal(events_add(&e, 7, 1000, 1064, NAN), 0);
	for (int i = 0; i < 64; i++)
		assert_true(fabs(log(at(&e, 1000 + i) / up[i / 4])) < 0.3);
}

static void an_effect_that_proved_wrong_fades(void **state)
{
	static const double high[] = {3, 3, 3, 3}, none[] = {1, 1, 1, 1};
	struct events e = {};
	double before = 3;

	(void)state;
	for (int k = 0; k < 8; k++) {
		assert_int_equal(events_add(&e, 7, 100 * k, 100 * k + 4, NAN), 0);
		if (k > 4) {
			assert_true(at(&e, 100 * k) < before);
			before = at(&e, 100 * k);
		}
		feed(&e, 100 * k, k < 4 ? high : none, 4);
	}
	assert_int_equal(events_add(&e, 7, 900, 904, NAN), 0);
	assert_true(at(&e, 900) < 1.35);
}

/* The more values scatter, the less one says. */
static void noisy_values_teach_less(void **state)
{
	struct events calm = {}, noisy = {};

	(void)state;
	assert_int_equal(events_add(&calm, 1, 10, 11, NAN), 0);
	assert_int_equal(events_add(&noisy, 1, 10, 11, NAN), 0);
	(void)events_observe(&calm, 10, 200, 100, 0.05, 0);
	(void)events_observe(&noisy, 10, 200, 100, 1, 0);
	/* ln 2 * 0.51 / (0.51 + sd * sd) */
	assert_near(log(at(&calm, 10)), 0.6898, 1e-3);
	assert_near(log(at(&noisy, 10)), 0.2341, 1e-3);
}

static void neighbours_are_two_and_copies_one(void **state)
{
	struct events e = {};

	(void)state;
	assert_int_equal(events_add(&e, 1, 0, 25, NAN), 0);
	assert_int_equal(events_add(&e, 1, 24, 49, NAN), 0);
	assert_int_equal(events_add(&e, 1, 24, 49, NAN), 0);
	assert_int_equal(e.list[1].start, 24);
	assert_int_equal(e.list[2].end, 0);
	assert_int_equal(events_add(&e, 1, 30, 49, NAN), 0);
	assert_int_equal(e.list[1].start, 30);
	assert_int_equal(e.list[2].end, 0);
}

static void stated_events_are_flat_and_teach_nothing(void **state)
{
	struct events e = {};

	(void)state;
	assert_int_equal(events_add(&e, 1, 10, 12, 3), 0);
	assert_near(at(&e, 9), 1, 0);
	assert_near(at(&e, 10), 3, 0);
	assert_near(events_stated(&e, 11), 3, 0);
	assert_near(events_observe(&e, 10, 330, 100, SD, 0), 110, 1e-9);
	assert_near(at(&e, 12), 1, 0);
	assert_null(events_effect(&e, 1));
}

/*
 * Three times 100 are stated for 100 steps, and nothing of it comes: all of that is the event's but
 * for the first value's 1/51 (0.01 of 0.51), and normal times stay as they are. As its load may
 * still come, it is given up by the part of it that has passed.
 */
static void a_stated_event_that_stays_away_is_given_up_slowly(void **state)
{
	struct events e = {};
	double var, normal;

	(void)state;
	assert_int_equal(events_add(&e, 1, 10, 110, 3), 0);
	assert_false(events_doubted(&e, 10));
	assert_true(isnan(events_observe(&e, 10, 100, 100, SD, 0)));
	assert_true(events_doubted(&e, 11));
	assert_near(events_multiplier(&e, 100, 30, &var), 3 * pow(3, -0.2 * 50 / 51), 1e-3);
	for (int64_t step = 11; step < 109; step++) {
		normal = events_observe(&e, step, 100, 100, SD, 0);
		assert_near(normal, 100, 2);
	}
	assert_near(events_multiplier(&e, 109, 30, &var), 3 * pow(3, -0.2), 0.02);
	assert_near(events_multiplier(&e, 109, 60, &var), 3 * pow(3, -0.5), 0.02);
	assert_near(events_multiplier(&e, 109, 109, &var), 1, 0.03);
	assert_true(events_doubted(&e, 104)); /* 6 % of it are left: 1.0986 x 0.06 */
	assert_false(events_doubted(&e, 106));
	assert_near(var, 0, 0);
}

/* It comes after a fifth of its time, and leaves again before the end: never news of normal times.
 */
static void a_stated_event_may_come_late(void **state)
{
	struct events e = {};
	double normal;

	(void)state;
	assert_int_equal(events_add(&e, 1, 10, 110, 3), 0);
	for (int64_t step = 10; step < 110; step++) {
		bool there = step >= 30 && step < 90;

		normal = events_observe(&e, step, there ? 300 : 100, 100, SD, 0);
		assert_true(isnan(normal) || fabs(normal - 100) < 3);
		assert_true(step >= 30 || at(&e, step) > 2.3);
		assert_true(step < 32 || step >= 90 || fabs(at(&e, step) - 3) < 0.1);
	}
}

/* More than is stated is more at once, also of an event that was to bring less. */
static void more_than_stated_is_taken_at_once(void **state)
{
	static const double stated[] = {3, 0.2};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(stated); i++) {
		struct events e = {};

		assert_int_equal(events_add(&e, 1, 10, 110, stated[i]), 0);
		for (int64_t step = 10; step < 15; step++)
			(void)events_observe(&e, step, 600, 100, SD, 0);
		assert_near(at(&e, 15), 6, 0.1);
		assert_near(at(&e, 109), 6, 0.1);
		assert_false(events_doubted(&e, 15)); /* it is forecast as it is */
	}
}

/* Said anew as it was, what was measured goes on; with another multiplier it starts over. */
static void what_is_stated_anew_starts_over(void **state)
{
	struct events e = {};

	(void)state;
	assert_int_equal(events_add(&e, 1, 10, 110, 3), 0);
	for (int64_t step = 10; step < 60; step++)
		(void)events_observe(&e, step, 100, 100, SD, 0);
	assert_int_equal(events_add(&e, 1, 10, 110, 3), 0);
	assert_near(at(&e, 60), sqrt(3), 0.02);
	assert_int_equal(events_add(&e, 1, 10, 110, 2), 0);
	assert_near(at(&e, 60), 2, 0);
}

static void full_list_says_so_until_one_is_over(void **state)
{
	struct events e = {};

	(void)state;
	for (uint32_t i = 0; i < EVENTS_MAX; i++)
		assert_int_equal(events_add(&e, i, 10 + i, 12 + i, NAN), 0);
	assert_int_equal(events_add(&e, 99, 50, 60, NAN), -ENOSPC);
	for (int64_t step = 10; step < 14; step++) /* the first is felt until 13 */
		(void)events_observe(&e, step, 100, 100, SD, 0);
	assert_int_equal(events_add(&e, 99, 50, 60, NAN), 0);
	assert_int_equal(e.n, EVENTS_MAX);
	events_clear(&e, 14); /* they may be added again */
	assert_int_equal(events_add(&e, 99, 50, 60, NAN), 0);
	assert_int_equal(e.n, EVENTS_MAX);
	for (int64_t step = 14; step < 80; step++)
		(void)events_observe(&e, step, 100, 100, SD, 0);
	assert_int_equal(e.n, 0);
}

/* Told all anew while what was is still felt: calendars are read again every hour. */
static void clearing_leaves_what_comes_after_an_event(void **state)
{
	const double during[] = {3, 3, 3, 3}, after[] = {2, 2, 2, 2};
	struct events e = {};

	(void)state;
	for (int64_t k = 0; k < 4; k++) {
		int64_t start = 10 + 20 * k;

		assert_int_equal(events_add(&e, 1, start, start + 4, NAN), 0);
		feed(&e, start, during, 2);
		events_clear(&e, start + 2);
		assert_near(at(&e, start + 2), 1, 0);
		assert_int_equal(events_add(&e, 1, start, start + 4, NAN), 0);
		feed(&e, start + 2, during, 2);
		events_clear(&e, start + 4);
		feed(&e, start + 4, after, 4);
	}
	assert_int_equal(events_add(&e, 1, 110, 114, NAN), 0);
	assert_near(at(&e, 111), 3, 0.3);
	assert_near(at(&e, 115), 2, 0.2);
}

/* The least recent of more ids than are kept makes room. */
static void effects_of_many_ids_stay_bounded(void **state)
{
	static const double high[] = {3};
	struct events e = {};

	(void)state;
	for (uint32_t i = 0; i <= EFFECTS_MAX; i++) {
		assert_int_equal(events_add(&e, i, 10 * i, 10 * i + 1, NAN), 0);
		feed(&e, 10 * i, high, 1);
		for (int64_t k = 1; k < 4; k++)
			(void)events_observe(&e, 10 * i + k, 100, 100, SD, 0);
	}
	assert_null(events_effect(&e, 0));
	assert_non_null(events_effect(&e, 1));
	assert_non_null(events_effect(&e, EFFECTS_MAX));
	assert_true(sizeof(e) <= 2048);
}

/* A weekly event of 12 hours: its ramp is known the second time, and the season stays what it is.
 */
/*
 * All places are taken, the least recent by id 0. It comes back while a new one begins too: what is
 * known of id 0 stays, and the new one takes the place of id 1.
 */
static void an_effect_that_is_felt_is_not_forgotten(void **state)
{
	struct events e = {};
	int64_t at = 0;
	int known;

	(void)state;
	for (uint32_t id = 0; id < EFFECTS_MAX; id++, at += 20) {
		assert_int_equal(events_add(&e, id, at, at + 4, NAN), 0);
		for (int64_t t = at - 2; t < at + 12; t++)
			(void)events_observe(&e, t, t >= at && t < at + 4 ? 300 : 100, 100, 0.05,
					     1);
	}
	known = events_effect(&e, 0)->parts[EVENT_BEFORE].x;
	assert_true(known > 0);
	assert_int_equal(events_add(&e, 99, at, at + 4, NAN), 0);
	assert_int_equal(events_add(&e, 0, at, at + 4, NAN), 0);
	(void)events_observe(&e, at, 300, 100, 0.05, 1);
	assert_non_null(events_effect(&e, 99));
	assert_non_null(events_effect(&e, 0));
	assert_int_equal(events_effect(&e, 0)->n, 2);
	assert_int_equal(events_effect(&e, 99)->n, 1);
	assert_null(events_effect(&e, 1));
}

static void series_knows_the_shape_again(void **state)
{
	static const double factor[] = {1.5, 1.5, 1.5, 3, 3, 3, 3, 4, 4, 4,
					4,   3,   3,   3, 3, 2, 2, 2, 2};
	struct series *s = input_series(30, 100);
	struct series_effect learned;
	struct forecast f;
	uint64_t seed = 3;

	(void)state;
	assert_int_equal(series_event_effect(s, 9, &learned), -ENOENT);
	for (int t = 0; t < 600; t++) {
		int k = t < 303 ? t - 197 : t - 497;
		bool felt = k >= 0 && k < (int)ARRAY_SIZE(factor);

		if (t == 180 || t == 480)
			assert_int_equal(series_event(s, 9, 20, 12, NAN), 0);
		if (t == 490) {
			for (unsigned int i = 11; i < 23; i++) { /* its 12 hours */
				series_predict(s, i, &f);
				assert_true(fabs(log(f.q[Q50] / (100 * factor[i - 8]))) < 0.3);
			}
			series_predict(s, 10, &f); /* the last of the ramp */
			assert_true(f.q[Q50] > 120);
		}
		input_feed(s, 100 * (felt ? factor[k] : 1) * (1 + 0.03 * input_normal(&seed)));
		if (t == 250 || t == 550) {
			series_predict(s, 1, &f);
			assert_true(f.q[Q50] > 90 && f.q[Q50] < 110);
		}
	}
	assert_int_equal(series_event_effect(s, 9, &learned), 0);
	assert_int_equal(learned.n, 2);
	assert_true(learned.during > 2.7 && learned.during < 3.7);
	assert_true(learned.before > 1.1 && learned.before < 1.6);
	assert_true(learned.after > 1.1 && learned.after < 2);
	series_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_surprise_is_split_by_variance),
		cmocka_unit_test(a_known_event_leaves_the_normal_part),
		cmocka_unit_test(shape_is_learned_by_position),
		cmocka_unit_test(shape_stretches_with_the_length),
		cmocka_unit_test(an_effect_that_proved_wrong_fades),
		cmocka_unit_test(noisy_values_teach_less),
		cmocka_unit_test(neighbours_are_two_and_copies_one),
		cmocka_unit_test(stated_events_are_flat_and_teach_nothing),
		cmocka_unit_test(a_stated_event_that_stays_away_is_given_up_slowly),
		cmocka_unit_test(a_stated_event_may_come_late),
		cmocka_unit_test(more_than_stated_is_taken_at_once),
		cmocka_unit_test(what_is_stated_anew_starts_over),
		cmocka_unit_test(full_list_says_so_until_one_is_over),
		cmocka_unit_test(clearing_leaves_what_comes_after_an_event),
		cmocka_unit_test(effects_of_many_ids_stay_bounded),
		cmocka_unit_test(an_effect_that_is_felt_is_not_forgotten),
		cmocka_unit_test(series_knows_the_shape_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
