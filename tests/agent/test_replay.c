// SPDX-License-Identifier: GPL-2.0-or-later
/* test_replay.c - what a replay costs and misses, by hand; where two of them differ. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/replay.h"
#include "agent/replay_compare.h"
#include "shaping/latency.h"
#include "tests/check.h"
#include "tests/shaping/world.h"

#define STEP_NS (60 * NS_PER_S)

/* A gold service without a limit of its own but for its ceiling, which the first plan sets. */
static void one_service(struct world *w)
{
	struct policy_service *s;

	world_init(w, 8000);
	s = world_add(w, "a", TIER_GOLD);
	s->cpu.ceiling_mcpu = 1000;
}

static struct replay_conf conf_of(const struct world *w, const struct replay_load *load)
{
	return (struct replay_conf){.loads = load, .set = &w->set, .facts = w->facts};
}

static void near(double a, double b)
{
	if (!(fabs(a - b) < 1e-9))
		fail_msg("%.12g is not %.12g", a, b);
}

static void cost_and_shortage_are_counted_by_time(void **state)
{
	double cpus[] = {0.5, 2, NAN, 0.5};
	const struct csv_series s = {.values = cpus, .n = 4, .step_ns = STEP_NS};
	const struct replay_csv csv = {&s, 1000};
	const struct replay_load load = replay_csv_load(&csv);
	struct replay_result res;
	struct replay_conf conf;
	struct world w;

	one_service(&w);
	conf = conf_of(&w, &load);
	conf.skip_ns = STEP_NS; /* the first step runs without a limit */
	assert_int_equal(replay_run(&conf, &res, NULL), 0);
	assert_int_equal(res.steps, 4);
	assert_int_equal(res.scored, 2);
	assert_int_equal(res.changes, 1);
	assert_int_equal(res.moves, 0);
	assert_int_equal(res.short_steps, 1);
	near(res.short_minutes, 1);
	near(res.used_core_h, 2.5 / 60);
	near(res.reserved_core_h, 2.0 / 60);
	near(res.slack, -0.25);
	near(res.limit_mean_mcpu, 1000);
}

static void what_is_not_scored_costs_nothing_known(void **state)
{
	double cpus[] = {NAN, NAN};
	const struct csv_series s = {.values = cpus, .n = 2, .step_ns = STEP_NS};
	const struct replay_csv csv = {&s, 1};
	const struct replay_load load = replay_csv_load(&csv);
	struct replay_result res;
	struct replay_conf conf;
	struct world w;

	one_service(&w);
	conf = conf_of(&w, &load);
	assert_int_equal(replay_run(&conf, &res, NULL), 0);
	assert_int_equal(res.steps, 2);
	assert_int_equal(res.scored, 0);
	assert_true(isnan(res.short_minutes) && isnan(res.reserved_core_h) && isnan(res.slack));
}

/* By hand: the first step has all CPUs and is skipped, the others have 1 CPU, one of them too few.
 */
static void late_requests_are_expected_from_what_one_costs(void **state)
{
	double cpus[] = {0.5, 2, NAN, 0.9, 0};
	const struct csv_series s = {.values = cpus, .n = 5, .step_ns = NS_PER_S};
	const struct replay_csv csv = {&s, 1000};
	const struct replay_load load = replay_csv_load(&csv);
	struct latency_queue q = {};
	double n = 0, late = 0;
	struct replay_result res;
	struct replay_conf conf;
	struct world w;

	one_service(&w);
	w.services[0].slo = (struct policy_slo){
		.set = true, .objective = 0.99, .latency_us = 100000, .window_s = 3600};
	conf = conf_of(&w, &load);
	conf.skip_ns = NS_PER_S;
	assert_int_equal(replay_run(&conf, &res, NULL), 0);
	assert_true(isnan(res.slo_expected)); /* nobody knows what a request costs */
	conf.request_cost_s = 0.01;
	assert_int_equal(replay_run(&conf, &res, NULL), 0);
	for (int i = 0; i < 5; i++) {
		const struct latency_load l = {.rate_per_s = cpus[i] / 0.01,
					       .cost_s = 0.01,
					       .limit_mcpu = i == 0 ? 8000 : 1000,
					       .seconds = 1};
		double share = isfinite(cpus[i]) ? latency_late(&l, 0.1, &q) : 0;

		n += i > 0 && isfinite(cpus[i]) ? l.rate_per_s : 0;
		late += i > 0 && isfinite(cpus[i]) ? l.rate_per_s * share : 0;
	}
	near(n, 290);
	assert_true(late > 200 && late < 290); /* a second of work waits before the fourth step */
	near(res.slo_expected, 1 - late / n);
	w.services[0].slo.set = false;
	assert_int_equal(replay_run(&conf, &res, NULL), 0);
	assert_true(isnan(res.slo_expected));
}

