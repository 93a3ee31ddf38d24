// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_loan_any.c - loans in any order of looks, ticks and answers, with what may happen to a host
 * in between: what is in force is the plan and what is lent, within the policy and the host.
 */
#include <errno.h>

#include "tests/check.h"
#include "shaping/reason.h"
#include "shaping/state.h"
#include "tests/shaping/world.h"

#define SEEDS   20
#define SECONDS 240
#define CALM_S  60 /* after which nothing is lent any more */
#define ORDERS  16
#define LOOKS   10

/* The keeper's side: orders are carried out one after the other, @late looks after they came. */
static struct host {
	struct world w;
	uint64_t seed, limit, burst;
	struct {
		struct plan_entry e;
		int due;
	} orders[ORDERS];
	size_t n_orders;
	bool in_flight[KNOB_COUNT];
	bool calm, gone;
	double waiting;
	size_t loans;
} h;

static uint64_t any(uint64_t below)
{
	return world_random(&h.seed) % below;
}

static bool comes(uint64_t once_in)
{
	return !h.calm && any(once_in) == 0;
}

static struct service_state *shop(void)
{
	return &h.w.controller->services[0];
}

static uint64_t most(void)
{
	const struct policy_cpu *p = &h.w.services[0].cpu;
	uint64_t ceiling = MIN(p->ceiling_mcpu, h.w.facts.capacity_mcpu);

	return MAX(ceiling, p->floor_mcpu);
}

/* A decision is within the policy and the host, and takes the plan no more than a step down. */
static void check_entry(const struct plan_entry *e, double plan)
{
	const struct policy_cpu *p = &h.w.services[0].cpu;
	double from = plan < (double)UNLIMITED ? plan : (double)most();
	double least = fmin(from * 0.75, (double)most());

	assert_true(e->change || e->value == e->before);
	if (e->knob != KNOB_CPU_MAX || !e->change ||
	    (e->value == UNLIMITED && p->ceiling_mcpu == UNLIMITED))
		return;
	assert_in_range(e->value, MAX(p->floor_mcpu, 10), most());
	if (e->value < e->before)
		assert_true((double)e->value + 2 >= least);
}

static void check_state(void)
{
	const struct service_kept *k = &shop()->kept;

	assert_true(kept_is_sound(k));
	assert_true(k->lent_mcpu >= 0);
}

static void send(const struct plan_entry *e)
{
	if (h.w.observe || (h.in_flight[e->knob] && !e->urgent) || h.n_orders == ORDERS)
		return;
	h.in_flight[e->knob] = true;
	h.orders[h.n_orders].due = h.calm || any(3) ? 0 : (int)any(25);
	h.orders[h.n_orders++].e = *e;
}

static int carry_out(const struct plan_entry *e, uint64_t *after)
{
	const struct policy_cpu *p = &h.w.services[0].cpu;
	uint64_t v = MAX(MIN(e->value, MAX(p->ceiling_mcpu, p->floor_mcpu)), p->floor_mcpu);

	if (h.gone)
		return -ENOENT;
	if (comes(20))
		return -EIO;
	if (h.w.seen[0].yielded & 1u << e->knob)
		return -EPERM;
	if (e->knob == KNOB_CPU_MAX_BURST)
		h.burst = *after = e->value;
	if (e->knob != KNOB_CPU_MAX)
		return 0;
	if (v < h.limit && v * 100 < h.burst)
		return -EINVAL;
	h.limit = e->urgent ? MAX(h.limit, v) : v;
	*after = h.limit;
	return 0;
}

static void answer(void)
{
	const struct plan_entry e = h.orders[0].e;
	const struct service_kept *k = &shop()->kept;
	uint64_t after = e.value;
	int r = carry_out(&e, &after);

	memmove(h.orders, h.orders + 1, --h.n_orders * sizeof(h.orders[0]));
	h.in_flight[e.knob] = false;
	tick_written(h.w.controller, &e, after, r);
	if (r < 0)
		return;
	h.w.seen[0].knob[e.knob] = after;
	if (e.knob == KNOB_CPU_MAX && after != UNLIMITED)
		assert_float_equal((double)k->knobs[e.knob].value + k->lent_mcpu, (double)after, 1);
}

