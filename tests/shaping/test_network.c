// SPDX-License-Identifier: GPL-2.0-or-later
/* test_network.c - the shared network is trained once a day, kept where it is better, and saved. */
#include "forecast/series_state.h"
#include "shaping/state.h"
#include "tests/check.h"
#include "tests/shaping/world.h"

/* Two services whose use goes up and down, so that there is something to learn. */
static void run(struct world *w, int from, int steps)
{
	for (int t = from; t < from + steps; t++) {
		w->wants_mcpu[0] = 500 + 300 * sin(t / 7.0);
		w->wants_mcpu[1] = 300 + 200 * (t / 10 % 2);
		world_step(w);
	}
}

static void two_services(struct world *w)
{
	world_init(w, 4000);
	(void)world_add(w, "wave", TIER_GOLD);
	(void)world_add(w, "square", TIER_SILVER);
	w->controller = world_controller(w);
}

static size_t with_weights(const struct controller *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		for (size_t k = 0; k < service_n_series(&c->services[i]); k++) {
			const struct series *s = service_series(&c->services[i], k);

			n += s && series_past(s)->gru == &c->network->kept.weights;
		}
	}
	return n;
}

static void all_series_share_what_was_learned_from_them(void **state)
{
	static struct world w;
	struct controller *c, *again = NULL;
	struct gru_fit *fit;
	struct network_kept kept;
	size_t size, n;
	void *bytes;

	(void)state;
	two_services(&w);
	run(&w, 0, 600);
	c = w.controller;
	assert_null(network_take(c)); /* an hour after the start, not before */
	assert_int_equal(with_weights(c), 0);
	c->network->next_ns = c->now_ns;
	fit = network_take(c);
	assert_non_null(fit);
	assert_null(network_take(c)); /* a day from then */
	assert_true(c->network->next_ns == c->now_ns + S_PER_DAY * NS_PER_S);
	assert_true(gru_fit_run(fit, 100));
	network_give(c, fit);
	assert_int_equal(c->network->kept.version, 1);
	assert_true(c->network->kept.loss > 0);
	n = with_weights(c);
	assert_true(n >= 6);
	run(&w, 600, 20);
	kept = c->network->kept;

	size = controller_save_size(c);
	bytes = malloc(size);
	assert_int_equal(controller_save(c, bytes, size), size);
	assert_int_equal(controller_new(&w.set, &w.facts, NS_PER_S, &again), 0);
	assert_int_equal(controller_load(again, bytes, size), 0);
	assert_memory_equal(&again->network->kept, &kept, sizeof(kept));
	assert_int_equal(with_weights(again), n);
	controller_free(again);

	assert_int_equal(controller_reload(c, &w.set, &w.facts, &again), 0);
	assert_memory_equal(&again->network->kept, &kept, sizeof(kept));
	assert_int_equal(with_weights(again), n);
	controller_free(c);
	w.controller = again;
	run(&w, 620, 20);
	free(bytes);
	world_free(&w);
}

/* The weights of the network at the first horizons of the first series of @c. */
static void earned(const struct controller *c, float *ret, size_t n)
{
	const struct series *s = service_series(&c->services[0], 0);

	for (size_t b = 0; b < n; b++)
		ret[b] = s->buckets[b].weight[SERIES_MODELS - 1];
}

/* A restart moves no forecast, and new periods give a network no weight that it did not earn. */
static void earned_weight_survives_a_restart_alone(void **state)
{
	static struct world w;
	struct controller *again = NULL;
	struct series_job *job;
	struct gru_fit *fit;
	struct series *s;
	float before[4], after[4];
	struct forecast f, g;
	size_t size;
	void *bytes;

	(void)state;
	two_services(&w);
	run(&w, 0, 600);
	w.controller->network->next_ns = w.controller->now_ns;
	fit = network_take(w.controller);
	assert_true(gru_fit_run(fit, 100));
	network_give(w.controller, fit);
	run(&w, 600, 300);
	earned(w.controller, before, 4);
	assert_true(before[0] > 0.0011F);
	size = controller_save_size(w.controller);
	bytes = malloc(size);
	assert_int_equal(controller_save(w.controller, bytes, size), size);
	assert_int_equal(controller_new(&w.set, &w.facts, NS_PER_S, &again), 0);
	assert_int_equal(controller_load(again, bytes, size), 0);
	earned(again, after, 4);
	assert_memory_equal(before, after, sizeof(before));
	series_predict(service_series(&w.controller->services[0], 0), 3, &f);
	series_predict(service_series(&again->services[0], 0), 3, &g);
	assert_memory_equal(&f, &g, sizeof(f));

	s = service_series(&again->services[0], 0);
	s->n_periods = 0; /* so that they are found again */
	s->outer.search.next = 0;
	job = series_job_take(s);
	assert_non_null(job);
	series_job_run(job);
	series_job_give(s, job);
	assert_true(s->n_periods > 0);
	earned(again, after, 4);
	for (int i = 0; i < 4; i++)
		assert_true(after[i] <= 0.0011F);
	assert_ptr_equal(series_past(s)->gru, &again->network->kept.weights);
	controller_free(again);
	free(bytes);
	world_free(&w);
}

/* A day without a better fit: the weights stay. */
static void worse_weights_are_thrown_away(void **state)
{
	static struct world w;
	struct network_kept kept;
	struct gru_fit *fit;

	(void)state;
	two_services(&w);
	run(&w, 0, 600);
	for (int day = 0; day < 2; day++) {
		w.controller->network->next_ns = w.controller->now_ns;
		kept = w.controller->network->kept;
		fit = network_take(w.controller);
		assert_non_null(fit);
		assert_true(gru_fit_run(fit, day == 0 ? 1500 : 10));
		network_give(w.controller, fit);
	}
	assert_int_equal(w.controller->network->kept.version, 1);
	assert_memory_equal(&w.controller->network->kept, &kept, sizeof(kept));
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_series_share_what_was_learned_from_them),
		cmocka_unit_test(earned_weight_survives_a_restart_alone),
		cmocka_unit_test(worse_weights_are_thrown_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
