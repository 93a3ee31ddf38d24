// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_monkey.c - any input, one kind of trouble with any other. Where a seed fails, the kinds that
 * it takes are looked for by leaving out one after the other: "test_monkey SEED KINDS" is that
 * case.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "tests/shaping/watch.h"

#define SEEDS    10
#define TICKS    160
#define SERVICES 3

enum kind {
	KIND_POLICY,
	KIND_LOAD,
	KIND_MISSING,
	KIND_OWNER,
	KIND_INTERVAL,
	KIND_REAL_CLOCK,
	KIND_COUNTERS,
	KIND_MEMORY,
	KIND_APIS,
	KIND_FOREIGN,
	KIND_WRITES,
	KIND_HOST,
	KIND_STATE,
	KINDS
};
#define ALL_KINDS ((1u << KINDS) - 1)

static struct watch h;

/* One after the other, so that what a kind does is the same without the others. */
static struct monkey {
	uint64_t seed;
	uint32_t kinds;
	uint64_t at[KINDS];
	bool failing;
} monkey;

static bool comes(enum kind k, uint64_t once_in)
{
	return monkey.kinds >> k & 1 && world_random(&monkey.at[k]) % once_in == 0;
}

/* Of any size; rarely the greatest there is. */
static uint64_t any(enum kind k)
{
	uint64_t v = world_random(&monkey.at[k]);

	return v % 9 == 0 ? UINT64_MAX : v >> (v % 64);
}

static double any_double(enum kind k)
{
	static const double values[] = {NAN, INFINITY, -INFINITY, -1, 1e300, 0, 3, 1e-300};

	return values[world_random(&monkey.at[k]) % ARRAY_SIZE(values)];
}

static uint64_t up_to(enum kind k, uint64_t most)
{
	return world_random(&monkey.at[k]) % (most + 1);
}

static void any_policy(struct policy_service *s)
{
	s->weight = any_double(KIND_POLICY);
	s->weight = isfinite(s->weight) && s->weight > 0 ? s->weight : 1;
	s->cpu.floor_mcpu = up_to(KIND_POLICY, 3) ? 0 : up_to(KIND_POLICY, 5000);
	s->cpu.ceiling_mcpu = up_to(KIND_POLICY, 2) ? UNLIMITED : up_to(KIND_POLICY, 3000);
	s->memory.floor_bytes = up_to(KIND_POLICY, 3) ? 0 : up_to(KIND_POLICY, 256) * MIB;
	s->memory.ceiling_bytes =
		up_to(KIND_POLICY, 2) ? UNLIMITED : up_to(KIND_POLICY, 4096) * MIB;
	s->forecast.quantile = up_to(KIND_POLICY, 2) ? NAN : 0.5;
	s->auto_tier = up_to(KIND_POLICY, 3) == 0;
	s->slo = (struct policy_slo){
		.set = up_to(KIND_POLICY, 1), .objective = 0.99, .window_s = 60};
}

static void begin(void)
{
	struct policy_service *s;
	const struct watch_row *row;

	world_free(&h.w);
	memset(&h, 0, sizeof(h));
	(void)snprintf(h.what, sizeof(h.what), "test_monkey %" PRIu64 " %u", monkey.seed,
		       monkey.kinds);
	for (int k = 0; k < KINDS; k++)
		monkey.at[k] =
			(monkey.seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)k * 7919;
	world_init(&h.w, 4000);
	for (uint64_t i = 0; i < SERVICES; i++) {
		char name[] = {'s', (char)('0' + i), '\0'};

		row = &watch_rows[(monkey.seed + i * 4) % ARRAY_SIZE(watch_rows)];
		s = world_add(&h.w, name, row->tier);
		s->cpu.mode = row->mode;
		s->forecast.short_cost = row->short_cost;
		s->n_apis = i;
		if (comes(KIND_POLICY, 1))
			any_policy(s);
		h.w.seen[i].known |= 1u << KNOB_MEMORY_RECLAIM | 1u << KNOB_IO_MAX;
		h.w.wants_mcpu[i] = 300;
	}
}

