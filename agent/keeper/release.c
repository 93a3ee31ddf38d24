// SPDX-License-Identifier: GPL-2.0-or-later
/* release.c - baselines back while the loop runs: for RESTORE, FORGET and the end. */
#include <errno.h>
#include <string.h>

#include "agent/keeper/private.h"
#include "agent/log.h"

static int shrink_later(void *arg, const struct journal_entry *e, int dir_fd)
{
	struct keeper *k = arg;
	struct squeeze_ask ask = {.entry = e,
				  .dir_fd = dir_fd,
				  .goal = e->baseline,
				  .goal_raw = e->raw,
				  .releasing = true};

	return squeeze_start(k, &ask);
}

/* What a shrink of the same group lowers on its way has to wait until that is over. */
static int undo_unless_shrinking(const struct hierarchies *h, const struct journal_entry *e,
				 int *ret_dir)
{
	return e->flags & JOURNAL_SHRINKING ? -EAGAIN : undo_exact(h, e, ret_dir);
}

static void forget_target(struct keeper *k, uint32_t index)
{
	struct target *t = target_get(k, index);

	if (!t)
		return;
	links_drop_class(k, t);
	undo_groups(&k->h, k->journal, t->path);
	target_forget(k, t);
}

static void next_in_line(struct keeper *k);

static void finish(struct keeper *k)
{
	struct release done = k->release;
	struct answer ans = orders_blank(done.seq, ANSWER_ORDER, done.target, KNOB_CPU_MAX);

	if (done.target == ORDER_NO_TARGET) {
		done.run.refused += links_remove(k->journal, NULL, NULL);
		links_forget(k);
	}
	if (done.forget)
		forget_target(k, done.target);
	k->release = (struct release){};
	ans.before = done.run.restored;
	ans.after = done.run.refused;
	if (done.seq)
		orders_answer(k, &ans);
	if (!done.quit) {
		next_in_line(k);
		return;
	}
	undo_groups(&k->h, k->journal, NULL);
	log_info("ended: %u limits given back, %u could not be", done.run.restored,
		 done.run.refused);
	(void)sd_event_exit(k->loop, 0);
}

/* Marks of knobs that are nobody's business of ours any more. */
static void drop_watches(struct keeper *k)
{
	for (size_t i = 0; i < ORDER_MAX_TARGETS; i++) {
		struct target *t = &k->targets[i];

		for (int knob = 0; t->used && knob < KNOB_HTB_RATE; knob++) {
			if (!target_entry(k, t, (enum knob)knob))
				watch_drop(k, t, (enum knob)knob);
		}
	}
}

static void start(struct keeper *k, const char *path)
{
	for (size_t i = 0; i < k->journal->n; i++) {
		const struct journal_entry *e = &k->journal->entries[i];

		if (e->kind == JOURNAL_KNOB && (!path || streq(path, e->path)))
			squeeze_cancel(k, (enum knob)e->knob, e->cgroup_id);
	}
	k->release.run = (struct undo_run){.h = &k->h,
					   .journal = k->journal,
					   .path = path,
					   .undo = undo_unless_shrinking,
					   .shrink = shrink_later,
					   .arg = k};
	k->release.active = true;
	undo_run(&k->release.run);
	release_go_on(k);
}

void release_go_on(struct keeper *k)
{
	struct undo_run *run = &k->release.run;

	if (!k->release.active)
		return;
	if (run->n_later > 0)
		undo_run(run);
	drop_watches(k);
	if (run->pending > 0 || (run->n_later > 0 && squeeze_is_any(k)))
		return;
	run->refused += run->n_later;
	freep(&run->later);
	if (!k->release.again) {
		finish(k);
		return;
	}
	k->release = (struct release){.target = ORDER_NO_TARGET, .quit = true};
	start(k, NULL);
}

/* One at a time; the others wait their turn. */
int release_start(struct keeper *k, const struct order *o)
{
	struct target *t = target_get(k, o->target);

	if (k->release.active) {
		if (k->n_waiting == KEEPER_MAX_WAITING)
			return -EBUSY;
		k->waiting[k->n_waiting++] = *o;
		return 1;
	}
	if (!t && o->target != ORDER_NO_TARGET)
		return -ENOENT;
	if (!t)
		k->enforce = false;
	k->release = (struct release){
		.seq = o->seq, .target = o->target, .forget = o->kind == ORDER_FORGET};
	start(k, t ? t->path : NULL);
	return 1;
}

static void next_in_line(struct keeper *k)
{
	struct order o;
	struct answer ans;

	if (k->n_waiting == 0)
		return;
	o = k->waiting[0];
	memmove(k->waiting, k->waiting + 1, --k->n_waiting * sizeof(o));
	ans = orders_blank(o.seq, ANSWER_ORDER, o.target, KNOB_CPU_MAX);
	ans.err = release_start(k, &o);
	if (ans.err <= 0)
		orders_answer(k, &ans);
}

void release_all_and_quit(struct keeper *k)
{
	k->enforce = false;
	k->n_waiting = 0;
	k->release.quit = true;
	if (k->release.active) { /* what is under way ends first, then the rest */
		k->release.again = true;
		return;
	}
	k->release = (struct release){.target = ORDER_NO_TARGET, .quit = true};
	start(k, NULL);
}

void release_shrunk(struct keeper *k, const struct journal_entry *e, int err)
{
	if (!k->release.active || k->release.run.pending == 0)
		return;
	k->release.run.pending--;
	if (err == 0) {
		k->release.run.restored++;
		(void)journal_delete(k->journal, e);
	} else {
		k->release.run.refused++;
		log_warning("%s of %s stays above its baseline: more is in use",
			    knob_rows[e->knob].name, e->path);
	}
}
