// SPDX-License-Identifier: GPL-2.0-or-later
/* store_record.c - each kind of record into the queue, values in the order of its statement. */
#include <math.h>
#include <time.h>

#include "agent/base/util.h"
#include "agent/store_private.h"

#define SECOND_HORIZON_NS (300 * NS_PER_S)       /* shorter: the 1 s clock */
#define MINUTE_HORIZON_NS (S_PER_DAY * NS_PER_S) /* up to it: the 1 min clock */

static int64_t seconds(int64_t real_ns)
{
	return real_ns / (int64_t)NS_PER_S;
}

static const char *route_name(const char *route)
{
	return route ? route : "";
}

static void service_sample(struct store *s, const struct store_sample *v)
{
	const double gauges[] = {v->cpu_mcpu,      v->throttled_ratio,  v->memory_bytes,
				 v->tx_bits_per_s, v->psi_cpu,          v->psi_memory,
				 v->psi_io,        v->working_set_bytes};
	struct records *q = store_begin(s, LANE_BULK, RECORD_SERVICE_SAMPLE);

	record_int(q, seconds(v->at_real_ns));
	record_text(q, v->service);
	record_text(q, "");
	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++)
		record_real(q, gauges[i]);
	store_end(s, LANE_BULK, q);
}

static void route_sample(struct store *s, const struct store_sample *v)
{
	const double gauges[] = {v->in_flight,    v->ttfb_p50_us,  v->ttfb_p99_us,
				 v->total_p50_us, v->total_p99_us, v->cpu_us_per_request};
	struct records *q = store_begin(s, LANE_BULK, RECORD_ROUTE_SAMPLE);

	record_int(q, seconds(v->at_real_ns));
	record_text(q, v->service);
	record_text(q, v->route);
	record_count(q, v->requests);
	for (size_t i = 0; i < ARRAY_SIZE(v->responses); i++)
		record_count(q, v->responses[i]);
	record_count(q, v->aborted);
	record_count(q, v->bytes_in);
	record_count(q, v->bytes_out);
	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++)
		record_real(q, gauges[i]);
	store_end(s, LANE_BULK, q);
}

void store_sample(struct store *s, const struct store_sample *sample)
{
	if (sample->route)
		route_sample(s, sample);
	else
		service_sample(s, sample);
}

/* Start of the step of the rollups that a forecast is about: the one it overlaps most. */
static int64_t target(const struct store_forecast *f, uint64_t step_ns)
{
	int64_t end_ns = f->at_real_ns + (int64_t)f->horizon_ns,
		step = (int64_t)(step_ns / NS_PER_S);

	if (step == 1) /* a sample is stamped at the end of its second */
		return seconds(end_ns);
	return seconds(end_ns - (int64_t)step_ns / 2) / step * step;
}

static uint64_t step_of(const struct store_forecast *f)
{
	if (f->step_ns)
		return MAX(f->step_ns, NS_PER_S);
	if (f->horizon_ns < SECOND_HORIZON_NS)
		return NS_PER_S;
	return (f->horizon_ns <= MINUTE_HORIZON_NS ? S_PER_MIN : S_PER_H) * NS_PER_S;
}

static void record_levels(struct records *q, const struct forecast *f)
{
	static const int kept[] = {Q05, Q10, Q25, Q50, Q75, Q90, Q95, Q99}; /* columns */

	record_real(q, f->mean);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		record_real(q, f->q[kept[i]]);
}

void store_forecast(struct store *s, const struct store_forecast *f)
{
	uint64_t step_ns = step_of(f);
	struct records *q = store_begin(s, LANE_BULK, RECORD_FORECAST);

	record_int(q, f->at_real_ns);
	record_text(q, f->service);
	record_text(q, f->series);
	record_count(q, f->horizon_ns / NS_PER_S);
	record_count(q, step_ns / NS_PER_S);
	record_int(q, target(f, step_ns));
	record_levels(q, f->f);
	store_end(s, LANE_BULK, q);
}

void store_forecast_model(struct store *s, const struct store_forecast_model *m)
{
	struct records *q = store_begin(s, LANE_BULK, RECORD_FORECAST_MODEL);

	record_int(q, seconds(m->at_real_ns));
	record_text(q, m->service);
	record_text(q, m->series);
	record_count(q, m->horizon_ns / NS_PER_S);
	record_text(q, m->model);
	record_real(q, m->weight);
	record_real(q, m->loss);
	store_end(s, LANE_BULK, q);
}

