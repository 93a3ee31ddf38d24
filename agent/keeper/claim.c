// SPDX-License-Identifier: GPL-2.0-or-later
/* claim.c - whose a knob is: yielded to whoever else writes it, taken back when told to. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/keeper/private.h"

static void describe_process(int pid, struct answer *notice)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;
	char name[32];
	ssize_t n;

	if (pid <= 0)
		return;
	notice->pid = pid;
	(void)snprintf(name, sizeof(name), "/proc/%d/comm", pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* it wrote and ended */
	n = read(fd, notice->comm, sizeof(notice->comm) - 1);
	notice->comm[n > 0 ? n : 0] = '\0';
	notice->comm[strcspn(notice->comm, "\n")] = '\0';
	(void)snprintf(name, sizeof(name), "/proc/%d", pid);
	if (stat(name, &st) == 0)
		notice->uid = st.st_uid;
}

bool claim_is_foreign(struct keeper *k, const struct target *t, enum knob knob, uint64_t now)
{
	const struct journal_entry *e = target_entry(k, t, knob);

	return e && !(e->flags & JOURNAL_YIELDED) && undo_is_foreign(e, now);
}

void claim_foreign(struct keeper *k, struct target *t, enum knob knob, int pid)
{
	struct answer notice = orders_blank(0, NOTICE_FOREIGN, (uint32_t)(t - k->targets), knob);
	struct journal_entry *found = target_entry(k, t, knob), e;
	const struct knob_ops *ops;
	char raw[KNOB_RAW_MAX];
	uint64_t id;
	int dir;

	if (!found || found->flags & JOURNAL_YIELDED)
		return;
	e = *found;
	ops = target_ops(k, t, knob, &dir, &id);
	notice.before = e.value;
	if (ops->get(dir, &notice.after, raw) < 0)
		return; /* gone: the sweep says so */
	if (knob_same(knob, e.value, notice.after))
		return; /* ours is in force: we wrote after them */
	describe_process(pid, &notice);
	notice.baseline = e.baseline;
	notice.state = STATE_BASELINE | STATE_YIELDED;
	e.flags = (e.flags | JOURNAL_YIELDED) & ~(uint32_t)JOURNAL_SHRINKING;
	(void)journal_put(k->journal, &e);
	squeeze_forget(k, id, knob);
	watch_drop(k, t, knob);
	orders_answer(k, &notice);
}

void claim_verify(struct keeper *k, struct target *t)
{
	for (int knob = 0; knob < KNOB_HTB_RATE; knob++) {
		const struct knob_ops *ops;
		char raw[KNOB_RAW_MAX];
		uint64_t id, now;
		int dir;

		ops = target_ops(k, t, (enum knob)knob, &dir, &id);
		if (ops && ops->get(dir, &now, raw) == 0 &&
		    claim_is_foreign(k, t, (enum knob)knob, now))
			claim_foreign(k, t, (enum knob)knob, 0);
	}
}

/* A knob that was never written has no baseline to keep. */
int claim_adopt(struct keeper *k, struct target *t)
{
	for (int knob = 0; knob < KNOB_HTB_RATE; knob++) {
		struct journal_entry *found = target_entry(k, t, (enum knob)knob), e;
		const struct knob_ops *ops;
		char raw[KNOB_RAW_MAX];
		uint64_t id;
		int dir, r;

		if (!found || !(found->flags & JOURNAL_YIELDED))
			continue;
		e = *found;
		if (!(e.flags & JOURNAL_WRITTEN)) {
			(void)journal_delete(k->journal, &e);
			continue;
		}
		ops = target_ops(k, t, (enum knob)knob, &dir, &id);
		r = ops->get(dir, &e.value, raw);
		if (r < 0)
			return r;
		e.before = e.value;
		e.flags &= ~(uint32_t)JOURNAL_YIELDED;
		r = journal_put(k->journal, &e);
		if (r < 0)
			return r;
		watch_add(k, t, (enum knob)knob);
	}
	return 0;
}

static int yield_one(struct keeper *k, struct target *t, enum knob knob)
{
	struct journal_entry *found = target_entry(k, t, knob);
	struct journal_entry e = {.kind = JOURNAL_KNOB, .knob = knob};
	const struct knob_ops *ops;
	int dir;

	ops = target_ops(k, t, knob, &dir, &e.cgroup_id);
	if (!ops)
		return 0;
	if (found)
		e = *found;
	else if (ops->get(dir, &e.baseline, e.raw) < 0)
		return 0; /* not on this group */
	if (!found) {
		e.before = e.value = e.baseline;
		memcpy(e.path, t->path, sizeof(e.path));
		memcpy(e.name, t->name, sizeof(e.name));
	}
	squeeze_cancel(k, knob, e.cgroup_id);
	watch_drop(k, t, knob);
	e.flags = (e.flags | JOURNAL_YIELDED) & ~(uint32_t)JOURNAL_SHRINKING;
	return journal_put(k->journal, &e);
}

int claim_yield(struct keeper *k, struct target *t)
{
	int r = 0;

	for (int knob = 0; knob < KNOB_HTB_RATE && r == 0; knob++)
		r = yield_one(k, t, (enum knob)knob);
	return r;
}
