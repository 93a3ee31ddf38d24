// SPDX-License-Identifier: GPL-2.0-or-later
/* api_metrics.c - Prometheus text: of the agent, and a table row a metric of services. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/api_call.h"
#include "agent/api_metrics.h"
#include "agent/base/util.h"
#include "bpf/abi.h"

/* A label's value: backslash, quote and newline are escaped. */
void metrics_label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (; value && *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '\\' || *value == '"')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value, out);
	}
	fputc('"', out);
}

void metrics_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP foreshape_%s %s\n# TYPE foreshape_%s %s\n", name, help, name, type);
}

void metrics_value(FILE *out, double v)
{
	if (v == floor(v) && fabs(v) < 1e15)
		fprintf(out, " %.0f\n", v);
	else
		fprintf(out, " %.9g\n", v);
}

void metrics_plain(FILE *out, const char *name, const char *type, const char *help, double v)
{
	metrics_head(out, name, type, help);
	fprintf(out, "foreshape_%s", name);
	metrics_value(out, v);
}

struct service_metric {
	const char *name, *help;
	double (*value)(const struct view_service *s); /* NAN: no sample */
};

static double limit_of(uint64_t v, double unit)
{
	return v == UNLIMITED ? INFINITY : (double)v / unit;
}

static double service_cpu(const struct view_service *s)
{
	return s->cpu_usage_mcpu / (double)MCPU;
}

static double service_cpu_limit(const struct view_service *s)
{
	return limit_of(s->cpu_limit_mcpu, (double)MCPU);
}

static double service_cpu_planned(const struct view_service *s)
{
	return s->plan ? s->plan->planned_mcpu / (double)MCPU : NAN;
}

static double service_cpu_short(const struct view_service *s)
{
	return s->plan ? s->plan->short_mcpu / (double)MCPU : NAN;
}

static double service_cpu_demand(const struct view_service *s)
{
	return s->plan ? forecast_at(&s->plan->demand_mcpu, 0.99) / (double)MCPU : NAN;
}

static double service_memory_demand(const struct view_service *s)
{
	return s->plan ? forecast_at(&s->plan->demand_bytes, 0.99) : NAN;
}

static double service_sent_demand(const struct view_service *s)
{
	return s->plan ? forecast_at(&s->plan->demand_bits_per_s, 0.99) / (double)BITS_BYTE : NAN;
}

static double service_throttled(const struct view_service *s)
{
	return s->throttled_ratio;
}

static double service_memory(const struct view_service *s)
{
	return s->memory_usage_bytes;
}

static double service_working_set(const struct view_service *s)
{
	return s->plan ? s->plan->working_set_bytes : NAN;
}

static double service_memory_limit(const struct view_service *s)
{
	return limit_of(s->memory_limit_bytes, 1);
}

static double service_sent(const struct view_service *s)
{
	return s->tx_bits_per_s / (double)BITS_BYTE;
}

static double service_sent_limit(const struct view_service *s)
{
	return limit_of(s->tx_limit_bits_per_s, (double)BITS_BYTE);
}

static double service_slo(const struct view_service *s)
{
	return s->plan ? s->plan->slo_attained : NAN;
}

static double service_burn(const struct view_service *s)
{
	return s->plan ? s->plan->burn_rate_fast : NAN;
}

static double service_attached(const struct view_service *s)
{
	return s->attached;
}

/* clang-format off */
static const struct service_metric service_rows[] = {
	{ "service_cpu_cores", "CPU in use.", service_cpu },
	{ "service_cpu_limit_cores", "CPU limit in force.", service_cpu_limit },
	{ "service_cpu_planned_cores", "CPU the plan reserves.", service_cpu_planned },
	{ "service_cpu_short_cores", "CPU forecast for gold or silver that the host does not have.",
	  service_cpu_short },
	{ "service_cpu_demand_cores", "Forecast peak CPU over the lead horizon, quantile 0.99.", service_cpu_demand },
	{ "service_cpu_throttled_ratio", "Share of CPU periods throttled.", service_throttled },
	{ "service_memory_bytes", "Memory in use.", service_memory },
	{ "service_working_set_bytes", "Memory in use that is not idle file cache.", service_working_set },
	{ "service_memory_demand_bytes", "Forecast peak working set over the lead horizon, quantile 0.99.", service_memory_demand },
	{ "service_memory_limit_bytes", "Memory limit in force.", service_memory_limit },
	{ "service_sent_bytes_per_second", "Network bytes sent.", service_sent },
	{ "service_sent_demand_bytes_per_second", "Forecast peak of bytes sent over the lead horizon, quantile 0.99.", service_sent_demand },
	{ "service_sent_limit_bytes_per_second", "Network limit in force.", service_sent_limit },
	{ "service_slo_attained_ratio", "Share of requests within the objective's latency.", service_slo },
	{ "service_slo_burn_rate", "The fast burn rate of the service or the API that uses up its error budget fastest.", service_burn },
	{ "service_attached", "1 when the service's packets are counted.", service_attached },
};
/* clang-format on */

