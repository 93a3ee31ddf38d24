// SPDX-License-Identifier: GPL-2.0-or-later
/* openload.c - an open-loop HTTP load: arrivals are scheduled beforehand and never wait for
 * answers. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "tests/demo/load_stream.h"

#define MAX_STREAMS 8
#define MAX_EVENTS  64
#define EXPIRE_NS   (20 * NS_PER_MS)

static const char usage[] =
	"usage: openload [--seed N] [--timeout 2s] [--start-at MONO_S] [--raw FILE]\n"
	"                --stream NAME,ADDR:PORT,PATH[:SHARE][;PATH...],CURVE_FILE,SLO_LATENCY...\n"
	"Prints a JSON line a stream and second, and one with \"final\":true a stream when it ends.\n"
	"CURVE_FILE has lines SECONDS RATE. Latency counts from the scheduled time; misses are late,\n"
	"refused, broken and timed-out requests. FILE gets a struct load_record of each request.\n";

struct load {
	struct load_stream *streams[MAX_STREAMS];
	bool is_told[MAX_STREAMS]; /* its end was printed */
	size_t n_streams;
	int epoll_fd;
	uint64_t start_ns, report_ns, expire_ns;
	uint64_t seed, timeout_ns;
	FILE *raw;
};

static uint64_t now_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void print_counts(const struct load_stream *s, const struct load_counts *c,
			 const struct load_hist *h)
{
	printf("\"stream\":\"%s\",\"scheduled\":%llu,\"good\":%llu,\"late\":%llu,\"refused\":%llu,"
	       "\"broken\":%llu,\"timeouts\":%llu,\"waiting\":%zu,",
	       s->name, (unsigned long long)c->scheduled, (unsigned long long)c->good,
	       (unsigned long long)c->late, (unsigned long long)c->refused,
	       (unsigned long long)c->broken, (unsigned long long)c->timeouts, s->n_waiting);
	load_hist_print(h, "latency_us", stdout);
	printf("}\n");
}

static void report_final(struct load *l)
{
	for (size_t i = 0; i < l->n_streams; i++) {
		struct load_stream *s = l->streams[i];

		if (l->is_told[i] || !load_stream_finished(s))
			continue;
		printf("{\"final\":true,");
		print_counts(s, &s->total, &s->total_hist);
		l->is_told[i] = true;
	}
}

static void report_second(struct load *l)
{
	double t_s = (double)(l->report_ns - l->start_ns) / (double)NS_PER_S;

	for (size_t i = 0; i < l->n_streams; i++) {
		struct load_stream *s = l->streams[i];

		printf("{\"t_s\":%.0f,", t_s);
		print_counts(s, &s->second, &s->second_hist);
		memset(&s->second, 0, sizeof(s->second));
		memset(&s->second_hist, 0, sizeof(s->second_hist));
	}
	report_final(l);
	fflush(stdout);
	l->report_ns += NS_PER_S;
}

/* Does what is due and returns the time of what comes next. */
static uint64_t run_due(struct load *l, uint64_t now_ns)
{
	uint64_t next_ns = MIN(l->report_ns, l->expire_ns);

	for (size_t i = 0; i < l->n_streams; i++) {
		load_stream_due(l->streams[i], l->start_ns, now_ns);
		next_ns = MIN(next_ns, l->streams[i]->next_ns);
	}
	if (now_ns >= l->expire_ns) {
		for (size_t i = 0; i < l->n_streams; i++)
			load_stream_expire(l->streams[i], now_ns);
		l->expire_ns = now_ns + EXPIRE_NS;
	}
	if (now_ns >= l->report_ns)
		report_second(l);
	return next_ns;
}

static bool is_finished(const struct load *l)
{
	for (size_t i = 0; i < l->n_streams; i++)
		if (!load_stream_finished(l->streams[i]))
			return false;
	return true;
}

static void run(struct load *l)
{
	struct epoll_event events[MAX_EVENTS];

	do {
		uint64_t now_ns = now_mono_ns(), next_ns = run_due(l, now_ns);
		uint64_t wait_ns = next_ns > now_ns ? next_ns - now_ns : 0;
		struct timespec wait = {(time_t)(wait_ns / NS_PER_S), (long)(wait_ns % NS_PER_S)};
		int n = epoll_pwait2(l->epoll_fd, events, MAX_EVENTS, &wait, NULL);

		now_ns = now_mono_ns();
		for (int i = 0; i < n; i++)
			load_stream_event(events[i].data.ptr, events[i].events, now_ns);
	} while (!is_finished(l));
}

/* The load stands for clients on other machines: it should not wait for this one's CPUs. */
static void run_first(void)
{
	const struct sched_param p = {.sched_priority = 1};

	if (sched_setscheduler(0, SCHED_FIFO, &p) < 0)
		(void)setpriority(PRIO_PROCESS, 0, -20);
}

static int add_stream(struct load *l, char *text, struct err *e)
{
	struct load_stream *s = calloc(1, sizeof(*s));

	if (!s || l->n_streams == MAX_STREAMS) {
		free(s);
		return err_say(e, -E2BIG, "too many streams");
	}
	l->streams[l->n_streams++] = s;
	s->epoll_fd = l->epoll_fd;
	return load_stream_parse(text, l->seed + l->n_streams, l->timeout_ns, s, e);
}

static int open_raw(struct load *l, const char *path, struct err *e)
{
	l->raw = fopen(path, "we");
	return l->raw ? 0 : err_set(e, -errno, "write %s", path);
}

/* Returns 0 where all of what was asked for is written. */
static int close_raw(struct load *l)
{
	return l->raw && fclose(l->raw) != 0;
}

int main(int argc, char **argv)
{
	struct load l = {
		.seed = 1, .timeout_ns = 2 * NS_PER_S, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	struct err e = {};
	double start_s = 0;
	int r = argc > 1 && argc % 2 == 1 ? 0 : -EINVAL;

	for (int i = 1; i + 1 < argc && r == 0; i += 2) {
		if (streq(argv[i], "--seed"))
			r = parse_u64(argv[i + 1], &l.seed);
		else if (streq(argv[i], "--timeout"))
			r = parse_duration_ns(argv[i + 1], &l.timeout_ns);
		else if (streq(argv[i], "--start-at"))
			r = parse_double(argv[i + 1], &start_s);
		else if (streq(argv[i], "--raw"))
			r = open_raw(&l, argv[i + 1], &e);
		else
			r = streq(argv[i], "--stream") ? add_stream(&l, argv[i + 1], &e) : -EINVAL;
	}
	if (r < 0 || l.n_streams == 0) {
		fprintf(stderr, "%s\n%s", e.text, usage);
		return 2;
	}
	for (size_t i = 0; i < l.n_streams; i++)
		l.streams[i]->raw = l.raw;
	run_first();
	l.start_ns = start_s > 0 ? (uint64_t)(start_s * (double)NS_PER_S) : now_mono_ns();
	l.report_ns = l.start_ns + NS_PER_S;
	l.expire_ns = l.start_ns;
	run(&l);
	report_second(&l);
	for (size_t i = 0; i < l.n_streams; i++)
		free(l.streams[i]);
	return close_raw(&l);
}
