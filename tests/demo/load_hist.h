/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load_hist.h - latencies as the agent counts them: the same log-linear slots, 3 % wide. */
#ifndef FORESHAPE_LOAD_HIST_H
#define FORESHAPE_LOAD_HIST_H

#include <stdint.h>
#include <stdio.h>

#include "bpf/hist.h"

struct load_hist {
	uint64_t n, max_ns;
	uint32_t slots[FSH_HIST_SLOTS];
};

void load_hist_add(struct load_hist *h, uint64_t ns);

/* Latency in us below which a share @q of the requests stayed; NAN where there was none. */
double load_hist_quantile_us(const struct load_hist *h, double q);

/* Writes "key":{"p50":..,"p90":..,"p99":..,"p999":..,"max":..} in us, null for none. */
void load_hist_print(const struct load_hist *h, const char *key, FILE *out);

#endif
