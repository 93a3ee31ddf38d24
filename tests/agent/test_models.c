// SPDX-License-Identifier: GPL-2.0-or-later
/* test_models.c - what 100 services have learned comes back after a restart, of one generation. */
#include "agent/models.h"
#include "tests/agent/store_fixture.h"

#define SERVICES 100
#define APIS     10

static struct policy_service services[SERVICES];
static struct policy_api routes[APIS];
static struct tick_service seen[SERVICES];
static struct tick_api apis[SERVICES][APIS + 1];
static struct policy_set set = {.services = services, .n_services = SERVICES};
static struct controller *c;
static struct store *s;
static struct models m;
static uint64_t now_ns;
/* The parts of @c as they were kept. */
static void *kept[SERVICES + 1];

static struct controller *a_controller(void)
{
	struct host_facts facts = {64000, UINT64_C(256) << 30, 0};
	struct controller *ret = NULL;

	assert_int_equal(controller_new(&set, &facts, NS_PER_S, &ret), 0);
	return ret;
}

static void a_host(void)
{
	for (size_t i = 0; i < SERVICES; i++) {
		struct policy_service *p = &services[i];

		*p = (struct policy_service){
			.weight = 1, .apis = routes, .n_apis = APIS, .tier = TIER_SILVER};
		(void)snprintf(p->name, sizeof(p->name), "service-%zu", i);
		p->cpu.ceiling_mcpu = p->memory.ceiling_bytes = UNLIMITED;
		p->bandwidth.ceiling_bits_per_s = UNLIMITED;
		p->forecast.lead_ns = 30 * NS_PER_S;
		p->forecast.quantile = p->forecast.short_cost = NAN;
		seen[i] = (struct tick_service){.apis = apis[i]};
	}
	for (size_t k = 0; k < APIS; k++)
		(void)snprintf(routes[k].route, sizeof(routes[k].route), "/%zu", k);
	set.host = (struct policy_host){.writes_per_minute = 600, .target_utilisation = 0.7};
	fresh();
	s = open_store(0);
	m = (struct models){};
	c = a_controller();
	now_ns = NS_PER_S;
}

static void done(void)
{
	for (size_t i = 0; i <= SERVICES; i++) {
		free(kept[i]);
		kept[i] = NULL;
	}
	controller_free(c);
	store_close(s);
	clean();
}

/* A second of load that is another one for each service. */
static void tick(void)
{
	struct tick_input in = {
		.now_mono_ns = now_ns += NS_PER_S,
		.now_real_ns = (int64_t)now_ns,
		.interval_ns = NS_PER_S,
		.host_cpu_used_mcpu = UNLIMITED,
		.host_memory_available_bytes = UNLIMITED,
		.services = seen,
	};

	for (size_t i = 0; i < SERVICES; i++) {
		seen[i].cpu_usage_us = 1000 * (100 + i + now_ns / NS_PER_S % 7);
		seen[i].memory_bytes = (10 + i) * MIB;
		for (size_t k = 0; k < APIS; k++)
			apis[i][k].requests = apis[i][k].finished = 1 + (i + k) % 5;
	}
	(void)tick_once(c, &in);
}

/* A second of what the agent does; the disk is as fast as can be. */
static void second(void)
{
	tick();
	models_save(&m, c, s, now_ns, (int64_t)now_ns);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
}

static void *part_of(const struct controller *of, size_t part, size_t *size)
{
	void *buf = malloc(*size = controller_part_size(of, part));

	assert_non_null(buf);
	assert_int_equal(controller_save_part(of, 1, part, buf, *size), *size);
	return buf;
}

/* Until the next generation is there, or @left parts of it are not. */
static void save(size_t left)
{
	while (m.left == 0)
		second();
	for (int t = 0; t < 2000 && m.left > left; t++) {
		models_save(&m, c, s, now_ns, (int64_t)now_ns);
		assert_int_equal(store_flush(s, WAIT_MS), 0);
	}
	assert_int_equal(store_lost(s), 0);
}

static void remember(void)
{
	size_t size;

	for (size_t i = 0; i <= SERVICES; i++) {
		free(kept[i]);
		kept[i] = part_of(c, i, &size);
	}
}