static void answers(void)
{
	while (h.n_orders && h.orders[0].due-- <= 0)
		answer();
}

static void foreign(void)
{
	struct tick_service *ts = &h.w.seen[0];

	if (comes(400))
		ts->yielded ^= 1u << KNOB_CPU_MAX;
	if (ts->yielded && comes(20) && !h.gone)
		ts->knob[KNOB_CPU_MAX] = h.limit =
			any(4) ? MAX(50 + any(1900), h.burst / 100) : UNLIMITED;
	if (h.calm)
		ts->yielded = 0;
}

/* A cgroup that goes, and is made anew with another limit. */
static void vanish(void)
{
	struct tick_service *ts = &h.w.seen[0];

	if (h.gone && (h.calm || any(15) == 0)) {
		h.gone = false;
		h.burst = 0;
		h.limit = 50 + any(1900);
		ts->known = WORLD_CPU;
		ts->knob[KNOB_CPU_MAX] = h.limit;
		ts->knob[KNOB_CPU_MAX_BURST] = 0;
		ts->missing = 0;
	} else if (comes(500)) {
		h.gone = true;
		ts->known = 0;
		ts->knob[KNOB_CPU_MAX] = 0;
		ts->missing = MISSING_ALL;
	}
}

static void reload(void)
{
	struct policy_service *p = &h.w.services[0];
	struct controller *c = NULL;

	if (!comes(300) && !h.calm)
		return;
	p->cpu.floor_mcpu = h.calm || any(2) ? 0 : any(900);
	p->cpu.ceiling_mcpu = h.calm || any(2) ? UNLIMITED : p->cpu.floor_mcpu + 10 + any(900);
	p->cpu.mode = h.calm || any(5) ? CPU_CAP : CPU_RESERVE;
	p->slo.set = h.calm || any(5);
	p->slo.latency_us = any(3) ? 100000 : any(2) ? 1000 : 60000000;
	h.w.set.host.reserve_mcpu = h.calm || any(4) ? 100 : 1800;
	assert_int_equal(controller_reload(h.w.controller, &h.w.set, &h.w.facts, &c), 0);
	controller_free(h.w.controller);
	h.w.controller = c;
}

/* Another worker: it begins with what was saved, and no answer comes any more. */
static void restart(void)
{
	struct controller *c;
	unsigned char *buf;
	size_t n;

	if (!comes(500))
		return;
	n = controller_save_size(h.w.controller);
	buf = malloc(n);
	assert_non_null(buf);
	assert_int_equal(controller_save(h.w.controller, buf, n), n);
	c = world_controller(&h.w);
	assert_true(controller_load(c, buf, n) >= 0);
	free(buf);
	controller_free(h.w.controller);
	h.w.controller = c;
	while (h.n_orders) {
		uint64_t after;

		(void)carry_out(&h.orders[0].e, &after);
		memmove(h.orders, h.orders + 1, --h.n_orders * sizeof(h.orders[0]));
	}
	memset(h.in_flight, 0, sizeof(h.in_flight));
	h.w.seen[0].knob[KNOB_CPU_MAX] = h.gone ? 0 : h.limit;
	h.w.seen[0].knob[KNOB_CPU_MAX_BURST] = h.burst;
}

static double in_flight(void)
{
	static const double odd[] = {NAN, INFINITY, -INFINITY, -5, 1e300};

	if (comes(100))
		return odd[any(ARRAY_SIZE(odd))];
	if (comes(30))
		h.waiting = (double)any(300);
	h.waiting *= 0.8;
	return h.calm ? 0 : h.waiting;
}

