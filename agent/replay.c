// SPDX-License-Identifier: GPL-2.0-or-later
/* replay.c - one recorded step after the other: show the planner what cgroups would, obey it. */
#include "agent/replay.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/base/cleanup.h"
#include "agent/crew.h"
#include "shaping/latency.h"

#define PERIOD_NS   (100 * NS_PER_MS)
#define KNOWN_KNOBS (1u << KNOB_CPU_MAX | 1u << KNOB_CPU_WEIGHT)

/* One service: what is in force of it, what became of it. */
struct replayed {
	const struct policy_service *policy;
	struct tick_api *apis; /* [n_apis + 1], all nothing: only CPU was recorded */
	struct replay_step now;
	uint64_t limit; /* of cpu.max in force */
	uint64_t weight;
	double reserved_mcpu; /* by the plan in force; NAN: none yet */
	double read_mcpu;     /* of its demand; NAN: nothing */
	struct forecast demand;
	bool forecast_made;
	enum reason reason;
	double limit_before_mcpu;            /* of the scored step before; NAN: none */
	double used_sum, limit_sum, seconds; /* mcpu-seconds; of the scored steps */
	struct latency_queue queue;
	double answers, late; /* of scored steps, expected */
	double in_force_mcpu; /* in this step */
	bool scored;          /* this step is */
	struct replay_result res;
};

struct replay {
	const struct replay_conf *conf;
	struct controller *controller;
	struct crew *crew;
	size_t n;
	struct replayed *of;       /* [n] */
	struct tick_service *seen; /* [n] */
	struct tick_input in;
	uint64_t now_mono_ns;
};

static void replay_close(struct replay *r)
{
	crew_free(r->crew);
	controller_free(r->controller);
	for (size_t i = 0; r->of && i < r->n; i++)
		free(r->of[i].apis);
	free(r->of);
	free(r->seen);
}

/* What the step was bounded by, always a number. */
static double limit_mcpu(const struct replay *r, const struct replayed *s)
{
	if (s->limit != UNLIMITED)
		return (double)s->limit;
	if (s->policy->cpu.mode == CPU_RESERVE && isfinite(s->reserved_mcpu))
		return s->reserved_mcpu;
	return (double)r->conf->facts.capacity_mcpu;
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
static void show(const struct replayed *s, struct tick_service *ts)
{
	const struct replay_step *step = &s->now;
	double step_us = (double)step->interval_ns / (double)NS_PER_US;
	double used_mcpu = step->used_mcpu, over = 0;

	*ts = (struct tick_service){
		.known = KNOWN_KNOBS,
		.baseline_known = KNOWN_KNOBS,
		.apis = step->apis ? step->apis : s->apis,
		.nr_periods = MAX(step->interval_ns / PERIOD_NS, 1),
	};
	ts->knob[KNOB_CPU_MAX] = s->limit;
	ts->baseline[KNOB_CPU_MAX] = UNLIMITED;
	ts->knob[KNOB_CPU_WEIGHT] = s->weight;
	ts->baseline[KNOB_CPU_WEIGHT] = 100;
	show_others(step, ts);
	if (!isfinite(used_mcpu)) {
		ts->missing |= MISSING_CPU;
		return;
	}
	if (used_mcpu > (double)s->limit) {
		over = (used_mcpu - (double)s->limit) / used_mcpu;
		used_mcpu = (double)s->limit;
	}
	ts->cpu_usage_us = (uint64_t)(used_mcpu / 1000 * step_us + 0.5);
	/* For how long it was throttled is not recorded. */
	ts->nr_throttled = (uint64_t)ceil(fmax(over, step->throttled) * (double)ts->nr_periods);
	ts->throttled_us = (uint64_t)(over * step_us + 0.5);
}

/* The demand as the plan read it: a number behind the limit, or at the policy's quantile. */
static double read_demand(const struct replay *r, const struct replayed *s,
			  const struct plan_entry *max, const struct plan_service *ps)
{
	double level = isfinite(s->policy->forecast.quantile)
			       ? s->policy->forecast.quantile
			       : r->conf->set->host.tiers[ps->effective_tier].quantile;

	for (size_t i = 0; i < max->n_inputs; i++)
		if (streq(max->inputs[i].name, "demand_mcpu"))
			return max->inputs[i].value;
	return forecast_at(&ps->demand_mcpu, level);
}

static void obey_entry(struct replay *r, const struct plan *plan, const struct plan_entry *e)
{
	struct replayed *s = &r->of[e->service];

	if (e->knob == KNOB_CPU_MAX) {
		s->reason = (enum reason)e->reason;
		s->read_mcpu =
			s->forecast_made ? read_demand(r, s, e, &plan->services[e->service]) : NAN;
	}
	if (!e->change)
		return;
	if (e->knob == KNOB_CPU_MAX) {
		s->limit = e->value;
		s->res.changes++;
	} else if (e->knob == KNOB_CPU_WEIGHT) {
		s->weight = e->value;
	}
	tick_written(r->controller, e, e->value, 0);
}

static void obey(struct replay *r, const struct plan *plan)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct plan_service *ps = &plan->services[i];

		r->of[i].reserved_mcpu = ps->planned_mcpu;
		r->of[i].demand = ps->demand_mcpu;
		r->of[i].forecast_made = ps->demand_mcpu.q[Q99] > 0;
		r->of[i].res.contended += plan->contention;
	}
	for (size_t i = 0; i < plan->n_entries; i++)
		obey_entry(r, plan, &plan->entries[i]);
}

