// SPDX-License-Identifier: GPL-2.0-or-later
/* test_latency.c - late requests as expected, against a quota that is simulated event by event. */
#include <math.h>
#include <stdlib.h>

#include "shaping/latency.h"
#include "tests/check.h"
#include "tests/shaping/world.h"

#define PERIOD_S 0.1
#define CORES    4
#define MOST     80000 /* requests of one run */
#define REQUESTS 40000 /* about so many */

/* Requests in order of arrival, served by up to CORES threads that share a quota per period. */
struct sim {
	double came[MOST], left_s[CORES]; /* work left of those in service */
	size_t who[CORES];
	size_t n, next, busy;
	double now, period_ends, quota, left; /* left of the quota in this period */
	double latency_s;
	size_t late;
};

static void arrive(struct sim *s, double rate, double from_s, double to_s, uint64_t *seed)
{
	double t = from_s - log(1 - world_unit(seed)) / rate;

	for (; t < to_s && s->n < MOST; t -= log(1 - world_unit(seed)) / rate)
		s->came[s->n++] = t;
}

static void begin_service(struct sim *s, double cost_s)
{
	while (s->busy < CORES && s->next < s->n && s->came[s->next] <= s->now) {
		s->who[s->busy] = s->next++;
		s->left_s[s->busy++] = cost_s;
	}
}

/* Time to whatever comes next: an arrival, the end of a period, of the quota, of a request. */
static double to_next(const struct sim *s)
{
	double dt = s->period_ends - s->now;

	if (s->busy < CORES && s->next < s->n)
		dt = fmin(dt, fmax(s->came[s->next] - s->now, 0));
	if (s->busy == 0 || s->left <= 0)
		return dt;
	dt = fmin(dt, s->left / (double)s->busy);
	for (size_t i = 0; i < s->busy; i++)
		dt = fmin(dt, s->left_s[i]);
	return dt;
}

static void pass(struct sim *s, double dt)
{
	bool runs = s->left > 0;

	s->now += dt;
	for (size_t i = 0; runs && i < s->busy; i++)
		s->left_s[i] -= dt;
	if (runs)
		s->left -= dt * (double)s->busy;
	if (s->left < 1e-12)
		s->left = 0;
	for (size_t i = s->busy; runs && i-- > 0;) {
		if (s->left_s[i] > 1e-12)
			continue;
		s->late += s->now - s->came[s->who[i]] > s->latency_s + 1e-9;
		s->left_s[i] = s->left_s[--s->busy];
		s->who[i] = s->who[s->busy];
	}
	if (s->now >= s->period_ends - 1e-12) {
		s->now = s->period_ends;
		s->period_ends += PERIOD_S;
		s->left = s->quota;
	}
}

/* Share of late ones among those that came. */
static double run(struct sim *s, double cost_s, double limit, double latency_s)
{
	s->now = 0;
	s->next = s->busy = s->late = 0;
	s->period_ends = PERIOD_S;
	s->quota = s->left = limit * PERIOD_S;
	s->latency_s = latency_s;
	while (s->next < s->n || s->busy > 0) {
		begin_service(s, cost_s);
		pass(s, to_next(s));
	}
	return (double)s->late / (double)s->n;
}

static struct sim sim;

/* Of @used of the limit for many requests: simulated, and expected step by step. */
static void in_balance(double cost_s, double limit, double used, double latency_s, double *is,
		       double *as)
{
	struct latency_load l = {.rate_per_s = used * limit / cost_s,
				 .cost_s = cost_s,
				 .limit_mcpu = limit * 1000,
				 .seconds = 1};
	int seconds = (int)(REQUESTS / l.rate_per_s);
	uint64_t seed = 88172645463325252;
	struct latency_queue q = {};

	sim.n = 0;
	arrive(&sim, l.rate_per_s, 0, seconds, &seed);
	*is = run(&sim, cost_s, limit, latency_s);
	*as = 0;
	for (int t = 0; t < seconds; t++)
		*as += latency_late(&l, latency_s, &q) / seconds;
}

/*
 * Within 0.06 where a period has room for 9 requests or more, 0.14 where it is 3: threads that are
 * stopped in the midst of requests share what comes next. And where some are late, by no factor.
 */
static void a_steady_load_is_as_simulated(void **state)
{
	static const double costs_s[] = {0.001, 0.003, 0.01}, limits[] = {0.3, 1, 2.5};
	static const double used[] = {0.3, 0.5, 0.7, 0.8, 0.9, 0.95};
	static const double latencies_s[] = {0.05, 0.1, 0.2, 0.5};
	size_t some = 0;

	for (size_t i = 0; i < 3 * 3 * 6 * 4; i++) {
		double cost_s = costs_s[i % 3], limit = limits[i / 3 % 3];
		double u = used[i / 9 % 6], latency_s = latencies_s[i / 54], is, as;
		double room = limit * PERIOD_S / cost_s;

		in_balance(cost_s, limit, u, latency_s, &is, &as);
		some += is > 0.03;
		if (fabs(is - as) > (room < 5 ? 0.14 : 0.06) ||
		    (is > 0.03 && (as < 0.5 * is || as > 2 * is)))
			fail_msg("%g s at %g of %g CPUs, over %g s: %g is not %g", cost_s, u, limit,
				 latency_s, as, is);
	}
	assert_true(some > 20);
}

