// SPDX-License-Identifier: GPL-2.0-or-later
/* test_store_read.c - the history read back: decisions, views, model state, known events. */
#include "agent/store_read.h"

#include "agent/explain_db.h"
#include "tests/agent/store_fixture.h"

static void a_decision_and_its_write_are_kept_with_inputs(void **state)
{
	const struct store_decision d = {BASE_S * (int64_t)NS_PER_S,
					 "checkout",
					 "cpu.max",
					 "forecast_raise",
					 "enforce",
					 UNLIMITED,
					 1500,
					 "{\"demand\":1200}",
					 "[]",
					 "checkout.yaml:9"};
	struct store_write w = {d.at_real_ns + 2000000,
				0,
				"checkout",
				"cpu.max",
				"forecast_raise",
				UNLIMITED,
				1500,
				1500,
				0};
	struct store *s;

	fresh();
	s = open_store(0);
	w.decision_id = store_decision(s, &d);
	store_write(s, &w);
	assert_int_equal(store_flush(s, WAIT_MS), 0);
	assert_null(store_degraded(s));
	assert_string_equal(
		ask("SELECT id || ' ' || ifnull(before, 'unlimited') || ' ' || value || ' ' || after"
		    " || ' ' || errno || ' ' || written_after_ms || ' ' || policy FROM decisions"),
		"1 unlimited 1500 1500 0 2.0 checkout.yaml:9");
	assert_string_equal(ask("SELECT json_extract(inputs, '$.demand') FROM decision"), "1200");
	store_close(s);
	s = open_store(0);
	assert_int_equal(store_decision(s, &d), 3); /* ids go on over a restart */
	store_close(s);
	assert_string_equal(ask("SELECT count(*) FROM decision"), "2");
	clean();
}

static void model_state_comes_back_as_it_was(void **state)
{
	const unsigned char bytes[] = {0, 1, 255, 0, 7};
	struct store *s;
	void *got = NULL;
	size_t size = 0;

	fresh();
	s = open_store(0);
	store_state(s, "a", "old", 3);
	store_state(s, "a", bytes, sizeof(bytes));
	store_close(s);
	assert_int_equal(store_state_load(path, "a", &got, &size, NULL), 0);
	assert_int_equal(size, sizeof(bytes));
	assert_memory_equal(got, bytes, size);
	free(got);
	assert_int_equal(store_state_load(path, "b", &got, &size, NULL), -ENOENT);
	clean();
}

static void note(const struct store_known_event *ev, void *arg)
{
	*(struct store_known_event *)arg = *ev;
}

static void known_events_are_read_until_they_are_past(void **state)
{
	struct store_known_event ev = {0, "checkout", "sale", 1000, 500, NAN}, got = {};
	struct store *s;
	int64_t id;

	fresh();
	s = open_store(0);
	id = store_known_event_add(s, &ev);
	ev.multiplier = 3;
	store_known_event_remove(s, store_known_event_add(s, &ev));
	store_close(s);
	assert_int_equal(store_known_events(path, 1499, note, &got, NULL), 1);
	assert_int_equal(got.id, id);
	assert_string_equal(got.name, "sale");
	assert_true(isnan(got.multiplier));
	assert_int_equal(store_known_events(path, 1500, note, &got, NULL), 0);
	clean();
}

