// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hook.c - runs the administrator's alert command. The worker may start no program, so a child that
 * was made before it lost that right does: as the worker's user, with no words but these, one at a
 * time, and nothing that root has not put there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/worker/worker.h"

#define RUN_MS  10000 /* then it is killed */
#define LOOK_MS 20

struct hook_call {
	char path[POLICY_PATH_MAX];
	bool over;
	char service[POLICY_NAME_MAX], resource[16], text[200];
};

/* Root's alone, like policies. */
static bool is_trusted(const char *path)
{
	struct stat st;

	return *path == '/' && stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH)) && st.st_mode & S_IXOTH;
}

static void end_call(pid_t pid, const char *path)
{
	int status = 0;

	for (int ms = 0; ms < RUN_MS; ms += LOOK_MS) {
		if (waitpid(pid, &status, WNOHANG) != 0) {
			if (!WIFEXITED(status) || WEXITSTATUS(status))
				log_warning("alert_hook %s failed", path);
			return;
		}
		(void)poll(NULL, 0, LOOK_MS);
	}
	log_warning("alert_hook %s took more than %d s: killed", path, RUN_MS / 1000);
	(void)kill(-pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
}

static void call(struct hook_call *h)
{
	char *words[] = {h->path, h->over ? "over" : "alert", h->service, h->resource, h->text,
			 NULL};
	char *env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	posix_spawnattr_t attr;
	pid_t pid;
	int r;

	if (!is_trusted(h->path)) {
		log_warning("alert_hook %s is not run: it has to be a program of root's that no "
			    "one else may write and all may run",
			    h->path);
		return;
	}
	if (posix_spawnattr_init(&attr) != 0)
		return;
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP); /* of its own */
	r = posix_spawn(&pid, h->path, NULL, &attr, words, env);
	(void)posix_spawnattr_destroy(&attr);
	if (r != 0)
		log_warning("run alert_hook %s: %s", h->path, strerror(r));
	else
		end_call(pid, h->path);
}

static void serve(int fd, uid_t uid, gid_t gid)
{
	struct hook_call h;
	struct err e = {};

	(void)prctl(PR_SET_NAME, "foreshape-hook");
	if (privilege_become(uid, gid, &e) < 0 || chdir("/") < 0) {
		log_warning("alert_hook: %s", e.text);
		return;
	}
	while (recv(fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h)) {
		h.path[sizeof(h.path) - 1] = h.service[sizeof(h.service) - 1] = '\0';
		h.resource[sizeof(h.resource) - 1] = h.text[sizeof(h.text) - 1] = '\0';
		call(&h);
	}
}

int hook_start(struct agent *a, uid_t uid, gid_t gid, struct err *e)
{
	int fds[2];
	pid_t pid;

	a->hook_fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(e, -errno, "make a socket for the alert hook");
	pid = fork();
	if (pid < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return err_set(e, -errno, "start the alert hook's process");
	}
	if (pid == 0) {
		(void)dup2(fds[1], STDERR_FILENO + 1);
		(void)close_range(STDERR_FILENO + 2, UINT_MAX, 0);
		(void)fcntl(STDERR_FILENO + 1, F_SETFD, FD_CLOEXEC);
		serve(STDERR_FILENO + 1, uid, gid);
		_exit(0);
	}
	(void)close(fds[1]);
	a->hook_fd = fds[0];
	return 0;
}

void hook_call(struct agent *a, bool over, const char *service, const char *resource,
	       const char *text)
{
	struct hook_call h = {.over = over};

	if (a->hook_fd < 0 || !*a->set->host.alert_hook)
		return;
	(void)copy_str(h.path, sizeof(h.path), a->set->host.alert_hook);
	(void)copy_str(h.service, sizeof(h.service), service);
	(void)copy_str(h.resource, sizeof(h.resource), resource);
	(void)copy_str(h.text, sizeof(h.text), text);
	/* One that takes its time keeps some waiting; more are left out, and in history all the
	 * same. */
	if (send(a->hook_fd, &h, sizeof(h), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_warning("alert_hook is not called: %s", strerror(errno));
}
