// SPDX-License-Identifier: GPL-2.0-or-later
/* replay.c - one recorded step after the other: show the planner what a cgroup would, obey it. */
#include "agent/replay.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/base/cleanup.h"

#define PERIOD_NS   (100 * NS_PER_MS)
#define KNOWN_KNOBS (1u << KNOB_CPU_MAX | 1u << KNOB_CPU_WEIGHT)

struct replay {
	const struct replay_conf *conf;
	struct controller *controller;
	struct tick_api *apis; /* [n_apis + 1], all nothing: only CPU was recorded */
	uint64_t limit;        /* of cpu.max in force */
	uint64_t weight;
	uint64_t now_mono_ns;
	double reserved_mcpu; /* by the plan in force; NAN: none yet */
	double read_mcpu;     /* of its demand; NAN: nothing */
	struct forecast demand;
	bool forecast_made;
	enum reason reason;
	double limit_before_mcpu;            /* of the scored step before; NAN: none */
	double used_sum, limit_sum, seconds; /* mcpu-seconds; of the scored steps */
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

static uint64_t share_us(double share, const struct replay_step *step)
{
	return isfinite(share) ? (uint64_t)(share * (double)step->interval_ns / 1e3 + 0.5) : 0;
}

/* What does not depend on the limit. */
static void show_others(const struct replay_step *step, struct tick_service *ts)
{
	double seconds = (double)step->interval_ns / (double)NS_PER_S;

	if (!isfinite(step->memory_bytes))
		ts->missing |= MISSING_MEMORY;
	else
		ts->memory_bytes = ts->anon_bytes = (uint64_t)step->memory_bytes;
	if (!isfinite(step->psi_cpu))
		ts->missing |= MISSING_PSI;
	ts->psi_cpu_some_us = share_us(step->psi_cpu, step);
	ts->psi_memory_some_us = share_us(step->psi_memory, step);
	ts->psi_io_some_us = share_us(step->psi_io, step);
	if (!step->apis)
		ts->missing |= MISSING_APIS;
	else if (isfinite(step->tx_bits_per_s))
		ts->tx_bytes = (uint64_t)(step->tx_bits_per_s * seconds / (double)BITS_BYTE + 0.5);
}

/* The step as a cgroup would have shown it under the limit in force. */
static void show(const struct replay *r, const struct replay_step *step, struct tick_service *ts)
{
	double step_us = (double)step->interval_ns / (double)NS_PER_US;
	double used_mcpu = step->used_mcpu, over = 0;

	*ts = (struct tick_service){
		.known = KNOWN_KNOBS,
		.baseline_known = KNOWN_KNOBS,
		.apis = step->apis ? step->apis : r->apis,
		.nr_periods = MAX(step->interval_ns / PERIOD_NS, 1),
	};
	ts->knob[KNOB_CPU_MAX] = r->limit;
	ts->baseline[KNOB_CPU_MAX] = UNLIMITED;
	ts->knob[KNOB_CPU_WEIGHT] = r->weight;
	ts->baseline[KNOB_CPU_WEIGHT] = 100;
	show_others(step, ts);
	if (!isfinite(used_mcpu)) {
		ts->missing |= MISSING_CPU;
		return;
	}
	if (used_mcpu > (double)r->limit) {
		over = (used_mcpu - (double)r->limit) / used_mcpu;
		used_mcpu = (double)r->limit;
	}
	ts->cpu_usage_us = (uint64_t)(used_mcpu / 1000 * step_us + 0.5);
	/* For how long it was throttled is not recorded. */
	ts->nr_throttled = (uint64_t)ceil(fmax(over, step->throttled) * (double)ts->nr_periods);
	ts->throttled_us = (uint64_t)(over * step_us + 0.5);
}

/* The demand as the plan read it: a number behind the limit, or at the policy's quantile. */
static double read_demand(const struct replay *r, const struct plan_entry *max,
			  const struct plan_service *ps)
{
	const struct policy_service *p = &r->conf->set->services[0];
	double level = isfinite(p->forecast.quantile)
			       ? p->forecast.quantile
			       : r->conf->set->host.tiers[ps->effective_tier].quantile;

	for (size_t i = 0; i < max->n_inputs; i++)
		if (streq(max->inputs[i].name, "demand_mcpu"))
			return max->inputs[i].value;
	return forecast_at(&ps->demand_mcpu, level);
}

static void obey(struct replay *r, const struct plan *plan, struct replay_result *res)
{
	const struct plan_service *ps = &plan->services[0];

	r->reserved_mcpu = ps->planned_mcpu;
	r->demand = ps->demand_mcpu;
	r->forecast_made = ps->demand_mcpu.q[Q99] > 0;
	for (size_t i = 0; i < plan->n_entries; i++) {
		const struct plan_entry *e = &plan->entries[i];

		if (e->knob == KNOB_CPU_MAX) {
			r->reason = (enum reason)e->reason;
			r->read_mcpu = r->forecast_made ? read_demand(r, e, ps) : NAN;
		}
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
}

static void search_periods(struct controller *c)
{
	struct tick_job *job;

	while ((job = controller_job_take(c))) {
		controller_job_run(job);
		controller_job_give(c, job);
	}
}

static void score(struct replay *r, const struct replay_step *step, double limit,
		  struct replay_result *res)
{
	double seconds = (double)step->interval_ns / (double)NS_PER_S;
	bool is_short = step->used_mcpu > limit;

	res->scored++;
	r->seconds += seconds;
	r->used_sum += step->used_mcpu * seconds;
	r->limit_sum += limit * seconds;
	res->short_steps += is_short;
	res->short_minutes += is_short ? seconds / (double)S_PER_MIN : 0;
	if (fabs(limit - r->limit_before_mcpu) > REPLAY_MOVE * r->limit_before_mcpu)
		res->moves++;
	r->limit_before_mcpu = limit;
}

static void step(struct replay *r, const struct replay_step *now, struct replay_result *res)
{
	struct tick_service ts;
	struct tick_input in = {
		.now_mono_ns = r->now_mono_ns,
		.now_real_ns = now->ends_real_ns,
		.interval_ns = now->interval_ns,
		.host_cpu_used_mcpu = UNLIMITED,
		.host_memory_available_bytes = UNLIMITED,
		.services = &ts,
	};

	show(r, now, &ts);
	obey(r, tick_once(r->controller, &in), res);
	search_periods(r->controller);
}

static void summarise(const struct replay *r, struct replay_result *res)
{
	double mcpu_h = (double)MCPU * (double)S_PER_H;

	res->used_mean_mcpu = res->limit_mean_mcpu = NAN;
	res->slack = res->violations = res->moves_per_day = NAN;
	res->reserved_core_h = res->used_core_h = NAN;
	if (res->scored == 0) {
		res->short_minutes = NAN;
		return;
	}
	res->used_mean_mcpu = r->used_sum / r->seconds;
	res->limit_mean_mcpu = r->limit_sum / r->seconds;
	res->slack = r->limit_sum > 0 ? 1 - r->used_sum / r->limit_sum : 0;
	res->violations = (double)res->short_steps / (double)res->scored;
	res->moves_per_day = (double)res->moves / (r->seconds / (double)S_PER_DAY);
	res->reserved_core_h = r->limit_sum / mcpu_h;
	res->used_core_h = r->used_sum / mcpu_h;
}

struct replay_step replay_step_blank(int64_t ends_real_ns, uint64_t interval_ns)
{
	return (struct replay_step){ends_real_ns, interval_ns, NAN, NAN, NAN,
				    NAN,          NAN,         NAN, NAN, NULL};
}

static int replay_open(const struct replay_conf *conf, struct replay *r, struct err *e)
{
	int err;

	*r = (struct replay){.conf = conf, .limit = UNLIMITED, .weight = 100};
	r->reserved_mcpu = r->limit_before_mcpu = r->read_mcpu = NAN;
	r->reason = REASON_WARMING_UP;
	if (conf->set->n_services != 1)
		return err_say(e, -EINVAL, "replay takes the policy of one service");
	r->apis = calloc(conf->set->services[0].n_apis + 1, sizeof(*r->apis));
	if (!r->apis)
		return err_set(e, -ENOMEM, "replay");
	err = controller_new(conf->set, &conf->facts, conf->load->step_ns, &r->controller);
	return err < 0 ? err_set(e, err, "start the planner") : 0;
}

/* One step of the recording: what was in force is shown and scored, then the planner sees it. */
static int replay_step(struct replay *r, size_t i, struct replay_result *res)
{
	const struct replay_conf *c = r->conf;
	struct replay_step now;
	struct replay_now look = {
		.index = i,
		.step = &now,
		.limit_mcpu = limit_mcpu(r),
		.reason = r->reason,
		.demand = r->forecast_made ? &r->demand : NULL,
		.read_mcpu = r->read_mcpu,
	};
	int err = 0;

	c->load->read(c->load->arg, i, &now);
	look.skipped = r->now_mono_ns < c->skip_ns;
	look.scored = !look.skipped && isfinite(now.used_mcpu);
	if (c->look)
		err = c->look(c->arg, &look);
	if (err < 0)
		return err;
	if (look.scored)
		score(r, &now, look.limit_mcpu, res);
	r->now_mono_ns += now.interval_ns;
	step(r, &now, res);
	res->steps++;
	return 0;
}

int replay_run(const struct replay_conf *conf, struct replay_result *ret, struct err *e)
{
	_cleanup_(replay_close) struct replay r = {};
	struct replay_result res = {};
	size_t n = conf->load->n, some = n / 200 + 1, all = MAX(conf->parts, 1) * n;
	int err = replay_open(conf, &r, e);

	for (size_t i = 0; err == 0 && i < n; i++) {
		if (conf->progress && i % some == 0)
			conf->progress(conf->part * n + i, all);
		err = replay_step(&r, i, &res);
		if (err < 0)
			return err_set(e, err, "write the steps");
	}
	if (err < 0)
		return err;
	if (conf->progress && conf->part + 1 >= conf->parts)
		conf->progress(all, all);
	summarise(&r, &res);
	*ret = res;
	return 0;
}
