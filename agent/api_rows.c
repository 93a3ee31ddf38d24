// SPDX-License-Identifier: GPL-2.0-or-later
/* api_rows.c - the endpoints: what may be read, and what may be asked for. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "agent/api_call.h"
#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/json.h"

static void give(struct api_answer *ret, json_t *json)
{
	if (json)
		ret->json = json;
	else
		api_refuse(ret, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
}

/* An action's result as an answer. */
static void give_result(struct api_answer *ret, int r, const struct err *e)
{
	unsigned int status = r == -ENOENT                   ? MHD_HTTP_NOT_FOUND
			      : r == -EPERM || r == -EACCES  ? MHD_HTTP_FORBIDDEN
			      : r == -EINVAL || r == -ERANGE ? MHD_HTTP_BAD_REQUEST
							     : MHD_HTTP_INTERNAL_SERVER_ERROR;

	if (r < 0)
		api_refuse(ret, status, "%s", *e->text ? e->text : "refused");
}

/* Index of the service the query names, or -1 and @ret refused. */
static int find_service(struct agent *a, const struct api_call *call, struct api_answer *ret)
{
	const char *name = api_query(call, "service");
	int i;

	if (!name) {
		api_refuse(ret, MHD_HTTP_BAD_REQUEST, "service= is missing");
		return -1;
	}
	i = agent_find(a, name);
	if (i < 0)
		api_refuse(ret, MHD_HTTP_NOT_FOUND, "no service named '%s'", name);
	return i;
}

static void get_status(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	give(ret, json_status(a));
}

static void get_apis(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	const char *service = api_query(call, "service");

	if (service && find_service(a, call, ret) < 0)
		return;
	give(ret, json_apis(a, service));
}

static void get_explain(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	int i = find_service(a, call, ret);

	if (i >= 0)
		give(ret, json_explain(a, (size_t)i));
}

static void get_attached(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	int i = find_service(a, call, ret);

	if (i >= 0)
		give(ret, json_attached(a, (size_t)i));
}

static void get_events(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	give(ret, json_events(a));
}

/* The API route= names, -1 for none: the service. False: refused. */
static bool find_api(struct agent *a, const struct api_call *call, size_t i, int *api,
		     struct api_answer *ret)
{
	const char *route = api_query(call, "route");

	*api = -1;
	if (!route)
		return true;
	*api = json_find_route(a, i, route);
	if (*api == -EEXIST)
		api_refuse(ret, MHD_HTTP_BAD_REQUEST,
			   "several APIs have route '%s'; name the method too", route);
	else if (*api < 0)
		api_refuse(ret, MHD_HTTP_NOT_FOUND, "no API '%s' in service '%s'", route,
			   api_query(call, "service"));
	return *api >= 0;
}

static void get_forecast(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	const char *horizon = api_query(call, "horizon");
	int i = find_service(a, call, ret), api;
	const uint64_t *horizons_ns;
	uint64_t horizon_ns;
	size_t n;

	if (i < 0 || !find_api(a, call, (size_t)i, &api, ret))
		return;
	if (!horizon) {
		n = agent_view_horizons(a, &horizons_ns);
		give(ret, json_forecast(a, (size_t)i, api, horizons_ns, n));
		return;
	}
	if (parse_duration_ns(horizon, &horizon_ns) < 0 || horizon_ns == 0)
		api_refuse(ret, MHD_HTTP_BAD_REQUEST,
			   "horizon '%s' is no duration such as 30s or 1h", horizon);
	else
		give(ret, json_forecast(a, (size_t)i, api, &horizon_ns, 1));
}

/*
 * Reads key @name of the body, at most @most, into @ret; *found says whether it is there. False:
 * @answer refused.
 */
static bool take_ns(const struct api_call *call, const char *name, uint64_t most, uint64_t *ret,
		    bool *found, struct api_answer *answer)
{
	const json_t *v = json_object_get(api_body(call), name);

	*found = v && !json_is_null(v);
	if (!*found)
		return true;
	if (!json_is_integer(v) || json_integer_value(v) < 0) {
		api_refuse(answer, MHD_HTTP_BAD_REQUEST, "%s is no whole number of nanoseconds",
			   name);
		return false;
	}
	if ((uint64_t)json_integer_value(v) > most) {
		api_refuse(answer, MHD_HTTP_BAD_REQUEST, "%s is more than %" PRIu64 " days", name,
			   most / NS_PER_S / S_PER_DAY);
		return false;
	}
	*ret = (uint64_t)json_integer_value(v);
	return true;
}

/* Reads text @name of the body; null or absent is NULL. False: @answer refused. */
static bool take_text(const struct api_call *call, const char *name, const char **ret,
		      struct api_answer *answer)
{
	const json_t *v = json_object_get(api_body(call), name);

	*ret = NULL;
	if (!v || json_is_null(v))
		return true;
	if (!json_is_string(v)) {
		api_refuse(answer, MHD_HTTP_BAD_REQUEST, "%s is no string", name);
		return false;
	}
	*ret = json_string_value(v);
	return true;
}

/* As take_text for the name of a service there is; @all: null stands for all of them. */
static bool take_service(struct agent *a, const struct api_call *call, bool all, const char **ret,
			 struct api_answer *answer)
{
	if (!take_text(call, "service", ret, answer))
		return false;
	if (!*ret && all)
		return true;
	if (!*ret)
		api_refuse(answer, MHD_HTTP_BAD_REQUEST, "service is missing");
	else if (agent_find(a, *ret) < 0)
		api_refuse(answer, MHD_HTTP_NOT_FOUND, "no service named '%s'", *ret);
	else
		return true;
	return false;
}

