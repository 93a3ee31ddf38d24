/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake.h - an agent of made-up values: the views and actions of agent.h, defined here so that what
 * is linked against this file talks to no worker. Include it in one file of a program.
 */
#ifndef FORESHAPE_TEST_FAKE_H
#define FORESHAPE_TEST_FAKE_H

#include <errno.h>
#include <math.h>

#include "agent/agent.h"
#include "agent/base/util.h"
#include "bpf/abi.h"

/* What was last asked for, as words. */
static char fake_asked[256];
static unsigned int fake_n_services = 2;
static bool fake_restore_waits; /* restores are answered by fake_restore_now */
static void (*fake_done)(void *arg, unsigned int restored, unsigned int refused);
static void *fake_done_arg;

static const struct plan_service fake_plan = {
	.effective_tier = TIER_GOLD,
	.demand_mcpu = {.mean = 800, .q = {475, 500, 550, 650, 750, 900, 1050, 1100, 1150, 1200}},
	.demand_bytes = {.mean = 3e8, .q = {3e8, 3e8, 3e8, 3e8, 3e8, 3e8, 3e8, 3e8, 3e8, 3e8}},
	.demand_bits_per_s = {.mean = 1e6, .q = {1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 2e6}},
	.planned_mcpu = 1300,
	.slo_attained = 0.9991,
	.burn_rate_fast = 0.9,
	.burn_rate_slow = 0.8,
};

static const struct plan fake_whole = {
	.planned_mcpu = 1300,
	.left_mcpu = {1240, 620},
	.left_bytes = {3584 * (double)MIB, 3072 * (double)MIB},
	.left_bits_per_s = {{80e6, 20e6}, {NAN, NAN}},
	.n_links = 2,
};
static const struct policy_host fake_host = {
	.links = {{.interface = "eth0"}, {.interface = "eth1"}},
	.n_links = 2,
};

void agent_view(struct agent *a, struct view_agent *ret)
{
	static const char *const lines[] = {"history: disk full, 12 records lost"};

	*ret = (struct view_agent){
		.enforce = true,
		.keeper_pid = 4242,
		.worker_pid = 4243,
		.uptime_s = 7325,
		.degraded = lines,
		.n_degraded = 1,
		.n_services = fake_n_services,
		.db_path = "/var/lib/foreshape/history.db",
		.policies_dir = "/etc/foreshape/policies.d",
		.history_lost = 12,
		.plan = &fake_whole,
		.host = &fake_host,
	};
}

static const struct view_service fake_services[] = {
	{
		.name = "checkout",
		.tier = "gold",
		.effective_tier = "gold",
		.cgroup = "/shop/checkout",
		.owner = "foreshape",
		.present = true,
		.attached = true,
		.cpu_usage_mcpu = 812.4,
		.throttled_ratio = 0.01,
		.cpu_limit_mcpu = UNLIMITED,
		.cpu_weight = 400,
		.memory_usage_bytes = 222298112,
		.memory_limit_bytes = UINT64_C(2) << 30,
		.memory_high_bytes = UNLIMITED,
		.tx_bits_per_s = 12100000,
		.tx_limit_bits_per_s = UNLIMITED,
		.plan = &fake_plan,
		.n_slos = 2,
	},
	{
		.name = "batch-of-a-very-long-name-that-does-not-fit-on-any-screen-of-80",
		.tier = "bronze",
		.effective_tier = "bronze",
		.cgroup = "/shop/batch",
		.owner = "other",
		.cpu_usage_mcpu = NAN,
		.throttled_ratio = NAN,
		.cpu_limit_mcpu = 500,
		.memory_usage_bytes = NAN,
		.memory_limit_bytes = UNLIMITED,
		.memory_high_bytes = UNLIMITED,
		.tx_bits_per_s = NAN,
		.tx_limit_bits_per_s = 20000000,
		.yielded = 1u << KNOB_CPU_MAX,
	},
};

void agent_view_service(struct agent *a, size_t i, struct view_service *ret)
{
	*ret = fake_services[i % ARRAY_SIZE(fake_services)];
}

