// SPDX-License-Identifier: GPL-2.0-or-later
/* api_metrics_apis.c - the counters of every API as Prometheus text: one table row a metric. */
#include <math.h>
#include <stddef.h>

#include "agent/api_metrics.h"
#include "agent/base/util.h"

struct api_metric {
	const char *name, *type, *help;
	double (*value)(const struct view_api *v);
};

static double api_requests(const struct view_api *v)
{
	return (double)v->requests;
}

static double api_aborted(const struct view_api *v)
{
	return (double)v->aborted;
}

static double api_errors(const struct view_api *v)
{
	return (double)v->errors;
}

static double api_bytes_in(const struct view_api *v)
{
	return (double)v->bytes_in;
}

static double api_bytes_out(const struct view_api *v)
{
	return (double)v->bytes_out;
}

static double api_in_flight(const struct view_api *v)
{
	return (double)v->in_flight;
}

static double api_cpu_seconds(const struct view_api *v)
{
	return v->cpu_us_per_request / (double)US_PER_S;
}

/* clang-format off */
static const struct api_metric rows_of_api[] = {
	{ "api_requests_total", "counter", "Requests that arrived.", api_requests },
	{ "api_aborted_total", "counter", "Requests that were never fully answered.", api_aborted },
	{ "api_errors_total", "counter", "Requests answered 5xx or aborted.", api_errors },
	{ "api_received_bytes_total", "counter", "TCP payload of requests, without retransmits.", api_bytes_in },
	{ "api_sent_bytes_total", "counter", "TCP payload of responses, without retransmits.", api_bytes_out },
	{ "api_in_flight", "gauge", "Requests being answered.", api_in_flight },
	{ "api_cpu_seconds_per_request", "gauge", "CPU time of one request, learned.", api_cpu_seconds },
};
/* clang-format on */

typedef void (*each_api)(struct metrics_text *t, const struct view_api *v, const void *arg);

static void for_each_api(struct metrics_text *t, each_api each, const void *arg)
{
	struct view_agent a = {};
	struct view_api v;

	agent_view(t->agent, &a);
	for (size_t i = 0; i < a.n_services; i++) {
		size_t n = agent_n_apis(t->agent, i);

		for (size_t k = 0; k < n; k++) {
			agent_view_api(t->agent, i, k, &v);
			each(t, &v, arg);
		}
	}
}

static void open_api_labels(FILE *out, const char *name, const struct view_api *v)
{
	fprintf(out, "foreshape_%s{", name);
	metrics_label(out, "service", v->service);
	fputc(',', out);
	metrics_label(out, "route", v->route);
}

static void print_api_metric(struct metrics_text *t, const struct view_api *v, const void *arg)
{
	const struct api_metric *m = arg;
	double value = m->value(v);

	if (!isfinite(value))
		return;
	open_api_labels(t->out, m->name, v);
	fputc('}', t->out);
	metrics_value(t->out, value);
}

static void print_responses(struct metrics_text *t, const struct view_api *v, const void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(v->responses); i++) {
		open_api_labels(t->out, "api_responses_total", v);
		fprintf(t->out, ",class=\"%zuxx\"}", i + 1);
		metrics_value(t->out, (double)v->responses[i]);
	}
}

static void print_latency(struct metrics_text *t, const struct view_api *v, const void *arg)
{
	static const struct {
		const char *q;
		size_t at;
	} rows[] = {
		{"0.5", offsetof(struct view_latency, p50)},
		{"0.9", offsetof(struct view_latency, p90)},
		{"0.99", offsetof(struct view_latency, p99)},
		{"0.999", offsetof(struct view_latency, p999)},
	};
	const char *name = arg;
	const struct view_latency *l = streq(name, "api_ttfb_seconds") ? &v->ttfb_us : &v->total_us;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		double us = *(const double *)((const char *)l + rows[i].at);

		if (!isfinite(us))
			continue;
		open_api_labels(t->out, name, v);
		fprintf(t->out, ",q=\"%s\"}", rows[i].q);
		metrics_value(t->out, us / (double)US_PER_S);
	}
}

void metrics_apis(struct metrics_text *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows_of_api); i++) {
		const struct api_metric *m = &rows_of_api[i];

		metrics_head(t->out, m->name, m->type, m->help);
		for_each_api(t, print_api_metric, m);
	}
	metrics_head(t->out, "api_responses_total", "counter", "Final responses by status class.");
	for_each_api(t, print_responses, NULL);
	metrics_head(t->out, "api_ttfb_seconds", "gauge",
		     "First byte in to first byte out, quantile q over the last 60 s.");
	for_each_api(t, print_latency, "api_ttfb_seconds");
	metrics_head(t->out, "api_latency_seconds", "gauge",
		     "First byte in to last byte out, quantile q over the last 60 s.");
	for_each_api(t, print_latency, "api_latency_seconds");
}
