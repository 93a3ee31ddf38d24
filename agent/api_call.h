/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api_call.h - inside the API: one call, the table of endpoints, and how each answers. */
#ifndef FORESHAPE_API_CALL_H
#define FORESHAPE_API_CALL_H

#include <jansson.h>
#include <microhttpd.h>

#include "agent/agent.h"
#include "agent/base/err.h"

struct api_call;

/* What an endpoint gave: a document, or a status and a line saying why not. */
struct api_answer {
	unsigned int status; /* 0: it answers later, by api_answer_later */
	json_t *json;        /* owned; NULL with status 200: a plain {"schema":1} */
	char *text;          /* owned; instead of json: Prometheus text */
	struct err e;        /* for every other status */
};

struct api_row {
	const char *method, *path;
	void (*answer)(struct agent *a, struct api_call *call, struct api_answer *ret);
};
extern const struct api_row api_rows[];
extern const size_t api_n_rows;

/* Query value @name, NULL where it is not given. */
const char *api_query(const struct api_call *call, const char *name);
/* The request's JSON object; NULL where there is none. */
const json_t *api_body(const struct api_call *call);
/* For an endpoint that left status 0: give its answer now (from the loop). Also fine before it
 * returns. */
void api_answer_later(struct api_call *call, struct api_answer *answer);

/* Makes @ret an error: @status and a line. */
void api_refuse(struct api_answer *ret, unsigned int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* GET /metrics. */
void api_metrics(struct agent *a, struct api_call *call, struct api_answer *ret);

#endif
