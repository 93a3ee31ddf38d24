/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.h - the packet programs in the privileged process: load, attach to cgroups, pass on maps.
 */
#ifndef FORESHAPE_PROBE_H
#define FORESHAPE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"

/* The maps counters_open takes, in this order. */
enum probe_map {
	PROBE_ROWS,         /* struct fsh_row by row, mmapable */
	PROBE_UNSEEN,       /* struct fsh_unseen_row by service, mmapable */
	PROBE_TRAFFIC,      /* struct fsh_traffic by service, mmapable */
	PROBE_OWNERS,       /* struct fsh_owner by struct fsh_owner_key */
	PROBE_SERVICES,     /* struct fsh_service_conf by service */
	PROBE_CONFIG,       /* struct fsh_config */
	PROBE_ROUTE_TABLES, /* the outer map */
	PROBE_ROUTES_A, /* and the two inner ones: a process without capabilities can make none */
	PROBE_ROUTES_B,
	PROBE_MAPS
};

struct probe;

/*
 * Loads the programs. Nothing is counted before probe_attach. Returns 0 and *ret (probe_free), or a
 * negative errno with what is missing: the caller works on without counters.
 */
int probe_load(struct probe **ret, struct err *e);

/* Detaches all and unloads. The counters live on while a passed descriptor or mapping does. */
void probe_free(struct probe *p);
void probe_freep(struct probe **p);

/*
 * Counts the sockets of the cgroup open as directory @cgroup_fd (unified hierarchy) and those below
 * it, from now on: of a nest of managed cgroups only the outermost. *ret_id is the attachment's
 * number for probe_detach. Returns 0, -EBUSY (as many as fit), or the kernel's errno; a failing
 * attach leaves nothing. The kernel detaches when this process ends, however it ends.
 */
int probe_attach(struct probe *p, int cgroup_fd, unsigned int *ret_id, struct err *e);

/* Undoes one probe_attach. A number not in use is ignored. */
void probe_detach(struct probe *p, unsigned int id);

/* Fills @fds with the maps by enum probe_map. They stay @p's: duplicate or send them, never close.
 */
void probe_fds(const struct probe *p, int fds[PROBE_MAPS]);

#endif
