// SPDX-License-Identifier: GPL-2.0-or-later
/* test_routes.c - rows over reloads, and the compiled table against a matcher written naively. */
#include "tests/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/routes.h"

static struct policy_api apis[2][1200];
static struct policy_service services[2] = {{.name = "one", .apis = apis[0]},
					    {.name = "two", .apis = apis[1]}};
static struct policy_set set = {.services = services, .n_services = 2};
static struct rows *rows;
static struct fsh_route_table table;

static void route(size_t service, const char *method, const char *text)
{
	struct policy_api *a = &apis[service][services[service].n_apis++];

	copy_str(a->method, sizeof(a->method), method);
	copy_str(a->route, sizeof(a->route), text);
}

static int fresh(void **state)
{
	services[0].n_apis = services[1].n_apis = 0;
	return rows_new(&rows);
}

static int done(void **state)
{
	rows_free(rows);
	return 0;
}

static void compile(void)
{
	struct err e = {};

	assert_int_equal(rows_assign(rows, &set, NULL, &e), 0);
	assert_int_equal(routes_compile(&set, rows, 1, &table, &e), 0);
}

/* The API @method @path is counted for in service @s; n_apis for "other". */
static size_t api_of(size_t s, const char *method, const char *path)
{
	uint32_t row = routes_walk(&table, (uint32_t)rows_service(rows, services[s].name),
				   routes_method(method), path);

	for (size_t api = 0; api < services[s].n_apis; api++)
		if (rows_of(rows, &services[s], api) == row)
			return api;
	assert_int_equal(row, FSH_ROW_NONE);
	return services[s].n_apis;
}

static void literal_before_name_before_rest(void **state)
{
	route(0, "GET", "/a/*");
	route(0, "GET", "/a/{id}");
	route(0, "GET", "/a/b");
	route(0, "GET", "/a/{id}/c");
	route(0, "GET", "/{x}/b/c");
	compile();
	assert_int_equal(api_of(0, "GET", "/a/b"), 2);
	assert_int_equal(api_of(0, "GET", "/a/bb"), 1);
	assert_int_equal(api_of(0, "GET", "/a/"), 0);
	assert_int_equal(api_of(0, "GET", "/a/b/"), 0);
	assert_int_equal(api_of(0, "GET", "/a/b/c"), 3);
	assert_int_equal(api_of(0, "GET", "/z/b/c"), 4);
	assert_int_equal(api_of(0, "GET", "/a"), 5);
	assert_int_equal(api_of(0, "GET", ""), 5);
	assert_int_equal(api_of(0, "POST", "/a/b"), 5);
	assert_int_equal(api_of(1, "GET", "/a/b"), 0);
}

static void paths_end_at_query_and_fragment(void **state)
{
	route(0, "GET", "/a");
	compile();
	assert_int_equal(api_of(0, "GET", "/a?x=/b"), 0);
	assert_int_equal(api_of(0, "GET", "/a#b"), 0);
	assert_int_equal(api_of(0, "GET", "/a HTTP/1.1"), 0);
	assert_int_equal(api_of(0, "GET", "/a/"), 1);
	assert_int_equal(api_of(0, "GET", "/A"), 1);
}

static void a_method_goes_before_all_methods(void **state)
{
	route(0, "*", "/a");
	route(0, "PUT", "/a");
	route(0, "*", "/b/{id}");
	route(0, "PUT", "/b/*");
	compile();
	assert_int_equal(api_of(0, "PUT", "/a"), 1);
	assert_int_equal(api_of(0, "GET", "/a"), 0);
	assert_int_equal(api_of(0, "BREW", "/a"), 0);
	assert_int_equal(api_of(0, "PUT", "/b/1"), 2);
	assert_int_equal(api_of(0, "PUT", "/b/1/2"), 3);
}

static void names_within_a_segment(void **state)
{
	route(0, "GET", "/{id}.json");
	route(0, "GET", "/v{n}/x");
	route(0, "GET", "/{name}");
	compile();
	assert_int_equal(api_of(0, "GET", "/7.json"), 0);
	assert_int_equal(api_of(0, "GET", "/.json"), 2);
	assert_int_equal(api_of(0, "GET", "/7.jso"), 2);
	assert_int_equal(api_of(0, "GET", "/v12/x"), 1);
	assert_int_equal(api_of(0, "GET", "/v/x"), 3);
}

