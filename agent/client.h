/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.h - one question to the running agent: HTTP and JSON over control.sock. */
#ifndef FORESHAPE_CLIENT_H
#define FORESHAPE_CLIENT_H

#include <jansson.h>
#include <stddef.h>

#include "agent/base/err.h"

/*
 * Ask the agent of cmd_runtime_dir(), waiting at most 5 s. @path starts with "/v1/" and is given as
 * it goes on the wire (client_escape for words in a query); @body is borrowed, NULL is "{}". Return
 * 0 and *ret (json_decref; NULL is allowed: not wanted), or -ENOTCONN   no agent answers; @e says
 * how to start one -EACCES     the socket is not for this user -ETIMEDOUT, -EPROTO   something
 * answers, but not in time or not as an agent does -EPERM, -ENOENT, -EINVAL, -EIO   the agent
 * refused (403, 404, 400, the rest); @e has its words
 */
int client_get(const char *path, json_t **ret, struct err *e);
int client_post(const char *path, json_t *body, json_t **ret, struct err *e);
int client_delete(const char *path, json_t **ret, struct err *e);

/* client_post for what takes longer, such as a restore. */
int client_post_wait(const char *path, json_t *body, int timeout_ms, json_t **ret, struct err *e);

/* Writes @word into @buf of @size bytes as a query value ("a b" is "a%20b"), cut; returns @buf. */
char *client_escape(char *buf, size_t size, const char *word);

/*
 * What a command returns after a client call failed with @r: prints @e to stderr once and gives
 * EXIT_NO_AGENT for -ENOTCONN, EXIT_USAGE for -EINVAL, EXIT_FAILED for the rest.
 */
int client_failed(int r, const struct err *e);

#endif
