// SPDX-License-Identifier: GPL-2.0-or-later
/* worker.c - the unprivileged process: started, started again, and given up on. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/keeper/private.h"
#include "agent/log.h"

#define DEATHS_WITHIN_NS (60 * NS_PER_S)
#define FIRST_RESPAWN_US (100 * US_PER_MS)
#define STOP_PATIENCE_US (2 * US_PER_S)
#define HIGH_FD          64 /* above all numbers a worker is given */
#define MAX_ARGS         16

/* The numbers in order.h, from descriptors that may be anywhere. */
static int place_fds(int *fds)
{
	for (int i = WORKER_FD_ORDERS; i < WORKER_FD_END; i++) {
		if (fds[i] < 0)
			continue;
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, HIGH_FD);
		if (fds[i] < 0)
			return -errno;
	}
	for (int i = WORKER_FD_ORDERS; i < WORKER_FD_END; i++) {
		if (fds[i] < 0)
			(void)close(i);
		else if (dup2(fds[i], i) < 0)
			return -errno;
	}
	(void)close_range(WORKER_FD_END, ~0U, 0);
	return 0;
}

static void become_worker(struct keeper *k, int orders_fd)
{
	const struct keeper_conf *conf = k->conf;
	char pid[24];
	const char *argv[MAX_ARGS] = {
		"foreshape",       "_worker",   "--mode",   k->mode,        "--runtime",
		conf->runtime_dir, "--boot-id", k->boot_id, "--keeper-pid", pid};
	int fds[WORKER_FD_END], n = 10;
	sigset_t none;

	for (int i = 0; i < WORKER_FD_END; i++)
		fds[i] = -1;
	(void)snprintf(pid, sizeof(pid), "%d", (int)getppid());
	argv[n++] = "--policies";
	argv[n++] = conf->policies_dir;
	if (conf->db_path) {
		argv[n++] = "--db";
		argv[n++] = conf->db_path;
	}
	if (k->packets_problem[0]) {
		argv[n++] = "--no-packets";
		argv[n++] = k->packets_problem;
	}
	fds[WORKER_FD_ORDERS] = orders_fd;
	fds[WORKER_FD_SOCKET] = k->socket_fd;
	fds[WORKER_FD_LOCK] = k->lock_fd;
	fds[WORKER_FD_POLICIES] = k->policies_fd;
	(void)packets_fds(k, fds + WORKER_FD_ROWS, WORKER_FD_END - WORKER_FD_ROWS);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (place_fds(fds) < 0)
		_exit(126);
	execv(conf->worker_path ? conf->worker_path : "/proc/self/exe", (char *const *)argv);
	_exit(127);
}

static int on_respawn(sd_event_source *source, uint64_t at_us, void *arg)
{
	struct keeper *k = arg;
	int r;

	(void)source;
	(void)at_us;
	r = worker_start(k);
	if (r < 0) {
		log_error("the worker cannot be started: %s", strerror(-r));
		keeper_give_up(k);
	}
	return 0;
}

/* How many of the last deaths are less than a minute old. */
static unsigned int recent_deaths(const struct keeper *k)
{
	uint64_t now = keeper_now_mono_ns();
	unsigned int n = 0;

	for (size_t i = 0; i < MIN(k->n_deaths, ARRAY_SIZE(k->deaths_mono_ns)); i++)
		n += now - k->deaths_mono_ns[i] <= DEATHS_WITHIN_NS;
	return n;
}

/* Five deaths within a minute: it will not come right by itself. */
static bool is_hopeless(struct keeper *k)
{
	size_t n = ARRAY_SIZE(k->deaths_mono_ns);

	k->deaths_mono_ns[k->n_deaths++ % n] = keeper_now_mono_ns();
	return recent_deaths(k) == n;
}

static int on_exit_of_worker(sd_event_source *source, const siginfo_t *si, void *arg)
{
	struct keeper *k = arg;
	uint64_t pause_us;

	(void)source;
	k->child_source = sd_event_source_disable_unref(k->child_source);
	k->kill_timer = sd_event_source_disable_unref(k->kill_timer);
	k->worker_pid = 0;
	orders_detach(k);
	if (k->stopping) {
		release_all_and_quit(k);
		return 0;
	}
	log_warning("the worker ended (%s %d); limits hold",
		    si->si_code == CLD_EXITED ? "status" : "signal", si->si_status);
	if (is_hopeless(k)) {
		log_error("the worker ended five times within a minute");
		keeper_give_up(k);
		return 0;
	}
	pause_us = FIRST_RESPAWN_US << (MAX(recent_deaths(k), 1) - 1); /* 0.1 to 0.8 s */
	k->respawn_timer = sd_event_source_disable_unref(k->respawn_timer);
	return sd_event_add_time_relative(k->loop, &k->respawn_timer, CLOCK_MONOTONIC, pause_us,
					  10 * US_PER_MS, on_respawn, k);
}

/* A tracer that reaps first can swallow the one wake-up of a pidfd (seen on Linux 6.18). */
void worker_sweep(struct keeper *k)
{
	siginfo_t si = {};

	if (k->worker_pid > 0 && waitid(P_PID, (id_t)k->worker_pid, &si, WEXITED | WNOHANG) == 0 &&
	    si.si_pid)
		(void)on_exit_of_worker(NULL, &si, k);
}

int worker_start(struct keeper *k)
{
	_cleanup_(closep) int ours = -1;
	_cleanup_(closep) int theirs = -1;
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become_worker(k, theirs);
	k->worker_pid = pid;
	r = sd_event_add_child(k->loop, &k->child_source, pid, WEXITED, on_exit_of_worker, k);
	if (r < 0) {
		(void)kill(pid, SIGKILL);
		return r;
	}
	return orders_attach(k, take_fd(ours));
}

static int on_patience_over(sd_event_source *source, uint64_t at_us, void *arg)
{
	struct keeper *k = arg;

	(void)source;
	(void)at_us;
	if (k->worker_pid > 0)
		(void)kill(k->worker_pid, SIGKILL);
	return 0;
}

void worker_stop(struct keeper *k)
{
	struct answer notice = orders_blank(0, NOTICE_STOP, ORDER_NO_TARGET, KNOB_CPU_MAX);

	k->respawn_timer = sd_event_source_disable_unref(k->respawn_timer);
	if (k->worker_pid <= 0) {
		release_all_and_quit(k);
		return;
	}
	orders_answer(k, &notice);
	(void)sd_event_add_time_relative(k->loop, &k->kill_timer, CLOCK_MONOTONIC, STOP_PATIENCE_US,
					 10 * US_PER_MS, on_patience_over, k);
}
