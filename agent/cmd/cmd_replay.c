// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_replay.c - foreshape replay: what a policy would have done with a recorded CPU use. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/cmd.h"
#include "agent/json.h"
#include "agent/replay.h"
#include "agent/show.h"

#define CAPACITY_MCPU (64 * MCPU) /* of the virtual host, so that a result is the same on any */
#define MEMORY_BYTES  (64 * KIB * MIB)
#define MAX_SCALE     1e9

/* clang-format off */
static const struct cmd_option options[] = {
	{ "csv", "FILE", "recorded CPU use: a time column and a value column; - is standard input" },
	{ "column", "NAME", "the value's column; default the second (the only one where there is one)" },
	{ "step", "DURATION", "one row each so long (60s); default the median difference of the times" },
	{ "scale", "F", "multiply values by F to get mcpu (1000 where they are CPUs); default 1" },
	{ "policy", "FILE", "the policy of the service" },
	{ "host", "FILE", "host.yaml; default its defaults" },
	{ "cpus", "N", "CPUs of the virtual host (200m, 4); default 64" },
	{ "skip", "DURATION", "plan over so much of the start, but do not score it" },
	{ "emit", "FILE", "write time,used_mcpu,limit_mcpu,reason of every step" },
	{ NULL, NULL, NULL },
};
/* clang-format on */

struct job {
	struct csv_series used;
	struct policy_set *set;
	struct policy_errors errors;
	FILE *emit;
	struct replay_conf conf;
	uint64_t step_ns;
};

static void job_close(struct job *j)
{
	csv_free(&j->used);
	policy_set_free(j->set);
	policy_errors_free(&j->errors);
	if (j->emit)
		(void)fclose(j->emit);
}

/* Numbers among the options; what is wrong is named. Returns EXIT_OK or EXIT_USAGE. */
static int read_numbers(const struct cmd *cmd, const struct cmd_args *args, struct job *j)
{
	const char *step = cmd_option(args, "step"), *scale = cmd_option(args, "scale");
	const char *cpus = cmd_option(args, "cpus"), *skip = cmd_option(args, "skip");

	j->conf.scale = 1;
	j->conf.facts = (struct host_facts){CAPACITY_MCPU, MEMORY_BYTES, 0};
	if (step && (parse_duration_ns(step, &j->step_ns) < 0 || j->step_ns == 0))
		return cmd_usage(cmd, "--step takes a duration (60s), not '%s'", step);
	if (scale && (parse_double(scale, &j->conf.scale) < 0 || !(j->conf.scale > 0) ||
		      j->conf.scale > MAX_SCALE))
		return cmd_usage(cmd, "--scale takes a number above 0 and up to 1e9, not '%s'",
				 scale);
	if (cpus && (parse_cpu_mcpu(cpus, &j->conf.facts.capacity_mcpu) < 0 ||
		     j->conf.facts.capacity_mcpu == 0))
		return cmd_usage(cmd, "--cpus takes CPUs (200m, 4), not '%s'", cpus);
	if (skip && parse_duration_ns(skip, &j->conf.skip_ns) < 0)
		return cmd_usage(cmd, "--skip takes a duration (2d), not '%s'", skip);
	return EXIT_OK;
}

static void print_findings(const struct policy_errors *errors)
{
	char text[1024];

	for (size_t i = 0; i < errors->n; i++)
		(void)fprintf(stderr, "%s\n",
			      policy_error_format(&errors->list[i], text, sizeof(text)));
}

static int load_policies(const struct cmd_args *args, struct job *j)
{
	const char *names[] = {cmd_option(args, "policy"), cmd_option(args, "host")};
	_cleanup_(closep) int policy = open(names[0], O_RDONLY | O_CLOEXEC);
	_cleanup_(closep) int host = names[1] ? open(names[1], O_RDONLY | O_CLOEXEC) : -1;
	const struct policy_input in[] = {{.name = names[0],
					   .fd = policy,
					   .dir_fd = AT_FDCWD,
					   .at = names[0],
					   .now_real_ns = j->used.start_real_ns},
					  {.name = names[1], .fd = host, .is_host = true}};
	struct err e = {};
	int r;

	if (policy < 0 || (names[1] && host < 0)) {
		err_set(&e, -errno, "open %s", names[policy < 0 ? 0 : 1]);
		return cmd_failed(e.text);
	}
	r = policy_load(in, names[1] ? 2 : 1, j->conf.facts.capacity_mcpu,
			j->conf.facts.memory_bytes, &j->set, &j->errors);
	print_findings(&j->errors);
	if (r < 0)
		return r == -EINVAL ? EXIT_USAGE : cmd_failed("policies: out of memory");
	if (j->set->n_services == 1)
		return EXIT_OK;
	(void)fprintf(stderr, "foreshape replay: %s is the policy of no service\n", names[0]);
	return EXIT_USAGE;
}

