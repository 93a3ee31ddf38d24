// SPDX-License-Identifier: GPL-2.0-or-later
/* keeper.c - the privileged process of `foreshape run`: what it holds, and how it starts and ends.
 */
#include "agent/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "agent/cmd.h"
#include "agent/keeper/private.h"
#include "agent/log.h"

#define SWEEP_US (1 * US_PER_S)

uint64_t keeper_now_mono_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void keeper_stop(struct keeper *k)
{
	if (k->stopping)
		return;
	k->stopping = true;
	(void)sd_notify(0, "STOPPING=1");
	worker_stop(k);
}

/* Gone for good: what a dead agent leaves must not be tighter than what it found. */
void keeper_give_up(struct keeper *k)
{
	struct undo_run run = {.h = &k->h, .journal = k->journal, .undo = undo_loosen};

	squeeze_cancel_all(k);
	undo_run(&run);
	run.refused += links_remove(k->journal, NULL, NULL);
	undo_groups(&k->h, k->journal, NULL);
	log_error("gave up: %u limits loosened, %u refused", run.restored, run.refused);
	k->exit_code = EXIT_FAILED;
	(void)sd_event_exit(k->loop, 0);
}

/*
 * TERM and INT undo everything and end. USR2 ends and leaves every limit where it is, for a restart
 * or an upgrade: whoever takes the lock within 10 s goes on. HUP reloads.
 */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *arg)
{
	struct keeper *k = arg;
	struct answer notice = orders_blank(0, NOTICE_RELOAD, ORDER_NO_TARGET, KNOB_CPU_MAX);

	(void)source;
	switch (si->ssi_signo) {
	case SIGHUP:
		orders_answer(k, &notice);
		return 0;
	case SIGUSR2:
		k->handing_over = true;
		return sd_event_exit(k->loop, 0);
	default:
		keeper_stop(k);
		return 0;
	}
}

static int on_sweep(sd_event_source *source, uint64_t at_us, void *arg)
{
	struct keeper *k = arg;

	target_sweep(k, k->n_sweeps++);
	links_sweep(k);
	worker_sweep(k);
	(void)at_us;
	(void)sd_event_source_set_time_relative(source, SWEEP_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int init_loop(struct keeper *k)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};
	sigset_t mask;
	int r;

	(void)sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaddset(&mask, signals[i]);
	(void)sigaddset(&mask, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	r = sd_event_new(&k->loop);
	for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
		r = sd_event_add_signal(k->loop, NULL, signals[i], on_signal, k);
	if (r >= 0)
		r = sd_event_add_time_relative(k->loop, NULL, CLOCK_MONOTONIC, SWEEP_US, 0,
					       on_sweep, k);
	return r < 0 ? r : 0;
}

/* A stopped agent must not take its host's limits with it: last to be killed, no core, no tracing.
 */
static void protect_self(void)
{
	FILE *f = fopen("/proc/self/oom_score_adj", "we");

	if (f) {
		(void)fputs("-900", f);
		(void)fclose(f);
	}
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)umask(0022); /* groups are read by the worker, which is nobody */
}

static int take_over_host(struct keeper *k, struct err *e)
{
	int r = journal_boot_id(k->boot_id);

	if (r == 0)
		r = hierarchies_find("/proc/self/mountinfo", &k->h);
	if (r < 0)
		return err_set(e, r, "find the cgroup hierarchies");
	group_read_own(k->own_groups, sizeof(k->own_groups));
	r = journal_open(k->runtime_fd, k->boot_id, &k->journal, e);
	if (r < 0)
		return r;
	undo_squeezes(&k->h, k->journal);
	return 0;
}