struct steps {
	double throttled;
};

static void read_throttled(const void *arg, size_t i, struct replay_step *ret)
{
	const struct steps *s = arg;

	*ret = replay_step_blank((int64_t)(i + 1) * (int64_t)NS_PER_S, NS_PER_S);
	ret->used_mcpu = 300;
	ret->throttled = i % 20 == 19 ? s->throttled : 0;
}

/* A service that was throttled when it was recorded is seen to be short, and gets more. */
static void recorded_throttling_is_seen(void **state)
{
	double limits[2];

	for (int k = 0; k < 2; k++) {
		const struct steps steps = {.throttled = k};
		const struct replay_load load = {
			.n = 300, .step_ns = NS_PER_S, .read = read_throttled, .arg = &steps};
		struct replay_result res;
		struct replay_conf conf;
		struct world w;

		one_service(&w);
		w.services[0].cpu = (struct policy_cpu){.ceiling_mcpu = UNLIMITED, .mode = CPU_CAP};
		conf = conf_of(&w, &load);
		conf.skip_ns = 100 * NS_PER_S;
		assert_int_equal(replay_run(&conf, &res, NULL), 0);
		limits[k] = res.limit_mean_mcpu;
	}
	assert_true(limits[0] < 500);
	assert_true(limits[1] > 1.15 * limits[0]);
}

#define HOST_SERVICES 5
#define HOST_STEPS    900

/* More than there is from time to time: gold, silver, bronze, gold by price, silver. */
static void make_host(struct world *w)
{
	static const char *const names[HOST_SERVICES] = {"a", "b", "c", "d", "e"};

	world_init(w, 4000);
	for (size_t i = 0; i < HOST_SERVICES; i++) {
		struct policy_service *s = world_add(w, names[i], (enum tier)(i % TIER_COUNT));

		s->cpu.mode = i < 2 ? CPU_CAP : CPU_RESERVE;
		s->forecast.short_cost = i == 3 ? 100 : NAN;
	}
}

static double host_cpus(size_t service, size_t i)
{
	double wave = (i + 40 * service) % (90 + 20 * service) < 40 ? 1.5 : 0.5;

	return wave * (0.9 + 0.2 * (double)((i * 7919 + service * 104729) % 1000) / 1000);
}

struct decided {
	double limit[HOST_SERVICES][HOST_STEPS];
	enum reason reason[HOST_SERVICES][HOST_STEPS];
};

static int take_decided(void *arg, const struct replay_now *now)
{
	struct decided *d = arg;

	d->limit[now->service][now->index] = now->limit_mcpu;
	d->reason[now->service][now->index] = now->reason;
	return 0;
}

static void replay_host(size_t threads, struct decided *d, struct replay_result *res)
{
	static double cpus[HOST_SERVICES][HOST_STEPS];
	struct csv_series s[HOST_SERVICES];
	struct replay_csv csv[HOST_SERVICES];
	struct replay_load loads[HOST_SERVICES];
	struct replay_conf conf;
	struct world w;

	make_host(&w);
	for (size_t k = 0; k < HOST_SERVICES; k++) {
		for (size_t i = 0; i < HOST_STEPS; i++)
			cpus[k][i] = host_cpus(k, i);
		s[k] = (struct csv_series){.values = cpus[k], .n = HOST_STEPS, .step_ns = NS_PER_S};
		csv[k] = (struct replay_csv){&s[k], 1000};
		loads[k] = replay_csv_load(&csv[k]);
	}
	conf = conf_of(&w, loads);
	conf.threads = threads;
	conf.look = take_decided;
	conf.arg = d;
	assert_int_equal(replay_run(&conf, res, NULL), 0);
}

