// SPDX-License-Identifier: GPL-2.0-or-later
/* collect.c - what a cgroup and the host use, from cgroupfs and /proc. */
#include "agent/worker/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/worker/cpus.h"

#define MAX_TEXT      8192
#define MAX_FILE_PATH 512

struct collect {
	struct hierarchies mounts;
};

/* Which file of which hierarchy, on hybrid and v1 hosts and on v2; name NULL: not there. */
enum file {
	CPU_STAT,
	CPUACCT,
	MEMORY_NOW,
	MEMORY_STAT,
	PSI_CPU,
	PSI_MEMORY,
	PSI_IO,
	IO_USED,
	FILE_COUNT
};

struct place {
	enum hierarchy where;
	const char *name;
};

/* clang-format off */
static const struct place places_v1[FILE_COUNT] = {
	[CPU_STAT]    = { HIERARCHY_CPU,     "cpu.stat" },
	[CPUACCT]     = { HIERARCHY_CPUACCT, "cpuacct.usage" },
	[MEMORY_NOW]  = { HIERARCHY_MEMORY,  "memory.usage_in_bytes" },
	[MEMORY_STAT] = { HIERARCHY_MEMORY,  "memory.stat" },
	[PSI_CPU]     = { HIERARCHY_UNIFIED, "cpu.pressure" },
	[PSI_MEMORY]  = { HIERARCHY_UNIFIED, "memory.pressure" },
	[PSI_IO]      = { HIERARCHY_UNIFIED, "io.pressure" },
	[IO_USED]     = { HIERARCHY_BLKIO,   "blkio.throttle.io_service_bytes" },
};
static const struct place places_v2[FILE_COUNT] = {
	[CPU_STAT]    = { HIERARCHY_UNIFIED, "cpu.stat" },
	[MEMORY_NOW]  = { HIERARCHY_UNIFIED, "memory.current" },
	[MEMORY_STAT] = { HIERARCHY_UNIFIED, "memory.stat" },
	[PSI_CPU]     = { HIERARCHY_UNIFIED, "cpu.pressure" },
	[PSI_MEMORY]  = { HIERARCHY_UNIFIED, "memory.pressure" },
	[PSI_IO]      = { HIERARCHY_UNIFIED, "io.pressure" },
	[IO_USED]     = { HIERARCHY_UNIFIED, "io.stat" },
};
/* clang-format on */

struct collect_group {
	bool cpu_v2, memory_v2, io_v2;
	int fd[FILE_COUNT];
};

/* The path of @file (NULL: the directory) of @cgroup; false where there is no such hierarchy. */
static bool path_of(const struct collect *c, enum hierarchy which, const char *cgroup,
		    const char *file, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s%s%s%s", c->mounts.mount[which], cgroup, file ? "/" : "",
			 file ? file : "");

	return *c->mounts.mount[which] && n > 0 && (size_t)n < size;
}

int collect_new(struct collect **ret, struct err *e)
{
	_cleanup_(freep) struct collect *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	r = hierarchies_find("/proc/self/mountinfo", &c->mounts);
	if (r < 0)
		return err_set(e, r, "find the cgroup hierarchies");
	*ret = take_ptr(c);
	return 0;
}

void collect_free(struct collect *c)
{
	free(c);
}

uint64_t collect_capacity_mcpu(const struct collect *c)
{
	return cpus_capacity_mcpu(&c->mounts);
}

bool collect_exists(const struct collect *c, const char *cgroup, uint64_t *id)
{
	static const enum hierarchy order[] = {HIERARCHY_UNIFIED, HIERARCHY_CPU};
	char path[MAX_FILE_PATH];
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (!path_of(c, order[i], cgroup, NULL, path, sizeof(path)))
			continue;
		if (stat(path, &st) < 0)
			return false;
		*id = st.st_ino; /* kernfs: the inode number is the cgroup id */
		return true;
	}
	return false;
}

static bool is_v2(const struct collect_group *g, enum file file)
{
	if (file == IO_USED)
		return g->io_v2;
	return file == MEMORY_NOW || file == MEMORY_STAT ? g->memory_v2 : g->cpu_v2;
}

size_t collect_open_more(const struct collect *c, const char *cgroup, struct collect_group *g)
{
	char path[MAX_FILE_PATH];
	size_t opened = 0;

	for (int i = 0; i < FILE_COUNT; i++) {
		const struct place *p = is_v2(g, (enum file)i) ? &places_v2[i] : &places_v1[i];

		if (g->fd[i] >= 0 || !p->name ||
		    !path_of(c, p->where, cgroup, p->name, path, sizeof(path)))
			continue;
		g->fd[i] = open(path, O_RDONLY | O_CLOEXEC);
		opened += g->fd[i] >= 0;
	}
	return opened;
}

