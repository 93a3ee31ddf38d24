// SPDX-License-Identifier: GPL-2.0-or-later
/* views.c - the worker's state as its HTTP interface shows it. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "agent/worker/worker.h"

static void degrade(struct agent *a, const char *text)
{
	if (!text || !*text || a->n_degraded == WORKER_MAX_DEGRADED)
		return;
	(void)copy_str(a->degraded[a->n_degraded], sizeof(a->degraded[0]), text);
	a->degraded_list[a->n_degraded] = a->degraded[a->n_degraded];
	a->n_degraded++;
}

static uint64_t unseen_listeners(const struct agent *a)
{
	uint64_t n = 0;

	for (size_t i = 0; i < a->n_services; i++)
		n += a->services[i].unseen_listeners;
	return n;
}

static void find_degraded(struct agent *a)
{
	uint64_t unseen = unseen_listeners(a);
	char text[160];

	a->n_degraded = 0;
	degrade(a, store_degraded(a->store));
	degrade(a, a->packets_problem);
	degrade(a, a->policy_problem);
	degrade(a, a->write_problem);
	degrade(a, a->memory_alert.on ? a->memory_alert.text : NULL);
	for (size_t i = 0; i < a->n_services; i++)
		degrade(a, a->services[i].alert.on ? a->services[i].alert.text : NULL);
	if (!a->n_services)
		degrade(a, "no policies: observing nothing; write one, then 'foreshape reload'");
	if (a->mode.enforce && !a->enforce)
		degrade(a, "not enforcing, as was asked for, before a policy is valid: then "
			   "'foreshape reload' goes on");
	if (unseen) {
		(void)snprintf(
			text, sizeof(text),
			"%llu listening sockets are older than their process's move into its "
			"cgroup: restart those services",
			(unsigned long long)unseen);
		degrade(a, text);
	}
}

void agent_view(struct agent *a, struct view_agent *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	find_degraded(a);
	*ret = (struct view_agent){
		.enforce = a->enforce,
		.mode_until_real_ns = a->mode.until_real_ns,
		.frozen_until_real_ns = a->mode.frozen_until_real_ns,
		.keeper_pid = a->conf.keeper_pid,
		.worker_pid = getpid(),
		.uptime_s = (double)((int64_t)now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec -
				     a->started_real_ns) /
			    1e9,
		.degraded = a->degraded_list,
		.n_degraded = a->n_degraded,
		.n_services = a->n_services,
		.db_path = a->conf.db_path,
		.policies_dir = a->conf.policies_dir,
		.history_lost = store_lost(a->store),
		.plan = a->plan,
		.host = &a->set->host,
	};
}

static uint64_t in_force(const struct worker_service *s, enum knob knob, uint64_t unknown)
{
	return s->tick.known & 1u << knob ? s->tick.knob[knob] : unknown;
}

static size_t count_slos(const struct policy_service *p)
{
	size_t n = p->slo.set;

	for (size_t i = 0; i < p->n_apis; i++)
		n += p->apis[i].slo.set;
	return n;
}

void agent_view_service(struct agent *a, size_t i, struct view_service *ret)
{
	const struct worker_service *s = &a->services[i];
	const struct plan_service *p = a->plan ? &a->plan->services[i] : NULL;
	bool cpu = s->present && !(s->tick.missing & MISSING_CPU) && p;

	*ret = (struct view_service){
		.name = s->policy->name,
		.tier = s->policy->auto_tier ? "auto" : tier_name(s->policy->tier),
		.effective_tier = tier_name(p ? p->effective_tier : s->policy->tier),
		.cgroup = s->cgroup,
		.owner = s->systemd ? "systemd" : "foreshape",
		.present = s->present,
		.attached = s->attached,
		.cpu_usage_mcpu = cpu ? p->cpu_usage_mcpu : NAN,
		.throttled_ratio = cpu ? p->throttled_ratio : NAN,
		.cpu_limit_mcpu = in_force(s, KNOB_CPU_MAX, UNLIMITED),
		.cpu_weight = in_force(s, KNOB_CPU_WEIGHT, 0),
		.memory_usage_bytes =
			s->tick.missing & MISSING_MEMORY ? NAN : (double)s->tick.memory_bytes,
		.memory_limit_bytes = in_force(s, KNOB_MEMORY_MAX, UNLIMITED),
		.memory_high_bytes = in_force(s, KNOB_MEMORY_HIGH, UNLIMITED),
		.tx_bits_per_s = s->attached ? s->tx_bits_per_s : NAN,
		.tx_limit_bits_per_s = in_force(s, KNOB_HTB_CEIL, UNLIMITED),
		.plan = p,
		.policy = s->policy,
		.n_slos = count_slos(s->policy),
		.yielded = s->tick.yielded,
	};
}

bool agent_view_api_slo(struct agent *a, size_t i, int api, struct view_slo *ret)
{
	const struct worker_service *s = &a->services[i];
	const struct policy_slo *p = &s->policy->slo;
	struct slo_view kept = {.attained = NAN, .burn_fast = NAN, .burn_slow = NAN};

	if (api >= 0 && (size_t)api < s->n_apis && s->policy->apis[api].slo.set)
		p = &s->policy->apis[api].slo;
	if (!p->set)
		return false;
	(void)controller_slo(a->controller, (uint32_t)i, api, &kept);
	*ret = (struct view_slo){
		.route = api < 0 ? NULL : s->routes[api],
		.objective = p->objective,
		.latency_us = p->latency_us,
		.window_s = p->window_s,
		.attained = kept.attained,
		.burn_fast = kept.burn_fast,
		.burn_slow = kept.burn_slow,
	};
	return true;
}

/* The API whose own objective is the service's number @slo, or -1: that of the service. */
static int api_of_slo(const struct policy_service *p, size_t slo)
{
	if (p->slo.set && slo-- == 0)
		return -1;
	for (size_t k = 0; k < p->n_apis; k++)
		if (p->apis[k].slo.set && slo-- == 0)
			return (int)k;
	return -1;
}

