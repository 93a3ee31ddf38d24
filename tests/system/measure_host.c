// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * measure_host.c - the packet programs without an agent, for tests: takes commands on standard
 * input, answers each with one line of JSON. From "go" on it runs as nobody, as the worker does.
 *
 *   attach DIR                     counts the sockets of that cgroup
 *   service NAME DIR PORT,..|-     one service, the owner of DIR's sockets
 *   route NAME METHOD ROUTE        one API of it
 *   go                             assigns rows, compiles, publishes; again after changes
 *   gone NAME                      takes its sockets away, until "go"
 *   priority NAME N                skb->priority of its packets
 *   print                          all counters
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "agent/base/cleanup.h"
#include "agent/counters.h"
#include "agent/probe.h"
#include "agent/routes.h"

#define NOBODY 65534
#define APIS   1000

struct host {
	struct probe *probe;
	struct counters *counters;
	struct rows *rows;
	struct policy_set set;
	uint64_t cgroup_ids[POLICY_MAX_SERVICES];
	uint32_t generation;
};

static struct policy_service *service_named(struct host *h, const char *name)
{
	for (size_t i = 0; i < h->set.n_services; i++)
		if (streq(h->set.services[i].name, name))
			return &h->set.services[i];
	return NULL;
}

static int attach(struct host *h, char *args, struct err *e)
{
	_cleanup_(closep) int fd = open(args, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	unsigned int id;

	if (fd < 0)
		return err_set(e, -errno, "open %s", args);
	return probe_attach(h->probe, fd, &id, e);
}

static int add_service(struct host *h, char *args, struct err *e)
{
	char *name = strtok(args, " "), *dir = strtok(NULL, " "), *port;
	struct policy_service *s = &h->set.services[h->set.n_services];
	struct stat st;

	if (!dir || stat(dir, &st) < 0)
		return err_set(e, -errno, "service %s", name);
	copy_str(s->name, sizeof(s->name), name);
	while ((port = strtok(NULL, " ,")) && *port != '-')
		s->ports[s->n_ports++] = (uint16_t)atoi(port);
	s->apis = calloc(APIS, sizeof(*s->apis));
	h->cgroup_ids[h->set.n_services++] = st.st_ino;
	return s->apis ? 0 : -ENOMEM;
}

static int add_route(struct host *h, char *args, struct err *e)
{
	struct policy_service *s = service_named(h, strtok(args, " "));
	const char *method = strtok(NULL, " "), *route = strtok(NULL, " ");
	struct policy_api *api;

	if (!s || !route || s->n_apis == APIS)
		return err_say(e, -EINVAL, "route needs a service, a method and a route");
	api = &s->apis[s->n_apis++];
	copy_str(api->method, sizeof(api->method), method);
	copy_str(api->route, sizeof(api->route), route);
	return 0;
}

static int publish(struct host *h, struct err *e)
{
	_cleanup_(freep) struct fsh_route_table *t = calloc(1, sizeof(*t));
	struct rows_clear clear = {
		.row = counters_clear_row, .service = counters_clear_service, .arg = h->counters};
	int r = t ? rows_assign(h->rows, &h->set, &clear, e) : -ENOMEM;

	if (!r)
		r = routes_compile(&h->set, h->rows, ++h->generation, t, e);
	for (size_t i = 0; !r && i < h->set.n_services; i++) {
		const struct policy_service *s = &h->set.services[i];
		uint32_t number = (uint32_t)rows_service(h->rows, s->name);

		r = counters_set_service(h->counters, number, true, 0,
					 rows_of(h->rows, s, s->n_apis), e);
		if (!r)
			r = counters_own(h->counters, h->cgroup_ids[i], s->ports, s->n_ports,
					 number, e);
	}
	if (!r)
		r = counters_publish(h->counters, t, e);
	return r ? r : counters_owners_changed(h->counters, e);
}

static int go(struct host *h, char *args, struct err *e)
{
	int fds[PROBE_MAPS];
	int r;

	if (!h->counters) {
		probe_fds(h->probe, fds);
		if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
			return err_set(e, -errno, "become nobody");
		r = counters_open(fds, &h->counters, e);
		if (r < 0)
			return r;
	}
	return publish(h, e);
}

static bool of_another(const void *number, uint64_t cgroup_id, uint16_t port, uint32_t service)
{
	return service != *(const uint32_t *)number;
}

static int gone(struct host *h, char *args, struct err *e)
{
	uint32_t number = (uint32_t)rows_service(h->rows, args);
	int r = counters_disown(h->counters, of_another, &number, e);

	return r ? r : counters_owners_changed(h->counters, e);
}

static int set_priority(struct host *h, char *args, struct err *e)
{
	struct policy_service *s = service_named(h, strtok(args, " "));
	uint32_t priority = (uint32_t)strtoul(strtok(NULL, " "), NULL, 0);

	return counters_set_service(h->counters, (uint32_t)rows_service(h->rows, s->name), true,
				    priority, rows_of(h->rows, s, s->n_apis), e);
}

static json_t *latency(const uint32_t *hist, uint64_t sum_ns)
{
	static const uint32_t NONE[FSH_HIST_SLOTS];
	struct counters_latency l;

	counters_latency(NONE, hist, sum_ns, &l);
	if (!l.n)
		return json_null();
	return json_pack("{s:I,s:f,s:f,s:f,s:f,s:f,s:f}", "n", (json_int_t)l.n, "p50", l.p50_us,
			 "p90", l.p90_us, "p99", l.p99_us, "p999", l.p999_us, "mean", l.mean_us,
			 "max", l.max_us);
}

static json_t *row_json(struct host *h, const struct policy_service *s, size_t api)
{
	uint32_t row = rows_of(h->rows, s, api);
	struct counters_totals t;
	struct counters_hist hist;
	char route[300] = "other";
	json_t *classes = json_array();

	counters_read(h->counters, row, &t);
	counters_read_hist(h->counters, row, &hist);
	if (api < s->n_apis)
		snprintf(route, sizeof(route), "%s %s", s->apis[api].method, s->apis[api].route);
	for (size_t i = 0; i < ARRAY_SIZE(t.responses); i++)
		json_array_append_new(classes, json_integer((json_int_t)t.responses[i]));
	return json_pack("{s:s,s:s,s:I,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "service",
			 s->name, "route", route, "requests", (json_int_t)t.requests, "responses",
			 classes, "done", (json_int_t)t.done, "aborted", (json_int_t)t.aborted,
			 "interim", (json_int_t)t.interim, "upgrades", (json_int_t)t.upgrades,
			 "bytes_in", (json_int_t)t.bytes_in, "bytes_out", (json_int_t)t.bytes_out,
			 "in_flight", (json_int_t)counters_in_flight(&t), "ttfb_us",
			 latency(hist.ttfb, t.ttfb_sum_ns), "total_us",
			 latency(hist.total, t.total_sum_ns));
}

static json_t *counters_json(struct host *h)
{
	json_t *apis = json_array(), *unseen = json_object(), *traffic = json_object();

	for (size_t i = 0; i < h->set.n_services; i++) {
		const struct policy_service *s = &h->set.services[i];
		uint32_t number = (uint32_t)rows_service(h->rows, s->name);
		struct fsh_unseen_row u;
		struct fsh_traffic t;
		json_t *counts = json_object();

		for (size_t api = 0; api <= s->n_apis; api++)
			json_array_append_new(apis, row_json(h, s, api));
		counters_read_unseen(h->counters, number, &u);
		for (unsigned int k = 0; k < FSH_UNSEEN_COUNT; k++)
			json_object_set_new(counts, counters_unseen_name(k),
					    json_integer((json_int_t)u.count[k]));
		json_object_set_new(unseen, s->name, counts);
		counters_read_traffic(h->counters, number, &t);
		json_object_set_new(traffic, s->name,
				    json_pack("{s:I,s:I}", "bytes_in", (json_int_t)t.bytes_in,
					      "bytes_out", (json_int_t)t.bytes_out));
	}
	return json_pack("{s:o,s:o,s:o}", "apis", apis, "unseen", unseen, "traffic", traffic);
}

static void answer(json_t *json)
{
	json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	putchar('\n');
	fflush(stdout);
	json_decref(json);
}

static void run_line(struct host *h, char *line)
{
	static const struct {
		const char *name;
		int (*run)(struct host *h, char *args, struct err *e);
	} COMMANDS[] = {
		{"attach", attach}, {"service", add_service},   {"route", add_route},
		{"go", go},         {"priority", set_priority}, {"gone", gone},
	};
	char *args = line + strcspn(line, " ");
	struct err e = {};
	int r = -EINVAL;

	if (*args)
		*args++ = '\0';
	if (streq(line, "print")) {
		answer(counters_json(h));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(COMMANDS); i++)
		if (streq(line, COMMANDS[i].name))
			r = COMMANDS[i].run(h, args, &e);
	answer(json_pack("{s:i,s:s}", "code", r, "error", e.text));
}

int main(void)
{
	static struct policy_service services[POLICY_MAX_SERVICES];
	struct host h = {.set.services = services};
	char line[1024];
	struct err e = {};

	if (rows_new(&h.rows) < 0 || probe_load(&h.probe, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 77;
	}
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		run_line(&h, line);
	}
	counters_free(h.counters);
	probe_free(h.probe);
	rows_free(h.rows);
	for (size_t i = 0; i < h.set.n_services; i++)
		free(services[i].apis);
	return 0;
}
