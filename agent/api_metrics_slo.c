// SPDX-License-Identifier: GPL-2.0-or-later
/* api_metrics_slo.c - how every service and API keeps its objective, as Prometheus text. */
#include <math.h>
#include <stddef.h>

#include "agent/api_metrics.h"

struct slo_metric {
	const char *name, *help, *window; /* a label; NULL: none */
	size_t at;                        /* of a double in struct view_slo */
};

#define AT(field) offsetof(struct view_slo, field)

/* clang-format off */
/* Rows of one name follow each other: the first one has the help. */
static const struct slo_metric rows[] = {
	{ "slo_objective_ratio", "Share of requests the objective asks for; without a route: of all of the service.",
	  NULL, AT(objective) },
	{ "slo_attained_ratio", "Share of requests over the objective's window that met it.", NULL, AT(attained) },
	{ "slo_burn_rate", "How fast the error budget is used, 1 uses it up exactly: over the last twelfth of the "
	  "objective's window (fast) and over all of it (slow).", "fast", AT(burn_fast) },
	{ "slo_burn_rate", NULL, "slow", AT(burn_slow) },
};
/* clang-format on */

static void print_slo(FILE *out, const struct slo_metric *m, const char *service,
		      const struct view_slo *slo)
{
	double value = *(const double *)((const char *)slo + m->at);

	if (!isfinite(value))
		return;
	fprintf(out, "foreshape_%s{", m->name);
	metrics_label(out, "service", service);
	if (slo->route) {
		fputc(',', out);
		metrics_label(out, "route", slo->route);
	}
	if (m->window) {
		fputc(',', out);
		metrics_label(out, "window", m->window);
	}
	fputc('}', out);
	metrics_value(out, value);
}

static void print_service(struct metrics_text *t, const struct slo_metric *m, size_t i)
{
	int n = (int)agent_n_apis(t->agent, i);
	struct view_service s = {};
	struct view_slo slo;

	agent_view_service(t->agent, i, &s);
	for (int api = -1; api < n; api++)
		if (agent_view_api_slo(t->agent, i, api, &slo))
			print_slo(t->out, m, s.name, &slo);
}

void metrics_slos(struct metrics_text *t)
{
	struct view_agent a = {};

	agent_view(t->agent, &a);
	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		if (rows[k].help)
			metrics_head(t->out, rows[k].name, "gauge", rows[k].help);
		for (size_t i = 0; i < a.n_services; i++)
			print_service(t, &rows[k], i);
	}
}
