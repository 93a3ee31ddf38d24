// SPDX-License-Identifier: GPL-2.0-or-later
/* test_audit.c - out of a history, all that was decided is decided again; what is not is told. */
#include "agent/audit.h"

#include "agent/base/cleanup.h"
#include "agent/decision_text.h"
#include "tests/agent/store_fixture.h"
#include "tests/agent/tape_host.h"

static struct store *kept;

static void keep_decision(const struct plan_entry *e, int64_t id)
{
	_cleanup_(freep) char *inputs = decision_inputs(e);
	_cleanup_(freep) char *refused = decision_refused(e->refused);
	int64_t given = store_decision(
		kept, &(struct store_decision){
			      .at_real_ns = (int64_t)h.w.now_ns + BASE_S * 1000000000,
			      .service = h.w.services[e->service].name,
			      .knob = knob_rows[e->knob].name,
			      .reason = reason_rows[e->reason].name,
			      .mode = h.w.observe ? "observe" : "enforce",
			      .before = e->before,
			      .value = e->value,
			      .inputs_json = inputs,
			      .refused_json = refused,
			      .policy = "default",
		      });

	assert_int_equal(given, id);
}

static void keep_part(int64_t begun, uint64_t part, const struct tape_bytes *b)
{
	store_tape(kept, &(struct store_tape){.begun_real_ns = begun,
					      .at_real_ns = (int64_t)(BASE_S * 1000000000 + part),
					      .part = part,
					      .bytes = b->bytes,
					      .size = b->used});
	assert_int_equal(store_flush(kept, WAIT_MS), 0);
}

/* @n ticks into a history, a part each, after the state in @n_state parts. */
static void record_in(uint64_t seed, int n, uint64_t n_state)
{
	size_t each;

	fresh();
	kept = open_store(UINT64_C(1) << 30);
	a_host(seed);
	h.keep = keep_decision;
	start_tape();
	each = (h.first.used + n_state - 1) / n_state;
	for (uint64_t i = 0; i < n_state; i++) {
		struct tape_bytes part = {.bytes = h.first.bytes + i * each};

		part.used = MIN(each, h.first.used - i * each);
		keep_part(1000, i, &part);
	}
	for (int t = 0; t < n; t++) {
		step();
		keep_part(1000, n_state + (uint64_t)t, &h.tape.told);
		h.tape.told.used = 0;
	}
	store_close(kept);
}

static void record(uint64_t seed, int n)
{
	record_in(seed, n, 1);
}

static void change(const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static struct audit_result audit(void)
{
	struct audit_result res;
	sqlite3 *db = NULL;
	struct err e = {};

	assert_int_equal(store_read_open(path, &db, &e), 0);
	if (audit_run(db, &h.w.set, INT64_MIN, INT64_MAX, NULL, &res, &e) < 0)
		fail_msg("%s", e.text);
	sqlite3_close(db);
	return res;
}

static void every_decision_is_made_again(void **state)
{
	struct audit_result res;

	record(7, 600);
	res = audit();
	assert_true(h.n > 100);
	assert_int_equal(res.tapes, 1);
	assert_int_equal(res.ticks, 600);
	assert_int_equal(res.guards, 1800);
	assert_int_equal(res.decisions, h.n);
	assert_int_equal(res.same, h.n);
	assert_int_equal(res.different, 0);
	assert_string_equal(res.why, "");
	done();
	clean();
}

/* One bit of one column of one row is enough. */
static void what_is_other_is_found(void **state)
{
	static const char *const changes[] = {
		"UPDATE decision SET value = value + 1 WHERE id = 20",
		"UPDATE decision SET before = ifnull(before, 0) + 1 WHERE id = 20",
		"UPDATE decision SET reason = 'burst' WHERE id = 20 AND reason <> 'burst'",
		"UPDATE decision SET refused = '[\"aba\"]' WHERE id = 20",
		"UPDATE decision SET inputs = '{}' WHERE id = 20",
		"DELETE FROM decision WHERE id = 20",
	};
	char save[128], restore[160];

	record(8, 120);
	assert_true(h.n > 40);
	(void)snprintf(save, sizeof(save),
		       "CREATE TABLE saved AS SELECT * FROM decision WHERE id = 20");
	(void)snprintf(restore, sizeof(restore),
		       "INSERT OR REPLACE INTO decision SELECT * FROM saved");
	change("UPDATE decision SET reason = reason"); /* nothing: all is the same */
	assert_int_equal(audit().different, 0);
	change(save);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct audit_result res;

		if (i == 2 && streq(ask("SELECT reason FROM decision WHERE id = 20"), "burst"))
			continue;
		change(changes[i]);
		res = audit();
		assert_int_equal(res.different, 1);
		assert_int_equal(res.same, h.n - 1);
		assert_int_equal(res.shown[0].id, 20);
		change(restore);
	}
	done();
	clean();
}

/* A part that is lost ends what can be told; up to there all is the same. */
static void a_lost_part_ends_it(void **state)
{
	struct audit_result res;

	record(9, 60);
	change("DELETE FROM planner_tape WHERE part = 31");
	res = audit();
	assert_int_equal(res.ticks, 30);
	assert_int_equal(res.different, 0);
	assert_true(res.same == res.decisions && res.same > 0);
	assert_string_equal(res.why, "part 31 of a recording is missing");
	change("DELETE FROM planner_tape WHERE part = 0");
	done();
	clean();
}

static void a_large_state_is_in_parts(void **state)
{
	struct audit_result res;

	record_in(10, 60, 4);
	res = audit();
	assert_int_equal(res.ticks, 60);
	assert_true(res.same == res.decisions && res.same > 0);
	change("DELETE FROM planner_tape WHERE part = 40");
	assert_int_equal(audit().ticks, 36);
	change("DELETE FROM planner_tape WHERE part = 3");
	res = audit();
	assert_int_equal(res.tapes, 0);
	assert_int_equal(res.skipped, 1);
	assert_string_equal(res.why, "part 3 of a recording is missing");
	done();
	clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_decision_is_made_again),
		cmocka_unit_test(what_is_other_is_found),
		cmocka_unit_test(a_lost_part_ends_it),
		cmocka_unit_test(a_large_state_is_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
