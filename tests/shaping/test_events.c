// SPDX-License-Identifier: GPL-2.0-or-later
/* test_events.c - an event that was removed or edited is gone from the forecasts, over reloads and
 * restarts too. */
#include <stdio.h>

#include "tests/check.h"
#include "tests/shaping/world.h"

#define REAL_NS UINT64_C(1700000000000000000) /* of the world's clock at 0 */
#define USE     300.0

static struct world w;
static struct policy_event sale;

static void run(double mcpu, int ticks)
{
	for (int t = 0; t < ticks; t++) {
		w.wants_mcpu[0] = mcpu;
		world_step(&w);
	}
}

static int64_t in_s(uint64_t s)
{
	return (int64_t)(REAL_NS + w.now_ns + s * NS_PER_S);
}

static void start(void)
{
	world_init(&w, 4000);
	world_add(&w, "shop", TIER_GOLD);
	run(USE, 60);
}

/* Makes the policy name an event that begins in @s seconds; 0: none. */
static void set_policy(uint64_t s, double multiplier)
{
	sale = (struct policy_event){
		.name = "sale", .starts_real_ns = in_s(s), .lasts_ns = 20 * NS_PER_S};
	sale.multiplier = multiplier;
	w.services[0].events = &sale;
	w.services[0].n_events = s > 0;
}

static void reload(void)
{
	struct controller *c = NULL;

	assert_int_equal(controller_reload(w.controller, &w.set, &w.facts, &c), 0);
	controller_free(w.controller);
	w.controller = c;
}

static void restart(void)
{
	size_t size = controller_save_size(w.controller);
	void *bytes = malloc(size);

	assert_int_equal(controller_save(w.controller, bytes, size), size);
	controller_free(w.controller);
	w.controller = world_controller(&w);
	assert_int_equal(controller_load(w.controller, bytes, size), 0);
	free(bytes);
}

/* The median of the CPU, or of requests of @api, @s seconds ahead. */
static double ahead_of(int api, unsigned int s)
{
	struct forecast_point points[30];
	struct series_report report;

	assert_int_equal(
		controller_forecast(w.controller, 0, api, 30 * NS_PER_S, points, 30, &report), 30);
	return points[s - 1].f.q[Q50];
}

static double ahead(unsigned int s)
{
	return ahead_of(-1, s);
}

static void add(void)
{
	assert_int_equal(controller_event(w.controller, 0, "sale", in_s(10), 20 * NS_PER_S, 3), 0);
	run(USE, 1);
	assert_true(ahead(15) > 2.5 * USE);
}

static void a_removed_event_leaves_the_forecast(void **state)
{
	start();
	add();
	controller_event_clear(w.controller);
	run(USE, 1);
	assert_true(ahead(15) < 1.2 * USE);
	world_free(&w);
}

static void an_event_of_nobody_does_not_outlive_a_reload(void **state)
{
	start();
	add();
	reload();
	run(USE, 1);
	assert_true(ahead(15) < 1.2 * USE);
	add();
	restart();
	run(USE, 1);
	assert_true(ahead(15) < 1.2 * USE);
	world_free(&w);
}

static void an_edited_event_is_taken(void **state)
{
	start();
	set_policy(10, 3);
	reload();
	run(USE, 1);
	assert_true(ahead(15) > 2.5 * USE);
	sale.multiplier = 2;
	reload();
	run(USE, 1);
	assert_in_range(ahead(15), 1.6 * USE, 2.4 * USE);
	set_policy(20, 3);
	restart();
	run(USE, 1);
	assert_true(ahead(12) < 1.2 * USE);
	assert_true(ahead(25) > 2.5 * USE);
	set_policy(0, NAN);
	reload();
	run(USE, 1);
	assert_true(ahead(25) < 1.2 * USE);
	world_free(&w);
}

/* What happens in it is no news for normal times, and its effect is measured on. */
static void a_running_event_survives_reloads(void **state)
{
	start();
	set_policy(1, NAN);
	reload();
	run(USE, 1);
	run(3 * USE, 8);
	assert_true(ahead(1) > 2 * USE);
	for (int i = 0; i < 5; i++) {
		reload();
		run(3 * USE, 1);
		assert_true(ahead(1) > 2.5 * USE);
		assert_true(ahead(20) < 1.2 * USE);
	}
	world_free(&w);
}

/* More than a series holds, in no order: each is known when its time comes. */
static void the_next_of_many_events_are_known(void **state)
{
	enum { MANY = 40, EVERY_S = 20 };
	static struct policy_event many[MANY];

	start();
	for (int i = 0; i < MANY; i++) {
		int k = i * 7 % MANY;

		many[i] = (struct policy_event){.starts_real_ns =
							in_s((uint64_t)(k + 1) * EVERY_S - 5),
						.lasts_ns = 5 * NS_PER_S,
						.multiplier = 3};
		(void)snprintf(many[i].name, sizeof(many[i].name), "e%d", k);
	}
	w.services[0].events = many;
	w.services[0].n_events = MANY;
	reload();
	for (int k = 0; k < MANY; k++) {
		run(USE, EVERY_S - 10);
		assert_true(ahead(8) > 2.5 * USE); /* it starts 5 s from now */
		run(USE, 5);
		run(3 * USE, 5);
	}
	w.services[0].n_events = 0;
	world_free(&w);
}

