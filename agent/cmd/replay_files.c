// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_files.c - CSV files as recordings: one of a service, or columns and files of several. */
#include <fcntl.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/cmd/replay_job.h"

#define MAX_SCALE  1e9
#define MOST_APART 20 /* times as many steps as all have: more is a mistake */

/* "FILE" or "NAME=FILE"; *ret_n is the length of the name, 0: it has none. */
static const char *split(const char *arg, size_t *ret_n)
{
	size_t n = strcspn(arg, "=/");

	*ret_n = arg[n] == '=' ? n : 0;
	return arg[n] == '=' ? arg + n + 1 : arg;
}

/* Whether any of --csv has the name of its service. */
static bool are_named(const struct cmd_args *args)
{
	size_t n = 0;

	for (size_t i = 0; n == 0 && cmd_option_nth(args, "csv", i); i++)
		(void)split(cmd_option_nth(args, "csv", i), &n);
	return n > 0;
}

bool replay_hosts_meant(const struct cmd_args *args)
{
	const char *first = replay_policies_named(args, 0);
	_cleanup_(closep) int dir = first ? open(first, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	return dir >= 0 || are_named(args);
}

/* The file of @service, and in *ret whether it is of that one alone; NULL: there is none. */
static const char *file_of(const struct cmd_args *args, const char *service, bool *ret)
{
	const char *arg, *file, *wide = NULL;
	size_t n;

	for (size_t i = 0; (arg = cmd_option_nth(args, "csv", i)); i++) {
		file = split(arg, &n);
		*ret = n > 0;
		if (n == strlen(service) && strncmp(arg, service, n) == 0)
			return file;
		if (n == 0)
			wide = file;
	}
	*ret = false;
	return wide;
}

/* A file of one service has its CPU use where it is said, one of several in a column of its name.
 */
static int read_file(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *j,
		     struct replay_record *rec)
{
	const char *column = cmd_option(args, "column"), *file;
	struct err e = {};
	bool own = true;

	file = j->hosts ? file_of(args, rec->service, &own) : cmd_option(args, "csv");
	if (!file)
		return cmd_usage(cmd, "no recording of service '%s': add --csv %s=FILE",
				 rec->service, rec->service);
	if (csv_read(file, own ? column : rec->service, j->asked_step_ns, &rec->used, &e) < 0)
		return cmd_failed(e.text);
	return EXIT_OK;
}

/* A file for a service that no policy has is a mistake. */
static int check_names(const struct cmd *cmd, const struct cmd_args *args,
		       const struct replay_job *j)
{
	const char *arg;
	size_t n, k;

	for (size_t i = 0; (arg = cmd_option_nth(args, "csv", i)); i++) {
		if (!j->hosts && i > 0)
			return cmd_usage(cmd, "several files need the names of their services: "
					      "--csv NAME=FILE");
		(void)split(arg, &n);
		for (k = 0; n > 0 && k < j->n_records; k++)
			if (strlen(j->records[k].service) == n &&
			    strncmp(j->records[k].service, arg, n) == 0)
				break;
		if (j->hosts && n > 0 && k == j->n_records)
			return cmd_usage(cmd, "--csv %s: no policy has service '%.*s'", arg, (int)n,
					 arg);
	}
	return EXIT_OK;
}

/* All from the first to the last time of any. */
static int align_files(struct replay_job *j)
{
	int64_t start = INT64_MAX, end = INT64_MIN;
	size_t rows = 0, n;

	for (size_t i = 0; i < j->n_records; i++) {
		const struct csv_series *s = &j->records[i].used;

		if (s->step_ns != j->records[0].used.step_ns) {
			(void)fprintf(stderr,
				      "foreshape replay: the recordings have steps of %.6g "
				      "s and %.6g s: say which with --step\n",
				      (double)j->records[0].used.step_ns / (double)NS_PER_S,
				      (double)s->step_ns / (double)NS_PER_S);
			return EXIT_USAGE;
		}
		start = MIN(start, s->start_real_ns);
		end = MAX(end, s->start_real_ns + (int64_t)(s->n * s->step_ns));
		rows += s->n;
	}
	n = (size_t)(((uint64_t)end - (uint64_t)start) / j->records[0].used.step_ns);
	if (n > MOST_APART * rows)
		return cmd_failed("the recordings are of times far apart");
	for (size_t i = 0; i < j->n_records; i++)
		if (csv_move(&j->records[i].used, start, n) < 0)
			return cmd_failed("out of memory");
	return EXIT_OK;
}

int replay_files_read(const struct cmd *cmd, const struct cmd_args *args, struct replay_job *j)
{
	const char *scale = cmd_option(args, "scale");
	double times = 1;
	int r = EXIT_OK;

	if (scale && (parse_double(scale, &times) < 0 || !(times > 0) || times > MAX_SCALE))
		return cmd_usage(cmd, "--scale takes a number above 0 and up to 1e9, not '%s'",
				 scale);
	r = check_names(cmd, args, j);
	for (size_t i = 0; r == EXIT_OK && i < j->n_records; i++) {
		struct replay_record *rec = &j->records[i];

		rec->csv = (struct replay_csv){.used = &rec->used, .scale = times};
		r = read_file(cmd, args, j, rec);
	}
	if (r == EXIT_OK && j->n_records > 1)
		r = align_files(j);
	if (r != EXIT_OK)
		return r;
	j->n_steps = j->records[0].used.n;
	j->step_ns = j->records[0].used.step_ns;
	j->start_real_ns = j->records[0].used.start_real_ns;
	return EXIT_OK;
}
