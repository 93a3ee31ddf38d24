// SPDX-License-Identifier: GPL-2.0-or-later
/* anomalies.c - what does not belong in the services' CPU and requests, into history. */
#include "agent/worker/worker.h"
#include "forecast/anomaly.h"

static const char *const clock_names[WORKER_CLOCKS] = {"1 s", "1 min"};

/* Series @api of service @i (-1: its CPU); what was found before the first look is old. */
static void look(struct agent *a, uint32_t i, int api, struct worker_seen *seen)
{
	const struct worker_service *s = &a->services[i];
	const char *series = api < 0 ? "cpu_mcpu" : s->routes[api];

	for (unsigned int k = 0; k < WORKER_CLOCKS; k++) {
		struct series_anomaly found;
		bool is_new;

		if (controller_anomaly(a->controller, i, api, k, &found) < 0)
			continue;
		is_new = seen->known && found.count != seen->count[k];
		seen->count[k] = found.count;
		if (is_new)
			record_event(
				a, "anomaly", s->policy->name,
				"%s, %s steps: %s, severity %.2f, %.4g where %.4g was expected",
				series, clock_names[k], anomaly_rows[found.kind].name,
				found.severity, found.value, found.expected);
	}
	seen->known = true;
}

void record_anomalies(struct agent *a)
{
	for (uint32_t i = 0; i < a->n_services; i++) {
		struct worker_service *s = &a->services[i];

		for (size_t k = 0; k <= s->n_apis; k++)
			look(a, i, (int)k, &s->seen[k]);
		look(a, i, -1, &s->seen[s->n_apis + 1]);
	}
}