static void search_periods(struct controller *c, uint32_t service)
{
	struct tick_job *job;

	while ((job = controller_job_take_of(c, service))) {
		controller_job_run(job);
		controller_job_give(c, job);
	}
}

/* What arrived and what it costs; false: not known of this step. */
static bool find_load(const struct replay *r, uint32_t service, struct latency_load *ret)
{
	const struct replayed *s = &r->of[service];
	const struct replay_step *step = &s->now;
	double n = 0, us = 0, used_s = step->used_mcpu / (double)MCPU;

	*ret = (struct latency_load){.limit_mcpu = s->in_force_mcpu,
				     .seconds = (double)step->interval_ns / (double)NS_PER_S};
	if (!step->apis) {
		ret->cost_s = r->conf->request_cost_s;
		ret->rate_per_s = used_s / ret->cost_s;
		return ret->cost_s > 0 && isfinite(used_s);
	}
	for (size_t i = 0; i <= s->policy->n_apis; i++) {
		double of = (double)step->apis[i].requests;

		n += of;
		us += of > 0 ? of * controller_cpu_us(r->controller, service, (uint32_t)i) : 0;
	}
	ret->rate_per_s = n / ret->seconds;
	ret->cost_s = n > 0 ? us / n / (double)US_PER_S : 1;
	if (!(ret->cost_s > 0) || !isfinite(used_s))
		return false;
	/* Not more than was used, unless that was cut short. */
	if (n > 0 && !(step->throttled > 0))
		ret->cost_s = fmin(ret->cost_s, used_s / ret->rate_per_s);
	ret->other_mcpu = fmax(used_s - ret->rate_per_s * ret->cost_s, 0) * (double)MCPU;
	return ret->cost_s > 0;
}

/* How the limit that was in force would have kept the objective. */
static void expect(struct replay *r, uint32_t service)
{
	struct replayed *s = &r->of[service];
	const struct policy_slo *slo = &s->policy->slo;
	struct latency_load load;
	double late, n;

	if (!slo->set || !find_load(r, service, &load))
		return;
	late = latency_late(&load, (double)slo->latency_us / (double)US_PER_S, &s->queue);
	n = load.rate_per_s * load.seconds;
	if (!s->scored || !isfinite(late))
		return;
	s->answers += n;
	s->late += n * late;
}

/* What the planner learns of one service; others are learned at the same time. */
static void learn_one(void *arg, size_t i)
{
	struct replay *r = arg;

	show(&r->of[i], &r->seen[i]);
	expect(r, (uint32_t)i);
	search_periods(r->controller, (uint32_t)i);
	tick_learn(r->controller, (uint32_t)i, &r->in);
}

static void score(struct replayed *s, double limit)
{
	const struct replay_step *step = &s->now;
	double seconds = (double)step->interval_ns / (double)NS_PER_S;
	bool is_short = step->used_mcpu > limit;

	s->res.scored++;
	s->seconds += seconds;
	s->used_sum += step->used_mcpu * seconds;
	s->limit_sum += limit * seconds;
	s->res.short_steps += is_short;
	s->res.short_minutes += is_short ? seconds / (double)S_PER_MIN : 0;
	if (fabs(limit - s->limit_before_mcpu) > REPLAY_MOVE * s->limit_before_mcpu)
		s->res.moves++;
	s->limit_before_mcpu = limit;
}

static void plan_step(struct replay *r)
{
	const struct replay_step *step = &r->of[0].now; /* all of the same time */

	r->now_mono_ns += step->interval_ns;
	r->in = (struct tick_input){
		.now_mono_ns = r->now_mono_ns,
		.now_real_ns = step->ends_real_ns,
		.interval_ns = step->interval_ns,
		.host_cpu_used_mcpu = UNLIMITED,
		.host_memory_available_bytes = UNLIMITED,
		.services = r->seen,
	};
	tick_begin(r->controller, &r->in);
	crew_run(r->crew, learn_one, r, r->n);
	obey(r, tick_plan(r->controller, &r->in));
}

