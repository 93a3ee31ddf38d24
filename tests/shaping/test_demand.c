// SPDX-License-Identifier: GPL-2.0-or-later
/* test_demand.c - what the plan learns a service will use, from its APIs and from its own series.
 */
#include <errno.h>

#include "shaping/state.h"
#include "tests/check.h"
#include "tests/shaping/world.h"

#define LIGHT_MCPU    1.0 /* of a request a second */
#define HEAVY_MCPU    6.0
#define ANSWER_BYTES  1000
#define FLIGHT_S      0.5
#define FLIGHT_BYTES  1e6
#define RESTING_BYTES 1e8

static double jitter(uint64_t *seed, double by)
{
	return 1 + by * (2 * world_unit(seed) - 1);
}

/* A light API of 100 requests/s and a heavy one of 50, that move together. */
static void step(struct world *w, uint64_t *seed)
{
	double together = jitter(seed, 0.3);
	double rates[2] = {100 * together * jitter(seed, 0.05), 50 * together * jitter(seed, 0.05)};
	double flight = 0, bytes = 0;

	for (int k = 0; k < 2; k++) {
		struct tick_api *a = &w->apis[0][k];

		*a = (struct tick_api){
			.requests = (uint64_t)rates[k],
			.finished = (uint64_t)rates[k],
			.bytes_out = (uint64_t)rates[k] * ANSWER_BYTES,
			.in_flight = rates[k] * FLIGHT_S,
		};
		flight += a->in_flight;
		bytes += (double)a->bytes_out;
	}
	w->wants_mcpu[0] = 20 + (double)w->apis[0][0].requests * LIGHT_MCPU +
			   (double)w->apis[0][1].requests * HEAVY_MCPU;
	w->seen[0].tx_bytes = (uint64_t)(bytes * 1.1); /* headers on the wire */
	w->seen[0].memory_bytes = (uint64_t)(RESTING_BYTES + flight * FLIGHT_BYTES);
	world_step(w);
}

static void start(struct world *w)
{
	struct policy_service *s;

	world_init(w, 4000);
	s = world_add(w, "shop", TIER_GOLD);
	s->n_apis = 2;
	(void)copy_str(w->routes[0][0].route, sizeof(w->routes[0][0].route), "/light");
	(void)copy_str(w->routes[0][1].route, sizeof(w->routes[0][1].route), "/heavy");
	w->seen[0].missing = 0;
}

static double held(const struct world *w, enum demand_kind kind, enum demand_resource resource,
		   struct demand_report *r)
{
	assert_int_equal(controller_demand(w->controller, 0, kind, resource, r), 1);
	return r->coverage90;
}

static void all_resources_are_forecast_from_requests(void **state)
{
	static struct world w;
	struct demand_report r;
	uint64_t seed = 5;

	(void)state;
	start(&w);
	for (int t = 0; t < 1500; t++)
		step(&w, &seed);
	/* 400 x [0.7, 1.3] + 20: the peak of the next four steps lies near the top. */
	assert_true(fabs(held(&w, DEMAND_PEAK, DEMAND_CPU, &r) - 0.9) < 0.05);
	assert_true(r.f.q[Q50] > 440 && r.f.q[Q50] < 540 && r.f.q[Q95] < 620);
	assert_true(r.experts[DEMAND_APIS].loss > 0);
	assert_true(fabs(held(&w, DEMAND_MEAN, DEMAND_CPU, &r) - 0.9) < 0.05);
	assert_true(fabs(r.f.q[Q50] - 420) < 40);
	/* 150,000 bytes/s with a tenth of headers, in bits. */
	assert_true(fabs(held(&w, DEMAND_MEAN, DEMAND_BANDWIDTH, &r) - 0.9) < 0.05);
	assert_true(fabs(r.f.q[Q50] / (150000 * 1.1 * 8) - 1) < 0.1);
	/* 75 in flight of 1 MB each over 100 MB. */
	assert_true(fabs(held(&w, DEMAND_MEAN, DEMAND_MEMORY, &r) - 0.9) < 0.05);
	assert_true(fabs(r.f.q[Q50] / (RESTING_BYTES + 75 * FLIGHT_BYTES) - 1) < 0.1);
	assert_int_equal(controller_demand(w.controller, 1, DEMAND_PEAK, DEMAND_CPU, &r), -ENOENT);
	world_free(&w);
}

/* What is above the median of an API of a weaker tier is asked for at that tier's quantile. */
static void a_weaker_apis_peaks_count_less(void **state)
{
	static struct world strong, weak;
	uint64_t seeds[2] = {7, 7};
	double less = 0, n = 0;

	(void)state;
	start(&strong);
	start(&weak);
	weak.routes[0][1].tier = TIER_BRONZE;
	for (int t = 0; t < 600; t++) {
		step(&strong, &seeds[0]);
		step(&weak, &seeds[1]);
		if (t < 300)
			continue;
		less += weak.plan->services[0].planned_mcpu;
		n += strong.plan->services[0].planned_mcpu;
	}
	assert_true(less < 0.985 * n);
	world_free(&strong);
	world_free(&weak);
}

/* What a service wants by itself in bursts, beside a few cheap requests of tier @api. */
static double wanted_with(enum tier api)
{
	static struct world w;
	uint64_t seed = 5;
	double sum = 0, level = 0;

	start(&w);
	w.services[0].n_apis = 1;
	w.routes[0][0].tier = api;
	for (int t = 0; t < 1000; t++) {
		double burst = world_unit(&seed), requests = 50 * (0.5 + world_unit(&seed));

		level = 0.9 * level + 40 * (burst - 0.5) * (burst > 0.9 ? 6 : 1);
		w.apis[0][0] = (struct tick_api){.requests = (uint64_t)requests,
						 .finished = (uint64_t)requests};
		w.wants_mcpu[0] = 600 + 2 * level + 0.2 * floor(requests);
		world_step(&w);
		sum += t >= 500 ? w.controller->services[0].demand_mcpu : 0;
	}
	world_free(&w);
	return sum / 500;
}

