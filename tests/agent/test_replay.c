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
		cmocka_unit_test(a_look_that_fails_ends_it),
		cmocka_unit_test(progress_goes_on_from_replay_to_replay),
		cmocka_unit_test(stretches_are_told_longest_first),
		cmocka_unit_test(any_two_traces_are_compared),
		cmocka_unit_test(skipped_steps_are_not_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
