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
	{ "csv", "FILE...", "recorded CPU use: a time column and a value column; - is standard input; of several "
		"services NAME=FILE, or one file with a column for each" },
	{ "db", "FILE", "the history of an agent instead: all that it holds of the service" },
	{ "service", "NAME", "the service in the history; default the first policy's; of several the one that is drawn" },
	{ "from", "TIME", "of the history from then on: 2h (ago), or a date or time" },
	{ "to", "TIME", "and until then" },
	{ "column", "NAME", "the value's column; default the second (the only one where there is one)" },
	{ "step", "DURATION", "one row each so long (60s); default the median difference of the times; of a "
		"history 1s, 1m or 1h, default the finest there is" },
	{ "scale", "F", "multiply values by F to get mcpu (1000 where they are CPUs); default 1" },
	{ "policy", "FILE...", "a policy of the service, or a directory of those of a host; words are policies, too" },
	{ "compare", NULL, "show where the limits of two policies differ" },
	{ "audit", NULL, "decide again all that the history says was decided, by all the policies of then" },
	{ "host", "FILE", "host.yaml; default its defaults" },
	{ "cpus", "N", "CPUs of the virtual host (200m, 4); default 64" },
	{ "request-cost", "DURATION", "CPU time of a request (3ms) where a recording counts none: what is expected of "
		"the objective" },
	{ "skip", "DURATION", "plan over so much of the start, but do not score it" },
	{ "svg", "FILE", "draw use, forecast, limit and what was too little (of one policy or two)" },
	{ "emit", "FILE", "write time,used_mcpu,limit_mcpu,reason of every step (of one policy); of several services "
		"the second column is the service" },
	{ NULL, NULL, NULL },
};
/* clang-format on */

static void job_close(struct replay_job *j)
{
	replay_source_free(j);
	plot_free(&j->plot.p);
	for (size_t i = 0; i < j->n_tries; i++) {
		struct replay_try *t = &j->tries[i];

		for (size_t k = 0; t->services && k < t->set->n_services; k++) {
			replay_trace_free(&t->services[k].trace);
			replay_db_view_free(&t->services[k].view);
		}
		free(t->services);
		policy_set_free(t->set);
		policy_errors_free(&t->errors);
	}
	if (j->emit)
		(void)fclose(j->emit);
}

/* Numbers among the options; what is wrong is named. Returns EXIT_OK or EXIT_USAGE. */
static int read_numbers(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *j)
{
	const char *step = cmd_option(args, "step");
	const char *cpus = cmd_option(args, "cpus"), *skip = cmd_option(args, "skip");
	const char *cost = cmd_option(args, "request-cost");
	uint64_t cost_ns = 0;

	j->facts = (struct host_facts){CAPACITY_MCPU, MEMORY_BYTES, 0};
	if (step && (parse_duration_ns(step, &j->asked_step_ns) < 0 || j->asked_step_ns == 0))
		return cmd_usage(cmd, "--step takes a duration (60s), not '%s'", step);
	if (cpus &&
	    (parse_cpu_mcpu(cpus, &j->facts.capacity_mcpu) < 0 || j->facts.capacity_mcpu == 0))
		return cmd_usage(cmd, "--cpus takes CPUs (200m, 4), not '%s'", cpus);
	if (cost && (parse_duration_ns(cost, &cost_ns) < 0 || cost_ns == 0))
		return cmd_usage(cmd, "--request-cost takes a duration (3ms), not '%s'", cost);
	j->request_cost_s = (double)cost_ns / (double)NS_PER_S;
	if (skip && parse_duration_ns(skip, &j->skip_ns) < 0)
		return cmd_usage(cmd, "--skip takes a duration (2d), not '%s'", skip);
	return EXIT_OK;
}

/* Only once the input was read: it may be the same file. */
static int open_emit(const char *path, struct replay_job *j)
{
	const char *service = j->hosts ? "service," : "";
	struct err e = {};

	if (!path)
		return EXIT_OK;
	j->emit = fopen(path, "we");
	if (j->emit && fprintf(j->emit, "time,%sused_mcpu,limit_mcpu,reason\n", service) >= 0)
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
	if (!j->hosts)
		return EXIT_OK;
	if (cmd_option(args, "svg") && j->n_records > 1 && !j->shown)
		return cmd_usage(cmd, "--svg draws one service: which, with --service NAME");
	if (j->shown && replay_source_find(j, j->shown) == REPLAY_NO_SERVICE)
		return cmd_usage(cmd, "no policy has service '%s'", j->shown);
	return EXIT_OK;
}

bool replay_job_compare(const struct replay_job *job, size_t k, struct replay_difference *ret)
{
	const struct replay_try *a = &job->tries[0], *b = &job->tries[1];
	size_t other = 0;

	while (job->hosts && other < b->set->n_services &&
	       !streq(b->set->services[other].name, a->set->services[k].name))
		other++;
	if (other == b->set->n_services)
		return false;
	replay_compare(&a->services[k].trace, &b->services[other].trace, ret);
	return true;
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
	const char *service = j->hosts ? j->tries[0].set->services[now->service].name : "";
	int64_t begins_ns = now->step->ends_real_ns - (int64_t)now->step->interval_ns;
	FILE *f = j->emit;
	const char *reason = reason_rows[now->reason].name;
	char at[TIME_MAX];

	replay_source_time(j, now->index, begins_ns, at, sizeof(at));
	(void)fprintf(f, "%s,%s%s", at, service, *service ? "," : "");
	if (isfinite(now->step->used_mcpu))
		(void)fprintf(f, "%.3f", now->step->used_mcpu);
	(void)fprintf(f, ",%.3f,%s\n", now->limit_mcpu, reason);
	return ferror(f) ? -EIO : 0;
}