static int start(struct keeper *k, struct err *e)
{
	int r = take_over_host(k, e);

	if (r < 0)
		return r;
	k->socket_fd = lock_bind_socket(k->runtime_fd, k->conf->runtime_dir, e);
	if (k->socket_fd < 0)
		return k->socket_fd;
	k->policies_fd = open(k->conf->policies_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = waiter_start(k, e);
	if (r < 0)
		return r;
	r = init_loop(k);
	if (r == 0)
		r = watch_init(k);
	if (r < 0)
		return err_set(e, r, "start the loop");
	(void)packets_load(k); /* without them the rest still works; the worker is told */
	r = lock_write_ready(k->lock_fd);
	if (r < 0)
		return err_set(e, r, "write the lock");
	r = worker_start(k);
	return r < 0 ? err_set(e, r, "start the worker") : 0;
}

static struct keeper *new_keeper(const struct keeper_conf *conf)
{
	struct keeper *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->conf = conf;
	k->enforce = conf->enforce;
	(void)copy_str(k->mode, sizeof(k->mode), conf->enforce ? "enforce" : "observe");
	k->runtime_fd = k->lock_fd = k->socket_fd = k->policies_fd = -1;
	k->waiter_pipe = k->orders_fd = k->watch_fd = -1;
	for (size_t i = 0; i < ORDER_MAX_TARGETS; i++)
		memset(k->targets[i].dir, 0xff, sizeof(k->targets[i].dir)); /* -1 */
	k->queue = calloc(KEEPER_MAX_QUEUED, sizeof(*k->queue));
	if (!k->queue) {
		free(k);
		return NULL;
	}
	return k;
}

/* What must not be left; with @orderly the journal has nothing more to say to anyone. */
static void end(struct keeper *k, bool orderly)
{
	if (k->worker_pid > 0)
		(void)kill(k->worker_pid, SIGKILL);
	squeeze_cancel_all(k);
	if (k->handing_over || !orderly)
		return; /* the waiter stays */
	waiter_dismiss(k);
	if (k->socket_fd >= 0)
		(void)unlinkat(k->runtime_fd, "control.sock", 0);
	if (k->journal && k->journal->n == 0)
		(void)unlinkat(k->runtime_fd, "journal", 0);
}

static void free_keeper(struct keeper *k)
{
	int *const fds[] = {&k->runtime_fd,  &k->lock_fd,   &k->socket_fd, &k->policies_fd,
			    &k->waiter_pipe, &k->orders_fd, &k->watch_fd};

	for (size_t i = 0; i < ORDER_MAX_TARGETS; i++) {
		if (k->targets[i].used)
			target_forget(k, &k->targets[i]);
	}
	packets_unload(k);
	htb_close(k->htb);
	journal_close(k->journal);
	sd_event_source_disable_unref(k->orders_source);
	sd_event_source_disable_unref(k->child_source);
	sd_event_source_disable_unref(k->respawn_timer);
	sd_event_source_disable_unref(k->kill_timer);
	sd_event_unref(k->loop);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		closep(fds[i]);
	free(k->watches);
	free(k->queue);
	free(k);
}

static int take_lock(struct keeper *k, struct err *e)
{
	int holder_pid, r;

	k->runtime_fd = lock_open_runtime(k->conf->runtime_dir, e);
	if (k->runtime_fd < 0)
		return k->runtime_fd;
	k->lock_fd = lock_take(k->runtime_fd, &holder_pid, e);
	if (k->lock_fd < 0)
		return k->lock_fd;
	r = lock_write_pid(k->lock_fd);
	return r < 0 ? err_set(e, r, "write the lock") : 0;
}

static int run(struct keeper *k)
{
	struct err e = {};
	int r = take_lock(k, &e);

	if (r < 0) {
		log_error("%s", e.text);
		return r == -EBUSY ? EXIT_LOCKED : EXIT_FAILED;
	}
	r = start(k, &e);
	if (r == 0) {
		(void)sd_notify(0, "READY=1");
		r = sd_event_loop(k->loop);
		if (r < 0)
			(void)err_set(&e, r, "run the loop");
	}
	if (r < 0) {
		log_error("%s", e.text);
		k->exit_code = EXIT_FAILED;
	}
	end(k, r >= 0);
	return k->exit_code;
}

int keeper_main(const struct keeper_conf *conf)
{
	struct keeper *k = new_keeper(conf);
	int code;

	if (!k)
		return EXIT_FAILED;
	protect_self();
	code = run(k);
	free_keeper(k);
	return code;
}
