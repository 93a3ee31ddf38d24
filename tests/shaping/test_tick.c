// SPDX-License-Identifier: GPL-2.0-or-later
/* test_tick.c - what must hold for any input: bounds, dwell, budget, the same plan every time. */
#include <errno.h>

#include "tests/check.h"
#include "tests/shaping/world.h"

static void a_mixed_host(struct world *w)
{
	struct policy_service *s;

	world_init(w, 4000);
	s = world_add(w, "batch", TIER_BRONZE);
	s->memory.ceiling_bytes = UINT64_C(1) << 30;
	s = world_add(w, "capped", TIER_GOLD);
	s->cpu = (struct policy_cpu){.floor_mcpu = 150, .ceiling_mcpu = 2500, .mode = CPU_CAP};
	s->memory.floor_bytes = 16 * MIB;
	s = world_add(w, "shop", TIER_GOLD);
	s->n_apis = 2;
	s->apis[1].tier = TIER_BRONZE;
	s->slo = (struct policy_slo){.set = true, .objective = 0.99, .window_s = 300};
	s = world_add(w, "site", TIER_SILVER);
	s->cpu.floor_mcpu = 50;
	(void)copy_str(s->bandwidth.interface, sizeof(s->bandwidth.interface), "eth0");
	w->set.host.links[0] =
		(struct policy_link){.interface = "eth0", .rate_bits_per_s = 1000000000};
	w->set.host.n_links = 1;
	w->seen[3].known = WORLD_ALL;
	w->seen[3].knob[KNOB_HTB_RATE] = w->seen[3].knob[KNOB_HTB_CEIL] = 1000000;
	w->set.host.dwell_ns = 5 * NS_PER_S;
	w->set.host.writes_per_minute = 30;
}

/* Anything a host could show: spikes, silence, gaps, what is missing, what is frozen or foreign. */
static void any_input(struct world *w, uint64_t *seed)
{
	bool wild = world_random(seed) % 50 == 0;

	w->interval_ns = world_random(seed) % 100 == 0 ? 30 * NS_PER_S : NS_PER_S;
	w->frozen = world_random(seed) % 200 == 0;
	for (size_t i = 0; i < w->set.n_services; i++) {
		struct tick_service *s = &w->seen[i];

		if (wild || world_random(seed) % 20 == 0)
			w->wants_mcpu[i] = exp(12 * world_unit(seed)) - 1;
		s->missing = world_random(seed) % 30 ? i == 2 ? 0 : MISSING_APIS
						     : (uint32_t)(world_random(seed) % 32);
		s->yielded = world_random(seed) % 300 ? s->yielded
						      : (uint32_t)(world_random(seed) & WORLD_ALL);
		s->memory_bytes = (world_random(seed) % 3000) * MIB;
		s->anon_bytes = s->memory_bytes / (1 + world_random(seed) % 3);
		s->tx_bytes = world_random(seed) >> (world_random(seed) % 40 + 24);
		for (size_t k = 0; k <= w->services[i].n_apis; k++)
			w->apis[i][k] = (struct tick_api){
				.requests = world_random(seed) % 500,
				.finished = world_random(seed) % 500,
				.bytes_out = world_random(seed) % 1000000,
				.in_flight = world_unit(seed) < 0.01 ? NAN : 3,
				.slo_total = 100,
				.slo_good = world_random(seed) % 101,
			};
	}
}

struct history {
	uint64_t changed_ns[WORLD_MAX][KNOB_COUNT];
	uint64_t at_ns[100000];
	size_t n;
};

static void check_entry(const struct world *w, const struct plan_entry *e, struct history *h)
{
	const struct knob_row *row = &knob_rows[e->knob];
	uint64_t changed = h->changed_ns[e->service][e->knob];
	bool contention = e->reason == REASON_CONTENTION_CAP;
	/* A burst that is in the way of its quota. */
	bool in_the_way = e->knob == KNOB_CPU_MAX_BURST &&
			  (e - KNOB_CPU_MAX_BURST + KNOB_CPU_MAX)->refused & 1u << REFUSAL_IN_USE;
	bool at_bound = e->before > e->ceiling || e->before < e->floor;

	for (size_t k = 0; k < e->n_inputs; k++)
		assert_non_null(e->inputs[k].name);
	assert_true(e->reason < REASON_COUNT);
	if (!e->change) {
		assert_true(e->value == e->before);
		return;
	}
	assert_true(e->value != e->before);
	assert_true(w->seen[e->service].known & 1u << e->knob);
	assert_false(w->seen[e->service].yielded & 1u << e->knob);
	assert_false(w->frozen);
	assert_true(e->value >= MAX(row->lowest, e->floor));
	assert_true(e->value <= e->ceiling);
	assert_true(e->value <= row->highest || (e->value == UNLIMITED && row->may_be_unlimited));
	if (e->knob == KNOB_MEMORY_MAX || e->knob == KNOB_MEMORY_HIGH)
		assert_true(e->value > w->seen[e->service].anon_bytes);
	if (e->value < e->before && changed && !contention && !at_bound && !in_the_way &&
	    e->knob != KNOB_MEMORY_HIGH && e->knob != KNOB_MEMORY_MAX && e->knob != KNOB_HTB_CEIL)
		assert_true(w->now_ns - changed >= w->set.host.dwell_ns);
	h->changed_ns[e->service][e->knob] = w->now_ns;
	h->at_ns[h->n++] = w->now_ns;
}

