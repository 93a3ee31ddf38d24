// SPDX-License-Identifier: GPL-2.0-or-later
/* test_store.c - the history kept: rollups, retention, bounds, gaps. */
#include "agent/store.h"

#include "tests/agent/store_fixture.h"

static void minutes_are_sums_means_and_worst_of_their_seconds(void **state)
{
	struct store *s;

	fresh();
	s = open_store(0);
	cpu_sample(s, BASE_S, 100);
	cpu_sample(s, BASE_S + 1, 300);
	cpu_sample(s, BASE_S + 2, NAN);
	route_sample(s, BASE_S, 10, 1000, 2000);
	route_sample(s, BASE_S + 1, 30, 2000, 9000);
	cpu_sample(s, BASE_S + 60, 500);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_string_equal(
		ask("SELECT seconds || ' ' || cpu_mcpu || ' ' || cpu_mcpu_max || ' ' ||"
		    " ifnull(throttled_ratio, 'none') || ' ' || memory_bytes FROM services"
		    " WHERE step_s = 60"),
		"3 200.0 300.0 none 100.0");
	/* p50: (10 x 1000 + 30 x 2000) / 40 */
	assert_string_equal(
		ask("SELECT requests || ' ' || responses_2xx || ' ' || total_p50_us || ' ' ||"
		    " total_p99_us || ' ' || bytes_out || ' ' || ifnull(cpu_us_per_request, 'none')"
		    " FROM routes WHERE step_s = 60"),
		"40 40 1750.0 9000.0 400 none");
	store_close(s);
	clean();
}

static void hours_are_made_of_minutes_also_over_a_restart(void **state)
{
	struct store *s;

	fresh();
	s = open_store(0);
	cpu_sample(s, BASE_S, 100);
	cpu_sample(s, BASE_S + 61, 300);
	cpu_sample(s, BASE_S + 62, 500);
	store_close(s);
	s = open_store(0);
	cpu_sample(s, BASE_S + 3600, 900);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	/* minutes 100 (1 s) and 400 (2 s): (100 + 2 x 400) / 3 */
	assert_string_equal(
		ask("SELECT seconds || ' ' || cpu_mcpu || ' ' || cpu_mcpu_max FROM services"
		    " WHERE step_s = 3600"),
		"3 300.0 500.0");
	store_close(s);
	clean();
}

static void a_late_sample_is_rolled_up_again(void **state)
{
	struct store *s;

	fresh();
	s = open_store(0);
	cpu_sample(s, BASE_S, 100);
	cpu_sample(s, BASE_S + 61, 100);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	cpu_sample(s, BASE_S + 1, 300);
	cpu_sample(s, BASE_S + 62, 100);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_string_equal(
		ask("SELECT seconds || ' ' || cpu_mcpu FROM services WHERE step_s = 60"),
		"2 200.0");
	store_close(s);
	clean();
}

static void seconds_go_after_an_hour_and_minutes_after_a_month(void **state)
{
	const int64_t month_s = 30 * S_PER_DAY;
	struct store *s;

	fresh();
	s = open_store(0);
	cpu_sample(s, BASE_S, 100);
	cpu_sample(s, BASE_S + 3599, 100);
	cpu_sample(s, BASE_S + 3600, 100);
	cpu_sample(s, BASE_S + 3660, 100);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_string_equal(
		ask("SELECT min(at_real_s) - 1800000000 FROM services WHERE step_s = 1"), "3599");
	assert_string_equal(ask("SELECT count(*) FROM services WHERE step_s = 60"), "3");
	cpu_sample(s, BASE_S + 3660 + month_s, 100);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	/* A clock that jumped is not believed for an hour. */
	assert_string_equal(
		ask("SELECT min(at_real_s) - 1800000000 FROM services WHERE step_s = 60"), "0");
	for (int minute = 1; minute <= 60; minute++) {
		cpu_sample(s, BASE_S + 3660 + month_s + minute * 60, 100);
		assert_int_equal(store_flush(s, WAIT_MS), 0);
	}
	assert_string_equal(
		ask("SELECT min(at_real_s) - 1800000000 FROM services WHERE step_s = 60"),
		"2595660");
	assert_string_equal(ask("SELECT count(*) FROM services WHERE step_s = 3600"), "3");
	store_close(s);
	clean();
}

static void tape(struct store *s, int64_t begun_s, uint64_t part, const char *bytes, size_t size)
{
	store_tape(s,
		   &(struct store_tape){.begun_real_ns = begun_s * (int64_t)NS_PER_S,
					.at_real_ns = (begun_s + (int64_t)part) * (int64_t)NS_PER_S,
					.part = part,
					.bytes = bytes,
					.size = size});
}

