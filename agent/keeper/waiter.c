// SPDX-License-Identifier: GPL-2.0-or-later
/* waiter.c - the process that does nothing but outlive the keeper, and undo in its place. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "agent/keeper/private.h"
#include "agent/log.h"

#define GRACE_NS (10 * NS_PER_S)
#define PIPE_FD  3

static void become_waiter(const char *runtime_dir, int pipe_fd)
{
	char *const argv[] = {(char *)"foreshape", (char *)"restore", (char *)"--wait", NULL};
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid();
	if (dup2(pipe_fd, PIPE_FD) < 0)
		_exit(1);
	if (pipe_fd == PIPE_FD)
		(void)fcntl(PIPE_FD, F_SETFD, 0);
	(void)close_range(PIPE_FD + 1, ~0U, 0);
	(void)setenv("FORESHAPE_RUN", runtime_dir, 1);
	execv("/proc/self/exe", argv);
	_exit(1);
}

int waiter_start(struct keeper *k, struct err *e)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, -errno, "start the waiting restore");
	pid = fork();
	if (pid == 0)
		become_waiter(k->conf->runtime_dir, ends[0]);
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return err_set(e, -errno, "start the waiting restore");
	}
	k->waiter_pipe = ends[1];
	k->waiter_pid = pid;
	return 0;
}

void waiter_dismiss(struct keeper *k)
{
	if (k->waiter_pipe < 0)
		return;
	(void)!write(k->waiter_pipe, "q", 1);
	close(k->waiter_pipe);
	k->waiter_pipe = -1;
}

/* A keeper that came later has its own waiter from here on, whatever becomes of it. */
static bool is_relieved(int runtime_fd, int old_pid)
{
	bool ready;

	return lock_read_pid(runtime_fd, &ready) != old_pid && ready;
}

static int loosen(int runtime_fd)
{
	_cleanup_(journal_closep) struct journal *journal = NULL;
	struct undo_run run = {.undo = undo_loosen};
	struct hierarchies h;
	char boot_id[JOURNAL_BOOT_ID_MAX];
	struct err e = {};
	int r = journal_boot_id(boot_id);

	if (r == 0)
		r = hierarchies_find("/proc/self/mountinfo", &h);
	if (r == 0)
		r = journal_open(runtime_fd, boot_id, &journal, &e);
	if (r < 0)
		return r;
	run.h = &h;
	run.journal = journal;
	undo_squeezes(&h, journal);
	undo_run(&run);
	run.refused += links_remove(journal, NULL, NULL);
	undo_groups(&h, journal, NULL);
	log_warning("the agent is gone: %u limits loosened, %u refused", run.restored, run.refused);
	return run.refused ? -EIO : 0;
}

int keeper_loosen(const char *runtime_dir, struct err *e)
{
	_cleanup_(closep) int runtime_fd = lock_open_runtime(runtime_dir, e);
	_cleanup_(closep) int lock_fd = -1;
	int holder_pid, r;

	if (runtime_fd < 0)
		return runtime_fd;
	lock_fd = lock_take(runtime_fd, &holder_pid, e);
	if (lock_fd < 0)
		return lock_fd;
	r = loosen(runtime_fd);
	return r < 0 ? err_set(e, r, "loosen the limits of the agent that is gone") : 0;
}

/* -EBUSY while a keeper that may yet be ready holds the lock: the journal is its own. */
static int loosen_unless_relieved(int runtime_fd, int old_pid)
{
	int holder_pid = 0;
	_cleanup_(closep) int lock_fd = lock_take(runtime_fd, &holder_pid, NULL);

	if (lock_fd < 0 && holder_pid > 0 && lock_pid_is_alive(holder_pid))
		return -EBUSY;
	if (is_relieved(runtime_fd, old_pid))
		return 0;
	/* A worker that hangs may still hold it; without its keeper it can change nothing. */
	return loosen(runtime_fd);
}

int keeper_wait_and_loosen(const char *runtime_dir, int pipe_fd)
{
	const struct timespec pause = {.tv_nsec = 200 * NS_PER_MS};
	_cleanup_(closep) int runtime_fd = -1;
	uint64_t until_mono_ns;
	int old_pid = getppid();
	char word;
	ssize_t n;

	runtime_fd = lock_open_runtime(runtime_dir, NULL);
	if (runtime_fd < 0)
		return runtime_fd;
	(void)prctl(PR_SET_NAME, "foreshape-wait");
	do
		n = read(pipe_fd, &word, 1);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return 0;
	until_mono_ns = keeper_now_mono_ns() + GRACE_NS;
	while (!is_relieved(runtime_fd, old_pid)) {
		int r = keeper_now_mono_ns() < until_mono_ns
				? -EBUSY
				: loosen_unless_relieved(runtime_fd, old_pid);

		if (r != -EBUSY)
			return r;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}
