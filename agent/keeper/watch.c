// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * watch.c - who else writes the knobs we wrote: fanotify, which says who, or where that is not
 * allowed inotify, which does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/keeper/private.h"
#include "agent/log.h"

#define READS_A_WAKE 16 /* a writer in a loop is not to keep orders waiting */

struct watch {
	dev_t dev;
	ino_t ino;
	int mark; /* inotify's number; fanotify goes by dev and ino */
	uint16_t target, knob;
};

static bool same_file(const struct watch *w, const struct stat *st)
{
	return w->dev == st->st_dev && w->ino == st->st_ino;
}

static void report(struct keeper *k, const struct watch *found, int pid)
{
	struct watch w = *found; /* the array may move */

	if (k->targets[w.target].used)
		claim_foreign(k, &k->targets[w.target], (enum knob)w.knob, pid);
}

static void on_file(struct keeper *k, int fd, int pid)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	for (size_t i = 0; i < k->n_watches; i++) {
		if (same_file(&k->watches[i], &st)) {
			report(k, &k->watches[i], pid);
			return;
		}
	}
}

static void verify_all(struct keeper *k)
{
	for (size_t i = 0; i < ORDER_MAX_TARGETS; i++)
		if (k->targets[i].used && k->targets[i].alive)
			claim_verify(k, &k->targets[i]);
}

static void read_fanotify(struct keeper *k, const char *bytes, ssize_t n)
{
	const struct fanotify_event_metadata *event = (const void *)bytes;

	for (; FAN_EVENT_OK(event, n); event = FAN_EVENT_NEXT(event, n)) {
		_cleanup_(closep) int fd = event->fd;

		if (event->mask & FAN_Q_OVERFLOW)
			verify_all(k);
		else if (event->pid != getpid())
			on_file(k, fd, event->pid);
	}
}

/* Our own writes come by as well: only another value is somebody else's. */
static void read_inotify(struct keeper *k, const char *bytes, ssize_t n)
{
	const char *end = bytes + n;

	while (bytes < end) {
		const struct inotify_event *event = (const void *)bytes;

		if (event->mask & IN_Q_OVERFLOW)
			verify_all(k);
		for (size_t i = 0; i < k->n_watches; i++) {
			if (k->watches[i].mark == event->wd) {
				claim_verify(k, &k->targets[k->watches[i].target]);
				break;
			}
		}
		bytes += sizeof(*event) + event->len;
	}
}

void watch_read(struct keeper *k)
{
	char bytes[4096] __attribute__((aligned(8)));

	for (int i = 0; i < READS_A_WAKE; i++) {
		ssize_t n = read(k->watch_fd, bytes, sizeof(bytes));

		if (n <= 0)
			return;
		if (k->watch_is_fanotify)
			read_fanotify(k, bytes, n);
		else
			read_inotify(k, bytes, n);
	}
}

static int on_event(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	(void)source;
	(void)fd;
	(void)events;
	watch_read(arg);
	return 0;
}

int watch_init(struct keeper *k)
{
	_cleanup_(sd_event_source_unrefp) sd_event_source *source = NULL;
	int r;

	k->watch_fd =
		fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC);
	k->watch_is_fanotify = k->watch_fd >= 0;
	if (!k->watch_is_fanotify)
		k->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (k->watch_fd < 0)
		return -errno;
	r = sd_event_add_io(k->loop, &source, k->watch_fd, EPOLLIN, on_event, k);
	if (r == 0)
		r = sd_event_source_set_floating(source, 1);
	return r;
}

static int set_mark(struct keeper *k, int dir, const char *file, bool on)
{
	char path[64];

	if (k->watch_is_fanotify)
		return fanotify_mark(k->watch_fd, on ? FAN_MARK_ADD : FAN_MARK_REMOVE, FAN_MODIFY,
				     dir, file);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, file);
	return on ? inotify_add_watch(k->watch_fd, path, IN_MODIFY) : 0;
}

static int reserve(struct keeper *k)
{
	size_t capacity = k->watch_capacity ? k->watch_capacity * 2 : 16;
	struct watch *grown;

	if (k->n_watches < k->watch_capacity)
		return 0;
	grown = reallocarray(k->watches, capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	k->watches = grown;
	k->watch_capacity = capacity;
	return 0;
}

static int add_file(struct keeper *k, const struct target *t, enum knob knob, int dir,
		    const char *file)
{
	struct watch w = {.target = (uint16_t)(t - k->targets), .knob = knob};
	struct stat st;

	if (fstatat(dir, file, &st, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	w.dev = st.st_dev;
	w.ino = st.st_ino;
	for (size_t i = 0; i < k->n_watches; i++) {
		if (same_file(&k->watches[i], &st)) {
			k->watches[i].target = w.target;
			return 0;
		}
	}
	if (reserve(k) < 0)
		return -ENOMEM;
	w.mark = set_mark(k, dir, file, true);
	if (w.mark < 0)
		return -errno;
	k->watches[k->n_watches++] = w;
	return 0;
}

void watch_add(struct keeper *k, const struct target *t, enum knob knob)
{
	const struct journal_entry *e = target_entry(k, t, knob);
	const struct knob_ops *ops;
	uint64_t id;
	int dir, r = 0;

	if (!e || e->flags & JOURNAL_YIELDED)
		return;
	ops = target_ops(k, t, knob, &dir, &id);
	for (size_t i = 0; ops && i < ARRAY_SIZE(ops->files) && ops->files[i] && r == 0; i++)
		r = add_file(k, t, knob, dir, ops->files[i]);
	if (r < 0)
		log_warning("%s of %s is not watched: writes by others go unseen",
			    knob_rows[knob].name, t->path);
}

void watch_drop(struct keeper *k, const struct target *t, enum knob knob)
{
	const struct knob_ops *ops;
	uint64_t id;
	int dir;

	ops = target_ops(k, t, knob, &dir, &id);
	for (size_t i = 0; ops && i < ARRAY_SIZE(ops->files) && ops->files[i]; i++)
		(void)set_mark(k, dir, ops->files[i], false);
	for (size_t i = k->n_watches; i-- > 0;) {
		const struct watch *w = &k->watches[i];

		if (w->target != (uint16_t)(t - k->targets) || w->knob != knob)
			continue;
		if (!k->watch_is_fanotify)
			(void)inotify_rm_watch(k->watch_fd, w->mark);
		k->watches[i] = k->watches[--k->n_watches];
	}
}

/* The marks of files that are gone hold memory until all marks are dropped. */
void watch_rebuild(struct keeper *k)
{
	if (k->watch_is_fanotify)
		(void)fanotify_mark(k->watch_fd, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL);
	for (size_t i = 0; i < k->n_watches && !k->watch_is_fanotify; i++)
		(void)inotify_rm_watch(k->watch_fd, k->watches[i].mark);
	k->n_watches = 0;
	for (size_t i = 0; i < ORDER_MAX_TARGETS; i++) {
		struct target *t = &k->targets[i];

		for (int knob = 0; t->used && t->alive && knob < KNOB_HTB_RATE; knob++)
			watch_add(k, t, (enum knob)knob);
	}
	verify_all(k); /* what was written while nobody looked */
}