static void tapes_go_with_the_seconds(void **state)
{
	struct store *s;

	fresh();
	s = open_store(UINT64_C(1) << 30);
	tape(s, BASE_S, 0, "state", 5);
	tape(s, BASE_S, 1, "\0a", 2);
	tape(s, BASE_S + 600, 0, "state", 5);
	cpu_sample(s, BASE_S + 600, 100);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_string_equal(ask("SELECT group_concat(part || hex(told)) FROM (SELECT * FROM"
				" planner_tape ORDER BY begun_real_ns, part)"),
			    "07374617465,10061,07374617465");
	cpu_sample(s, BASE_S + 3600 + 120, 100);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_string_equal(ask("SELECT group_concat(begun_real_ns / 1000000000 - 1800000000) FROM"
				" planner_tape"),
			    "600");
	store_close(s);
	clean();
}

static void write_for(struct store *s, int64_t at_s, const char *reason)
{
	int64_t at_ns = at_s * (int64_t)NS_PER_S;
	struct store_decision d = {.at_real_ns = at_ns,
				   .service = "web",
				   .knob = "cpu.max",
				   .reason = reason,
				   .mode = "enforce",
				   .before = 700,
				   .value = 900,
				   .inputs_json = "{}",
				   .refused_json = "[]"};

	store_write(s, &(struct store_write){.at_real_ns = at_ns,
					     .decision_id = store_decision(s, &d),
					     .service = "web",
					     .knob = "cpu.max",
					     .reason = reason,
					     .before = 700,
					     .after = 900,
					     .asked = 900});
}

/* What was lent for a moment goes with the seconds; the plan's decisions stay for years. */
static void loans_go_with_the_seconds(void **state)
{
	static const char *const tables[] = {"decision", "knob_write"};
	char sql[160];
	struct store *s;

	(void)state;
	fresh();
	s = open_store(UINT64_C(1) << 30);
	write_for(s, BASE_S, "loan");
	write_for(s, BASE_S + 1, "loan_back");
	write_for(s, BASE_S + 2, "forecast_lower");
	write_for(s, BASE_S + 600, "loan");
	cpu_sample(s, BASE_S + 600, 100);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_string_equal(ask("SELECT count(*) FROM decision"), "4");
	cpu_sample(s, BASE_S + 3600 + 120, 100);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		(void)snprintf(sql, sizeof(sql),
			       "SELECT group_concat(reason || (at_real_ns / 1000000000 -"
			       " 1800000000)) FROM (SELECT * FROM %s ORDER BY at_real_ns)",
			       tables[i]);
		assert_string_equal(ask(sql), "forecast_lower2,loan600");
	}
	store_close(s);
	clean();
}

/* Of a file that is too large, tapes go before anything else. */
static void tapes_make_room_first(void **state)
{
	static const char state_of[200 * KIB];
	struct store *s;

	fresh();
	s = open_store(MIB);
	for (int i = 0; i < 8; i++)
		tape(s, BASE_S + i, 0, state_of, sizeof(state_of));
	cpu_sample(s, BASE_S, 100);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	cpu_sample(s, BASE_S + 120, 100);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	store_close(s);
	assert_string_equal(ask("SELECT count(*) FROM planner_tape"), "0");
	assert_string_equal(ask("SELECT count(*) FROM services WHERE step_s = 1"), "2");
	clean();
}

static void what_became_of_a_forecast_is_filled_in(void **state)
{
	const struct forecast f = {100, {5, 10, 20, 50, 100, 150, 180, 190, 195, 200}};
	struct store_forecast v = {
		BASE_S * (int64_t)NS_PER_S, "checkout", "cpu_mcpu", 30 * NS_PER_S, 0, &f};
	struct store *s;

	fresh();
	s = open_store(0);
	store_forecast(s, &v);
	v.series = "GET /a";
	store_forecast(s, &v);
	v.series = "GET /none"; /* no request of it that second */
	store_forecast(s, &v);
	v.service = "away"; /* not sampled: unknown, not 0 */
	store_forecast(s, &v);
	cpu_sample(s, BASE_S + 30, 130);
	route_sample(s, BASE_S + 30, 7, 1, 1);
	cpu_sample(s, BASE_S + 60, 0);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_string_equal(
		ask("SELECT group_concat(ifnull(actual, 'none'), ' ') FROM (SELECT actual FROM"
		    " forecast ORDER BY rowid)"),
		"130.0 7.0 0.0 none");
	assert_string_equal(
		ask("SELECT forecasts || ' ' || mean_abs_error || ' ' || coverage90 FROM"
		    " forecast_error WHERE series = 'cpu_mcpu'"),
		"1 30.0 1.0");
	store_close(s);
	clean();
}

