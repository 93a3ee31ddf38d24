// SPDX-License-Identifier: GPL-2.0-or-later
/* apply.c - one knob to one value: intent, clamp, write, read back. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "agent/keeper/private.h"
#include "shaping/clamp.h"

/* A knob of a target, found and read. */
struct place {
	struct target *t;
	enum knob knob;
	const struct knob_ops *ops;
	int dir;
	uint64_t id, now;
	char raw[KNOB_RAW_MAX];
};

static int say(struct answer *ans, int err, const char *text)
{
	(void)snprintf(ans->text, sizeof(ans->text), "%s", text);
	return err;
}

/* What somebody else wrote is theirs before an order can write it over; who it was, where known. */
static void see_foreign(struct keeper *k, const struct place *p)
{
	if (!claim_is_foreign(k, p->t, p->knob, p->now))
		return;
	watch_read(k);
	if (claim_is_foreign(k, p->t, p->knob, p->now))
		claim_foreign(k, p->t, p->knob, 0);
}

static int find_place(struct keeper *k, const struct order *o, struct place *p, struct answer *ans)
{
	int r;

	p->t = target_get(k, o->target);
	p->knob = (enum knob)o->knob;
	if (!p->t)
		return say(ans, -ENOENT, "no such target");
	if (!p->t->alive)
		return say(ans, -ENODEV, "the cgroup is gone");
	p->ops = target_ops(k, p->t, p->knob, &p->dir, &p->id);
	if (!p->ops)
		return say(ans, -EOPNOTSUPP, "this host has no such knob here");
	r = p->ops->get(p->dir, &p->now, p->raw);
	if (r == -ENODEV)
		target_check(k, p->t);
	if (r == 0)
		see_foreign(k, p);
	return r;
}

static void fill_state(struct keeper *k, const struct place *p, struct answer *ans)
{
	const struct journal_entry *e = journal_find(k->journal, JOURNAL_KNOB, p->knob, p->id);

	ans->cgroup_id = p->t->id[HIERARCHY_UNIFIED];
	ans->baseline = p->now;
	ans->state = squeeze_is_active(k, p->knob, p->id) ? STATE_SHRINKING : 0;
	if (!e)
		return;
	if (e->flags & JOURNAL_WRITTEN) {
		ans->baseline = e->baseline;
		ans->state |= STATE_BASELINE;
	}
	if (e->flags & JOURNAL_YIELDED)
		ans->state |= STATE_YIELDED;
}

int apply_read(struct keeper *k, const struct order *o, struct answer *ans)
{
	struct place p;
	int r;

	if (o->knob >= KNOB_HTB_RATE) {
		struct target *t = target_get(k, o->target);

		return t ? links_read(k, t, (enum knob)o->knob, &ans->after) : -ENOENT;
	}
	r = find_place(k, o, &p, ans);
	if (r < 0)
		return r;
	ans->before = ans->after = p.now;
	fill_state(k, &p, ans);
	return 0;
}

/* The baseline is on the disk before the knob's first write; a later intent need not wait for it.
 */
static int intend(struct keeper *k, const struct place *p, uint64_t want)
{
	struct journal_entry *found = journal_find(k->journal, JOURNAL_KNOB, p->knob, p->id);
	struct journal_entry e = {.kind = JOURNAL_KNOB,
				  .knob = p->knob,
				  .flags = JOURNAL_WRITTEN,
				  .cgroup_id = p->id,
				  .baseline = p->now};
	int r;

	if (found) {
		e = *found;
	} else {
		memcpy(e.raw, p->raw, sizeof(e.raw));
		memcpy(e.path, p->t->path, sizeof(e.path));
		memcpy(e.name, p->t->name, sizeof(e.name));
	}
	e.before = p->now;
	e.value = want;
	if (found)
		return journal_put(k->journal, &e);
	r = journal_put_durable(k->journal, &e);
	if (r == 0)
		watch_add(k, p->t, p->knob);
	return r;
}

static int write_back(struct keeper *k, const struct place *p, uint64_t want, uint64_t *after)
{
	char raw[KNOB_RAW_MAX];
	int r = p->ops->set(p->dir, want);

	if (r == -ENODEV)
		target_check(k, p->t);
	if (r == 0)
		r = p->ops->get(p->dir, after, raw);
	if (r != 0)
		return r;
	return knob_same(p->knob, want, *after) ? 0 : -EIO;
}

/* A quota below the burst is refused: the burst makes way, and is part of what goes back later. */
static int make_way(struct keeper *k, const struct place *cpu_max)
{
	struct order o = {.target = (uint32_t)(cpu_max->t - k->targets),
			  .knob = KNOB_CPU_MAX_BURST};
	struct answer unused = {};
	struct place burst;
	const struct journal_entry *e;
	uint64_t after;
	int r = find_place(k, &o, &burst, &unused);

	if (r < 0 || burst.now == 0)
		return -EINVAL;
	e = journal_find(k->journal, JOURNAL_KNOB, KNOB_CPU_MAX_BURST, burst.id);
	if (e && e->flags & JOURNAL_YIELDED)
		return -EINVAL;
	r = intend(k, &burst, 0);
	return r < 0 ? r : write_back(k, &burst, 0, &after);
}

