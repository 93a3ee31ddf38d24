/* SPDX-License-Identifier: GPL-2.0-or-later */
/* collect.h - what a cgroup and the host use, from cgroupfs and /proc; reads, never writes. */
#ifndef FORESHAPE_COLLECT_H
#define FORESHAPE_COLLECT_H

#include <stdint.h>

#include "agent/base/err.h"
#include "shaping/tick.h"

struct collect;       /* the hierarchies of this host */
struct collect_group; /* the open files of one cgroup */

/* Running totals and levels of one cgroup; bits of enum tick_missing say what was not read. */
struct collect_sample {
	uint64_t at_mono_ns;
	uint32_t missing;
	uint64_t cpu_usage_us, nr_periods, nr_throttled, throttled_us;
	uint64_t memory_bytes, anon_bytes, file_bytes, shmem_bytes, inactive_file_bytes;
	uint64_t refaulted_bytes;
	uint64_t psi_cpu_some_us, psi_memory_some_us, psi_memory_full_us, psi_io_some_us;
	uint64_t io_read_bytes, io_write_bytes; /* of all disks */
};

/* Finds the hierarchies. Returns 0 and *ret (collect_free), -ENOENT: no cgroups at all, -ENOMEM. */
int collect_new(struct collect **ret, struct err *e);
void collect_free(struct collect *c);

/*
 * True when @cgroup ("/shop/checkout") exists; *id is then the cgroup id of its unified directory,
 * or of the cpu one where there is no unified hierarchy.
 */
bool collect_exists(const struct collect *c, const char *cgroup, uint64_t *id);

/* Opens what there is to read of @cgroup. Returns 0 and *ret (collect_close), -ENOENT, -ENOMEM. */
int collect_open(const struct collect *c, const char *cgroup, struct collect_group **ret);
void collect_close(struct collect_group *g);
/* Opens what was not there then and is now; returns how many files. */
size_t collect_open_more(const struct collect *c, const char *cgroup, struct collect_group *g);

/* All of it, or the CPU part alone. Never fails: what is gone is named in ret->missing. */
void collect_read(struct collect_group *g, struct collect_sample *ret);
void collect_read_cpu(struct collect_group *g, struct collect_sample *ret);

/* Fills @ret's measured fields with what passed between @before and @now. */
void collect_difference(const struct collect_sample *before, const struct collect_sample *now,
			struct tick_service *ret);

/* The host: CPUs, memory, swap. Returns 0 or -errno. */
int collect_facts(const struct collect *c, struct host_facts *ret, struct err *e);
/* The CPUs alone, see cpus_capacity_mcpu. */
uint64_t collect_capacity_mcpu(const struct collect *c);
/* CPU time all of the host has used since boot in us, and the memory that is available. */
int collect_host(uint64_t *cpu_used_us, uint64_t *available_bytes);

#endif
