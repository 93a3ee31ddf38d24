// SPDX-License-Identifier: GPL-2.0-or-later
/* replay.c - one recorded step after the other: show the planner what a cgroup would, obey it. */
#include "agent/replay.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/base/cleanup.h"

#define PERIOD_NS   (100 * NS_PER_MS)
#define CSV_TIME    64
#define KNOWN_KNOBS (1u << KNOB_CPU_MAX | 1u << KNOB_CPU_WEIGHT)

struct replay {
	const struct replay_conf *conf;
	struct controller *controller;
	struct tick_api *apis; /* [n_apis + 1], all nothing: only CPU was recorded */
	uint64_t limit;        /* of cpu.max in force */
	uint64_t weight;
	double reserved_mcpu; /* by the plan in force; NAN: none yet */
	const char *reason;
	double limit_before_mcpu; /* of the scored step before; NAN: none */
	double used_sum, limit_sum;
};

static void replay_close(struct replay *r)
{
	controller_free(r->controller);
	free(r->apis);
}

/* What the step was bounded by, always a number. */
static double limit_mcpu(const struct replay *r)
{
	const struct replay_conf *c = r->conf;

	if (r->limit != UNLIMITED)
		return (double)r->limit;
	if (c->set->services[0].cpu.mode == CPU_RESERVE && isfinite(r->reserved_mcpu))
		return r->reserved_mcpu;
	return (double)c->facts.capacity_mcpu;
}

/* The step as a cgroup would have shown it under the limit in force. */
static void show(const struct replay *r, double used_mcpu, struct tick_service *ts)
{
	uint64_t step_ns = r->conf->used->step_ns;
	double step_us = (double)step_ns / (double)NS_PER_US;
	double over = 0;

	*ts = (struct tick_service){
		.missing = MISSING_MEMORY | MISSING_PSI | MISSING_APIS,
		.known = KNOWN_KNOBS,
		.baseline_known = KNOWN_KNOBS,
		.apis = r->apis,
		.nr_periods = MAX(step_ns / PERIOD_NS, 1),
	};
	ts->knob[KNOB_CPU_MAX] = r->limit;
	ts->baseline[KNOB_CPU_MAX] = UNLIMITED;
	ts->knob[KNOB_CPU_WEIGHT] = r->weight;
	ts->baseline[KNOB_CPU_WEIGHT] = 100;
	if (!isfinite(used_mcpu)) {
		ts->missing |= MISSING_CPU;
		return;
	}
	if (used_mcpu > (double)r->limit) {
		over = (used_mcpu - (double)r->limit) / used_mcpu;
		used_mcpu = (double)r->limit;
	}
	ts->cpu_usage_us = (uint64_t)(used_mcpu / 1000 * step_us + 0.5);
	ts->nr_throttled = (uint64_t)ceil(over * (double)ts->nr_periods);
	ts->throttled_us = (uint64_t)(over * step_us + 0.5);
}

static void obey(struct replay *r, const struct plan *plan, struct replay_result *res)
{
	for (size_t i = 0; i < plan->n_entries; i++) {
		const struct plan_entry *e = &plan->entries[i];

		if (e->knob == KNOB_CPU_MAX)
			r->reason = reason_rows[e->reason].name;
		if (!e->change)
			continue;
		if (e->knob == KNOB_CPU_MAX) {
			r->limit = e->value;
			res->changes++;
		} else if (e->knob == KNOB_CPU_WEIGHT) {
			r->weight = e->value;
		}
		tick_written(r->controller, e, e->value, 0);
	}
	r->reserved_mcpu = plan->services[0].planned_mcpu;
}

static void search_periods(struct controller *c)
{
	struct tick_job *job;

	while ((job = controller_job_take(c))) {
		controller_job_run(job);
		controller_job_give(c, job);
	}
}