static void post_reload(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	struct err e = {};

	give_result(ret, agent_reload(a, &e), &e);
}

static void give_mode(struct agent *a, struct api_answer *ret)
{
	struct view_agent v;

	agent_view(a, &v);
	give(ret,
	     json_pack("{s:i, s:s, s:o}", "schema", 1, "mode", v.enforce ? "enforce" : "observe",
		       "mode_until_real_ns",
		       v.mode_until_real_ns ? json_integer(v.mode_until_real_ns) : json_null()));
}

static void post_mode(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	const json_t *enforce = json_object_get(api_body(call), "enforce");
	uint64_t for_ns = 0;
	struct err e = {};
	bool found;
	int r;

	if (!json_is_boolean(enforce))
		api_refuse(ret, MHD_HTTP_BAD_REQUEST, "enforce is neither true nor false");
	if (!json_is_boolean(enforce) ||
	    !take_ns(call, "for_ns", AGENT_MAX_FOR_NS, &for_ns, &found, ret))
		return;
	r = agent_mode(a, json_is_true(enforce), for_ns, &e);
	give_result(ret, r, &e);
	if (r >= 0)
		give_mode(a, ret);
}

static void post_freeze(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	uint64_t for_ns = 0;
	struct err e = {};
	bool found;

	if (!take_ns(call, "for_ns", AGENT_MAX_FOR_NS, &for_ns, &found, ret))
		return;
	if (!found)
		api_refuse(ret, MHD_HTTP_BAD_REQUEST, "for_ns is missing; 0 thaws");
	else
		give_result(ret, agent_freeze(a, for_ns, &e), &e);
}

static void post_adopt(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	const char *service;
	struct err e = {};

	if (take_service(a, call, false, &service, ret))
		give_result(ret, agent_adopt(a, service, &e), &e);
}

static void post_yield(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	const char *service;
	struct err e = {};

	if (take_service(a, call, true, &service, ret))
		give_result(ret, agent_yield(a, service, &e), &e);
}

static void restored(void *arg, unsigned int n_restored, unsigned int n_refused)
{
	struct api_answer answer = {.status = MHD_HTTP_OK};

	give(&answer, json_pack("{s:i, s:I, s:I}", "schema", 1, "restored", (json_int_t)n_restored,
				"refused", (json_int_t)n_refused));
	api_answer_later(arg, &answer);
}

static void post_restore(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	const char *service;
	struct err e = {};
	int r;

	if (!take_service(a, call, true, &service, ret))
		return;
	r = agent_restore(a, service, restored, call, &e);
	if (r < 0)
		give_result(ret, r, &e);
	else
		ret->status = 0;
}

static void post_event(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	const json_t *starts = json_object_get(api_body(call), "starts_real_ns");
	const json_t *multiplier = json_object_get(api_body(call), "multiplier");
	const char *service, *name;
	uint64_t lasts_ns = 0;
	struct err e = {};
	int64_t id = 0;
	bool found;
	int r;

	if (!take_service(a, call, false, &service, ret) || !take_text(call, "name", &name, ret) ||
	    !take_ns(call, "lasts_ns", AGENT_MAX_LASTS_NS, &lasts_ns, &found, ret))
		return;
	if (!name || !*name || !json_is_integer(starts) || lasts_ns == 0) {
		api_refuse(ret, MHD_HTTP_BAD_REQUEST,
			   "an event needs name, starts_real_ns and lasts_ns");
		return;
	}
	if (multiplier && !json_is_null(multiplier) &&
	    !(json_is_number(multiplier) && json_number_value(multiplier) > 0)) {
		api_refuse(ret, MHD_HTTP_BAD_REQUEST, "multiplier is no number above 0");
		return;
	}
	r = agent_event_add(a, service, name, json_integer_value(starts), lasts_ns,
			    json_is_number(multiplier) ? json_number_value(multiplier) : NAN, &id,
			    &e);
	give_result(ret, r, &e);
	if (r >= 0)
		give(ret, json_pack("{s:i, s:I}", "schema", 1, "id", (json_int_t)id));
}

static void delete_event(struct agent *a, struct api_call *call, struct api_answer *ret)
{
	const char *id = api_query(call, "id");
	struct err e = {};
	uint64_t n;

	if (!id || parse_u64(id, &n) < 0 || n > INT64_MAX)
		api_refuse(ret, MHD_HTTP_BAD_REQUEST, "id= is no number");
	else
		give_result(ret, agent_event_remove(a, (int64_t)n, &e), &e);
}

/* clang-format off */
const struct api_row api_rows[] = {
	{ "GET",    "/v1/status",   get_status },
	{ "GET",    "/v1/apis",     get_apis },
	{ "GET",    "/v1/explain",  get_explain },
	{ "GET",    "/v1/forecast", get_forecast },
	{ "GET",    "/v1/attached", get_attached },
	{ "GET",    "/v1/events",   get_events },
	{ "POST",   "/v1/events",   post_event },
	{ "DELETE", "/v1/events",   delete_event },
	{ "POST",   "/v1/reload",   post_reload },
	{ "POST",   "/v1/mode",     post_mode },
	{ "POST",   "/v1/freeze",   post_freeze },
	{ "POST",   "/v1/adopt",    post_adopt },
	{ "POST",   "/v1/yield",    post_yield },
	{ "POST",   "/v1/restore",  post_restore },
	{ "GET",    "/metrics",     api_metrics },
};
/* clang-format on */
const size_t api_n_rows = ARRAY_SIZE(api_rows);
