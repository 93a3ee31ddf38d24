// SPDX-License-Identifier: GPL-2.0-or-later
/* probe.c - loads the packet programs and attaches them to cgroups; nothing else. */
#include "agent/probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "bpf/abi.h"
#include "bpf/http.skel.h"

#define MAX_ATTACHED 512
#define HOOKS        3 /* ingress, egress, sockops */
#define LINE_BYTES   240

struct probe {
	struct http_bpf *skel;
	int links[MAX_ATTACHED][HOOKS]; /* -1: free */
};

/* libbpf reports through a callback without an argument: its last warning, for the error text. */
static __thread char last_line[LINE_BYTES];

static int keep_line(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[LINE_BYTES];
	int n;

	if (level != LIBBPF_WARN)
		return 0;
	n = vsnprintf(line, sizeof(line), fmt, args);
	/* The verifier's log comes as one long text; what follows it only repeats the errno. */
	if (n < 0 || strstr(line, "BEGIN PROG LOAD LOG") || strstr(line, "failed to load"))
		return 0;
	line[strcspn(line, "\n")] = '\0';
	copy_str(last_line, sizeof(last_line), line);
	return 0;
}

static const char *hint(int code)
{
	switch (code) {
	case -EPERM:
		return " (needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)";
	case -ENOSYS:
	case -EOPNOTSUPP:
		return " (the kernel is built without BPF or cgroup BPF)";
	case -ENOMEM:
		return " (out of memory or over RLIMIT_MEMLOCK)";
	}
	return "";
}

int probe_load(struct probe **ret, struct err *e)
{
	_cleanup_(probe_freep) struct probe *p = calloc(1, sizeof(*p));
	libbpf_print_fn_t was;
	int r;

	if (!p)
		return err_set(e, -ENOMEM, "load the packet programs");
	memset(p->links, 0xff, sizeof(p->links));
	last_line[0] = '\0';
	was = libbpf_set_print(keep_line);
	p->skel = http_bpf__open();
	r = p->skel ? 0 : -errno;
	if (!r)
		r = http_bpf__load(p->skel);
	libbpf_set_print(was);
	if (r)
		return err_set(e, r, "load the packet programs%s: %s", hint(r),
			       *last_line ? last_line : "libbpf says no more");
	*ret = take_ptr(p);
	return 0;
}

static void close_links(int links[HOOKS])
{
	for (int i = 0; i < HOOKS; i++) {
		if (links[i] >= 0)
			close(links[i]);
		links[i] = -1;
	}
}

/* Links, so that the kernel detaches what a killed process leaves. */
static int make_links(const struct probe *p, int cgroup_fd, int links[HOOKS])
{
	const struct {
		enum bpf_attach_type type;
		const struct bpf_program *program;
	} hooks[HOOKS] = {
		{BPF_CGROUP_INET_INGRESS, p->skel->progs.http_ingress},
		{BPF_CGROUP_INET_EGRESS, p->skel->progs.http_egress},
		{BPF_CGROUP_SOCK_OPS, p->skel->progs.http_sockops},
	};

	for (int i = 0; i < HOOKS; i++) {
		int fd = bpf_link_create(bpf_program__fd(hooks[i].program), cgroup_fd,
					 hooks[i].type, NULL);

		if (fd < 0)
			return fd;
		links[i] = fd;
	}
	return 0;
}

int probe_attach(struct probe *p, int cgroup_fd, unsigned int *ret_id, struct err *e)
{
	unsigned int id = 0;
	int r;

	while (id < MAX_ATTACHED && p->links[id][0] >= 0)
		id++;
	if (id == MAX_ATTACHED)
		return err_set(e, -EBUSY, "attach to more than %d cgroups", MAX_ATTACHED);
	r = make_links(p, cgroup_fd, p->links[id]);
	if (r < 0) {
		close_links(p->links[id]);
		return err_set(e, r, "attach the packet programs%s", hint(r));
	}
	*ret_id = id;
	return 0;
}

void probe_detach(struct probe *p, unsigned int id)
{
	if (id < MAX_ATTACHED)
		close_links(p->links[id]);
}

void probe_fds(const struct probe *p, int fds[PROBE_MAPS])
{
	const struct bpf_map *maps[PROBE_MAPS] = {
		[PROBE_ROWS] = p->skel->maps.rows,
		[PROBE_UNSEEN] = p->skel->maps.unseen,
		[PROBE_TRAFFIC] = p->skel->maps.traffic,
		[PROBE_OWNERS] = p->skel->maps.owners,
		[PROBE_SERVICES] = p->skel->maps.services,
		[PROBE_CONFIG] = p->skel->maps.config,
		[PROBE_ROUTE_TABLES] = p->skel->maps.route_tables,
		[PROBE_ROUTES_A] = p->skel->maps.routes_a,
		[PROBE_ROUTES_B] = p->skel->maps.routes_b,
	};

	for (size_t i = 0; i < PROBE_MAPS; i++)
		fds[i] = bpf_map__fd(maps[i]);
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	for (unsigned int id = 0; p->skel && id < MAX_ATTACHED; id++)
		probe_detach(p, id);
	http_bpf__destroy(p->skel);
	free(p);
}

void probe_freep(struct probe **p)
{
	probe_free(*p);
}
