// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_csv.c - a column of a CSV file as a recording of CPU use. */
#include <math.h>

#include "agent/replay.h"

static void read_csv(const void *arg, size_t i, struct replay_step *ret)
{
	const struct replay_csv *csv = arg;
	const struct csv_series *s = csv->used;
	double used = s->values[i] * csv->scale;

	*ret = replay_step_blank(s->start_real_ns + (int64_t)((i + 1) * s->step_ns), s->step_ns);
	if (isfinite(used) && used >= 0)
		ret->used_mcpu = used;
}

struct replay_load replay_csv_load(const struct replay_csv *csv)
{
	return (struct replay_load){
		.n = csv->used->n, .step_ns = csv->used->step_ns, .read = read_csv, .arg = csv};
}
