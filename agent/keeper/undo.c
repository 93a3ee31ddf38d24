// SPDX-License-Identifier: GPL-2.0-or-later
/* undo.c - what the journal says was changed, changed back; with or without a keeper. */
#include <errno.h>
#include <string.h>

#include "agent/keeper/private.h"

#define MAX_PASSES                                                                                 \
	3 /* quota before burst, parent before child: what is refused first may pass later */

bool undo_is_foreign(const struct journal_entry *e, uint64_t now)
{
	enum knob knob = (enum knob)e->knob;

	if (e->flags & JOURNAL_SHRINKING)
		return false;
	return !knob_same(knob, e->value, now) && !knob_same(knob, e->before, now);
}

/* The directory of @e's group if it is still the same group: UNDO_GONE otherwise, or 0. */
static int open_group(const struct hierarchies *h, const struct journal_entry *e,
		      const struct knob_ops **ops, int *ret_dir)
{
	_cleanup_(closep) int dir = -1;
	enum hierarchy where;

	*ops = knob_ops_find(h, (enum knob)e->knob, &where);
	if (!*ops)
		return UNDO_GONE;
	dir = group_open(h, where, e->path);
	if (dir == -ENOENT || dir == -ENODEV || (dir >= 0 && group_id(dir) != e->cgroup_id))
		return UNDO_GONE;
	if (dir < 0)
		return dir;
	*ret_dir = take_fd(dir);
	return 0;
}

/* One that a death left in the middle. */
static void unsqueeze(const struct hierarchies *h, struct journal *j, struct journal_entry e)
{
	_cleanup_(closep) int dir = -1;
	const struct knob_ops *ops;

	if (open_group(h, &e, &ops, &dir) == 0)
		(void)ops->set(dir, e.before);
	e.flags &= ~(uint32_t)JOURNAL_SHRINKING;
	e.value = e.before;
	if (e.flags & (JOURNAL_WRITTEN | JOURNAL_YIELDED))
		(void)journal_put(j, &e);
	else
		(void)journal_delete(j, &e);
}

void undo_squeezes(const struct hierarchies *h, struct journal *j)
{
	for (size_t i = j->n; i-- > 0;) {
		if (j->entries[i].kind == JOURNAL_KNOB && j->entries[i].flags & JOURNAL_SHRINKING)
			unsqueeze(h, j, j->entries[i]);
	}
}

static int write_raw(const struct knob_ops *ops, int dir, const struct journal_entry *e)
{
	char raw[KNOB_RAW_MAX];
	uint64_t now;
	int r = ops->set_raw(dir, e->raw);

	if (r == 0)
		r = ops->get(dir, &now, raw);
	if (r != 0)
		return r == -ENODEV ? UNDO_GONE : r;
	return knob_same((enum knob)e->knob, e->baseline, now) ? UNDO_DONE : -EIO;
}

static bool is_shrunk_carefully(const struct journal_entry *e)
{
	return e->knob == KNOB_MEMORY_HIGH || e->knob == KNOB_MEMORY_MAX;
}

/* The knob of @e as it is: 0 where it is ours to undo, else an enum undo or -errno. */
static int look(const struct hierarchies *h, const struct journal_entry *e,
		const struct knob_ops **ops, int *ret_dir, uint64_t *now, char raw[KNOB_RAW_MAX])
{
	int r;

	if (e->flags & JOURNAL_YIELDED)
		return UNDO_LEFT;
	r = open_group(h, e, ops, ret_dir);
	if (r != 0)
		return r;
	r = (*ops)->get(*ret_dir, now, raw);
	if (r < 0)
		return r == -ENODEV ? UNDO_GONE : r;
	return undo_is_foreign(e, *now) ? UNDO_LEFT : 0;
}

int undo_exact(const struct hierarchies *h, const struct journal_entry *e, int *ret_dir)
{
	_cleanup_(closep) int dir = -1;
	const struct knob_ops *ops;
	char raw[KNOB_RAW_MAX];
	uint64_t now;
	int r = look(h, e, &ops, &dir, &now, raw);

	if (r != 0)
		return r;
	if (streq(raw, e->raw))
		return UNDO_DONE;
	if (is_shrunk_carefully(e) && e->baseline < now) {
		*ret_dir = take_fd(dir);
		return UNDO_SHRINK;
	}
	return write_raw(ops, dir, e);
}

