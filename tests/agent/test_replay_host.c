// SPDX-License-Identifier: GPL-2.0-or-later
/* test_replay_host.c - services of a host are decided together, as the agent decides them. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/replay.h"
#include "tests/check.h"
#include "tests/shaping/world.h"

#define STEP_NS       (60 * NS_PER_S)
#define HOST_SERVICES 5
#define HOST_STEPS    900

static struct replay_conf conf_of(const struct world *w, const struct replay_load *load)
{
	return (struct replay_conf){.loads = load, .set = &w->set, .facts = w->facts};
}

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
		assert_true(res[k].slack == again[k].slack);
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

	world_init(&w, 8000);
	(void)world_add(&w, "a", TIER_GOLD);
	(void)world_add(&w, "b", TIER_GOLD);
	conf = conf_of(&w, loads);
	assert_int_equal(replay_run(&conf, res, &e), -EINVAL);
	assert_non_null(strstr(e.text, "same steps"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_of_a_host_are_planned_together),
		cmocka_unit_test(steps_have_to_be_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
