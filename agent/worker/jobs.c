// SPDX-License-Identifier: GPL-2.0-or-later
/* jobs.c - model fits on threads of their own, at low priority, the patient ones at the lowest. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "agent/worker/worker.h"

#define JOB_NICE 10

static void lower_priority(void)
{
	/* Not SCHED_IDLE: a host whose CPUs are all taken is when forecasts matter. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), JOB_NICE);
}

static void idle_priority(void)
{
	const struct sched_param none = {};

	lower_priority();
	(void)sched_setscheduler(0, SCHED_IDLE, &none);
}

/* One thread each: what waits for an idle CPU must not keep the others waiting. */
static const struct lane {
	struct tick_job *(*take)(struct controller *);
	void (*begin)(void);
} lanes[] = {
	{controller_job_take, lower_priority},
	{controller_tune_take, idle_priority},
};
#define LANES ARRAY_SIZE(lanes)
_Static_assert(LANES == TAPE_LANES, "the tape knows them by number");

struct fitter {
	struct agent *agent;
	const struct lane *lane;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct tick_job *todo, *done;
	struct controller *owner; /* who gets it back */
	bool busy, stop;
	int wake_fd;
};

struct jobs {
	struct fitter fitters[LANES];
};

static void *run(void *arg)
{
	struct fitter *j = arg;

	j->lane->begin();
	pthread_mutex_lock(&j->lock);
	while (!j->stop) {
		struct tick_job *job = j->todo;

		if (!job) {
			pthread_cond_wait(&j->changed, &j->lock);
			continue;
		}
		j->todo = NULL;
		pthread_mutex_unlock(&j->lock);
		controller_job_run(job);
		pthread_mutex_lock(&j->lock);
		j->done = job;
		pthread_mutex_unlock(&j->lock);
		/* Not with the lock: who wakes up takes this thread's CPU, and then the lock. */
		(void)eventfd_write(j->wake_fd, 1);
		pthread_mutex_lock(&j->lock);
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

/* Nobody waits for a thread that may not get a CPU for long: what is locked now is done later. */
static void collect(struct fitter *j)
{
	struct tick_job *job;

	if (!j->busy || pthread_mutex_trylock(&j->lock) != 0)
		return;
	job = take_ptr(j->done);
	pthread_mutex_unlock(&j->lock);
	if (!job)
		return;
	j->busy = false;
	tape_job_given(&j->agent->tape, (unsigned int)(j->lane - lanes));
	controller_job_give(j->owner, job);
}

/* Starts the next fit that is due, if none runs. */
static void offer(struct fitter *j)
{
	collect(j);
	if (j->busy || pthread_mutex_trylock(&j->lock) != 0)
		return;
	j->todo = j->lane->take(j->agent->controller);
	tape_job_asked(&j->agent->tape, (unsigned int)(j->lane - lanes), j->todo != NULL);
	if (j->todo) {
		j->owner = j->agent->controller;
		j->busy = true;
		pthread_cond_signal(&j->changed);
	}
	pthread_mutex_unlock(&j->lock);
}

static int finished(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	eventfd_t n;

	(void)source;
	(void)events;
	(void)eventfd_read(fd, &n);
	offer(arg);
	return 0;
}

static int begin(struct fitter *j, struct agent *a, const struct lane *lane)
{
	int r;

	j->agent = a;
	j->lane = lane;
	j->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (j->wake_fd < 0)
		return -errno;
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->changed, NULL);
	r = sd_event_add_io(a->loop, NULL, j->wake_fd, EPOLLIN, finished, j);
	if (r >= 0)
		r = -pthread_create(&j->thread, NULL, run, j);
	if (r < 0)
		closep(&j->wake_fd);
	return r;
}

/* Whether nothing of @j is used any more. One that waits for an idle CPU ends with the process. */
static bool end(struct fitter *j)
{
	bool busy;

	pthread_mutex_lock(&j->lock);
	j->stop = true;
	busy = j->busy && !j->done;
	pthread_cond_signal(&j->changed);
	pthread_mutex_unlock(&j->lock);
	if (busy && j->lane->begin == idle_priority) {
		pthread_detach(j->thread);
		return false;
	}
	pthread_join(j->thread, NULL);
	if (j->done)
		controller_job_give(NULL, j->done);
	if (j->todo)
		controller_job_give(NULL, j->todo);
	closep(&j->wake_fd);
	return true;
}

int jobs_new(struct agent *a, struct jobs **ret, struct err *e)
{
	struct jobs *j = calloc(1, sizeof(*j));

	if (!j)
		return err_set(e, -ENOMEM, "model fits");
	for (size_t i = 0; i < LANES; i++) {
		int r = begin(&j->fitters[i], a, &lanes[i]);

		if (r >= 0)
			continue;
		while (i-- > 0)
			(void)end(&j->fitters[i]);
		free(j);
		return err_set(e, r, "start a thread of model fits");
	}
	*ret = j;
	return 0;
}

void jobs_offer(struct jobs *j)
{
	for (size_t i = 0; j && i < LANES; i++)
		offer(&j->fitters[i]);
}

bool jobs_idle(const struct jobs *j)
{
	for (size_t i = 0; j && i < LANES; i++)
		if (j->fitters[i].busy)
			return false;
	return true;
}

void jobs_move(struct jobs *j)
{
	for (size_t i = 0; j && i < LANES; i++) {
		if (j->fitters[i].owner)
			j->fitters[i].owner = j->fitters[i].agent->controller;
	}
}

void jobs_free(struct jobs *j)
{
	bool ended = true;

	for (size_t i = 0; j && i < LANES; i++)
		ended = end(&j->fitters[i]) && ended;
	if (ended)
		free(j);
}
