// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_replay.c - foreshape replay: what policies would have done with a recording. */
#include <errno.h>
#include <math.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/cmd/replay_audit.h"
#include "agent/cmd/replay_plot.h"

#define CAPACITY_MCPU (64 * MCPU) /* of the virtual host, so that a result is the same on any */
#define MEMORY_BYTES  (64 * KIB * MIB)
#define TIME_MAX      64

/* clang-format off */
static const struct cmd_option options[] = {
	{ "csv", "FILE", "recorded CPU use: a time column and a value column; - is standard input" },
	{ "db", "FILE", "the history of an agent instead: all that it holds of the service" },
	{ "service", "NAME", "the service in the history; default the first policy's" },
	{ "from", "TIME", "of the history from then on: 2h (ago), or a date or time" },
	{ "to", "TIME", "and until then" },
	{ "column", "NAME", "the value's column; default the second (the only one where there is one)" },
	{ "step", "DURATION", "one row each so long (60s); default the median difference of the times; of a "
		"history 1s, 1m or 1h, default the finest there is" },
	{ "scale", "F", "multiply values by F to get mcpu (1000 where they are CPUs); default 1" },
	{ "policy", "FILE...", "a policy of the service; words are policies, too" },
	{ "compare", NULL, "show where the limits of two policies differ" },
	{ "audit", NULL, "decide again all that the history says was decided, by all the policies of then" },
	{ "host", "FILE", "host.yaml; default its defaults" },
	{ "cpus", "N", "CPUs of the virtual host (200m, 4); default 64" },
	{ "skip", "DURATION", "plan over so much of the start, but do not score it" },
	{ "svg", "FILE", "draw use, forecast, limit and what was too little (of one policy or two)" },
	{ "emit", "FILE", "write time,used_mcpu,limit_mcpu,reason of every step (of one policy)" },
	{ NULL, NULL, NULL },
};
/* clang-format on */

static void job_close(struct replay_job *j)
{
	csv_free(&j->used);
	replay_db_free(&j->db);
	plot_free(&j->plot.p);
	for (size_t i = 0; i < j->n_tries; i++) {
		policy_set_free(j->tries[i].set);
		policy_errors_free(&j->tries[i].errors);
		replay_trace_free(&j->tries[i].trace);
		replay_db_view_free(&j->tries[i].view);
	}
	if (j->emit)
		(void)fclose(j->emit);
}

/* Numbers among the options; what is wrong is named. Returns EXIT_OK or EXIT_USAGE. */
static int read_numbers(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *j)
{
	const char *step = cmd_option(args, "step");
	const char *cpus = cmd_option(args, "cpus"), *skip = cmd_option(args, "skip");

	j->facts = (struct host_facts){CAPACITY_MCPU, MEMORY_BYTES, 0};
	if (step && (parse_duration_ns(step, &j->step_ns) < 0 || j->step_ns == 0))
		return cmd_usage(cmd, "--step takes a duration (60s), not '%s'", step);
	if (cpus &&
	    (parse_cpu_mcpu(cpus, &j->facts.capacity_mcpu) < 0 || j->facts.capacity_mcpu == 0))
		return cmd_usage(cmd, "--cpus takes CPUs (200m, 4), not '%s'", cpus);
	if (skip && parse_duration_ns(skip, &j->skip_ns) < 0)
		return cmd_usage(cmd, "--skip takes a duration (2d), not '%s'", skip);
	return EXIT_OK;
}

/* Only once the input was read: it may be the same file. */
static int open_emit(const char *path, struct replay_job *j)
{
	struct err e = {};

	if (!path)
		return EXIT_OK;
	j->emit = fopen(path, "we");
	if (j->emit && fputs("time,used_mcpu,limit_mcpu,reason\n", j->emit) >= 0)
		return EXIT_OK;
	err_set(&e, -errno, "write %s", path);
	return cmd_failed(e.text);
}

/* How many policies go with what else is asked for. */
static int check_policies(const struct cmd *cmd, const struct cmd_args *args,
			  const struct replay_job *j)
{
	if (j->n_tries == 0)
		return cmd_usage(cmd, "takes --policy FILE");
	if (cmd_option(args, "compare") && j->n_tries != 2)
		return cmd_usage(cmd, "--compare takes two policies");
	if (cmd_option(args, "svg") && j->n_tries > 2)
		return cmd_usage(cmd, "--svg takes one policy or two");
	if (cmd_option(args, "emit") && j->n_tries != 1)
		return cmd_usage(cmd, "--emit takes one policy");
	return EXIT_OK;
}

static double seconds_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Who is told of the steps of one replay. */
struct looker {
	struct replay_job *job;
	size_t which; /* of its policies */
};

static int emit_step(const struct replay_job *j, const struct replay_now *now)
{
	int64_t begins_ns = now->step->ends_real_ns - (int64_t)now->step->interval_ns;
	FILE *f = j->emit;
	const char *reason = reason_rows[now->reason].name;
	char at[TIME_MAX];

	replay_source_time(j, now->index, begins_ns, at, sizeof(at));
	if (isfinite(now->step->used_mcpu))
		(void)fprintf(f, "%s,%.3f,%.3f,%s\n", at, now->step->used_mcpu, now->limit_mcpu,
			      reason);
	else
		(void)fprintf(f, "%s,,%.3f,%s\n", at, now->limit_mcpu, reason);
	return ferror(f) ? -EIO : 0;
}

