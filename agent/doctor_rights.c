// SPDX-License-Identifier: GPL-2.0-or-later
/* doctor_rights.c - root, each capability the keeper needs, watching cgroup files, traffic classes.
 */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pkt_sched.h>
#include <netlink/route/qdisc.h>
#include <netlink/socket.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/doctor.h"

#define LOOPBACK_INDEX 1
#define FILES_NEEDED   1024
#define CHILD_UNSHARE  101 /* exit codes of the child that tries; below: an errno */
#define CHILD_NETLINK  102

static void check_root(const struct doctor *d, struct doctor_finding *ret)
{
	if (geteuid() == 0)
		doctor_say(ret, DOCTOR_OK, "root");
	else
		doctor_say(ret, DOCTOR_BROKEN, "user %u: other checks may fail for that alone",
			   geteuid());
}

static void check_capability(unsigned int capability, const char *name, enum doctor_state without,
			     struct doctor_finding *ret)
{
	capng_get_caps_process();
	if (capng_have_capability(CAPNG_EFFECTIVE, capability))
		doctor_say(ret, DOCTOR_OK, "held");
	else
		doctor_say(ret, without, "%s is not held", name);
}

#define CAPABILITY(fn, capability, without)                                                        \
	static void fn(const struct doctor *d, struct doctor_finding *ret)                         \
	{                                                                                          \
		check_capability(capability, #capability, without, ret);                           \
	}
CAPABILITY(check_cap_bpf, CAP_BPF, DOCTOR_BROKEN)
CAPABILITY(check_cap_net_admin, CAP_NET_ADMIN, DOCTOR_BROKEN)
CAPABILITY(check_cap_perfmon, CAP_PERFMON, DOCTOR_WARNING)
CAPABILITY(check_cap_sys_admin, CAP_SYS_ADMIN, DOCTOR_WARNING)
CAPABILITY(check_cap_dac, CAP_DAC_OVERRIDE, DOCTOR_WARNING)
CAPABILITY(check_cap_setuid, CAP_SETUID, DOCTOR_BROKEN)
CAPABILITY(check_cap_setgid, CAP_SETGID, DOCTOR_BROKEN)
CAPABILITY(check_cap_resource, CAP_SYS_RESOURCE, DOCTOR_WARNING)

static void check_files(const struct doctor *d, struct doctor_finding *ret)
{
	struct rlimit limit = {};

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	doctor_say(ret, limit.rlim_max < FILES_NEEDED ? DOCTOR_WARNING : DOCTOR_OK,
		   "%llu open files, at most %llu", (unsigned long long)limit.rlim_cur,
		   (unsigned long long)limit.rlim_max);
}

/* Watches a control file as the keeper does, and lets go. */
static void check_fanotify(const struct doctor *d, struct doctor_finding *ret)
{
	_cleanup_(closep) int fd =
		fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY);
	char path[HIERARCHY_MOUNT_MAX + 20];
	const char *mount = NULL;

	for (int i = 0; d->has_cgroups && i < HIERARCHY_COUNT && !mount; i++)
		if (*d->cgroups.mount[i])
			mount = d->cgroups.mount[i];
	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", mount ? mount : "");
	if (fd < 0)
		doctor_say(ret, DOCTOR_WARNING, "fanotify: %s", strerror(errno));
	else if (fanotify_mark(fd, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, path) < 0)
		doctor_say(ret, DOCTOR_WARNING, "watch %s: %s", path, strerror(errno));
	else
		doctor_say(ret, DOCTOR_OK, "writers of control files are seen, with their process");
}

/* In a network namespace of its own: an HTB root on its loopback device. Exit code as above. */
static int try_htb(void)
{
	struct rtnl_qdisc *qdisc = rtnl_qdisc_alloc();
	struct nl_sock *sock = nl_socket_alloc();
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return CHILD_UNSHARE;
	if (!qdisc || !sock || nl_connect(sock, NETLINK_ROUTE) < 0)
		return CHILD_NETLINK;
	rtnl_tc_set_ifindex(TC_CAST(qdisc), LOOPBACK_INDEX);
	rtnl_tc_set_parent(TC_CAST(qdisc), TC_H_ROOT);
	rtnl_tc_set_handle(TC_CAST(qdisc), TC_HANDLE(1, 0));
	r = rtnl_tc_set_kind(TC_CAST(qdisc), "htb");
	if (r == 0)
		r = rtnl_qdisc_add(sock, qdisc, NLM_F_CREATE | NLM_F_EXCL);
	return r == 0 ? 0 : CHILD_NETLINK;
}

/* Trying would load the module: where it only lies on the disk, that is answer enough. */
static bool htb_is_unloaded_module(void)
{
	char path[300], line[600];
	_cleanup_(fclosep) FILE *f = NULL;
	struct utsname u;

	if (access("/sys/module/sch_htb", F_OK) == 0 || uname(&u) < 0)
		return false;
	(void)snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", u.release);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "/sch_htb.ko"))
			return true;
	return false;
}

static void check_htb(const struct doctor *d, struct doctor_finding *ret)
{
	int status = 0;
	pid_t child;

	if (htb_is_unloaded_module()) {
		doctor_say(ret, DOCTOR_OK, "a module, loaded when first used");
		return;
	}
	child = fork();
	if (child == 0)
		_exit(try_htb());
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		doctor_say(ret, DOCTOR_WARNING, "could not try: %s", strerror(errno));
	else if (WEXITSTATUS(status) == CHILD_UNSHARE)
		doctor_say(ret, DOCTOR_WARNING,
			   "could not try: no right to make a network namespace");
	else if (WEXITSTATUS(status) != 0)
		doctor_say(ret, DOCTOR_WARNING, "the kernel makes no HTB qdisc");
	else
		doctor_say(ret, DOCTOR_OK, "an HTB root can be made");
}

/* clang-format off */
const struct doctor_check doctor_rights[] = {
	{ "root", check_root, "the keeper writes limits and attaches programs as root",
	  "sudo foreshape doctor" },
	{ "cap-bpf", check_cap_bpf, "loads the packet programs", "start it with CAP_BPF" },
	{ "cap-net-admin", check_cap_net_admin, "attaches the packet programs and makes traffic classes", "start it with CAP_NET_ADMIN" },
	{ "cap-perfmon", check_cap_perfmon, "lets the programs read packets without slow checks", "start it with CAP_PERFMON" },
	{ "cap-sys-admin", check_cap_sys_admin, "sees who wrote a limit (fanotify)", "start it with CAP_SYS_ADMIN" },
	{ "cap-dac-override", check_cap_dac, "writes limits of groups that users own", "start it with CAP_DAC_OVERRIDE" },
	{ "cap-setuid", check_cap_setuid, "the worker gives up root", "start it with CAP_SETUID" },
	{ "cap-setgid", check_cap_setgid, "the worker gives up root", "start it with CAP_SETGID" },
	{ "cap-sys-resource", check_cap_resource, "raises its own limits and keeps itself from being killed first", "start it with CAP_SYS_RESOURCE" },
	{ "open-files", check_files, "each service keeps a dozen control files open",
	  "ulimit -Hn 65536" },
	{ "fanotify", check_fanotify, "a limit somebody else writes is then noticed late and without their name",
	  "start it with CAP_SYS_ADMIN; else the kernel needs CONFIG_FANOTIFY" },
	{ "htb", check_htb, "bandwidth is then not shaped",
	  "modprobe sch_htb" },
	{},
};
/* clang-format on */
