// SPDX-License-Identifier: GPL-2.0-or-later
/* store_writer.c - the thread that writes: the audit as it comes, the rest once a second, again
 * after a failure. */
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/store_private.h"

#define BATCH_NS (1 * NS_PER_S)
#define RETRY_NS (3 * NS_PER_S)

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void swap(struct store *s, enum lane lane)
{
	struct records kept = s->out[lane];

	s->out[lane] = s->in[lane];
	s->in[lane] = kept;
}

/* Waits for work and takes it. Returns false when there will be no more. */
static bool wait_for_work(struct store *s, uint64_t batch_mono_ns, bool *bulk, uint64_t *flush)
{
	uint64_t until = s->down ? s->down_mono_ns + RETRY_NS : batch_mono_ns;
	struct timespec at = {(time_t)(until / NS_PER_S), (long)(until % NS_PER_S)};
	bool timeout = false, more;

	pthread_mutex_lock(&s->lock);
	while (!timeout && !s->closing &&
	       (s->down || (s->in[LANE_AUDIT].n == 0 && s->flush_asked == s->flush_done)))
		timeout = pthread_cond_timedwait(&s->wake, &s->lock, &at) == ETIMEDOUT;
	/* With an older audit still to be written the newer one waits, and so do those who flush.
	 */
	*flush = s->out[LANE_AUDIT].n == 0 ? s->flush_asked : s->flush_done;
	*bulk = timeout || s->closing || s->flush_asked != s->flush_done;
	if (s->out[LANE_AUDIT].n == 0)
		swap(s, LANE_AUDIT);
	if (*bulk)
		swap(s, LANE_BULK);
	more = !s->closing;
	pthread_mutex_unlock(&s->lock);
	return more;
}

/* A damaged file that was set aside is told of until somebody has taken it away. */
static void find_set_aside(struct store *s)
{
	glob_t found = {};
	char pattern[4096];

	(void)snprintf(pattern, sizeof(pattern), "%.4000s.corrupt-*Z", s->path);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
		pthread_mutex_lock(&s->lock);
		(void)snprintf(s->aside, sizeof(s->aside),
			       "history was damaged and begins anew: %.380s has the old one, until "
			       "you move it",
			       found.gl_pathv[0]);
		pthread_mutex_unlock(&s->lock);
	}
	globfree(&found);
}

/* The file is not there as it should be: opens it, and sets it aside where it is damaged; no new
 * one before something was written. */
static int come_up(struct store *s, struct err *e)
{
	int r;

	if (s->db)
		return 0;
	r = store_db_open(s->path, s->boot_id, &s->db, e);
	if (r == -EUCLEAN && !s->was_set_aside && store_db_set_aside(s->path, e) == 0) {
		s->was_set_aside = true;
		find_set_aside(s);
		r = store_db_open(s->path, s->boot_id, &s->db, e);
	}
	return r;
}

static int write_batches(struct store *s, bool bulk, uint64_t *refused, struct err *e)
{
	int r = come_up(s, e);

	if (r == 0)
		r = store_db_write(s->db, &s->out[LANE_AUDIT], true, refused, e);
	if (r < 0)
		return r;
	records_clear(&s->out[LANE_AUDIT]);
	if (!bulk)
		return 0;
	r = store_db_bound_wal(s->db, s->keep.wal_max_bytes, e);
	if (r == 0)
		r = store_db_write(s->db, &s->out[LANE_BULK], false, refused, e);
	if (r < 0)
		return r;
	records_clear(&s->out[LANE_BULK]);
	r = store_db_upkeep(s->db, &s->keep, e);
	if (r == 0 && store_db_moved(s->db))
		r = err_say(e, -ESTALE, "%s: removed or replaced while in use", s->path);
	return r;
}

/* Samples are lost, the audit is tried again. */
static void went_down(struct store *s, const struct err *e)
{
	store_db_close(s->db);
	s->db = NULL;
	s->down = true;
	s->down_mono_ns = now_ns(CLOCK_MONOTONIC);
	pthread_mutex_lock(&s->lock);
	store_count_lost(s, s->out[LANE_BULK].n);
	if (s->gap_from_real_ns == 0)
		s->gap_from_real_ns = (int64_t)now_ns(CLOCK_REALTIME);
	(void)snprintf(s->degraded, sizeof(s->degraded), "%.400s (%" PRIu64 " records lost)",
		       e->text, s->lost);
	pthread_mutex_unlock(&s->lock);
	records_clear(&s->out[LANE_BULK]);
}

/*
 * Puts the event of the gap that is over at the head of what is written next; also when all was
 * kept in memory meanwhile: readers saw nothing new all that time.
 */
static void tell_gap(struct store *s)
{
	const char *what = s->down ? "history could not be written and lost" : "history lost";
	char from[32], to[32], text[192];
	int64_t now = (int64_t)now_ns(CLOCK_REALTIME);
	uint64_t lost;

	s->down = false;
	pthread_mutex_lock(&s->lock);
	lost = s->lost_in_gap;
	*s->degraded = '\0';
	(void)format_time(from, sizeof(from), s->gap_from_real_ns);
	s->lost_in_gap = 0;
	s->gap_from_real_ns = 0;
	pthread_mutex_unlock(&s->lock);
	(void)snprintf(text, sizeof(text), "%s %" PRIu64 " records from %s to %s", what, lost, from,
		       format_time(to, sizeof(to), now));
	store_event(s, now, "gap", NULL, text);
}

static void done(struct store *s, uint64_t refused, uint64_t flush)
{
	bool gap;

	s->was_set_aside = false;
	pthread_mutex_lock(&s->lock);
	store_count_lost(s, refused);
	gap = s->gap_from_real_ns != 0;
	pthread_mutex_unlock(&s->lock);
	if (s->down || gap)
		tell_gap(s);
	pthread_mutex_lock(&s->lock);
	if (s->out[LANE_AUDIT].n == 0 && s->flush_done < flush) {
		s->flush_done = flush;
		pthread_cond_broadcast(&s->flushed);
	}
	pthread_mutex_unlock(&s->lock);
}

/* True when the audit has more that can be written before the end: the event of a gap, say. */
static bool has_rest(struct store *s)
{
	bool rest;

	pthread_mutex_lock(&s->lock);
	rest = !s->down && s->in[LANE_AUDIT].n > 0;
	pthread_mutex_unlock(&s->lock);
	return rest;
}

void *store_writer(void *store)
{
	struct store *s = store;
	uint64_t batch_mono_ns = now_ns(CLOCK_MONOTONIC) + BATCH_NS;
	bool more = true, bulk;

	s->down_mono_ns = now_ns(CLOCK_MONOTONIC);
	find_set_aside(s);
	while (more) {
		uint64_t flush, refused = 0;
		struct err e = {};

		more = wait_for_work(s, batch_mono_ns, &bulk, &flush);
		if (bulk)
			batch_mono_ns = now_ns(CLOCK_MONOTONIC) + BATCH_NS;
		if (write_batches(s, bulk, &refused, &e) < 0)
			went_down(s, &e);
		else
			done(s, refused, flush);
		more = more || has_rest(s);
	}
	store_db_close(s->db);
	s->db = NULL;
	return NULL;
}