static void summarise(struct replayed *s)
{
	double mcpu_h = (double)MCPU * (double)S_PER_H;
	struct replay_result *res = &s->res;

	res->used_mean_mcpu = res->limit_mean_mcpu = NAN;
	res->slack = res->violations = res->moves_per_day = NAN;
	res->reserved_core_h = res->used_core_h = NAN;
	res->slo_expected = s->answers > 0 ? 1 - s->late / s->answers : NAN;
	if (res->scored == 0) {
		res->short_minutes = NAN;
		return;
	}
	res->used_mean_mcpu = s->used_sum / s->seconds;
	res->limit_mean_mcpu = s->limit_sum / s->seconds;
	res->slack = s->limit_sum > 0 ? 1 - s->used_sum / s->limit_sum : 0;
	res->violations = (double)res->short_steps / (double)res->scored;
	res->moves_per_day = (double)res->moves / (s->seconds / (double)S_PER_DAY);
	res->reserved_core_h = s->limit_sum / mcpu_h;
	res->used_core_h = s->used_sum / mcpu_h;
}

struct replay_step replay_step_blank(int64_t ends_real_ns, uint64_t interval_ns)
{
	return (struct replay_step){ends_real_ns, interval_ns, NAN, NAN, NAN,
				    NAN,          NAN,         NAN, NAN, NULL};
}

static int open_services(struct replay *r)
{
	r->of = calloc(r->n, sizeof(*r->of));
	r->seen = calloc(r->n, sizeof(*r->seen));
	if (!r->of || !r->seen)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++) {
		struct replayed *s = &r->of[i];

		s->policy = &r->conf->set->services[i];
		s->limit = UNLIMITED;
		s->weight = 100;
		s->reserved_mcpu = s->limit_before_mcpu = s->read_mcpu = NAN;
		s->reason = REASON_WARMING_UP;
		s->apis = calloc(s->policy->n_apis + 1, sizeof(*s->apis));
		if (!s->apis)
			return -ENOMEM;
	}
	return 0;
}

static int replay_open(const struct replay_conf *conf, struct replay *r, struct err *e)
{
	const struct replay_load *first = conf->loads;
	int err;

	*r = (struct replay){.conf = conf, .n = conf->set->n_services};
	if (r->n == 0)
		return err_say(e, -EINVAL, "replay takes the policy of a service");
	for (size_t i = 1; i < r->n; i++)
		if (conf->loads[i].n != first->n || conf->loads[i].step_ns != first->step_ns)
			return err_say(e, -EINVAL, "recordings are not of the same steps");
	if (open_services(r) < 0)
		return err_set(e, -ENOMEM, "replay");
	err = controller_new(conf->set, &conf->facts, first->step_ns, &r->controller);
	if (err < 0)
		return err_set(e, err, "start the planner");
	err = crew_new(conf->threads ? conf->threads : crew_size(r->n), &r->crew);
	if (err == -EAGAIN) /* no more threads for this user: it takes longer */
		err = crew_new(1, &r->crew);
	return err < 0 ? err_set(e, err, "replay") : 0;
}

/* What was in force is shown and scored. */
static int look_at(struct replay *r, size_t i, size_t service)
{
	const struct replay_conf *c = r->conf;
	const struct replay_load *load = &c->loads[service];
	struct replayed *s = &r->of[service];
	struct replay_now look = {
		.index = i,
		.service = service,
		.step = &s->now,
		.limit_mcpu = limit_mcpu(r, s),
		.reason = s->reason,
		.demand = s->forecast_made ? &s->demand : NULL,
		.read_mcpu = s->read_mcpu,
		.skipped = r->now_mono_ns < c->skip_ns,
	};
	int err = 0;

	load->read(load->arg, i, &s->now);
	look.scored = !look.skipped && isfinite(s->now.used_mcpu);
	if (c->look)
		err = c->look(c->arg, &look);
	if (err < 0)
		return err;
	s->in_force_mcpu = look.limit_mcpu;
	s->scored = look.scored;
	if (look.scored)
		score(s, look.limit_mcpu);
	s->res.steps++;
	return 0;
}

/* One step of all recordings, then the planner sees it. */
static int replay_step(struct replay *r, size_t i)
{
	int err = 0;

	for (size_t k = 0; err == 0 && k < r->n; k++)
		err = look_at(r, i, k);
	if (err == 0)
		plan_step(r);
	return err;
}

int replay_run(const struct replay_conf *conf, struct replay_result *ret, struct err *e)
{
	_cleanup_(replay_close) struct replay r = {};
	size_t n, some, all;
	int err = replay_open(conf, &r, e);

	if (err < 0)
		return err;
	assert(r.of && r.seen && r.crew);
	n = conf->loads[0].n;
	some = n / 200 + 1;
	all = MAX(conf->parts, 1) * n;
	for (size_t i = 0; i < n; i++) {
		if (conf->progress && i % some == 0)
			conf->progress(conf->part * n + i, all);
		err = replay_step(&r, i);
		if (err < 0)
			return err_set(e, err, "write the steps");
	}
	if (conf->progress && conf->part + 1 >= conf->parts)
		conf->progress(all, all);
	for (size_t i = 0; i < r.n; i++) {
		summarise(&r.of[i]);
		ret[i] = r.of[i].res;
	}
	return 0;
}
