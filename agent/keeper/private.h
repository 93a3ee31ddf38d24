/* SPDX-License-Identifier: GPL-2.0-or-later */
/* private.h - the keeper's state, and what its files do for each other. */
#ifndef FORESHAPE_KEEPER_PRIVATE_H
#define FORESHAPE_KEEPER_PRIVATE_H

#include <systemd/sd-event.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/keeper/journal.h"
#include "agent/keeper/keeper.h"
#include "shaping/knobs/group.h"
#include "shaping/knobs/htb.h"
#include "shaping/knobs/shrink.h"
#include "shaping/order.h"

#define KEEPER_MAX_QUEUED   512 /* answers a slow worker has not read */
#define KEEPER_MAX_LINKS    16
#define KEEPER_MAX_WAITING  64
#define KEEPER_MAX_SQUEEZES 64 /* at once; more are told to come back */

struct target {
	bool used;
	bool orphaned; /* named by a worker that is gone; the next one counts anew */
	char name[ORDER_NAME_MAX];
	char path[GROUP_PATH_MAX];
	int dir[HIERARCHY_COUNT];     /* O_PATH, -1 where missing */
	uint64_t id[HIERARCHY_COUNT]; /* 0 where missing */
	bool alive;
	char interface[ORDER_IFNAME_MAX];
	uint32_t htb_minor;
};

struct link {
	char interface[ORDER_IFNAME_MAX]; /* "" is free */
	int ifindex;
};

/* undo.c: journal entries back, with or without a keeper. */
enum undo {
	UNDO_DONE,   /* nothing of ours is in force any more */
	UNDO_LEFT,   /* yielded, or changed by somebody else: not ours */
	UNDO_GONE,   /* the cgroup is gone, and the knob with it */
	UNDO_SHRINK, /* lower than now: needs a guarded shrink to entry->baseline */
};
/* Both return an enum undo or -errno; *ret_dir (to be closed by the caller) with UNDO_SHRINK. */
typedef int undo_fn_t(const struct hierarchies *h, const struct journal_entry *e, int *ret_dir);
undo_fn_t undo_exact;  /* the baseline as it was */
undo_fn_t undo_loosen; /* limits to max(now, baseline), other knobs to the baseline */
/* Whether what is in force is neither what we last wrote nor what was before. */
bool undo_is_foreign(const struct journal_entry *e, uint64_t now);

/* Whether @e is of the service with this name or cgroup path; NULL is any. */
bool undo_is_of(const struct journal_entry *e, const char *service);

struct undo_run {
	const struct hierarchies *h;
	struct journal *journal;
	const char *path; /* or the service's name; NULL: all */
	undo_fn_t *undo;
	/* Lowers to the baseline: 0, 1 (pending, tells later), -EAGAIN (not now) or -errno; closes
	 * @dir_fd. */
	int (*shrink)(void *arg, const struct journal_entry *e, int dir_fd);
	restore_tell_t *tell; /* NULL: nobody listens */
	void *arg;
	unsigned int restored, refused, pending;
	struct journal_entry *later; /* [n_later], what a shrink under way is in the way of */
	size_t n_later;
};
/*
 * Counts what came of it in @run; without memory for a list that is one refused. Once more with the
 * same @run: those left for later. Without any left, @later is freed.
 */
void undo_run(struct undo_run *run);
/* Gives back what a process that died in the middle of guarded shrinks left lowered. */
void undo_squeezes(const struct hierarchies *h, struct journal *j);
/* Removes the groups made for services that are empty; of @path alone where not NULL. */
void undo_groups(const struct hierarchies *h, struct journal *j, const char *path);

/* What a RESTORE, a FORGET or the end waits for. */
struct release {
	bool active;
	uint32_t seq;    /* 0: nobody waits for an answer */
	uint32_t target; /* or ORDER_NO_TARGET */
	bool forget, quit;
	bool again; /* all of them once this is over */
	struct undo_run run;
};

