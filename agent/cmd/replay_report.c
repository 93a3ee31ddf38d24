// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_report.c - what foreshape replay found, for people and as JSON. */
#include <jansson.h>
#include <math.h>
#include <time.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/cmd/replay_job.h"
#include "agent/json.h"
#include "agent/plot.h"
#include "agent/show.h"
#include "agent/table.h"

#define TIME_MAX 64

static double to_cpus(double mcpu)
{
	return mcpu / (double)MCPU;
}

static json_t *slo_json(const struct replay_db_slo *slo)
{
	if (!isfinite(slo->attained))
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "objective", json_number(slo->objective), "attained",
			 json_number(slo->attained), "worst", json_number(slo->worst));
}

/* What one policy did; the keys of a single one and of each of several are the same. */
static json_t *result_json(const struct replay_job *job, const struct replay_try *t)
{
	const struct replay_result *r = &t->result;
	double per_s = (double)(job->n_tries * r->steps) / job->seconds;
	double rate = per_s * (double)job->load.step_ns / (double)NS_PER_S;
	json_t *o = json_pack("{s:s, s:o, s:I, s:I, s:I}", "service", t->set->services[0].name,
			      "policy", json_text(t->name), "steps", (json_int_t)r->steps, "scored",
			      (json_int_t)r->scored, "missing", (json_int_t)job->n_missing);
	json_t *more = json_pack(
		"{s:o, s:o, s:o, s:o, s:I, s:o, s:I, s:o, s:o, s:o, s:n, s:o, s:o}",
		"used_mean_mcpu", json_number(r->used_mean_mcpu), "limit_mean_mcpu",
		json_number(r->limit_mean_mcpu), "slack", json_number(r->slack), "violations",
		json_number(r->violations), "violation_steps", (json_int_t)r->short_steps,
		"short_minutes", json_number(r->short_minutes), "writes", (json_int_t)r->changes,
		"changes_per_day", json_number(r->moves_per_day), "reserved_core_h",
		json_number(r->reserved_core_h), "used_core_h", json_number(r->used_core_h),
		"slo_expected", "steps_per_s", json_number(per_s), "times_real_time",
		json_number(rate));

	if (o && more)
		(void)json_object_update_missing(o, more);
	if (o && job->from_db)
		(void)json_object_set_new(o, "slo_recorded", slo_json(&job->db.slo));
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

int replay_report_json(const struct replay_job *job, const struct replay_difference *d)
{
	json_t *all, *list;

	if (job->n_tries == 1) {
		all = json_pack("{s:i}", "schema", 1);
		list = result_json(job, &job->tries[0]);
		(void)json_object_update(all, list);
		json_decref(list);
		return json_print(stdout, all) < 0 ? EXIT_FAILED : EXIT_OK;
	}
	list = json_array();
	for (size_t i = 0; i < job->n_tries; i++)
		(void)json_array_append_new(list, result_json(job, &job->tries[i]));
	all = json_pack("{s:i, s:o}", "schema", 1, "policies", list);
	if (d)
		(void)json_object_set_new(all, "compare", difference_json(job, d));
	return json_print(stdout, all) < 0 ? EXIT_FAILED : EXIT_OK;
}

/* Latency under other limits than those it was measured under is not known. */
static void print_objective(const struct replay_job *job)
{
	const struct replay_db_slo *slo = &job->db.slo;

	if (!job->from_db)
		(void)printf("objective     not known: CPU use alone says nothing of latency\n");
	else if (!isfinite(slo->attained))
		(void)printf("objective     not known: none was recorded\n");
	else
		(void)printf("objective     not known; %s of %s when it was recorded\n",
			     show_fixed(100 * slo->attained, 3, " %").text,
			     show_fixed(100 * slo->objective, 3, " %").text);
}

static void print_one(const struct replay_job *job)
{
	const struct replay_result *r = &job->tries[0].result;

	(void)printf("steps         %zu of %.6g s, %zu scored\n", r->steps,
		     (double)job->load.step_ns / (double)NS_PER_S, r->scored);
	(void)printf("used          %s\n", show_fixed(r->used_mean_mcpu, 0, " mcpu, mean").text);
	(void)printf("limit         %s\n", show_fixed(r->limit_mean_mcpu, 0, " mcpu, mean").text);
	(void)printf("slack         %s\n", show_fixed(r->slack * 100, 1, " %").text);
	(void)printf("too little    %s, %s in all\n",
		     show_fixed(r->violations * 100, 2, " % of the steps").text,
		     show_fixed(r->short_minutes, 1, " min").text);
	(void)printf("moves         %s by more than %.0f %%\n",
		     show_fixed(r->moves_per_day, 1, " a day").text, REPLAY_MOVE * 100);
	(void)printf("writes        %zu of the limit\n", r->changes);
	(void)printf("cost          %s reserved, %s used\n",
		     show_fixed(r->reserved_core_h, 2, " core-hours").text,
		     show_fixed(r->used_core_h, 2, "").text);
	print_objective(job);
}

static const struct table_column policy_columns[] = {
	{"POLICY", false, true},  {"SLACK", true, false},      {"TOO LITTLE", true, false},
	{"MINUTES", true, false}, {"LIMIT", true, false},      {"MOVES/DAY", true, false},
	{"WRITES", true, false},  {"CORE-HOURS", true, false},
};

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* Without its directory, unless another one is of that name. */
static const char *short_name(const struct replay_job *job, size_t i)
{
	const char *name = file_name(job->tries[i].name);

	for (size_t k = 0; k < job->n_tries; k++)
		if (k != i && streq(name, file_name(job->tries[k].name)))
			return job->tries[i].name;
	return name;
}

static void print_policies(const struct replay_job *job)
{
	const struct replay_result *first = &job->tries[0].result;
	struct table t;

	(void)printf("steps         %zu of %.6g s, %zu scored\n", first->steps,
		     (double)job->load.step_ns / (double)NS_PER_S, first->scored);
	(void)printf("used          %s, %s in all\n",
		     show_fixed(first->used_mean_mcpu, 0, " mcpu, mean").text,
		     show_fixed(first->used_core_h, 2, " core-hours").text);
	print_objective(job);
	(void)printf("\n");
	table_start(&t, policy_columns, ARRAY_SIZE(policy_columns));
	for (size_t i = 0; i < job->n_tries; i++) {
		const struct replay_result *r = &job->tries[i].result;

		table_cell(&t, "%s", short_name(job, i));
		table_cell(&t, "%s", show_fixed(r->slack * 100, 1, " %").text);
		table_cell(&t, "%s", show_fixed(r->violations * 100, 2, " %").text);
		table_cell(&t, "%s", show_fixed(r->short_minutes, 1, "").text);
		table_cell(&t, "%s", show_fixed(to_cpus(r->limit_mean_mcpu), 2, "").text);
		table_cell(&t, "%s", show_fixed(r->moves_per_day, 1, "").text);
		table_cell(&t, "%zu", r->changes);
		table_cell(&t, "%s", show_fixed(r->reserved_core_h, 2, "").text);
	}
	table_print(&t, stdout);
	table_free(&t);
}

/* In the host's zone where the recording has a clock, else since its start. */
static void put_time(struct table *t, const struct replay_job *job, const struct replay_stretch *s)
{
	bool minutes = job->load.step_ns % (S_PER_MIN * NS_PER_S) == 0;
	time_t at = (time_t)(s->from_real_ns / (int64_t)NS_PER_S);
	char text[TIME_MAX];
	struct tm tm;

	if (job->start_real_ns == 0)
		(void)format_duration(text, sizeof(text), (uint64_t)s->from_real_ns);
	else if (!localtime_r(&at, &tm) ||
		 strftime(text, sizeof(text), minutes ? "%Y-%m-%d %H:%M" : "%Y-%m-%d %H:%M:%S",
			  &tm) == 0)
		(void)copy_str(text, sizeof(text), "-");
	table_cell(t, "%s", text);
}

static const struct table_column stretch_columns[] = {
	{"FROM", false, false}, {"FOR", true, false},   {"A", true, false},
	{"B", true, false},     {"USED", true, false},  {"MOST", true, false},
	{"WHY A", false, true}, {"WHY B", false, true},
};

static void print_stretches(const struct replay_job *job, const struct replay_difference *d)
{
	char length[TIME_MAX];
	struct table t;

	table_start(&t, stretch_columns, ARRAY_SIZE(stretch_columns));
	for (size_t i = 0; i < d->n_longest; i++) {
		const struct replay_stretch *s = &d->longest[i];

		put_time(&t, job, s);
		table_cell(&t, "%s",
			   plot_period(length, sizeof(length),
				       (uint64_t)(s->to_real_ns - s->from_real_ns) +
					       job->load.step_ns));
		table_cell(&t, "%s", show_fixed(to_cpus(s->of[0].limit_mean_mcpu), 2, "").text);
		table_cell(&t, "%s", show_fixed(to_cpus(s->of[1].limit_mean_mcpu), 2, "").text);
		table_cell(&t, "%s", show_fixed(to_cpus(s->used_mean_mcpu), 2, "").text);
		table_cell(&t, "%s", show_fixed(to_cpus(s->used_most_mcpu), 2, "").text);
		table_cell(&t, "%s", reason_rows[s->of[0].reason].name);
		table_cell(&t, "%s", reason_rows[s->of[1].reason].name);
	}
	table_print(&t, stdout);
	table_free(&t);
}

static void print_difference(const struct replay_job *job, const struct replay_difference *d)
{
	(void)printf("\nA is %s\nB is %s\n", job->tries[0].name, job->tries[1].name);
	(void)printf("limits differ by more than %.0f %% in %zu of %zu steps, %zu stretches\n",
		     REPLAY_MOVE * 100, d->steps, d->compared, d->n_stretches);
	if (d->n_stretches == 0)
		return;
	(void)printf("the longest, means in CPUs:\n\n");
	print_stretches(job, d);
}

void replay_report_text(const struct replay_job *job, const struct replay_difference *d)
{
	if (job->n_tries == 1)
		print_one(job);
	else
		print_policies(job);
	if (d)
		print_difference(job, d);
}
