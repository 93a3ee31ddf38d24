/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay_plot.h - the points of the picture of a replay. */
#ifndef FORESHAPE_REPLAY_PLOT_H
#define FORESHAPE_REPLAY_PLOT_H

#include "agent/cmd/replay_job.h"

/* Takes a step of the first policy, or of a second one, whose limit alone is drawn. */
void replay_plot_take(struct replay_job *job, size_t which, const struct replay_now *now);

/* Writes the picture to @path. EXIT_OK, or what was said. */
int replay_plot_write(struct replay_job *job, const char *path);

#endif
