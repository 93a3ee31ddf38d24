// SPDX-License-Identifier: GPL-2.0-or-later
/* record.c - what goes into history: samples, decisions, forecasts, events. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "agent/decision_text.h"
#include "agent/log.h"
#include "agent/worker/worker.h"

#define MODELS_TICKS ((uint64_t)S_PER_H) /* between records of what models weigh */
#define LEAST_WEIGHT 0.01                /* that is recorded */

static int64_t real_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * (int64_t)NS_PER_S + t.tv_nsec;
}

void record_event(struct agent *a, const char *kind, const char *service, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (streq(kind, "error"))
		log_warning("%s%s%s", service ? service : "", service ? ": " : "", text);
	store_event(a->store, real_ns(), kind, service, text);
}

static void service_sample(struct agent *a, size_t i)
{
	const struct worker_service *s = &a->services[i];
	const struct tick_service *t = &s->tick;
	double us = (double)a->input.interval_ns / 1e3;
	struct store_sample row = {
		.at_real_ns = a->input.now_real_ns,
		.service = s->policy->name,
		.cpu_mcpu = NAN,
		.throttled_ratio = NAN,
		.memory_bytes = NAN,
		.psi_cpu = NAN,
		.psi_memory = NAN,
		.psi_io = NAN,
		.working_set_bytes = NAN,
		.tx_bits_per_s = s->tx_bits_per_s,
	};

	if (t->missing & MISSING_ALL)
		return;
	if (!(t->missing & MISSING_CPU)) {
		row.cpu_mcpu = (double)t->cpu_usage_us * (double)MCPU / us;
		row.throttled_ratio =
			t->nr_periods ? (double)t->nr_throttled / (double)t->nr_periods : 0;
	}
	if (!(t->missing & MISSING_MEMORY)) {
		row.memory_bytes = (double)t->memory_bytes;
		row.working_set_bytes = a->plan->services[i].working_set_bytes;
	}
	if (!(t->missing & MISSING_PSI)) {
		row.psi_cpu = (double)t->psi_cpu_some_us / us;
		row.psi_memory = (double)t->psi_memory_some_us / us;
		row.psi_io = (double)t->psi_io_some_us / us;
	}
	store_sample(a->store, &row);
}

/* Since the last sample that was kept of this API. */
static void responses(struct agent *a, const struct worker_service *s, size_t api,
		      struct store_sample *ret)
{
	struct window *w = &s->windows[api];
	struct counters_totals t;

	counters_read(a->counters, s->rows[api], &t);
	for (int i = 0; i < 5; i++) {
		ret->responses[i] = t.responses[i] - w->responses[i];
		w->responses[i] = t.responses[i];
	}
	ret->aborted = s->apis[api].errors - MIN(s->apis[api].errors, ret->responses[4]);
}

static void api_sample(struct agent *a, const struct worker_service *s, size_t i, size_t api)
{
	const struct tick_api *t = &s->apis[api];
	struct store_sample row = {.at_real_ns = a->input.now_real_ns,
				   .service = s->policy->name,
				   .route = s->routes[api]};
	struct view_api v;

	if (!t->requests && !t->finished) /* idle APIs are not stored */
		return;
	agent_view_api(a, i, api, &v);
	row.requests = t->requests;
	row.bytes_in = t->bytes_in;
	row.bytes_out = t->bytes_out;
	row.in_flight = t->in_flight;
	row.ttfb_p50_us = v.ttfb_us.p50;
	row.ttfb_p99_us = v.ttfb_us.p99;
	row.total_p50_us = v.total_us.p50;
	row.total_p99_us = v.total_us.p99;
	row.cpu_us_per_request = v.cpu_us_per_request;
	row.cpu_mcpu = row.throttled_ratio = row.memory_bytes = NAN;
	row.tx_bits_per_s = row.psi_cpu = row.psi_memory = row.psi_io = NAN;
	row.working_set_bytes = NAN;
	responses(a, s, api, &row);
	store_sample(a->store, &row);
}

/* How the models of a series share the word at the horizon of @row; those without a say are left
 * out.
 */
static void models_of(struct agent *a, const struct store_forecast *row,
		      const struct series_report *report)
{
	for (size_t m = 0; m < report->n_models; m++) {
		if (report->models[m].weight < LEAST_WEIGHT)
			continue;
		store_forecast_model(
			a->store, &(struct store_forecast_model){.at_real_ns = row->at_real_ns,
								 .service = row->service,
								 .series = row->series,
								 .horizon_ns = row->horizon_ns,
								 .model = report->models[m].name,
								 .weight = report->models[m].weight,
								 .loss = report->models[m].loss});
	}
}

