// SPDX-License-Identifier: GPL-2.0-or-later
/* store_driver.c - the history without an agent, for system tests and figures: prepare, write,
 * load, hold. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/store.h"

#define FLUSH_MS 20000

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t number(char **argv, int i)
{
	uint64_t v = 0;

	if (!argv[i] || parse_u64(argv[i], &v) < 0) {
		fprintf(stderr, "argument %d is a number\n", i);
		exit(2);
	}
	return v;
}

static struct store *start(const char *path, uint64_t max_bytes)
{
	const struct store_conf conf = {path,
					"boot",
					S_PER_H * NS_PER_S,
					30 * S_PER_DAY * NS_PER_S,
					3650 * S_PER_DAY * NS_PER_S,
					max_bytes};
	struct store *s = NULL;
	struct err e = {};

	if (store_open(&conf, &s, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	return s;
}

static int64_t decide_and_write(struct store *s)
{
	struct store_decision d = {.at_real_ns = (int64_t)now_ns(CLOCK_REALTIME),
				   .service = "checkout",
				   .knob = "cpu.max",
				   .reason = "forecast_raise",
				   .mode = "enforce",
				   .before = UNLIMITED,
				   .value = 1500,
				   .inputs_json = "{\"demand_mcpu\":1200,\"quantile\":0.99}",
				   .refused_json = "[]",
				   .policy = "checkout.yaml:9"};
	struct store_write w = {.at_real_ns = d.at_real_ns,
				.service = d.service,
				.knob = d.knob,
				.reason = d.reason,
				.before = UNLIMITED,
				.after = 1500,
				.asked = 1500};

	w.decision_id = store_decision(s, &d);
	store_write(s, &w);
	return w.decision_id;
}

/* Prints the id of each decision whose write is on disk. */
static int write_many(struct store *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		int64_t id = decide_and_write(s);

		if (store_flush(s, FLUSH_MS) < 0)
			return 1;
		printf("%" PRId64 "\n", id);
		fflush(stdout);
	}
	return 0;
}

static void one_second(struct store *s, int64_t at_real_ns, uint64_t routes)
{
	struct store_sample v = {.at_real_ns = at_real_ns,
				 .service = "checkout",
				 .cpu_mcpu = 812.25,
				 .memory_bytes = 123456789,
				 .tx_bits_per_s = 1234567.5,
				 .throttled_ratio = 0.015625,
				 .psi_cpu = 0.0123,
				 .psi_io = 0,
				 .working_set_bytes = 100000000,
				 .psi_memory = 0};
	char route[64];

	store_sample(s, &v);
	for (uint64_t i = 0; i < routes; i++) {
		(void)snprintf(route, sizeof(route), "GET /v1/thing/%" PRIu64 "/{id}", i);
		v.route = route;
		v.requests = v.responses[1] = 100 + i;
		v.bytes_in = 12345 + i;
		v.bytes_out = 123456 + i;
		v.in_flight = (double)(i % 7);
		v.ttfb_p50_us = 812.5 + (double)i;
		v.ttfb_p99_us = 4812.5 + (double)i;
		v.total_p50_us = 912.5 + (double)i;
		v.total_p99_us = 5812.5 + (double)i;
		v.cpu_us_per_request = 321.1;
		store_sample(s, &v);
	}
}

/* Samples of @seconds as fast as they go in; prints the time taken. */
static int load(struct store *s, uint64_t seconds, uint64_t routes)
{
	int64_t from = (int64_t)now_ns(CLOCK_REALTIME) - (int64_t)(seconds * NS_PER_S);
	uint64_t begun = now_ns(CLOCK_MONOTONIC);

	for (uint64_t i = 0; i < seconds; i++) {
		one_second(s, from + (int64_t)(i * NS_PER_S), routes);
		if (i % 10 == 9 && store_flush(s, FLUSH_MS) < 0)
			return 1;
	}
	(void)store_flush(s, FLUSH_MS);
	printf("seconds %.3f lost %" PRIu64 "\n", (double)(now_ns(CLOCK_MONOTONIC) - begun) / 1e9,
	       store_lost(s));
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* How long store_write keeps its caller, @n times a millisecond apart. */
static int latency(struct store *s, uint64_t n)
{
	double *us = calloc(n + 1, sizeof(*us));

	for (uint64_t i = 0; us && i < n; i++) {
		struct store_write w = {.at_real_ns = (int64_t)now_ns(CLOCK_REALTIME),
					.service = "checkout",
					.knob = "cpu.max",
					.reason = "guard_throttled",
					.after = i};
		uint64_t begun = now_ns(CLOCK_MONOTONIC);

		store_write(s, &w);
		us[i] = (double)(now_ns(CLOCK_MONOTONIC) - begun) / 1e3;
		usleep(1000);
	}
	if (!us || n == 0)
		return 1;
	qsort(us, n, sizeof(*us), by_value);
	printf("p50 %.2f p99 %.2f max %.2f\n", us[n / 2], us[n * 99 / 100], us[n - 1]);
	free(us);
	return 0;
}

/* Samples and a write each 100 ms for @seconds, with the health of the history. */
static int hold(struct store *s, uint64_t seconds)
{
	for (uint64_t i = 0; i < seconds * 10; i++) {
		const char *why;

		one_second(s, (int64_t)now_ns(CLOCK_REALTIME), 50);
		(void)decide_and_write(s);
		usleep(100000);
		why = store_degraded(s);
		printf("%s\n", why ? why : "good");
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct store *s;
	struct err e = {};
	int r = 2;

	if (argc < 4) {
		fprintf(stderr,
			"store_driver FILE prepare UID GID | write N | load SECONDS ROUTES | latency N"
			" | hold SECONDS [MAX_BYTES]\n");
		return 2;
	}
	if (streq(argv[2], "prepare")) {
		if (store_prepare(argv[1], (uid_t)number(argv, 3), (gid_t)number(argv, 4), &e) == 0)
			return 0;
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	s = start(argv[1], streq(argv[2], "hold") && argv[4] ? number(argv, 4) : 0);
	if (streq(argv[2], "write"))
		r = write_many(s, number(argv, 3));
	else if (streq(argv[2], "load"))
		r = load(s, number(argv, 3), number(argv, 4));
	else if (streq(argv[2], "latency"))
		r = latency(s, number(argv, 3));
	else if (streq(argv[2], "hold"))
		r = hold(s, number(argv, 3));
	store_close(s);
	return r;
}
