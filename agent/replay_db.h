/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay_db.h - what the history holds of a service, as a recording to replay. */
#ifndef FORESHAPE_REPLAY_DB_H
#define FORESHAPE_REPLAY_DB_H

#include <sqlite3.h>

#include "agent/replay.h"

#define REPLAY_ROUTE_MAX                                                                           \
	(sizeof(((struct policy_api *)0)->method) + sizeof(((struct policy_api *)0)->route))

struct replay_db_conf {
	const char *service;
	int64_t from_real_ns, to_real_ns; /* the range; INT64_MIN, INT64_MAX: all there is */
	uint64_t step_s; /* of the rollup: 1, 60, 3600; 0: the finest that has it */
};

/* An API in a step, by the name the history has for it. */
struct replay_db_api {
	uint32_t route; /* index */
	struct tick_api counts;
};

struct replay_db_row {
	struct replay_step step; /* without APIs */
	size_t first_api, n_apis;
};

/* How the service's own objective was kept when it was recorded; NAN: it had none. */
struct replay_db_slo {
	double objective, attained, worst; /* mean and least of what was attained */
};

struct replay_db {
	uint64_t step_ns;
	struct replay_db_row *rows;
	size_t n, room, n_missing; /* missing: without CPU use */
	struct replay_db_api *apis;
	size_t n_apis, apis_room;
	char (*routes)[REPLAY_ROUTE_MAX];
	size_t n_routes, routes_room;
	struct replay_db_slo slo;
};

/*
 * Reads the samples of a service. Seconds without one are steps with nothing measured, many of them
 * one. Returns 0 and *ret (replay_db_free), -ENOENT where there is none, -ENOMEM, or as
 * store_sql_errno.
 */
int replay_db_read(sqlite3 *db, const struct replay_db_conf *conf, struct replay_db *ret,
		   struct err *e);
void replay_db_free(struct replay_db *db);

/*
 * Makes the steps of @n recordings of a history the same: there is one wherever any has one, in
 * which nothing was measured of those that have none. Returns 0, -ENOMEM.
 */
int replay_db_align(struct replay_db *const *dbs, size_t n);

/* The recording as the service of a policy sees it: its APIs are those of the same route. */
struct replay_db_view {
	const struct replay_db *db;
	size_t n_apis;
	size_t *api;           /* [n_routes]: index in the policy, n_apis: other */
	struct tick_api *apis; /* [n_apis + 1], of the step read last */
};
/* Returns 0 (replay_db_view_free) or -ENOMEM. */
int replay_db_view(const struct replay_db *db, const struct policy_service *policy,
		   struct replay_db_view *ret);
void replay_db_view_free(struct replay_db_view *v);
struct replay_load replay_db_load(const struct replay_db_view *v);

#endif
