/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api.h - HTTP and JSON on the control socket, run from the worker's loop. */
#ifndef FORESHAPE_API_H
#define FORESHAPE_API_H

#include "agent/agent.h"
#include "agent/base/err.h"

struct api;

/*
 * Serves the listening Unix socket @listen_fd (kept open by the caller) for @a. GET is for anyone
 * the socket's mode lets in, POST and DELETE for uid 0 alone (SO_PEERCRED). Bounds: 64 KiB a
 * request, 32 connections, 2 s without progress. Returns 0 and *ret (api_free), -errno.
 */
int api_new(int listen_fd, struct agent *a, struct api **ret, struct err *e);
void api_free(struct api *api);

/* For the loop: wait for this descriptor to be readable, or the time to pass, then api_run. */
int api_fd(const struct api *api);
/* Milliseconds until api_run wants to be called without the descriptor; -1: never. */
int api_timeout_ms(const struct api *api);
void api_run(struct api *api);

#endif
