// SPDX-License-Identifier: GPL-2.0-or-later
/* test_api.c - calls through the HTTP server and the client's side of a Unix socket, in one
 * process. */
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/check.h"
#include "agent/api.h"
#include "agent/api_call.h"
#include "tests/agent/fake.h"

#define MAX_TURNS 200 /* of the loop, for one answer */

static struct api *api;
static struct sockaddr_un at = {.sun_family = AF_UNIX};
static int listener = -1;

static int start(void **state)
{
	struct err e = {};

	/* An abstract name: nothing to clean up. */
	(void)snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "foreshape-test-api-%d",
		       (int)getpid());
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 8), 0);
	fake_restore_waits = false;
	fake_done = NULL;
	*fake_asked = '\0';
	return api_new(listener, NULL, &api, &e);
}

static int stop(void **state)
{
	api_free(api);
	close(listener);
	return 0;
}

static int send_request(const char *text)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	return fd;
}

/* Runs the loop until the other side has closed, or @turns are over. Returns bytes in @buf, or -1.
 */
static ssize_t receive(int fd, char *buf, size_t size, int turns)
{
	struct pollfd p = {.fd = api_fd(api), .events = POLLIN};
	size_t used = 0;

	for (int i = 0; i < turns; i++) {
		ssize_t n = recv(fd, buf + used, size - 1 - used, 0);

		if (n == 0) {
			buf[used] = '\0';
			return (ssize_t)used;
		}
		used += n > 0 ? (size_t)n : 0;
		(void)poll(&p, 1, 10);
		api_run(api);
	}
	return -1;
}

/* The status of the answer to @request; its body in *body where wanted. */
static int ask(const char *request, json_t **body)
{
	static char answer[1 << 20];
	int fd = send_request(request), status;
	const char *text;
	ssize_t n = receive(fd, answer, sizeof(answer), MAX_TURNS);

	close(fd);
	if (n < 13)
		return 0;
	status = atoi(answer + 9);
	text = strstr(answer, "\r\n\r\n");
	if (body)
		*body = text ? json_loads(text + 4, 0, NULL) : NULL;
	return status;
}

static int post(const char *path, const char *body, json_t **answer)
{
	char request[1024];

	(void)snprintf(request, sizeof(request),
		       "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", path,
		       strlen(body), body);
	return ask(request, answer);
}

static void every_get_endpoint_answers_or_says_what_is_missing(void **state)
{
	for (size_t i = 0; i < api_n_rows; i++) {
		char request[200];
		json_t *body = NULL;
		int status;

		if (!streq(api_rows[i].method, "GET") || streq(api_rows[i].path, "/metrics"))
			continue;
		(void)snprintf(request, sizeof(request),
			       "GET %s?service=checkout HTTP/1.1\r\nHost: x\r\n\r\n",
			       api_rows[i].path);
		status = ask(request, &body);
		assert_int_equal(status, 200);
		assert_int_equal(json_integer_value(json_object_get(body, "schema")), 1);
		json_decref(body);
		(void)snprintf(request, sizeof(request),
			       "GET %s?service=nobody HTTP/1.1\r\nHost: x\r\n\r\n",
			       api_rows[i].path);
		status = ask(request, &body);
		assert_true(status == 200 || status == 404);
		json_decref(body);
	}
}