static void a_past_decision_is_explained_by_its_id_or_its_write(void **state)
{
	const struct store_decision d = {.at_real_ns = 5,
					 .service = "checkout",
					 .knob = "memory.max",
					 .reason = "memory_limit",
					 .mode = "enforce",
					 .before = UNLIMITED,
					 .value = 64 * MIB,
					 .inputs_json = "{\"use\":1}",
					 .refused_json = "[\"in_use\"]",
					 .policy = "c.yaml:3"};
	struct store_write w = {.service = "checkout",
				.knob = "memory.max",
				.reason = "memory_limit",
				.before = UNLIMITED,
				.after = UNLIMITED,
				.asked = 64 * MIB,
				.err = EBUSY};
	json_t *by_decision = NULL, *by_write = NULL, *alone = NULL;
	struct store *s;

	fresh();
	s = open_store(0);
	w.decision_id = store_decision(s, &d); /* 1 */
	store_write(s, &w);                    /* 2 */
	w.decision_id = 0;
	w.reason = "guard_stalled";
	store_write(s, &w); /* 3 */
	store_close(s);
	assert_int_equal(store_explain(path, 1, &by_decision, NULL), 0);
	assert_int_equal(store_explain(path, 2, &by_write, NULL), 0);
	assert_true(json_equal(by_decision, by_write));
	assert_true(json_is_null(json_object_get(by_write, "before")));
	assert_int_equal(json_integer_value(json_object_get(by_write, "value")), 64 * MIB);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(by_write, "inputs"), "use")), 1);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(by_write, "refused"), 0)),
		"in_use");
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(json_object_get(by_write, "writes"), 0), "errno")),
			 EBUSY);
	assert_int_equal(store_explain(path, 3, &alone, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(alone, "reason")), "guard_stalled");
	assert_int_equal(json_array_size(json_object_get(alone, "writes")), 1);
	assert_int_equal(store_explain(path, 4, &alone, NULL), -ENOENT);
	json_decref(by_decision);
	json_decref(by_write);
	json_decref(alone);
	clean();
}

static void views_answer_who_wrote_what_it_costs_and_how_the_slo_is_held(void **state)
{
	const struct store_write w = {.at_real_ns = BASE_S * (int64_t)NS_PER_S,
				      .service = "checkout",
				      .knob = "cpu.max",
				      .reason = "burst",
				      .before = 1,
				      .after = 2,
				      .asked = 2};
	struct store_slo slo = {
		BASE_S * (int64_t)NS_PER_S, "checkout", NULL, 0.999, 200000, 0.9995, 0.5};
	struct store_sample v = {.at_real_ns = BASE_S * (int64_t)NS_PER_S,
				 .service = "checkout",
				 .route = "GET /a",
				 .requests = 10,
				 .bytes_out = 1000,
				 .aborted = 2,
				 .responses = {0, 7, 0, 0, 1},
				 .total_p99_us = 900,
				 .cpu_us_per_request = 100};
	struct store *s;

	fresh();
	s = open_store(0);
	store_write(s, &w);
	store_event(s, w.at_real_ns + 1, "foreign_write", "checkout", "uid 0 set cpu.max");
	store_slo(s, &slo);
	slo.at_real_ns += (int64_t)(60 * NS_PER_S);
	slo.attained = 0.9985;
	store_slo(s, &slo);
	store_sample(s, &v);
	v.at_real_ns += (int64_t)NS_PER_S;
	v.requests = 30;
	v.cpu_us_per_request = 200;
	store_sample(s, &v);
	cpu_sample(s, BASE_S + 60, 1);
	store_close(s);
	assert_string_equal(
		ask("SELECT group_concat(who || ' ' || why) FROM (SELECT * FROM who_wrote ORDER BY"
		    " at_real_ns)"),
		"foreshape burst,other uid 0 set cpu.max");
	assert_string_equal(
		ask("SELECT ifnull(route, 'all') || ' ' || round(attained, 6) || ' ' || worst || ' ' ||"
		    " samples || ' ' || samples_missed FROM slo_attainment"),
		"all 0.999 0.9985 2 1");
	/* (10 x 100 + 30 x 200) / 40; 2000 bytes of 40 requests */
	assert_string_equal(
		ask("SELECT requests || ' ' || cpu_us_per_request || ' ' || bytes_out_per_request FROM"
		    " cost_per_api"),
		"40 175.0 50.0");
	assert_string_equal(
		ask("SELECT requests || ' ' || errors || ' ' || worst_p99_us FROM last_hour"),
		"40 6 900.0");
	clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_decision_and_its_write_are_kept_with_inputs),
		cmocka_unit_test(model_state_comes_back_as_it_was),
		cmocka_unit_test(known_events_are_read_until_they_are_past),
		cmocka_unit_test(a_past_decision_is_explained_by_its_id_or_its_write),
		cmocka_unit_test(views_answer_who_wrote_what_it_costs_and_how_the_slo_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
