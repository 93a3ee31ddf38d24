/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay_audit.h - foreshape replay --audit. */
#ifndef FORESHAPE_REPLAY_AUDIT_H
#define FORESHAPE_REPLAY_AUDIT_H

#include "agent/cmd/replay_job.h"

/*
 * Decides again all that the history says was decided, by the policies that are named, files or a
 * directory, all of them at once. EXIT_OK: all is the same; EXIT_FAILED, EXIT_USAGE.
 */
int replay_audit(const struct cmd *cmd, const struct cmd_args *args, const struct replay_job *job);

#endif
