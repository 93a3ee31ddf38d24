// SPDX-License-Identifier: GPL-2.0-or-later
/* crew.c - items are taken from one counter; who finds none looks on for a while, then sleeps. */
#include "agent/crew.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"

#define SPINS      2000 /* looks before the CPU is given to others: some microseconds */
#define YIELDS     200  /* times that is done before it sleeps */
#define PATIENCE   500  /* looks until who works on the last item seems to have lost its CPU */
#define ALONE_MOST 512  /* runs */
#define NEXT_BITS  32

struct crew {
	crew_work_t *work;
	void *arg;
	_Atomic uint64_t turn;   /* how many items there are, and below the next to be taken */
	_Atomic size_t left;     /* not done yet */
	_Atomic size_t sleepers; /* who have to be woken */
	_Atomic bool over;
	size_t alone, penalty; /* runs the caller does by itself: to go; when next it has to wait */
	pthread_mutex_t lock;  /* of going to sleep and waking */
	pthread_cond_t wake;
	size_t n_threads;
	pthread_t threads[]; /* [n_threads], the caller not among them */
};

size_t crew_size(size_t most)
{
	cpu_set_t set;
	size_t n = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = (size_t)CPU_COUNT(&set);
	return MAX(MIN(n, most), (size_t)1);
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* Whether an item was left at @turn. */
static bool is_left(uint64_t turn)
{
	return (uint32_t)turn < turn >> NEXT_BITS;
}

static bool has_work(struct crew *c)
{
	return is_left(atomic_load(&c->turn)) || atomic_load(&c->over);
}

/* Takes items until there are none; one word says which and whether, so that no run meets another.
 */
static void take_items(struct crew *c)
{
	uint64_t turn;

	while (is_left(turn = atomic_fetch_add(&c->turn, 1))) {
		c->work(c->arg, (uint32_t)turn);
		atomic_fetch_sub(&c->left, 1);
	}
}

static void sleep_until_work(struct crew *c)
{
	pthread_mutex_lock(&c->lock);
	/* Counted before it looks: who brings work either sees the count or is seen here. */
	atomic_fetch_add(&c->sleepers, 1);
	while (!has_work(c))
		pthread_cond_wait(&c->wake, &c->lock);
	atomic_fetch_sub(&c->sleepers, 1);
	pthread_mutex_unlock(&c->lock);
}

static void wait_for_work(struct crew *c)
{
	for (int i = 0; i < SPINS; i++) {
		if (has_work(c))
			return;
		relax();
	}
	for (int i = 0; i < YIELDS; i++) {
		if (has_work(c))
			return;
		sched_yield();
	}
	sleep_until_work(c);
}

static void *work_on(void *arg)
{
	struct crew *c = arg;

	while (!atomic_load(&c->over)) {
		take_items(c);
		wait_for_work(c);
	}
	return NULL;
}

static void wake_all(struct crew *c)
{
	if (atomic_load(&c->sleepers) == 0)
		return;
	pthread_mutex_lock(&c->lock);
	pthread_cond_broadcast(&c->wake);
	pthread_mutex_unlock(&c->lock);
}

/*
 * Where others want the CPUs, too, a thread may lose its own in the midst of an item, and all wait
 * for it: then the caller goes on by itself, the longer the oftener that was so.
 */
static void wait_for_all(struct crew *c)
{
	size_t looks = 0;

	for (; atomic_load(&c->left) > 0; looks++) {
		if (looks < PATIENCE)
			relax();
		else
			sched_yield();
	}
	c->penalty =
		looks > PATIENCE ? MIN(2 * c->penalty + 1, (size_t)ALONE_MOST) : c->penalty / 2;
	c->alone = looks > PATIENCE ? c->penalty : 0;
}

static void run_alone(crew_work_t *work, void *arg, size_t n)
{
	for (size_t i = 0; i < n; i++)
		work(arg, i);
}

void crew_run(struct crew *c, crew_work_t *work, void *arg, size_t n)
{
	if (c->n_threads == 0 || c->alone > 0) {
		c->alone -= c->alone > 0;
		run_alone(work, arg, n);
		return;
	}
	c->work = work;
	c->arg = arg;
	atomic_store(&c->left, n);
	atomic_store(&c->turn, (uint64_t)n << NEXT_BITS);
	wake_all(c);
	take_items(c);
	wait_for_all(c);
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	atomic_store(&c->over, true);
	pthread_mutex_lock(&c->lock);
	pthread_cond_broadcast(&c->wake);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < c->n_threads; i++)
		pthread_join(c->threads[i], NULL);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void crew_freep(struct crew **c)
{
	crew_free(*c);
}

int crew_new(size_t n, struct crew **ret)
{
	_cleanup_(crew_freep) struct crew *c =
		calloc(1, sizeof(*c) + (n - 1) * sizeof(c->threads[0]));

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	for (; c->n_threads < n - 1; c->n_threads++)
		if (pthread_create(&c->threads[c->n_threads], NULL, work_on, c) != 0)
			return -EAGAIN;
	*ret = take_ptr(c);
	return 0;
}