/* By the planner's one call a step, as the agent makes it. */
static void decide_in_one_call(struct decided *d)
{
	struct world w;

	make_host(&w);
	for (size_t k = 0; k < HOST_SERVICES; k++) {
		w.seen[k].known = w.seen[k].baseline_known =
			1u << KNOB_CPU_MAX | 1u << KNOB_CPU_WEIGHT;
		w.seen[k].missing = MISSING_APIS | MISSING_MEMORY | MISSING_PSI;
	}
	w.controller = world_controller(&w);
	for (size_t i = 0; i < HOST_STEPS; i++) {
		struct tick_input in;

		for (size_t k = 0; k < HOST_SERVICES; k++) {
			uint64_t max = w.seen[k].knob[KNOB_CPU_MAX];
			double used = 1000 * host_cpus(k, i);
			double over = used > (double)max ? (used - (double)max) / used : 0;

			d->limit[k][i] = max != UNLIMITED  ? (double)max
					 : w.plan && k > 1 ? w.plan->services[k].planned_mcpu
							   : 4000;
			d->reason[k][i] =
				w.plan ? (enum reason)world_entry(&w, k, KNOB_CPU_MAX)->reason
				       : REASON_WARMING_UP;
			w.seen[k].cpu_usage_us =
				(uint64_t)(fmin(used, (double)max) / 1000 * 1e6 + 0.5);
			w.seen[k].nr_periods = 10;
			w.seen[k].nr_throttled = (uint64_t)ceil(over * 10);
			w.seen[k].throttled_us = (uint64_t)(over * 1e6 + 0.5);
		}
		in = (struct tick_input){
			.now_mono_ns = (i + 1) * NS_PER_S,
			.now_real_ns = (int64_t)((i + 1) * NS_PER_S),
			.interval_ns = NS_PER_S,
			.host_cpu_used_mcpu = UNLIMITED,
			.host_memory_available_bytes = UNLIMITED,
			.services = w.seen,
		};
		w.plan = tick_once(w.controller, &in);
		world_obey(&w, w.controller, w.plan);
		world_search(w.controller);
	}
	world_free(&w);
}

static void services_of_a_host_are_planned_together(void **state)
{
	static struct decided one, three, call;
	struct replay_result res[HOST_SERVICES], again[HOST_SERVICES];
	size_t changes = 0;

	replay_host(1, &one, res);
	replay_host(3, &three, again);
	decide_in_one_call(&call);
	assert_memory_equal(one.limit, three.limit, sizeof(one.limit));
	assert_memory_equal(one.reason, three.reason, sizeof(one.reason));
	for (size_t k = 0; k < HOST_SERVICES; k++) {
		for (size_t i = 0; i < HOST_STEPS; i++) {
			if (one.limit[k][i] != call.limit[k][i] ||
			    one.reason[k][i] != call.reason[k][i])
				fail_msg("service %zu, step %zu: %.9g of %s is not %.9g of %s", k,
					 i, one.limit[k][i], reason_rows[one.reason[k][i]].name,
					 call.limit[k][i], reason_rows[call.reason[k][i]].name);
		}
		changes += res[k].changes;
		assert_int_equal(res[k].scored, HOST_STEPS);
		assert_int_equal(res[k].contended, res[0].contended);
		near(res[k].slack, again[k].slack);
	}
	assert_true(changes > 50);
	assert_true(res[0].contended > 10 && res[0].contended < HOST_STEPS);
}

static void steps_have_to_be_the_same(void **state)
{
	double mcpu[20] = {};
	struct csv_series s[2] = {{.values = mcpu, .n = 20, .step_ns = STEP_NS},
				  {.values = mcpu, .n = 19, .step_ns = STEP_NS}};
	const struct replay_csv csv[2] = {{&s[0], 1}, {&s[1], 1}};
	struct replay_load loads[2] = {replay_csv_load(&csv[0]), replay_csv_load(&csv[1])};
	struct replay_result res[2];
	struct replay_conf conf;
	struct err e = {};
	struct world w;

	one_service(&w);
	(void)world_add(&w, "b", TIER_GOLD);
	conf = conf_of(&w, loads);
	assert_int_equal(replay_run(&conf, res, &e), -EINVAL);
	assert_non_null(strstr(e.text, "same steps"));
}