static uint64_t seed = 88172645463325252;

static uint32_t pick(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

static bool matches(const char *route_text, const char *path)
{
	if (route_text[0] == '*' && !route_text[1])
		return true;
	if (route_text[0] == '{') {
		const char *rest = strchr(route_text, '}') + 1;

		for (const char *p = path; *p && *p != '/'; p++)
			if (matches(rest, p + 1))
				return true;
		return false;
	}
	if (!*route_text || !*path)
		return *route_text == *path;
	return *route_text == *path && matches(route_text + 1, path + 1);
}

/* 0: literal, 1: {name}, 2: rest; of the segment @text begins with. */
static int kind(const char *text)
{
	return *text == '*' ? 2 : *text == '{' ? 1 : 0;
}

/* True when @a says more than @b of a path both match; whole segments only. */
static bool better(const struct policy_api *a, const struct policy_api *b)
{
	const char *x = a->route, *y = b->route;

	while (x && y) {
		if (kind(x + 1) != kind(y + 1))
			return kind(x + 1) < kind(y + 1);
		x = strchr(x + 1, '/');
		y = strchr(y + 1, '/');
	}
	if (*a->method != *b->method && (*a->method == '*' || *b->method == '*'))
		return *b->method == '*';
	return a < b;
}

static size_t naive(const char *method, const char *path)
{
	size_t best = services[0].n_apis;

	for (size_t i = 0; i < services[0].n_apis; i++) {
		const struct policy_api *a = &apis[0][i];

		if ((*a->method != '*' && !streq(a->method, method)) || !matches(a->route, path))
			continue;
		if (best == services[0].n_apis || better(a, &apis[0][best]))
			best = i;
	}
	return best;
}

static void random_text(char *ret, size_t size, bool is_route)
{
	static const char *const WORDS[] = {"a", "b", "ab", "abc", "ba", "c", "", "a.b"};
	size_t n = 1 + pick(4), at = 0;

	for (size_t i = 0; i < n; i++) {
		const char *word = WORDS[pick(ARRAY_SIZE(WORDS))];

		if (is_route && !pick(3))
			word = "{x}";
		if (is_route && i + 1 == n && !pick(4))
			word = "*";
		at += (size_t)snprintf(ret + at, size - at, "/%s", word);
	}
}

static void the_table_agrees_with_a_naive_matcher(void **state)
{
	static const char *const METHODS[] = {"GET", "POST", "*"};
	char text[64];

	for (int round = 0; round < 300; round++) {
		services[0].n_apis = 0;
		for (uint32_t i = 0, n = 1 + pick(20); i < n; i++) {
			const char *method = METHODS[pick(3)];

			random_text(text, sizeof(text), true);
			route(0, method, text);
			/* The same API twice is a policy error. */
			for (size_t k = 0; k + 1 < services[0].n_apis; k++)
				if (streq(apis[0][k].method, method) &&
				    streq(apis[0][k].route, text))
					services[0].n_apis--;
		}
		compile();
		for (int i = 0; i < 200; i++) {
			const char *method = METHODS[pick(2)];

			random_text(text, sizeof(text), false);
			if (api_of(0, method, text) != naive(method, text))
				fail_msg("%s %s: %zu, not %zu", method, text,
					 api_of(0, method, text), naive(method, text));
		}
	}
}

static void a_thousand_routes_fit(void **state)
{
	char text[128];

	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "/api/v%d/Resource%d/{id}/items_%d", i % 7, i, i * 31);
		route(0, i % 2 ? "GET" : "POST", text);
	}
	compile();
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "/api/v%d/Resource%d/42/items_%d", i % 7, i, i * 31);
		assert_int_equal(api_of(0, i % 2 ? "GET" : "POST", text), i);
	}
}

static void too_much_is_an_error_that_names_the_service(void **state)
{
	char text[POLICY_ROUTE_MAX];
	struct err e = {};

	for (int i = 0; i < 1000; i++) {
		int n = snprintf(text, sizeof(text), "/%d", i * 7919);

		while (n < 200)
			text[n++] = (char)('a' + pick(26));
		text[n] = '\0';
		route(1, "GET", text);
	}
	assert_int_equal(rows_assign(rows, &set, NULL, &e), 0);
	assert_int_equal(routes_compile(&set, rows, 1, &table, &e), -E2BIG);
	assert_non_null(strstr(e.text, "two"));
}

