// SPDX-License-Identifier: GPL-2.0-or-later
/* test_load.c - what a policy's text becomes, by hand-worked values. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/check.h"
#include "tests/policies/load_text.h"

#define HEAD "version: 1\nservice: a\nmatch: { unit: a.service }\n"

static struct policy_set *set;
static struct policy_errors errors;

static int fresh(void **state)
{
	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	return 0;
}

static int release(void **state)
{
	policy_set_free(set);
	policy_errors_free(&errors);
	set = NULL;
	return 0;
}

static int load_path(const char *path)
{
	struct policy_input in = {.name = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
	int r = policy_load(&in, 1, 0, 0, &set, &errors);

	close(in.fd);
	return r;
}

static void the_shipped_example_means_what_it_says(void **state)
{
	const struct policy_service *s;

	assert_int_equal(load_path("policies/examples/checkout.yaml"), 0);
	assert_int_equal(set->n_services, 1);
	s = set->services;
	assert_string_equal(s->name, "checkout");
	assert_string_equal(s->tenant, "shop");
	assert_int_equal(s->tier, TIER_GOLD);
	assert_false(s->auto_tier);
	assert_string_equal(s->unit, "checkout.service");
	assert_string_equal(s->cgroup, "");
	assert_true(s->slo.set);
	assert_float_equal(s->slo.objective, 0.999, 1e-12);
	assert_int_equal(s->slo.latency_us, 200000);
	assert_int_equal(s->slo.window_s, 3600);
	assert_int_equal(s->cpu.floor_mcpu, 200);
	assert_int_equal(s->cpu.ceiling_mcpu, 4000);
	assert_int_equal(s->cpu.mode, CPU_RESERVE);
	assert_int_equal(s->memory.floor_bytes, 268435456);
	assert_int_equal(s->memory.ceiling_bytes, 2147483648);
	assert_string_equal(s->bandwidth.interface, "eth0");
	assert_int_equal(s->bandwidth.floor_bits_per_s, 10000000);
	assert_int_equal(s->bandwidth.ceiling_bits_per_s, 1000000000);
	assert_int_equal(s->forecast.lead_ns, 30 * NS_PER_S);
	assert_float_equal(s->forecast.quantile, 0.99, 1e-12);
}

static void the_shipped_right_size_has_a_price_and_others_none(void **state)
{
	assert_int_equal(load_path("policies/right-size.yaml"), 0);
	assert_int_equal(errors.n, 0);
	assert_int_equal(set->services->cpu.mode, CPU_CAP);
	assert_float_equal(set->services->forecast.short_cost, 100, 0);
	(void)release(state);
	assert_int_equal(load_path("policies/examples/checkout.yaml"), 0);
	assert_true(isnan(set->services->forecast.short_cost));
}

static void routes_and_events_of_the_shipped_example(void **state)
{
	const struct policy_service *s;

	assert_int_equal(load_path("policies/examples/checkout.yaml"), 0);
	s = set->services;
	assert_int_equal(s->n_apis, 2);
	assert_string_equal(s->apis[0].method, "POST");
	assert_string_equal(s->apis[0].route, "/v1/orders/{id}");
	assert_int_equal(s->apis[0].tier, TIER_GOLD); /* the service's */
	assert_int_equal(s->apis[0].slo.latency_us, 100000);
	assert_string_equal(s->apis[1].route, "/static/*");
	assert_int_equal(s->apis[1].tier, TIER_BRONZE);
	assert_false(s->apis[1].slo.set);
	assert_int_equal(s->n_events, 1);
	assert_string_equal(s->events[0].name, "spring-sale");
	/* 2027-03-20T08:00 in Berlin is 07:00 UTC */
	assert_true(s->events[0].starts_real_ns == INT64_C(1805526000) * (int64_t)NS_PER_S);
	assert_true(s->events[0].lasts_ns == 12 * S_PER_H * NS_PER_S);
	assert_float_equal(s->events[0].multiplier, 3, 0);
}

