// SPDX-License-Identifier: GPL-2.0-or-later
/* host.c - what the host has and uses, from /proc. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/worker/collect.h"

/* Calls for each "Key:  N kB" of /proc/meminfo that has a place in @rows. */
struct meminfo_row {
	const char *key;
	uint64_t *bytes;
};

static int meminfo(const struct meminfo_row *rows, size_t n)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/meminfo", "re");
	char line[160];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon = '\0';
		for (size_t i = 0; i < n; i++)
			if (streq(line, rows[i].key))
				*rows[i].bytes = strtoull(colon + 1, NULL, 10) * KIB;
	}
	return 0;
}

int collect_facts(const struct collect *c, struct host_facts *ret, struct err *e)
{
	struct host_facts f = {};
	const struct meminfo_row rows[] = {
		{"MemTotal", &f.memory_bytes},
		{"SwapTotal", &f.swap_bytes},
	};
	int r = meminfo(rows, ARRAY_SIZE(rows));

	if (r < 0)
		return err_set(e, r, "read /proc/meminfo");
	f.capacity_mcpu = collect_capacity_mcpu(c);
	*ret = f;
	return 0;
}

int collect_host(uint64_t *cpu_used_us, uint64_t *available_bytes)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/stat", "re");
	const struct meminfo_row rows[] = {{"MemAvailable", available_bytes}};
	uint64_t us_per_tick = US_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	char line[512], *p = line;
	uint64_t used = 0;

	if (!f || !fgets(line, sizeof(line), f) || strncmp(line, "cpu ", 4) != 0)
		return -EIO;
	p += 4;
	for (int i = 0; i < 8; i++) { /* user nice system idle iowait irq softirq steal */
		uint64_t v = strtoull(p, &p, 10);

		if (i != 3 && i != 4)
			used += v;
	}
	*cpu_used_us = used * us_per_tick;
	return meminfo(rows, ARRAY_SIZE(rows));
}
