// SPDX-License-Identifier: GPL-2.0-or-later
/* test_replay_db.c - what the history holds comes back as steps, and APIs as those of a policy. */
#include <errno.h>
#include <math.h>

#include "agent/replay_db.h"
#include "agent/store_read.h"
#include "tests/agent/store_fixture.h"

#define AT 1700000000 /* 20 s past a minute */

static struct replay_db db;

static int read_all(const char *service, uint64_t step_s, int64_t from_s, int64_t to_s)
{
	const struct replay_db_conf conf = {
		.service = service,
		.from_real_ns = from_s ? from_s * (int64_t)NS_PER_S : INT64_MIN,
		.to_real_ns = to_s ? to_s * (int64_t)NS_PER_S : INT64_MAX,
		.step_s = step_s,
	};
	sqlite3 *sql = NULL;
	int r;

	replay_db_free(&db);
	assert_int_equal(store_read_open(path, &sql, NULL), 0);
	r = replay_db_read(sql, &conf, &db, NULL);
	sqlite3_close(sql);
	return r;
}

/* Seconds AT + @from up to AT + @to, CPU as the number of the second. */
static void seconds(struct store *s, int from, int to)
{
	for (int t = from; t < to; t++) {
		cpu_sample(s, AT + t, t);
		assert_int_equal(store_flush(s, 5000), 0);
	}
}

static void seconds_are_steps_and_gaps_are_told(void **state)
{
	struct store *s;

	fresh();
	s = open_store(UINT64_C(1) << 30);
	seconds(s, 0, 3);
	seconds(s, 4, 6);   /* one second late: a step of two */
	seconds(s, 20, 22); /* away for a while */
	store_close(s);
	assert_int_equal(read_all("checkout", 0, 0, 0), 0);
	assert_int_equal(db.step_ns, NS_PER_S);
	assert_int_equal(db.n, 8);
	assert_int_equal(db.n_missing, 1);
	assert_int_equal(db.rows[0].step.ends_real_ns, AT * (int64_t)NS_PER_S);
	assert_int_equal(db.rows[0].step.interval_ns, NS_PER_S);
	assert_int_equal(db.rows[3].step.interval_ns, 2 * NS_PER_S);
	assert_true(db.rows[3].step.used_mcpu == 4);
	assert_true(isnan(db.rows[5].step.used_mcpu));
	assert_int_equal(db.rows[5].step.interval_ns, 14 * NS_PER_S);
	assert_int_equal(db.rows[6].step.ends_real_ns, (AT + 20) * (int64_t)NS_PER_S);
	assert_int_equal(db.rows[6].step.interval_ns, NS_PER_S);
	assert_true(db.rows[0].step.memory_bytes == 100 && db.rows[0].step.psi_cpu == 0);
	assert_true(isnan(db.rows[0].step.throttled) && isnan(db.rows[0].step.psi_io));
	clean();
}

static void a_range_is_cut_out_and_a_service_must_be_there(void **state)
{
	struct store *s;

	fresh();
	s = open_store(UINT64_C(1) << 30);
	seconds(s, 0, 10);
	store_close(s);
	assert_int_equal(read_all("checkout", 0, AT + 3, AT + 5), 0);
	assert_int_equal(db.n, 3);
	assert_true(db.rows[0].step.used_mcpu == 3 && db.rows[2].step.used_mcpu == 5);
	assert_int_equal(read_all("checkout", 0, AT + 30, 0), -ENOENT);
	assert_int_equal(read_all("nobody", 0, 0, 0), -ENOENT);
	clean();
}

