// SPDX-License-Identifier: GPL-2.0-or-later
/* client_cmd.c - ask the agent, show its answer. */
#include "agent/client_cmd.h"

#include "agent/base/cleanup.h"
#include "agent/client.h"
#include "agent/json.h"

int client_show(const struct cmd_args *args, const char *path, void (*show)(const json_t *answer))
{
	json_auto_t *answer = NULL;
	struct err e = {};
	int r;

	r = client_get(path, &answer, &e);
	if (r < 0)
		return client_failed(r, &e);
	if (args->json)
		return json_print(stdout, take_ptr(answer)) < 0 ? EXIT_FAILED : EXIT_OK;
	show(answer);
	return EXIT_OK;
}
