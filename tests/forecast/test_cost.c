// SPDX-License-Identifier: GPL-2.0-or-later
/* test_cost.c - true costs of requests are found in ten minutes of varied, noisy load. */
#include <errno.h>
#include <stdlib.h>

#include "tests/check.h"
#include "tests/forecast/inputs.h"
#include "forecast/cost.h"

static const double true_us[3] = {1000, 3000, 10000};

/* Ten minutes at 1 s: three APIs that mostly move together, 4 % noise, 50 mcpu of base load. */
static struct cost *learn(uint64_t seed)
{
	struct cost *c;

	assert_int_equal(cost_new(3, &c), 0);
	for (int t = 0; t < 600; t++) {
		double together = 1.5 + sin(t / 60.0), flight = 5 * together + input_random(&seed);
		double requests[3], bytes[3], cpu = 50000;

		for (int i = 0; i < 3; i++) {
			double own = exp(0.3 * input_normal(&seed));

			requests[i] = floor((60 >> i) * together * own);
			bytes[i] = requests[i] * 100 * (i + 1);
			cpu += requests[i] * true_us[i];
		}
		cost_observe(c, &(struct cost_sample){
					.seconds = 1,
					.cpu_us = cpu * (1 + 0.04 * input_normal(&seed)),
					.memory_bytes = 1e8 + 2e5 * flight,
					.requests = requests,
					.bytes_out = bytes,
					.in_flight = flight,
				});
	}
	return c;
}

static void true_costs_are_found_within_a_tenth(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct cost *c = learn(seed);

		for (size_t i = 0; i < 3; i++) {
			assert_true(fabs(cost_cpu_us(c, i) / true_us[i] - 1) < 0.1);
			assert_true(fabs(cost_bytes_out(c, i) / (100.0 * (double)(i + 1)) - 1) <
				    1e-9);
		}
		assert_true(cost_fit(c) > 0.9);
		assert_true(fabs(cost_base_mcpu(c) - 50) < 15);
		assert_true(fabs(cost_memory_base_bytes(c) / 1e8 - 1) < 0.01);
		assert_true(fabs(cost_memory_per_in_flight_bytes(c) / 2e5 - 1) < 0.01);
		cost_free(c);
	}
}

static void absurd_samples_change_nothing(void **state)
{
	struct cost *c = learn(1);
	double before = cost_cpu_us(c, 1), bad[3] = {1, NAN, 1}, good[3] = {1, 1, 1};
	const struct cost_sample samples[] = {
		{.seconds = 0, .cpu_us = 1e9, .requests = good},
		{.seconds = NAN, .cpu_us = 1e9, .requests = good},
		{.seconds = 1e-9, .cpu_us = NAN, .requests = good},
		{.seconds = 1e-9, .cpu_us = INFINITY, .requests = good},
		{.seconds = 1e-9, .cpu_us = -5, .requests = good},
		{.seconds = 1e-9, .cpu_us = 1e9, .requests = bad},
		{.seconds = 1e-9, .cpu_us = 1e9},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++)
		cost_observe(c, &samples[i]);
	assert_true(fabs(cost_cpu_us(c, 1) / before - 1) < 1e-6);
	cost_free(c);
}

static void unknown_is_not_a_number(void **state)
{
	struct cost *c;

	(void)state;
	assert_int_equal(cost_new(0, &c), -EINVAL);
	assert_int_equal(cost_new(COST_MAX_APIS + 1, &c), -EINVAL);
	assert_int_equal(cost_new(2, &c), 0);
	assert_true(isnan(cost_cpu_us(c, 0)) && isnan(cost_bytes_out(c, 0)) && isnan(cost_fit(c)));
	assert_true(isnan(cost_memory_base_bytes(c)));
	assert_true(isnan(cost_cpu_us(c, 2)));
	cost_free(c);
}

/* Three in flight at 60 requests/s and twenty at 10: 50 ms and 2 s. */
static void time_in_flight_is_by_littles_law(void **state)
{
	const double requests[2] = {60, 10}, flight[2] = {3, 20};
	struct cost *c;

	(void)state;
	assert_int_equal(cost_new(2, &c), 0);
	assert_true(isnan(cost_in_flight_s(c, 0)));
	for (int t = 0; t < 100; t++)
		cost_observe(c, &(struct cost_sample){.seconds = 1,
						      .cpu_us = 1000,
						      .requests = requests,
						      .in_flight = 23,
						      .in_flight_of = flight});
	assert_true(fabs(cost_in_flight_s(c, 0) - 0.05) < 1e-9);
	assert_true(fabs(cost_in_flight_s(c, 1) - 2) < 1e-9);
	assert_true(isnan(cost_in_flight_s(c, 2)));
	cost_free(c);
}

/* Over many samples of the same noise, errors of the forecast are as large as it says. */
static void the_error_of_the_cost_is_as_said(void **state)
{
	const double mixes[2][2] = {{200, 50}, {20, 400}}, us[2] = {1000, 3000};
	double squares[2] = {}, said[2] = {};
	uint64_t seed = 11;

	(void)state;
	for (int run = 0; run < 200; run++) {
		struct cost *c;

		assert_int_equal(cost_new(2, &c), 0);
		for (int t = 0; t < 60; t++) {
			double requests[2], cpu = 50000 + 20000 * input_normal(&seed);

			for (int i = 0; i < 2; i++) {
				requests[i] = 100 * (0.5 + input_random(&seed));
				cpu += requests[i] * us[i];
			}
			cost_observe(c, &(struct cost_sample){
						.seconds = 1, .cpu_us = cpu, .requests = requests});
		}
		for (int m = 0; m < 2; m++) {
			double off = cost_base_mcpu(c) - 50, error;

			for (size_t i = 0; i < 2; i++)
				off += mixes[m][i] * (cost_cpu_us(c, i) - us[i]) / 1000;
			error = cost_cpu_error_mcpu(c, mixes[m]);
			squares[m] += off * off;
			said[m] += error * error;
		}
		cost_free(c);
	}
	for (int m = 0; m < 2; m++)
		assert_true(fabs(sqrt(said[m] / squares[m]) - 1) < 0.25);
}

static void kept_costs_are_the_same(void **state)
{
	struct cost *a = learn(3), *b, *other;
	size_t size = cost_save_size(a);
	char *buf = malloc(size);

	(void)state;
	assert_int_equal(cost_new(3, &b), 0);
	assert_int_equal(cost_new(4, &other), 0);
	assert_int_equal(cost_save(a, buf, size), size);
	assert_int_equal(cost_load(b, buf, size), 0);
	assert_int_equal(cost_load(other, buf, size), -EINVAL);
	assert_true(cost_cpu_us(a, 2) == cost_cpu_us(b, 2));
	buf[100] ^= 1;
	assert_int_equal(cost_load(b, buf, size), -EINVAL);
	free(buf);
	cost_free(a);
	cost_free(b);
	cost_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(true_costs_are_found_within_a_tenth),
		cmocka_unit_test(absurd_samples_change_nothing),
		cmocka_unit_test(unknown_is_not_a_number),
		cmocka_unit_test(time_in_flight_is_by_littles_law),
		cmocka_unit_test(the_error_of_the_cost_is_as_said),
		cmocka_unit_test(kept_costs_are_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