static size_t told, told_last, told_of;

static void tell(size_t step, size_t steps)
{
	assert_true(step <= steps && step >= told_last);
	told++;
	told_last = step;
	told_of = steps;
}

static int stop_at_7(void *arg, const struct replay_now *now)
{
	size_t *seen = arg;

	assert_int_equal(now->index, (*seen)++);
	assert_int_equal(now->step->ends_real_ns, (int64_t)(now->index + 1) * (int64_t)STEP_NS);
	return now->index == 7 ? -EPIPE : 0;
}

static void a_look_that_fails_ends_it(void **state)
{
	double mcpu[20] = {};
	const struct csv_series s = {.values = mcpu, .n = 20, .step_ns = STEP_NS};
	const struct replay_csv csv = {&s, 1};
	const struct replay_load load = replay_csv_load(&csv);
	struct replay_result res = {.steps = 99};
	struct replay_conf conf;
	struct world w;
	size_t seen = 0;

	one_service(&w);
	conf = conf_of(&w, &load);
	conf.look = stop_at_7;
	conf.arg = &seen;
	assert_int_equal(replay_run(&conf, &res, NULL), -EPIPE);
	assert_int_equal(seen, 8);
	assert_int_equal(res.steps, 99);
}

static void progress_goes_on_from_replay_to_replay(void **state)
{
	double mcpu[500] = {};
	const struct csv_series s = {.values = mcpu, .n = 500, .step_ns = STEP_NS};
	const struct replay_csv csv = {&s, 1};
	const struct replay_load load = replay_csv_load(&csv);
	struct replay_result res;
	struct replay_conf conf;
	struct world w;

	one_service(&w);
	conf = conf_of(&w, &load);
	conf.progress = tell;
	conf.parts = 2;
	told = told_last = 0;
	assert_int_equal(replay_run(&conf, &res, NULL), 0);
	assert_true(told >= 100 && told <= 300);
	assert_true(told_last < 500 && told_last > 480 && told_of == 1000);
	conf.part = 1;
	assert_int_equal(replay_run(&conf, &res, NULL), 0);
	assert_int_equal(told_last, told_of);
}

/* A trace with these limits, steps of a second from the epoch on; use 100 where @used is NULL.
 */
static struct replay_trace trace_of(const double *limits, size_t n, const double *used)
{
	struct replay_trace t;

	assert_int_equal(replay_trace_new(n, &t), 0);
	for (size_t i = 0; i < n; i++) {
		const struct replay_step step = {.ends_real_ns = (int64_t)((i + 1) * NS_PER_S),
						 .interval_ns = NS_PER_S,
						 .used_mcpu = used ? used[i] : 100};
		const struct replay_now now = {.index = i,
					       .step = &step,
					       .limit_mcpu = limits[i],
					       .reason = limits[i] > 500 ? REASON_FORECAST_RAISE
									 : REASON_FORECAST_LOWER};

		replay_trace_take(&t, &now);
	}
	return t;
}

