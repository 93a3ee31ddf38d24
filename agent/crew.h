/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crew.h - threads that share short work out among them, many thousand times a second. */
#ifndef FORESHAPE_CREW_H
#define FORESHAPE_CREW_H

#include <stddef.h>

/* Does item @i; no two do the same one, and who does it is not said. */
typedef void crew_work_t(void *arg, size_t i);

struct crew;

/* As many threads as this process may use CPUs at once, and no more than @most; at least 1. */
size_t crew_size(size_t most);
/*
 * A crew of @n threads of which the caller is one: with 1, no other is started. Returns 0 and *ret
 * (crew_free), -ENOMEM, or -EAGAIN where no thread can be started.
 */
int crew_new(size_t n, struct crew **ret);
void crew_free(struct crew *c);
void crew_freep(struct crew **c);

/*
 * Does @work for each of 0..@n - 1, fewer than 2^31, and returns when all are done; what was
 * written before is seen by those who do it, and what they wrote by the caller.
 */
void crew_run(struct crew *c, crew_work_t *work, void *arg, size_t n);

#endif