static void check_budget(const struct world *w, const struct history *h)
{
	size_t n = 0;

	for (size_t k = h->n; k-- > 0 && w->now_ns - h->at_ns[k] < 60 * NS_PER_S;)
		n++;
	assert_true(n <= w->set.host.writes_per_minute);
}

static void limits_keep_their_bounds_dwell_and_budget(void **state)
{
	static struct world w;
	static struct history h;
	uint64_t seed = 42;

	(void)state;
	h.n = 0;
	a_mixed_host(&w);
	for (int t = 0; t < 4000; t++) {
		any_input(&w, &seed);
		world_step(&w);
		for (size_t k = 0; k < w.plan->n_entries; k++)
			check_entry(&w, &w.plan->entries[k], &h);
		check_budget(&w, &h);
		for (size_t i = 0; i < w.set.n_services; i++) {
			assert_true(isfinite(w.plan->services[i].planned_mcpu));
			assert_true(w.plan->services[i].planned_mcpu <= 4000 + 1e-6);
		}
	}
	assert_true(h.n > 200);
	world_free(&w);
}

static bool same_bits(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static void assert_same_plan(const struct plan *a, const struct plan *b)
{
	assert_int_equal(a->n_entries, b->n_entries);
	assert_int_equal(a->planned_mcpu, b->planned_mcpu);
	for (size_t k = 0; k < a->n_entries; k++) {
		const struct plan_entry *x = &a->entries[k], *y = &b->entries[k];

		assert_true(x->value == y->value && x->before == y->before);
		assert_true(x->change == y->change && x->reason == y->reason);
		assert_true(x->refused == y->refused && x->n_inputs == y->n_inputs);
		for (size_t i = 0; i < x->n_inputs; i++)
			assert_true(same_bits(x->inputs[i].value, y->inputs[i].value));
	}
}

/* Feeds one controller; the other gets the same and must say the same. */
static void step_both(struct world *w, struct controller *other, uint64_t *seed)
{
	struct tick_input in;
	const struct plan *a, *b;

	any_input(w, seed);
	world_run(w);
	in = world_input(w);
	a = tick_once(w->controller, &in);
	b = tick_once(other, &in);
	assert_same_plan(a, b);
	for (size_t k = 0; k < b->n_entries; k++)
		if (b->entries[k].change)
			tick_written(other, &b->entries[k], b->entries[k].value, 0);
	world_obey(w, w->controller, a);
	world_search(w->controller);
	world_search(other);
}

static void the_same_input_gives_the_same_plan_bit_for_bit(void **state)
{
	static struct world w;
	struct controller *other;
	uint64_t seed = 99;

	(void)state;
	a_mixed_host(&w);
	w.controller = world_controller(&w);
	other = world_controller(&w);
	for (int t = 0; t < 2000; t++)
		step_both(&w, other, &seed);
	controller_free(other);
	world_free(&w);
}

static void saved_and_loaded_it_goes_on_as_if_never_stopped(void **state)
{
	static struct world w;
	struct controller *other;
	uint64_t seed = 5;
	size_t size;
	void *buf;

	(void)state;
	a_mixed_host(&w);
	for (int t = 0; t < 1500; t++) {
		any_input(&w, &seed);
		world_step(&w);
	}
	size = controller_save_size(w.controller);
	buf = malloc(size);
	assert_int_equal(controller_save(w.controller, buf, size - 1), 0);
	assert_int_equal(controller_save(w.controller, buf, size), size);
	other = world_controller(&w);
	assert_int_equal(controller_load(other, buf, size), 0);
	for (int t = 0; t < 1500; t++)
		step_both(&w, other, &seed);
	((unsigned char *)buf)[size / 2] ^= 1;
	assert_int_equal(controller_load(other, buf, size), -EINVAL);
	assert_int_equal(controller_load(other, buf, size / 2), -EINVAL);
	assert_int_equal(controller_load(other, buf, 0), -EINVAL);
	free(buf);
	controller_free(other);
	world_free(&w);
}

static void a_reload_keeps_what_services_of_equal_name_learned(void **state)
{
	static struct world w;
	static struct world changed;
	struct forecast_point before[5], after[5];
	struct forecast_past past;
	double values[5];
	struct controller *c = NULL;
	struct series_report report;
	uint64_t seed = 11;

	(void)state;
	a_mixed_host(&w);
	for (int t = 0; t < 300; t++) {
		any_input(&w, &seed);
		world_step(&w);
	}
	a_mixed_host(&changed);
	changed.services[2].n_apis = 3;
	(void)copy_str(changed.services[0].name, POLICY_NAME_MAX, "another");
	assert_true(controller_forecast(w.controller, 2, -1, 5 * NS_PER_S, before, 5, &report) ==
		    5);
	assert_int_equal(controller_reload(w.controller, &changed.set, &changed.facts, &c), 0);
	world_free(&w);
	assert_true(controller_forecast(c, 2, -1, 5 * NS_PER_S, after, 5, &report) == 5);
	assert_true(same_bits(before[4].f.q[Q99], after[4].f.q[Q99]));
	assert_int_equal(controller_forecast(c, 0, -1, 5 * NS_PER_S, after, 5, &report), 0);
	assert_int_equal(controller_past(c, 2, -1, 5 * NS_PER_S, values, 5, &past), 5);
	assert_true(past.step_ns == NS_PER_S && past.steps_ahead == 5 && past.measured > 0);
	assert_int_equal(controller_past(c, 0, -1, 5 * NS_PER_S, values, 5, &past), 0);
	assert_int_equal(controller_past(c, 99, -1, 5 * NS_PER_S, values, 5, &past), -ENOENT);
	changed.controller = c;
	for (int t = 0; t < 50; t++) {
		any_input(&changed, &seed);
		world_step(&changed);
	}
	world_free(&changed);
}

static void a_job_outlives_a_reload_that_drops_its_series(void **state)
{
	static struct world w, empty;
	struct controller *c = NULL;
	struct tick_job *job = NULL;
	uint64_t seed = 3;

	(void)state;
	a_mixed_host(&w);
	w.controller = world_controller(&w);
	for (int t = 0; !job && t < 2000; t++) {
		struct tick_input in;

		any_input(&w, &seed);
		world_run(&w);
		in = world_input(&w);
		(void)tick_once(w.controller, &in);
		job = controller_job_take(w.controller);
	}
	assert_non_null(job);
	world_init(&empty, 1000);
	assert_int_equal(controller_reload(w.controller, &empty.set, &empty.facts, &c), 0);
	world_free(&w);
	controller_job_run(job);
	controller_job_give(c, job);
	assert_null(controller_job_take(c));
	controller_free(c);
}

/* The step of what is kept of API @api of the first of @n services for a forecast of @ahead_s. */
static uint64_t api_step_s(size_t n, int api, uint64_t ahead_s)
{
	static struct policy_service services[65];
	static struct tick_service seen[65];
	struct policy_api routes[3] = {{.route = "/a"}, {.route = "/b"}, {.route = "/c"}};
	struct tick_api counts[4] = {{.requests = 1}, {.requests = 1}, {.requests = 1}};
	struct policy_set set = {.services = services, .n_services = n};
	const struct host_facts facts = {.capacity_mcpu = 4000};
	struct tick_input in = {.now_mono_ns = NS_PER_S, .interval_ns = NS_PER_S, .services = seen};
	struct controller *c = NULL;
	struct forecast_past past;
	double value;

	for (size_t i = 0; i < n; i++) {
		services[i] = (struct policy_service){.apis = routes, .n_apis = 3, .weight = 1};
		services[i].forecast.lead_ns = 30 * NS_PER_S;
		(void)snprintf(services[i].name, sizeof(services[i].name), "s%zu", i);
		seen[i] = (struct tick_service){.apis = counts};
	}
	assert_int_equal(controller_new(&set, &facts, NS_PER_S, &c), 0);
	(void)tick_once(c, &in);
	assert_true(controller_past(c, 0, api, ahead_s * NS_PER_S, &value, 1, &past) >= 0);
	controller_free(c);
	return past.step_ns / NS_PER_S;
}

/* 64 APIs of a host are known by the second, two of each service by minutes and hours as well. */
static void on_large_hosts_apis_are_known_by_longer_steps(void **state)
{
	static const struct {
		size_t n;
		int api;
		uint64_t near_s, day_s;
	} rows[] = {
		{1, 2, 1, 3600},  {32, 0, 1, 3600}, {32, 1, 1, 3600}, {32, 2, 5, 5},
		{33, 0, 1, 3600}, {33, 1, 5, 3600}, {33, 2, 5, 5},    {64, 0, 1, 3600},
		{65, 0, 5, 3600}, {65, 1, 5, 3600}, {65, 2, 5, 5},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(api_step_s(rows[i].n, rows[i].api, 10), rows[i].near_s);
		assert_int_equal(api_step_s(rows[i].n, rows[i].api, S_PER_DAY), rows[i].day_s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_keep_their_bounds_dwell_and_budget),
		cmocka_unit_test(the_same_input_gives_the_same_plan_bit_for_bit),
		cmocka_unit_test(saved_and_loaded_it_goes_on_as_if_never_stopped),
		cmocka_unit_test(a_reload_keeps_what_services_of_equal_name_learned),
		cmocka_unit_test(a_job_outlives_a_reload_that_drops_its_series),
		cmocka_unit_test(on_large_hosts_apis_are_known_by_longer_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