static void service_input(struct tick_service *s, size_t i)
{
	if (comes(KIND_LOAD, 15))
		h.w.wants_mcpu[i] = exp(12 * world_unit(&monkey.at[KIND_LOAD])) - 1;
	s->missing = comes(KIND_MISSING, 10) ? (uint32_t)any(KIND_MISSING) % 32 : MISSING_APIS;
	if (comes(KIND_OWNER, 40))
		s->yielded = (uint32_t)any(KIND_OWNER) & WORLD_ALL;
	if (comes(KIND_FOREIGN, 40)) {
		enum knob k = (enum knob)up_to(KIND_FOREIGN, KNOB_MEMORY_MAX);

		s->knob[k] = knob_rows[k].may_be_unlimited && up_to(KIND_FOREIGN, 1)
				     ? UNLIMITED
				     : clamp_u64(any(KIND_FOREIGN), knob_rows[k].lowest,
						 knob_rows[k].highest);
	}
	if (comes(KIND_MEMORY, 10)) {
		s->memory_bytes =
			up_to(KIND_MEMORY, 9) ? up_to(KIND_MEMORY, 6000) * MIB : any(KIND_MEMORY);
		s->anon_bytes = up_to(KIND_MEMORY, 9) ? s->memory_bytes / 2 : any(KIND_MEMORY);
		s->psi_memory_full_us = any(KIND_MEMORY);
		s->psi_memory_some_us = up_to(KIND_MEMORY, 4) ? 0 : any(KIND_MEMORY);
		s->shmem_bytes = up_to(KIND_MEMORY, 4) ? 0 : any(KIND_MEMORY);
		s->file_bytes = any(KIND_MEMORY);
		s->inactive_file_bytes = any(KIND_MEMORY);
		s->refaulted_bytes = up_to(KIND_MEMORY, 4) ? 0 : any(KIND_MEMORY);
		h.w.available_bytes = any(KIND_MEMORY);
		s->io_read_bytes = any(KIND_MEMORY);
		s->psi_io_some_us = up_to(KIND_MEMORY, 1) ? 0 : any(KIND_MEMORY);
	}
	for (size_t k = 0; k <= i && monkey.kinds >> KIND_APIS & 1; k++) {
		s->missing &= ~(uint32_t)MISSING_APIS;
		h.w.apis[i][k] = (struct tick_api){
			.requests = up_to(KIND_APIS, 20) ? up_to(KIND_APIS, 300) : any(KIND_APIS),
			.finished = up_to(KIND_APIS, 20) ? up_to(KIND_APIS, 300) : any(KIND_APIS),
			.bytes_out = any(KIND_APIS),
			.in_flight = any_double(KIND_APIS),
			.slo_total = up_to(KIND_APIS, 100),
			.slo_good = any(KIND_APIS),
		};
	}
}

/* After the host's own reckoning of what was used. */
static void counters_input(struct tick_service *s)
{
	if (!comes(KIND_COUNTERS, 20))
		return;
	s->cpu_usage_us = any(KIND_COUNTERS);
	s->nr_periods = any(KIND_COUNTERS);
	s->nr_throttled = any(KIND_COUNTERS);
	s->throttled_us = any(KIND_COUNTERS);
	s->psi_cpu_some_us = any(KIND_COUNTERS);
	s->tx_bytes = any(KIND_COUNTERS);
}

static void host_input(void)
{
	static const uint64_t intervals_ns[] = {0, 1, NS_PER_MS, 4 * NS_PER_S, 86400 * NS_PER_S};

	h.w.frozen = comes(KIND_OWNER, 40);
	h.w.interval_ns = comes(KIND_INTERVAL, 15)
				  ? intervals_ns[up_to(KIND_INTERVAL, ARRAY_SIZE(intervals_ns) - 1)]
				  : NS_PER_S;
	if (comes(KIND_REAL_CLOCK, 15))
		h.w.real_off_ns = (int64_t)any(KIND_REAL_CLOCK);
	for (size_t i = 0; i < SERVICES; i++)
		service_input(&h.w.seen[i], i);
}

static void another_controller(struct controller *c)
{
	controller_free(h.w.controller);
	h.w.controller = c;
}

