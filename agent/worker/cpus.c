// SPDX-License-Identifier: GPL-2.0-or-later
/* cpus.c - how many CPUs there are for all services of this host. */
#include "agent/worker/cpus.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"

#define MAX_LIST 4096
#define MAX_PATH 256
#define MAX_CPU  65535

uint64_t cpus_count(const char *list)
{
	uint64_t n = 0;
	char *end;

	while (isdigit((unsigned char)*list)) {
		uint64_t first = strtoull(list, &end, 10), last = first;

		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtoull(end + 1, &end, 10);
		if (last < first || last > MAX_CPU)
			return 0;
		n += last - first + 1;
		list = end + (*end == ',');
	}
	return *list == '\0' || *list == '\n' ? n : 0;
}

static uint64_t count_in(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char list[MAX_LIST];
	ssize_t n = fd < 0 ? -1 : read(fd, list, sizeof(list) - 1);

	if (n <= 0)
		return 0;
	list[n] = '\0';
	return cpus_count(list);
}

/* Of the root on v2; on v1 of the hierarchy that is mounted beside that of cpu. 0: there is none.
 */
static uint64_t in_cpuset(const struct hierarchies *h)
{
	const char *unified = h->mount[HIERARCHY_UNIFIED], *cpu = h->mount[HIERARCHY_CPU];
	const char *slash = strrchr(cpu, '/');
	char path[MAX_PATH];
	uint64_t n;

	(void)snprintf(path, sizeof(path), "%s/cpuset.cpus.effective", unified);
	n = *unified ? count_in(path) : 0;
	if (n > 0 || !slash)
		return n;
	(void)snprintf(path, sizeof(path), "%.*s/cpuset/cpuset.effective_cpus", (int)(slash - cpu),
		       cpu);
	return count_in(path);
}

uint64_t cpus_capacity_mcpu(const struct hierarchies *h)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t n = online > 0 ? (uint64_t)online : 1, allowed = in_cpuset(h);

	return (allowed > 0 ? MIN(n, allowed) : n) * MCPU;
}
