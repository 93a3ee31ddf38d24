// SPDX-License-Identifier: GPL-2.0-or-later
/* restore.c - exact baselines back when no keeper runs. */
#include <errno.h>
#include <time.h>

#include "agent/keeper/private.h"

struct plain {
	const struct hierarchies *h;
	restore_tell_t *tell;
	void *arg;
};

static void tell_on(void *arg, const struct restore_line *line)
{
	struct plain *p = arg;

	p->tell(p->arg, line);
}

/* The guarded shrink, waited for. */
static int shrink_now(void *arg, const struct journal_entry *e, int dir_fd)
{
	const struct timespec pause = {.tv_nsec = SHRINK_STEP_NS};
	const struct plain *p = arg;
	_cleanup_(closep) int dir = dir_fd;
	struct shrink s;
	int r = shrink_start(&s, p->h, dir, (enum knob)e->knob, e->baseline, e->raw,
			     keeper_now_mono_ns());

	if (r < 0)
		return r;
	while ((r = shrink_step(&s, keeper_now_mono_ns())) > 0)
		(void)nanosleep(&pause, NULL);
	return r;
}

static int restore_held(int runtime_fd, const char *service, struct plain *p, struct err *e)
{
	_cleanup_(journal_closep) struct journal *journal = NULL;
	char boot_id[JOURNAL_BOOT_ID_MAX];
	struct hierarchies h;
	struct undo_run run = {.h = &h,
			       .path = service,
			       .undo = undo_exact,
			       .shrink = shrink_now,
			       .tell = tell_on,
			       .arg = p};
	int r = journal_boot_id(boot_id);

	if (r == 0)
		r = hierarchies_find("/proc/self/mountinfo", &h);
	if (r < 0)
		return err_set(e, r, "find the cgroup hierarchies");
	r = journal_open(runtime_fd, boot_id, &journal, e);
	if (r < 0)
		return r;
	p->h = &h;
	run.journal = journal;
	undo_squeezes(&h, journal);
	undo_run(&run);
	if (!service)
		run.refused += links_remove(journal, p->tell, p->arg);
	undo_groups(&h, journal, service);
	return (int)run.refused;
}

int keeper_restore(const char *runtime_dir, const char *service, restore_tell_t *tell, void *arg,
		   struct err *e)
{
	_cleanup_(closep) int runtime_fd = lock_open_runtime(runtime_dir, e);
	_cleanup_(closep) int lock_fd = -1;
	struct plain p = {.tell = tell, .arg = arg};
	int holder_pid;

	if (runtime_fd < 0)
		return runtime_fd;
	lock_fd = lock_take(runtime_fd, &holder_pid, e);
	if (lock_fd < 0)
		return lock_fd;
	return restore_held(runtime_fd, service, &p, e);
}
