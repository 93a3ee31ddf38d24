// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_exec.c - exec: runs a command in a service's cgroup, made in every hierarchy. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/client.h"
#include "agent/cmd.h"
#include "policies/policy.h"
#include "shaping/knobs/group.h"

#define POLICIES_DIR   "/etc/foreshape/policies.d"
#define ATTACH_NS      (2 * NS_PER_S)
#define ATTACH_POLL_NS (20 * NS_PER_MS)

/* As shells have it. */
enum { EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127, EXIT_SIGNALLED = 128 };

static void print_errors(const struct policy_errors *errors)
{
	char text[1024];

	for (size_t i = 0; i < errors->n; i++) {
		if (!errors->list[i].warning)
			fprintf(stderr, "%s\n",
				policy_error_format(&errors->list[i], text, sizeof(text)));
	}
}

/* The cgroup path of @service; EXIT_USAGE after saying why there is none. */
static int find_path(const char *dir, const char *service, char path[GROUP_PATH_MAX])
{
	_cleanup_(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(policy_set_freep) struct policy_set *set = NULL;
	struct policy_errors errors = {};
	int r;

	if (fd < 0) {
		fprintf(stderr, "foreshape exec: policies of %s: %s\n", dir, strerror(errno));
		return EXIT_USAGE;
	}
	r = policy_load_dir(fd, dir, NULL, false, true, 0, 0, &set, &errors);
	if (r < 0)
		print_errors(&errors);
	policy_errors_free(&errors);
	if (r < 0)
		return EXIT_USAGE;
	for (size_t i = 0; i < set->n_services; i++) {
		const struct policy_service *s = &set->services[i];

		if (!streq(s->name, service))
			continue;
		if (s->cgroup[0] == '\0') {
			fprintf(stderr,
				"foreshape exec: %s is the unit %s: start it with 'systemctl start %s'\n",
				service, s->unit, s->unit);
			return EXIT_USAGE;
		}
		(void)copy_str(path, GROUP_PATH_MAX, s->cgroup);
		return 0;
	}
	fprintf(stderr, "foreshape exec: no policy for service '%s' in %s\n", service, dir);
	return EXIT_USAGE;
}

/* 1: its packets are counted; 0: not yet; -1: no agent, or one that has no such service. */
static int is_attached(const char *service)
{
	json_t *status = NULL, *one;
	int found = -1;
	size_t i;

	if (client_get("/v1/status", &status, NULL) < 0)
		return -1;
	json_array_foreach (json_object_get(status, "services"), i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));

		if (name && streq(name, service))
			found = json_is_true(json_object_get(one, "attached"));
	}
	json_decref(status);
	return found;
}

static void wait_until_attached(const char *service)
{
	const struct timespec pause = {.tv_nsec = ATTACH_POLL_NS};

	for (uint64_t ns = 0; ns < ATTACH_NS && is_attached(service) == 0; ns += ATTACH_POLL_NS)
		(void)nanosleep(&pause, NULL);
}

/* In the group already; the parent says when to go on. */
static void become_command(char **argv, const sigset_t *mask, int go_fd)
{
	char word;

	if (read(go_fd, &word, 1) != 1)
		_exit(EXIT_CANNOT_RUN);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	fprintf(stderr, "foreshape exec: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/* What a terminal sends reaches the command by itself; what a process sends is passed on. */
static int wait_for_command(pid_t pid, const sigset_t *mask)
{
	siginfo_t si;
	int status;

	for (;;) {
		int sig = sigwaitinfo(mask, &si);

		if (sig == SIGCHLD && waitpid(pid, &status, WNOHANG) == pid)
			break;
		if (sig > 0 && sig != SIGCHLD && si.si_code != SI_KERNEL)
			(void)kill(pid, sig);
	}
	return WIFSIGNALED(status) ? EXIT_SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}

static void block_signals(sigset_t *mask, sigset_t *old)
{
	static const int passed_on[] = {SIGTERM, SIGINT,  SIGHUP,   SIGQUIT,
					SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD};

	(void)sigemptyset(mask);
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		(void)sigaddset(mask, passed_on[i]);
	(void)sigprocmask(SIG_BLOCK, mask, old);
}

/*
 * The child moves before anything of the command runs, so that no socket is older than the move.
 * Returns its process, and in @ret_go_fd what to tell it to go on by: -1 when it could not move,
 * which it says itself before it ends. Returns -errno when there is none.
 */
static pid_t start_command(const struct hierarchies *h, const char *path, char **argv,
			   const sigset_t *mask, int *ret_go_fd)
{
	_cleanup_(closep) int ours = -1;
	_cleanup_(closep) int theirs = -1;
	struct err e = {};
	char word = 'm';
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		closep(&ours);
		if (group_enter(h, path, &e) < 0) {
			fprintf(stderr, "foreshape exec: %s\n", e.text);
			_exit(EXIT_CANNOT_RUN);
		}
		(void)send(theirs, &word, 1, MSG_NOSIGNAL);
		become_command(argv, mask, theirs);
	}
	closep(&theirs);
	theirs = -1;
	if (recv(ours, &word, 1, 0) == 1)
		*ret_go_fd = take_fd(ours);
	return pid;
}

static int run_command(const struct hierarchies *h, const char *service, const char *path,
		       char **argv)
{
	sigset_t mask, old;
	int go_fd = -1;
	pid_t pid;

	block_signals(&mask, &old);
	pid = start_command(h, path, argv, &old, &go_fd);
	if (pid < 0) {
		fprintf(stderr, "foreshape exec: start a process: %s\n", strerror(-pid));
		return EXIT_FAILED;
	}
	if (go_fd >= 0) {
		wait_until_attached(service);
		(void)send(go_fd, "g", 1, MSG_NOSIGNAL);
		close(go_fd);
	}
	return wait_for_command(pid, &mask);
}

static int run_in_group(const char *service, const char *path, char **argv)
{
	struct hierarchies h;
	struct err e = {};
	int status, r = hierarchies_find("/proc/self/mountinfo", &h);

	if (r < 0)
		(void)err_set(&e, r, "find the cgroup hierarchies");
	if (r == 0)
		r = group_allowed(path, "", &e);
	if (r == 0)
		r = group_make(&h, path, &e);
	if (r < 0) {
		fprintf(stderr, "foreshape exec: %s\n", e.text);
		return EXIT_FAILED;
	}
	status = run_command(&h, service, path, argv);
	(void)group_remove(&h, path);
	return status;
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	const char *dir = cmd_option(args, "policies");
	char path[GROUP_PATH_MAX];
	int r;

	if (args->n_words < 2) {
		fprintf(stderr, "foreshape %s: a service and a command are needed\n", cmd->name);
		return EXIT_USAGE;
	}
	r = find_path(dir ? dir : POLICIES_DIR, args->words[0], path);
	return r ? r : run_in_group(args->words[0], path, args->words + 1);
}

static const struct cmd_option options[] = {
	{"policies", "DIR", "policy files; " POLICIES_DIR " where not given"},
	{},
};

const struct cmd cmd_exec = {
	.name = "exec",
	.args = "SERVICE -- CMD...",
	.help = "run a command in a service's cgroup",
	.more = "The cgroup of the service's policy is made in every hierarchy of the host where it is "
		"missing. The command starts once a running agent counts its packets, at the latest "
		"after 2 s. Signals are passed on, and its exit status is returned (128 + N for signal "
		"N, 127 when it is not found, 126 when it cannot be run). Groups foreshape made are "
		"removed when they are empty.",
	.options = options,
	.run = run,
};