/* Minutes from where the seconds are gone; the finest that goes back far enough by itself. */
static void the_finest_rollup_that_goes_back_is_read(void **state)
{
	struct store *s;

	fresh();
	s = open_store(UINT64_C(1) << 30);
	for (int t = 0; t < 3 * 3600; t += 20)
		cpu_sample(s, AT + t, 500);
	assert_int_equal(store_flush(s, 5000), 0);
	store_close(s);
	assert_string_equal(ask("SELECT count(*) > 60 AND min(at_real_s) < 1700000060 FROM "
				"service_sample WHERE step_s = 60"),
			    "1");
	assert_int_equal(read_all("checkout", 0, 0, 0), 0);
	assert_int_equal(db.step_ns, NS_PER_S);
	assert_int_equal(read_all("checkout", 60, 0, 0), 0);
	assert_int_equal(db.step_ns, 60 * NS_PER_S);
	assert_int_equal(db.rows[1].step.interval_ns, 60 * NS_PER_S);
	assert_int_equal(db.rows[0].step.ends_real_ns, (AT / 60 * 60 + 60) * (int64_t)NS_PER_S);
	/* The seconds of an hour are kept. */
	assert_int_equal(read_all("checkout", 0, AT, 0), 0);
	assert_int_equal(db.step_ns, 60 * NS_PER_S);
	assert_int_equal(read_all("checkout", 0, AT + 3 * 3600 - 600, 0), 0);
	assert_int_equal(db.step_ns, NS_PER_S);
	clean();
}

static void apis_are_those_of_the_policy(void **state)
{
	struct policy_api routes[] = {{.method = "GET", .route = "/b"},
				      {.method = "GET", .route = "/a"}};
	const struct policy_service policy = {.apis = routes, .n_apis = 2};
	struct replay_db_view v;
	struct replay_load load;
	struct replay_step step;
	struct store_sample sent = {.at_real_ns = AT * (int64_t)NS_PER_S,
				    .service = "checkout",
				    .cpu_mcpu = 100,
				    .throttled_ratio = 0.5,
				    .memory_bytes = NAN,
				    .tx_bits_per_s = 800,
				    .psi_cpu = NAN,
				    .psi_memory = NAN,
				    .psi_io = NAN};
	struct store_sample other = {.at_real_ns = AT * (int64_t)NS_PER_S,
				     .service = "checkout",
				     .route = "POST /gone",
				     .requests = 3,
				     .responses = {0, 1, 0, 0, 1},
				     .aborted = 1,
				     .bytes_out = 7,
				     .in_flight = 2};
	struct store *s;

	fresh();
	s = open_store(UINT64_C(1) << 30);
	store_sample(s, &sent);
	route_sample(s, AT, 40, 1000, 2000); /* GET /a */
	store_sample(s, &other);
	sent.at_real_ns += NS_PER_S;
	store_sample(s, &sent);
	cpu_sample(s, AT + 2, 1); /* packets were not counted */
	assert_int_equal(store_flush(s, 5000), 0);
	store_close(s);
	assert_int_equal(read_all("checkout", 0, 0, 0), 0);
	assert_int_equal(replay_db_view(&db, &policy, &v), 0);
	load = replay_db_load(&v);
	assert_int_equal(load.n, 3);
	load.read(load.arg, 0, &step);
	assert_true(step.throttled == 0.5 && step.tx_bits_per_s == 800);
	assert_int_equal(step.apis[0].requests, 0);
	assert_int_equal(step.apis[1].requests, 40);
	assert_int_equal(step.apis[1].finished, 40);
	assert_int_equal(step.apis[1].errors, 0);
	assert_int_equal(step.apis[1].bytes_out, 400);
	assert_int_equal(step.apis[2].requests, 3);
	assert_int_equal(step.apis[2].finished, 3);
	assert_int_equal(step.apis[2].errors, 2);
	assert_true(step.apis[2].in_flight == 2);
	load.read(load.arg, 1, &step); /* idle: counted, nothing came */
	assert_non_null(step.apis);
	assert_int_equal(step.apis[1].requests, 0);
	load.read(load.arg, 2, &step);
	assert_null(step.apis);
	replay_db_view_free(&v);
	replay_db_free(&db);
	clean();
}

