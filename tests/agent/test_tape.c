// SPDX-License-Identifier: GPL-2.0-or-later
/* test_tape.c - a planner that is told again what it was told decides the same, bit for bit. */
#include "agent/base/cleanup.h"
#include "agent/tape_play.h"
#include "tests/agent/tape_host.h"

struct seen {
	size_t same, other, missing, more;
};

static void compare(void *arg, int64_t id, uint32_t service, uint16_t knob,
		    const struct plan_entry *e)
{
	const struct plan_entry *then = id > 0 ? &h.decided[id - 1] : NULL;
	struct seen *s = arg;

	if (!then || !e) {
		s->more += !then;
		s->missing += !e;
		return;
	}
	assert_int_equal(then->service, service);
	assert_int_equal(then->knob, knob);
	if (then->value == e->value && then->reason == e->reason && then->before == e->before &&
	    then->refused == e->refused && then->n_inputs == e->n_inputs &&
	    memcmp(then->inputs, e->inputs, e->n_inputs * sizeof(e->inputs[0])) == 0)
		s->same++;
	else
		s->other++;
}

static struct seen play(void)
{
	struct tape_player p;
	struct seen seen = {};
	struct err e = {};

	assert_int_equal(tape_player_new(&h.w.set, h.first.bytes, h.first.used, &p, &e), 0);
	p.decided = compare;
	p.arg = &seen;
	if (tape_play(&p, h.tape.told.bytes, h.tape.told.used, &e) < 0)
		fail_msg("%s", e.text);
	tape_play_end(&p);
	tape_player_free(&p);
	return seen;
}

static void decisions_are_the_same_bit_for_bit(void **state)
{
	for (uint64_t seed = 1; seed <= 2; seed++) {
		struct seen seen;

		a_host(seed);
		start_tape();
		for (int t = 0; t < 800; t++)
			step();
		assert_true(h.n > 150);
		seen = play();
		assert_int_equal(seen.same, h.n);
		assert_int_equal(seen.other + seen.missing + seen.more, 0);
		done();
	}
}

static void also_from_the_middle(void **state)
{
	struct seen seen;
	size_t before;

	a_host(4);
	for (int t = 0; t < 500; t++)
		step();
	finish_jobs();
	start_tape();
	before = h.n;
	for (int t = 0; t < 500; t++)
		step();
	seen = play();
	assert_true(h.n > before + 50);
	assert_int_equal(seen.same, h.n - before);
	assert_int_equal(seen.other + seen.missing + seen.more, 0);
	done();
}

static void told_as_it_was(uint64_t v, int64_t i, double d)
{
	_cleanup_(tape_bytes_free) struct tape_bytes b = {};
	struct tape_reader r;
	char text[8];
	double back;

	tape_put(&b, v);
	tape_put_signed(&b, i);
	tape_put_limit(&b, v);
	tape_put_real(&b, d);
	tape_put_text(&b, "longer than it may be");
	r = (struct tape_reader){b.bytes, b.used, false};
	assert_true(tape_get(&r) == v && tape_get_signed(&r) == i && tape_get_limit(&r) == v);
	back = tape_get_real(&r);
	assert_memory_equal(&back, &d, sizeof(d));
	tape_get_text(&r, text, sizeof(text));
	assert_string_equal(text, "longer ");
	assert_false(r.cut);
	assert_int_equal(r.left, 0);
	(void)tape_get(&r);
	assert_true(r.cut);
}

static void numbers_come_back(void **state)
{
	static const uint64_t numbers[] = {0,        1, 127, 128, UINT64_C(1) << 63, UINT64_MAX - 1,
					   UNLIMITED};

	for (size_t k = 0; k < ARRAY_SIZE(numbers); k++)
		told_as_it_was(numbers[k], (int64_t)numbers[k], k ? 0.1 * (double)k : NAN);
}

/* Whatever the bytes are: an error or not, but no more. */
static void any_bytes_do_no_harm(void **state)
{
	uint64_t seed = 99;

	a_host(5);
	start_tape();
	for (int t = 0; t < 40; t++)
		step();
	for (int round = 0; round < 300; round++) {
		struct tape_bytes damaged = {};
		struct tape_player p;
		struct err e = {};

		tape_put_raw(&damaged, h.tape.told.bytes,
			     round % 3 ? h.tape.told.used : world_random(&seed) % h.tape.told.used);
		for (int k = 0; damaged.used > 0 && k < 1 + round % 5; k++)
			damaged.bytes[world_random(&seed) % damaged.used] =
				(uint8_t)world_random(&seed);
		assert_int_equal(tape_player_new(&h.w.set, h.first.bytes, h.first.used, &p, &e), 0);
		(void)tape_play(&p, damaged.bytes, damaged.used, &e);
		tape_play_end(&p);
		tape_player_free(&p);
		for (size_t i = 0; i < h.w.set.n_services; i++) {
			free(h.w.services[i].events);
			h.w.services[i].events = NULL;
			h.w.services[i].n_events = 0;
		}
		tape_bytes_free(&damaged);
	}
	done();
}

static void other_services_are_refused(void **state)
{
	struct tape_player p;
	struct err e = {};

	a_host(6);
	start_tape();
	h.w.services[2].n_apis = 1;
	assert_int_equal(tape_player_new(&h.w.set, h.first.bytes, h.first.used, &p, &e), -EINVAL);
	assert_non_null(strstr(e.text, "other services or APIs"));
	h.w.services[2].n_apis = 2;
	assert_int_equal(tape_player_new(&h.w.set, h.first.bytes, h.first.used / 2, &p, &e),
			 -EINVAL);
	assert_int_equal(tape_player_new(&h.w.set, h.first.bytes, 0, &p, &e), -EINVAL);
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decisions_are_the_same_bit_for_bit),
		cmocka_unit_test(also_from_the_middle),
		cmocka_unit_test(numbers_come_back),
		cmocka_unit_test(any_bytes_do_no_harm),
		cmocka_unit_test(other_services_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