/* By API, the service's own first; "other" is held to that. */
static const struct view_slo fake_slos[] = {
	{NULL, 0.999, 200000, 3600, 0.9991, 0.9, 0.8},
	{"POST /v1/orders/{id}", 0.9995, 100000, 3600, 0.9993, NAN, 1.4},
	{"other", 0.999, 200000, 3600, NAN, NAN, NAN},
};

void agent_view_slo(struct agent *a, size_t i, size_t slo, struct view_slo *ret)
{
	*ret = fake_slos[slo];
}

bool agent_view_api_slo(struct agent *a, size_t i, int api, struct view_slo *ret)
{
	*ret = fake_slos[api + 1];
	return i == 0;
}

size_t agent_n_apis(struct agent *a, size_t i)
{
	return 2;
}

void agent_view_api(struct agent *a, size_t i, size_t api, struct view_api *ret)
{
	static const struct view_latency none = {NAN, NAN, NAN, NAN, NAN, NAN};

	*ret = (struct view_api){
		.service = fake_services[i % ARRAY_SIZE(fake_services)].name,
		.route = "POST /v1/orders/{id}",
		.requests = 1234567,
		.responses = {0, 1230000, 0, 4000, 500},
		.aborted = 60,
		.errors = 560,
		.bytes_in = 987654321,
		.bytes_out = 12345678901,
		.in_flight = 7,
		.rate_per_s = 2041.5,
		.ttfb_us = {300, 900, 4100, 9000, 450.5, 12000},
		.total_us = {350, 1200, 5100, 10000, 600, 2100000},
		.cpu_us_per_request = 412.25,
	};
	if (api == 1) {
		ret->route = "other";
		ret->ttfb_us = ret->total_us = none;
		ret->cpu_us_per_request = NAN;
		ret->requests = ret->errors = ret->aborted = 0;
		ret->rate_per_s = 0;
	}
}

bool agent_view_knob(struct agent *a, size_t i, enum knob knob, struct view_knob *ret)
{
	static const struct plan_entry entry = {
		.knob = KNOB_CPU_MAX,
		.reason = REASON_FORECAST_RAISE,
		.value = 1300,
		.before = 1000,
		.change = true,
		.refused = 1u << REFUSAL_STEP | 1u << REFUSAL_CEILING,
		.policy = {"checkout.yaml", 14, 3},
		.n_inputs = 2,
		.inputs = {{"demand_q99_mcpu", 1200.5}, {"target_utilisation", 0.7}},
	};

	if (knob != KNOB_CPU_MAX)
		return false;
	*ret = (struct view_knob){
		.entry = &entry,
		.value = 1300,
		.known = true,
		.baseline_known = true,
		.baseline = UNLIMITED,
		.supported = true,
		.decision_id = 77,
	};
	return true;
}

void agent_view_unseen(struct agent *a, uint64_t *counts, uint64_t *unseen_listeners)
{
	for (int i = 0; i < FSH_UNSEEN_COUNT; i++)
		counts[i] = 0;
	counts[FSH_UNSEEN_TLS] = 41;
	*unseen_listeners = 1;
}

size_t agent_view_horizons(struct agent *a, const uint64_t **ret)
{
	static const uint64_t horizons_ns[] = {45 * NS_PER_S, 7200 * NS_PER_S};

	*ret = horizons_ns;
	return ARRAY_SIZE(horizons_ns);
}

int agent_find(struct agent *a, const char *name)
{
	for (size_t i = 0; i < MIN(fake_n_services, ARRAY_SIZE(fake_services)); i++)
		if (streq(fake_services[i].name, name))
			return (int)i;
	return -ENOENT;
}

struct controller *agent_controller(struct agent *a)
{
	return NULL;
}

int controller_forecast(const struct controller *c, uint32_t service, int api, uint64_t horizon_ns,
			struct forecast_point *points, size_t max, struct series_report *report)
{
	if (service != 0)
		return 0;
	*report = (struct series_report){
		.n_models = 2,
		.models = {{"ets", 0.75, 20.5}, {"last", 0.25, 30}},
		.n_periods = 1,
		.periods = {20},
		.coverage80 = 0.81,
		.coverage90 = 0.9,
		.coverage98 = NAN,
		.loss = 19,
	};
	points[0] = (struct forecast_point){horizon_ns / 2, fake_plan.demand_mcpu};
	points[1] = (struct forecast_point){horizon_ns, fake_plan.demand_mcpu};
	return 2;
}

