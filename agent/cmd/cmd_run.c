// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_run.c - run: the agent. The process started is the keeper. */
#include <stdio.h>
#include <unistd.h>

#include "agent/cmd.h"
#include "agent/keeper/keeper.h"

#define POLICIES_DIR "/etc/foreshape/policies.d"

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	const char *policies = cmd_option(args, "policies");
	struct keeper_conf conf = {
		.runtime_dir = cmd_runtime_dir(),
		.policies_dir = policies ? policies : POLICIES_DIR,
		.db_path = cmd_option(args, "db"),
		.enforce = cmd_option(args, "enforce"),
	};

	if (args->n_words > 0 || (conf.enforce && cmd_option(args, "observe"))) {
		fprintf(stderr, "foreshape %s: %s\n", cmd->name,
			args->n_words ? "takes no arguments" : "observe or enforce, not both");
		return EXIT_USAGE;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "foreshape %s: must be started as root\n", cmd->name);
		return EXIT_FAILED;
	}
	return keeper_main(&conf);
}

static const struct cmd_option options[] = {
	{"observe", NULL, "plan and record, write nothing (the default)"},
	{"enforce", NULL, "plan and write, once a policy is valid"},
	{"policies", "DIR", "policy files; " POLICIES_DIR " where not given"},
	{"db", "FILE", "history; /var/lib/foreshape/history.db where not given"},
	{},
};

const struct cmd cmd_run = {
	.name = "run",
	.args = "",
	.help = "run the agent in the foreground",
	.more = "SIGTERM and SIGINT end it and give every limit back exactly. SIGHUP reloads the policies. "
		"SIGUSR2 ends it and leaves the limits where they are, for a restart or an upgrade: a new "
		"agent started within 10 s goes on from there; otherwise limits are loosened. A second "
		"agent on the same host exits with 75 and names the first.",
	.options = options,
	.run = run,
};
