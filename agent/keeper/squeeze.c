// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * squeeze.c - the guarded shrink beside the loop. Reclaim runs inside the write that asks for it
 * and waits for dirty pages, 0.2 s where measured, so a thread does the steps; all that is decided
 * or journaled is decided on the loop.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "agent/keeper/private.h"

#define THREAD_STACK_BYTES (64 * KIB)

struct squeeze {
	struct keeper *keeper;
	size_t slot;
	struct shrink shrink;
	int dir;
	pthread_t thread;
	atomic_bool cancelled;
	int done_fd; /* eventfd: the thread is through, with @result */
	int result;
	sd_event_source *source;
	struct journal_entry entry; /* of the knob that gets the goal */
	struct squeeze_ask ask;     /* its entry and descriptor are above */
	bool journaled;             /* that it squeezes */
};

static struct squeeze *find(struct keeper *k, enum knob knob, uint64_t id)
{
	int where = hierarchy_of_knob(&k->h, knob);

	for (size_t i = 0; i < KEEPER_MAX_SQUEEZES; i++) {
		struct squeeze *q = k->squeezes[i];

		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): finish() cleared its slot */
		if (q && q->entry.cgroup_id == id &&
		    hierarchy_of_knob(&k->h, (enum knob)q->entry.knob) == where)
			return q;
	}
	return NULL;
}

bool squeeze_is_active(struct keeper *k, enum knob knob, uint64_t id)
{
	return find(k, knob, id) != NULL;
}

bool squeeze_is_any(const struct keeper *k)
{
	size_t i = 0;

	while (i < KEEPER_MAX_SQUEEZES && !k->squeezes[i])
		i++;
	return i < KEEPER_MAX_SQUEEZES;
}

static void free_squeeze(struct squeeze *q)
{
	sd_event_source_disable_unref(q->source);
	closep(&q->done_fd);
	closep(&q->dir);
	free(q);
}

/* The knob squeezed on the way has to find its way back should this process die in between. */
static int journal_squeezing(struct squeeze *q)
{
	struct keeper *k = q->keeper;
	enum knob knob = shrink_squeezes(&k->h, (enum knob)q->entry.knob);
	struct journal_entry *found =
		journal_find(k->journal, JOURNAL_KNOB, knob, q->entry.cgroup_id);
	struct journal_entry e = found ? *found : q->entry;

	if (e.flags & JOURNAL_YIELDED)
		return -EPERM;
	if (!found) {
		e.knob = knob;
		e.flags = 0; /* never written as itself: nothing to go back to later */
		e.baseline = q->shrink.squeezed;
		memcpy(e.raw, q->shrink.before_raw, sizeof(e.raw));
	}
	e.flags |= JOURNAL_SHRINKING;
	e.before = q->shrink.squeezed;
	e.value = q->shrink.goal;
	q->journaled = true;
	return journal_put_durable(k->journal, &e);
}

/* The squeezing is over: what it lowered has its old value again, or the goal. */
static void journal_settled(struct squeeze *q, int err)
{
	struct keeper *k = q->keeper;
	enum knob knob = shrink_squeezes(&k->h, (enum knob)q->entry.knob);
	struct journal_entry *found =
		journal_find(k->journal, JOURNAL_KNOB, knob, q->entry.cgroup_id);
	struct journal_entry e;

	if (!found || !q->journaled)
		return;
	e = *found;
	e.flags &= ~(uint32_t)JOURNAL_SHRINKING;
	if (!(e.flags & (JOURNAL_WRITTEN | JOURNAL_YIELDED))) {
		(void)journal_delete(k->journal, &e);
		return;
	}
	if (err < 0 || knob != q->entry.knob)
		e.value = e.before;
	(void)journal_put(k->journal, &e);
}

/* After a failure the knob kept its old value: so says the journal. */
static void journal_outcome(struct squeeze *q, int err)
{
	struct keeper *k = q->keeper;
	struct journal_entry *found, e;

	journal_settled(q, err);
	found = journal_find(k->journal, JOURNAL_KNOB, (enum knob)q->entry.knob,
			     q->entry.cgroup_id);
	if (err == 0 || !found || q->ask.releasing)
		return;
	e = *found;
	e.value = e.before;
	(void)journal_put(k->journal, &e);
}

static const char *words(int err)
{
	switch (err) {
	case -EBUSY:
		return "more is in use than the new limit allows";
	case -ETIME:
		return "what was to be freed was still in use after 3 s";
	case -ECANCELED:
		return "a raise or another owner came in between";
	}
	return "";
}

static void answer(struct squeeze *q, int err)
{
	struct answer ans =
		orders_blank(q->ask.seq, ANSWER_ORDER, q->ask.target, (enum knob)q->entry.knob);

	if (q->ask.seq == 0)
		return;
	ans.err = err;
	ans.before = ans.after = q->ask.before;
	ans.clamped = q->ask.clamped;
	ans.baseline = q->entry.baseline;
	ans.state = STATE_BASELINE;
	(void)shrink_value(&q->shrink, &ans.after);
	(void)snprintf(ans.text, sizeof(ans.text), "%s", words(err));
	orders_answer(q->keeper, &ans);
}

