// SPDX-License-Identifier: GPL-2.0-or-later
/* job.c - period searches and tuning of all series, taken out one at a time and run where the owner
 * likes. */
#include <stdlib.h>

#include "shaping/state.h"

struct tick_job {
	struct series *series; /* only compared, never followed: it may be gone by then */
	struct series_job *job;
	struct gru_fit *fit; /* instead of both */
};

struct series *service_series(const struct service_state *s, size_t k)
{
	struct ladder *l = service_ladder(s, k / LADDER_CLOCKS);

	return l ? l->series[k % LADDER_CLOCKS] : NULL;
}

size_t service_n_series(const struct service_state *s)
{
	return (s->n_slots + SERVICE_LADDERS) * LADDER_CLOCKS;
}

/* The first job of any series of services @from to @to that @series_take has one of. */
static struct tick_job *take(struct controller *c, size_t from, size_t to,
			     struct series_job *(*series_take)(struct series *))
{
	struct tick_job *job = calloc(1, sizeof(*job));

	for (size_t i = from; job && i < to; i++) {
		const struct service_state *s = &c->services[i];

		for (size_t k = 0; k < service_n_series(s); k++) {
			job->series = service_series(s, k);
			job->job = job->series ? series_take(job->series) : NULL;
			if (job->job)
				return job;
		}
	}
	free(job);
	return NULL;
}

struct tick_job *controller_job_take(struct controller *c)
{
	return take(c, 0, c->n, series_job_take);
}

struct tick_job *controller_job_take_of(struct controller *c, uint32_t service)
{
	return service < c->n ? take(c, service, service + 1, series_job_take) : NULL;
}

struct tick_job *controller_tune_take(struct controller *c)
{
	struct tick_job *job = take(c, 0, c->n, series_tune_take);

	if (job)
		return job;
	job = calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	job->fit = network_take(c);
	if (job->fit)
		return job;
	free(job);
	return NULL;
}

void controller_job_run(struct tick_job *job)
{
	if (job->fit)
		network_run(job->fit);
	else
		series_job_run(job->job);
}

static bool has_series(const struct controller *c, const struct series *wanted)
{
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < service_n_series(&c->services[i]); k++)
			if (service_series(&c->services[i], k) == wanted)
				return true;
	return false;
}

static void give_fit(struct controller *c, struct gru_fit *fit)
{
	if (c)
		network_give(c, fit);
	else
		gru_fit_free(fit);
}

void controller_job_give(struct controller *c, struct tick_job *job)
{
	if (job->fit)
		give_fit(c, job->fit);
	else /* to nobody where a reload has dropped its series */
		series_job_give(c && has_series(c, job->series) ? job->series : NULL, job->job);
	free(job);
}
