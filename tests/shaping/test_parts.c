// SPDX-License-Identifier: GPL-2.0-or-later
/* test_parts.c - a tick in its parts decides what a whole one does, whatever the order. */
#include "tests/check.h"
#include "tests/shaping/world.h"

#define TICKS 400

/* Of @w as it is seen now. */
static struct tick_input input_of(struct world *w)
{
	return (struct tick_input){
		.now_mono_ns = w->now_ns,
		.now_real_ns = (int64_t)w->now_ns,
		.interval_ns = w->interval_ns,
		.host_cpu_used_mcpu = UNLIMITED,
		.host_memory_available_bytes = w->available_bytes,
		.services = w->seen,
	};
}

/* More is wanted than there is, in waves; requests of two services. */
static void see(struct world *w, int t, uint64_t *seed)
{
	for (size_t i = 0; i < w->set.n_services; i++) {
		double wave = t % (20 + 7 * (int)i) < 10 ? 2 : 1;
		double mcpu = 300 * wave * (0.9 + 0.2 * world_unit(seed));
		uint64_t n = (uint64_t)(mcpu / 5);

		mcpu = fmin(mcpu, (double)w->seen[i].knob[KNOB_CPU_MAX]);
		w->seen[i].cpu_usage_us = (uint64_t)(mcpu * 1000);
		w->seen[i].nr_periods = 10;
		for (size_t k = 0; k <= w->services[i].n_apis; k++)
			w->apis[i][k] = (struct tick_api){.requests = n, .finished = n};
	}
	w->now_ns += w->interval_ns;
}

static void obey(struct world *w, const struct plan *plan)
{
	for (size_t k = 0; k < plan->n_entries; k++) {
		const struct plan_entry *e = &plan->entries[k];

		if (!e->change)
			continue;
		w->seen[e->service].knob[e->knob] = e->value;
		w->writes++;
		tick_written(w->controller, e, e->value, 0);
	}
}

static void make(struct world *w)
{
	static const char *const names[] = {"a", "b", "c", "d"};

	world_init(w, 2000);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct policy_service *s = world_add(w, names[i], (enum tier)(i % TIER_COUNT));

		s->cpu.mode = i < 2 ? CPU_CAP : CPU_RESERVE;
		if (i % 2 == 0) {
			s->n_apis = 1;
			w->seen[i].missing = 0;
		}
	}
	w->controller = world_controller(w);
}

/* Jobs of one service after those of another, in the order in which they are learned. */
static const struct plan *in_parts(struct world *w)
{
	struct tick_input in = input_of(w);

	tick_begin(w->controller, &in);
	for (uint32_t i = (uint32_t)w->set.n_services; i-- > 0;) {
		struct tick_job *job;

		while ((job = controller_job_take_of(w->controller, i))) {
			controller_job_run(job);
			controller_job_give(w->controller, job);
		}
		tick_learn(w->controller, i, &in);
	}
	return tick_plan(w->controller, &in);
}

static void same_entries(const struct plan *a, const struct plan *b)
{
	assert_int_equal(a->n_entries, b->n_entries);
	for (size_t k = 0; k < a->n_entries; k++) {
		const struct plan_entry *x = &a->entries[k], *y = &b->entries[k];

		assert_int_equal(x->value, y->value);
		assert_int_equal(x->reason, y->reason);
		assert_int_equal(x->refused, y->refused);
		assert_int_equal(x->n_inputs, y->n_inputs);
		for (size_t i = 0; i < x->n_inputs; i++)
			assert_memory_equal(&x->inputs[i].value, &y->inputs[i].value,
					    sizeof(double));
	}
}

static void parts_in_any_order_decide_the_same(void **state)
{
	static struct world whole, parts;
	uint64_t one = 7, two = 7;

	make(&whole);
	make(&parts);
	for (int t = 0; t < TICKS; t++) {
		struct tick_input in;
		const struct plan *a, *b;

		see(&whole, t, &one);
		see(&parts, t, &two);
		world_search(whole.controller);
		in = input_of(&whole);
		a = tick_once(whole.controller, &in);
		b = in_parts(&parts);
		same_entries(a, b);
		assert_int_equal(a->planned_mcpu, b->planned_mcpu);
		obey(&whole, a);
		obey(&parts, b);
	}
	assert_true(whole.writes > 50);
	assert_null(controller_job_take_of(parts.controller, 4));
	world_free(&whole);
	world_free(&parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(parts_in_any_order_decide_the_same)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