static void stretches_are_told_longest_first(void **state)
{
	/* Apart by 10 % is no difference, by 11 % it is; who is above makes another stretch. */
	const double one[] = {100, 110, 111, 600, 600, 100, 200, 200, 900, 100};
	const double two[] = {100, 100, 100, 300, 300, 200, 100, 200, 100, 100};
	const double used[] = {1, 1, 50, NAN, 350, 1, 1, 1, 950, 1};
	struct replay_trace a = trace_of(one, 10, used), b = trace_of(two, 10, used);
	struct replay_difference d;

	replay_compare(&a, &b, &d);
	assert_int_equal(d.compared, 10);
	assert_int_equal(d.steps, 6);
	assert_int_equal(d.n_stretches, 4);
	assert_int_equal(d.n_longest, 4);
	assert_int_equal(d.longest[0].from, 2);
	assert_int_equal(d.longest[0].n, 3);
	assert_int_equal(d.longest[0].from_real_ns, 2 * NS_PER_S);
	assert_int_equal(d.longest[0].to_real_ns, 4 * NS_PER_S);
	near(d.longest[0].of[0].limit_mean_mcpu, 437);
	near(d.longest[0].of[1].limit_mean_mcpu, 700.0 / 3);
	near(d.longest[0].used_mean_mcpu, 200);
	near(d.longest[0].used_most_mcpu, 350);
	assert_int_equal(d.longest[0].of[0].short_steps, 0);
	assert_int_equal(d.longest[0].of[1].short_steps, 1);
	assert_int_equal(d.longest[0].of[0].reason, REASON_FORECAST_RAISE);
	assert_int_equal(d.longest[0].of[1].reason, REASON_FORECAST_LOWER);
	assert_int_equal(d.longest[1].from, 5);
	assert_int_equal(d.longest[2].from, 6);
	assert_int_equal(d.longest[3].from, 8);
	replay_trace_free(&a);
	replay_trace_free(&b);
}

/* Against a plain count, and whatever there is, the longest ten are kept in order. */
static void any_two_traces_are_compared(void **state)
{
	static double one[2000], two[2000];
	uint64_t seed = 88172645463325252;

	for (int round = 0; round < 20; round++) {
		struct replay_trace a, b;
		struct replay_difference d;
		size_t differ = 0, longest = 0, run = 0;
		int before = 0;

		for (size_t i = 0; i < 2000; i++) {
			bool same = i > 0 && world_unit(&seed) < 0.8;
			int now;

			one[i] = same ? one[i - 1] : 100 + 400 * world_unit(&seed);
			two[i] = same ? two[i - 1] : 100 + 400 * world_unit(&seed);
			now = one[i] / two[i] > 1.1 ? 1 : two[i] / one[i] > 1.1 ? -1 : 0;
			differ += now != 0;
			run = now == before ? run + 1 : 1;
			longest = now && run > longest ? run : longest;
			before = now;
		}
		a = trace_of(one, 2000, NULL);
		b = trace_of(two, 2000, NULL);
		replay_compare(&a, &b, &d);
		assert_int_equal(d.steps, differ);
		assert_int_equal(d.longest[0].n, longest);
		assert_int_equal(d.n_longest, REPLAY_STRETCHES);
		for (size_t i = 1; i < d.n_longest; i++)
			assert_true(d.longest[i].n < d.longest[i - 1].n ||
				    (d.longest[i].n == d.longest[i - 1].n &&
				     d.longest[i].from > d.longest[i - 1].from));
		replay_trace_free(&a);
		replay_trace_free(&b);
	}
}

static void skipped_steps_are_not_compared(void **state)
{
	const double one[] = {100, 100, 100}, two[] = {900, 900, 900};
	struct replay_trace a = trace_of(one, 3, NULL), b = trace_of(two, 3, NULL);
	struct replay_difference d;

	a.marks[0].skipped = a.marks[1].skipped = true;
	replay_compare(&a, &b, &d);
	assert_int_equal(d.compared, 1);
	assert_int_equal(d.steps, 1);
	assert_int_equal(d.longest[0].from, 2);
	replay_trace_free(&a);
	replay_trace_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cost_and_shortage_are_counted_by_time),
		cmocka_unit_test(what_is_not_scored_costs_nothing_known),
		cmocka_unit_test(late_requests_are_expected_from_what_one_costs),
		cmocka_unit_test(recorded_throttling_is_seen),
		cmocka_unit_test(services_of_a_host_are_planned_together),
		cmocka_unit_test(steps_have_to_be_the_same),
		cmocka_unit_test(a_look_that_fails_ends_it),
		cmocka_unit_test(progress_goes_on_from_replay_to_replay),
		cmocka_unit_test(stretches_are_told_longest_first),
		cmocka_unit_test(any_two_traces_are_compared),
		cmocka_unit_test(skipped_steps_are_not_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