static void places_are_kept_for_explanations(void **state)
{
	const struct policy_service *s;

	assert_int_equal(load_path("policies/examples/checkout.yaml"), 0);
	s = set->services;
	assert_string_equal(s->cpu.floor_at.file, "policies/examples/checkout.yaml");
	assert_int_equal(s->at.line, 3);
	assert_int_equal(s->match_at.line, 6);
	assert_int_equal(s->apis[1].at.line, 11);
	assert_int_equal(s->cpu.floor_at.line, 13);
	assert_int_equal(s->cpu.floor_at.column, 11);
	assert_int_equal(s->forecast.at.line, 16);
	assert_null(set->host.at.file);
}

static void what_is_not_written_has_its_default(void **state)
{
	const struct policy_service *s;

	assert_int_equal(load_text(HEAD, &set, &errors), 0);
	s = set->services;
	assert_int_equal(s->tier, TIER_BRONZE);
	assert_float_equal(s->weight, 1, 0);
	assert_int_equal(s->n_ports, 0);
	assert_false(s->slo.set);
	assert_int_equal(s->cpu.floor_mcpu, 0);
	assert_true(s->cpu.ceiling_mcpu == UNLIMITED);
	assert_true(s->memory.ceiling_bytes == UNLIMITED);
	assert_int_equal(s->memory.reclaim, RECLAIM_BRONZE);
	assert_string_equal(s->bandwidth.interface, "");
	assert_true(s->bandwidth.ceiling_bits_per_s == UNLIMITED);
	assert_int_equal(s->forecast.lead_ns, POLICY_AUTO);
	assert_true(isnan(s->forecast.quantile));
}

static void the_host_has_defaults(void **state)
{
	struct policy_host h;

	policy_host_defaults(&h);
	assert_true(h.reserve_mcpu == UNLIMITED && h.reserve_bytes == UNLIMITED);
	assert_float_equal(h.tiers[TIER_GOLD].quantile, 0.99, 1e-12);
	assert_float_equal(h.tiers[TIER_SILVER].quantile, 0.95, 1e-12);
	assert_float_equal(h.tiers[TIER_BRONZE].quantile, 0.80, 1e-12);
	assert_int_equal(h.tiers[TIER_GOLD].cpu_weight, 400);
	assert_int_equal(h.tiers[TIER_BRONZE].cpu_weight, 50);
	assert_int_equal(h.tiers[TIER_GOLD].io_weight, 400);
	assert_int_equal(h.tiers[TIER_SILVER].io_weight, 200);
	assert_int_equal(h.tiers[TIER_BRONZE].io_weight, 50);
	assert_true(h.tiers[TIER_BRONZE].ceiling_mcpu == UNLIMITED);
	assert_int_equal(h.n_horizons, 5);
	assert_true(h.horizons_ns[0] == 30 * NS_PER_S && h.horizons_ns[4] == 604800 * NS_PER_S);
	assert_true(h.retention.second_ns == 3600 * NS_PER_S);
	assert_true(h.retention.hour_ns == 5 * 365 * S_PER_DAY * NS_PER_S);
	assert_int_equal(h.writes_per_minute, 600);
	assert_float_equal(h.deadband, 0.05, 1e-12);
	assert_int_equal(h.dwell_ns, 10 * NS_PER_S);
	assert_float_equal(h.max_step, 0.25, 1e-12);
	assert_float_equal(h.target_utilisation, 0.7, 1e-12);
	assert_float_equal(h.throttle_target, 0.02, 1e-12);
	assert_string_equal(h.alert_hook, "");
}

static void host_yaml_changes_what_it_names(void **state)
{
	static const char text[] = "version: 1\nreserve: { memory: 1GiB }\nhorizons: [1min]\n"
				   "tiers: { silver: { cpu_weight: 7, io_weight: 9000 } }\n"
				   "links: [{ interface: eth1, rate: 2.5Gbit }]\n";

	assert_int_equal(load_bytes(text, strlen(text), true, &set, &errors), 0);
	assert_true(set->host.reserve_mcpu == UNLIMITED);
	assert_int_equal(set->host.reserve_bytes, 1073741824);
	assert_int_equal(set->host.n_horizons, 1);
	assert_true(set->host.horizons_ns[0] == 60 * NS_PER_S);
	assert_int_equal(set->host.tiers[TIER_SILVER].cpu_weight, 7);
	assert_int_equal(set->host.tiers[TIER_SILVER].io_weight, 9000);
	assert_float_equal(set->host.tiers[TIER_SILVER].quantile, 0.95, 1e-12);
	assert_string_equal(set->host.links[0].interface, "eth1");
	assert_true(set->host.links[0].rate_bits_per_s == UINT64_C(2500000000));
}