void store_demand(struct store *s, const struct store_demand *d)
{
	struct records *q = store_begin(s, LANE_BULK, RECORD_DEMAND);

	record_int(q, seconds(d->at_real_ns));
	record_text(q, d->service);
	record_text(q, d->resource);
	record_count(q, d->lead_ns / NS_PER_S);
	record_real(q, d->weight_apis);
	record_levels(q, d->f);
	store_end(s, LANE_BULK, q);
}

void store_slo(struct store *s, const struct store_slo *slo)
{
	struct records *q = store_begin(s, LANE_BULK, RECORD_SLO);

	record_int(q, seconds(slo->at_real_ns));
	record_text(q, slo->service);
	record_text(q, route_name(slo->route));
	record_real(q, slo->objective);
	record_count(q, slo->latency_us);
	record_real(q, slo->attained);
	record_real(q, slo->burn_rate);
	store_end(s, LANE_BULK, q);
}

/* What is lent for a moment comes several times a second: it waits for the second's transaction. */
static enum lane lane_of(const char *reason)
{
	return reason && (streq(reason, "loan") || streq(reason, "loan_back")) ? LANE_BULK
									       : LANE_AUDIT;
}

int64_t store_decision(struct store *s, const struct store_decision *d)
{
	int64_t id = s->next_id++;
	enum lane lane = lane_of(d->reason);
	struct records *q = store_begin(s, lane, RECORD_DECISION);

	record_int(q, id);
	record_int(q, d->at_real_ns);
	record_text(q, d->service);
	record_text(q, d->knob);
	record_limit(q, d->before);
	record_limit(q, d->value);
	record_text(q, d->reason);
	record_text(q, d->mode);
	record_text(q, d->inputs_json);
	record_text(q, d->refused_json);
	record_text(q, d->policy);
	store_end(s, lane, q);
	return id;
}

void store_write(struct store *s, const struct store_write *w)
{
	int64_t id = s->next_id++;
	enum lane lane = lane_of(w->reason);
	struct records *q = store_begin(s, lane, RECORD_WRITE);

	record_int(q, id);
	record_int(q, w->at_real_ns);
	record_int(q, w->decision_id);
	record_text(q, w->service);
	record_text(q, w->knob);
	record_limit(q, w->before);
	record_limit(q, w->after);
	record_limit(q, w->asked);
	record_int(q, w->err);
	record_text(q, w->reason);
	store_end(s, lane, q);
}

void store_event(struct store *s, int64_t at_real_ns, const char *kind, const char *service,
		 const char *text)
{
	int64_t id = s->next_id++;
	struct records *q = store_begin(s, LANE_AUDIT, RECORD_EVENT);

	record_int(q, id);
	record_int(q, at_real_ns);
	record_text(q, kind);
	record_text(q, service);
	record_text(q, text);
	record_text(q, s->boot_id);
	store_end(s, LANE_AUDIT, q);
}

void store_baseline(struct store *s, int64_t at_real_ns, const char *service, const char *cgroup,
		    const char *knob, uint64_t value)
{
	struct records *q = store_begin(s, LANE_AUDIT, RECORD_BASELINE);

	record_int(q, at_real_ns);
	record_text(q, service);
	record_text(q, cgroup);
	record_text(q, knob);
	record_limit(q, value);
	record_text(q, s->boot_id);
	store_end(s, LANE_AUDIT, q);
}

bool store_state(struct store *s, const char *key, const void *bytes, size_t size)
{
	struct timespec now;
	struct records *q;

	clock_gettime(CLOCK_REALTIME, &now);
	q = store_begin(s, LANE_BULK, RECORD_STATE);
	record_int(q, now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec);
	record_text(q, key);
	record_blob(q, bytes, size);
	return store_end(s, LANE_BULK, q);
}

void store_tape(struct store *s, const struct store_tape *t)
{
	struct records *q = store_begin(s, LANE_BULK, RECORD_TAPE);

	record_int(q, t->begun_real_ns);
	record_count(q, t->part);
	record_int(q, t->at_real_ns);
	record_blob(q, t->bytes, t->size);
	store_end(s, LANE_BULK, q);
}

int64_t store_known_event_add(struct store *s, const struct store_known_event *ev)
{
	int64_t id = s->next_id++;
	struct records *q = store_begin(s, LANE_AUDIT, RECORD_KNOWN_ADD);

	record_int(q, id);
	record_text(q, ev->service);
	record_text(q, ev->name);
	record_int(q, ev->starts_real_ns);
	record_count(q, ev->lasts_ns);
	record_real(q, ev->multiplier);
	store_end(s, LANE_AUDIT, q);
	return id;
}

void store_known_event_remove(struct store *s, int64_t id)
{
	struct records *q = store_begin(s, LANE_AUDIT, RECORD_KNOWN_REMOVE);

	record_int(q, id);
	store_end(s, LANE_AUDIT, q);
}
