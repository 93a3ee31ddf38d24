// SPDX-License-Identifier: GPL-2.0-or-later
/* test_waiting.c - what models said of a step is still known when its value comes. */
#include "forecast/series_state.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

static void answers_are_kept_to_a_256th_and_sides_to_3_percent(void **state)
{
	const struct answer said[] = {{0, {7.1f, 0.2f, 0.2f}},
				      {4, {5.93f, 0.2f, 0.2f}},
				      {5, {6.4f, 0.05f, 1.7f}},
				      {15, {6.0f, 0.31f, 0.2f}}};
	struct waiting_step w = {.x = 6, .lo = 0.1f, .hi = 0.2f};
	struct answer kept[SERIES_ASKED];

	(void)state;
	waiting_begin(&w, 12, 0.2f, said, 4);
	assert_int_equal(waiting_answers(&w, kept), 4);
	for (int i = 0; i < 4; i++) {
		const struct guess *g = &said[i].guess, *k = &kept[i].guess;

		assert_int_equal(kept[i].model, said[i].model);
		assert_true(fabsf(k->x - g->x) < 0.2f / 256);
		assert_true(fabsf(k->lo - g->lo) <= 0.032f * g->lo);
		assert_true(fabsf(k->hi - g->hi) <= 0.032f * g->hi);
	}
	assert_true(kept[0].guess.lo == 0.2f && kept[1].guess.hi == 0.2f);
}

static void one_more_with_sides_of_its_own_has_the_usual_ones(void **state)
{
	struct waiting_step w = {.x = 6};
	struct answer said[SERIES_SIDES + 1], kept[SERIES_ASKED];

	(void)state;
	for (size_t i = 0; i <= SERIES_SIDES; i++)
		said[i] = (struct answer){i, {6, 1, 2}};
	waiting_begin(&w, 12, 0.25f, said, SERIES_SIDES + 1);
	assert_int_equal(waiting_answers(&w, kept), SERIES_SIDES + 1);
	assert_true(kept[SERIES_SIDES - 1].guess.hi == 2);
	assert_true(kept[SERIES_SIDES].guess.hi == 0.25f);
}

/* All of the table, over what may make them have a view: their number must fit. */
static void no_more_models_than_are_kept_have_sides(void **state)
{
	struct series *s = input_series(8, 24);
	bool own[SERIES_MODELS] = {};
	uint64_t seed = 1;
	int n = 1; /* the network has, when it has weights */

	(void)state;
	for (int t = 0; t < 600; t++) {
		input_feed(s, 100 * (2 + sin(2 * M_PI * t / 24)) + 5 * input_normal(&seed));
		for (size_t m = 0; m < SERIES_MODELS; m++) {
			struct guess g;

			forecast_models[m]->predict(series_model(s, m), series_past(s), 3, &g);
			own[m] |= !isnan(g.lo) || !isnan(g.hi);
		}
	}
	for (size_t m = 0; m < SERIES_MODELS; m++)
		n += own[m];
	assert_true(n <= SERIES_SIDES);
	series_free(s);
}

static void it_is_due_at_its_step_alone(void **state)
{
	const uint64_t far = (UINT64_C(5) << 31) + 7;
	struct waiting_step w = {.x = 6};

	(void)state;
	assert_false(waiting_is_due(&w, 0));
	assert_false(waiting_is_due(&w, UINT64_C(1) << 31));
	waiting_begin(&w, far, 0.25f, NULL, 0);
	assert_true(waiting_is_due(&w, far));
	assert_false(waiting_is_due(&w, far - 1));
	assert_false(waiting_is_due(&w, far + 1));
}

/* With an offset of 0.1 instead of nothing log 1 is log 1.1; sizes are by a tenth less there. */
static void another_scale_takes_the_answers_along(void **state)
{
	const struct answer said[] = {{3, {0.01f, 0.02f, 0.02f}}};
	struct waiting_step w = {.x = 0, .lo = 0.01f, .hi = 0.01f};
	struct answer kept[SERIES_ASKED];

	(void)state;
	waiting_begin(&w, 12, 0.02f, said, 1);
	waiting_shift(&w, 0, 0.1);
	(void)waiting_answers(&w, kept);
	assert_true(fabs(w.x - log(1.1)) < 1e-6);
	assert_true(fabs(kept[0].guess.x - log(1.1) - 0.01 / 1.1) < 2e-4);
	assert_true(fabs(kept[0].guess.lo - 0.02 / 1.1) < 2e-4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_kept_to_a_256th_and_sides_to_3_percent),
		cmocka_unit_test(one_more_with_sides_of_its_own_has_the_usual_ones),
		cmocka_unit_test(no_more_models_than_are_kept_have_sides),
		cmocka_unit_test(it_is_due_at_its_step_alone),
		cmocka_unit_test(another_scale_takes_the_answers_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