static int look(void *arg, const struct replay_now *now)
{
	const struct looker *l = arg;
	const struct replay_try *t = &l->job->tries[l->which];
	struct replay_trace *trace = &t->services[now->service].trace;
	const char *shown = l->job->shown;

	if (trace->room > 0)
		replay_trace_take(trace, now);
	if (l->job->drawn && (!shown || streq(shown, t->set->services[now->service].name)))
		replay_plot_take(l->job, l->which, now);
	return l->job->emit ? emit_step(l->job, now) : 0;
}

static int replay_one(struct replay_job *j, size_t i, struct err *e)
{
	struct looker l = {j, i};
	struct replay_try *t = &j->tries[i];
	struct replay_load loads[POLICY_MAX_SERVICES];
	struct replay_result results[POLICY_MAX_SERVICES];
	const struct replay_conf conf = {
		.loads = loads,
		.set = t->set,
		.facts = j->facts,
		.skip_ns = j->skip_ns,
		.request_cost_s = j->request_cost_s,
		.look = look,
		.arg = &l,
		.progress = progress_on_terminal(),
		.part = i,
		.parts = j->n_tries,
	};

	int r = 0;

	for (size_t k = 0; r == 0 && k < t->set->n_services; k++)
		r = replay_source_load(j, i, k, &loads[k]);
	if (r < 0)
		return err_set(e, r, "replay");
	r = replay_run(&conf, results, e);
	for (size_t k = 0; r == 0 && k < t->set->n_services; k++)
		t->services[k].result = results[k];
	return r;
}

/* Room for what each service of each policy does, where two are compared. */
static int make_traces(struct replay_job *j)
{
	int r = 0;

	for (size_t i = 0; i < j->n_tries; i++)
		for (size_t k = 0; r == 0 && k < j->tries[i].set->n_services; k++)
			r = replay_trace_new(j->n_steps, &j->tries[i].services[k].trace);
	return r;
}

/* All of them, one after the other, over the same steps. */
static int replay_all(const struct cmd_args *args, struct replay_job *j)
{
	const char *svg = cmd_option(args, "svg");
	struct err e = {};
	int r = 0;

	if (cmd_option(args, "compare") && make_traces(j) < 0)
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
	bool compare = cmd_option(args, "compare") != NULL;
	int r;

	r = read_numbers(cmd, args, &j);
	if (r == EXIT_OK && cmd_option(args, "audit"))
		return replay_audit(cmd, args, &j);
	j.hosts = replay_hosts_meant(args);
	j.shown = j.hosts ? cmd_option(args, "service") : NULL;
	if (r == EXIT_OK && j.hosts)
		r = replay_hosts_load(cmd, args, &j);
	if (r == EXIT_OK)
		r = replay_source_read(cmd, args, &j);
	if (r == EXIT_OK)
		r = j.hosts ? replay_hosts_load(cmd, args, &j)
			    : replay_policies_load(cmd, args, &j);
	if (r == EXIT_OK)
		r = check_policies(cmd, args, &j);
	if (r == EXIT_OK)
		r = open_emit(cmd_option(args, "emit"), &j);
	if (r == EXIT_OK)
		r = replay_all(args, &j);
	if (r != EXIT_OK)
		return r;
	if (args->json)
		return replay_report_json(&j, compare);
	replay_report_text(&j, compare);
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
		"Of a service with an slo of its own it is told how many of its requests are expected to "
		"be within the latency (slo_expected): from what arrives, what a request costs and the "
		"limit in force follows what waits for the CPU quota of coming periods. Requests and their "
		"costs are those of the history, as they are learned; of a CSV file --request-cost says "
		"what one costs. They are taken to come at random, to cost the same each and to wait for "
		"nothing but the limit, and to be patient: what a limit leaves undone is done later.\n\n"
		"A directory of policies is a host: all its services are planned together, by one planner, "
		"with their tiers, weights, tenants and the host's CPUs (--cpus), as the agent would. Each "
		"has a recording of its own (--csv NAME=FILE, given once for each), a column of its name "
		"in a file of several (--csv FILE), or its samples in the history (--db FILE); files of "
		"the same steps are put side by side by their times. With --csv NAME=FILE policy files "
		"that are named are one host, too. Several directories are replayed one after the other, "
		"and --compare A B tells where they differ service by service. contention is the part of "
		"the steps in which the host was planned to have too little. Services are learned on as "
		"many threads as there are CPUs; what is decided does not depend on it.\n\n"
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
		"there is a plan the host's CPUs. A history says, too, how the objective was kept under "
		"the limits of then (slo_recorded).",
	.options = options,
	.json = true,
	.run = run,
};