int undo_loosen(const struct hierarchies *h, const struct journal_entry *e, int *ret_dir)
{
	_cleanup_(closep) int dir = -1;
	const struct knob_ops *ops;
	char raw[KNOB_RAW_MAX];
	uint64_t now;
	int r = look(h, e, &ops, &dir, &now, raw);

	(void)ret_dir;
	if (r != 0)
		return r;
	if (knob_rows[e->knob].kind == KNOB_LIMIT && now >= e->baseline)
		return UNDO_DONE;
	return write_raw(ops, dir, e);
}

static void tell(const struct undo_run *run, const struct journal_entry *e, const char *what,
		 const char *why)
{
	struct restore_line line = {e->path, knob_rows[e->knob].name, what, why};

	if (run->tell)
		run->tell(run->arg, &line);
}

/* One entry; whether it is over with, whatever the outcome. */
static bool undo_one(struct undo_run *run, struct journal_entry *e, bool last)
{
	struct journal_entry copy = *e;
	int dir = -1, r = run->undo(run->h, e, &dir);

	if (r == UNDO_SHRINK) {
		r = run->shrink(run->arg, &copy, dir);
		run->pending += r > 0;
		if (r > 0)
			return true;
	}
	if (r == -EAGAIN)
		return false;
	switch (r) {
	case UNDO_DONE:
		run->restored++;
		tell(run, &copy, run->undo == undo_exact ? "restored" : "loosened", "");
		(void)journal_delete(run->journal, &copy);
		return true;
	case UNDO_GONE:
		tell(run, &copy, "gone", "the cgroup no longer exists");
		(void)journal_delete(run->journal, &copy);
		return true;
	case UNDO_LEFT:
		tell(run, &copy, "left", "somebody else set it");
		copy.flags |= JOURNAL_YIELDED;
		(void)journal_put(run->journal, &copy);
		return true;
	}
	if (!last)
		return false;
	run->refused++;
	tell(run, &copy, "refused", r == -EBUSY ? "more memory is in use" : strerror(-r));
	return true;
}

bool undo_is_of(const struct journal_entry *e, const char *service)
{
	return !service || streq(service, e->path) || streq(service, e->name);
}

static bool is_wanted(const struct undo_run *run, const struct journal_entry *e)
{
	return e->kind == JOURNAL_KNOB && undo_is_of(e, run->path);
}

/* The keys stand still while entries come and go. */
static void list_keys(struct undo_run *run)
{
	run->later = calloc(run->journal->n + 1, sizeof(*run->later));
	for (size_t i = 0; run->later && i < run->journal->n; i++) {
		if (is_wanted(run, &run->journal->entries[i]))
			run->later[run->n_later++] = run->journal->entries[i];
	}
}

void undo_run(struct undo_run *run)
{
	if (!run->later)
		list_keys(run);
	run->refused += !run->later;
	for (int pass = 1; pass <= MAX_PASSES && run->later && run->n_later > 0; pass++) {
		size_t left = 0;

		for (size_t i = 0; i < run->n_later; i++) {
			struct journal_entry key = run->later[i];
			struct journal_entry *e = journal_find(run->journal, JOURNAL_KNOB,
							       (enum knob)key.knob, key.cgroup_id);

			if (e && !undo_one(run, e, pass == MAX_PASSES))
				run->later[left++] = key;
		}
		run->n_later = left;
	}
	if (run->n_later > 0)
		return;
	free(run->later);
	run->later = NULL;
}

void undo_groups(const struct hierarchies *h, struct journal *j, const char *path)
{
	for (size_t i = j->n; i-- > 0;) {
		struct journal_entry e = j->entries[i];

		if (e.kind != JOURNAL_MADE || !undo_is_of(&e, path))
			continue;
		(void)group_remove(h, e.path);
		(void)journal_delete(j, &e);
	}
}