static void wrong_requests_get_their_status(void **state)
{
	/* clang-format off */
	static const struct { const char *request; int status; } rows[] = {
		{ "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404 },
		{ "DELETE /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 405 },
		{ "GET /v1/explain HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
		{ "GET /v1/explain?service=no%20one HTTP/1.1\r\nHost: x\r\n\r\n", 404 },
		{ "GET /v1/forecast?service=checkout&route=/nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404 },
		{ "GET /v1/forecast?service=checkout&horizon=soon HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
		{ "GET /v1/forecast?service=checkout&route=/v1/orders/{id} HTTP/1.1\r\nHost: x\r\n\r\n", 200 },
		{ "POST /v1/mode HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n", 413 },
		{ "POST /v1/mode HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n{", 400 },
		{ "POST /v1/mode HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]", 400 },
		{ "POST /v1/mode HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 400 },
		{ "POST /v1/freeze HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 400 },
		{ "POST /v1/freeze HTTP/1.1\r\nHost: x\r\nContent-Length: 31\r\n\r\n"
		  "{\"for_ns\": 8640000000000000000}", 400 },
		{ "POST /v1/mode HTTP/1.1\r\nHost: x\r\nContent-Length: 47\r\n\r\n"
		  "{\"enforce\": true, \"for_ns\": 315360000000000001}", 400 },
		{ "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 88\r\n\r\n"
		  "{\"service\": \"checkout\", \"name\": \"n\", \"starts_real_ns\": 1, "
		  "\"lasts_ns\": 31622400000000001}", 400 },
		{ "POST /v1/adopt HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 400 },
		{ "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 400 },
		{ "DELETE /v1/events?id=8 HTTP/1.1\r\nHost: x\r\n\r\n", 404 },
		{ "DELETE /v1/events?id=-1 HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
	};
	/* clang-format on */

	if (getuid() != 0) /* all changes are 403 then: another test's matter */
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *body = NULL;

		assert_int_equal(ask(rows[i].request, &body), rows[i].status);
		if (rows[i].status != 200)
			assert_non_null(json_string_value(json_object_get(body, "error")));
		json_decref(body);
	}
	assert_string_equal(fake_asked, "");
}

static void actions_reach_the_agent(void **state)
{
	/* clang-format off */
	static const struct { const char *path, *body, *asked; } rows[] = {
		{ "/v1/reload", "{}", "reload" },
		{ "/v1/reload", "", "reload" },
		{ "/v1/mode", "{\"enforce\":true,\"for_ns\":60000000000}", "mode 1 60000000000" },
		{ "/v1/mode", "{\"enforce\":false}", "mode 0 0" },
		{ "/v1/freeze", "{\"for_ns\":0}", "freeze 0" },
		{ "/v1/adopt", "{\"service\":\"checkout\"}", "adopt checkout" },
		{ "/v1/yield", "{\"service\":null}", "yield (all)" },
		{ "/v1/restore", "{\"service\":\"checkout\"}", "restore checkout" },
		{ "/v1/events", "{\"service\":\"checkout\",\"name\":\"sale\",\"starts_real_ns\":1,\"lasts_ns\":2}",
		  "event checkout sale" },
	};
	/* clang-format on */

	if (getuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		*fake_asked = '\0';
		assert_int_equal(post(rows[i].path, rows[i].body, NULL), 200);
		assert_string_equal(fake_asked, rows[i].asked);
	}
}

static void a_forecast_is_for_the_hosts_horizons(void **state)
{
	static const char request[] =
		"GET /v1/forecast?service=checkout HTTP/1.1\r\nHost: x\r\n\r\n";
	static const json_int_t horizons_s[] = {45, 7200};
	json_t *body = NULL, *horizons;

	assert_int_equal(ask(request, &body), 200);
	horizons = json_object_get(body, "horizons");
	assert_int_equal(json_array_size(horizons), ARRAY_SIZE(horizons_s));
	for (size_t i = 0; i < ARRAY_SIZE(horizons_s); i++)
		assert_int_equal(json_integer_value(json_object_get(json_array_get(horizons, i),
								    "horizon_ns")),
				 horizons_s[i] * (json_int_t)NS_PER_S);
	json_decref(body);
}

/* What may be asked for all services at once goes without a name; an event may not. */
static void an_event_without_a_service_is_refused(void **state)
{
	/* clang-format off */
	static const struct { const char *body; int status; } rows[] = {
		{ "{\"name\":\"sale\",\"starts_real_ns\":1,\"lasts_ns\":2}", 400 },
		{ "{\"service\":null,\"name\":\"sale\",\"starts_real_ns\":1,\"lasts_ns\":2}", 400 },
		{ "{\"service\":7,\"name\":\"sale\",\"starts_real_ns\":1,\"lasts_ns\":2}", 400 },
		{ "{\"service\":\"nobody\",\"name\":\"sale\",\"starts_real_ns\":1,\"lasts_ns\":2}", 404 },
	};
	/* clang-format on */

	if (getuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *body = NULL;

		assert_int_equal(post("/v1/events", rows[i].body, &body), rows[i].status);
		assert_non_null(json_string_value(json_object_get(body, "error")));
		json_decref(body);
	}
	assert_string_equal(fake_asked, "");
}

static void a_restore_is_answered_when_it_is_done(void **state)
{
	static const char request[] =
		"POST /v1/restore HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
	char answer[1000] = "";
	int fd;

	if (getuid() != 0)
		skip();
	fake_restore_waits = true;
	fd = send_request(request);
	assert_int_equal(receive(fd, answer, sizeof(answer), 10), -1);
	assert_non_null(fake_done);
	fake_done(fake_done_arg, 3, 1);
	/* Already there: the loop has nothing to wake it. */
	assert_true(recv(fd, answer, sizeof(answer) - 1, 0) > 0);
	assert_non_null(strstr(answer, "\"restored\":3"));
	close(fd);
}

static void a_restore_may_outlive_the_server(void **state)
{
	static const char request[] =
		"POST /v1/restore HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
	char answer[1000] = "";
	struct err e = {};
	int fd;

	if (getuid() != 0)
		skip();
	fake_restore_waits = true;
	fd = send_request(request);
	assert_int_equal(receive(fd, answer, sizeof(answer), 10), -1);
	api_free(api);
	fake_done(fake_done_arg, 3, 1);
	close(fd);
	assert_int_equal(api_new(listener, NULL, &api, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_get_endpoint_answers_or_says_what_is_missing,
						start, stop),
		cmocka_unit_test_setup_teardown(wrong_requests_get_their_status, start, stop),
		cmocka_unit_test_setup_teardown(actions_reach_the_agent, start, stop),
		cmocka_unit_test_setup_teardown(a_forecast_is_for_the_hosts_horizons, start, stop),
		cmocka_unit_test_setup_teardown(an_event_without_a_service_is_refused, start, stop),
		cmocka_unit_test_setup_teardown(a_restore_is_answered_when_it_is_done, start, stop),
		cmocka_unit_test_setup_teardown(a_restore_may_outlive_the_server, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