static void reload_or_restart(void)
{
	struct controller *c = NULL;
	size_t size;
	void *buf;

	if (comes(KIND_HOST, 40)) {
		h.w.facts.capacity_mcpu = 1000 * (1 + up_to(KIND_HOST, 7));
		assert_int_equal(controller_reload(h.w.controller, &h.w.set, &h.w.facts, &c), 0);
		another_controller(c);
	}
	if (!comes(KIND_STATE, 40))
		return;
	size = controller_save_size(h.w.controller);
	buf = malloc(size);
	assert_int_equal(controller_save(h.w.controller, buf, size), size);
	if (up_to(KIND_STATE, 1)) {
		h.w.now_ns = NS_PER_S;
		memset(h.changed_ns, 0, sizeof(h.changed_ns));
	}
	c = world_controller(&h.w);
	assert_int_equal(controller_load(c, buf, size), 0);
	another_controller(c);
	free(buf);
}

/* Some writes fail. */
static void obey(void)
{
	for (size_t k = 0; k < h.w.plan->n_entries; k++) {
		const struct plan_entry *e = &h.w.plan->entries[k];

		if (!e->change)
			continue;
		if (comes(KIND_WRITES, 8)) {
			tick_written(h.w.controller, e, e->before, -EIO);
			continue;
		}
		h.w.seen[e->service].knob[e->knob] = e->value;
		tick_written(h.w.controller, e, e->value, 0);
	}
}

static void run_case(void)
{
	struct tick_input in;

	begin();
	h.w.controller = world_controller(&h.w);
	for (int t = 0; t < TICKS; t++) {
		host_input();
		world_run(&h.w);
		for (size_t i = 0; i < SERVICES; i++)
			counters_input(&h.w.seen[i]);
		in = world_input(&h.w);
		h.w.plan = tick_once(h.w.controller, &in);
		watch_plan(&h);
		obey();
		reload_or_restart();
	}
	assert_true(h.writes > 0);
	world_free(&h.w);
}

static void whatever_comes_limits_keep_their_bounds(void **state)
{
	static const uint64_t found[] = {15, 48}; /* defects, once */

	(void)state;
	monkey.kinds = ALL_KINDS;
	for (uint64_t i = 0; i < ARRAY_SIZE(found) + SEEDS; i++) {
		monkey.seed = i < ARRAY_SIZE(found) ? found[i] : i - ARRAY_SIZE(found);
		monkey.failing = true;
		run_case();
		monkey.failing = false;
	}
}

static void one_case(void **state)
{
	(void)state;
	run_case();
}

static bool still_fails(uint32_t kinds)
{
	char seed[24], text[24];
	int status = 0;
	pid_t pid;

	(void)snprintf(seed, sizeof(seed), "%" PRIu64, monkey.seed);
	(void)snprintf(text, sizeof(text), "%u", kinds);
	pid = fork();
	if (pid == 0) {
		(void)!freopen("/dev/null", "w", stdout);
		(void)!freopen("/dev/null", "w", stderr);
		execl("/proc/self/exe", "test_monkey", seed, text, (char *)NULL);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status != 0;
}

/* Says the kinds of trouble without which the seed no longer fails. */
static int tell(void **state)
{
	uint32_t kinds = ALL_KINDS;

	(void)state;
	if (!monkey.failing)
		return 0;
	for (int k = 0; k < KINDS; k++)
		if (still_fails(kinds & ~(1u << k)))
			kinds &= ~(1u << k);
	print_error("run: test_monkey %" PRIu64 " %u\n", monkey.seed, kinds);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(whatever_comes_limits_keep_their_bounds, tell),
	};
	const struct CMUnitTest one[] = {cmocka_unit_test(one_case)};
	uint64_t kinds;

	if (argc < 3)
		return cmocka_run_group_tests(tests, NULL, NULL);
	if (parse_u64(argv[1], &monkey.seed) < 0 || parse_u64(argv[2], &kinds) < 0)
		return 2;
	monkey.kinds = (uint32_t)kinds;
	return cmocka_run_group_tests(one, NULL, NULL);
}
