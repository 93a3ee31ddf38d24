// SPDX-License-Identifier: GPL-2.0-or-later
/* api_call.c - one request: found in the table, allowed or not, its body, its answer now or later.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api_private.h"
#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/json.h"

#define MAX_BODY_BYTES (64 * KIB)

void api_refuse(struct api_answer *ret, unsigned int status, const char *fmt, ...)
{
	va_list ap;

	ret->status = status;
	va_start(ap, fmt);
	(void)vsnprintf(ret->e.text, sizeof(ret->e.text), fmt, ap);
	va_end(ap);
}

const char *api_query(const struct api_call *call, const char *name)
{
	return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

const json_t *api_body(const struct api_call *call)
{
	return call->json;
}

static void call_free(struct api_call *call)
{
	json_decref(call->answer.json);
	free(call->answer.text);
	json_decref(call->json);
	free(call->body);
	free(call);
}

/* Body and length of the answer; the buffer becomes the response's. */
static struct MHD_Response *response_of(struct api_answer *answer)
{
	json_t *json = take_ptr(answer->json);
	char *text = take_ptr(answer->text);
	const char *type = text ? "text/plain; version=0.0.4; charset=utf-8" : "application/json";
	struct MHD_Response *response;

	if (answer->status != MHD_HTTP_OK) {
		json_decref(json);
		json = json_pack("{s:i, s:o}", "schema", 1, "error", json_text(answer->e.text));
	} else if (!json && !text) {
		json = json_pack("{s:i}", "schema", 1);
	}
	if (json)
		text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(12));
	json_decref(json);
	if (!text)
		return NULL;
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return NULL;
	}
	(void)MHD_add_response_header(response, "Content-Type", type);
	(void)MHD_add_response_header(response, "Connection", "close");
	return response;
}

static enum MHD_Result queue_answer(struct api_call *call)
{
	unsigned int status = call->answer.status;
	struct MHD_Response *response = response_of(&call->answer);
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	r = MHD_queue_response(call->connection, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result refuse_now(struct api_call *call, unsigned int status, const char *text)
{
	call->answered = true;
	api_refuse(&call->answer, status, "%s", text);
	return queue_answer(call);
}

/* Finds the endpoint. NULL: refused, with *status and *text. */
static const struct api_row *find_row(const char *method, const char *path, unsigned int *status,
				      const char **text)
{
	*status = MHD_HTTP_NOT_FOUND;
	*text = "no such endpoint";
	for (size_t i = 0; i < api_n_rows; i++) {
		if (!streq(api_rows[i].path, path))
			continue;
		if (streq(api_rows[i].method, method))
			return &api_rows[i];
		*status = MHD_HTTP_METHOD_NOT_ALLOWED;
		*text = "this endpoint does not take that method";
	}
	return NULL;
}

static bool may_ask(struct api *api, const struct api_call *call)
{
	const struct guest *g = guest_of(api, call->connection);

	return streq(call->row->method, "GET") || (g && g->is_root);
}

/* Says how much is coming, and that is little; or does not say. */
static bool is_bounded(struct MHD_Connection *connection)
{
	const char *length =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
	uint64_t n;

	return !length || (parse_u64(length, &n) == 0 && n <= MAX_BODY_BYTES);
}

/* The head of a request is here: find the endpoint, see who asks, before any of its body is read.
 */
static enum MHD_Result start_call(struct api *api, struct MHD_Connection *connection,
				  const char *path, const char *method, void **context)
{
	struct api_call *call = calloc(1, sizeof(*call));
	const char *text;
	unsigned int status;

	if (!call)
		return MHD_NO;
	*context = call;
	call->api = api;
	call->connection = connection;
	call->row = find_row(method, path, &status, &text);
	if (!call->row)
		return refuse_now(call, status, text);
	if (!may_ask(api, call))
		return refuse_now(call, MHD_HTTP_FORBIDDEN,
				  "only root may change the agent; run this as root");
	if (!is_bounded(connection))
		return refuse_now(call, MHD_HTTP_CONTENT_TOO_LARGE,
				  "the request is larger than 64 KiB");
	return MHD_YES;
}

/* What grows past the bound without having said so is cut off. */
static enum MHD_Result take_body(struct api_call *call, const char *bytes, size_t n)
{
	char *body;

	if (n > MAX_BODY_BYTES - call->body_bytes)
		return MHD_NO;
	body = realloc(call->body, call->body_bytes + n);
	if (!body)
		return MHD_NO;
	memcpy(body + call->body_bytes, bytes, n);
	call->body = body;
	call->body_bytes += n;
	return MHD_YES;
}

static bool parse_body(struct api_call *call, struct api_answer *ret)
{
	json_error_t at;

	if (call->body_bytes == 0)
		return true;
	call->json = json_loadb(call->body, call->body_bytes, JSON_REJECT_DUPLICATES, &at);
	if (json_is_object(call->json))
		return true;
	if (call->json)
		api_refuse(ret, MHD_HTTP_BAD_REQUEST, "the body is no JSON object");
	else
		api_refuse(ret, MHD_HTTP_BAD_REQUEST, "the body is no JSON: line %d: %s", at.line,
			   at.text);
	return false;
}

static void wait_for_answer(struct api_call *call)
{
	call->later = true;
	call->next = call->api->waiting;
	call->api->waiting = call;
	MHD_suspend_connection(call->connection);
}

void call_leave_waiting(struct api_call *call)
{
	for (struct api_call **p = &call->api->waiting; *p; p = &(*p)->next) {
		if (*p == call) {
			*p = call->next;
			break;
		}
	}
	call->later = false;
}

void api_answer_later(struct api_call *call, struct api_answer *answer)
{
	struct api *api = call->api;

	call->answer = *answer;
	call->answered = true;
	if (!api) {
		call_free(call);
		return;
	}
	if (call->in_answer)
		return;
	call_leave_waiting(call);
	MHD_resume_connection(call->connection);
	api->n_moved++;
	api_run(api); /* nothing else wakes the server: an answer has no descriptor */
}

/* The whole request is here. */
static enum MHD_Result finish_call(struct api_call *call)
{
	struct guest *g = guest_of(call->api, call->connection);
	struct api_answer answer = {.status = MHD_HTTP_OK};

	if (g)
		g->asked = true;
	if (parse_body(call, &answer)) {
		call->in_answer = true;
		call->row->answer(call->api->agent, call, &answer);
		call->in_answer = false;
		if (answer.status == 0 && !call->answered) {
			wait_for_answer(call);
			return MHD_YES;
		}
	}
	if (answer.status != 0)
		call->answer = answer;
	call->answered = true;
	return queue_answer(call);
}

enum MHD_Result call_request(void *cls, struct MHD_Connection *connection, const char *path,
			     const char *method, const char *version, const char *body,
			     size_t *body_bytes, void **context)
{
	struct api_call *call = *context;

	if (!call)
		return start_call(cls, connection, path, method, context);
	if (*body_bytes > 0) {
		size_t n = *body_bytes;

		*body_bytes = 0;
		return call->answered ? MHD_YES : take_body(call, body, n);
	}
	if (call->answered)
		return queue_answer(call);
	return finish_call(call);
}

/* A call that waits is freed with its answer. */
void call_completed(void *cls, struct MHD_Connection *connection, void **context,
		    enum MHD_RequestTerminationCode code)
{
	struct api_call *call = *context;

	*context = NULL;
	if (call && !call->later)
		call_free(call);
}