/* Its own bursts are its own, whatever the tier of a route that hardly counts. */
static void a_cheap_api_takes_no_room_from_the_service(void **state)
{
	(void)state;
	assert_true(wanted_with(TIER_BRONZE) > 0.98 * wanted_with(TIER_GOLD));
}

static void what_was_learned_survives_a_restart(void **state)
{
	static struct world w;
	struct demand_report before, after;
	struct controller *other;
	uint64_t seed = 9;
	size_t size;
	char *buf;

	(void)state;
	start(&w);
	for (int t = 0; t < 300; t++)
		step(&w, &seed);
	size = controller_save_size(w.controller);
	buf = malloc(size);
	assert_int_equal(controller_save(w.controller, buf, size), size);
	other = world_controller(&w);
	assert_int_equal(controller_load(other, buf, size), 0);
	assert_int_equal(controller_demand(w.controller, 0, DEMAND_PEAK, DEMAND_CPU, &before), 1);
	assert_int_equal(controller_demand(other, 0, DEMAND_PEAK, DEMAND_CPU, &after), 1);
	assert_memory_equal(&before.f, &after.f, sizeof(before.f));
	assert_true(before.judged == after.judged && before.judged > 200);
	controller_free(other);
	free(buf);
	world_free(&w);
}

/* Load that has grown by 4 % a step all along, give or take 30 %: forecast far beyond what was. */
static double grow(struct world *w, int t, uint64_t *seed)
{
	double use = 40 * pow(1.04, t) * jitter(seed, 0.3);

	w->wants_mcpu[0] = use;
	w->seen[0].tx_bytes = (uint64_t)(use * 1000);
	world_step(w);
	return use;
}

/*
 * No more is planned for than a quarter above the most ever needed, of the CPU and of what is sent,
 * but where an event is at hand: then a quarter above what is likely in it.
 */
static void little_above_all_there_was_is_planned_for(void **state)
{
	static struct world w;
	const struct service_state *s;
	double most_mcpu = 0, sale_mcpu;
	struct demand_report r;
	uint64_t seed = 11;

	(void)state;
	start(&w);
	w.facts.capacity_mcpu = 64000;
	for (int t = 0; t < 90; t++) {
		const struct forecast *bits;

		most_mcpu = fmax(most_mcpu, grow(&w, t, &seed));
		s = &w.controller->services[0];
		bits = &w.plan->services[0].demand_bits_per_s;
		assert_int_equal(controller_demand(w.controller, 0, DEMAND_PEAK, DEMAND_CPU, &r),
				 1);
		if (t < 10)
			continue;
		assert_true(r.f.q[Q99] > 2 * most_mcpu);
		assert_float_equal(s->demand_mcpu, 1.25 * most_mcpu, 1e-3 * most_mcpu);
		assert_float_equal(bits->q[Q99], 1.25 * 8000 * most_mcpu, 100);
	}
	assert_int_equal(controller_event(w.controller, 0, "sale",
					  (int64_t)(w.now_ns + UINT64_C(1700000000) * NS_PER_S),
					  60 * NS_PER_S, 3),
			 0);
	(void)grow(&w, 90, &seed);
	sale_mcpu = w.plan->services[0].demand_mcpu.q[Q50];
	assert_true(sale_mcpu > 1.5 * most_mcpu);
	assert_float_equal(w.controller->services[0].demand_mcpu, 1.25 * sale_mcpu, 1);
	world_free(&w);
}

#define CYCLE_S  900 /* longer than any period that is found second by second */
#define RISE_S   310 /* of a cycle: a need from here on ... */
#define FALL_S   580
#define LEAD_S   30
#define LOW_MCPU 500.0

/*
 * A load that trebles every 15 min, from 10 s of a minute on, is planned for a lead before, which
 * is in the minute before; and not for long after it is over. What is planned early is a part of
 * each cycle: far from all of it.
 */
static void a_period_of_minutes_is_met_a_lead_early(void **state)
{
	static struct world w;
	uint64_t seed = 5;
	int high = 0;

	(void)state;
	world_init(&w, 16000);
	world_add(&w, "s", TIER_GOLD)->forecast.lead_ns = LEAD_S * NS_PER_S;
	for (int t = 0; t < 6 * CYCLE_S; t++) {
		int at = t % CYCLE_S;
		double planned;

		w.wants_mcpu[0] = (at >= RISE_S && at < FALL_S ? 3 : 1) * LOW_MCPU;
		w.wants_mcpu[0] *= jitter(&seed, 0.1);
		world_step(&w);
		if (t < 4 * CYCLE_S)
			continue;
		planned = w.plan->services[0].planned_mcpu;
		high += planned >= 3 * LOW_MCPU;
		if (at >= RISE_S - LEAD_S && at < RISE_S)
			assert_true(planned >= 3 * LOW_MCPU);
	}
	assert_true(high < 2 * (FALL_S - RISE_S + 300));
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_resources_are_forecast_from_requests),
		cmocka_unit_test(a_weaker_apis_peaks_count_less),
		cmocka_unit_test(a_cheap_api_takes_no_room_from_the_service),
		cmocka_unit_test(what_was_learned_survives_a_restart),
		cmocka_unit_test(little_above_all_there_was_is_planned_for),
		cmocka_unit_test(a_period_of_minutes_is_met_a_lead_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