static void cold_memory_is_given_back_when_the_policy_says(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(load_text(HEAD "memory: { reclaim: always }\n", &set, &errors), 0);
	assert_int_equal(set->services->memory.reclaim, RECLAIM_ALWAYS);
	policy_set_free(set);
	assert_int_equal(load_text(HEAD "memory: { reclaim: never }\n", &set, &errors), 0);
	assert_int_equal(set->services->memory.reclaim, RECLAIM_NEVER);
	policy_set_free(set);
	set = NULL;
	assert_int_equal(load_text(HEAD "memory: { reclaim: gold }\n", &set, &errors), -EINVAL);
	assert_non_null(strstr(policy_errors_first(&errors, text, sizeof(text)),
			       "unknown time to reclaim 'gold': one of bronze, always, never"));
}

static void an_automatic_tier_starts_low_within_its_range(void **state)
{
	assert_int_equal(load_text(HEAD "tier: auto\ntier_range: [gold, silver]\n"
					"apis: [{ route: GET / }]\n",
				   &set, &errors),
			 0);
	assert_true(set->services->auto_tier);
	assert_int_equal(set->services->tier, TIER_SILVER);
	assert_int_equal(set->services->tier_min, TIER_SILVER);
	assert_int_equal(set->services->tier_max, TIER_GOLD);
	assert_int_equal(set->services->apis[0].tier, TIER_SILVER);
}

static void a_route_without_method_is_any(void **state)
{
	assert_int_equal(load_text(HEAD "apis: [{ route: /pkg.Service/Method }]\n", &set, &errors),
			 0);
	assert_string_equal(set->services->apis[0].method, "*");
	assert_string_equal(set->services->apis[0].route, "/pkg.Service/Method");
}

static void an_event_may_say_when_it_ends(void **state)
{
	assert_int_equal(load_text(HEAD "events:\n  - { name: e, starts: 2099-01-01T00:00Z,\n"
					"      ends: 2099-01-01T03:30+01:00 }\n",
				   &set, &errors),
			 0);
	assert_true(set->services->events[0].lasts_ns == 9000 * NS_PER_S);
	assert_true(isnan(set->services->events[0].multiplier));
	assert_int_equal(errors.n, 0);
}

static void past_and_overlapping_events_are_warnings(void **state)
{
	assert_int_equal(load_text(HEAD "events:\n"
					"  - { name: old, starts: 2001-01-01, lasts: 1h }\n"
					"  - { name: x, starts: 2099-01-01T00:00Z, lasts: 2h }\n"
					"  - { name: y, starts: 2099-01-01T01:00Z, lasts: 2h }\n"
					"  - { name: z, starts: 2099-01-01T03:00Z, lasts: 2h }\n",
				   &set, &errors),
			 0);
	assert_int_equal(errors.n, 2);
	assert_int_equal(errors.n_errors, 0);
	assert_int_equal(errors.list[0].line, 5);
	assert_string_equal(errors.list[0].text, "the event 'old' is over");
	assert_int_equal(errors.list[1].line, 7);
	assert_string_equal(errors.list[1].text, "the event 'y' overlaps 'x' on line 6");
}

static void services_are_sorted_by_name(void **state)
{
	struct policy_input in[] = {
		{.name = "z.yaml", .fd = text_fd(HEAD, strlen(HEAD))},
		{.name = "b.yaml",
		 .fd = text_fd("version: 1\nservice: B\nmatch: { cgroup: /b }\n", 44)},
	};

	assert_int_equal(policy_load(in, 2, 0, 0, &set, &errors), 0);
	assert_string_equal(set->services[0].name, "B");
	assert_string_equal(set->services[0].at.file, "b.yaml");
	assert_string_equal(set->services[1].name, "a");
	assert_int_equal(set->n_files, 2);
	close(in[0].fd);
	close(in[1].fd);
}