int collect_open(const struct collect *c, const char *cgroup, struct collect_group **ret)
{
	struct collect_group *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->cpu_v2 = hierarchy_of_knob(&c->mounts, KNOB_CPU_MAX) == HIERARCHY_UNIFIED;
	g->memory_v2 = hierarchy_of_knob(&c->mounts, KNOB_MEMORY_MAX) == HIERARCHY_UNIFIED;
	g->io_v2 = hierarchy_of_knob(&c->mounts, KNOB_IO_MAX) == HIERARCHY_UNIFIED;
	for (int i = 0; i < FILE_COUNT; i++)
		g->fd[i] = -1;
	if (collect_open_more(c, cgroup, g) == 0) {
		free(g);
		return -ENOENT;
	}
	*ret = g;
	return 0;
}

void collect_close(struct collect_group *g)
{
	if (!g)
		return;
	for (int i = 0; i < FILE_COUNT; i++)
		closep(&g->fd[i]);
	free(g);
}

/* The whole of @fd from its start as text; false when it is gone. */
static bool slurp(int fd, char *buf, size_t size)
{
	ssize_t n;

	if (fd < 0)
		return false;
	n = pread(fd, buf, size - 1, 0);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	return true;
}

/* The number behind "@key " at the start of a line of @text. */
static bool keyed(const char *text, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		if (*p == '\n')
			p++;
		if (strncmp(p, key, len) == 0 && p[len] == ' ') {
			*ret = strtoull(p + len + 1, NULL, 10);
			return true;
		}
	}
	return false;
}

/* "total=" of the line of PSI file @text that starts with @kind. */
static uint64_t psi_total(const char *text, const char *kind)
{
	const char *line = strstr(text, kind);
	const char *total = line ? strstr(line, "total=") : NULL;

	return total ? strtoull(total + strlen("total="), NULL, 10) : 0;
}

static uint64_t mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void collect_read_cpu(struct collect_group *g, struct collect_sample *ret)
{
	char buf[MAX_TEXT];
	uint64_t throttled_ns;
	bool ok;

	ret->at_mono_ns = mono_ns();
	ret->missing &= ~(uint32_t)MISSING_CPU;
	ok = slurp(g->fd[CPU_STAT], buf, sizeof(buf));
	if (ok) {
		(void)keyed(buf, "nr_periods", &ret->nr_periods); /* absent without a limit on v2 */
		(void)keyed(buf, "nr_throttled", &ret->nr_throttled);
		if (g->cpu_v2) {
			ok = keyed(buf, "usage_usec", &ret->cpu_usage_us);
			(void)keyed(buf, "throttled_usec", &ret->throttled_us);
		} else if (keyed(buf, "throttled_time", &throttled_ns)) {
			ret->throttled_us = throttled_ns / NS_PER_US;
		}
	}
	if (ok && !g->cpu_v2) {
		ok = slurp(g->fd[CPUACCT], buf, sizeof(buf));
		if (ok)
			ret->cpu_usage_us = strtoull(buf, NULL, 10) / NS_PER_US;
	}
	if (!ok)
		ret->missing |= MISSING_CPU;
}

