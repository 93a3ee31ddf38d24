/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpus.h - how many CPUs there are for all services of this host. */
#ifndef FORESHAPE_CPUS_H
#define FORESHAPE_CPUS_H

#include <stdint.h>

#include "shaping/knobs/hierarchy.h"

/* How many CPUs a list of the kernel's names: "0-3,7\n" has 5. 0: it is no such list. */
uint64_t cpus_count(const char *list);

/*
 * The CPUs online, of which the cpuset of the outermost cgroup that is seen leaves so many: in a
 * container those of the container. At least one; cheap enough for every second.
 */
uint64_t cpus_capacity_mcpu(const struct hierarchies *h);

#endif
