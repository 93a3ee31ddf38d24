// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_json.c - what foreshape replay found, as JSON. */
#include <jansson.h>
#include <math.h>

#include "agent/base/util.h"
#include "agent/cmd/replay_job.h"
#include "agent/json.h"

#define TIME_MAX 64

static json_t *slo_json(const struct replay_db_slo *slo)
{
	if (!isfinite(slo->attained))
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "objective", json_number(slo->objective), "attained",
			 json_number(slo->attained), "worst", json_number(slo->worst));
}

/* What one policy did; the keys of a single one and of each of several are the same. */
static json_t *result_json(const struct replay_job *job, const struct replay_try *t, size_t k)
{
	const struct replay_service *s = &t->services[k];
	const struct replay_record *rec = &job->records[s->record];
	const struct replay_result *r = &s->result;
	double per_s = (double)(job->n_tries * r->steps) / job->seconds;
	double rate = per_s * (double)job->step_ns / (double)NS_PER_S;
	json_t *o = json_pack("{s:s, s:o, s:I, s:I, s:I}", "service", t->set->services[k].name,
			      "policy", json_text(t->name), "steps", (json_int_t)r->steps, "scored",
			      (json_int_t)r->scored, "missing",
			      (json_int_t)(job->from_db ? rec->db.n_missing : rec->used.n_missing));
	json_t *more = json_pack(
		"{s:o, s:o, s:o, s:o, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
		"used_mean_mcpu", json_number(r->used_mean_mcpu), "limit_mean_mcpu",
		json_number(r->limit_mean_mcpu), "slack", json_number(r->slack), "violations",
		json_number(r->violations), "violation_steps", (json_int_t)r->short_steps,
		"short_minutes", json_number(r->short_minutes), "writes", (json_int_t)r->changes,
		"changes_per_day", json_number(r->moves_per_day), "reserved_core_h",
		json_number(r->reserved_core_h), "used_core_h", json_number(r->used_core_h),
		"slo_expected", json_number(r->slo_expected), "steps_per_s", json_number(per_s),
		"times_real_time", json_number(rate));

	if (o && more)
		(void)json_object_update_missing(o, more);
	if (o && job->from_db)
		(void)json_object_set_new(o, "slo_recorded", slo_json(&rec->db.slo));
	json_decref(more);
	return o;
}

static json_t *stretch_json(const struct replay_job *job, const struct replay_stretch *s)
{
	char from[TIME_MAX], to[TIME_MAX];

	replay_source_time(job, s->from, s->from_real_ns, from, sizeof(from));
	replay_source_time(job, s->from + s->n - 1, s->to_real_ns, to, sizeof(to));
	return json_pack(
		"{s:s, s:s, s:I, s:[o, o], s:o, s:o, s:[s, s], s:[I, I]}", "from", from, "to", to,
		"steps", (json_int_t)s->n, "limits_mean_mcpu",
		json_number(s->of[0].limit_mean_mcpu), json_number(s->of[1].limit_mean_mcpu),
		"used_mean_mcpu", json_number(s->used_mean_mcpu), "used_most_mcpu",
		json_number(s->used_most_mcpu), "reasons", reason_rows[s->of[0].reason].name,
		reason_rows[s->of[1].reason].name, "violation_steps",
		(json_int_t)s->of[0].short_steps, (json_int_t)s->of[1].short_steps);
}

static json_t *difference_json(const struct replay_job *job, const struct replay_difference *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->n_longest; i++)
		(void)json_array_append_new(list, stretch_json(job, &d->longest[i]));
	return json_pack("{s:I, s:I, s:I, s:o}", "compared", (json_int_t)d->compared,
			 "steps_differ", (json_int_t)d->steps, "stretches",
			 (json_int_t)d->n_stretches, "longest", list);
}

/* All services under one set of policies. */
static json_t *host_json(const struct replay_job *job, const struct replay_try *t)
{
	double per_s = (double)(job->n_tries * job->n_steps) / job->seconds;
	json_t *list = json_array();

	for (size_t k = 0; k < t->set->n_services; k++)
		(void)json_array_append_new(list, result_json(job, t, k));
	return json_pack("{s:o, s:I, s:I, s:o, s:o, s:o}", "policy", json_text(t->name), "steps",
			 (json_int_t)job->n_steps, "contended_steps",
			 (json_int_t)t->services[0].result.contended, "steps_per_s",
			 json_number(per_s), "times_real_time",
			 json_number(per_s * (double)job->step_ns / (double)NS_PER_S), "services",
			 list);
}

static json_t *compare_json(const struct replay_job *job)
{
	const struct policy_set *set = job->tries[0].set;
	struct replay_difference d;
	json_t *list, *one;

	if (!job->hosts)
		return replay_job_compare(job, 0, &d) ? difference_json(job, &d) : json_null();
	list = json_array();
	for (size_t k = 0; k < set->n_services; k++) {
		if (!replay_job_compare(job, k, &d))
			continue;
		one = json_pack("{s:s}", "service", set->services[k].name);
		(void)json_object_update_new(one, difference_json(job, &d));
		(void)json_array_append_new(list, one);
	}
	return list;
}

int replay_report_json(const struct replay_job *job, bool compare)
{
	json_t *all = json_pack("{s:i}", "schema", 1), *list = json_array();

	for (size_t i = 0; i < job->n_tries; i++)
		(void)json_array_append_new(list, job->hosts ? host_json(job, &job->tries[i])
							     : result_json(job, &job->tries[i], 0));
	if (job->n_tries == 1 && !job->hosts)
		(void)json_object_update(all, json_array_get(list, 0));
	else
		(void)json_object_set(all, "policies", list);
	json_decref(list);
	if (compare)
		(void)json_object_set_new(all, "compare", compare_json(job));
	return json_print(stdout, all) < 0 ? EXIT_FAILED : EXIT_OK;
}