struct keeper {
	const struct keeper_conf *conf;
	char boot_id[JOURNAL_BOOT_ID_MAX];
	char own_groups[4096]; /* /proc/self/cgroup */
	struct hierarchies h;
	struct journal *journal;
	int runtime_fd, lock_fd, socket_fd, policies_fd;
	int waiter_pipe; /* held open as long as we live */
	pid_t waiter_pid;

	sd_event *loop;
	uint64_t n_sweeps;
	bool enforce, stopping;
	char mode[ORDER_NAME_MAX]; /* for the next worker, as the last one told it */
	bool handing_over;         /* to the next one: limits stay */
	int exit_code;

	int orders_fd; /* -1: no worker */
	sd_event_source *orders_source, *child_source, *respawn_timer, *kill_timer;
	pid_t worker_pid;
	uint64_t deaths_mono_ns[5]; /* of workers, a ring */
	size_t n_deaths;
	struct answer *queue; /* ring of KEEPER_MAX_QUEUED */
	size_t queue_start, queue_n;
	unsigned int n_lost; /* notices there was no room for, not told yet */

	struct target targets[ORDER_MAX_TARGETS];
	struct release release;
	struct order waiting[KEEPER_MAX_WAITING]; /* for the release under way to end */
	size_t n_waiting;
	struct squeeze *squeezes[KEEPER_MAX_SQUEEZES]; /* guarded shrinks under way */

	int watch_fd; /* fanotify or inotify, -1: neither */
	bool watch_is_fanotify;
	struct watch *watches; /* [n_watches] */
	size_t n_watches, watch_capacity;

	struct htb *htb;
	struct link links[KEEPER_MAX_LINKS];
	struct packets *packets; /* NULL: not loaded */
	char packets_problem[200];
};

uint64_t keeper_now_mono_ns(void);
/* Ends in good order: worker first, then all baselines back. */
void keeper_stop(struct keeper *k);
/* Loosens what is journaled and ends with EXIT_FAILED. */
void keeper_give_up(struct keeper *k);

/* lock.c */
int lock_open_runtime(const char *dir, struct err *e);
/* Returns the descriptor of the held lock; -EBUSY with *holder_pid. */
int lock_take(int runtime_fd, int *holder_pid, struct err *e);
/* 0: nobody ever held it; *ready: the holder started a waiting restore of its own. */
int lock_read_pid(int runtime_fd, bool *ready);
int lock_write_pid(int lock_fd);
int lock_write_ready(int lock_fd);
bool lock_pid_is_alive(int pid);
int lock_bind_socket(int runtime_fd, const char *dir, struct err *e);

/* waiter.c */
int waiter_start(struct keeper *k, struct err *e);
void waiter_dismiss(struct keeper *k);

/* worker.c */
int worker_start(struct keeper *k);
/* Once a second: a death that was not told, as of a worker somebody traces. */
void worker_sweep(struct keeper *k);
void worker_stop(struct keeper *k); /* NOTICE_STOP, later SIGKILL */

/* orders.c */
int orders_attach(struct keeper *k, int fd); /* takes @fd over */
void orders_detach(struct keeper *k);
void orders_answer(struct keeper *k, const struct answer *ans);
/* An empty answer to order @seq, or notice where @seq is 0. */
struct answer orders_blank(uint32_t seq, enum answer_kind kind, uint32_t target, enum knob knob);

/* target.c */
int target_declare(struct keeper *k, const struct order *o, struct answer *ans);
void target_forget(struct keeper *k, struct target *t);
void target_check(struct keeper *k, struct target *t); /* is it still there? */
void target_sweep(struct keeper *k, uint64_t turn);    /* once a second: which are gone */
struct target *target_get(struct keeper *k, uint32_t index);
/* The knob's row and directory on this target; NULL where there is none. */
const struct knob_ops *target_ops(struct keeper *k, const struct target *t, enum knob knob,
				  int *dir_fd, uint64_t *id);
/* Its journal entry; NULL before the first write. */
struct journal_entry *target_entry(struct keeper *k, const struct target *t, enum knob knob);

/* apply.c. Return 1 when the answer comes later, else 0 or -errno with text in @ans. */
int apply_set(struct keeper *k, const struct order *o, struct answer *ans);
int apply_read(struct keeper *k, const struct order *o, struct answer *ans);

