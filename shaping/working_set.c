// SPDX-License-Identifier: GPL-2.0-or-later
/* working_set.c - how much memory a service works with: less than lies there, or more. */
#include <math.h>

#include "shaping/state.h"

#define STALLED_ALL 0.01 /* of the time, a task waiting for memory: then nothing of it is idle */
#define STALLED_S   10.0 /* that is a mean over about so long */
#define LONG_S      60.0
#define REFAULTED_S 60.0 /* what was read again is missing for about so long */

static double later(double value, double seconds, double lasts_s)
{
	return value * exp(-seconds / lasts_s);
}

/* A mean of parts of the time, over about @lasts_s. */
static double smooth(double mean, double part, double seconds, double lasts_s)
{
	double kept = later(1, seconds, lasts_s);

	return fmin(kept * mean + (1 - kept) * fmin(part, 1), 1);
}

/* What is not measured is no pressure and nothing that came back. */
static void learn_pressure(struct service_kept *k, const struct tick_service *ts,
			   uint64_t interval_ns)
{
	double seconds = (double)interval_ns / (double)NS_PER_S;
	bool gone = ts->missing & MISSING_ALL;
	double stalled = gone || ts->missing & MISSING_PSI
				 ? 0
				 : (double)ts->psi_memory_some_us / (double)US_PER_S / seconds;

	k->memory_stalled = smooth(k->memory_stalled, stalled, seconds, STALLED_S);
	k->memory_stalled_long = smooth(k->memory_stalled_long, stalled, seconds, LONG_S);
	k->refaulted_bytes = later(k->refaulted_bytes, seconds, REFAULTED_S);
	if (!gone && !(ts->missing & MISSING_MEMORY))
		k->refaulted_bytes += (double)ts->refaulted_bytes;
}

double held_bytes(const struct tick_service *ts)
{
	double held = (double)ts->anon_bytes + (double)ts->shmem_bytes;

	return held > 0 ? held : (double)ts->memory_bytes;
}

/*
 * All in use but the file cache that no reclaim found active, as the kernel's own lists have it:
 * those pages were touched once or not of late. Some of them are needed all the same, since lists
 * are put in order by reclaim alone: as much as was read again after a reclaim is, and the more of
 * it the more tasks wait for memory. What was waited for while it was read again is missing beside
 * all that is there.
 */
static double working_set(const struct service_kept *k, const struct tick_service *ts)
{
	double all = (double)ts->memory_bytes;
	double part = fmin(k->memory_stalled / STALLED_ALL, 1);
	double idle = (double)MIN(ts->inactive_file_bytes, ts->file_bytes) * (1 - part);
	double most_idle = all - fmin((double)ts->anon_bytes, all);

	idle = fmin(fmax(idle - k->refaulted_bytes, 0), most_idle);
	return all - idle + part * fmin(k->refaulted_bytes, all);
}

void learn_memory(struct service_state *s, const struct tick_service *ts, uint64_t interval_ns)
{
	learn_pressure(&s->kept, ts, interval_ns);
	s->used_bytes =
		ts->missing & (MISSING_MEMORY | MISSING_ALL) ? NAN : working_set(&s->kept, ts);
	s->kept.set_most_bytes = fmax(s->kept.set_most_bytes, s->used_bytes); /* leaves out NAN */
	ladder_observe(&s->memory, s->used_bytes, interval_ns);
}