/* How many services are what was remembered, in a controller made from history. */
static size_t n_back(void)
{
	struct controller *other = a_controller();
	struct models loaded = {};
	size_t same = 0;

	assert_int_equal(models_load(&loaded, other, path), 0);
	for (size_t i = 1; i <= SERVICES; i++) {
		size_t size;
		void *now = part_of(other, i, &size);

		same += memcmp(now, kept[i], size) == 0;
		free(now);
	}
	controller_free(other);
	return same;
}

static void change(const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A first generation, of a planner that stands still while it is written. */
static void a_generation(void)
{
	a_host();
	for (int t = 0; t < 20; t++)
		tick();
	while (m.left == 0) {
		models_save(&m, c, s, now_ns, (int64_t)now_ns);
		now_ns += NS_PER_S;
	}
	save(0);
	remember();
}

static void a_hundred_services_come_back(void **state)
{
	a_generation();
	/* More than the queue holds at once. */
	assert_true(controller_save_size(c) > 8 * MIB);
	assert_int_equal(n_back(), SERVICES);
	done();
}

/* The other half is not there when the agent dies: all of the one before comes back. */
static void half_a_generation_is_none(void **state)
{
	struct models after = {};
	struct controller *other;

	a_generation();
	for (int t = 0; t < 9; t++)
		tick();
	save(SERVICES / 2);
	assert_true(m.left > 0);
	assert_int_equal(n_back(), SERVICES);
	/* The next agent writes over that half, not over what it has. */
	other = a_controller();
	assert_int_equal(models_load(&after, other, path), 0);
	assert_int_equal(after.slot, m.slot);
	controller_free(other);
	/* And services that are others in the middle of it begin it anew. */
	models_restart(&m);
	save(SERVICES / 3);
	assert_int_equal(n_back(), SERVICES);
	save(0);
	assert_int_equal(n_back(), 0);
	done();
}

static void a_lost_part_is_a_lost_generation(void **state)
{
	a_generation();
	for (int t = 0; t < 9; t++)
		tick();
	save(0);
	assert_int_equal(n_back(), 0);
	change("DELETE FROM model_state WHERE key = 'models/1/7'");
	assert_int_equal(n_back(), SERVICES);
	/* A part of another generation is none of this one. */
	change("INSERT INTO model_state SELECT 'models/1/7', at_real_ns, state FROM model_state"
	       " WHERE key = 'models/0/7'");
	assert_int_equal(n_back(), SERVICES);
	done();
}

static void all_is_written_at_the_end(void **state)
{
	a_host();
	for (int t = 0; t < 20; t++)
		tick();
	models_save_all(&m, c, s, (int64_t)now_ns);
	remember();
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_int_equal(store_lost(s), 0);
	assert_int_equal(n_back(), SERVICES);
	done();
}

/* What is written in a minute does not grow with the host, and 60 s lie between generations. */
static void the_rate_is_bounded(void **state)
{
	size_t parts = 0, bytes = 0;

	a_host();
	tick();
	for (uint64_t t = 1; t <= 160; t++) {
		size_t before = m.left;

		now_ns += NS_PER_S;
		models_save(&m, c, s, now_ns, (int64_t)now_ns);
		assert_int_equal(store_flush(s, WAIT_MS), 0);
		before = t == 61 ? SERVICES + 1 : before;
		for (; before > m.left; before--, parts++)
			bytes += controller_part_size(c, before - 1);
		assert_true(t > 60 || parts == 0);
	}
	assert_true(parts > 0 && m.left > 0);
	/* 2 MiB that were saved up, and the last part may be more than is left. */
	assert_true(bytes < 2 * MIB + (size_t)100 * 128 * KIB + MIB);
	done();
}

static void the_save_of_another_version_is_none(void **state)
{
	struct controller *other;

	a_host();
	(void)store_state(s, "controller", "old", 3);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	other = a_controller();
	assert_int_equal(models_load(&m, other, path), -ENOENT);
	(void)store_state(s, "models/0/0", "old", 3);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_int_equal(models_load(&m, other, path), -EINVAL);
	controller_free(other);
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_services_come_back),
		cmocka_unit_test(half_a_generation_is_none),
		cmocka_unit_test(a_lost_part_is_a_lost_generation),
		cmocka_unit_test(all_is_written_at_the_end),
		cmocka_unit_test(the_rate_is_bounded),
		cmocka_unit_test(the_save_of_another_version_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