/* What not every kernel has: one number of refaults before Linux 5.9, none on v1 before 4.20. */
static void read_working_set(const char *stat, bool v2, struct collect_sample *ret)
{
	static const char *const refaults[][2] = {
		{"total_workingset_refault_anon", "workingset_refault_anon"},
		{"total_workingset_refault_file", "workingset_refault_file"},
		{"total_workingset_refault", "workingset_refault"},
	};
	uint64_t pages, sum_pages = 0;

	(void)keyed(stat, v2 ? "shmem" : "total_shmem", &ret->shmem_bytes);
	(void)keyed(stat, v2 ? "inactive_file" : "total_inactive_file", &ret->inactive_file_bytes);
	for (size_t i = 0; i < ARRAY_SIZE(refaults); i++)
		if (keyed(stat, refaults[i][v2], &pages))
			sum_pages += pages;
	ret->refaulted_bytes = sum_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void read_memory(struct collect_group *g, struct collect_sample *ret)
{
	char buf[MAX_TEXT];

	if (!slurp(g->fd[MEMORY_NOW], buf, sizeof(buf))) {
		ret->missing |= MISSING_MEMORY;
		return;
	}
	ret->memory_bytes = strtoull(buf, NULL, 10);
	if (!slurp(g->fd[MEMORY_STAT], buf, sizeof(buf)) ||
	    !keyed(buf, g->memory_v2 ? "anon" : "total_rss", &ret->anon_bytes) ||
	    !keyed(buf, g->memory_v2 ? "file" : "total_cache", &ret->file_bytes))
		ret->missing |= MISSING_MEMORY;
	else
		read_working_set(buf, g->memory_v2, ret);
}

static void read_psi(struct collect_group *g, struct collect_sample *ret)
{
	char buf[512];

	if (!slurp(g->fd[PSI_CPU], buf, sizeof(buf))) {
		ret->missing |= MISSING_PSI;
		return;
	}
	ret->psi_cpu_some_us = psi_total(buf, "some");
	if (slurp(g->fd[PSI_MEMORY], buf, sizeof(buf))) {
		ret->psi_memory_some_us = psi_total(buf, "some");
		ret->psi_memory_full_us = psi_total(buf, "full");
	}
	if (slurp(g->fd[PSI_IO], buf, sizeof(buf)))
		ret->psi_io_some_us = psi_total(buf, "some");
}

/* The sum of the numbers that follow @word. */
static uint64_t sum_after(const char *text, const char *word)
{
	uint64_t sum = 0;

	while ((text = strstr(text, word))) {
		text += strlen(word);
		sum += strtoull(text, NULL, 10);
	}
	return sum;
}

/* A group that did none yet has an empty file on v2. */
static void read_io(struct collect_group *g, struct collect_sample *ret)
{
	char buf[MAX_TEXT];
	ssize_t n = g->fd[IO_USED] < 0 ? -1 : pread(g->fd[IO_USED], buf, sizeof(buf) - 1, 0);

	if (n < 0) {
		ret->missing |= MISSING_IO;
		return;
	}
	buf[n] = '\0';
	ret->io_read_bytes = sum_after(buf, g->io_v2 ? " rbytes=" : " Read ");
	ret->io_write_bytes = sum_after(buf, g->io_v2 ? " wbytes=" : " Write ");
}

void collect_read(struct collect_group *g, struct collect_sample *ret)
{
	ret->missing = 0;
	read_io(g, ret);
	read_memory(g, ret);
	read_psi(g, ret);
	collect_read_cpu(g, ret);
	if ((ret->missing & (MISSING_CPU | MISSING_MEMORY)) == (MISSING_CPU | MISSING_MEMORY))
		ret->missing |= MISSING_ALL;
}

/* Totals start again when a cgroup is made anew; a negative difference is that, not a flood. */
static uint64_t grown(uint64_t before, uint64_t now)
{
	return now >= before ? now - before : 0;
}

void collect_difference(const struct collect_sample *b, const struct collect_sample *n,
			struct tick_service *ret)
{
	ret->missing = (ret->missing & MISSING_APIS) | n->missing |
		       (b->missing & (MISSING_CPU | MISSING_IO));
	ret->cpu_usage_us = grown(b->cpu_usage_us, n->cpu_usage_us);
	ret->nr_periods = grown(b->nr_periods, n->nr_periods);
	ret->nr_throttled = grown(b->nr_throttled, n->nr_throttled);
	ret->throttled_us = grown(b->throttled_us, n->throttled_us);
	ret->memory_bytes = n->memory_bytes;
	ret->anon_bytes = n->anon_bytes;
	ret->file_bytes = n->file_bytes;
	ret->shmem_bytes = n->shmem_bytes;
	ret->inactive_file_bytes = n->inactive_file_bytes;
	ret->refaulted_bytes = 0;
	if (!((b->missing | n->missing) & MISSING_MEMORY))
		ret->refaulted_bytes = grown(b->refaulted_bytes, n->refaulted_bytes);
	ret->psi_cpu_some_us = grown(b->psi_cpu_some_us, n->psi_cpu_some_us);
	ret->psi_memory_some_us = grown(b->psi_memory_some_us, n->psi_memory_some_us);
	ret->psi_memory_full_us = grown(b->psi_memory_full_us, n->psi_memory_full_us);
	ret->io_read_bytes = grown(b->io_read_bytes, n->io_read_bytes);
	ret->io_write_bytes = grown(b->io_write_bytes, n->io_write_bytes);
	ret->psi_io_some_us = grown(b->psi_io_some_us, n->psi_io_some_us);
}
