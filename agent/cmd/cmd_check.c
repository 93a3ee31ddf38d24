// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_check.c - foreshape check: validates policies with the code the agent reads them with. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/client.h"
#include "agent/cmd.h"
#include "agent/json.h"
#include "policies/files.h"
#include "policies/policy.h"

/* clang-format off */
static const struct cmd_option options[] = {
	{ "cpus", "N", "check the floors for a host of N CPUs (200m, 4); 0: not at all; default this host's" },
	{ "memory", "SIZE", "check the floors for a host of this memory (16GiB); 0B: not at all; default this host's" },
	{ "key", "KEY", "tell what a key means (cpu.floor, host.reserve.cpu) instead of checking" },
	{ "keys", NULL, "list all keys instead of checking" },
	{ "man", NULL, "print foreshape-policy(5) instead of checking" },
	{ NULL, NULL, NULL },
};
/* clang-format on */

/* What the floors must fit into. */
struct capacity {
	uint64_t mcpu, bytes;
};

static int read_capacity(const struct cmd_args *args, struct capacity *ret)
{
	const char *cpus = cmd_option(args, "cpus"), *memory = cmd_option(args, "memory");
	long online = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);
	long page = sysconf(_SC_PAGESIZE);

	ret->mcpu = online > 0 ? (uint64_t)online * MCPU : 0;
	ret->bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
	if (cpus && parse_cpu_mcpu(cpus, &ret->mcpu) < 0)
		return -EINVAL;
	if (memory && parse_bytes(memory, &ret->bytes) < 0)
		return -EINVAL;
	return 0;
}

static bool is_host_file(const char *path)
{
	const char *slash = strrchr(path, '/');

	return streq(slash ? slash + 1 : path, "host.yaml");
}

/* Adds the file or the directory's files. Returns 0 or -ENOMEM. */
static int add_word(struct policy_files *files, const char *path, struct policy_errors *errors)
{
	_cleanup_(closep) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0)
		return policy_files_add_dir(files, dir, path, false, false, errors);
	return policy_files_add(files, AT_FDCWD, path, path, is_host_file(path), false, errors);
}

static json_t *finding(const struct policy_error *e)
{
	return json_pack("{s:o, s:i, s:i, s:s, s:o, s:o}", "file", json_text(e->file), "line",
			 (int)e->line, "column", (int)e->column, "severity",
			 e->warning ? "warning" : "error", "text", json_text(e->text), "source",
			 json_text(e->source));
}

static int print_json(size_t n_files, size_t n_services, const struct policy_errors *errors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errors->n; i++)
		(void)json_array_append_new(list, finding(&errors->list[i]));
	return json_print(stdout, json_pack("{s:i, s:b, s:I, s:I, s:I, s:o}", "schema", 1, "ok",
					    errors->n_errors == 0, "files", (json_int_t)n_files,
					    "services", (json_int_t)n_services, "skipped",
					    (json_int_t)errors->skipped, "findings", list));
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_text(size_t n_files, size_t n_services, const struct policy_errors *errors)
{
	size_t n_warnings = errors->n + errors->skipped - errors->n_errors;
	char buf[2048];

	for (size_t i = 0; i < errors->n; i++)
		printf("%s\n", policy_error_format(&errors->list[i], buf, sizeof(buf)));
	if (errors->skipped)
		printf("%zu more not shown\n", errors->skipped);
	if (errors->n_errors)
		printf("%zu file%s: %zu error%s, %zu warning%s\n", n_files, plural(n_files),
		       errors->n_errors, plural(errors->n_errors), n_warnings, plural(n_warnings));
	else
		printf("ok: %zu file%s, %zu service%s, %zu warning%s\n", n_files, plural(n_files),
		       n_services, plural(n_services), n_warnings, plural(n_warnings));
}

static int check(const struct cmd_args *args, const struct capacity *room)
{
	_cleanup_(policy_files_free) struct policy_files files = {};
	_cleanup_(policy_set_freep) struct policy_set *set = NULL;
	_cleanup_(policy_errors_free) struct policy_errors errors = {};
	size_t n_services;
	int r = 0;

	for (size_t i = 0; i < args->n_words && r == 0; i++)
		r = add_word(&files, args->words[i], &errors);
	if (r == 0)
		r = policy_load(files.list, files.n, room->mcpu, room->bytes, &set, &errors);
	if (r == -ENOMEM) {
		fprintf(stderr, "foreshape check: %s\n", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	n_services = set ? set->n_services : 0;
	if (args->json)
		r = print_json(files.n, n_services, &errors);
	else
		print_text(files.n, n_services, &errors), r = 0;
	if (r < 0)
		return EXIT_FAILED;
	return errors.n_errors ? EXIT_USAGE : EXIT_OK;
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	const char *key = cmd_option(args, "key");
	struct capacity room;

	if (cmd_option(args, "man")) {
		policy_schema_print_man(stdout);
		return EXIT_OK;
	}
	if (cmd_option(args, "keys")) {
		policy_schema_print_keys(stdout);
		return EXIT_OK;
	}
	if (key)
		return policy_explain_key(stdout, key) == 0
			       ? EXIT_OK
			       : cmd_usage(cmd, "no key '%s': --keys lists them", key);
	if (args->n_words == 0)
		return cmd_usage(cmd, "takes policy files or directories");
	if (read_capacity(args, &room) < 0)
		return cmd_usage(cmd, "--cpus takes a number of CPUs, --memory a size like 16GiB");
	return check(args, &room);
}

const struct cmd cmd_check = {
	.name = "check",
	.args = "FILE...|DIR...",
	.help = "validate policy files",
	.more = "Reads the files, or every *.yaml of a directory, with the code the agent reads them with, "
		"and prints each error and warning with its line. A file named host.yaml is read as the host's. "
		"Files given together are checked together: names, matches, and whether the floors fit this "
		"host. Whose the files are is only warned about; the agent refuses files that others could "
		"write.\n\nThe language is in foreshape-policy(5); --key explains one key.",
	.options = options,
	.json = true,
	.run = run,
};
