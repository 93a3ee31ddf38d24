// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_report.c - what foreshape replay found, for people. */
#include <math.h>
#include <time.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/cmd/replay_job.h"
#include "agent/plot.h"
#include "agent/show.h"
#include "agent/table.h"

#define TIME_MAX 64

static double to_cpus(double mcpu)
{
	return mcpu / (double)MCPU;
}

static bool any_objective(const struct replay_job *job)
{
	for (size_t i = 0; i < job->n_tries; i++)
		for (size_t k = 0; k < job->tries[i].set->n_services; k++)
			if (isfinite(job->tries[i].services[k].result.slo_expected))
				return true;
	return false;
}

/* Why nothing is expected. */
static const char *why_unknown(const struct replay_job *job)
{
	for (size_t i = 0; i < job->n_tries; i++)
		for (size_t k = 0; k < job->tries[i].set->n_services; k++)
			if (job->tries[i].set->services[k].slo.set)
				return job->from_db
					       ? "not known: no requests with known costs were recorded"
					       : "not known: what does a request cost? say --request-cost 3ms";
	return "none: no policy has an slo of its service";
}

/* Latency under other limits than those it was measured under is only expected. */
static void print_objective(const struct replay_job *job, const struct replay_service *s)
{
	const struct policy_slo *slo = &job->tries[0].set->services[0].slo;
	const struct replay_db_slo *then = &job->records[s->record].db.slo;
	char latency[TIME_MAX];

	if (isfinite(s->result.slo_expected) && job->n_tries == 1)
		(void)printf("objective     %s expected within %s, of %s\n",
			     show_fixed(100 * s->result.slo_expected, 3, " %").text,
			     format_duration(latency, sizeof(latency), slo->latency_us * NS_PER_US),
			     show_fixed(100 * slo->objective, 3, " %").text);
	else if (!any_objective(job))
		(void)printf("objective     %s\n", why_unknown(job));
	if (job->from_db && isfinite(then->attained))
		(void)printf("recorded      %s of %s when it was recorded\n",
			     show_fixed(100 * then->attained, 3, " %").text,
			     show_fixed(100 * then->objective, 3, " %").text);
}

static void print_one(const struct replay_job *job)
{
	const struct replay_service *s = &job->tries[0].services[0];
	const struct replay_result *r = &s->result;

	(void)printf("steps         %zu of %.6g s, %zu scored\n", r->steps,
		     (double)job->step_ns / (double)NS_PER_S, r->scored);
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
	print_objective(job, s);
}

