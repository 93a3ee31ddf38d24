// SPDX-License-Identifier: GPL-2.0-or-later
/* jobs.c - model fits on a thread of their own, at low priority. */
#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "agent/worker/worker.h"

#define JOB_NICE 10

struct jobs {
	struct agent *agent;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct tick_job *todo, *done;
	struct controller *owner; /* who gets it back */
	bool busy, stop;
	int wake_fd;
};

static void *run(void *arg)
{
	struct jobs *j = arg;

	/* Not SCHED_IDLE: a host whose CPUs are all taken is when forecasts matter. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), JOB_NICE);
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
		(void)eventfd_write(j->wake_fd, 1);
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

static int finished(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct jobs *j = arg;
	struct tick_job *job;
	eventfd_t n;

	(void)source;
	(void)events;
	(void)eventfd_read(fd, &n);
	pthread_mutex_lock(&j->lock);
	job = take_ptr(j->done);
	pthread_mutex_unlock(&j->lock);
	if (!job)
		return 0;
	j->busy = false;
	controller_job_give(j->owner, job);
	jobs_offer(j);
	return 0;
}

int jobs_new(struct agent *a, struct jobs **ret, struct err *e)
{
	struct jobs *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return err_set(e, -ENOMEM, "model fits");
	j->agent = a;
	j->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->changed, NULL);
	r = j->wake_fd < 0 ? -errno
			   : sd_event_add_io(a->loop, NULL, j->wake_fd, EPOLLIN, finished, j);
	if (r >= 0)
		r = -pthread_create(&j->thread, NULL, run, j);
	if (r < 0) {
		closep(&j->wake_fd);
		free(j);
		return err_set(e, r, "start the thread of model fits");
	}
	*ret = j;
	return 0;
}

void jobs_offer(struct jobs *j)
{
	struct tick_job *job;

	if (!j || j->busy)
		return;
	job = controller_job_take(j->agent->controller);
	if (!job)
		return;
	pthread_mutex_lock(&j->lock);
	j->owner = j->agent->controller;
	j->todo = job;
	j->busy = true;
	pthread_cond_signal(&j->changed);
	pthread_mutex_unlock(&j->lock);
}

void jobs_move(struct jobs *j)
{
	if (j && j->owner)
		j->owner = j->agent->controller;
}

void jobs_free(struct jobs *j)
{
	if (!j)
		return;
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_signal(&j->changed);
	pthread_mutex_unlock(&j->lock);
	pthread_join(j->thread, NULL);
	if (j->done)
		controller_job_give(NULL, j->done);
	if (j->todo)
		controller_job_give(NULL, j->todo);
	closep(&j->wake_fd);
	free(j);
}
