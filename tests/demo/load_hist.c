// SPDX-License-Identifier: GPL-2.0-or-later
/* load_hist.c - latencies as the agent counts them: the same log-linear slots, 3 % wide. */
#include "tests/demo/load_hist.h"

#include <math.h>

#include "agent/base/util.h"

void load_hist_add(struct load_hist *h, uint64_t ns)
{
	h->slots[fsh_hist_slot(ns)]++;
	h->n++;
	h->max_ns = MAX(h->max_ns, ns);
}

double load_hist_quantile_us(const struct load_hist *h, double q)
{
	uint64_t seen = 0, want = MAX((uint64_t)ceil(q * (double)h->n), (uint64_t)1);

	for (unsigned int i = 0; i < FSH_HIST_SLOTS && h->n > 0; i++) {
		double a = (double)fsh_hist_lower(i), b = (double)fsh_hist_lower(i + 1);

		seen += h->slots[i];
		if (seen >= want)
			return MIN(2 * a * b / (a + b), (double)h->max_ns) / (double)NS_PER_US;
	}
	return NAN;
}

void load_hist_print(const struct load_hist *h, const char *key, FILE *out)
{
	static const struct {
		const char *name;
		double q;
	} rows[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};

	fprintf(out, "\"%s\":{", key);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (h->n > 0)
			fprintf(out, "\"%s\":%.0f,", rows[i].name,
				load_hist_quantile_us(h, rows[i].q));
		else
			fprintf(out, "\"%s\":null,", rows[i].name);
	fprintf(out, "\"max\":%llu}", (unsigned long long)(h->max_ns / NS_PER_US));
}
