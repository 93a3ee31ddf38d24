/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reclaim.h - proactive reclaim of a group, within bounds that whoever asks for it cannot move. */
#ifndef FORESHAPE_RECLAIM_H
#define FORESHAPE_RECLAIM_H

#include <stdint.h>

#define RECLAIM_PART 100 /* a hundredth of what the group uses is the most at once */

/*
 * Has the v2 group at @dir_fd give back @bytes, no more than RECLAIM_PART and the knob's row allow,
 * and never so much that less stays than @least_bytes, its memory.low, or what no reclaim can take.
 * Takes as long as the kernel does. Returns 0 and what went, in *ret, also where that is less than
 * was asked for; -EINTR after a signal, -errno.
 */
int reclaim_run(int dir_fd, uint64_t bytes, uint64_t least_bytes, uint64_t *ret);

#endif