/* @api -1: the service's CPU. */
static void forecasts_of(struct agent *a, uint32_t i, int api)
{
	bool with_models = a->n_ticks % MODELS_TICKS == WORKER_MINUTE_TICKS;
	const struct policy_host *host = &a->set->host;
	const struct worker_service *s = &a->services[i];

	for (size_t h = 0; h < host->n_horizons; h++) {
		struct forecast_point p[64];
		struct store_forecast row = {.at_real_ns = a->input.now_real_ns,
					     .service = s->policy->name,
					     .series = api < 0 ? "cpu_mcpu" : s->routes[api],
					     .horizon_ns = host->horizons_ns[h]};
		struct series_report report = {};
		int n = controller_forecast(a->controller, i, api, host->horizons_ns[h], p,
					    ARRAY_SIZE(p), with_models ? &report : NULL);

		if (n <= 0)
			continue;
		row.f = &p[n - 1].f;
		store_forecast(a->store, &row);
		models_of(a, &row, &report);
	}
}

static void demand_of(struct agent *a, uint32_t i)
{
	static const char *const columns[DEMAND_RESOURCES] = {
		[DEMAND_CPU] = "cpu_mcpu",
		[DEMAND_MEMORY] = "memory_bytes",
		[DEMAND_BANDWIDTH] = "tx_bits_per_s",
	};
	struct demand_report r;

	for (int k = 0; k < DEMAND_RESOURCES; k++) {
		if (controller_demand(a->controller, i, DEMAND_PEAK, (enum demand_resource)k, &r) <=
		    0)
			continue;
		store_demand(a->store,
			     &(struct store_demand){.at_real_ns = a->input.now_real_ns,
						    .service = a->services[i].policy->name,
						    .resource = columns[k],
						    .lead_ns = controller_lead_ns(a->controller, i),
						    .weight_apis = r.experts[DEMAND_APIS].weight,
						    .f = &r.f});
	}
}

static void objectives_of(struct agent *a, uint32_t i)
{
	struct view_service v;

	agent_view_service(a, i, &v);
	for (size_t k = 0; k < v.n_slos; k++) {
		struct view_slo slo;

		agent_view_slo(a, i, k, &slo);
		store_slo(a->store, &(struct store_slo){.at_real_ns = a->input.now_real_ns,
							.service = v.name,
							.route = slo.route,
							.objective = slo.objective,
							.latency_us = slo.latency_us,
							.attained = slo.attained,
							.burn_rate = slo.burn_fast});
	}
}

static void record_minute(struct agent *a)
{
	for (uint32_t i = 0; i < a->n_services; i++) {
		const struct worker_service *s = &a->services[i];

		objectives_of(a, i);
		demand_of(a, i);
		forecasts_of(a, i, -1);
		for (size_t k = 0; k <= s->n_apis; k++)
			if (s->windows[k].requests)
				forecasts_of(a, i, (int)k);
	}
}

void record_second(struct agent *a)
{
	for (size_t i = 0; i < a->n_services; i++) {
		struct worker_service *s = &a->services[i];

		service_sample(a, i);
		for (size_t k = 0; a->counters && k <= s->n_apis; k++)
			api_sample(a, s, i, k);
	}
	record_anomalies(a);
	alerts_watch(a);
	if (a->n_ticks % WORKER_MINUTE_TICKS == 0)
		record_minute(a);
	models_save(&a->models, a->controller, a->store, a->last_tick_mono_ns,
		    a->input.now_real_ns);
}

/* While observing, the same unwritten wish would come every second: one record is enough. */
static bool seen_before(struct agent *a, const struct worker_service *s,
			const struct plan_entry *entry)
{
	double last = (double)s->last_value[entry->knob];

	return !a->enforce && s->decision_id[entry->knob] &&
	       s->last_reason[entry->knob] == entry->reason &&
	       fabs((double)entry->value - last) <= a->set->host.deadband * last;
}

int64_t record_decision(struct agent *a, const struct plan_entry *entry)
{
	struct worker_service *s = &a->services[entry->service];
	_cleanup_(freep) char *inputs = NULL;
	_cleanup_(freep) char *refused = NULL;
	char policy[POLICY_PATH_MAX + 16] = "default";

	if (seen_before(a, s, entry))
		return s->decision_id[entry->knob];
	inputs = decision_inputs(entry);
	refused = decision_refused(entry->refused);
	if (entry->policy.file)
		(void)snprintf(policy, sizeof(policy), "%s:%u", entry->policy.file,
			       entry->policy.line);
	s->decision_id[entry->knob] =
		store_decision(a->store, &(struct store_decision){
						 .at_real_ns = real_ns(),
						 .service = s->policy->name,
						 .knob = knob_rows[entry->knob].name,
						 .reason = reason_rows[entry->reason].name,
						 .mode = a->enforce ? "enforce" : "observe",
						 .before = entry->before,
						 .value = entry->value,
						 .inputs_json = inputs ? inputs : "{}",
						 .refused_json = refused ? refused : "[]",
						 .policy = policy,
					 });
	s->last_value[entry->knob] = entry->value;
	s->last_reason[entry->knob] = entry->reason;
	return s->decision_id[entry->knob];
}