static const struct table_column policy_columns[] = {
	{"POLICY", false, true},  {"SLACK", true, false},      {"TOO LITTLE", true, false},
	{"MINUTES", true, false}, {"LIMIT", true, false},      {"MOVES/DAY", true, false},
	{"WRITES", true, false},  {"CORE-HOURS", true, false}, {"EXPECTED", true, false},
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

static void put_result(struct table *t, const struct replay_result *r)
{
	table_cell(t, "%s", show_fixed(r->slack * 100, 1, " %").text);
	table_cell(t, "%s", show_fixed(r->violations * 100, 2, " %").text);
	table_cell(t, "%s", show_fixed(r->short_minutes, 1, "").text);
	table_cell(t, "%s", show_fixed(to_cpus(r->limit_mean_mcpu), 2, "").text);
	table_cell(t, "%s", show_fixed(r->moves_per_day, 1, "").text);
	table_cell(t, "%zu", r->changes);
	table_cell(t, "%s", show_fixed(r->reserved_core_h, 2, "").text);
	table_cell(t, "%s", show_fixed(100 * r->slo_expected, 3, " %").text);
}

static void print_policies(const struct replay_job *job)
{
	const struct replay_service *s = &job->tries[0].services[0];
	const struct replay_result *first = &s->result;
	struct table t;

	(void)printf("steps         %zu of %.6g s, %zu scored\n", first->steps,
		     (double)job->step_ns / (double)NS_PER_S, first->scored);
	(void)printf("used          %s, %s in all\n",
		     show_fixed(first->used_mean_mcpu, 0, " mcpu, mean").text,
		     show_fixed(first->used_core_h, 2, " core-hours").text);
	print_objective(job, s);
	(void)printf("\n");
	table_start(&t, policy_columns, ARRAY_SIZE(policy_columns));
	for (size_t i = 0; i < job->n_tries; i++) {
		table_cell(&t, "%s", short_name(job, i));
		put_result(&t, &job->tries[i].services[0].result);
	}
	table_print(&t, stdout);
	table_free(&t);
}

static const struct table_column service_columns[] = {
	{"SERVICE", false, true},    {"TIER", false, true},    {"SLACK", true, false},
	{"TOO LITTLE", true, false}, {"MINUTES", true, false}, {"LIMIT", true, false},
	{"MOVES/DAY", true, false},  {"WRITES", true, false},  {"CORE-HOURS", true, false},
	{"EXPECTED", true, false},
};

static void print_host(const struct replay_job *job, const struct replay_try *try)
{
	double used = 0, reserved = 0, steps = (double)MAX(job->n_steps, (size_t)1);
	struct table t;

	table_start(&t, service_columns, ARRAY_SIZE(service_columns));
	for (size_t k = 0; k < try->set->n_services; k++) {
		const struct replay_result *r = &try->services[k].result;

		table_cell(&t, "%s", try->set->services[k].name);
		table_cell(&t, "%s",
			   try->set->services[k].auto_tier ? "auto"
							   : tier_name(try->set->services[k].tier));
		put_result(&t, r);
		used += isfinite(r->used_core_h) ? r->used_core_h : 0;
		reserved += isfinite(r->reserved_core_h) ? r->reserved_core_h : 0;
	}
	(void)printf("\npolicies      %s\n", try->name);
	(void)printf("contention    in %s\n",
		     show_fixed(100 * (double)try->services[0].result.contended / steps, 2,
				" % of the steps")
			     .text);
	(void)printf("cost          %s reserved, %s used\n\n",
		     show_fixed(reserved, 2, " core-hours").text, show_fixed(used, 2, "").text);
	table_print(&t, stdout);
	table_free(&t);
}

static void print_hosts(const struct replay_job *job)
{
	(void)printf("steps         %zu of %.6g s, of %zu services\n", job->n_steps,
		     (double)job->step_ns / (double)NS_PER_S, job->n_records);
	for (size_t i = 0; i < job->n_tries; i++)
		print_host(job, &job->tries[i]);
}

/* In the host's zone where the recording has a clock, else since its start. */
static void put_time(struct table *t, const struct replay_job *job, const struct replay_stretch *s)
{
	bool minutes = job->step_ns % (S_PER_MIN * NS_PER_S) == 0;
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
				       (uint64_t)(s->to_real_ns - s->from_real_ns) + job->step_ns));
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
	(void)printf("limits differ by more than %.0f %% in %zu of %zu steps, %zu stretches\n",
		     REPLAY_MOVE * 100, d->steps, d->compared, d->n_stretches);
	if (d->n_stretches == 0)
		return;
	(void)printf("the longest, means in CPUs:\n\n");
	print_stretches(job, d);
}

static void print_differences(const struct replay_job *job)
{
	const struct policy_set *set = job->tries[0].set;
	struct replay_difference d;

	(void)printf("\nA is %s\nB is %s\n", job->tries[0].name, job->tries[1].name);
	for (size_t k = 0; k < set->n_services; k++) {
		if (!replay_job_compare(job, k, &d))
			continue;
		if (job->hosts)
			(void)printf("\n%s: ", set->services[k].name);
		print_difference(job, &d);
	}
}

void replay_report_text(const struct replay_job *job, bool compare)
{
	if (job->hosts)
		print_hosts(job);
	else if (job->n_tries == 1)
		print_one(job);
	else
		print_policies(job);
	if (compare)
		print_differences(job);
}
