/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api_metrics.h - inside /metrics: the pieces of Prometheus text. */
#ifndef FORESHAPE_API_METRICS_H
#define FORESHAPE_API_METRICS_H

#include <stdio.h>

#include "agent/agent.h"

struct metrics_text {
	FILE *out;
	struct agent *agent;
};

/* name="value", with backslash, quote and newline escaped. */
void metrics_label(FILE *out, const char *name, const char *value);
/* The HELP and TYPE lines of foreshape_@name. */
void metrics_head(FILE *out, const char *name, const char *type, const char *help);
/* The number that ends a line. */
void metrics_value(FILE *out, double v);

/* A metric without labels. */
void metrics_plain(FILE *out, const char *name, const char *type, const char *help, double v);

/* What is left of the host to bronze. */
void metrics_host(FILE *out, const struct view_agent *v);
/* Every metric of every API. */
void metrics_apis(struct metrics_text *t);
/* Every objective, of services and APIs. */
void metrics_slos(struct metrics_text *t);

#endif