static int write_knob(struct keeper *k, const struct place *p, uint64_t want, struct answer *ans)
{
	int r = write_back(k, p, want, &ans->after);

	if (r == -EINVAL && p->knob == KNOB_CPU_MAX) {
		r = make_way(k, p);
		if (r == 0)
			r = write_back(k, p, want, &ans->after);
		if (r == -EINVAL)
			return say(ans, r, "above its parent's limit, or below a child's");
	}
	if (r == -EIO)
		return say(ans, r, "the kernel keeps another value");
	return r;
}

/* A reclaim has no value that could go back, so it is not journaled. */
static int start_shrink(struct keeper *k, const struct order *o, const struct place *p,
			uint64_t want, struct answer *ans)
{
	const struct journal_entry trigger = {.knob = p->knob, .cgroup_id = p->id};
	const struct journal_entry *e = journal_find(k->journal, JOURNAL_KNOB, p->knob, p->id);
	struct squeeze_ask ask = {
		.entry = e ? e : &trigger,
		.least_bytes = o->floor,
		.dir_fd = fcntl(p->dir, F_DUPFD_CLOEXEC, 3),
		.goal = want,
		.seq = o->seq,
		.target = o->target,
		.before = ans->before,
		.clamped = ans->clamped,
	};
	int r = squeeze_start(k, &ask);

	ans->after = p->now;
	if (r == -EBUSY)
		return say(ans, r, "more is in use than the new limit allows");
	return r == -EAGAIN ? say(ans, -EBUSY, "too many shrinks are under way") : r;
}

static int check_right(struct keeper *k, const struct order *o, const struct place *p,
		       struct answer *ans)
{
	const struct journal_entry *e = journal_find(k->journal, JOURNAL_KNOB, p->knob, p->id);
	uint64_t id = p->t->id[HIERARCHY_UNIFIED];

	if (!k->enforce)
		return say(ans, -EPERM, "observe mode: nothing is written");
	if (o->cgroup_id && id && id != o->cgroup_id)
		return say(ans, -ESTALE, "the cgroup was made anew");
	if (e && e->flags & JOURNAL_YIELDED)
		return say(ans, -EPERM, "somebody else set this knob; adopt takes it back");
	if (k->release.active)
		return say(ans, -EBUSY, "baselines are being given back");
	return 0;
}

static int set_to(struct keeper *k, const struct order *o, struct place *p, uint64_t want,
		  struct answer *ans)
{
	bool can_shrink = p->knob == KNOB_MEMORY_HIGH || p->knob == KNOB_MEMORY_MAX;
	int r;

	if (can_shrink && squeeze_is_active(k, p->knob, p->id)) {
		if (want < p->now)
			return say(ans, -EBUSY, "a shrink is under way");
		squeeze_cancel(k, p->knob, p->id);
		r = p->ops->get(p->dir, &p->now,
				p->raw); /* not what it was lowered to on the way */
		if (r < 0)
			return r;
	}
	if (knob_same(p->knob, want, p->now))
		return 0;
	r = intend(k, p, want);
	if (r < 0)
		return say(ans, r, "the journal cannot be written");
	return can_shrink && want < p->now ? start_shrink(k, o, p, want, ans)
					   : write_knob(k, p, want, ans);
}

int apply_set(struct keeper *k, const struct order *o, struct answer *ans)
{
	bool trigger = o->knob == KNOB_MEMORY_RECLAIM;
	struct clamp_bounds bounds = {.floor = trigger ? 0 : o->floor,
				      .ceiling = o->ceiling,
				      .highest = UNLIMITED,
				      .max_lower_ppm = o->max_lower_ppm};
	struct target *t = target_get(k, o->target);
	struct place p;
	uint64_t want;
	int r;

	if (o->knob >= KNOB_HTB_RATE) {
		if (!k->enforce)
			return say(ans, -EPERM, "observe mode: nothing is written");
		return t ? links_set(k, t, o, ans) : -ENOENT;
	}
	r = find_place(k, o, &p, ans);
	if (r < 0)
		return r;
	ans->before = ans->after = bounds.now = p.now;
	r = check_right(k, o, &p, ans);
	if (r == 0)
		r = clamp_value(p.knob, o->value, &bounds, &want, &ans->clamped);
	if (r == 0 && trigger)
		r = start_shrink(k, o, &p, want, ans);
	else if (r == 0 && !(o->flags & ORDER_URGENT && want < p.now))
		r = set_to(k, o, &p, want, ans);
	if (r <= 0)
		fill_state(k, &p, ans);
	return r;
}
