// SPDX-License-Identifier: GPL-2.0-or-later
/* shrink.c - lowering memory.max or memory.high without a kill and without a stall. */
#include "shaping/knobs/shrink.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "agent/base/util.h"
#include "shaping/knobs/reclaim.h"

#define STEP_FIRST_BYTES (4 * MIB)
#define STEP_LEAST_BYTES (MIB / 4)
#define STEP_MOST_BYTES  (256 * MIB)
#define MARGIN_PART      10 /* a tenth of the goal stays free of what cannot be reclaimed */

enum knob shrink_squeezes(const struct hierarchies *h, enum knob knob)
{
	return hierarchy_of_knob(h, knob) == HIERARCHY_UNIFIED ? KNOB_MEMORY_HIGH : knob;
}

/* Whether the goal would be in the way of what the group cannot give back. */
static int check_use(const struct shrink *s, uint64_t *usage_bytes)
{
	uint64_t needed_bytes;
	int r = knob_memory_usage(s->dir_fd, s->v2, usage_bytes, &needed_bytes);

	if (r < 0)
		return r;
	return needed_bytes > s->goal - s->goal / MARGIN_PART ? -EBUSY : 0;
}

int shrink_start(struct shrink *s, const struct hierarchies *h, int dir_fd, enum knob knob,
		 uint64_t goal, const char *goal_raw, uint64_t now_mono_ns)
{
	enum hierarchy where;
	uint64_t usage_bytes;
	int r;

	*s = (struct shrink){.dir_fd = dir_fd,
			     .goal = goal,
			     .step_bytes = STEP_FIRST_BYTES,
			     .deadline_mono_ns = now_mono_ns + SHRINK_DEADLINE_NS};
	s->ops = knob_ops_find(h, knob, &where);
	if (!s->ops)
		return -EOPNOTSUPP;
	s->v2 = where == HIERARCHY_UNIFIED;
	if (knob == KNOB_MEMORY_RECLAIM)
		return 0;
	s->squeeze = knob_ops_find(h, shrink_squeezes(h, knob), &where);
	if (goal_raw)
		(void)copy_str(s->goal_raw, sizeof(s->goal_raw), goal_raw);
	r = s->ops->get(dir_fd, &s->squeezed, s->old_raw);
	if (r == 0)
		r = s->squeeze->get(dir_fd, &s->squeezed, s->before_raw);
	return r < 0 ? r : check_use(s, &usage_bytes);
}

void shrink_unsqueeze(struct shrink *s)
{
	if (s->squeeze)
		(void)s->squeeze->set_raw(s->dir_fd, s->before_raw);
}

void shrink_abort(struct shrink *s)
{
	if (s->reached_mono_ns && s->ops != s->squeeze)
		(void)s->ops->set_raw(s->dir_fd, s->old_raw);
	shrink_unsqueeze(s);
}

/* The use is below the goal: the limit follows. */
static int reach(struct shrink *s, uint64_t now_mono_ns)
{
	int r = s->goal_raw[0] ? s->ops->set_raw(s->dir_fd, s->goal_raw)
			       : s->ops->set(s->dir_fd, s->goal);

	if (r == -EBUSY) /* v1: it grew again; the deadline decides */
		return 1;
	if (r < 0) {
		shrink_abort(s);
		return r;
	}
	s->reached_mono_ns = now_mono_ns;
	return 1;
}

/* It held: what squeezed on the way goes back. */
static int settle(struct shrink *s)
{
	if (s->ops != s->squeeze)
		shrink_unsqueeze(s);
	return 0;
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int squeeze(struct shrink *s, uint64_t usage_bytes)
{
	uint64_t less = usage_bytes - MIN(usage_bytes, s->step_bytes);
	uint64_t next = MAX(s->goal, MIN(less, s->squeezed));
	uint64_t start_ns = clock_ns();
	int r;

	if (next == s->squeezed)
		return 0;
	r = s->squeeze->set(s->dir_fd, next);
	if (r == 0)
		s->squeezed = next;
	if (clock_ns() - start_ns > SHRINK_WRITE_NS)
		s->step_bytes = MAX(s->step_bytes / 4, STEP_LEAST_BYTES);
	else
		s->step_bytes = MIN(s->step_bytes * 2, STEP_MOST_BYTES);
	return r == -EBUSY ? 0 : r;
}

int shrink_value(const struct shrink *s, uint64_t *ret)
{
	char raw[KNOB_RAW_MAX];

	if (s->squeeze)
		return s->ops->get(s->dir_fd, ret, raw);
	*ret = s->gone_bytes;
	return 0;
}

int shrink_step(struct shrink *s, uint64_t now_mono_ns)
{
	uint64_t usage_bytes;
	int r;

	if (!s->squeeze)
		return reclaim_run(s->dir_fd, s->goal, s->least_bytes, &s->gone_bytes);
	r = check_use(s, &usage_bytes);
	if (r == 0 && s->reached_mono_ns)
		return now_mono_ns - s->reached_mono_ns < SHRINK_WATCH_NS ? 1 : settle(s);
	if (r == 0 && now_mono_ns >= s->deadline_mono_ns)
		r = -ETIME;
	if (r == 0 && usage_bytes <= s->goal && (!s->v2 || s->squeezed <= s->goal))
		return reach(s, now_mono_ns);
	if (r == 0)
		r = squeeze(s, usage_bytes);
	if (r < 0) {
		shrink_abort(s);
		return r;
	}
	return 1;
}
