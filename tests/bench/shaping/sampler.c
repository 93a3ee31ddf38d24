// SPDX-License-Identifier: GPL-2.0-or-later
/* sampler.c - looks at a cgroup's CPU limit and throttling every 10 ms and prints what it saw. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"

#define LOOK_NS  (10 * NS_PER_MS)
#define PRINT_NS (100 * NS_PER_MS) /* when nothing changed */
#define TEXT_MAX 512

static const char usage[] =
	"usage: sampler CPU_DIR USAGE_DIR\n"
	"CPU_DIR: the group's directory with its limit and cpu.stat; USAGE_DIR: with cpuacct.usage\n"
	"(v1) or the same (v2). Prints a line where the limit, the burst or the throttling changed,\n"
	"and one every 100 ms: MONO_NS QUOTA_US PERIOD_US BURST_US PERIODS THROTTLED THROTTLED_US\n"
	"USAGE_US, where a QUOTA_US of -1 is no limit. Ends on SIGTERM, or with the group.\n";

struct look {
	uint64_t mono_ns;
	int64_t quota_us;
	uint64_t period_us, burst_us, n_periods, n_throttled, throttled_us, usage_us;
};

/* Open files of the group; what its version does not have is -1. */
struct files {
	bool is_v2;
	int quota, period, burst, stat, usage;
};

static volatile sig_atomic_t ended;

static void on_end(int signal)
{
	ended = 1;
}

static int open_in(const char *dir, const char *file)
{
	char path[TEXT_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, file) >= sizeof(path))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool open_all(const char *cpu, const char *usage_dir, struct files *ret)
{
	struct files f = {.quota = open_in(cpu, "cpu.max"), .period = -1, .usage = -1};

	f.is_v2 = f.quota >= 0;
	f.stat = open_in(cpu, "cpu.stat");
	if (f.is_v2) {
		f.burst = open_in(cpu, "cpu.max.burst");
	} else {
		f.quota = open_in(cpu, "cpu.cfs_quota_us");
		f.period = open_in(cpu, "cpu.cfs_period_us");
		f.burst = open_in(cpu, "cpu.cfs_burst_us");
		f.usage = open_in(usage_dir, "cpuacct.usage");
	}
	*ret = f;
	return f.quota >= 0 && f.stat >= 0 && (f.is_v2 || (f.period >= 0 && f.usage >= 0));
}

static bool read_text(int fd, char text[TEXT_MAX])
{
	ssize_t n = pread(fd, text, TEXT_MAX - 1, 0);

	text[MAX(n, 0)] = '\0';
	return n > 0;
}

static uint64_t read_number(int fd)
{
	char text[TEXT_MAX];

	return fd >= 0 && read_text(fd, text) ? strtoull(text, NULL, 10) : 0;
}

/* "KEY NUMBER" in a line of its own; 0 where there is none. */
static uint64_t number_of(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) == 0 && line[n] == ' ')
			return strtoull(line + n, NULL, 10);
	}
	return 0;
}

static bool read_limit(const struct files *f, struct look *l)
{
	char text[TEXT_MAX], *end = text;

	if (!read_text(f->quota, text))
		return false;
	l->quota_us = strncmp(text, "max", 3) == 0 ? -1 : strtoll(text, &end, 10);
	if (f->is_v2)
		l->period_us = strtoull(l->quota_us < 0 ? text + 3 : end, NULL, 10);
	else
		l->period_us = read_number(f->period);
	l->burst_us = read_number(f->burst);
	return l->period_us > 0;
}

static bool read_look(const struct files *f, struct look *l)
{
	char stat[TEXT_MAX];

	if (!read_limit(f, l) || !read_text(f->stat, stat))
		return false;
	l->n_periods = number_of(stat, "nr_periods");
	l->n_throttled = number_of(stat, "nr_throttled");
	l->throttled_us = f->is_v2 ? number_of(stat, "throttled_usec")
				   : number_of(stat, "throttled_time") / NS_PER_US;
	l->usage_us = f->is_v2 ? number_of(stat, "usage_usec") : read_number(f->usage) / NS_PER_US;
	return true;
}

static uint64_t now_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static bool is_news(const struct look *last, const struct look *l)
{
	return l->quota_us != last->quota_us || l->period_us != last->period_us ||
	       l->burst_us != last->burst_us || l->n_throttled != last->n_throttled ||
	       l->mono_ns >= last->mono_ns + PRINT_NS;
}

int main(int argc, char **argv)
{
	struct look last = {}, l = {};
	uint64_t next_ns = now_mono_ns();
	struct files f;

	if (argc != 3) {
		fputs(usage, stderr);
		return 2;
	}
	if (!open_all(argv[1], argv[2], &f)) {
		fprintf(stderr, "%s has no CPU limit: %s\n", argv[1], strerror(errno));
		return 1;
	}
	signal(SIGTERM, on_end);
	while (!ended && read_look(&f, &l)) {
		struct timespec until;

		l.mono_ns = now_mono_ns();
		if (is_news(&last, &l)) {
			printf("%" PRIu64 " %" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64
			       " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			       l.mono_ns, l.quota_us, l.period_us, l.burst_us, l.n_periods,
			       l.n_throttled, l.throttled_us, l.usage_us);
			last = l;
		}
		/* A late look shifts the next ones: no burst of them to catch up. */
		next_ns = MAX(next_ns + LOOK_NS, l.mono_ns);
		until = (struct timespec){(time_t)(next_ns / NS_PER_S), (long)(next_ns % NS_PER_S)};
		(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	}
	return fflush(stdout) != 0;
}