/* People add one that comes before all that the series were told of. */
static void a_late_event_comes_before_those_known(void **state)
{
	static struct policy_event many[16];
	struct controller *c;
	struct forecast_point p[30];
	struct series_report report;

	(void)state;
	start();
	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = (struct policy_event){.starts_real_ns = in_s(3600 * (i + 1)),
						.lasts_ns = 600 * NS_PER_S,
						.multiplier = 3};
		(void)snprintf(many[i].name, sizeof(many[i].name), "e%zu", i);
	}
	w.services[0].events = many;
	w.services[0].n_events = ARRAY_SIZE(many);
	assert_int_equal(controller_reload(w.controller, &w.set, &w.facts, &c), 0);
	controller_free(w.controller);
	w.controller = c;
	run(USE, 1);
	assert_int_equal(controller_event(c, 0, "sale", in_s(10), 20 * NS_PER_S, 3), 0);
	run(USE, 1);
	(void)controller_forecast(c, 0, -1, 30 * NS_PER_S, p, ARRAY_SIZE(p), &report);
	assert_float_equal(p[14].f.q[Q50], 3 * USE, 0.2 * USE);
	world_free(&w);
}

/* It is told when it comes and not, by the steps the API was not there for, too late. */
static void an_api_that_begins_hears_of_events(void **state)
{
	start();
	w.services[0].n_apis = 1;
	(void)copy_str(w.routes[0][0].route, sizeof(w.routes[0][0].route), "/late");
	w.seen[0].missing = 0;
	set_policy(80, 3);
	reload();
	run(USE, 40);
	w.apis[0][0].requests = w.apis[0][0].finished = 50;
	run(USE, 30); /* it begins 10 s from now */
	assert_float_equal(ahead_of(0, 8), 50, 10);
	assert_float_equal(ahead_of(0, 15), 150, 30);
	world_free(&w);
}

/* What @many brief events and a long one, of three times the load, make of 20 minutes' time. */
static double after_a_crowd(size_t many)
{
	static struct policy_event list[17];
	struct forecast_point p[30];
	struct series_report report;

	start();
	for (size_t i = 0; i < many; i++) {
		list[i] = (struct policy_event){.starts_real_ns = in_s(10 * i + 5),
						.lasts_ns = 5 * NS_PER_S,
						.multiplier = NAN};
		(void)snprintf(list[i].name, sizeof(list[i].name), "brief%zu", i);
	}
	list[many] = (struct policy_event){.name = "long",
					   .starts_real_ns = in_s(1200),
					   .lasts_ns = 1200 * NS_PER_S,
					   .multiplier = 3};
	w.services[0].events = list;
	w.services[0].n_events = many + 1;
	reload();
	run(USE, 600);
	assert_int_equal(controller_forecast(w.controller, 0, -1, 1800 * NS_PER_S, p, 30, &report),
			 30);
	world_free(&w);
	return p[19].f.q[Q50];
}

/* Steps of a minute feel a brief event for minutes, and 16 take all the room that there is. */
static void an_event_there_was_no_room_for_is_told_later(void **state)
{
	(void)state;
	assert_float_equal(after_a_crowd(0), 3 * USE, 0.2 * USE);
	assert_float_equal(after_a_crowd(16), 3 * USE, 0.2 * USE);
}

/* As run, give or take 15 %. */
static void run_noisy(int ticks, uint64_t *seed)
{
	for (int t = 0; t < ticks; t++)
		run(USE * (0.85 + 0.3 * world_unit(seed)), 1);
}

/*
 * Half of an event that does not come has passed: it is planned for to the power of 1/2, 1.73
 * times the usual peak, and nothing is learned from that being too much. Once it is over, what is
 * planned for is what is used.
 */
static void an_event_that_stays_away_leaves_the_plan(void **state)
{
	uint64_t seed = 7;
	double usual;

	start();
	run_noisy(300, &seed);
	usual = w.plan->services[0].demand_mcpu.q[Q50];
	assert_true(usual > USE && usual < 1.15 * USE);
	set_policy(10, 3);
	sale.lasts_ns = 600 * NS_PER_S;
	reload();
	run_noisy(20, &seed);
	assert_true(ahead(20) > 2.5 * USE);
	run_noisy(290, &seed);
	assert_float_equal(w.plan->services[0].demand_mcpu.q[Q50], 1.73 * usual, 0.15 * usual);
	assert_true(w.plan->services[0].planned_mcpu > 1.6 * usual);
	run_noisy(300, &seed);
	for (int t = 0; t < 20; t++) {
		run_noisy(1, &seed);
		assert_float_equal(ahead(1), USE, 0.15 * USE);
		assert_true(w.plan->services[0].demand_mcpu.q[Q50] > 0.9 * usual);
	}
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_removed_event_leaves_the_forecast),
		cmocka_unit_test(an_event_of_nobody_does_not_outlive_a_reload),
		cmocka_unit_test(an_edited_event_is_taken),
		cmocka_unit_test(a_running_event_survives_reloads),
		cmocka_unit_test(the_next_of_many_events_are_known),
		cmocka_unit_test(a_late_event_comes_before_those_known),
		cmocka_unit_test(an_event_that_stays_away_leaves_the_plan),
		cmocka_unit_test(an_api_that_begins_hears_of_events),
		cmocka_unit_test(an_event_there_was_no_room_for_is_told_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
