// SPDX-License-Identifier: GPL-2.0-or-later
/* test_lead.c - a service is planned for as far ahead as it takes to be warm, unless told. */
#include "tests/check.h"
#include "tests/shaping/world.h"

#define COST_US 2000

static struct world w;
static uint64_t seed;

static double draw(void)
{
	return (double)(world_random(&seed) % 1000) / 1000;
}

static void start(uint64_t lead_ns)
{
	world_init(&w, 4000);
	seed = 7;
	world_add(&w, "shop", TIER_GOLD)->forecast.lead_ns = lead_ns;
	w.seen[0].missing = 0;
}

/* @rate requests a second, a fifth more or less, at @times their cost. */
static void serve(int seconds, double rate, double times)
{
	for (int i = 0; i < seconds; i++) {
		double n = floor(rate * (0.8 + 0.4 * draw()));

		w.seen[0].missing = 0;
		w.apis[0][0] = (struct tick_api){.requests = (uint64_t)n, .finished = (uint64_t)n};
		w.wants_mcpu[0] = 20 + n * COST_US / 1000 * times;
		world_step(&w);
	}
}

static void stop(void)
{
	w.seen[0].missing = MISSING_ALL | MISSING_CPU | MISSING_APIS | MISSING_MEMORY;
	w.wants_mcpu[0] = 0;
	for (int i = 0; i < 3; i++)
		world_step(&w);
}

static uint64_t lead_s(void)
{
	return controller_lead_ns(w.controller, 0) / NS_PER_S;
}

/* Twice the cost for 80 s after each start: the second time it is planned for 90 s ahead. */
static void the_lead_is_as_long_as_a_start_takes(void **state)
{
	struct lead_report r;

	start(POLICY_AUTO);
	serve(300, 100, 1);
	assert_int_equal(lead_s(), 30);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(lead_s(), 30);
		stop();
		serve(80, 100, 2);
		serve(60, 100, 1);
	}
	assert_int_equal(lead_s(), 90);
	assert_int_equal(controller_lead(w.controller, 0, &r), 0);
	assert_true(r.is_auto && r.lead_ns == 90 * NS_PER_S);
	assert_int_equal(r.learned[WARMUP_START].seen, 2);
	assert_true(fabs(r.learned[WARMUP_START].seconds - 80) <= 5);
	/* A demand that is read over 90 s from now on is finite and goes on. */
	serve(120, 100, 1);
	assert_true(forecast_at(&w.plan->services[0].demand_mcpu, 0.5) > 150);
	world_free(&w);
}

static void a_lead_that_is_told_stays(void **state)
{
	struct lead_report r;

	start(20 * NS_PER_S);
	serve(300, 100, 1);
	for (int i = 0; i < 3; i++) {
		stop();
		serve(80, 100, 2);
		serve(60, 100, 1);
	}
	assert_int_equal(lead_s(), 20);
	assert_int_equal(controller_lead(w.controller, 0, &r), 0);
	assert_true(!r.is_auto && r.learned[WARMUP_START].seconds >= 75);
	world_free(&w);
}

/* No longer than the longest forecast there is, and no longer than 5 min. */
static void a_lead_is_bounded(void **state)
{
	start(POLICY_AUTO);
	w.set.host.horizons_ns[0] = 60 * NS_PER_S;
	w.set.host.n_horizons = 1;
	serve(1200, 100, 1);
	for (int i = 0; i < 2; i++) {
		stop();
		serve(270, 100, 3);
		serve(60, 100, 1);
	}
	assert_int_equal(lead_s(), 60);
	w.set.host.horizons_ns[0] = 86400 * NS_PER_S;
	serve(1, 100, 1);
	assert_int_equal(lead_s(), 300);
	world_free(&w);
}

static void it_outlives_restarts_and_reloads(void **state)
{
	struct controller *next = NULL;
	size_t size;
	void *buf;

	start(POLICY_AUTO);
	serve(300, 100, 1);
	for (int i = 0; i < 2; i++) {
		stop();
		serve(80, 100, 2);
		serve(60, 100, 1);
	}
	size = controller_save_size(w.controller);
	buf = malloc(size);
	assert_non_null(buf);
	assert_int_equal(controller_save(w.controller, buf, size), size);
	assert_int_equal(controller_reload(w.controller, &w.set, &w.facts, &next), 0);
	controller_free(w.controller);
	w.controller = next;
	assert_int_equal(lead_s(), 90);
	world_free(&w);
	w.controller = world_controller(&w);
	assert_int_equal(lead_s(), 30);
	assert_int_equal(controller_load(w.controller, buf, size), 0);
	assert_int_equal(lead_s(), 90);
	free(buf);
	serve(10, 100, 1);
	assert_int_equal(lead_s(), 90);
	world_free(&w);
}

/*
 * Two hours of a load that jumps up to 5 times and falls again at any time, at costs that scatter
 * by a fifth and are half as much again at the highest load: none of it is a warm-up.
 */
static void loads_that_jump_are_no_warm_up(void **state)
{
	double rate = 100;

	start(POLICY_AUTO);
	for (int t = 0; t < 7200;) {
		int seconds = 5 + (int)(60 * draw());

		rate = draw() < 0.3 ? 100 + 400 * draw() : 100;
		for (int i = 0; i < seconds; i++)
			serve(1, rate, (rate > 400 ? 1.5 : 1) * (0.8 + 0.4 * draw()));
		t += seconds;
		assert_int_equal(lead_s(), 30);
	}
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lead_is_as_long_as_a_start_takes),
		cmocka_unit_test(a_lead_that_is_told_stays),
		cmocka_unit_test(a_lead_is_bounded),
		cmocka_unit_test(it_outlives_restarts_and_reloads),
		cmocka_unit_test(loads_that_jump_are_no_warm_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
