// SPDX-License-Identifier: GPL-2.0-or-later
/* test_curve.c - an objective's budget over utilisation: how high it goes, and what it gives up. */
#include "tests/check.h"
#include "shaping/curve.h"
#include "tests/shaping/world.h"

#define UNIT 100.0 /* of an objective of 99 % */

/* Runs @ticks in which 1 % and more are late above @edge; returns the share of late answers. */
static double climb(struct curve *c, double *u, double edge, int ticks, double answers)
{
	double late = 0;

	for (int t = 0; t < ticks; t++) {
		double missed = *u > edge ? 0.05 * answers : 0;

		curve_observe(c, *u, answers, missed * UNIT, 1);
		late += missed;
		*u = curve_target(c, *u, UNIT, 1);
	}
	return late / (ticks * answers);
}

/* From 0.7, a hundredth a second: 1.1 is reached within a minute and left as soon as it is too
 * much. */
static void it_goes_to_the_edge_and_stays_below(void **state)
{
	struct curve c = {};
	double u = 0.7, late;

	(void)state;
	late = climb(&c, &u, 1.12, 120, 500);
	assert_true(u > 1.0 && u <= 1.12);
	assert_true(late < 0.01);
	late = climb(&c, &u, 1.12, 600, 500);
	assert_true(u > 1.0 && u <= 1.12);
	assert_true(late < 0.0005); /* it may be tried once more */
}

static void it_leaves_what_has_become_too_much(void **state)
{
	struct curve c = {};
	double u = 0.7;

	(void)state;
	(void)climb(&c, &u, 1.12, 300, 500);
	(void)climb(&c, &u, 0.82, 60, 500);
	assert_true(u <= 0.82);
	assert_true(u > 0.7);
}

/* A minute in which all is late, for some other cause, is not held against the limit for ever. */
static void what_was_too_much_is_tried_again(void **state)
{
	struct curve c = {};
	double u = 0.7;

	(void)state;
	(void)climb(&c, &u, 1.12, 600, 500);
	(void)climb(&c, &u, 0, 60, 500);
	assert_true(u < 0.5);
	(void)climb(&c, &u, 1.12, 1500, 500);
	assert_true(u > 1.0 && u <= 1.12);
}

/*
 * With one late answer more the budget has to stay below 0.3 of 1 %: some 333 answers say that, and
 * 200 do not.
 */
static void it_goes_up_on_evidence_alone(void **state)
{
	struct curve few = {}, enough = {};

	(void)state;
	curve_observe(&few, 0.72, 200, 0, 1);
	assert_float_equal(curve_target(&few, 0.72, UNIT, 1), 0.72, 1e-9);
	curve_observe(&enough, 0.72, 340, 0, 1);
	assert_float_equal(curve_target(&enough, 0.72, UNIT, 1), 0.73, 1e-9);
	curve_observe(&enough, 0.72, 0, 0, 1);
	assert_float_equal(curve_target(&enough, 0.72, UNIT, 1), 0.73, 1e-9);
}

/* What waited in a full second is late in the next one, when the limit is higher already. */
static void late_answers_count_where_they_waited(void **state)
{
	struct curve c = {};

	(void)state;
	curve_observe(&c, 0.62, 1000, 0, 1);
	curve_observe(&c, 1.32, 1000, 0, 1);
	curve_observe(&c, 0.62, 1000, 100 * UNIT, 1);
	assert_true(curve_target(&c, 1.3, UNIT, 1) < 1.3);
	assert_true(curve_target(&c, 0.62, UNIT, 1) > 0.62);
}

static void it_is_kept_while_less_than_half_the_budget_burns(void **state)
{
	struct curve c = {};

	(void)state;
	assert_false(curve_keeps(&c));
	curve_observe(&c, NAN, 19, 0, 1);
	assert_false(curve_keeps(&c));
	curve_observe(&c, NAN, 1000, 4 * UNIT, 1); /* 0.4 of the budget */
	assert_true(curve_keeps(&c));
	curve_observe(&c, NAN, 1000, 10 * UNIT, 1); /* 0.7 */
	assert_false(curve_keeps(&c));
	for (int t = 0; t < 120; t++)
		curve_observe(&c, NAN, 1000, 0, 1);
	assert_true(curve_keeps(&c));
}

static struct world w;

