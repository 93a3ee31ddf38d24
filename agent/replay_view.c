// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_view.c - a recording from the history as the service of one policy sees it. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/replay_db.h"

void replay_db_view_free(struct replay_db_view *v)
{
	free(v->api);
	free(v->apis);
	*v = (struct replay_db_view){};
}

/* The API of @policy that the history calls @route, or "other". */
static size_t find_api(const struct policy_service *policy, const char *route)
{
	char name[sizeof(policy->apis->method) + sizeof(policy->apis->route) + 1];

	for (size_t i = 0; i < policy->n_apis; i++) {
		(void)snprintf(name, sizeof(name), "%s %s", policy->apis[i].method,
			       policy->apis[i].route);
		if (streq(name, route))
			return i;
	}
	return policy->n_apis;
}

int replay_db_view(const struct replay_db *db, const struct policy_service *policy,
		   struct replay_db_view *ret)
{
	*ret = (struct replay_db_view){
		.db = db,
		.n_apis = policy->n_apis,
		.api = calloc(db->n_routes + 1, sizeof(*ret->api)),
		.apis = calloc(policy->n_apis + 1, sizeof(*ret->apis)),
	};
	if (!ret->api || !ret->apis) {
		replay_db_view_free(ret);
		return -ENOMEM;
	}
	for (size_t i = 0; i < db->n_routes; i++)
		ret->api[i] = find_api(policy, db->routes[i]);
	return 0;
}

/* Several routes of the history may be one of the policy. */
static void add(struct tick_api *sum, const struct tick_api *more)
{
	sum->requests += more->requests;
	sum->finished += more->finished;
	sum->errors += more->errors;
	sum->bytes_in += more->bytes_in;
	sum->bytes_out += more->bytes_out;
	sum->in_flight += more->in_flight;
}

static void read_step(const void *arg, size_t i, struct replay_step *ret)
{
	const struct replay_db_view *v = arg;
	const struct replay_db_row *row = &v->db->rows[i];

	*ret = row->step;
	if (!isfinite(ret->tx_bits_per_s)) /* packets were not counted, nor were requests */
		return;
	memset(v->apis, 0, (v->n_apis + 1) * sizeof(*v->apis));
	for (size_t k = 0; k < row->n_apis; k++) {
		const struct replay_db_api *a = &v->db->apis[row->first_api + k];

		add(&v->apis[v->api[a->route]], &a->counts);
	}
	ret->apis = v->apis;
}

struct replay_load replay_db_load(const struct replay_db_view *v)
{
	return (struct replay_load){
		.n = v->db->n, .step_ns = v->db->step_ns, .read = read_step, .arg = v};
}
