// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_worker.c - the worker's start: take what the keeper passed, give up privileges, run the loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/time.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/cmd.h"
#include "agent/log.h"
#include "agent/worker/worker.h"

#define HISTORY_PATH    "/var/lib/foreshape/history.db"
#define WORKER_FD_NAMES (WORKER_FD_ROWS + PROBE_MAPS) /* behind the maps: see rows_open */
/* Go back to the host when freed; else glibc learns to keep them. */
#define LARGE_BYTES       (256 * KIB)
#define HISTORY_MAX_BYTES (UINT64_C(4) << 30)

static bool passed(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int open_history(struct agent *a, const struct policy_retention *keep, struct err *e)
{
	const struct store_conf conf = {
		.path = a->conf.db_path,
		.boot_id = a->conf.boot_id,
		.second_ns = keep->second_ns,
		.minute_ns = keep->minute_ns,
		.hour_ns = keep->hour_ns,
		.max_bytes = HISTORY_MAX_BYTES,
	};

	return store_open(&conf, &a->store, e);
}

/* Checked where it is used: the file may be anything. */
static void load_models(struct agent *a)
{
	if (models_load(&a->models, a->controller, a->conf.db_path) == -EINVAL)
		log_warning("the saved models are of no use; learning anew");
}

static int open_packets(struct agent *a, struct err *e)
{
	int fds[PROBE_MAPS], r;

	if (!a->conf.packets) {
		(void)snprintf(a->packets_problem, sizeof(a->packets_problem),
			       "packets are not counted: %s",
			       a->conf.no_packets ? a->conf.no_packets : "no programs");
		return 0;
	}
	for (int i = 0; i < PROBE_MAPS; i++)
		fds[i] = WORKER_FD_ROWS + i;
	r = counters_open(fds, &a->counters, e);
	if (r < 0)
		return r;
	return a->conf.names ? rows_open(WORKER_FD_NAMES, &a->rows, e) : rows_new(&a->rows);
}

static int api_ready(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct agent *a = arg;

	(void)source;
	(void)fd;
	(void)events;
	api_run(a->api);
	return 0;
}

/* Connections without progress have to be looked at now and then. */
static int api_time(sd_event_source *source, uint64_t usec, void *arg)
{
	struct agent *a = arg;

	if (api_timeout_ms(a->api) >= 0)
		api_run(a->api);
	(void)sd_event_source_set_time(source, usec + 500 * US_PER_MS);
	return sd_event_source_set_enabled(source, SD_EVENT_ON);
}

static int start_api(struct agent *a, struct err *e)
{
	int r = api_new(WORKER_FD_SOCKET, a, &a->api, e);

	if (r < 0)
		return r;
	r = sd_event_add_io(a->loop, NULL, api_fd(a->api), EPOLLIN, api_ready, a);
	if (r >= 0)
		r = sd_event_add_time_relative(a->loop, NULL, CLOCK_MONOTONIC, 500 * US_PER_MS,
					       50 * US_PER_MS, api_time, a);
	return r < 0 ? err_set(e, r, "watch the control socket") : 0;
}

/* Without a keeper this process must be gone within 1 s; what is not written by then is lost. */
void worker_hurry(void)
{
	static const struct itimerval soon = {.it_value = {.tv_usec = 500000}};

	(void)setitimer(ITIMER_REAL, &soon, NULL); /* SIGALRM is not caught: it ends us */
}

static int signalled(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct agent *a = arg;

	(void)source;
	(void)info;
	if (getppid() != a->conf.keeper_pid) /* the death signal */
		worker_hurry();
	a->stopping = true;
	return sd_event_exit(a->loop, 0);
}

static int start_loop(struct agent *a, struct err *e)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP); /* the keeper's business; it tells */
	sigprocmask(SIG_BLOCK, &mask, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	r = sd_event_new(&a->loop);
	if (r >= 0)
		r = sd_event_add_signal(a->loop, NULL, SIGTERM, signalled, a);
	return r < 0 ? err_set(e, r, "start the event loop") : 0;
}

/* With no policy that can be used the agent still runs, observes, and says so. */
static int load_policies(struct agent *a, struct err *e)
{
	struct err why = {};
	int r = services_find_dir(a, &why), dir = a->policies_fd;

	if (r == 0)
		r = services_load(a, true, &why);
	if (r < 0) {
		log_warning("%s", why.text);
		(void)copy_str(a->policy_problem, sizeof(a->policy_problem), why.text);
		a->policies_fd = -1;
		r = services_load(a, true, e);
		a->policies_fd = dir; /* for the reload that brings a mended one */
	}
	if (r == 0 && !a->n_services) {
		log_warning("no policies in %s: only observing%s", a->conf.policies_dir,
			    a->enforce ? " until a reload finds some" : "");
		a->enforce = false;
	}
	return r;
}

