// SPDX-License-Identifier: GPL-2.0-or-later
/* target.c - the services the worker named: their groups, opened once and watched for going away.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/keeper/private.h"

/* Bits of answer.hierarchies. */
enum { HAS_CPU = 1, HAS_MEMORY = 2, HAS_UNIFIED = 4, HAS_BLKIO = 8, IS_OURS = 16 };

struct target *target_get(struct keeper *k, uint32_t index)
{
	if (index >= ORDER_MAX_TARGETS || !k->targets[index].used)
		return NULL;
	return &k->targets[index];
}

const struct knob_ops *target_ops(struct keeper *k, const struct target *t, enum knob knob,
				  int *dir_fd, uint64_t *id)
{
	enum hierarchy where;
	const struct knob_ops *ops = knob_ops_find(&k->h, knob, &where);

	if (!ops || t->dir[where] < 0)
		return NULL;
	*dir_fd = t->dir[where];
	*id = t->id[where];
	return ops;
}

struct journal_entry *target_entry(struct keeper *k, const struct target *t, enum knob knob)
{
	uint64_t id;
	int dir;

	if (!target_ops(k, t, knob, &dir, &id))
		return NULL;
	return journal_find(k->journal, JOURNAL_KNOB, knob, id);
}

static void close_dirs(struct target *t)
{
	for (int i = 0; i < HIERARCHY_COUNT; i++) {
		if (t->dir[i] >= 0)
			close(t->dir[i]);
		t->dir[i] = -1;
		t->id[i] = 0;
	}
	t->alive = false;
}

void target_forget(struct keeper *k, struct target *t)
{
	for (int knob = 0; knob < KNOB_HTB_RATE; knob++)
		watch_drop(k, t, (enum knob)knob);
	close_dirs(t);
	t->used = false;
}

/* The group is gone, and with it every value we gave it: nothing is left to undo. */
static void bury(struct keeper *k, struct target *t)
{
	struct answer notice =
		orders_blank(0, NOTICE_GONE, (uint32_t)(t - k->targets), KNOB_CPU_MAX);

	for (int i = 0; i < HIERARCHY_COUNT; i++) {
		for (int knob = 0; t->id[i] && knob < KNOB_HTB_RATE; knob++) {
			struct journal_entry *e =
				journal_find(k->journal, JOURNAL_KNOB, (enum knob)knob, t->id[i]);

			if (e && streq(e->path, t->path) && !group_is_alive(t->dir[i]))
				(void)journal_delete(k->journal, e);
		}
	}
	close_dirs(t);
	orders_answer(k, &notice);
}

/* Some of its directories may be gone and others not: the service has to be declared anew. */
void target_check(struct keeper *k, struct target *t)
{
	if (!t->alive)
		return;
	for (int i = 0; i < HIERARCHY_COUNT; i++) {
		if (t->dir[i] < 0 || group_is_alive(t->dir[i]))
			continue;
		bury(k, t);
		watch_rebuild(k); /* a dead file's mark can be named no more */
		return;
	}
}

/* One directory of each a turn: a group goes in all hierarchies, and a write to a dead one says so.
 */
void target_sweep(struct keeper *k, uint64_t turn)
{
	for (size_t i = 0; i < ORDER_MAX_TARGETS; i++) {
		struct target *t = &k->targets[i];

		for (uint64_t at = turn; t->used && t->alive; at++) {
			int dir = t->dir[at % HIERARCHY_COUNT];

			if (dir < 0)
				continue;
			if (!group_is_alive(dir))
				target_check(k, t);
			break;
		}
	}
}

/* Opens what is there; false when it is the same groups as before. */
static bool open_dirs(struct keeper *k, struct target *t, const char *path)
{
	int dir[HIERARCHY_COUNT];
	bool changed = !t->alive || !streq(t->path, path);

	for (int i = 0; i < HIERARCHY_COUNT; i++) {
		dir[i] = hierarchy_is_own(&k->h, (enum hierarchy)i)
				 ? group_open(&k->h, (enum hierarchy)i, path)
				 : -1;
		changed = changed || (dir[i] < 0 ? 0 : group_id(dir[i])) != t->id[i];
	}
	if (!changed) {
		for (int i = 0; i < HIERARCHY_COUNT; i++)
			closep(&dir[i]);
		return false;
	}
	close_dirs(t);
	for (int i = 0; i < HIERARCHY_COUNT; i++) {
		t->dir[i] = MAX(dir[i], -1);
		t->id[i] = dir[i] < 0 ? 0 : group_id(dir[i]);
		t->alive = t->alive || dir[i] >= 0;
	}
	return true;
}

