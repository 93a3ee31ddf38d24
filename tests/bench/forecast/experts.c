// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * experts.c - errors of the combination beside those of each model by itself: experts STEP_S
 * HORIZON TRAIN STRIDE, a value a line on standard input, "NA" where none was measured.
 *
 * What each would have said at origins TRAIN, TRAIN + STRIDE, ... of all steps to HORIZON: the mean
 * absolute error of the median, as a share of the mean value; and of the steps from COLD_FROM to
 * COLD_TO those of the combination and of the newest value.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast/series_state.h"

#define VALUES_MAX 100000
#define COLD_FROM  60
#define COLD_TO    240

static double values[VALUES_MAX];

struct errors {
	double combined, model[SERIES_MODELS], size;
};

static size_t read_values(void)
{
	char line[64];
	size_t n = 0;

	while (n < VALUES_MAX && fgets(line, sizeof(line), stdin))
		values[n++] = strncmp(line, "NA", 2) == 0 ? NAN : strtod(line, NULL);
	return n;
}

/* What was said after value @now of those that follow, as far as there are. */
static void score(const struct series *s, size_t now, unsigned int horizon, size_t n,
		  struct errors *e)
{
	struct past *past = series_past(s);

	for (unsigned int step = 1; step <= horizon && now + step < n; step++) {
		double y = values[now + step];
		struct forecast f;

		if (isnan(y))
			continue;
		series_predict(s, step, &f);
		e->combined += fabs(y - f.q[Q50]);
		e->size += fabs(y);
		for (size_t m = 0; m < SERIES_MODELS; m++) {
			struct guess g;

			forecast_models[m]->predict(series_model(s, m), past, step, &g);
			e->model[m] += fabs(y - past_from_log(past, g.x));
		}
	}
}

static void run(struct series *s, const struct series_conf *conf, size_t n, size_t train,
		size_t stride, struct errors *all, struct errors *cold)
{
	for (size_t i = 0; i < n; i++) {
		struct series_job *job;

		series_observe(s, values[i]);
		job = series_job_take(s);
		if (job)
			series_job_run(job);
		series_job_give(s, job);
		if (i + 1 >= train && (i + 1 - train) % stride == 0)
			score(s, i, conf->horizon, n, all);
		if (i + 1 >= COLD_FROM && i + 1 <= COLD_TO)
			score(s, i, conf->horizon, n, cold);
	}
}

int main(int argc, char **argv)
{
	struct errors all = {}, cold = {};
	struct series_conf conf = {};
	struct series *s = NULL;
	size_t n = read_values();

	if (argc != 5 || n == 0)
		return 2;
	conf.step_ns = strtoull(argv[1], NULL, 10) * UINT64_C(1000000000);
	conf.horizon = (unsigned int)strtoul(argv[2], NULL, 10);
	conf.max_period = n / 2 < 10080 ? (unsigned int)(n / 2) : 10080;
	if (series_new(&conf, &s) < 0)
		return 2;
	run(s, &conf, n, strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), &all, &cold);
	printf("{\"combination\": %.9g, \"cold\": %.9g, \"cold_last\": %.9g, \"models\": {",
	       all.combined / all.size, cold.combined / cold.size, cold.model[0] / cold.size);
	for (size_t m = 0; m < series_speaking(s); m++)
		printf("%s\"%s\": %.9g", m > 0 ? ", " : "", forecast_models[m]->name,
		       all.model[m] / all.size);
	printf("}}\n");
	series_free(s);
	return 0;
}
