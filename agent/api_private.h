/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api_private.h - what the server's connections (api.c) and calls (api_call.c) share. */
#ifndef FORESHAPE_API_PRIVATE_H
#define FORESHAPE_API_PRIVATE_H

#include "agent/api.h"
#include "agent/api_call.h"

#define MAX_CONNECTIONS 32

/* One accepted connection; each carries one request. */
struct guest {
	struct MHD_Connection *connection; /* NULL: a free place */
	int fd;
	bool is_root;
	bool asked; /* its whole request is here */
	int64_t since_ms;
};

struct api {
	struct MHD_Daemon *daemon;
	struct agent *agent;
	struct guest guests[MAX_CONNECTIONS];
	struct api_call *waiting; /* answered later */
	uint64_t n_moved;         /* connections that have ended or gone on */
	bool running;             /* inside api_run */
};

struct api_call {
	struct api *api; /* NULL: the server is gone, the answer is dropped */
	struct MHD_Connection *connection;
	const struct api_row *row;
	char *body;
	size_t body_bytes;
	json_t *json;
	bool later; /* in api->waiting */
	bool answered;
	bool in_answer; /* inside row->answer: not suspended yet */
	struct api_answer answer;
	struct api_call *next;
};

/* The place of @connection; NULL finds a free one. NULL: there is none. */
struct guest *guest_of(struct api *api, const struct MHD_Connection *connection);

/* For libmicrohttpd: a request arrives piece by piece, and is over. */
enum MHD_Result call_request(void *cls, struct MHD_Connection *connection, const char *path,
			     const char *method, const char *version, const char *body,
			     size_t *body_bytes, void **context);
void call_completed(void *cls, struct MHD_Connection *connection, void **context,
		    enum MHD_RequestTerminationCode code);

/* Takes @call out of those answered later. */
void call_leave_waiting(struct api_call *call);

#endif
