// SPDX-License-Identifier: GPL-2.0-or-later
/* test_jobs.c - model fits of each kind on a thread of their own, of low priority, one at a time.
 */
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "agent/worker/worker.h"
#include "tests/check.h"

#define PATIENCE_S 60 /* of what only takes so long when it is broken */
#define TICK_US    10000

/* A fit as the test sees it. */
struct tick_job {
	bool due;  /* offered when asked for */
	bool held; /* runs until let go */
	sem_t began, held_until;
	int policy, nice; /* of the thread it ran on */
	int n_given;
	struct controller *given_to;
};

static struct tick_job fit, tuning;
static char controllers[2]; /* only compared */
static struct agent agent;
static struct err e;

static struct controller *controller(int i)
{
	return (struct controller *)&controllers[i];
}

static struct tick_job *take(struct tick_job *job)
{
	bool due = job->due;

	job->due = false;
	return due ? job : NULL;
}

struct tick_job *controller_job_take(struct controller *c)
{
	(void)c;
	return take(&fit);
}

struct tick_job *controller_tune_take(struct controller *c)
{
	(void)c;
	return take(&tuning);
}

void controller_job_run(struct tick_job *job)
{
	job->policy = sched_getscheduler(0);
	job->nice = getpriority(PRIO_PROCESS, (id_t)gettid());
	(void)sem_post(&job->began);
	if (job->held)
		(void)sem_wait(&job->held_until);
}

void controller_job_give(struct controller *c, struct tick_job *job)
{
	job->n_given++;
	job->given_to = c;
}

static void fresh_job(struct tick_job *job)
{
	*job = (struct tick_job){};
	assert_int_equal(sem_init(&job->began, 0, 0), 0);
	assert_int_equal(sem_init(&job->held_until, 0, 0), 0);
}

static int fresh(void **state)
{
	(void)state;
	(void)alarm(PATIENCE_S);
	fresh_job(&fit);
	fresh_job(&tuning);
	agent.controller = controller(0);
	assert_true(sd_event_new(&agent.loop) >= 0);
	assert_int_equal(jobs_new(&agent, &agent.jobs, &e), 0);
	return 0;
}

static int release(void **state)
{
	(void)state;
	agent.loop = sd_event_unref(agent.loop);
	(void)alarm(0);
	return 0;
}

static void await_begin(struct tick_job *job)
{
	assert_int_equal(sem_wait(&job->began), 0);
}

/* As every tick: a thread that is at it just then is asked again. */
static void await_given(const struct tick_job *job, int times)
{
	while (job->n_given < times) {
		assert_true(sd_event_run(agent.loop, TICK_US) >= 0);
		jobs_offer(agent.jobs);
	}
	assert_int_equal(job->n_given, times);
}

static void offer(struct tick_job *job)
{
	job->due = true;
	while (job->due)
		jobs_offer(agent.jobs);
}

/* It has to wait for an idle CPU, which may be long. */
static void tuning_keeps_no_other_fit_waiting(void **state)
{
	(void)state;
	tuning.held = true;
	offer(&tuning);
	await_begin(&tuning);
	for (int times = 1; times <= 3; times++) {
		offer(&fit);
		await_given(&fit, times);
	}
	assert_int_equal(tuning.n_given, 0);
	(void)sem_post(&tuning.held_until);
	await_given(&tuning, 1);
	assert_ptr_equal(tuning.given_to, controller(0));
	jobs_free(agent.jobs);
}

static void fits_run_at_low_priority_and_tuning_at_the_lowest(void **state)
{
	(void)state;
	fit.due = true;
	offer(&tuning);
	await_given(&fit, 1);
	await_given(&tuning, 1);
	assert_int_equal(fit.policy, SCHED_OTHER);
	assert_true(fit.nice >= 10);
	assert_int_equal(tuning.policy, SCHED_IDLE);
	assert_true(sched_getscheduler(0) != SCHED_IDLE);
	jobs_free(agent.jobs);
}

static void one_of_a_kind_runs_at_a_time(void **state)
{
	(void)state;
	fit.held = true;
	offer(&fit);
	await_begin(&fit);
	fit.due = true;
	jobs_offer(agent.jobs);
	assert_true(fit.due); /* not taken */
	fit.held = false;
	(void)sem_post(&fit.held_until);
	await_given(&fit, 2); /* the end of one starts the other */
	jobs_free(agent.jobs);
}

static void after_a_reload_a_fit_goes_to_the_new_controller(void **state)
{
	(void)state;
	fit.held = true;
	offer(&fit);
	await_begin(&fit);
	agent.controller = controller(1);
	jobs_move(agent.jobs);
	(void)sem_post(&fit.held_until);
	await_given(&fit, 1);
	assert_ptr_equal(fit.given_to, controller(1));
	jobs_free(agent.jobs);
}

/* What ran out is given back, to nobody; what waits for an idle CPU is not waited for. */
static void the_end_waits_for_no_tuning(void **state)
{
	(void)state;
	fit.held = tuning.held = true;
	offer(&fit);
	offer(&tuning);
	await_begin(&fit);
	await_begin(&tuning);
	(void)sem_post(&fit.held_until);
	jobs_free(agent.jobs);
	assert_int_equal(fit.n_given, 1);
	assert_null(fit.given_to);
	assert_int_equal(tuning.n_given, 0);
	(void)sem_post(&tuning.held_until);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tuning_keeps_no_other_fit_waiting),
		TEST(fits_run_at_low_priority_and_tuning_at_the_lowest),
		TEST(one_of_a_kind_runs_at_a_time),
		TEST(after_a_reload_a_fit_goes_to_the_new_controller),
		TEST(the_end_waits_for_no_tuning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
