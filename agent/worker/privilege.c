// SPDX-License-Identifier: GPL-2.0-or-later
/* privilege.c - what the worker gives up before it serves anyone. */
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/worker/worker.h"

int privilege_user(uid_t *uid, gid_t *gid)
{
	static const char *const names[] = {"foreshape", "nobody"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct passwd *p = getpwnam(names[i]);

		if (!p)
			continue;
		*uid = p->pw_uid;
		*gid = p->pw_gid;
		return 0;
	}
	return -ENOENT;
}

/* Nothing the worker does needs these; a parser that is broken into must not have them. */
static int filter(void)
{
	static const int refused[] = {
		SCMP_SYS(execve),
		SCMP_SYS(execveat),
		SCMP_SYS(ptrace),
		SCMP_SYS(mount),
		SCMP_SYS(umount2),
		SCMP_SYS(pivot_root),
		SCMP_SYS(init_module),
		SCMP_SYS(finit_module),
		SCMP_SYS(delete_module),
		SCMP_SYS(kexec_load),
		SCMP_SYS(keyctl),
		SCMP_SYS(add_key),
		SCMP_SYS(perf_event_open),
		SCMP_SYS(process_vm_readv),
		SCMP_SYS(process_vm_writev),
		SCMP_SYS(setns),
		SCMP_SYS(unshare),
		SCMP_SYS(userfaultfd),
		SCMP_SYS(io_uring_setup),
		SCMP_SYS(bind),
		SCMP_SYS(connect),
	};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(refused); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

int privilege_become(uid_t uid, gid_t gid, struct err *e)
{
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return err_set(e, -errno, "become uid %u", uid);
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return err_set(e, -EPERM, "drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, -errno, "set no_new_privs");
	/* setresuid clears the death signal */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0)
		return err_set(e, -errno, "set the death signal");
	return 0;
}

int privilege_drop(uid_t uid, gid_t gid, struct err *e)
{
	int r = privilege_become(uid, gid, e);

	if (r < 0)
		return r;
	r = filter();
	return r < 0 ? err_set(e, r, "install the system call filter") : 0;
}
