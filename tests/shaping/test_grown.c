// SPDX-License-Identifier: GPL-2.0-or-later
/* test_grown.c - a host that grows past 32 services: some first steps are longer, all else stays.
 */
#include "shaping/state.h"
#include "tests/check.h"
#include "tests/shaping/world.h"

#define GROWN 33
#define HOUR  (3600 * NS_PER_S)

static struct world w;
static struct policy_service grown[GROWN];

static uint64_t measured(const struct controller *c, uint64_t horizon_ns, uint64_t *step_ns)
{
	struct forecast_past past;
	double values[4];

	assert_true(controller_past(c, 0, 1, horizon_ns, values, ARRAY_SIZE(values), &past) >= 0);
	*step_ns = past.step_ns;
	return past.measured;
}

static void minutes_of_an_api_go_on(void **state)
{
	struct policy_set set;
	struct controller *c = NULL;
	uint64_t step_ns;

	(void)state;
	world_init(&w, 4000);
	world_add(&w, "shop", TIER_GOLD)->n_apis = 2;
	(void)copy_str(w.routes[0][0].route, sizeof(w.routes[0][0].route), "/a");
	(void)copy_str(w.routes[0][1].route, sizeof(w.routes[0][1].route), "/b");
	w.seen[0].missing = 0;
	w.wants_mcpu[0] = 300;
	for (int t = 0; t < 200; t++) {
		for (int k = 0; k < 2; k++)
			w.apis[0][k] = (struct tick_api){.requests = 10, .finished = 10};
		world_step(&w);
	}
	assert_int_equal(measured(w.controller, HOUR, &step_ns), 3);
	assert_int_equal(w.controller->services[0].tx.step_ns[0], NS_PER_S);
	for (size_t i = 0; i < GROWN; i++) {
		grown[i] = w.services[0];
		(void)snprintf(grown[i].name, sizeof(grown[i].name), i ? "other-%zu" : "shop", i);
	}
	set = w.set;
	set.services = grown;
	set.n_services = GROWN;
	assert_int_equal(controller_reload(w.controller, &set, &w.facts, &c), 0);
	(void)measured(c, NS_PER_S, &step_ns);
	assert_int_equal(step_ns, 5 * NS_PER_S);
	assert_int_equal(measured(c, HOUR, &step_ns), 3);
	assert_int_equal(step_ns, 60 * NS_PER_S);
	assert_int_equal(c->services[0].tx.step_ns[0], 5 * NS_PER_S);
	assert_int_equal(series_count(c->services[0].tx.series[1]), 3);
	assert_int_equal(c->services[0].cpu.step_ns[0], NS_PER_S);
	controller_free(c);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(minutes_of_an_api_go_on)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
