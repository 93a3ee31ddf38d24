// SPDX-License-Identifier: GPL-2.0-or-later
/* keeper_host.c - the keeper with a worker of the test's choice: `keeper_host run`, `restore`. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/util.h"
#include "agent/cmd.h"
#include "agent/keeper/keeper.h"

extern const struct cmd cmd_restore;

int main(int argc, char **argv)
{
	struct keeper_conf conf = {
		.runtime_dir = cmd_runtime_dir(),
		.policies_dir = cmd_runtime_dir(),
		.enforce = true,
		.worker_path = getenv("KEEPER_TEST_WORKER"),
	};
	struct cmd_args args = {};

	if (argc < 2)
		return EXIT_USAGE;
	if (streq(argv[1], "run"))
		return keeper_main(&conf);
	if (argc > 2 && streq(argv[2], "--wait"))
		args.options[args.n_options++].name = "wait";
	else if (argc > 2 && streq(argv[2], "--json"))
		args.json = true;
	if (argc > 3) {
		args.words = argv + 3;
		args.n_words = 1;
	}
	return cmd_restore.run(&cmd_restore, &args);
}
