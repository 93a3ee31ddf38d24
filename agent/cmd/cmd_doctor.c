// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_doctor.c - foreshape doctor: runs every check and shows what is wrong and what fixes it. */
#include <string.h>

#include "agent/base/util.h"
#include "agent/cmd.h"
#include "agent/doctor.h"
#include "agent/json.h"
#include "agent/table.h"

#define DEFAULT_POLICIES "/etc/foreshape/policies.d"
#define DEFAULT_DB       "/var/lib/foreshape/history.db"

static const struct cmd_option options[] = {
	{"policies", "DIR", "policies to check; default: " DEFAULT_POLICIES},
	{"db", "FILE", "history to check; default: " DEFAULT_DB},
	{"all", NULL, "show also what is well"},
	{},
};

static const struct doctor_check *const tables[] = {doctor_kernel, doctor_rights, doctor_cgroups,
						    doctor_install};

static const char *const state_names[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_WARNING] = "warning",
	[DOCTOR_BROKEN] = "broken",
};

struct results {
	unsigned int count[DOCTOR_BROKEN + 1];
	json_t *list; /* with --json; else NULL */
	bool all;
};

static void print_finding(const struct doctor_check *check, const struct doctor_finding *f)
{
	const char *mark = f->state == DOCTOR_OK       ? ""
			   : f->state == DOCTOR_BROKEN ? screen_red(stdout)
						       : screen_bold(stdout);

	printf("%s%-8s%s %-17s %s\n", mark, state_names[f->state],
	       *mark ? screen_plain(stdout) : "", check->name, f->text);
	if (f->state == DOCTOR_OK)
		return;
	printf("%26s why: %s\n", "", check->cause);
	printf("%26s fix: %s\n", "", check->fix);
}

static void take(struct results *all, const struct doctor_check *check,
		 const struct doctor_finding *f)
{
	all->count[f->state]++;
	if (all->list)
		json_array_append_new(all->list,
				      json_pack("{s:s, s:s, s:o, s:s, s:s}", "name", check->name,
						"state", state_names[f->state], "text",
						json_text(f->text), "cause", check->cause, "fix",
						f->state == DOCTOR_OK ? "" : check->fix));
	else if (f->state != DOCTOR_OK || all->all)
		print_finding(check, f);
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	const char *policies = cmd_option(args, "policies"), *db = cmd_option(args, "db");
	struct doctor d = {.runtime_dir = cmd_runtime_dir(),
			   .policies_dir = policies ? policies : DEFAULT_POLICIES,
			   .db = db ? db : DEFAULT_DB};
	struct results all = {.all = cmd_option(args, "all") != NULL};
	struct doctor_finding f;

	if (args->n_words > 0)
		return cmd_usage(cmd, "takes no words, not '%s'", args->words[0]);
	d.has_cgroups = hierarchies_find("/proc/self/mountinfo", &d.cgroups) == 0;
	all.list = args->json ? json_array() : NULL;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (const struct doctor_check *check = tables[t]; check->name; check++) {
			doctor_run(&d, check, &f);
			take(&all, check, &f);
		}
	}
	if (args->json &&
	    json_print(stdout,
		       json_pack("{s:i, s:i, s:i, s:i, s:o}", "schema", 1, "ok",
				 all.count[DOCTOR_OK], "warnings", all.count[DOCTOR_WARNING],
				 "broken", all.count[DOCTOR_BROKEN], "checks", all.list)) < 0)
		return EXIT_FAILED;
	if (!args->json)
		printf("%u checks well, %u warnings, %u broken\n", all.count[DOCTOR_OK],
		       all.count[DOCTOR_WARNING], all.count[DOCTOR_BROKEN]);
	return all.count[DOCTOR_BROKEN] ? EXIT_FAILED : EXIT_OK;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.args = "",
	.help = "check this host and the install, and say what mends them",
	.more = "Each check tries what the agent will do, and leaves the host as it was. A warning means that the "
		"agent runs with less; what is broken keeps it from its work, and makes the exit code 1.",
	.options = options,
	.json = true,
	.run = run,
};