static void demand(struct store *s, int64_t at_s, const char *resource, uint64_t lead_s)
{
	const struct forecast f = {100, {5, 10, 20, 50, 100, 150, 180, 190, 195, 200}};

	store_demand(s, &(struct store_demand){at_s * (int64_t)NS_PER_S, "checkout", resource,
					       lead_s * NS_PER_S, 0.25, &f});
}

/* Of the ten seconds after it, the largest; not known where they were not all sampled. */
static void the_peak_of_a_lead_is_filled_in(void **state)
{
	struct store *s;

	(void)state;
	fresh();
	s = open_store(0);
	demand(s, BASE_S, "cpu_mcpu", 10);
	demand(s, BASE_S, "memory_bytes", 10);
	demand(s, BASE_S + 45, "cpu_mcpu", 10); /* half of it is not sampled */
	for (int i = 0; i <= 20;
	     i++) /* 10 is the largest within; what was at the start does not count */
		cpu_sample(s, BASE_S + i, i == 0 ? 900 : i == 4 ? 170 : 100 + i);
	for (int i = 46; i < 50; i++)
		cpu_sample(s, BASE_S + i, 100);
	cpu_sample(s, BASE_S + 120, 0);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_string_equal(
		ask("SELECT group_concat(resource || ' ' || ifnull(actual, 'none'), ', ') FROM"
		    " (SELECT resource, actual FROM demand ORDER BY at_real_s, resource)"),
		"cpu_mcpu 170.0, memory_bytes 60.0, cpu_mcpu none");
	assert_string_equal(
		ask("SELECT forecasts || ' ' || mean_abs_error || ' ' || coverage90 || ' ' ||"
		    " below_q90 FROM demand_error WHERE resource = 'cpu_mcpu'"),
		"1 70.0 1.0 1.0");
	store_close(s);
	clean();
}

static void the_winner_is_the_model_of_most_weight(void **state)
{
	struct store_forecast_model m = {
		BASE_S * (int64_t)NS_PER_S, "checkout", "GET /a", 30 * NS_PER_S, "ets", 0.3, 0.05};
	struct store *s;

	(void)state;
	fresh();
	s = open_store(0);
	store_forecast_model(s, &m);
	m.model = "arima";
	m.weight = 0.6;
	m.loss = 0.04;
	store_forecast_model(s, &m);
	m.horizon_ns = 60 * NS_PER_S;
	m.model = "last";
	m.weight = 0.4;
	store_forecast_model(s, &m);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_string_equal(
		ask("SELECT group_concat(horizon_s || ' ' || model || ' ' || loss, ', ')"
		    " FROM (SELECT * FROM forecast_winner ORDER BY horizon_s)"),
		"30 arima 0.04, 60 last 0.04");
	store_close(s);
	clean();
}

static void the_file_stays_below_its_bound_and_keeps_the_audit(void **state)
{
	const struct store_write w = {
		BASE_S * (int64_t)NS_PER_S, 0, "checkout", "cpu.max", "guard", 1, 2, 2, 0};
	struct stat st;
	struct store *s;

	fresh();
	s = open_store(MIB);
	store_write(s, &w);
	for (int64_t i = 0; i < 30; i++) {
		for (int64_t k = 0; k < 600; k++)
			route_sample(s, BASE_S + i * 60 + k % 60, (uint64_t)k, 1.5, 2.5);
		cpu_sample(s, BASE_S + i * 60 + 59, 1.25);
		assert_int_equal(store_flush(s, WAIT_MS), 0);
	}
	store_close(s);
	s = open_store(256 * KIB);
	cpu_sample(s, BASE_S + 3600, 1);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	store_close(s);
	assert_int_equal(stat(path, &st), 0);
	assert_true((uint64_t)st.st_size <= 256 * KIB);
	assert_string_equal(ask("SELECT count(*) FROM knob_write"), "1");
	clean();
}

