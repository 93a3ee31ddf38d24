// SPDX-License-Identifier: GPL-2.0-or-later
/* counters.c - reads the mapped counters; writes owners, services and route tables by descriptor.
 */
#include "agent/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"

/*
 * Rows are mapped in chunks, when first asked for: the kernel makes all pages of a mapping of such
 * a map resident at once, and most rows are nobody's. 64 rows are a whole number of 4 KiB pages.
 */
#define CHUNK_ROWS 64
#define MAX_CHUNKS (FSH_MAX_ROWS / CHUNK_ROWS)
_Static_assert(sizeof(struct fsh_row) * CHUNK_ROWS % 4096 == 0, "chunks begin at a page");

struct counters {
	int fds[PROBE_MAPS];
	struct fsh_row **chunks; /* MAX_CHUNKS; NULL: not mapped yet, a reader may */
	struct fsh_unseen_row *unseen;
	struct fsh_traffic *traffic;
	int inner; /* enum probe_map of the route table in force */
	uint32_t epoch;
};

static size_t map_bytes(size_t value, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (value * n + page - 1) / page * page;
}

static void *map(int fd, size_t bytes, size_t at)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)at);

	return p == MAP_FAILED ? NULL : p;
}

/* More where pages are larger, so that chunks begin at one there too. */
static size_t chunk_rows(void)
{
	return CHUNK_ROWS * ((size_t)sysconf(_SC_PAGESIZE) / 4096);
}

static size_t chunk_bytes(void)
{
	return chunk_rows() * sizeof(struct fsh_row);
}

static size_t unseen_bytes(void)
{
	return map_bytes(sizeof(struct fsh_unseen_row), FSH_MAX_SERVICES);
}

static size_t traffic_bytes(void)
{
	return map_bytes(sizeof(struct fsh_traffic), FSH_MAX_SERVICES);
}

void counters_free(struct counters *c)
{
	if (!c)
		return;
	for (size_t i = 0; c->chunks && i < MAX_CHUNKS; i++)
		if (c->chunks[i])
			munmap(c->chunks[i], chunk_bytes());
	free(c->chunks);
	if (c->unseen)
		munmap(c->unseen, unseen_bytes());
	if (c->traffic)
		munmap(c->traffic, traffic_bytes());
	for (size_t i = 0; i < PROBE_MAPS; i++)
		closep(&c->fds[i]);
	free(c);
}

void counters_freep(struct counters **c)
{
	counters_free(*c);
}

/* The route table in force; an earlier process may have left either. */
static int find_inner(const int fds[PROBE_MAPS])
{
	struct bpf_map_info b = {};
	uint32_t zero = 0, in_force, size = sizeof(b);

	if (bpf_map_lookup_elem(fds[PROBE_ROUTE_TABLES], &zero, &in_force) < 0 ||
	    bpf_obj_get_info_by_fd(fds[PROBE_ROUTES_B], &b, &size) < 0)
		return PROBE_ROUTES_A;
	return b.id == in_force ? PROBE_ROUTES_B : PROBE_ROUTES_A;
}

int counters_open(const int fds[PROBE_MAPS], struct counters **ret, struct err *e)
{
	_cleanup_(counters_freep) struct counters *c = calloc(1, sizeof(*c));
	bool duplicated = true;

	if (!c)
		return err_set(e, -ENOMEM, "map the counters");
	for (size_t i = 0; i < PROBE_MAPS; i++) {
		c->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		duplicated = duplicated && c->fds[i] >= 0;
	}
	if (!duplicated)
		return err_set(e, -EBADF, "map the counters");
	c->chunks = calloc(MAX_CHUNKS, sizeof(struct fsh_row *));
	if (!c->chunks)
		return err_set(e, -ENOMEM, "map the counters");
	c->chunks[0] = map(c->fds[PROBE_ROWS], chunk_bytes(), 0);
	c->unseen = map(c->fds[PROBE_UNSEEN], unseen_bytes(), 0);
	c->traffic = map(c->fds[PROBE_TRAFFIC], traffic_bytes(), 0);
	if (!c->chunks[0] || !c->unseen || !c->traffic)
		return err_set(e, -errno, "map the counters");
	c->inner = find_inner(c->fds);
	*ret = take_ptr(c);
	return 0;
}

