// SPDX-License-Identifier: GPL-2.0-or-later
/* test_actions.c - what people ask of a running agent, with a keeper that only listens. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "agent/worker/worker.h"

#define HOUR (S_PER_H * NS_PER_S)

static struct agent agent;
static size_t found_by_reload; /* services the next reload finds */
static int enforce_told;       /* the last ORDER_ENFORCE; -1: none */
static char mode_told[ORDER_NAME_MAX];
static unsigned int n_restores, n_yields;

int orders_send(struct agent *a, const struct worker_pending *p)
{
	if (p->order.kind == ORDER_ENFORCE) {
		enforce_told = (int)p->order.value;
		memcpy(mode_told, p->order.name, sizeof(mode_told));
	}
	n_yields += p->order.kind == ORDER_YIELD;
	if (p->order.kind == ORDER_RESTORE) {
		n_restores++;
		free(p->arg);
	}
	return 0;
}

int services_find_dir(struct agent *a, struct err *e)
{
	return 0;
}

int services_load(struct agent *a, bool first, struct err *e)
{
	a->n_services = found_by_reload;
	return 0;
}

void services_watch(struct agent *a)
{
}

void record_event(struct agent *a, const char *kind, const char *service, const char *fmt, ...)
{
}

void jobs_move(struct jobs *j)
{
}

void events_apply(struct agent *a)
{
}

void attach_reconcile(struct agent *a)
{
}

void attach_publish(struct agent *a)
{
}

void carry_read_knobs(struct agent *a, struct worker_service *s)
{
}

void carry_given_back(struct agent *a, struct worker_service *s)
{
}

int agent_find(struct agent *a, const char *name)
{
	return a->services ? 0 : -ENOENT;
}

static int fresh(void **state)
{
	memset(&agent, 0, sizeof(agent));
	agent.n_services = 1;
	found_by_reload = 0;
	enforce_told = -1;
	n_restores = n_yields = 0;
	return 0;
}

static void set(bool enforce, uint64_t for_ns)
{
	assert_int_equal(agent_mode(&agent, enforce, for_ns, NULL), 0);
	assert_int_equal(agent.enforce, enforce);
}

/* As if the time were over. */
static void expire(void)
{
	assert_true(agent.mode.until_real_ns > 0);
	agent.mode.until_real_ns = 1;
	actions_expire(&agent);
	assert_int_equal(agent.mode.until_real_ns, 0);
}

static void a_time_to_enforce_ends_in_observe_and_gives_back(void **state)
{
	set(true, HOUR);
	actions_expire(&agent);
	assert_true(agent.enforce);
	expire();
	assert_false(agent.enforce);
	assert_int_equal(enforce_told, 0);
	assert_int_equal(n_restores, 1);
}

static void a_time_to_observe_ends_in_enforce(void **state)
{
	set(true, 0);
	set(false, HOUR);
	expire();
	assert_true(agent.enforce);
	assert_int_equal(enforce_told, 1);
	assert_int_equal(n_restores, 0);
}

static void what_lasts_anyway_has_no_end(void **state)
{
	set(false, HOUR);
	assert_int_equal(agent.mode.until_real_ns, 0);
	set(true, 0);
	set(true, HOUR);
	assert_int_equal(agent.mode.until_real_ns, 0);
}

static void times_within_times_go_back_to_what_was_first(void **state)
{
	set(true, HOUR);
	set(true, 2 * HOUR);
	expire();
	assert_false(agent.enforce);
	set(true, HOUR);
	set(false, HOUR); /* as it was before: over at once */
	assert_int_equal(agent.mode.until_real_ns, 0);
}

static void without_a_time_it_lasts(void **state)
{
	set(true, HOUR);
	set(true, 0);
	assert_int_equal(agent.mode.until_real_ns, 0);
	set(false, HOUR);
	expire();
	assert_true(agent.enforce);
}

static void without_a_policy_it_waits_to_enforce(void **state)
{
	set(true, 0);
	assert_int_equal(agent_reload(&agent, NULL), 0); /* finds none */
	assert_false(agent.enforce);
	assert_int_equal(enforce_told, 0);
	assert_int_equal(agent_mode(&agent, true, 0, NULL), -EINVAL);
	found_by_reload = 1;
	assert_int_equal(agent_reload(&agent, NULL), 0);
	assert_true(agent.enforce);
	assert_int_equal(enforce_told, 1);
}

static void what_ends_without_a_policy_waits_too(void **state)
{
	set(true, 0);
	set(false, HOUR);
	assert_int_equal(agent_reload(&agent, NULL), 0);
	expire();
	assert_false(agent.enforce);
	found_by_reload = 1;
	assert_int_equal(agent_reload(&agent, NULL), 0);
	assert_true(agent.enforce);
}

static void told_to_observe_it_waits_no_more(void **state)
{
	set(true, 0);
	assert_int_equal(agent_reload(&agent, NULL), 0);
	set(false, 0);
	found_by_reload = 1;
	assert_int_equal(agent_reload(&agent, NULL), 0);
	assert_false(agent.enforce);
}

static void all_that_was_asked_for_is_told_for_the_next_worker(void **state)
{
	struct mode told = {};

	set(true, HOUR);
	assert_int_equal(agent_freeze(&agent, HOUR, NULL), 0);
	assert_int_equal(mode_parse(mode_told, &told), 0);
	assert_true(told.enforce && told.until_real_ns && told.frozen_until_real_ns);
	assert_int_equal(agent_reload(&agent, NULL), 0); /* finds none: to enforce is kept */
	assert_int_equal(enforce_told, 0);
	assert_int_equal(mode_parse(mode_told, &told), 0);
	assert_true(told.enforce);
	agent.mode.frozen_until_real_ns = 1;
	expire();
	assert_string_equal(mode_told, "observe/0/0");
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)

static void one_without_a_number_is_not_all(void **state)
{
	const struct policy_service policy = {.name = "a"};
	struct worker_service service = {.policy = &policy, .target = ORDER_NO_TARGET};
	struct err e = {};

	agent.services = &service;
	assert_int_equal(agent_yield(&agent, "a", NULL), 0);
	assert_int_equal(n_yields, 0);
	assert_int_equal(agent_restore(&agent, "a", NULL, NULL, &e), -EBUSY);
	assert_int_equal(n_restores, 0);
	service.target = 0;
	assert_int_equal(agent_yield(&agent, "a", NULL), 0);
	assert_int_equal(agent_restore(&agent, "a", NULL, NULL, &e), 0);
	assert_int_equal(n_yields + n_restores, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_time_to_enforce_ends_in_observe_and_gives_back),
		TEST(a_time_to_observe_ends_in_enforce),
		TEST(what_lasts_anyway_has_no_end),
		TEST(times_within_times_go_back_to_what_was_first),
		TEST(without_a_time_it_lasts),
		TEST(without_a_policy_it_waits_to_enforce),
		TEST(what_ends_without_a_policy_waits_too),
		TEST(told_to_observe_it_waits_no_more),
		TEST(all_that_was_asked_for_is_told_for_the_next_worker),
		TEST(one_without_a_number_is_not_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