static int open_files(const struct cmd_args *args, struct job *j)
{
	const char *emit = cmd_option(args, "emit");
	struct err e = {};

	if (csv_read(cmd_option(args, "csv"), cmd_option(args, "column"), j->step_ns, &j->used,
		     &e) < 0)
		return cmd_failed(e.text);
	if (!emit)
		return EXIT_OK;
	j->emit = fopen(emit, "we");
	if (j->emit)
		return EXIT_OK;
	err_set(&e, -errno, "write %s", emit);
	return cmd_failed(e.text);
}

static double seconds_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int print_json(const struct job *j, const struct replay_result *r, double per_s)
{
	double rate = per_s * (double)j->used.step_ns / (double)NS_PER_S;

	return json_print(
		stdout,
		json_pack("{s:i, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o}",
			  "schema", 1, "service", j->set->services[0].name, "steps",
			  (json_int_t)r->steps, "scored", (json_int_t)r->scored, "missing",
			  (json_int_t)j->used.n_missing, "used_mean_mcpu",
			  json_number(r->used_mean_mcpu), "limit_mean_mcpu",
			  json_number(r->limit_mean_mcpu), "slack", json_number(r->slack),
			  "violations", json_number(r->violations), "violation_steps",
			  (json_int_t)r->short_steps, "writes", (json_int_t)r->changes,
			  "changes_per_day", json_number(r->moves_per_day), "steps_per_s",
			  json_number(per_s), "times_real_time", json_number(rate)));
}

static void print_text(const struct job *j, const struct replay_result *r)
{
	(void)printf("steps         %zu of %.6g s, %zu scored\n", r->steps,
		     (double)j->used.step_ns / (double)NS_PER_S, r->scored);
	(void)printf("used          %s\n", show_fixed(r->used_mean_mcpu, 0, " mcpu, mean").text);
	(void)printf("limit         %s\n", show_fixed(r->limit_mean_mcpu, 0, " mcpu, mean").text);
	(void)printf("slack         %s\n", show_fixed(r->slack * 100, 1, " %").text);
	(void)printf("too little    %s\n",
		     show_fixed(r->violations * 100, 2, " % of the steps").text);
	(void)printf("moves         %s by more than %.0f %%\n",
		     show_fixed(r->moves_per_day, 1, " a day").text, REPLAY_MOVE * 100);
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	_cleanup_(job_close) struct job j = {};
	struct replay_result result;
	struct err e = {};
	double began;
	int r;

	if (args->n_words || !cmd_option(args, "csv") || !cmd_option(args, "policy"))
		return cmd_usage(cmd, "takes --csv FILE and --policy FILE");
	r = read_numbers(cmd, args, &j);
	if (r == EXIT_OK)
		r = open_files(args, &j);
	if (r == EXIT_OK)
		r = load_policies(args, &j);
	if (r != EXIT_OK)
		return r;
	j.conf.used = &j.used;
	j.conf.set = j.set;
	j.conf.emit = j.emit;
	began = seconds_now();
	if (replay_run(&j.conf, &result, &e) < 0)
		return cmd_failed(e.text);
	if (j.emit && fflush(j.emit) != 0) {
		err_set(&e, -errno, "write %s", cmd_option(args, "emit"));
		return cmd_failed(e.text);
	}
	if (!args->json) {
		print_text(&j, &result);
		return EXIT_OK;
	}
	return print_json(&j, &result, (double)result.steps / fmax(seconds_now() - began, 1e-9)) < 0
		       ? EXIT_FAILED
		       : EXIT_OK;
}

const struct cmd cmd_replay = {
	.name = "replay",
	.args = "--csv FILE --policy FILE",
	.help = "run the planner over a recorded CPU use and report what it would have held",
	.more = "Runs the very same planner as the agent, in virtual time, over one service's recorded "
		"CPU use. The limit of a step is what was decided before it; the planner sees a step "
		"only when it is over, and of use above the limit only what a cgroup shows: CPU time "
		"up to the limit and throttled periods.\n\n"
		"Events, and those of the policy's calendars, count from the time of the first row on.\n\n"
		"slack is 1 - used / limit; violations the share of steps whose recorded use was above "
		"the limit in force; changes_per_day the moves of the limit by more than 10 %. In mode "
		"reserve there is no limit: what the plan reserves is scored instead, and before there "
		"is a plan the host's CPUs.",
	.options = options,
	.json = true,
	.run = run,
};