static void start(enum cpu_mode mode, bool objective)
{
	struct policy_service *s;

	world_init(&w, 4000);
	s = world_add(&w, "shop", TIER_GOLD);
	s->cpu.mode = mode;
	s->slo = (struct policy_slo){
		.set = objective, .objective = 0.99, .latency_us = 100000, .window_s = 300};
	w.seen[0].missing = 0;
}

/*
 * A second of 200 requests of 3 ms, by chance 10 % more or less. What a second could not serve is
 * served first in the next one and is late, and so is what waits for that.
 */
static double second(double *backlog_mcpu, uint64_t *seed)
{
	double want = 600 * (0.9 + 0.2 * world_unit(seed)) + *backlog_mcpu;
	double late;

	w.wants_mcpu[0] = want;
	*backlog_mcpu = fmax(0, want - (double)w.seen[0].knob[KNOB_CPU_MAX]);
	late = fmin(200, *backlog_mcpu / 3);
	w.apis[0][0] = (struct tick_api){.requests = 200,
					 .finished = 200,
					 .slo_total = 200,
					 .slo_good = (uint64_t)(200 - late)};
	world_step(&w);
	return late;
}

static void an_objective_finds_the_tight_limit_that_keeps_it(void **state)
{
	double mean[2];

	(void)state;
	for (int k = 0; k < 2; k++) {
		double backlog = 0, late = 0, sum = 0;
		uint64_t seed = 5;

		start(CPU_CAP, k == 1);
		for (int t = 0; t < 1200; t++) {
			double now = second(&backlog, &seed);

			late += t >= 600 ? now : 0;
			sum += t >= 600 ? (double)w.seen[0].knob[KNOB_CPU_MAX] : 0;
		}
		mean[k] = sum / 600;
		assert_true(late / (600 * 200) < 0.01);
		world_free(&w);
	}
	assert_true(mean[1] > 600);
	assert_true(mean[1] < 0.9 * mean[0]);
}

/* A quantile below the median is read as it is; state with a level above it would not be taken
 * back. */
static void a_low_quantile_is_kept_over_a_restart(void **state)
{
	struct controller *other;
	double backlog = 0, learned;
	uint64_t seed = 5;
	size_t size;
	void *buf;

	(void)state;
	start(CPU_CAP, true);
	w.services[0].forecast.quantile = 0.3;
	for (int t = 0; t < 120; t++)
		(void)second(&backlog, &seed);
	learned = controller_utilisation(w.controller, 0);
	size = controller_save_size(w.controller);
	buf = malloc(size);
	assert_int_equal(controller_save(w.controller, buf, size), size);
	other = world_controller(&w);
	assert_true(controller_utilisation(other, 0) != learned);
	assert_int_equal(controller_load(other, buf, size), 0);
	assert_float_equal(controller_utilisation(other, 0), learned, 0);
	controller_free(other);
	free(buf);
	world_free(&w);
}

/* Without the objective the demand counts at the tier's quantile again, at once. */
static void an_objective_that_goes_takes_its_level_along(void **state)
{
	static struct policy_service changed;
	struct policy_set set;
	struct controller *c = NULL;
	double backlog = 0, quantile = NAN;
	uint64_t seed = 5;
	const struct plan_entry *e;

	(void)state;
	start(CPU_CAP, true);
	for (int t = 0; t < 120; t++)
		(void)second(&backlog, &seed);
	changed = w.services[0];
	changed.slo.set = false;
	set = w.set;
	set.services = &changed;
	assert_int_equal(controller_reload(w.controller, &set, &w.facts, &c), 0);
	controller_free(w.controller);
	w.controller = c;
	(void)second(&backlog, &seed);
	e = world_entry(&w, 0, KNOB_CPU_MAX);
	for (size_t i = 0; i < e->n_inputs; i++)
		if (streq(e->inputs[i].name, "quantile"))
			quantile = e->inputs[i].value;
	assert_float_equal(quantile, 0.99, 0.02);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_goes_to_the_edge_and_stays_below),
		cmocka_unit_test(it_leaves_what_has_become_too_much),
		cmocka_unit_test(what_was_too_much_is_tried_again),
		cmocka_unit_test(it_goes_up_on_evidence_alone),
		cmocka_unit_test(late_answers_count_where_they_waited),
		cmocka_unit_test(it_is_kept_while_less_than_half_the_budget_burns),
		cmocka_unit_test(an_objective_finds_the_tight_limit_that_keeps_it),
		cmocka_unit_test(a_low_quantile_is_kept_over_a_restart),
		cmocka_unit_test(an_objective_that_goes_takes_its_level_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
