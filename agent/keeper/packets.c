// SPDX-License-Identifier: GPL-2.0-or-later
/* packets.c - the packet programs, as the keeper holds them; without them the agent runs on. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/keeper/private.h"
#include "agent/log.h"
#include "agent/probe.h"

_Static_assert(WORKER_FD_ROWS + PROBE_MAPS < WORKER_FD_END, "the worker is passed every map");

struct attachment {
	char path[GROUP_PATH_MAX]; /* "": free */
	uint64_t cgroup_id;
	unsigned int id;
};

struct packets {
	struct probe *probe;
	int names_fd; /* memory of workers alone: whose each row is; as old as the maps */
	struct attachment attached[ORDER_MAX_TARGETS];
};

int packets_load(struct keeper *k)
{
	struct err e = {};
	int r;

	k->packets = calloc(1, sizeof(*k->packets));
	if (!k->packets)
		return -ENOMEM;
	k->packets->names_fd = memfd_create("rows", MFD_CLOEXEC);
	r = probe_load(&k->packets->probe, &e);
	if (r == 0)
		return 0;
	log_warning("packets are not counted: %s", e.text);
	(void)snprintf(k->packets_problem, sizeof(k->packets_problem), "%.190s", e.text);
	packets_unload(k);
	return r;
}

void packets_unload(struct keeper *k)
{
	if (k->packets) {
		probe_free(k->packets->probe);
		closep(&k->packets->names_fd);
	}
	free(k->packets);
	k->packets = NULL;
}

static struct attachment *find(struct keeper *k, const char *path)
{
	for (size_t i = 0; i < ORDER_MAX_TARGETS; i++) {
		if (streq(k->packets->attached[i].path, path))
			return &k->packets->attached[i];
	}
	return NULL;
}

static int attach_fd(struct keeper *k, const char *path, int fd, struct err *e)
{
	struct attachment *a = find(k, path);
	int r;

	if (a && a->cgroup_id == group_id(fd))
		return 0; /* by an earlier worker */
	if (a)
		probe_detach(k->packets->probe, a->id);
	else
		a = find(k, "");
	if (!a)
		return err_set(e, -ENOSPC, "attach to %s", path);
	a->path[0] = '\0';
	r = probe_attach(k->packets->probe, fd, &a->id, e);
	if (r < 0)
		return r;
	(void)snprintf(a->path, sizeof(a->path), "%s", path);
	a->cgroup_id = group_id(fd);
	return 0;
}

int packets_attach(struct keeper *k, const char *path, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	int r;

	if (!k->packets)
		return err_say(e, -EOPNOTSUPP, "%s", k->packets_problem);
	if (group_allowed(path, "", e) == -EINVAL)
		return -EINVAL;
	r = group_open(&k->h, HIERARCHY_UNIFIED, path);
	if (r < 0)
		return err_set(e, r, "attach to %s", path);
	fd = group_reopen(r);
	close(r);
	return fd < 0 ? err_set(e, fd, "attach to %s", path) : attach_fd(k, path, fd, e);
}

int packets_detach(struct keeper *k, const char *path, struct err *e)
{
	struct attachment *a = k->packets && path[0] ? find(k, path) : NULL;

	if (!a)
		return err_set(e, -ENOENT, "detach from %s", path);
	probe_detach(k->packets->probe, a->id);
	a->path[0] = '\0';
	return 0;
}

size_t packets_fds(struct keeper *k, int *fds, size_t max)
{
	int maps[PROBE_MAPS];

	if (!k->packets || max <= PROBE_MAPS)
		return 0;
	probe_fds(k->packets->probe, maps);
	memcpy(fds, maps, sizeof(maps));
	fds[PROBE_MAPS] = k->packets->names_fd;
	return PROBE_MAPS + 1;
}
