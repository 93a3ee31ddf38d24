// SPDX-License-Identifier: GPL-2.0-or-later
/* test_bad_state.c - saved state with a sound checksum over what is no number or out of all bounds,
 * and inputs of any kind. */
#include "forecast/blob.h"
#include "shaping/state.h"
#include "tests/shaping/watch.h"

static struct watch h;

static const double bad_doubles[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, -1, 1e-320};

/* A controller for the same host made of the bytes of the old one. */
static void save_and_load(void)
{
	size_t size = controller_save_size(h.w.controller);
	struct controller *c = world_controller(&h.w);
	void *buf = malloc(size);

	assert_non_null(buf);
	assert_int_equal(controller_save(h.w.controller, buf, size), size);
	assert_int_equal(controller_load(c, buf, size), 0);
	controller_free(h.w.controller);
	h.w.controller = c;
	free(buf);
}

/* What of a service is a double, by name and place. */
#define KEPT(field)                                                                                \
	{                                                                                          \
#field, offsetof(struct service_kept, field)                                       \
	}
static const struct {
	const char *name;
	size_t at;
} kept_doubles[] = {
	KEPT(utilisation),
	KEPT(level_less),
	KEPT(planned_mcpu),
	KEPT(need_most_mcpu),
	KEPT(tx_most_bits_per_s),
	KEPT(use_peak_mcpu),
	KEPT(guard_use_mcpu),
	KEPT(guard_ratio),
	KEPT(asked_mcpu),
	KEPT(lent_mcpu),
	KEPT(usual_owed),
	KEPT(io_stalled),
	KEPT(io_most),
	KEPT(curve.recent_answers),
	KEPT(warmup.load_mcpu),
	KEPT(warmup.phase.age_s),
	KEPT(warmup.learned[WARMUP_START].seconds),
	KEPT(curve.before),
	KEPT(knobs[KNOB_CPU_MAX].burn_before),
};

static void train(const struct watch_row *row)
{
	world_free(&h.w);
	watch_alone(&h, row, 4000)->cpu.floor_mcpu = 20;
	watch_run(&h, 500, 40);
}

/* As if nothing had been: within so many steps the limit is about what it would be. */
static void goes_on(const char *name, double value)
{
	uint64_t before = watch_limit(&h);

	(void)snprintf(h.what + strlen(h.what), sizeof(h.what) - strlen(h.what), ", %s = %g", name,
		       value);
	save_and_load();
	(void)watch_recovery(&h, 500, 4);
	watch_run(&h, 500, 60);
	if (before != UNLIMITED && watch_limit(&h) > before * 2)
		fail_msg("%s: %" PRIu64 " mcpu before, %" PRIu64 " after", h.what, before,
			 watch_limit(&h));
	watch_calm(&h, 500, 30, h.w.services[0].forecast.short_cost > 0 ? 20 : 16);
	(void)watch_recovery(&h, 2000, 20);
}

static void a_number_that_is_none_is_not_kept(void **state)
{
	(void)state;
	for (size_t r = 0; r < ARRAY_SIZE(watch_rows); r++) {
		for (size_t k = 0; k < ARRAY_SIZE(kept_doubles); k++) {
			double v = bad_doubles[(k + r) % ARRAY_SIZE(bad_doubles)];

			train(&watch_rows[r]);
			memcpy((char *)&h.w.controller->services[0].kept + kept_doubles[k].at, &v,
			       sizeof(v));
			goes_on(kept_doubles[k].name, v);
		}
	}
	world_free(&h.w);
}

/* Puts what is no number where there seems to be one, in about @part of all places. */
static void poison(void *bytes, size_t size, double part, uint64_t *seed)
{
	for (size_t at = 0; at + sizeof(double) <= size; at += sizeof(double)) {
		double v;

		memcpy(&v, (char *)bytes + at, sizeof(v));
		if (!(fabs(v) > 1e-9 && fabs(v) < 1e18) || world_unit(seed) >= part)
			continue;
		v = bad_doubles[world_random(seed) % ARRAY_SIZE(bad_doubles)];
		memcpy((char *)bytes + at, &v, sizeof(v));
	}
}

/* Saved, poisoned, signed anew and loaded: into the series itself where it is taken at all. */
static void poison_series(struct series *s, double part, uint64_t *seed)
{
	size_t size = series_save_size(s);
	uint64_t *buf = calloc(2, size), head[2];
	char *signed_anew = (char *)buf + size;

	assert_non_null(buf);
	assert_int_equal(series_save(s, buf, size), size);
	memcpy(signed_anew, buf, size);
	memcpy(head, buf, sizeof(head)); /* kind and length, forecast/blob.c */
	poison((char *)buf + blob_size(0), head[1], part, seed);
	assert_true(blob_save(head[0], (char *)buf + blob_size(0), head[1], signed_anew, size) > 0);
	(void)series_load(s, signed_anew, size);
	free(buf);
}

static void poison_all(double part, uint64_t *seed)
{
	struct service_state *s = &h.w.controller->services[0];

	for (size_t k = 0; k < service_n_series(s); k++)
		if (service_series(s, k))
			poison_series(service_series(s, k), part, seed);
}