static void score(struct replay *r, double used, double limit, struct replay_result *res)
{
	res->scored++;
	r->used_sum += used;
	r->limit_sum += limit;
	res->short_steps += used > limit;
	if (fabs(limit - r->limit_before_mcpu) > REPLAY_MOVE * r->limit_before_mcpu)
		res->moves++;
	r->limit_before_mcpu = limit;
}

static int emit_step(const struct replay *r, size_t i, double used, double limit)
{
	char at[CSV_TIME];
	FILE *f = r->conf->emit;

	if (!f)
		return 0;
	csv_format_time(at, sizeof(at), r->conf->used, i);
	if (isfinite(used))
		(void)fprintf(f, "%s,%.3f,%.3f,%s\n", at, used, limit, r->reason);
	else
		(void)fprintf(f, "%s,,%.3f,%s\n", at, limit, r->reason);
	return ferror(f) ? -EIO : 0;
}

static void step(struct replay *r, size_t i, double used, struct replay_result *res)
{
	const struct csv_series *s = r->conf->used;
	struct tick_service ts;
	struct tick_input in = {
		.now_mono_ns = (i + 1) * s->step_ns,
		.now_real_ns = s->start_real_ns + (int64_t)((i + 1) * s->step_ns),
		.interval_ns = s->step_ns,
		.host_cpu_used_mcpu = UNLIMITED,
		.host_memory_available_bytes = UNLIMITED,
		.services = &ts,
	};

	show(r, used, &ts);
	obey(r, tick_once(r->controller, &in), res);
	search_periods(r->controller);
}

static void summarise(const struct replay *r, struct replay_result *res)
{
	double n = (double)res->scored;
	double days = n * (double)r->conf->used->step_ns / (double)(S_PER_DAY * NS_PER_S);

	res->used_mean_mcpu = res->limit_mean_mcpu = NAN;
	res->slack = res->violations = res->moves_per_day = NAN;
	if (res->scored == 0)
		return;
	res->used_mean_mcpu = r->used_sum / n;
	res->limit_mean_mcpu = r->limit_sum / n;
	res->slack = r->limit_sum > 0 ? 1 - r->used_sum / r->limit_sum : 0;
	res->violations = (double)res->short_steps / n;
	res->moves_per_day = (double)res->moves / days;
}

static int replay_open(const struct replay_conf *conf, struct replay *r, struct err *e)
{
	int err;

	*r = (struct replay){.conf = conf, .limit = UNLIMITED, .weight = 100};
	r->reserved_mcpu = r->limit_before_mcpu = NAN;
	r->reason = reason_rows[REASON_WARMING_UP].name;
	if (conf->set->n_services != 1)
		return err_say(e, -EINVAL, "replay takes the policy of one service");
	r->apis = calloc(conf->set->services[0].n_apis + 1, sizeof(*r->apis));
	if (!r->apis)
		return err_set(e, -ENOMEM, "replay");
	err = controller_new(conf->set, &conf->facts, conf->used->step_ns, &r->controller);
	return err < 0 ? err_set(e, err, "start the planner") : 0;
}

int replay_run(const struct replay_conf *conf, struct replay_result *ret, struct err *e)
{
	_cleanup_(replay_close) struct replay r = {};
	struct replay_result res = {};
	int err = replay_open(conf, &r, e);

	if (err < 0)
		return err;
	if (conf->emit)
		(void)fputs("time,used_mcpu,limit_mcpu,reason\n", conf->emit);
	for (size_t i = 0; i < conf->used->n; i++) {
		double used = conf->used->values[i] * conf->scale;
		double limit = limit_mcpu(&r);

		if (!isfinite(used) || used < 0)
			used = NAN;
		err = emit_step(&r, i, used, limit);
		if (err < 0)
			return err_set(e, err, "write the steps");
		if (isfinite(used) && i * conf->used->step_ns >= conf->skip_ns)
			score(&r, used, limit, &res);
		step(&r, i, used, &res);
		res.steps++;
	}
	summarise(&r, &res);
	*ret = res;
	return 0;
}
