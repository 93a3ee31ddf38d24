// SPDX-License-Identifier: GPL-2.0-or-later
/* scale.c - a thousand series at once, each observed, forecast and searched as its owner would. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <foreshape-forecast.h>

#define SERIES    1000
#define STEP_S    5
#define LEAD      6   /* steps of the forecast: 30 s */
#define WARM_UP   300 /* steps before it counts */
#define STEPS     1200
#define NS_PER_S  1e9
#define BYTES_KIB 1024

static const struct fsh_series_conf conf = {
	.step_ns = STEP_S * UINT64_C(1000000000), .horizon = 60, .max_period = 300};

/* Uniform in [0, 1). Steele, Lea, Flood (2014), SplitMix64. */
static double draw(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* Every series has a level, a period of its own and noise. */
static double value(unsigned int i, unsigned int t, uint64_t *seed)
{
	double season = sin(2 * 3.14159265358979 * t / (20 + i % 200));

	return (10 + i) * (1.5 + season) * (0.8 + 0.4 * draw(seed));
}

static double cpu_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / NS_PER_S;
}

/* Resident memory in KiB. */
static double resident_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long pages = 0;

	if (!f)
		return NAN;
	if (fscanf(f, "%*s %ld", &pages) != 1)
		pages = 0;
	(void)fclose(f);
	return (double)pages * 4096 / BYTES_KIB;
}

static double sum; /* of what was forecast, so that none of it is left out */

static void step(struct fsh_series *s, double x)
{
	struct fsh_forecast f;
	struct fsh_series_job *job;

	fsh_series_observe(s, x);
	fsh_series_predict_peak(s, LEAD, &f);
	sum += f.q[FSH_Q99];
	job = fsh_series_job_take(s);
	if (!job)
		return;
	fsh_series_job_run(job);
	fsh_series_job_give(s, job);
}

int main(void)
{
	static struct fsh_series *all[SERIES];
	double before_kib = resident_kib(), start_s = 0, used_s;
	uint64_t seed = 1;

	for (unsigned int i = 0; i < SERIES; i++)
		if (fsh_series_new(&conf, &all[i]) < 0)
			return EXIT_FAILURE;
	for (unsigned int t = 0; t < STEPS; t++) {
		if (t == WARM_UP)
			start_s = cpu_s();
		for (unsigned int i = 0; i < SERIES; i++)
			step(all[i], value(i, t, &seed));
	}
	used_s = cpu_s() - start_s;
	printf("{\"series1000_core_percent\": %.4f, \"series1000_us_each\": %.3f, \"series1000_mib\": %.2f, "
	       "\"state_kib\": %.3f, \"sum\": %.6g}\n",
	       100 * used_s / ((STEPS - WARM_UP) * STEP_S),
	       1e6 * used_s / (STEPS - WARM_UP) / SERIES, (resident_kib() - before_kib) / BYTES_KIB,
	       (double)fsh_series_save_size(all[0]) / BYTES_KIB, sum);
	for (unsigned int i = 0; i < SERIES; i++)
		fsh_series_free(all[i]);
	return EXIT_SUCCESS;
}
