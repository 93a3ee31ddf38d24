// SPDX-License-Identifier: GPL-2.0-or-later
/* api_metrics_host.c - what the plan leaves of the host, as Prometheus text. */
#include <math.h>
#include <stddef.h>

#include "agent/api_metrics.h"

#define AT(field) offsetof(struct left, field)

struct left_metric {
	const char *name, *help;
	size_t at; /* of a double in struct left */
};

/* clang-format off */
static const struct left_metric cpu_rows[] = {
	{ "left_cpu_cores", "CPU that gold and silver are likely to leave: what bronze may use.", AT(all) },
	{ "left_unused_cpu_cores", "CPU left for bronze that it does not use yet.", AT(unused) },
};
static const struct left_metric memory_rows[] = {
	{ "left_memory_bytes", "Memory that gold and silver are likely to leave: what bronze may use.", AT(all) },
	{ "left_unused_memory_bytes", "Memory left for bronze that it does not use yet.", AT(unused) },
};
static const struct left_metric link_rows[] = {
	{ "left_link_bytes_per_second", "Of a link, what gold and silver are likely to leave: what bronze may use.", AT(all) },
	{ "left_unused_link_bytes_per_second", "Of a link, what is left for bronze and it does not use yet.", AT(unused) },
};
/* clang-format on */

static double left_at(const struct left *left, const struct left_metric *m)
{
	return *(const double *)((const char *)left + m->at);
}

/* @unit of the resource are a metric's 1. */
static void print_left(FILE *out, const struct left_metric rows[2], const struct left *left,
		       double unit)
{
	for (size_t m = 0; m < 2 && isfinite(left->all); m++)
		metrics_plain(out, rows[m].name, "gauge", rows[m].help,
			      left_at(left, &rows[m]) / unit);
}

static void print_links(FILE *out, const struct view_agent *v, const struct left_metric *m)
{
	metrics_head(out, m->name, "gauge", m->help);
	for (size_t k = 0; k < v->plan->n_links; k++) {
		double bits_per_s = left_at(&v->plan->left_bits_per_s[k], m);

		if (!isfinite(bits_per_s))
			continue;
		fprintf(out, "foreshape_%s{", m->name);
		metrics_label(out, "interface", v->host->links[k].interface);
		fputc('}', out);
		metrics_value(out, bits_per_s / (double)BITS_BYTE);
	}
}

void metrics_host(FILE *out, const struct view_agent *v)
{
	if (!v->plan)
		return;
	print_left(out, cpu_rows, &v->plan->left_mcpu, (double)MCPU);
	print_left(out, memory_rows, &v->plan->left_bytes, 1);
	for (size_t m = 0; m < ARRAY_SIZE(link_rows) && v->plan->n_links; m++)
		print_links(out, v, &link_rows[m]);
}
