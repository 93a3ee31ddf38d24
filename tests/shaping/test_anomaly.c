// SPDX-License-Identifier: GPL-2.0-or-later
/* test_anomaly.c - limits are held for a while after use that does not belong. */
#include "tests/check.h"
#include "shaping/reason.h"
#include "tests/shaping/world.h"

#define DWELL_S 10
#define HELD_S  (3 * DWELL_S)

static struct world w;
static uint64_t seed = 11;

static void run(double mcpu)
{
	w.wants_mcpu[0] = mcpu * (0.97 + 0.06 * world_unit(&seed));
	world_step(&w);
}

static uint64_t limit(void)
{
	return w.seen[0].knob[KNOB_CPU_MAX];
}

static void start(void)
{
	struct policy_service *s;

	world_init(&w, 4000);
	w.set.host.dwell_ns = DWELL_S * NS_PER_S;
	s = world_add(&w, "shop", TIER_GOLD);
	s->cpu.mode = CPU_CAP;
	for (int t = 0; t < 600; t++)
		run(1000);
}

/* Its clients are gone from one second to the next. It may be a fault elsewhere, and over soon. */
static void a_sudden_silence_lowers_nothing_at_once(void **state)
{
	uint64_t before;
	int held = 0, t = 0;

	(void)state;
	start();
	before = limit();
	assert_in_range(before, 1000, 2000);
	while (t < 300 && limit() >= before) {
		run(100);
		held += world_entry(&w, 0, KNOB_CPU_MAX)->refused >> REFUSAL_ANOMALY & 1;
		t++;
	}
	assert_true(limit() < before);
	assert_true(held >= HELD_S / 2);
	assert_true(t >= HELD_S);
	for (t = 0; t < 300; t++)
		run(100);
	assert_true(limit() < before / 2);
	world_free(&w);
}

/* Raising is not held: what is more than usual is given at once. */
static void a_sudden_load_is_met(void **state)
{
	(void)state;
	start();
	for (int t = 0; t < 5; t++)
		run(2500);
	assert_true(limit() >= 2500);
	world_free(&w);
}

/* What belongs is followed down as before, by what the dwell allows. */
static void a_slow_fall_is_followed(void **state)
{
	uint64_t before;

	(void)state;
	start();
	before = limit();
	for (int t = 0; t < 600; t++)
		run(1000 - t);
	assert_true(limit() < before * 6 / 10);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sudden_silence_lowers_nothing_at_once),
		cmocka_unit_test(a_sudden_load_is_met),
		cmocka_unit_test(a_slow_fall_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
