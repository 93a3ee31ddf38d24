/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client_cmd.h - what commands that ask the agent and show its answer share. */
#ifndef FORESHAPE_CLIENT_CMD_H
#define FORESHAPE_CLIENT_CMD_H

#include <jansson.h>

#include "agent/cmd.h"

/*
 * Gets @path and shows the answer: as it is with --json, else by @show. Returns the exit code.
 */
int client_show(const struct cmd_args *args, const char *path, void (*show)(const json_t *answer));

#endif