/* The kernel adds while this reads. */
static uint64_t load(const __u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Row @row; one of zeros where memory does not suffice to map it. */
static struct fsh_row *row_at(const struct counters *c, uint32_t row)
{
	static struct fsh_row none;
	size_t n = chunk_rows(), chunk = row / n;

	if (!c->chunks[chunk])
		c->chunks[chunk] = map(c->fds[PROBE_ROWS], chunk_bytes(), chunk * chunk_bytes());
	return c->chunks[chunk] ? &c->chunks[chunk][row % n] : &none;
}

void counters_read(const struct counters *c, uint32_t row, struct counters_totals *ret)
{
	const struct fsh_row *r = row_at(c, row);
	uint64_t whole_sum_ns = load(&r->whole_sum_ns);

	/* Ends before beginnings, so that in flight is rather too many than too few. */
	ret->done = load(&r->done);
	for (size_t i = 0; i < ARRAY_SIZE(ret->responses); i++) {
		uint64_t whole = load(&r->whole[i]);

		ret->responses[i] = load(&r->responses[i]) + whole;
		ret->done += whole;
	}
	ret->aborted = load(&r->aborted);
	ret->requests = load(&r->requests);
	ret->interim = load(&r->interim);
	ret->upgrades = load(&r->upgrades);
	ret->bytes_in = load(&r->bytes_in);
	ret->bytes_out = load(&r->bytes_out);
	ret->ttfb_sum_ns = load(&r->ttfb_sum_ns) + whole_sum_ns;
	ret->total_sum_ns = load(&r->total_sum_ns) + whole_sum_ns;
}

void counters_read_hist(const struct counters *c, uint32_t row, struct counters_hist *ret)
{
	const struct fsh_row *r = row_at(c, row);

	for (size_t i = 0; i < FSH_HIST_SLOTS; i++) {
		uint32_t whole = __atomic_load_n(&r->whole_hist[i], __ATOMIC_RELAXED);

		ret->ttfb[i] = __atomic_load_n(&r->ttfb_hist[i], __ATOMIC_RELAXED) + whole;
		ret->total[i] = __atomic_load_n(&r->total_hist[i], __ATOMIC_RELAXED) + whole;
	}
}

uint64_t counters_in_flight(const struct counters_totals *t)
{
	uint64_t over = t->done + t->aborted;

	return t->requests > over ? t->requests - over : 0;
}

void counters_read_unseen(const struct counters *c, uint32_t service, struct fsh_unseen_row *ret)
{
	for (size_t i = 0; i < FSH_UNSEEN_COUNT; i++)
		ret->count[i] = load(&c->unseen[service].count[i]);
}

void counters_read_traffic(const struct counters *c, uint32_t service, struct fsh_traffic *ret)
{
	ret->bytes_in = load(&c->traffic[service].bytes_in);
	ret->bytes_out = load(&c->traffic[service].bytes_out);
}

const char *counters_unseen_name(unsigned int reason)
{
	static const char *const NAMES[] = {
#define X(id, name) [FSH_UNSEEN_##id] = name,
		FSH_UNSEEN(X)
#undef X
	};

	return reason < ARRAY_SIZE(NAMES) ? NAMES[reason] : NULL;
}

void counters_clear_row(void *c, uint32_t row)
{
	memset(row_at(c, row), 0, sizeof(struct fsh_row));
}

void counters_settle_row(void *c, uint32_t row)
{
	struct counters_totals t;

	counters_read(c, row, &t);
	(void)__atomic_fetch_add(&row_at(c, row)->aborted, counters_in_flight(&t),
				 __ATOMIC_RELAXED);
}

/* The epoch of the next counters_owners_changed. */
static uint32_t next_epoch(const struct counters *c)
{
	struct fsh_config config = {};
	uint32_t zero = 0;

	(void)bpf_map_lookup_elem(c->fds[PROBE_CONFIG], &zero, &config);
	return config.epoch + 1 ? config.epoch + 1 : 1;
}

void counters_settle_service(void *c, uint32_t service)
{
	const struct counters *counters = c;
	struct fsh_service_conf conf = {};
	int fd = counters->fds[PROBE_SERVICES];

	(void)bpf_map_lookup_elem(fd, &service, &conf);
	conf.since = next_epoch(counters);
	(void)bpf_map_update_elem(fd, &service, &conf, BPF_ANY);
}

void counters_clear_service(void *c, uint32_t service)
{
	struct counters *counters = c;

	memset(&counters->unseen[service], 0, sizeof(*counters->unseen));
	memset(&counters->traffic[service], 0, sizeof(*counters->traffic));
	counters_settle_service(c, service);
}

int counters_publish(struct counters *c, const struct fsh_route_table *table, struct err *e)
{
	int inner = c->inner == PROBE_ROUTES_A ? PROBE_ROUTES_B : PROBE_ROUTES_A;
	uint32_t zero = 0;
	int r = bpf_map_update_elem(c->fds[inner], &zero, table, BPF_ANY);

	if (!r)
		r = bpf_map_update_elem(c->fds[PROBE_ROUTE_TABLES], &zero, &c->fds[inner], BPF_ANY);
	if (r < 0)
		return err_set(e, r, "publish the route table");
	c->inner = inner;
	return 0;
}

int counters_set_service(struct counters *c, uint32_t service, bool active, uint32_t priority,
			 uint32_t other_row, struct err *e)
{
	struct fsh_service_conf conf = {};
	int fd = c->fds[PROBE_SERVICES], r = bpf_map_lookup_elem(fd, &service, &conf);

	conf.active = active;
	conf.priority = priority;
	conf.other_row = other_row;
	if (!r)
		r = bpf_map_update_elem(fd, &service, &conf, BPF_ANY);
	return r < 0 ? err_set(e, r, "set service %u", service) : 0;
}

static int own(struct counters *c, uint64_t cgroup_id, uint16_t port, uint32_t service,
	       bool other_port)
{
	struct fsh_owner_key key = {.cgroup_id = cgroup_id, .port = port};
	struct fsh_owner owner = {.service = service, .other_port = other_port};

	return bpf_map_update_elem(c->fds[PROBE_OWNERS], &key, &owner, BPF_ANY);
}

/* True when another service has what is not to a port of a service of cgroup @cgroup_id. */
static bool others(struct counters *c, uint64_t cgroup_id, uint32_t service)
{
	struct fsh_owner_key key = {.cgroup_id = cgroup_id};
	struct fsh_owner owner;

	return !bpf_map_lookup_elem(c->fds[PROBE_OWNERS], &key, &owner) && owner.service != service;
}

int counters_own(struct counters *c, uint64_t cgroup_id, const uint16_t *ports, size_t n_ports,
		 uint32_t service, struct err *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < n_ports; i++)
		r = own(c, cgroup_id, ports[i], service, false);
	if (!r && !(n_ports && others(c, cgroup_id, service)))
		r = own(c, cgroup_id, 0, service, n_ports > 0);
	return r < 0 ? err_set(e, r, "own the sockets of cgroup %llu",
			       (unsigned long long)cgroup_id)
		     : 0;
}