static void histories_of_no_numbers_are_survived(void **state)
{
	static const double parts[] = {0.001, 0.01, 0.3};

	(void)state;
	for (size_t r = 0; r < ARRAY_SIZE(watch_rows) * ARRAY_SIZE(parts); r++) {
		uint64_t seed = 1000 + r;

		train(&watch_rows[r % ARRAY_SIZE(watch_rows)]);
		poison_all(parts[r / ARRAY_SIZE(watch_rows)], &seed);
		goes_on("seed", 1000 + (double)r);
	}
	world_free(&h.w);
}

static void poison_cost(struct cost *c, uint64_t *seed)
{
	size_t size = cost_save_size(c);
	uint64_t *buf = calloc(1, size), head[2];
	void *payload;

	assert_non_null(buf);
	assert_int_equal(cost_save(c, buf, size), size);
	memcpy(head, buf, sizeof(head));
	payload = malloc(head[1]);
	assert_non_null(payload);
	memcpy(payload, (char *)buf + blob_size(0), head[1]);
	poison(payload, head[1], 0.5, seed);
	assert_int_equal(blob_save(head[0], payload, head[1], buf, size), size);
	(void)cost_load(c, buf, size);
	free(payload);
	free(buf);
}

static void serve(void)
{
	h.w.seen[0].missing = 0;
	h.w.apis[0][0] = (struct tick_api){
		.requests = 100, .finished = 100, .bytes_out = 100000, .in_flight = 2};
}

/* What requests cost is learned anew. */
static void costs_of_no_numbers_are_not_kept(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (size_t r = 0; r < ARRAY_SIZE(watch_rows); r++) {
		world_free(&h.w);
		watch_alone(&h, &watch_rows[r], 4000);
		serve();
		watch_run(&h, 500, 60);
		poison_cost(h.w.controller->services[0].cost, &seed);
		goes_on("costs, row", (double)r);
		if (!(controller_cpu_us(h.w.controller, 0, 0) > 0))
			fail_msg("%s: no cost", h.what);
	}
	world_free(&h.w);
}

/* Of minutes and hours that have begun, and of the network that all series share. */
static void parts_and_weights_of_no_numbers_are_not_kept(void **state)
{
	(void)state;
	for (size_t r = 0; r < ARRAY_SIZE(watch_rows); r++) {
		struct ladder *cpu;
		struct network_kept *n;

		train(&watch_rows[r]);
		cpu = &h.w.controller->services[0].cpu;
		cpu->part[1].sum = bad_doubles[r % ARRAY_SIZE(bad_doubles)];
		cpu->part[2].seconds = bad_doubles[r % ARRAY_SIZE(bad_doubles)];
		cpu->part[2].elapsed_ns = UINT64_MAX - r;
		n = &h.w.controller->network->kept;
		n->version = 1;
		for (size_t i = 0; i < GRU_WEIGHTS; i += 3)
			((float *)&n->weights)[i] = (float)bad_doubles[(i + r) % 3];
		goes_on("parts, row", (double)r);
		assert_true(h.w.controller->services[0].cpu.part[2].elapsed_ns < 3600 * NS_PER_S);
		assert_true(h.w.controller->network->kept.version == 0);
	}
	world_free(&h.w);
}

static bool guard_fires(void)
{
	struct tick_service ts = h.w.seen[0];
	struct plan_entry e = {};

	ts.nr_periods = ts.nr_throttled = 1;
	ts.throttled_us = 50000;
	return tick_guard(h.w.controller, 0, &ts, h.w.now_ns + 100 * NS_PER_MS, 100 * NS_PER_MS,
			  &e);
}

/* The monotonic clock begins anew with a boot: no guard, no memory of a failure lasts for longer.
 */
static void another_boot_waits_for_no_time_of_the_last_one(void **state)
{
	struct knob_state *ks;
	uint64_t before;

	(void)state;
	watch_alone(&h, &watch_rows[1], 4000)->cpu.floor_mcpu = 20;
	h.w.now_ns = 30 * 86400 * NS_PER_S;
	watch_run(&h, 900, 60);
	ks = &h.w.controller->services[0].kept.knobs[KNOB_CPU_MAX];
	assert_true(guard_fires());
	ks->value = ks->previous; /* the raise got lost */
	ks->avoid = watch_limit(&h);
	ks->avoid_until_ns = h.w.now_ns + 600 * NS_PER_S;
	ks->retry_ns = h.w.now_ns + 5 * NS_PER_S;
	h.w.now_ns = NS_PER_S;
	memset(h.changed_ns, 0, sizeof(h.changed_ns));
	save_and_load();
	watch_run(&h, 900, 1);
	before = watch_limit(&h);
	assert_true(guard_fires());
	watch_run(&h, 100, 60);
	if (watch_limit(&h) > before / 2)
		fail_msg("limit %" PRIu64 ", %" PRIu64 " before", watch_limit(&h), before);
	world_free(&h.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_that_is_none_is_not_kept),
		cmocka_unit_test(histories_of_no_numbers_are_survived),
		cmocka_unit_test(costs_of_no_numbers_are_not_kept),
		cmocka_unit_test(parts_and_weights_of_no_numbers_are_not_kept),
		cmocka_unit_test(another_boot_waits_for_no_time_of_the_last_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