static void without_its_directory_records_are_lost_and_the_gap_told_later(void **state)
{
	struct store *s;

	fresh();
	assert_int_equal(rmdir(dir), 0);
	s = open_store(0);
	assert_non_null(store_degraded(s));
	cpu_sample(s, BASE_S, 1);
	store_event(s, 1, "start", NULL, "kept in memory meanwhile");
	assert_int_equal(store_flush(s, 100), -ETIMEDOUT);
	for (int i = 0; i < 100 && store_lost(s) == 0; i++) /* the first retry comes after 3 s */
		usleep(100000);
	assert_int_equal(store_lost(s), 1);
	assert_non_null(strstr(store_degraded(s), "1 records lost"));
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_null(store_degraded(s));
	assert_string_equal(
		ask("SELECT group_concat(kind, ' ') FROM (SELECT kind FROM event ORDER BY id)"),
		"start gap");
	assert_string_equal(ask("SELECT substr(text, 1, 55) FROM event WHERE kind = 'gap'"),
			    "history could not be written and lost 1 records from 20");
	store_close(s);
	clean();
}

static void a_gap_in_which_nothing_was_lost_is_told_too(void **state)
{
	struct store *s;

	fresh();
	assert_int_equal(rmdir(dir), 0);
	s = open_store(0);
	store_event(s, 1, "start", NULL, "kept in memory meanwhile");
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_string_equal(ask("SELECT substr(text, 1, 55) FROM event WHERE kind = 'gap'"),
			    "history could not be written and lost 0 records from 20");
	store_close(s);
	clean();
}

static void a_full_queue_counts_what_it_drops(void **state)
{
	static char text[60000];
	struct store *s;
	uint64_t sent = 0;

	fresh();
	assert_int_equal(rmdir(dir), 0); /* nothing is taken out of the queue */
	memset(text, 'x', sizeof(text) - 1);
	s = open_store(0);
	for (; sent < 100; sent++)
		store_event(s, 1, "note", NULL, text);
	/* 1 MiB / 60,0xx bytes a record, in the queue and in the batch being tried */
	assert_true(store_lost(s) >= 100 - 34 && store_lost(s) <= 100 - 17);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_int_equal(strtoull(ask("SELECT count(*) FROM event WHERE kind = 'note'"), NULL, 10),
			 100 - store_lost(s));
	store_close(s);
	clean();
}

static void a_call_returns_while_another_holds_the_file(void **state)
{
	const struct store_write w = {.service = "checkout", .knob = "cpu.max", .reason = "burst"};
	sqlite3 *other = NULL;
	struct store *s;

	fresh();
	s = open_store(0);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	store_write(s, &w);
	assert_int_equal(store_flush(s, 50), -ETIMEDOUT);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	sqlite3_close(other);
	store_close(s);
	assert_string_equal(ask("SELECT count(*) FROM knob_write"), "1");
	clean();
}

static void a_gap_is_told_even_when_the_end_comes_with_the_disk(void **state)
{
	struct store *s;

	fresh();
	assert_int_equal(rmdir(dir), 0);
	s = open_store(0);
	store_event(s, 1, "start", NULL, "waits for the disk");
	cpu_sample(s, BASE_S, 1);
	usleep(3300000); /* the sample is lost at the first retry */
	assert_int_equal(mkdir(dir, 0700), 0);
	store_close(s);
	assert_string_equal(
		ask("SELECT group_concat(kind, ' ') FROM (SELECT kind FROM event ORDER BY id)"),
		"start gap");
	clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(minutes_are_sums_means_and_worst_of_their_seconds),
		cmocka_unit_test(hours_are_made_of_minutes_also_over_a_restart),
		cmocka_unit_test(a_late_sample_is_rolled_up_again),
		cmocka_unit_test(seconds_go_after_an_hour_and_minutes_after_a_month),
		cmocka_unit_test(tapes_go_with_the_seconds),
		cmocka_unit_test(loans_go_with_the_seconds),
		cmocka_unit_test(tapes_make_room_first),
		cmocka_unit_test(what_became_of_a_forecast_is_filled_in),
		cmocka_unit_test(the_peak_of_a_lead_is_filled_in),
		cmocka_unit_test(the_winner_is_the_model_of_most_weight),
		cmocka_unit_test(the_file_stays_below_its_bound_and_keeps_the_audit),
		cmocka_unit_test(without_its_directory_records_are_lost_and_the_gap_told_later),
		cmocka_unit_test(a_gap_in_which_nothing_was_lost_is_told_too),
		cmocka_unit_test(a_full_queue_counts_what_it_drops),
		cmocka_unit_test(a_call_returns_while_another_holds_the_file),
		cmocka_unit_test(a_gap_is_told_even_when_the_end_comes_with_the_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