static void how_the_objective_was_kept_is_told(void **state)
{
	struct store *s;

	fresh();
	s = open_store(UINT64_C(1) << 30);
	seconds(s, 0, 2);
	for (int i = 0; i < 2; i++)
		store_slo(s, &(struct store_slo){.at_real_ns = (AT + i) * (int64_t)NS_PER_S,
						 .service = "checkout",
						 .objective = 0.999,
						 .latency_us = 1,
						 .attained = i ? 0.98 : 1,
						 .burn_rate = NAN});
	assert_int_equal(store_flush(s, 5000), 0);
	store_close(s);
	assert_int_equal(read_all("checkout", 0, 0, 0), 0);
	assert_true(db.slo.objective == 0.999 && db.slo.worst == 0.98);
	assert_true(fabs(db.slo.attained - 0.99) < 1e-12);
	replay_db_free(&db);
	clean();
}

/* Ends at 1, 2, 5 and at 2, 3: all four ends for both, each as long as since the one before. */
static void recordings_are_put_side_by_side(void **state)
{
	static const int ends_s[2][3] = {{1, 2, 5}, {2, 3, 0}};
	struct replay_db two[2] = {}, *dbs[2] = {&two[0], &two[1]};

	for (int k = 0; k < 2; k++) {
		two[k].n = 3 - (size_t)k;
		two[k].step_ns = NS_PER_S;
		two[k].rows = calloc(3, sizeof(*two[k].rows));
		for (size_t i = 0; i < two[k].n; i++) {
			two[k].rows[i].step =
				replay_step_blank(ends_s[k][i] * (int64_t)NS_PER_S, NS_PER_S);
			two[k].rows[i].step.used_mcpu = ends_s[k][i];
		}
	}
	assert_int_equal(replay_db_align(dbs, 2), 0);
	for (int k = 0; k < 2; k++) {
		static const int ends[] = {1, 2, 3, 5}, lasts[] = {1, 1, 1, 2};

		assert_int_equal(two[k].n, 4);
		assert_int_equal(two[k].n_missing, 1 + k);
		for (int i = 0; i < 4; i++) {
			const struct replay_step *step = &two[k].rows[i].step;

			assert_int_equal(step->ends_real_ns, ends[i] * (int64_t)NS_PER_S);
			assert_int_equal(step->interval_ns, (uint64_t)lasts[i] * NS_PER_S);
			assert_true(isnan(step->used_mcpu) || step->used_mcpu == ends[i]);
		}
		replay_db_free(&two[k]);
	}
}

/* What was counted of APIs goes with its step. */
static void apis_go_with_their_step(void **state)
{
	struct replay_db two[2] = {}, *dbs[2] = {&two[0], &two[1]};

	for (int k = 0; k < 2; k++) {
		two[k].n = 1;
		two[k].rows = calloc(1, sizeof(*two[k].rows));
		two[k].rows[0].step = replay_step_blank((1 + k) * (int64_t)NS_PER_S, NS_PER_S);
		two[k].rows[0].n_apis = 7;
		two[k].rows[0].first_api = 3;
	}
	assert_int_equal(replay_db_align(dbs, 2), 0);
	for (int k = 0; k < 2; k++) {
		assert_int_equal(two[k].rows[k].n_apis, 7);
		assert_int_equal(two[k].rows[k].first_api, 3);
		assert_int_equal(two[k].rows[1 - k].n_apis, 0);
		replay_db_free(&two[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seconds_are_steps_and_gaps_are_told),
		cmocka_unit_test(a_range_is_cut_out_and_a_service_must_be_there),
		cmocka_unit_test(the_finest_rollup_that_goes_back_is_read),
		cmocka_unit_test(apis_are_those_of_the_policy),
		cmocka_unit_test(how_the_objective_was_kept_is_told),
		cmocka_unit_test(recordings_are_put_side_by_side),
		cmocka_unit_test(apis_go_with_their_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
