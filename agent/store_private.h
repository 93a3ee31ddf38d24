/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_private.h - the store behind its calls: two queues, one thread, one connection. */
#ifndef FORESHAPE_STORE_PRIVATE_H
#define FORESHAPE_STORE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "agent/store.h"
#include "agent/store_db.h"
#include "agent/store_queue.h"

/* The audit is written as it comes, each batch on disk before the next; the bulk once a second. */
enum lane { LANE_AUDIT, LANE_BULK, LANES };

struct store {
	char *path, *boot_id;
	struct store_keep keep;
	_Atomic int64_t next_id;

	pthread_mutex_t lock; /* of what follows, up to the thread's own */
	pthread_cond_t wake, flushed;
	struct records in[LANES];
	bool closing;
	uint64_t flush_asked, flush_done;
	uint64_t lost, lost_in_gap;
	int64_t gap_from_real_ns; /* 0: no gap to be told of */
	char degraded[480];       /* "": not degraded */
	char aside[480];          /* "": no damaged file was set aside */
	char shown[480];          /* what store_degraded handed out */

	pthread_t thread; /* touched by the writing thread alone: */
	struct store_db *db;
	struct records out[LANES];
	bool was_set_aside; /* and nothing was written since */
	bool down;
	uint64_t down_mono_ns; /* of the last failure */
};

/* Locks @s and hands out the queue of @lane for one record of @kind; store_end unlocks. */
struct records *store_begin(struct store *s, enum lane lane, enum record_kind kind);
bool store_end(struct store *s, enum lane lane, struct records *q); /* false: lost */

/* Counts @n records as lost; @s is locked. */
void store_count_lost(struct store *s, uint64_t n);

/* The writing thread. */
void *store_writer(void *store);

#endif