static int setup(struct agent *a, struct err *e)
{
	static const struct policy_retention keep = {
		.second_ns = S_PER_H * NS_PER_S,
		.minute_ns = 30 * S_PER_DAY * NS_PER_S,
		.hour_ns = 5 * 365 * S_PER_DAY * NS_PER_S,
	};
	uid_t uid;
	gid_t gid;
	int r;

	a->orders_fd = WORKER_FD_ORDERS;
	a->policies_fd = passed(WORKER_FD_POLICIES) ? WORKER_FD_POLICIES : -1;
	if (privilege_user(&uid, &gid) < 0)
		return err_say(e, -ENOENT, "no user 'foreshape' or 'nobody' to run as");
	if (store_prepare(a->conf.db_path, uid, gid, e) < 0)
		log_warning("history: %s", e->text);
	if (hook_start(a, uid, gid, e) < 0)
		log_warning("alert hook: %s", e->text);
	r = privilege_drop(uid, gid, e);
	if (r < 0)
		return r;
	*e = (struct err){};
	events_load(a); /* what the worker's user may have written is not for root to parse */
	if ((r = start_loop(a, e)) < 0 || (r = collect_new(&a->collect, e)) < 0 ||
	    (r = collect_facts(a->collect, &a->facts, e)) < 0 || (r = open_packets(a, e)) < 0 ||
	    (r = load_policies(a, e)) < 0)
		return r;
	r = open_history(a, a->set ? &a->set->host.retention : &keep, e);
	if (r < 0)
		return r;
	load_models(a);
	events_apply(a);
	if ((r = orders_init(a, e)) < 0 || (r = jobs_new(a, &a->jobs, e)) < 0 ||
	    (r = start_api(a, e)) < 0)
		return r;
	return ticker_init(a, e);
}

static void announce(struct agent *a)
{
	actions_tell_mode(a);
	record_event(a, "start", NULL, "%s, %zu services, policies of %s",
		     a->enforce ? "enforce" : "observe", a->n_services, a->conf.policies_dir);
}

static void teardown(struct agent *a)
{
	if (a->store && a->controller)
		models_save_all(&a->models, a->controller, a->store, a->input.now_real_ns);
	if (a->store)
		record_event(a, "stop", NULL, a->stopping ? "asked to" : "the keeper is gone");
	tapes_end(a);
	calendars_stop(a);
	a->loop = sd_event_unref(a->loop); /* its sources go before their descriptors */
	jobs_free(a->jobs);
	api_free(a->api);
	store_close(a->store);
	services_free(a);
	controller_free(a->controller);
	policy_set_free(a->set);
	rows_free(a->rows);
	counters_free(a->counters);
	collect_free(a->collect);
	tape_free(&a->tape);
	free(a->pending);
	free(a);
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	struct agent *a = calloc(1, sizeof(*a));
	struct timespec now;
	const char *mode = cmd_option(args, "mode"), *db = cmd_option(args, "db");
	struct err e = {};
	uint64_t pid = 0;
	int r;

	(void)cmd;
	if (!a || !mode || !cmd_option(args, "policies") || !cmd_option(args, "boot-id") ||
	    parse_u64(cmd_option(args, "keeper-pid") ? cmd_option(args, "keeper-pid") : "", &pid) <
		    0) {
		free(a);
		log_error("_worker is started by 'foreshape run' alone");
		return EXIT_USAGE;
	}
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	clock_gettime(CLOCK_REALTIME, &now);
	a->started_real_ns = (int64_t)now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec;
	(void)mode_parse(mode, &a->mode); /* what is none is to observe */
	a->enforce = a->mode.enforce;
	a->conf = (struct worker_conf){
		.enforce = a->enforce,
		.policies_dir = cmd_option(args, "policies"),
		.db_path = db ? db : HISTORY_PATH,
		.boot_id = cmd_option(args, "boot-id"),
		.keeper_pid = (int)pid,
		.packets = passed(WORKER_FD_ROWS), /* before anything else takes the number */
		.names = passed(WORKER_FD_NAMES),
		.no_packets = cmd_option(args, "no-packets"),
	};
	r = setup(a, &e);
	if (r < 0) {
		log_error("worker: %s", e.text);
		teardown(a);
		return EXIT_FAILED;
	}
	announce(a);
	r = sd_event_loop(a->loop);
	teardown(a);
	return r == 0 ? EXIT_OK : EXIT_FAILED;
}

static const struct cmd_option options[] = {
	{"mode", "MODE", "observe or enforce, and until when: see mode.h"},
	{"runtime", "DIR", "where the keeper keeps its socket"},
	{"no-packets", "WHY", "the packet programs are not there"},
	{"db", "FILE", "the history"},
	{"policies", "DIR", "the policy files"},
	{"boot-id", "ID", "of this boot"},
	{"keeper-pid", "PID", "who started this"},
	{},
};

const struct cmd cmd_worker = {
	.name = "_worker",
	.args = "",
	.help = "the unprivileged half of the agent",
	.options = options,
	.hidden = true,
	.run = run,
};
