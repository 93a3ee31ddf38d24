// SPDX-License-Identifier: GPL-2.0-or-later
/* store.c - opening, closing and the health of the history. */
#include "agent/store.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/store_private.h"

#define AUDIT_MAX_BYTES (1 * MIB)
#define BULK_MAX_BYTES  (8 * MIB)
#define WAL_MAX_BYTES   (64 * MIB)
#define CLOSE_MS        2000
#define LONGEST_S       (200 * 366 * S_PER_DAY) /* of a retention */

static int64_t real_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * (int64_t)NS_PER_S + t.tv_nsec;
}

static uint64_t keep_s(uint64_t ns, uint64_t shortest_s)
{
	return clamp_u64(ns / NS_PER_S, shortest_s, LONGEST_S);
}

static void destroy(struct store *s)
{
	store_db_close(s->db);
	for (int i = 0; i < LANES; i++) {
		records_free(&s->in[i]);
		records_free(&s->out[i]);
	}
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->flushed);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s->boot_id);
	free(s);
}

static struct store *create(const struct store_conf *conf)
{
	struct store *s = calloc(1, sizeof(*s));
	pthread_condattr_t mono;

	if (!s)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &mono);
	pthread_cond_init(&s->flushed, &mono);
	pthread_condattr_destroy(&mono);
	s->path = strdup(conf->path);
	s->boot_id = strdup(conf->boot_id ? conf->boot_id : "");
	/* A minute needs its seconds, an hour its minutes. */
	s->keep.second_s = keep_s(conf->second_ns, 2 * S_PER_MIN);
	s->keep.minute_s = keep_s(conf->minute_ns, 2 * S_PER_H);
	s->keep.hour_s = keep_s(conf->hour_ns, S_PER_DAY);
	s->keep.max_bytes = conf->max_bytes;
	s->keep.wal_max_bytes = WAL_MAX_BYTES;
	for (int i = 0; i < LANES; i++)
		s->in[i].max = s->out[i].max = i == LANE_AUDIT ? AUDIT_MAX_BYTES : BULK_MAX_BYTES;
	if (!s->path || !s->boot_id) {
		destroy(s);
		return NULL;
	}
	return s;
}

/* Where the file cannot say how far ids have come, milliseconds since 1970 are beyond any. */
static void first_id(struct store *s)
{
	s->next_id = s->db ? store_db_last_id(s->db) + 1 : real_ns() / (int64_t)NS_PER_MS;
}

/* Signals are the loop's: the thread takes none. */
static int start_thread(struct store *s)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&s->thread, NULL, store_writer, s);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		(void)pthread_setname_np(s->thread, "history");
	return -r;
}

int store_open(const struct store_conf *conf, struct store **ret, struct err *e)
{
	struct store *s = create(conf);
	struct err why = {};

	if (!s)
		return err_set(e, -ENOMEM, "open history");
	/* What fails here the writing thread tries again, and then tells. */
	(void)store_db_open(s->path, s->boot_id, &s->db, &why);
	if (!s->db) {
		s->down = true;
		(void)copy_str(s->degraded, sizeof(s->degraded), why.text);
		s->gap_from_real_ns = real_ns();
	}
	first_id(s);
	if (start_thread(s) < 0) {
		destroy(s);
		return err_set(e, -EAGAIN, "start the history's thread");
	}
	*ret = s;
	return 0;
}

static struct timespec mono_in(unsigned int ms)
{
	struct timespec t;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &t);
	ns = (uint64_t)t.tv_nsec + ms * NS_PER_MS;
	t.tv_sec += (time_t)(ns / NS_PER_S);
	t.tv_nsec = (long)(ns % NS_PER_S);
	return t;
}

int store_flush(struct store *s, unsigned int timeout_ms)
{
	struct timespec until = mono_in(timeout_ms);
	uint64_t mine;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	mine = ++s->flush_asked;
	pthread_cond_signal(&s->wake);
	while (r == 0 && s->flush_done < mine)
		r = pthread_cond_timedwait(&s->flushed, &s->lock, &until);
	if (s->flush_done >= mine)
		r = 0;
	pthread_mutex_unlock(&s->lock);
	return -r;
}

void store_close(struct store *s)
{
	struct timespec until = mono_in(CLOSE_MS);

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	/* A thread stuck in the disk ends with the process; it still needs the store. */
	if (pthread_clockjoin_np(s->thread, NULL, CLOCK_MONOTONIC, &until) == 0)
		destroy(s);
}

void store_closep(struct store **s)
{
	store_close(*s);
}

void store_count_lost(struct store *s, uint64_t n)
{
	if (n == 0)
		return;
	s->lost += n;
	s->lost_in_gap += n;
	if (s->gap_from_real_ns == 0)
		s->gap_from_real_ns = real_ns();
}

const char *store_degraded(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	(void)copy_str(s->shown, sizeof(s->shown), *s->degraded ? s->degraded : s->aside);
	pthread_mutex_unlock(&s->lock);
	return *s->shown ? s->shown : NULL;
}

uint64_t store_lost(struct store *s)
{
	uint64_t lost;

	pthread_mutex_lock(&s->lock);
	lost = s->lost;
	pthread_mutex_unlock(&s->lock);
	return lost;
}

struct records *store_begin(struct store *s, enum lane lane, enum record_kind kind)
{
	pthread_mutex_lock(&s->lock);
	record_begin(&s->in[lane], kind);
	return &s->in[lane];
}

bool store_end(struct store *s, enum lane lane, struct records *q)
{
	bool fits = record_end(q);

	if (!fits)
		store_count_lost(s, 1);
	else if (lane == LANE_AUDIT)
		pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	return fits;
}