static void nothing_gives_an_empty_set(void **state)
{
	assert_int_equal(policy_load(NULL, 0, 2000, 1, &set, &errors), 0);
	assert_int_equal(set->n_services, 0);
	assert_int_equal(set->host.writes_per_minute, 600);
}

static void a_file_too_large_is_refused_and_one_of_the_limit_is_not(void **state)
{
	size_t size = POLICY_MAX_BYTES + 1;
	char *text = malloc(size);

	memset(text, '#', size);
	memcpy(text, HEAD, strlen(HEAD));
	assert_int_equal(load_bytes(text, size - 1, false, &set, &errors), 0);
	release(state);
	assert_int_equal(load_bytes(text, size, false, &set, &errors), -EINVAL);
	assert_string_equal(errors.list[0].text, "larger than 256 KiB");
	free(text);
}

static void too_many_files_are_refused(void **state)
{
	struct policy_input in[POLICY_MAX_FILES + 1] = {};

	assert_int_equal(policy_load(in, ARRAY_SIZE(in), 0, 0, &set, &errors), -EINVAL);
	assert_string_equal(errors.list[0].text, "more than 256 policy files");
}

static void the_reserve_counts_against_the_floors(void **state)
{
	static const char a[] = HEAD "cpu: { floor: 1900m }\n";
	static const char h[] = "version: 1\nreserve: { cpu: 101m }\n";
	struct policy_input in[] = {
		{.name = "a.yaml", .fd = text_fd(a, strlen(a))},
		{.name = "host.yaml", .fd = text_fd(h, strlen(h)), .is_host = true}};

	assert_int_equal(policy_load(in, 1, 2000, 0, &set, &errors), 0); /* 5 % of 2 CPUs */
	release(state);
	assert_int_equal(policy_load(in, 2, 2000, 0, &set, &errors), -EINVAL);
	assert_string_equal(errors.list[0].text,
			    "the CPU floors need 1900m, there is 1899m: a.yaml:4 (1900m)");
	close(in[0].fd);
	close(in[1].fd);
}

static void a_finding_reads_with_its_line_and_caret(void **state)
{
	char buf[600];

	assert_int_equal(load_text(HEAD "cpu:\n  flor: 1 # \xc3\xa4\n", &set, &errors), -EINVAL);
	assert_null(set);
	assert_string_equal(policy_error_format(&errors.list[0], buf, sizeof(buf)),
			    "t.yaml:5:3: unknown key 'flor', did you mean 'floor'?\n"
			    "    flor: 1 # \xc3\xa4\n"
			    "    ^");
}

static void the_caret_stands_right_in_a_long_line(void **state)
{
	char text[1200];

	memset(text, ' ', sizeof(text));
	memcpy(text, HEAD "slo: {", strlen(HEAD) + 6);
	memcpy(text + 1000, "objctive: 1 }\n", 15);
	assert_int_equal(load_text(text, &set, &errors), -EINVAL);
	assert_int_equal(errors.list[1].column, 1000 - strlen(HEAD) + 1);
	assert_memory_equal(errors.list[1].source + errors.list[1].caret - 1, "objctive", 8);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_shipped_example_means_what_it_says),
		TEST(the_shipped_right_size_has_a_price_and_others_none),
		TEST(routes_and_events_of_the_shipped_example),
		TEST(places_are_kept_for_explanations),
		TEST(what_is_not_written_has_its_default),
		TEST(the_host_has_defaults),
		TEST(host_yaml_changes_what_it_names),
		TEST(cold_memory_is_given_back_when_the_policy_says),
		TEST(an_automatic_tier_starts_low_within_its_range),
		TEST(a_route_without_method_is_any),
		TEST(an_event_may_say_when_it_ends),
		TEST(past_and_overlapping_events_are_warnings),
		TEST(services_are_sorted_by_name),
		TEST(nothing_gives_an_empty_set),
		TEST(a_file_too_large_is_refused_and_one_of_the_limit_is_not),
		TEST(too_many_files_are_refused),
		TEST(the_reserve_counts_against_the_floors),
		TEST(a_finding_reads_with_its_line_and_caret),
		TEST(the_caret_stands_right_in_a_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
