// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_policies.c - the policies a recording is replayed through. */
#include <errno.h>
#include <fcntl.h>

#include "agent/base/cleanup.h"
#include "agent/cmd/replay_job.h"

void replay_policies_say(const struct policy_errors *errors)
{
	char text[1024];

	for (size_t i = 0; i < errors->n; i++)
		(void)fprintf(stderr, "%s\n",
			      policy_error_format(&errors->list[i], text, sizeof(text)));
}

static int load(const char *host_name, const struct replay_job *job, struct replay_try *t)
{
	const char *names[] = {t->name, host_name};
	_cleanup_(closep) int policy = open(names[0], O_RDONLY | O_CLOEXEC);
	_cleanup_(closep) int host = names[1] ? open(names[1], O_RDONLY | O_CLOEXEC) : -1;
	const struct policy_input in[] = {{.name = names[0],
					   .fd = policy,
					   .dir_fd = AT_FDCWD,
					   .at = names[0],
					   .now_real_ns = job->start_real_ns},
					  {.name = names[1], .fd = host, .is_host = true}};
	struct err e = {};
	int r;

	if (policy < 0 || (names[1] && host < 0)) {
		err_set(&e, -errno, "open %s", names[policy < 0 ? 0 : 1]);
		return cmd_failed(e.text);
	}
	r = policy_load(in, names[1] ? 2 : 1, job->facts.capacity_mcpu, job->facts.memory_bytes,
			&t->set, &t->errors);
	replay_policies_say(&t->errors);
	if (r < 0)
		return r == -EINVAL ? EXIT_USAGE : cmd_failed("policies: out of memory");
	if (t->set->n_services == 1)
		t->services = calloc(1, sizeof(*t->services));
	if (t->set->n_services == 1)
		return t->services ? EXIT_OK : cmd_failed("policies: out of memory");
	(void)fprintf(stderr, "foreshape replay: %s is the policy of no service\n", names[0]);
	return EXIT_USAGE;
}

const char *replay_policies_named(const struct cmd_args *args, size_t i)
{
	size_t n = 0;

	for (const char *name; (name = cmd_option_nth(args, "policy", n)); n++)
		if (n == i)
			return name;
	return i - n < args->n_words ? args->words[i - n] : NULL;
}

/* Only a look: what is wrong is said when it is loaded. */
void replay_policies_service(const struct cmd_args *args, const struct replay_job *job, char *buf,
			     size_t size)
{
	const char *file = replay_policies_named(args, 0);
	_cleanup_(closep) int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
	const struct policy_input in = {.name = file, .fd = fd, .calendars_later = true};
	_cleanup_(policy_errors_free) struct policy_errors errors = {};
	struct policy_set *set = NULL;

	*buf = '\0';
	if (fd < 0 || policy_load(&in, 1, job->facts.capacity_mcpu, job->facts.memory_bytes, &set,
				  &errors) < 0)
		return;
	if (set->n_services == 1)
		(void)copy_str(buf, size, set->services[0].name);
	policy_set_free(set);
}

static int said(int r, const struct policy_errors *errors)
{
	replay_policies_say(errors);
	if (r == -ENOMEM)
		return cmd_failed("policies: out of memory");
	return r < 0 ? EXIT_USAGE : EXIT_OK;
}

static int load_dir(int fd, const char *dir, const char *host, const struct replay_job *job,
		    struct policy_set **ret)
{
	_cleanup_(policy_errors_free) struct policy_errors errors = {};
	int r = policy_load_dir(fd, dir, host, false, true, job->facts.capacity_mcpu,
				job->facts.memory_bytes, ret, &errors);

	return said(r, &errors);
}

/* As many files as there are policies, and the host's. */
static int load_files(const struct cmd_args *args, const struct replay_job *job,
		      struct policy_set **ret)
{
	_cleanup_(policy_errors_free) struct policy_errors errors = {};
	struct policy_input in[REPLAY_MAX_POLICIES + 1] = {};
	const char *host = cmd_option(args, "host"), *name;
	struct err e = {};
	size_t n = 0;
	int r = 0;

	for (; r == 0 && n < ARRAY_SIZE(in) &&
	       (name = n == 0 && host ? host : replay_policies_named(args, n - !!host));
	     n++) {
		in[n] = (struct policy_input){.name = name,
					      .fd = open(name, O_RDONLY | O_CLOEXEC),
					      .is_host = host && n == 0,
					      .calendars_later = true};
		if (in[n].fd < 0)
			r = err_set(&e, -errno, "open %s", name);
	}
	if (r == 0)
		r = said(policy_load(in, n, job->facts.capacity_mcpu, job->facts.memory_bytes, ret,
				     &errors),
			 &errors);
	else
		r = cmd_failed(e.text);
	while (n-- > 0)
		closep(&in[n].fd);
	return r;
}

int replay_policies_all(const struct cmd *cmd, const struct cmd_args *args,
			const struct replay_job *job, struct policy_set **ret)
{
	const char *first = replay_policies_named(args, 0);
	_cleanup_(closep) int dir = first ? open(first, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (!first)
		return cmd_usage(cmd, "takes --policy FILE or a directory of them");
	if (replay_policies_named(args, REPLAY_MAX_POLICIES))
		return cmd_usage(cmd, "takes up to %d policies, or a directory",
				 REPLAY_MAX_POLICIES);
	return dir >= 0 ? load_dir(dir, first, cmd_option(args, "host"), job, ret)
			: load_files(args, job, ret);
}

int replay_policies_load(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *job)
{
	int r = EXIT_OK;

	for (const char *name;
	     r == EXIT_OK && (name = replay_policies_named(args, job->n_tries));) {
		struct replay_try *t = &job->tries[job->n_tries];

		if (job->n_tries == REPLAY_MAX_POLICIES)
			return cmd_usage(cmd, "takes up to %d policies", REPLAY_MAX_POLICIES);
		t->name = name;
		job->n_tries++;
		r = load(cmd_option(args, "host"), job, t);
	}
	return r;
}