static uint32_t describe(struct keeper *k, const struct target *t)
{
	uint32_t bits = 0;
	uint64_t id, value;
	char raw[KNOB_RAW_MAX];
	int dir;
	const struct knob_ops *ops = target_ops(k, t, KNOB_CPU_WEIGHT, &dir, &id);

	if (ops && ops->get(dir, &value, raw) == 0)
		bits |= HAS_CPU;
	ops = target_ops(k, t, KNOB_MEMORY_MAX, &dir, &id);
	if (ops && ops->get(dir, &value, raw) == 0)
		bits |= HAS_MEMORY;
	if (t->dir[HIERARCHY_UNIFIED] >= 0)
		bits |= HAS_UNIFIED;
	if (t->dir[HIERARCHY_BLKIO] >= 0)
		bits |= HAS_BLKIO;
	for (int i = 0; i < HIERARCHY_COUNT; i++) {
		if (t->dir[i] >= 0 && group_is_ours(t->dir[i]))
			bits |= IS_OURS;
	}
	return bits;
}

/* What an earlier keeper of this boot wrote here is ours to go on with. */
static void take_over(struct keeper *k, struct target *t)
{
	for (int knob = 0; knob < KNOB_HTB_RATE; knob++)
		watch_add(k, t, (enum knob)knob);
	claim_verify(k, t);
}

static void remember_made(struct keeper *k, const struct target *t)
{
	struct journal_entry e = {.kind = JOURNAL_MADE};

	memcpy(e.path, t->path, sizeof(e.path));
	memcpy(e.name, t->name, sizeof(e.name));
	for (size_t i = 0; i < k->journal->n; i++) {
		if (k->journal->entries[i].kind == JOURNAL_MADE &&
		    streq(k->journal->entries[i].path, e.path))
			return;
	}
	(void)journal_put(k->journal, &e);
}

/* The same group under another number: the worker counts anew after a restart. */
static void drop_namesakes(struct keeper *k, const struct target *t, const char *path)
{
	for (size_t i = 0; i < ORDER_MAX_TARGETS; i++) {
		struct target *other = &k->targets[i];

		if (!other->used || other == t || !streq(other->path, path))
			continue;
		target_check(k, other);
		target_forget(k, other);
	}
}

int target_declare(struct keeper *k, const struct order *o, struct answer *ans)
{
	struct target *t = &k->targets[o->target];
	struct err e = {};
	bool moves = t->used && !streq(t->path, o->path);
	int r = group_allowed(o->path, k->own_groups, &e);

	if (r == 0 && moves && t->alive && !t->orphaned)
		r = err_say(&e, -EBUSY, "%s has to be forgotten first", t->path);
	if (r == 0 && o->flags & ORDER_MAKE)
		r = group_make(&k->h, o->path, &e);
	if (r < 0) {
		(void)snprintf(ans->text, sizeof(ans->text), "%.150s", e.text);
		return r;
	}
	drop_namesakes(k, t, o->path);
	target_check(k, t); /* made anew before the sweep came by: what is journaled died with it */
	if (moves)
		target_forget(k, t);
	if (open_dirs(k, t, o->path)) {
		memcpy(t->path, o->path, sizeof(t->path));
		take_over(k, t);
	}
	t->used = true;
	t->orphaned = false;
	memcpy(t->name, o->name, sizeof(t->name));
	memcpy(t->interface, o->interface, sizeof(t->interface));
	t->htb_minor = o->htb_minor;
	ans->cgroup_id = t->id[HIERARCHY_UNIFIED];
	for (int i = 0; i < HIERARCHY_COUNT && ans->cgroup_id == 0; i++)
		ans->cgroup_id = t->id[i];
	ans->hierarchies = describe(k, t);
	if (ans->hierarchies & IS_OURS)
		remember_made(k, t);
	return t->alive ? 0 : -ENOENT;
}
