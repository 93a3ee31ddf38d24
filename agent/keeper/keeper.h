/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keeper.h - the privileged process of `foreshape run`: the one door to the kernel. */
#ifndef FORESHAPE_KEEPER_H
#define FORESHAPE_KEEPER_H

#include <stdbool.h>

#include "agent/base/err.h"

struct keeper_conf {
	const char *runtime_dir;
	const char *policies_dir;
	const char *db_path; /* NULL: the worker's default */
	bool enforce;
	const char *worker_path; /* what to run as the worker; NULL: this very program */
};

/* Runs until told to stop. Returns the exit code of `foreshape run`. */
int keeper_main(const struct keeper_conf *conf);

/* One knob or link a restore looked at, for telling people. */
struct restore_line {
	const char *path, *knob; /* cgroup or interface; "htb" for a link's tree */
	const char *what;        /* "restored", "loosened", "left", "gone", "refused" */
	const char *why;         /* one line, or "" */
};

typedef void restore_tell_t(void *arg, const struct restore_line *line);

/*
 * Without a keeper: takes the lock in @runtime_dir and gives back the exact baseline of all the
 * journal holds (memory by the guarded shrink), of the service named @service, or with that
 * cgroup path, alone where that is not NULL.
 * Returns the number of knobs refused, -EBUSY when a keeper holds the lock, or -errno.
 */
int keeper_restore(const char *runtime_dir, const char *service, restore_tell_t *tell, void *arg,
		   struct err *e);

/*
 * Without a keeper: limits become max(now, baseline), other knobs the baseline, as after the
 * keeper's death. Returns 0, -EBUSY when a keeper holds the lock, -EIO when a knob was refused, or
 * -errno.
 */
int keeper_loosen(const char *runtime_dir, struct err *e);

/*
 * What the process waiting for the keeper's death does: blocks on @pipe_fd until the keeper ends
 * (a byte: in good order, nothing to do), gives a new keeper 10 s to be ready, or as long as
 * it lives unready, then loosens all limits. Returns 0 or -errno.
 */
int keeper_wait_and_loosen(const char *runtime_dir, int pipe_fd);

#endif