static void print_service_value(FILE *out, const char *metric, const char *service, double v)
{
	fprintf(out, "foreshape_%s{", metric);
	metrics_label(out, "service", service);
	fputc('}', out);
	if (isinf(v))
		fprintf(out, " +Inf\n");
	else
		metrics_value(out, v);
}

static void print_services(struct metrics_text *t, size_t n)
{
	for (size_t m = 0; m < ARRAY_SIZE(service_rows); m++) {
		metrics_head(t->out, service_rows[m].name, "gauge", service_rows[m].help);
		for (size_t i = 0; i < n; i++) {
			struct view_service s = {};
			double v;

			agent_view_service(t->agent, i, &s);
			v = service_rows[m].value(&s);
			if (!isnan(v))
				print_service_value(t->out, service_rows[m].name, s.name, v);
		}
	}
}

static void print_coverage(struct metrics_text *t, size_t n)
{
	static const char *const names[DEMAND_RESOURCES] = {"cpu", "memory", "bandwidth"};

	metrics_head(t->out, "service_demand_coverage_ratio", "gauge",
		     "Share of peaks over the lead horizon that the interval of 0.9 held.");
	for (size_t i = 0; i < n; i++) {
		struct view_service s = {};

		agent_view_service(t->agent, i, &s);
		for (int k = 0; k < DEMAND_RESOURCES; k++) {
			struct demand_report r;

			if (controller_demand(agent_controller(t->agent), (uint32_t)i, DEMAND_PEAK,
					      (enum demand_resource)k, &r) <= 0 ||
			    isnan(r.coverage90))
				continue;
			fprintf(t->out, "foreshape_service_demand_coverage_ratio{");
			metrics_label(t->out, "service", s.name);
			fprintf(t->out, ",resource=\"%s\"}", names[k]);
			metrics_value(t->out, r.coverage90);
		}
	}
}

static void print_unattributed(struct metrics_text *t)
{
	static const char *const names[FSH_UNSEEN_COUNT] = {
#define X(id, name) [FSH_UNSEEN_##id] = name,
		FSH_UNSEEN(X)
#undef X
	};
	uint64_t counts[FSH_UNSEEN_COUNT] = {}, listeners = 0;

	agent_view_unseen(t->agent, counts, &listeners);
	metrics_head(t->out, "unattributed_total", "counter",
		     "What was not attributed to an API, by reason.");
	for (size_t i = 0; i < FSH_UNSEEN_COUNT; i++) {
		fprintf(t->out, "foreshape_unattributed_total{reason=\"%s\"}", names[i]);
		metrics_value(t->out, (double)counts[i]);
	}
	metrics_plain(t->out, "unseen_listeners", "gauge",
		      "Listening sockets older than their process's move into the cgroup.",
		      (double)listeners);
}

static void print_agent(struct metrics_text *t, const struct view_agent *v)
{
	metrics_plain(t->out, "enforcing", "gauge",
		      "1 when limits are written, 0 when only planned.", v->enforce);
	metrics_plain(t->out, "frozen", "gauge", "1 while changes are frozen.",
		      v->frozen_until_real_ns != 0);
	metrics_plain(t->out, "degraded_lines", "gauge", "Things that do not work as they should.",
		      (double)v->n_degraded);
	metrics_plain(t->out, "uptime_seconds", "gauge", "Since the agent was started.",
		      v->uptime_s);
	metrics_plain(t->out, "history_lost_total", "counter",
		      "Records that history could not keep.", (double)v->history_lost);
}

void api_metrics(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	struct metrics_text t = {.agent = a};
	struct view_agent v = {};
	size_t size;

	t.out = open_memstream(&ret->text, &size);
	if (!t.out) {
		api_refuse(ret, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
		return;
	}
	agent_view(a, &v);
	print_agent(&t, &v);
	metrics_host(t.out, &v);
	print_unattributed(&t);
	print_services(&t, v.n_services);
	print_coverage(&t, v.n_services);
	metrics_apis(&t);
	metrics_slos(&t);
	if (fclose(t.out) != 0) {
		free(ret->text);
		ret->text = NULL;
		api_refuse(ret, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
	}
}