int counters_disown(struct counters *c, counters_keep *keep, const void *arg, struct err *e)
{
	struct fsh_owner_key key = {}, next;
	struct fsh_owner owner;
	bool first = true;
	int r;

	while (!bpf_map_get_next_key(c->fds[PROBE_OWNERS], first ? NULL : &key, &next)) {
		if (bpf_map_lookup_elem(c->fds[PROBE_OWNERS], &next, &owner) < 0 ||
		    keep(arg, next.cgroup_id, next.port, owner.service)) {
			key = next;
			first = false;
			continue;
		}
		r = bpf_map_delete_elem(c->fds[PROBE_OWNERS], &next);
		if (r < 0 && r != -ENOENT)
			return err_set(e, r, "disown the sockets of cgroup %llu",
				       (unsigned long long)next.cgroup_id);
	}
	return 0;
}

int counters_owners_changed(struct counters *c, struct err *e)
{
	const struct fsh_config config = {.epoch = next_epoch(c)};
	uint32_t zero = 0;
	int r = bpf_map_update_elem(c->fds[PROBE_CONFIG], &zero, &config, BPF_ANY);

	return r < 0 ? err_set(e, r, "tell the sockets of their owners") : 0;
}

double counters_slot_ns(unsigned int slot)
{
	double a = (double)fsh_hist_lower(slot), b = (double)fsh_hist_lower(slot + 1);

	if (!slot)
		return b / 2;
	return slot >= FSH_HIST_SLOTS - 1 ? a : 2 * a * b / (a + b);
}

static double quantile_us(const uint32_t *before, const uint32_t *after, uint64_t n, double q)
{
	uint64_t rank = (uint64_t)ceil(q * (double)n), seen = 0;

	for (unsigned int slot = 0; slot < FSH_HIST_SLOTS; slot++) {
		seen += after[slot] - before[slot];
		if (seen >= rank && seen)
			return counters_slot_ns(slot) / 1e3;
	}
	return NAN;
}

void counters_latency(const uint32_t *before, const uint32_t *after, uint64_t sum_ns,
		      struct counters_latency *ret)
{
	uint64_t n = 0;

	for (unsigned int slot = 0; slot < FSH_HIST_SLOTS; slot++)
		n += after[slot] - before[slot];
	ret->n = n;
	ret->p50_us = quantile_us(before, after, n, 0.5);
	ret->p90_us = quantile_us(before, after, n, 0.9);
	ret->p99_us = quantile_us(before, after, n, 0.99);
	ret->p999_us = quantile_us(before, after, n, 0.999);
	ret->max_us = quantile_us(before, after, n, 1);
	ret->mean_us = n ? (double)sum_ns / (double)n / 1e3 : NAN;
}
