// SPDX-License-Identifier: GPL-2.0-or-later
/* test_store_queue.c - records through the queue: as they went in, or not at all. */
#include "agent/store_queue.h"

#include <math.h>
#include <string.h>

#include "agent/base/util.h"
#include "tests/check.h"

static void put_event(struct records *q, const char *text)
{
	record_begin(q, RECORD_EVENT);
	record_int(q, -5);
	record_text(q, text);
}

static void values_come_out_as_they_went_in(void **state)
{
	struct records q = {.max = MIB};
	enum record_kind kind;
	struct value v;
	size_t at = 0;

	record_begin(&q, RECORD_WRITE);
	record_int(&q, INT64_MIN);
	record_count(&q, UINT64_MAX - 1); /* SQLite's integers are signed */
	record_limit(&q, UNLIMITED);
	record_limit(&q, 0);
	record_real(&q, NAN);
	record_real(&q, 0.25);
	record_text(&q, NULL);
	record_text(&q, "");
	record_blob(&q, "a\0b", 3);
	assert_true(record_end(&q));
	assert_true(records_next(&q, &at, &kind));
	assert_int_equal(kind, RECORD_WRITE);
	assert_true(records_value(&q, &at, &v) && v.type == VALUE_INT && v.i == INT64_MIN);
	assert_true(records_value(&q, &at, &v) && v.type == VALUE_INT && v.i == INT64_MAX);
	assert_true(records_value(&q, &at, &v) && v.type == VALUE_NULL);
	assert_true(records_value(&q, &at, &v) && v.type == VALUE_INT && v.i == 0);
	assert_true(records_value(&q, &at, &v) && v.type == VALUE_NULL);
	assert_true(records_value(&q, &at, &v) && v.type == VALUE_REAL && v.real == 0.25);
	assert_true(records_value(&q, &at, &v) && v.type == VALUE_NULL);
	assert_true(records_value(&q, &at, &v) && v.type == VALUE_TEXT && v.size == 0);
	assert_true(records_value(&q, &at, &v) && v.type == VALUE_BLOB && v.size == 3);
	assert_memory_equal(v.bytes, "a\0b", 3);
	assert_false(records_value(&q, &at, &v));
	assert_false(records_next(&q, &at, &kind));
	records_free(&q);
}

static void a_record_without_room_leaves_the_others_whole(void **state)
{
	struct records q = {.max = 60};
	enum record_kind kind;
	struct value v;
	size_t at = 0;

	put_event(&q, "first"); /* 1 + 9 + 10 + 1 bytes */
	assert_true(record_end(&q));
	put_event(&q, "a text that does not fit any more");
	assert_false(record_end(&q));
	put_event(&q, "third");
	assert_true(record_end(&q));
	assert_int_equal(q.n, 2);
	assert_int_equal(q.used, 42);
	assert_true(records_next(&q, &at, &kind));
	while (records_value(&q, &at, &v))
		;
	assert_true(records_next(&q, &at, &kind));
	assert_true(records_value(&q, &at, &v) && records_value(&q, &at, &v));
	assert_memory_equal(v.bytes, "third", 5);
	records_free(&q);
}

static void a_large_queue_gives_its_memory_back(void **state)
{
	struct records q = {.max = 4 * MIB};
	static char text[300 * 1024];

	memset(text, 'x', sizeof(text) - 1);
	put_event(&q, "small");
	assert_true(record_end(&q));
	records_clear(&q);
	assert_non_null(q.bytes);
	put_event(&q, text);
	assert_true(record_end(&q));
	records_clear(&q);
	assert_null(q.bytes);
	put_event(&q, "again");
	assert_true(record_end(&q));
	assert_int_equal(q.n, 1);
	records_free(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_out_as_they_went_in),
		cmocka_unit_test(a_record_without_room_leaves_the_others_whole),
		cmocka_unit_test(a_large_queue_gives_its_memory_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