/* claim.c: who a knob belongs to. */
int claim_adopt(struct keeper *k, struct target *t);
int claim_yield(struct keeper *k, struct target *t);
/* Whether @now, in force, is somebody else's value of a knob that is ours. */
bool claim_is_foreign(struct keeper *k, const struct target *t, enum knob knob, uint64_t now);
/*
 * Somebody (pid 0: unknown) wrote @knob of @t: yields and tells the worker. Does nothing where our
 * own value is in force again.
 */
void claim_foreign(struct keeper *k, struct target *t, enum knob knob, int pid);
/* Compares what is in force with what we last wrote; differences are somebody else's. */
void claim_verify(struct keeper *k, struct target *t);

/* squeeze.c: the guarded shrink on the loop. */
struct squeeze_ask {
	const struct journal_entry *entry; /* of the knob, journaled; copied */
	int dir_fd;                        /* taken over, also on failure */
	uint64_t goal;
	const char *goal_raw; /* NULL: by value */
	uint32_t seq, target; /* whom to answer; seq 0: nobody */
	uint64_t before;      /* for the answer */
	uint32_t clamped;     /* for the answer */
	uint64_t least_bytes; /* of a reclaim: what must stay */
	bool releasing;       /* tell release_shrunk */
};
/* Returns 1, -EAGAIN when the group's other shrink or too many are under way, or -errno. */
int squeeze_start(struct keeper *k, const struct squeeze_ask *ask);
bool squeeze_is_any(const struct keeper *k);
/* Whether one is under way in group @id of @knob's hierarchy; then its old values go back. */
bool squeeze_is_active(struct keeper *k, enum knob knob, uint64_t id);
void squeeze_cancel(struct keeper *k, enum knob knob, uint64_t id);
/* Ends it without writing: somebody else wrote @knob, or its helper. */
void squeeze_forget(struct keeper *k, uint64_t id, enum knob knob);
void squeeze_orphan_all(struct keeper *k); /* no worker left to answer */
void squeeze_cancel_all(struct keeper *k); /* and ends a release for good */

/* release.c: baselines back on the loop. */
int release_start(struct keeper *k, const struct order *o);
void release_all_and_quit(struct keeper *k);
void release_shrunk(struct keeper *k, const struct journal_entry *e, int err);
/* A shrink ended: those that waited for it, and the end once none is left. */
void release_go_on(struct keeper *k);

/* watch.c */
int watch_init(struct keeper *k);
/* Sees to the writes by others that wait to be read; with very many, to the first of them. */
void watch_read(struct keeper *k);
/* Where the journal has the knob, and it is not yielded. */
void watch_add(struct keeper *k, const struct target *t, enum knob knob);
void watch_drop(struct keeper *k, const struct target *t, enum knob knob);
void watch_rebuild(struct keeper *k);

/* links.c */
int links_add(struct keeper *k, const struct order *o, struct err *e);
int links_set(struct keeper *k, struct target *t, const struct order *o, struct answer *ans);
int links_read(struct keeper *k, struct target *t, enum knob knob, uint64_t *ret);
/* Takes off every root the journal names. Returns how many could not be. */
unsigned int links_remove(struct journal *j, restore_tell_t *tell, void *arg);
void links_drop_class(struct keeper *k, const struct target *t);
void links_sweep(struct keeper *k);  /* once a second: which went away */
void links_forget(struct keeper *k); /* after links_remove */

/*
 * listeners.c: how many listening sockets the processes of cgroup @path hold that were made in
 * another one, so that the packet programs do not see them. Returns 0 and *ret, or -errno.
 */
int listeners_unseen(struct keeper *k, const char *path, uint64_t *ret);

/* packets.c: the BPF programs. */
int packets_load(struct keeper *k);
void packets_unload(struct keeper *k);
int packets_attach(struct keeper *k, const char *path, struct err *e);
int packets_detach(struct keeper *k, const char *path, struct err *e);
/* The descriptors to pass, by their place from WORKER_FD_ROWS; returns how many. */
size_t packets_fds(struct keeper *k, int *fds, size_t max);

#endif