static void look(uint64_t now_ns)
{
	struct tick_service ts = h.w.seen[0];
	double plan = (double)shop()->kept.knobs[KNOB_CPU_MAX].value;
	struct plan_entry e;

	ts.nr_periods = 1;
	ts.nr_throttled = !h.calm && any(2);
	ts.throttled_us = ts.nr_throttled * 50000;
	ts.cpu_usage_us = 10000;
	h.w.apis[0][0].in_flight = in_flight();
	if (h.gone || h.w.frozen || h.limit == UNLIMITED ||
	    !tick_guard(h.w.controller, 0, &ts, now_ns, 100 * NS_PER_MS, &e))
		return;
	assert_true(e.reason == REASON_LOAN_BACK || e.value > e.before);
	check_entry(&e, e.reason == REASON_LOAN_BACK ? plan / 0.75 : 0);
	h.loans += e.reason == REASON_LOAN;
	send(&e);
}

static void tick(void)
{
	static const uint64_t costs_us[] = {0, 2000000};
	uint64_t requests = h.calm ? 0 : any(200), cost = comes(60) ? costs_us[any(2)] : 3000;
	struct tick_service *ts = &h.w.seen[0];
	struct tick_input in;
	double plan;

	h.w.frozen = !h.calm && (h.w.frozen ? any(4) : any(60) == 0);
	h.w.observe = !h.calm && (h.w.observe ? any(4) : any(60) == 0);
	h.w.interval_ns = comes(40) ? 7 * NS_PER_S : NS_PER_S;
	if (comes(100))
		h.w.now_ns /= 2;
	ts->cpu_usage_us = MIN(requests * cost, h.limit * 1000);
	ts->nr_periods = LOOKS;
	ts->nr_throttled = h.calm ? 0 : any(LOOKS);
	ts->throttled_us = ts->nr_throttled * 50000;
	h.w.apis[0][0] = (struct tick_api){.requests = requests,
					   .finished = requests,
					   .slo_total = requests,
					   .slo_good = requests - (comes(5) ? requests / 3 : 0)};
	in = world_input(&h.w);
	plan = (double)loan_base(shop(), ts->knob[KNOB_CPU_MAX]);
	h.w.plan = tick_once(h.w.controller, &in);
	for (size_t k = 0; k < h.w.plan->n_entries; k++) {
		if (!h.w.observe)
			check_entry(&h.w.plan->entries[k], plan);
		if (h.w.plan->entries[k].change)
			send(&h.w.plan->entries[k]);
	}
	world_search(h.w.controller);
}

static void second(void)
{
	for (unsigned int k = 1; k <= LOOKS; k++) {
		foreign();
		vanish();
		if (!h.calm) {
			reload();
			restart();
		}
		look(h.w.now_ns + k * 100 * NS_PER_MS);
		answers();
		check_state();
	}
	tick();
	answers();
	check_state();
}

static void host_init(uint64_t seed)
{
	struct policy_service *p;

	memset(&h, 0, sizeof(h));
	world_init(&h.w, 2000);
	h.seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	h.w.set.host.dwell_ns = 10 * NS_PER_S;
	p = world_add(&h.w, "shop", TIER_GOLD);
	p->cpu.mode = CPU_CAP;
	p->forecast.lead_ns = 30 * NS_PER_S;
	p->slo = (struct policy_slo){
		.set = true, .objective = 0.99, .latency_us = 100000, .window_s = 300};
	h.w.seen[0].missing = 0;
	h.limit = UNLIMITED;
	h.w.controller = world_controller(&h.w);
}

static void what_is_in_force_is_plan_and_loan(void **state)
{
	size_t loans = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		host_init(seed);
		for (int t = 0; t < SECONDS; t++)
			second();
		h.calm = true;
		reload();
		for (int t = 0; t < CALM_S; t++)
			second();
		assert_true(shop()->kept.lent_mcpu <= 0.06 * (double)h.limit);
		world_free(&h.w);
		loans += h.loans;
	}
	assert_true(loans > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_force_is_plan_and_loan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