int controller_demand(const struct controller *c, uint32_t service, enum demand_kind kind,
		      enum demand_resource resource, struct demand_report *ret)
{
	const struct forecast *all[DEMAND_RESOURCES] = {
		&fake_plan.demand_mcpu, &fake_plan.demand_bytes, &fake_plan.demand_bits_per_s};

	if (service != 0 || (resource == DEMAND_MEMORY && kind == DEMAND_MEAN))
		return 0;
	*ret = (struct demand_report){
		.f = *all[resource],
		.coverage80 = 0.79,
		.coverage90 = 0.91,
		.judged = 400,
		.experts = {{0.25, 0.02}, {0.75, 0.01}, {0, NAN}},
	};
	return 1;
}

uint64_t controller_lead_ns(const struct controller *c, uint32_t service)
{
	return 30 * NS_PER_S;
}

int controller_lead(const struct controller *c, uint32_t service, struct lead_report *ret)
{
	*ret = (struct lead_report){
		.lead_ns = 45 * NS_PER_S,
		.is_auto = true,
		.learned = {[WARMUP_START] = {40, 42, 3, 0}},
	};
	return 0;
}

int controller_past(const struct controller *c, uint32_t service, int api, uint64_t horizon_ns,
		    double *values, size_t max, struct forecast_past *ret)
{
	size_t n = MIN(max, 900);

	*ret = (struct forecast_past){.step_ns = NS_PER_S, .measured = 7200, .steps_ahead = 450};
	for (size_t i = 0; i < n; i++)
		values[i] = i % 100 == 50 ? NAN : 700 + (double)(i % 20);
	return (int)n;
}

#define FAKE_ASKED(...) (void)snprintf(fake_asked, sizeof(fake_asked), __VA_ARGS__)

int agent_reload(struct agent *a, struct err *e)
{
	FAKE_ASKED("reload");
	return 0;
}

int agent_mode(struct agent *a, bool enforce, uint64_t for_ns, struct err *e)
{
	FAKE_ASKED("mode %d %llu", enforce, (unsigned long long)for_ns);
	return 0;
}

int agent_freeze(struct agent *a, uint64_t for_ns, struct err *e)
{
	FAKE_ASKED("freeze %llu", (unsigned long long)for_ns);
	return 0;
}

int agent_adopt(struct agent *a, const char *service, struct err *e)
{
	FAKE_ASKED("adopt %s", service);
	return 0;
}

int agent_yield(struct agent *a, const char *service, struct err *e)
{
	FAKE_ASKED("yield %s", service ? service : "(all)");
	return 0;
}

int agent_event_add(struct agent *a, const char *service, const char *name, int64_t starts_real_ns,
		    uint64_t lasts_ns, double multiplier, int64_t *id, struct err *e)
{
	FAKE_ASKED("event %s %s", service ? service : "(all)", name);
	*id = 9;
	return 0;
}

int agent_event_remove(struct agent *a, int64_t id, struct err *e)
{
	if (id != 9)
		return err_say(e, -ENOENT, "no event %lld", (long long)id);
	FAKE_ASKED("no event");
	return 0;
}

size_t agent_n_events(struct agent *a)
{
	return 1;
}

void agent_view_event(struct agent *a, size_t i, struct view_event *ret)
{
	*ret = (struct view_event){
		9, "checkout", "sale", INT64_C(1800000000000000000), 3600 * NS_PER_S, NAN};
}

int agent_restore(struct agent *a, const char *service,
		  void (*done)(void *arg, unsigned int restored, unsigned int refused), void *arg,
		  struct err *e)
{
	FAKE_ASKED("restore %s", service ? service : "(all)");
	if (fake_restore_waits) {
		fake_done = done;
		fake_done_arg = arg;
	} else {
		done(arg, 3, 1);
	}
	return 0;
}

#endif