static int look(void *arg, const struct replay_now *now)
{
	const struct looker *l = arg;
	struct replay_trace *trace = &l->job->tries[l->which].trace;

	if (trace->room > 0)
		replay_trace_take(trace, now);
	if (l->job->drawn)
		replay_plot_take(l->job, l->which, now);
	return l->job->emit ? emit_step(l->job, now) : 0;
}

static int replay_one(struct replay_job *j, size_t i, struct err *e)
{
	struct looker l = {j, i};
	struct replay_load load;
	const struct replay_conf conf = {
		.loads = &load,
		.set = j->tries[i].set,
		.facts = j->facts,
		.skip_ns = j->skip_ns,
		.look = look,
		.arg = &l,
		.progress = progress_on_terminal(),
		.part = i,
		.parts = j->n_tries,
	};

	if (replay_source_load(j, i, &load) < 0)
		return err_set(e, -ENOMEM, "replay");
	return replay_run(&conf, &j->tries[i].result, e);
}

/* All of them, one after the other, over the same steps. */
static int replay_all(const struct cmd_args *args, struct replay_job *j)
{
	bool compare = cmd_option(args, "compare") != NULL;
	const char *svg = cmd_option(args, "svg");
	struct err e = {};
	int r = 0;

	for (size_t i = 0; r == 0 && compare && i < j->n_tries; i++)
		r = replay_trace_new(j->load.n, &j->tries[i].trace);
	if (r < 0)
		return cmd_failed("out of memory");
	j->drawn = svg != NULL;
	j->seconds = seconds_now();
	for (size_t i = 0; r == 0 && i < j->n_tries; i++)
		r = replay_one(j, i, &e);
	if (r < 0)
		return cmd_failed(e.text);
	j->seconds = fmax(seconds_now() - j->seconds, 1e-9);
	if (j->emit && fflush(j->emit) != 0) {
		err_set(&e, -errno, "write %s", cmd_option(args, "emit"));
		return cmd_failed(e.text);
	}
	return svg ? replay_plot_write(j, svg) : EXIT_OK;
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	_cleanup_(job_close) struct replay_job j = {};
	const struct replay_difference *shown = NULL;
	struct replay_difference d;
	int r;

	r = read_numbers(cmd, args, &j);
	if (r == EXIT_OK && cmd_option(args, "audit"))
		return replay_audit(cmd, args, &j);
	if (r == EXIT_OK)
		r = replay_source_read(cmd, args, &j);
	if (r == EXIT_OK)
		r = replay_policies_load(cmd, args, &j);
	if (r == EXIT_OK)
		r = check_policies(cmd, args, &j);
	if (r == EXIT_OK)
		r = open_emit(cmd_option(args, "emit"), &j);
	if (r == EXIT_OK)
		r = replay_all(args, &j);
	if (r != EXIT_OK)
		return r;
	if (cmd_option(args, "compare")) {
		replay_compare(&j.tries[0].trace, &j.tries[1].trace, &d);
		shown = &d;
	}
	if (args->json)
		return replay_report_json(&j, shown);
	replay_report_text(&j, shown);
	return EXIT_OK;
}

const struct cmd cmd_replay = {
	.name = "replay",
	.args = "--csv FILE|--db FILE --policy FILE...",
	.help = "run the planner over a recording and report what it would have held",
	.more = "Runs the very same planner as the agent, in virtual time, over one service's recorded "
		"CPU use, or over all that a history holds of the service: CPU, throttling, memory, "
		"pressure and the requests of each API, by the second as long as they are kept, then "
		"by the minute or hour. The limit of a step is what was decided before it; the planner sees a step "
		"only when it is over, and of use above the limit only what a cgroup shows: CPU time "
		"up to the limit and throttled periods. What was throttled when it was recorded shows so "
		"again, since what it would have used is not known.\n\n"
		"Several policies are replayed one after the other over the same recording; --compare "
		"A.yaml B.yaml tells besides where their limits differ by more than 10 %, and why: the "
		"longest stretches, with the mean of both limits, the use, and the reason that each "
		"limit had most of the time.\n\n"
		"--svg draws the use, the limit, the median of the forecast and up to what of it the plan "
		"reads, and marks in red where there was too little; of two policies both limits.\n\n"
		"--db FILE --audit DIR tells planners of the policies in a directory (or files) all that "
		"the agent's was told, tick by tick and guard by guard, and compares each decision with "
		"the audit: value, reason, refusals and inputs, bit for bit. It goes as far back as "
		"seconds are kept, and exits with 1 where one is another. The policies must be those of "
		"then, and foreshape the same.\n\n"
		"Events, and those of the policy's calendars, count from the time of the first row on.\n\n"
		"slack is 1 - used / limit; violations the share of steps whose recorded use was above "
		"the limit in force, short_minutes the time they lasted; changes_per_day the moves of "
		"the limit by more than 10 %; the cost is limit and use over time, in core-hours. In "
		"mode reserve there is no limit: what the plan reserves is scored instead, and before "
		"there is a plan the host's CPUs. What would have become of the objective is not known: "
		"CPU use says nothing of latency, and a history says how it was kept under the limits "
		"of then (slo_recorded).",
	.options = options,
	.json = true,
	.run = run,
};
