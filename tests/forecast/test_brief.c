// SPDX-License-Identifier: GPL-2.0-or-later
/* test_brief.c - brief series: smaller, and no worse where values are many. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/base/util.h"
#include "forecast/forecast.h"
#include "forecast/random.h"
#include "tests/check.h"

#define VALUES 1500
#define FIRST  500 /* forecasts from there on count */
#define AHEAD  10

static double values[VALUES + AHEAD + 1];

static struct series *fresh(bool brief)
{
	struct series_conf conf = {
		.step_ns = NS_PER_S, .horizon = 60, .max_period = 60, .brief = brief};
	struct series *s;

	assert_int_equal(series_new(&conf, &s), 0);
	return s;
}

/* A wave of 25 steps, a slow walk of the level, and noise. */
static void make_values(void)
{
	uint64_t seed = 7;
	double level = 100;

	for (size_t t = 0; t < ARRAY_SIZE(values); t++) {
		level += 2 * random_unit(&seed) - 1;
		values[t] = fmax(level, 20) * (1 + 0.4 * sin(2 * M_PI * (double)t / 25)) *
			    (0.9 + 0.2 * random_unit(&seed));
	}
}

static double loss(const struct forecast *f, double x)
{
	double sum = 0;

	for (int i = 0; i < FORECAST_LEVELS; i++)
		sum += fmax(forecast_level[i] * (x - f->q[i]),
			    (forecast_level[i] - 1) * (x - f->q[i]));
	return sum;
}

/* The mean loss of forecasts of the next step and of AHEAD ahead, and how many .95 covered. */
static double run(bool brief, double *covered)
{
	struct series *s = fresh(brief);
	double sum = 0, n = 2 * (VALUES - FIRST);

	*covered = 0;
	for (size_t t = 0; t < VALUES; t++) {
		struct series_job *job;

		series_observe(s, values[t]);
		job = series_job_take(s);
		if (job) {
			series_job_run(job);
			series_job_give(s, job);
		}
		for (unsigned int step = 1; t >= FIRST && step <= AHEAD; step += AHEAD - 1) {
			struct forecast f;

			series_predict(s, step, &f);
			sum += loss(&f, values[t + step]) / n;
			*covered += (values[t + step] <= f.q[Q95]) / n;
		}
	}
	series_free(s);
	return sum;
}

static void a_brief_series_is_as_good(void **state)
{
	double full, brief, covered;

	(void)state;
	make_values();
	full = run(false, &covered);
	brief = run(true, &covered);
	assert_true(brief < 1.03 * full);
	assert_in_range(1000 * covered, 920, 980);
}

static void a_brief_series_is_smaller_and_another(void **state)
{
	struct series *full = fresh(false), *brief = fresh(true);
	size_t size = series_save_size(full), n = series_save_size(brief);
	void *bytes = malloc(size);

	(void)state;
	assert_true(n + 1024 < size);
	assert_int_equal(series_save(full, bytes, size), size);
	assert_int_equal(series_load(brief, bytes, size), -EINVAL);
	assert_int_equal(series_save(brief, bytes, size), n);
	assert_int_equal(series_load(full, bytes, n), -EINVAL);
	assert_int_equal(series_load(brief, bytes, n), 0);
	free(bytes);
	series_free(full);
	series_free(brief);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_brief_series_is_as_good),
		cmocka_unit_test(a_brief_series_is_smaller_and_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