static void finish(struct squeeze *q, int err)
{
	struct keeper *k = q->keeper;
	struct journal_entry entry = q->entry;
	bool releasing = q->ask.releasing;

	journal_outcome(q, err);
	answer(q, err);
	k->squeezes[q->slot] = NULL;
	free_squeeze(q);
	if (releasing)
		release_shrunk(k, &entry, err);
	release_go_on(k);
}

/* Ends early only by @cancelled: a signal makes a write that waits for pages return. */
static void *squeeze_thread(void *arg)
{
	const struct timespec pause = {.tv_nsec = SHRINK_STEP_NS};
	const uint64_t one = 1;
	struct squeeze *q = arg;
	int r = 1;

	while (r > 0 && !atomic_load(&q->cancelled)) {
		r = shrink_step(&q->shrink, keeper_now_mono_ns());
		if (r > 0)
			(void)nanosleep(&pause, NULL);
	}
	q->result = r > 0 ? -ECANCELED : r;
	(void)!write(q->done_fd, &one, sizeof(one));
	return NULL;
}

static int on_done(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct squeeze *q = arg;

	(void)source;
	(void)fd;
	(void)events;
	(void)pthread_join(q->thread, NULL);
	finish(q, q->result);
	return 0;
}

/* Returns once the thread has written its last; its result where it was through already. */
static int end_thread(struct squeeze *q)
{
	atomic_store(&q->cancelled, true);
	(void)pthread_kill(q->thread, SIGURG);
	(void)pthread_join(q->thread, NULL);
	return q->result;
}

static void on_urge(int signal_number)
{
	(void)signal_number;
}

static int start_thread(struct squeeze *q)
{
	const struct sigaction urge = {.sa_handler = on_urge};
	pthread_attr_t attr;
	int r;

	(void)sigaction(SIGURG, &urge, NULL);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	r = -pthread_create(&q->thread, &attr, squeeze_thread, q);
	(void)pthread_attr_destroy(&attr);
	return r;
}

static int start(struct squeeze *q)
{
	struct keeper *k = q->keeper;
	int r;

	while (q->slot < KEEPER_MAX_SQUEEZES && k->squeezes[q->slot])
		q->slot++;
	if (q->slot == KEEPER_MAX_SQUEEZES || find(k, (enum knob)q->entry.knob, q->entry.cgroup_id))
		return -EAGAIN;
	r = shrink_start(&q->shrink, &k->h, q->dir, (enum knob)q->entry.knob, q->ask.goal,
			 q->ask.goal_raw, keeper_now_mono_ns());
	q->shrink.least_bytes = q->ask.least_bytes;
	if (r == 0 && q->shrink.squeeze)
		r = journal_squeezing(q);
	if (r < 0)
		return r;
	q->done_fd = eventfd(0, EFD_CLOEXEC);
	if (q->done_fd < 0)
		return -errno;
	r = sd_event_add_io(k->loop, &q->source, q->done_fd, EPOLLIN, on_done, q);
	return r < 0 ? r : start_thread(q);
}

int squeeze_start(struct keeper *k, const struct squeeze_ask *ask)
{
	struct squeeze *q = calloc(1, sizeof(*q));
	int dir = ask->dir_fd, r;

	if (!q) {
		closep(&dir);
		return -ENOMEM;
	}
	*q = (struct squeeze){
		.done_fd = -1, .keeper = k, .dir = dir, .entry = *ask->entry, .ask = *ask};
	r = start(q);
	if (r < 0) {
		journal_outcome(q, r);
		free_squeeze(q);
		return r;
	}
	k->squeezes[q->slot] = q;
	return 1;
}

static void cancel(struct squeeze *q)
{
	int r = end_thread(q);

	if (r == -ECANCELED)
		shrink_abort(&q->shrink);
	finish(q, r == -EINTR ? -ECANCELED : r);
}

void squeeze_cancel(struct keeper *k, enum knob knob, uint64_t id)
{
	struct squeeze *q = find(k, knob, id);

	if (q)
		cancel(q);
}

/* What somebody else wrote stays; the other knob of the two goes back. */
void squeeze_forget(struct keeper *k, uint64_t id, enum knob knob)
{
	struct squeeze *q = find(k, knob, id);

	if (!q || knob < KNOB_MEMORY_HIGH || knob > KNOB_MEMORY_MAX)
		return;
	(void)end_thread(q);
	if (shrink_squeezes(&k->h, (enum knob)q->entry.knob) != knob)
		shrink_unsqueeze(&q->shrink);
	finish(q, -ECANCELED);
}

void squeeze_orphan_all(struct keeper *k)
{
	for (size_t i = 0; i < KEEPER_MAX_SQUEEZES; i++)
		if (k->squeezes[i])
			k->squeezes[i]->ask.seq = 0;
}

void squeeze_cancel_all(struct keeper *k)
{
	freep(&k->release.run.later);
	k->release = (struct release){}; /* what waits for one of them must not start another */
	for (size_t i = 0; i < KEEPER_MAX_SQUEEZES; i++)
		if (k->squeezes[i])
			cancel(k->squeezes[i]);
}