static void rows_stay_over_reloads(void **state)
{
	struct err e = {};
	uint32_t a, b, other;

	route(0, "GET", "/a");
	route(0, "GET", "/b");
	assert_int_equal(rows_assign(rows, &set, NULL, &e), 0);
	a = rows_of(rows, &services[0], 0);
	b = rows_of(rows, &services[0], 1);
	other = rows_of(rows, &services[0], 2);
	assert_true(a != b && b != other && a != other);
	services[0].n_apis = 0;
	route(0, "GET", "/c");
	route(0, "GET", "/b");
	assert_int_equal(rows_assign(rows, &set, NULL, &e), 0);
	assert_int_equal(rows_of(rows, &services[0], 1), b);
	assert_int_equal(rows_of(rows, &services[0], 2), other);
	assert_true(rows_of(rows, &services[0], 0) != a);
	route(0, "GET", "/a");
	assert_int_equal(rows_assign(rows, &set, NULL, &e), 0);
	assert_int_equal(rows_of(rows, &services[0], 2), a);
}

static uint32_t cleared[FSH_MAX_ROWS];

static void clear_row(void *arg, uint32_t row)
{
	cleared[row]++;
}

static void clear_service(void *arg, uint32_t service)
{
}

static void rows_of_the_longest_gone_are_given_again(void **state)
{
	const struct rows_clear clear = {.row = clear_row, .service = clear_service};
	char text[32];
	uint32_t first = 0;
	struct err e = {};

	for (int round = 0; round < 3; round++) {
		services[0].n_apis = 0;
		for (int i = 0; i < 1000; i++) {
			snprintf(text, sizeof(text), "/%d/%d", round, i);
			route(0, "GET", text);
		}
		assert_int_equal(rows_assign(rows, &set, &clear, &e), 0);
		if (!round)
			first = rows_of(rows, &services[0], 0);
	}
	assert_true(cleared[first] == 2);
	services[1].n_apis = 1100;
	assert_int_equal(rows_assign(rows, &set, &clear, &e), -E2BIG);
	services[1].n_apis = 0;
}

static uint32_t settled[FSH_MAX_ROWS], n_settled;

static void settle_row(void *arg, uint32_t row)
{
	settled[row]++;
}

static void settle_service(void *arg, uint32_t service)
{
	n_settled++;
}

static void rows_of_a_service_that_comes_back_are_settled(void **state)
{
	const struct rows_clear clear = {
		.row = clear_row,
		.service = clear_service,
		.settle_row = settle_row,
		.settle_service = settle_service,
	};
	struct err e = {};
	uint32_t row;

	route(0, "GET", "/a");
	for (int round = 0; round < 2; round++)
		assert_int_equal(rows_assign(rows, &set, &clear, &e), 0);
	row = rows_of(rows, &services[0], 0);
	set.n_services = 0;
	assert_int_equal(rows_assign(rows, &set, &clear, &e), 0);
	assert_int_equal(n_settled, 0);
	set.n_services = 2;
	assert_int_equal(rows_assign(rows, &set, &clear, &e), 0);
	assert_int_equal(n_settled, 2);
	assert_int_equal(settled[row], 1);
	assert_int_equal(rows_of(rows, &services[0], 0), row);
	assert_int_equal(rows_assign(rows, &set, &clear, &e), 0);
	assert_int_equal(n_settled, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(literal_before_name_before_rest, fresh, done),
		cmocka_unit_test_setup_teardown(paths_end_at_query_and_fragment, fresh, done),
		cmocka_unit_test_setup_teardown(a_method_goes_before_all_methods, fresh, done),
		cmocka_unit_test_setup_teardown(names_within_a_segment, fresh, done),
		cmocka_unit_test_setup_teardown(the_table_agrees_with_a_naive_matcher, fresh, done),
		cmocka_unit_test_setup_teardown(a_thousand_routes_fit, fresh, done),
		cmocka_unit_test_setup_teardown(too_much_is_an_error_that_names_the_service, fresh,
						done),
		cmocka_unit_test_setup_teardown(rows_stay_over_reloads, fresh, done),
		cmocka_unit_test_setup_teardown(rows_of_the_longest_gone_are_given_again, fresh,
						done),
		cmocka_unit_test_setup_teardown(rows_of_a_service_that_comes_back_are_settled,
						fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
