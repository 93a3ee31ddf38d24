/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * models.h - what the models have learned, into history and back, however many services there are:
 * a row a service, a few a second.
 */
#ifndef FORESHAPE_MODELS_H
#define FORESHAPE_MODELS_H

#include "agent/store.h"
#include "shaping/tick.h"

/*
 * A generation is written next to the last whole one, and counts once all of it is there: models
 * of two generations are never mixed. Empty at first; models_load knows which is the last.
 */
struct models {
	uint64_t generation; /* that is being written, or was last */
	uint32_t slot;       /* of the two, where it is */
	size_t left;         /* parts to be written; 0: none is under way */
	uint64_t begun_mono_ns;
	double credit_bytes; /* that may be written by now */
};

/* One second: the next parts, as many as the mean rate of writing allows. */
void models_save(struct models *m, const struct controller *c, struct store *s,
		 uint64_t now_mono_ns, int64_t now_real_ns);
/* All of a new generation; waits for the disk, up to some seconds. Not for the loop. */
void models_save_all(struct models *m, const struct controller *c, struct store *s,
		     int64_t now_real_ns);
/* Services are others than before: what was under way is begun anew. */
void models_restart(struct models *m);

/*
 * The last whole generation of history @path into @c, which is new. Returns 0, -ENOENT where there
 * is none, -EINVAL where what there is can't be used.
 */
int models_load(struct models *m, struct controller *c, const char *path);

#endif
