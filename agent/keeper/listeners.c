// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * listeners.c - listening sockets the packet programs cannot see: older than their process's move
 * into the cgroup, they belong to the cgroup they were made in.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "agent/base/parse.h"
#include "agent/keeper/private.h"

#define MAX_SOCKETS 4096 /* a service */
#define MAX_GROUPS  64   /* of its subtree */
#define MAX_DEPTH   8

struct subtree {
	uint64_t groups[MAX_GROUPS]; /* cgroup ids */
	size_t n_groups;
	uint64_t sockets[MAX_SOCKETS]; /* inodes its processes hold */
	size_t n_sockets;
	unsigned int unseen;
};

static void take_process(struct subtree *s, const char *pid)
{
	char path[64], target[64];
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *d;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir)) && s->n_sockets < MAX_SOCKETS) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, target, sizeof(target) - 1);

		if (n < 9 || strncmp(target, "socket:[", 8) != 0)
			continue;
		target[n - 1] = '\0'; /* the bracket */
		if (parse_u64(target + 8, &s->sockets[s->n_sockets]) == 0)
			s->n_sockets++;
	}
}

static void take_group(struct subtree *s, int dir_fd, int depth)
{
	_cleanup_(closedirp) DIR *dir = fdopendir(dir_fd);
	_cleanup_(fclosep) FILE *procs = NULL;
	struct dirent *d;
	struct stat st;
	char pid[32];
	int fd;

	if (!dir) {
		close(dir_fd);
		return;
	}
	if (s->n_groups < MAX_GROUPS && fstat(dir_fd, &st) == 0)
		s->groups[s->n_groups++] = st.st_ino;
	fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	procs = fd < 0 ? NULL : fdopen(fd, "r");
	while (procs && fgets(pid, sizeof(pid), procs)) {
		pid[strcspn(pid, "\n")] = '\0';
		take_process(s, pid);
	}
	while (depth < MAX_DEPTH && (d = readdir(dir))) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		fd = openat(dir_fd, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			take_group(s, fd, depth + 1);
	}
}

static bool among(const uint64_t *list, size_t n, uint64_t v)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == v)
			return true;
	return false;
}

/* The id of the cgroup a socket was made in; 0 where the kernel does not say. */
static uint64_t cgroup_of(const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	const struct rtattr *a = (const struct rtattr *)(m + 1);
	int left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));
	uint64_t id;

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type != INET_DIAG_CGROUP_ID)
			continue;
		memcpy(&id, RTA_DATA(a), sizeof(id));
		return id;
	}
	return 0;
}

/* False when the dump is over. */
static bool take_messages(struct subtree *s, const void *buf, size_t len)
{
	for (const struct nlmsghdr *h = buf; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		const struct inet_diag_msg *m = NLMSG_DATA(h);
		uint64_t id;

		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
			return false;
		id = cgroup_of(h);
		s->unseen += id && among(s->sockets, s->n_sockets, m->idiag_inode) &&
			     !among(s->groups, s->n_groups, id);
	}
	return true;
}

static int dump_listeners(struct subtree *s, int fd, uint8_t family)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} ask = {
		.h = {.nlmsg_len = sizeof(ask),
		      .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.r = {.sdiag_family = family,
		      .sdiag_protocol = IPPROTO_TCP,
		      .idiag_states = 1u << TCP_LISTEN},
	};
	union {
		struct nlmsghdr aligned;
		char bytes[16384];
	} buf;
	ssize_t n;

	if (send(fd, &ask, sizeof(ask), 0) < 0)
		return -errno;
	do {
		n = recv(fd, &buf, sizeof(buf), 0);
		if (n < 0)
			return -errno;
	} while (n > 0 && take_messages(s, &buf, (size_t)n));
	return 0;
}

int listeners_unseen(struct keeper *k, const char *path, uint64_t *ret)
{
	_cleanup_(freep) struct subtree *s = calloc(1, sizeof(*s));
	_cleanup_(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	_cleanup_(closep) int dir = group_open(&k->h, HIERARCHY_UNIFIED, path);
	int r, readable;

	if (!s)
		return -ENOMEM;
	if (fd < 0)
		return -errno;
	if (dir < 0)
		return dir;
	readable = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (readable < 0)
		return -errno;
	take_group(s, readable, 0);
	if (!s->n_sockets) {
		*ret = 0;
		return 0;
	}
	r = dump_listeners(s, fd, AF_INET);
	if (r == 0)
		r = dump_listeners(s, fd, AF_INET6);
	if (r == 0)
		*ret = s->unseen;
	return r;
}
