// SPDX-License-Identifier: GPL-2.0-or-later
/* test_json.c - the documents of the API keep the shapes others rely on. */
#include <stdlib.h>

#include "tests/check.h"
#include "agent/json.h"
#include "tests/agent/fake.h"

/* True when @object has every one of the blank-separated @keys. */
static bool has_keys(const json_t *object, const char *keys)
{
	char key[40];

	while (*keys) {
		size_t n = strcspn(keys, " ");

		(void)copy_str(key, n + 1, keys);
		if (!json_object_get(object, key)) {
			print_error("no key '%s'\n", key);
			return false;
		}
		keys += n + (keys[n] == ' ');
	}
	return true;
}

static void status_has_the_contract_s_keys(void **state)
{
	json_auto_t *status = json_status(NULL);
	const json_t *services = json_object_get(status, "services"),
		     *s = json_array_get(services, 0),
		     *links = json_object_get(json_object_get(status, "host"), "links");

	assert_true(has_keys(
		status,
		"schema mode pid worker_pid uptime_s degraded host services db history_lost"));
	assert_true(
		has_keys(json_object_get(status, "host"),
			 "planned_mcpu contention left_mcpu unused_mcpu left_bytes unused_bytes"));
	assert_float_equal(
		json_number_value(json_object_get(json_array_get(links, 0), "unused_bits_per_s")),
		20e6, 1e-3);
	assert_true(json_is_null(json_object_get(json_array_get(links, 1), "left_bits_per_s")));
	assert_int_equal(json_array_size(services), 2);
	assert_true(has_keys(
		s, "name tier effective_tier cgroup owner cpu memory bandwidth slo present"));
	assert_true(has_keys(
		json_object_get(s, "cpu"),
		"usage_mcpu limit_mcpu weight throttled_ratio planned_mcpu short_mcpu demand_mcpu"));
	assert_true(has_keys(json_object_get(json_object_get(s, "cpu"), "demand_mcpu"),
			     "0.5 0.9 0.99"));
	assert_true(has_keys(json_object_get(s, "memory"),
			     "usage_bytes limit_bytes high_bytes demand_bytes"));
	assert_true(has_keys(json_object_get(s, "bandwidth"),
			     "rate_bits_per_s limit_bits_per_s demand_bits_per_s"));
	assert_true(
		has_keys(json_array_get(json_object_get(s, "slo"), 0),
			 "route objective latency_us window_s attained burn_rate burn_rate_slow"));
	assert_true(json_is_null(json_object_get(json_object_get(s, "cpu"), "limit_mcpu")));
}

static void apis_has_the_contract_s_keys(void **state)
{
	static const char latencies[] = "p50 p90 p99 p999 mean max";
	json_auto_t *apis = json_apis(NULL, "checkout");
	const json_t *list = json_object_get(apis, "apis"), *api = json_array_get(list, 0);

	assert_true(has_keys(apis, "schema apis slo unattributed"));
	assert_int_equal(json_array_size(list), 2);
	assert_true(has_keys(
		api, "service route requests responses aborted errors bytes_in bytes_out in_flight "
		     "rate_per_s ttfb_us total_us cpu_us_per_request"));
	assert_true(has_keys(json_object_get(api, "responses"), "1xx 2xx 3xx 4xx 5xx"));
	assert_true(has_keys(json_object_get(api, "ttfb_us"), latencies));
	assert_true(has_keys(json_object_get(api, "total_us"), latencies));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(apis, "unattributed"), "tls")),
		41);
	api = json_array_get(list, 1);
	assert_true(json_is_null(json_object_get(api, "cpu_us_per_request")));
	assert_true(json_is_null(json_object_get(json_object_get(api, "total_us"), "p99")));
}

/* The service's own comes first, then what each API is held to. */
static void apis_have_their_objectives(void **state)
{
	json_auto_t *apis = json_apis(NULL, "checkout"), *other = json_apis(NULL, "nobody");
	const json_t *list = json_object_get(apis, "slo"), *slo = json_array_get(list, 1);

	assert_int_equal(json_array_size(list), 3);
	assert_true(has_keys(slo, "service route objective latency_us window_s attained burn_rate "
				  "burn_rate_slow"));
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "route")));
	assert_true(json_is_null(json_object_get(slo, "burn_rate")));
	assert_float_equal(json_number_value(json_object_get(slo, "burn_rate_slow")), 1.4, 1e-9);
	assert_true(json_is_null(json_object_get(json_array_get(list, 2), "attained")));
	assert_int_equal(json_array_size(json_object_get(other, "slo")), 0);
}

