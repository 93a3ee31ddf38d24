// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_hosts.c - sets of policies, each of all services of a host, a recording is replayed
 * through. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/base/cleanup.h"
#include "agent/cmd/replay_job.h"
#include "policies/files.h"

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* All policies of directory @dir. */
static int add_directory(struct policy_files *files, const char *dir, bool has_host,
			 struct policy_errors *errors)
{
	_cleanup_(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e = {};

	if (fd < 0) {
		err_set(&e, -errno, "open %s", dir);
		return cmd_failed(e.text);
	}
	return policy_files_add_dir(files, fd, dir, has_host, false, errors);
}

/* Every file that is named. */
static int add_files(struct policy_files *files, const struct cmd_args *args,
		     struct policy_errors *errors)
{
	const char *name;
	int r = 0;

	for (size_t i = 0; r == 0 && (name = replay_policies_named(args, i)); i++)
		r = policy_files_add(files, AT_FDCWD, name, name, false, false, errors);
	return r;
}

/* Before it is known when the recordings begin only names are of interest. */
static int load(const struct cmd_args *args, const struct replay_job *job, struct replay_try *t)
{
	_cleanup_(policy_files_free) struct policy_files files = {};
	const char *host = cmd_option(args, "host");
	bool names_only = job->n_records == 0;
	int r = 0;

	if (host)
		r = policy_files_add(&files, AT_FDCWD, host, host, true, false, &t->errors);
	if (r == 0)
		r = t->of_files ? add_files(&files, args, &t->errors)
				: add_directory(&files, t->name, host, &t->errors);
	if (r > 0)
		return r;
	for (size_t i = 0; i < files.n; i++) {
		files.list[i].calendars_later = names_only;
		files.list[i].now_real_ns = job->start_real_ns;
	}
	if (r == 0 && t->errors.n_errors == 0)
		r = policy_load(files.list, files.n, job->facts.capacity_mcpu,
				job->facts.memory_bytes, &t->set, &t->errors);
	if (r == -ENOMEM)
		return cmd_failed("policies: out of memory");
	if (r < 0 || t->errors.n_errors > 0 || !names_only)
		replay_policies_say(&t->errors);
	if (r < 0 || t->errors.n_errors > 0)
		return EXIT_USAGE;
	t->services = calloc(t->set->n_services + 1, sizeof(*t->services));
	if (!t->services)
		return cmd_failed("policies: out of memory");
	if (t->set->n_services > 0)
		return EXIT_OK;
	(void)fprintf(stderr, "foreshape replay: %s has the policy of no service\n", t->name);
	return EXIT_USAGE;
}

/* A try for each directory, or one for all the files. */
static int name_tries(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *job)
{
	size_t directories = 0, n = 0;

	for (const char *name; (name = replay_policies_named(args, n)); n++)
		directories += is_directory(name);
	if (n == 0)
		return cmd_usage(cmd, "takes --policy FILE or a directory of them");
	if (directories > 0 && directories < n)
		return cmd_usage(cmd, "takes directories of policies, or files of one host");
	if (directories > REPLAY_MAX_POLICIES)
		return cmd_usage(cmd, "takes up to %d policies", REPLAY_MAX_POLICIES);
	job->n_tries = directories ? directories : 1;
	for (size_t i = 0; i < job->n_tries; i++)
		job->tries[i] = (struct replay_try){
			.name = n > 1 && directories == 0 ? "all files"
							  : replay_policies_named(args, i),
			.of_files = directories == 0,
		};
	return EXIT_OK;
}

int replay_hosts_load(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *job)
{
	int r = job->n_tries == 0 ? name_tries(cmd, args, job) : EXIT_OK;

	for (size_t i = 0; r == EXIT_OK && i < job->n_tries; i++) {
		struct replay_try *t = &job->tries[i];

		policy_set_free(t->set);
		policy_errors_free(&t->errors);
		free(t->services);
		*t = (struct replay_try){.name = t->name, .of_files = t->of_files};
		r = load(args, job, t);
	}
	return r;
}
