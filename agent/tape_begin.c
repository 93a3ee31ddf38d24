// SPDX-License-Identifier: GPL-2.0-or-later
/* tape_begin.c - the state of a planner, from which a tape goes on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/tape.h"

int tape_begin(struct tape *t, const struct controller *c, const struct policy_set *set,
	       const struct host_facts *facts, uint64_t period_ns, struct tape_bytes *ret)
{
	_cleanup_(tape_bytes_free) struct tape_bytes b = {};
	size_t size = controller_save_size(c);
	uint64_t all = 0;
	void *state;

	tape_end(t);
	t->last = calloc(set->n_services + 1, sizeof(*t->last));
	if (!t->last)
		return -ENOMEM;
	tape_put_raw(&b, &all, sizeof(all)); /* its own size, known at the end */
	tape_put(&b, facts->capacity_mcpu);
	tape_put(&b, facts->memory_bytes);
	tape_put(&b, facts->swap_bytes);
	tape_put(&b, period_ns);
	tape_put(&b, controller_fits_ns(c));
	tape_put(&b, set->n_services);
	for (size_t i = 0; i < set->n_services; i++) {
		tape_put_text(&b, set->services[i].name);
		tape_put(&b, set->services[i].n_apis);
	}
	tape_put(&b, size);
	state = tape_room(&b, size);
	if (!state || controller_save(c, state, size) != size)
		return -ENOMEM;
	all = b.used;
	memcpy(b.bytes, &all, sizeof(all));
	t->n_services = set->n_services;
	t->running = true;
	t->told.failed = false;
	*ret = b;
	b = (struct tape_bytes){};
	return 0;
}