static void explain_has_the_contract_s_keys(void **state)
{
	json_auto_t *explain = json_explain(NULL, 0);
	const json_t *knob = json_array_get(json_object_get(explain, "knobs"), 0);

	assert_true(has_keys(explain, "schema service lead knobs"));
	assert_true(has_keys(json_object_get(explain, "lead"),
			     "lead_ns auto after_start_s starts after_burst_s bursts"));
	assert_float_equal(json_number_value(json_object_get(json_object_get(explain, "lead"),
							     "after_start_s")),
			   40, 1e-9);
	assert_true(
		json_is_null(json_object_get(json_object_get(explain, "lead"), "after_burst_s")));
	assert_true(has_keys(knob, "knob value baseline reason inputs policy refused"));
	assert_string_equal(json_string_value(json_object_get(knob, "policy")), "checkout.yaml:14");
	assert_int_equal(json_array_size(json_object_get(knob, "refused")), 2);
	assert_true(json_is_null(json_object_get(knob, "baseline")));
}

static void one_horizon_has_its_path_and_what_came_before(void **state)
{
	const uint64_t horizons_ns[] = {60 * NS_PER_S, 3600 * NS_PER_S};
	json_auto_t *one = json_forecast(NULL, 0, -1, horizons_ns, 1),
		    *two = json_forecast(NULL, 0, -1, horizons_ns, 2);
	const json_t *history = json_object_get(one, "history"),
		     *values = json_object_get(history, "values"),
		     *horizon = json_array_get(json_object_get(one, "horizons"), 0);

	assert_true(has_keys(one, "schema service route unit horizons points history demand"));
	assert_true(has_keys(
		horizon,
		"horizon_ns mean q models periods_steps tuned loss coverage step_ns measured"));
	assert_true(has_keys(json_array_get(json_object_get(horizon, "models"), 0),
			     "name weight loss state_bytes"));
	assert_int_equal(json_array_size(json_object_get(one, "points")), 2);
	/* 900 steps: means of 3, none where nothing was measured. */
	assert_int_equal(json_array_size(values), 300);
	assert_int_equal(json_integer_value(json_object_get(history, "step_ns")), 3 * NS_PER_S);
	assert_float_equal(json_number_value(json_array_get(values, 0)), 701, 1e-9);
	assert_true(json_is_null(json_object_get(two, "history")));
	assert_int_equal(json_array_size(json_object_get(two, "points")), 0);
}

static void demand_over_the_lead_is_by_resource_and_kind(void **state)
{
	const uint64_t horizon_ns = 60 * NS_PER_S;
	json_auto_t *service = json_forecast(NULL, 0, -1, &horizon_ns, 1),
		    *api = json_forecast(NULL, 0, 0, &horizon_ns, 1);
	const json_t *demand = json_object_get(service, "demand"),
		     *memory = json_object_get(demand, "memory_bytes"),
		     *peak = json_object_get(json_object_get(demand, "cpu_mcpu"), "peak");

	assert_true(has_keys(demand, "lead_ns cpu_mcpu memory_bytes bandwidth_bits_per_s"));
	assert_true(has_keys(peak, "mean q coverage judged experts"));
	assert_int_equal(json_array_size(json_object_get(peak, "experts")), DEMAND_EXPERTS);
	assert_float_equal(json_number_value(json_object_get(json_object_get(peak, "q"), "0.95")),
			   1100, 1e-9);
	assert_true(has_keys(memory, "peak mean"));
	assert_true(json_is_null(json_object_get(memory, "mean")));
	assert_true(json_is_null(json_object_get(api, "demand")));
}

static void numbers_that_are_none_are_null(void **state)
{
	json_auto_t *nan = json_number(NAN), *inf = json_number(INFINITY),
		    *none = json_limit(UNLIMITED);
	json_auto_t *broken = json_text("a\xff z"), *large = json_count(UINT64_MAX);

	assert_true(json_is_null(nan));
	assert_true(json_is_null(inf));
	assert_true(json_is_null(none));
	assert_string_equal(json_string_value(broken), "a? z");
	assert_int_equal(json_integer_value(large), INT64_MAX);
}

static void a_route_is_found_with_and_without_its_method(void **state)
{
	assert_int_equal(json_find_route(NULL, 0, "POST /v1/orders/{id}"), 0);
	assert_int_equal(json_find_route(NULL, 0, "/v1/orders/{id}"), 0);
	assert_int_equal(json_find_route(NULL, 0, "other"), 1);
	assert_int_equal(json_find_route(NULL, 0, "/v1/orders"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_has_the_contract_s_keys),
		cmocka_unit_test(apis_has_the_contract_s_keys),
		cmocka_unit_test(apis_have_their_objectives),
		cmocka_unit_test(explain_has_the_contract_s_keys),
		cmocka_unit_test(one_horizon_has_its_path_and_what_came_before),
		cmocka_unit_test(demand_over_the_lead_is_by_resource_and_kind),
		cmocka_unit_test(numbers_that_are_none_are_null),
		cmocka_unit_test(a_route_is_found_with_and_without_its_method),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