/* Every 30 seconds 5 with 1.3 times what the limit allows: it takes 4 more until all are served. */
static void a_flood_waits_until_it_is_served(void **state)
{
	const double cost_s = 0.003, latency_s = 0.1, calm = 0.6, flood = 1.3;
	struct latency_load l = {.cost_s = cost_s, .limit_mcpu = 1000, .seconds = 1};
	uint64_t seed = 88172645463325252;
	struct latency_queue q = {};
	double is, late = 0, all = 0;

	sim.n = 0;
	for (int t = 0; t < 120; t++) {
		l.rate_per_s = (t % 30 < 5 ? flood : calm) / cost_s;
		arrive(&sim, l.rate_per_s, t, t + 1, &seed);
		late += l.rate_per_s * latency_late(&l, latency_s, &q);
		all += l.rate_per_s;
	}
	is = run(&sim, cost_s, 1, latency_s);
	assert_true(is > 0.2 && is < 0.5);
	if (fabs(is - late / all) > 0.03)
		fail_msg("%g is not %g", late / all, is);
	assert_true(q.backlog_s == 0);
}

static double late_of(double rate, double limit_mcpu, double other_mcpu, double latency_s)
{
	const struct latency_load l = {rate, 0.003, other_mcpu, limit_mcpu, 1};
	struct latency_queue q = {};

	return latency_late(&l, latency_s, &q);
}

static void more_of_a_limit_makes_fewer_late(void **state)
{
	double before = 1;

	for (int mcpu = 0; mcpu <= 1200; mcpu += 10) {
		double late = late_of(200, mcpu, 0, 0.1);

		assert_true(late >= 0 && late <= before + 1e-3);
		before = late;
	}
	assert_true(before < 1e-6);
	assert_true(late_of(200, 0, 0, 0.1) == 1);
	assert_true(late_of(200, 4000, 0, 0.003) == 1); /* as long as it takes at least */
	assert_true(late_of(200, 620, 0, 0.1) > 0.01);
	assert_true(late_of(200, 820, 200, 0.1) == late_of(200, 620, 0, 0.1));
}

static void what_is_not_known_is_not_told(void **state)
{
	static const struct latency_load rows[] = {
		{NAN, 0.003, 0, 100, 1}, {100, NAN, 0, 100, 1},      {100, 0.003, NAN, 100, 1},
		{100, 0.003, 0, NAN, 1}, {100, 0.003, 0, 100, NAN},  {-1, 0.003, 0, 100, 1},
		{100, 0, 0, 100, 1},     {100, 0.003, -1, 100, 1},   {100, 0.003, 0, -1, 1},
		{100, 0.003, 0, 100, 0}, {INFINITY, 0.003, 0, 1, 1}, {100, 0.003, 0, INFINITY, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct latency_queue q = {1, 2};

		assert_true(isnan(latency_late(&rows[i], 0.1, &q)));
		assert_true(q.backlog_s == 1 && q.busy_s == 2);
	}
	assert_true(isnan(late_of(100, 100, 0, NAN)) && isnan(late_of(100, 100, 0, 0)));
}

static void what_waits_is_served_while_nothing_comes(void **state)
{
	const struct latency_load none = {0, 0.003, 100, 600, 2};
	struct latency_queue q = {.backlog_s = 1.5, .busy_s = 9};

	assert_true(latency_late(&none, 0.1, &q) == 0);
	assert_true(fabs(q.backlog_s - 0.5) < 1e-12 && q.busy_s == 0);
	assert_true(latency_late(&none, 0.1, &q) == 0 && q.backlog_s == 0);
}

/* Whatever comes is a share, and what waits a number. */
static void any_load_gives_a_share(void **state)
{
	uint64_t seed = 4101842887655102017;
	struct latency_queue q = {};

	for (int i = 0; i < 100000; i++) {
		const struct latency_load l = {
			pow(10, 8 * world_unit(&seed) - 3), pow(10, 7 * world_unit(&seed) - 6),
			1e4 * world_unit(&seed) * (i % 2), pow(10, 8 * world_unit(&seed) - 2),
			pow(10, 5 * world_unit(&seed) - 1)};
		double late = latency_late(&l, pow(10, 5 * world_unit(&seed) - 4), &q);

		assert_true(late >= 0 && late <= 1);
		assert_true(q.backlog_s >= 0 && isfinite(q.backlog_s) && q.busy_s >= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_load_is_as_simulated),
		cmocka_unit_test(a_flood_waits_until_it_is_served),
		cmocka_unit_test(more_of_a_limit_makes_fewer_late),
		cmocka_unit_test(what_is_not_known_is_not_told),
		cmocka_unit_test(what_waits_is_served_while_nothing_comes),
		cmocka_unit_test(any_load_gives_a_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