void agent_view_slo(struct agent *a, size_t i, size_t slo, struct view_slo *ret)
{
	(void)agent_view_api_slo(a, i, api_of_slo(a->services[i].policy, slo), ret);
}

size_t agent_n_apis(struct agent *a, size_t i)
{
	return a->services[i].n_apis + 1;
}

void agent_view_api(struct agent *a, size_t i, size_t api, struct view_api *ret)
{
	const struct worker_service *s = &a->services[i];
	struct counters_totals t = {};
	struct window_counts counts = {};

	if (a->counters && s->rows[api] != FSH_ROW_NONE) {
		counters_read(a->counters, s->rows[api], &t);
		if (t.requests)
			window_read(a->counters, s->rows[api], &counts);
	}
	*ret = (struct view_api){
		.service = s->policy->name,
		.route = s->routes[api],
		.requests = t.requests,
		.aborted = t.aborted,
		.errors = t.responses[4] + t.aborted,
		.bytes_in = t.bytes_in,
		.bytes_out = t.bytes_out,
		.in_flight = counters_in_flight(&t),
		.cpu_us_per_request = controller_cpu_us(a->controller, (uint32_t)i, (uint32_t)api),
	};
	memcpy(ret->responses, t.responses, sizeof(ret->responses));
	window_view(&s->windows[api], &counts, &ret->rate_per_s, &ret->ttfb_us, &ret->total_us);
}

static const struct plan_entry *entry_of(const struct agent *a, size_t i, enum knob knob)
{
	if (!a->plan)
		return NULL;
	for (size_t k = 0; k < a->plan->n_entries; k++)
		if (a->plan->entries[k].service == i && a->plan->entries[k].knob == knob)
			return &a->plan->entries[k];
	return NULL;
}

bool agent_view_knob(struct agent *a, size_t i, enum knob knob, struct view_knob *ret)
{
	const struct worker_service *s = &a->services[i];
	uint32_t bit = 1u << knob;

	*ret = (struct view_knob){
		.entry = entry_of(a, i, knob),
		.value = s->tick.knob[knob],
		.known = s->tick.known & bit,
		.baseline = s->tick.baseline[knob],
		.baseline_known =
			s->tick.baseline_known & bit && knob_rows[knob].kind != KNOB_TRIGGER,
		.yielded = s->tick.yielded & bit,
		.supported = services_knobs(s) & bit,
		.decision_id = s->decision_id[knob],
	};
	return ret->entry != NULL;
}

void agent_view_unseen(struct agent *a, uint64_t *counts, uint64_t *unseen_sockets)
{
	memset(counts, 0, FSH_UNSEEN_COUNT * sizeof(*counts));
	*unseen_sockets = unseen_listeners(a);
	for (size_t i = 0; a->counters && i < a->n_services; i++) {
		struct fsh_unseen_row row;

		counters_read_unseen(a->counters, a->services[i].number, &row);
		for (int k = 0; k < FSH_UNSEEN_COUNT; k++)
			counts[k] += row.count[k];
	}
}

size_t agent_view_horizons(struct agent *a, const uint64_t **ret)
{
	*ret = a->set->host.horizons_ns;
	return a->set->host.n_horizons;
}

int agent_find(struct agent *a, const char *name)
{
	for (size_t i = 0; i < a->n_services; i++)
		if (streq(a->services[i].policy->name, name))
			return (int)i;
	return -ENOENT;
}

struct controller *agent_controller(struct agent *a)
{
	return a->controller;
}
