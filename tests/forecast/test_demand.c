// SPDX-License-Identifier: GPL-2.0-or-later
/* test_demand.c - what a service will use: by hand, by coverage over streams, and for any input. */
#include <stdlib.h>
#include <string.h>

#include "forecast/demand.h"
#include "tests/check.h"
#include "tests/forecast/inputs.h"

#define LEAD 12
#define APIS 4

static const double spread[FORECAST_LEVELS] = {-1.96, -1.645, -1.28, -0.67, 0,   0.67,
					       1.28,  1.645,  1.96,  2.33,  3.09};

static struct forecast normal(double mean, double sd)
{
	struct forecast f = {.mean = mean};

	for (int l = 0; l < FORECAST_LEVELS; l++)
		f.q[l] = fmax(mean + sd * spread[l], 0);
	return f;
}

static struct demand_input input(struct demand_api *apis, size_t n)
{
	struct demand_input in = {.lead_steps = LEAD, .n_apis = n, .apis = apis};

	for (int k = 0; k < DEMAND_RESOURCES; k++) {
		in.used[k] = NAN;
		in.base[k] = NAN;
		in.error[k] = 0;
	}
	return in;
}

/*
 * Two APIs, nothing learned: 100 +- 3 at 2 mcpu and 50 +- 4 at 2 mcpu over a base of 30 give
 * 330 +- 10, beside what is not known of the ratio: a tenth of 330.
 */
static void demand_is_base_and_requests_times_costs(void **state)
{
	struct demand_api apis[2] = {
		{.seen = NAN, .rate = {normal(100, 3), normal(100, 3)}, .cost = {2, NAN, 800}},
		{.seen = NAN, .rate = {normal(50, 4), normal(50, 4)}, .cost = {2, NAN, 80}},
	};
	struct demand_input in = input(apis, 2);
	struct forecast f[DEMAND_RESOURCES];
	static struct demand d;

	(void)state;
	in.base[DEMAND_CPU] = 30, in.base[DEMAND_MEMORY] = 1e8, in.base[DEMAND_BANDWIDTH] = 0;
	demand_init(&d);
	demand_step(&d, &in, f);
	assert_true(fabs(f[DEMAND_CPU].q[Q50] - 330) < 0.01);
	assert_true(fabs((f[DEMAND_CPU].q[Q95] - 330) / 1.645 - sqrt(100 + 33 * 33)) < 0.2);
	assert_true(fabs(f[DEMAND_BANDWIDTH].q[Q50] - 84000) < 1);
	assert_true(f[DEMAND_MEMORY].q[Q99] == 0); /* no cost is known, and no view is given */
	in.error[DEMAND_CPU] = 40;
	demand_step(&d, &in, f);
	assert_true(fabs((f[DEMAND_CPU].q[Q95] - 330) / 1.645 - sqrt(100 + 33 * 33 + 40 * 40)) <
		    0.2);
	apis[0].cost[DEMAND_CPU] = NAN;
	demand_step(&d, &in, f);
	assert_true(f[DEMAND_CPU].q[Q99] == 0);
}

/* Its view is another one at each step: every fourth is read, of others each. */
static void a_slow_resource_is_forecast_now_and_then(void **state)
{
	struct demand_input in = input(NULL, 0);
	struct forecast f[DEMAND_RESOURCES], own;
	static struct demand d;
	double before = 0;
	int renewed = 0;

	(void)state;
	in.lead_steps = 100; /* judged every 25 steps */
	in.slow[DEMAND_MEMORY] = true;
	in.view[DEMAND_DIRECT][DEMAND_PEAK][DEMAND_MEMORY] = &own;
	in.view[DEMAND_DIRECT][DEMAND_PEAK][DEMAND_BANDWIDTH] = &own;
	demand_init(&d);
	for (int t = 0; t < 20; t++) {
		double now = 1000 + 10 * t;

		own = normal(now, 1);
		demand_step(&d, &in, f);
		assert_true(fabs(f[DEMAND_BANDWIDTH].q[Q50] - now) < 0.01);
		assert_true(f[DEMAND_MEMORY].q[Q50] > now - 30.01 &&
			    f[DEMAND_MEMORY].q[Q50] < now + 0.01);
		renewed += f[DEMAND_MEMORY].q[Q50] != before;
		before = f[DEMAND_MEMORY].q[Q50];
	}
	assert_int_equal(renewed, 1 + 5);
}

static void a_series_alone_is_given_as_it_is(void **state)
{
	struct demand_input in = input(NULL, 0);
	struct forecast f[DEMAND_RESOURCES], own = normal(700, 40);
	static struct demand d;

	(void)state;
	demand_init(&d);
	in.view[DEMAND_DIRECT][DEMAND_PEAK][DEMAND_CPU] = &own;
	demand_step(&d, &in, f);
	for (int l = 0; l < Q99; l++) /* the tail beyond is that of all such forecasts */
		assert_true(fabs(f[DEMAND_CPU].q[l] - own.q[l]) < 0.01);
	assert_true(fabs(f[DEMAND_CPU].mean - 700) < 1);
}

/* The load of APIS APIs: each its own noise and one shared, of weight @shared[k]. */
struct stream {
	double shared[APIS], level[APIS], cost[APIS], own[APIS], common;
	uint64_t seed;
	int t;
};

static void next_rates(struct stream *s, double *rates)
{
	double season = 1 + 0.4 * sin(2 * M_PI * s->t++ / 90);

	s->common = 0.8 * s->common + 0.12 * input_normal(&s->seed);
	for (int k = 0; k < APIS; k++) {
		s->own[k] = 0.7 * s->own[k] + 0.05 * input_normal(&s->seed);
		rates[k] = s->level[k] * season * exp(s->shared[k] * s->common + s->own[k]);
	}
}

static struct stream new_stream(uint64_t seed, double opposed)
{
	struct stream s = {.seed = seed,
			   .level = {200, 100, 50, 400},
			   .cost = {1, 2, 4, 0.5},
			   .shared = {1, 1 - 2 * opposed, 1, 1 - 2 * opposed}};

	return s;
}

struct run {
	struct demand d;
	struct series *rates[APIS], *use;
	double within[2], n, width, last_width;
	float waiting[LEAD][4]; /* ends of the intervals, by the step they were issued */
	double used[LEAD];
};

static void predict(struct series *s, struct forecast *peak, struct forecast *mean)
{
	series_predict_peak(s, LEAD, peak);
	series_predict(s, LEAD / 2, mean);
}

static void check_peak(struct run *r, int t, const struct forecast *f, double used)
{
	static const int ends[] = {Q05, Q10, Q90, Q95};
	float *w = r->waiting[t % LEAD];
	double peak = 0;

	r->used[t % LEAD] = used;
	for (int i = 0; i < LEAD; i++)
		peak = fmax(peak, r->used[i]);
	if (t >= 1500) {
		r->n++;
		r->within[0] += peak >= (double)w[1] && peak <= (double)w[2];
		r->within[1] += peak >= (double)w[0] && peak <= (double)w[3];
		r->width += (f->q[Q95] - f->q[Q05]) / f->q[Q50];
	}
	for (int i = 0; i < 4; i++)
		w[i] = (float)f->q[ends[i]];
}

/* @with_own: the service's own series has a say too. */
static void run_stream(struct run *r, struct stream s, int steps, bool with_own)
{
	memset(r, 0, sizeof(*r));
	demand_init(&r->d);
	for (int k = 0; k < APIS; k++)
		r->rates[k] = input_series(LEAD, 120);
	r->use = input_series(LEAD, 120);
	for (int t = 0; t < steps; t++) {
		struct demand_api apis[APIS] = {};
		struct demand_input in = input(apis, APIS);
		struct forecast f[DEMAND_RESOURCES], own[2];
		double rates[APIS], used = 20;

		next_rates(&s, rates);
		for (int k = 0; k < APIS; k++) {
			used += rates[k] * s.cost[k];
			input_feed(r->rates[k], rates[k]);
			apis[k].seen = rates[k];
			apis[k].cost[DEMAND_CPU] = s.cost[k];
			predict(r->rates[k], &apis[k].rate[DEMAND_PEAK],
				&apis[k].rate[DEMAND_MEAN]);
		}
		used *= 1 + 0.03 * input_normal(&s.seed);
		input_feed(r->use, used);
		predict(r->use, &own[0], &own[1]);
		in.used[DEMAND_CPU] = used;
		in.base[DEMAND_CPU] = 20;
		if (with_own) {
			in.view[DEMAND_DIRECT][DEMAND_PEAK][DEMAND_CPU] = &own[0];
			in.view[DEMAND_DIRECT][DEMAND_MEAN][DEMAND_CPU] = &own[1];
		}
		demand_step(&r->d, &in, f);
		check_peak(r, t, &f[DEMAND_CPU], used);
	}
	for (int k = 0; k < APIS; k++)
		series_free(r->rates[k]);
	series_free(r->use);
}

static void intervals_hold_over_correlated_apis(void **state)
{
	static const double opposed[] = {0, 0.5, 1};
	static struct run r;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		double within[2] = {}, n = 0;
		struct demand_report report;

		for (uint64_t seed = 1; seed <= 2; seed++) {
			run_stream(&r, new_stream(seed, opposed[i % 3]), 5000, i < 3);
			within[0] += r.within[0];
			within[1] += r.within[1];
			n += r.n;
		}
		if (fabs(within[1] / n - 0.9) > 0.03 || fabs(within[0] / n - 0.8) > 0.05)
			fail_msg("row %zu: %.3f and %.3f within", i, within[0] / n, within[1] / n);
		demand_report(&r.d, DEMAND_PEAK, DEMAND_CPU, &report);
		assert_true(fabs(report.coverage90 - r.within[1] / r.n) < 0.04);
		demand_report(&r.d, DEMAND_MEAN, DEMAND_CPU, &report);
		assert_true(fabs(report.coverage90 - 0.9) < 0.05);
	}
}

/* APIs that make up for each other need less room together than those that rise together. */
static void opposed_apis_need_less_room(void **state)
{
	static struct run together, opposed;

	(void)state;
	run_stream(&together, new_stream(3, 0), 2500, false);
	run_stream(&opposed, new_stream(3, 1), 2500, false);
	assert_true(copula_correlation(&together.d.apis.copula, 0, 1) > 0.5);
	assert_true(copula_correlation(&opposed.d.apis.copula, 0, 1) < -0.3);
	assert_true(opposed.width < 0.7 * together.width);
}

/* The one that is right gets the say: 500 +- 10 in truth. */
static void the_better_expert_has_the_say(void **state)
{
	static struct demand d;

	(void)state;
	for (int right = DEMAND_DIRECT; right <= DEMAND_SLOWER; right += DEMAND_SLOWER) {
		int wrong = DEMAND_SLOWER - right;
		struct demand_input in = input(NULL, 0);
		struct forecast f[DEMAND_RESOURCES], good = normal(500, 10), bad;
		struct demand_report report;
		uint64_t seed = 5;

		demand_init(&d);
		for (int t = 0; t < 3000; t++) {
			in.used[DEMAND_CPU] = 500 + 10 * input_normal(&seed);
			bad = normal(300 + 400 * input_random(&seed), 100);
			in.view[right][DEMAND_PEAK][DEMAND_CPU] = &good;
			in.view[wrong][DEMAND_PEAK][DEMAND_CPU] = &bad;
			demand_step(&d, &in, f);
		}
		demand_report(&d, DEMAND_PEAK, DEMAND_CPU, &report);
		assert_true(report.experts[right].weight > 0.95);
		assert_true(report.experts[right].loss < report.experts[wrong].loss);
		assert_true(isnan(report.experts[DEMAND_APIS].loss));
		/* The peak of 12 of 500 +- 10 is about 516 +- 6. */
		assert_true(fabs(f[DEMAND_CPU].q[Q50] - 516) < 4);
	}
}

/*
 * A forecast of 12 steps is made every third one. What was not seen in a gap may have been
 * anything: none of before is judged by what is used after it, and the first one made since is, 12
 * steps on.
 */
static void a_gap_ends_what_waits(void **state)
{
	struct demand_input in = input(NULL, 0);
	struct forecast f[DEMAND_RESOURCES], own = normal(500, 10);
	struct demand_report report;
	static struct demand d;
	double judged;

	(void)state;
	demand_init(&d);
	in.view[DEMAND_DIRECT][DEMAND_PEAK][DEMAND_CPU] = &own;
	in.used[DEMAND_CPU] = 500;
	for (int t = 0; t < 30; t++)
		demand_step(&d, &in, f);
	demand_report(&d, DEMAND_PEAK, DEMAND_CPU, &report);
	judged = report.judged;
	assert_true(judged >= 6);
	for (int t = 30; t < 30 + LEAD + 3; t++) {
		in.gap = t == 30;
		in.used[DEMAND_CPU] = 100;
		demand_step(&d, &in, f);
		demand_report(&d, DEMAND_PEAK, DEMAND_CPU, &report);
		assert_true(report.judged == judged + (t == 30 + LEAD + 2));
	}
}

/* The median forecast after @steps of 500 used, of which @expert says @said. */
static double said_alone(enum demand_expert expert, double said, int steps)
{
	static struct demand d;
	struct forecast f[DEMAND_RESOURCES], view = normal(said, 3);
	struct demand_input in = input(NULL, 0);

	demand_init(&d);
	in.view[expert][DEMAND_PEAK][DEMAND_CPU] = &view;
	in.used[DEMAND_CPU] = 500;
	for (int t = 0; t < steps; t++)
		demand_step(&d, &in, f);
	return f[DEMAND_CPU].q[Q50];
}

/*
 * Means of longer steps lie below the peak. On the log scale, whose offset is a 50th of the use,
 * 10, what they lack is ln(510/260) where they say 250: of n forecasts judged they add n/(n+1) of
 * it. They add no more than 2, and the service's own series adds nothing by itself.
 */
static void longer_steps_learn_their_bias(void **state)
{
	(void)state;
	assert_float_equal(said_alone(DEMAND_SLOWER, 250, 14), 250, 1);
	assert_float_equal(said_alone(DEMAND_SLOWER, 250, 15), 260 * sqrt(510.0 / 260) - 10, 2);
	assert_float_equal(said_alone(DEMAND_SLOWER, 250, 18), 260 * cbrt(pow(510.0 / 260, 2)) - 10,
			   2);
	assert_float_equal(said_alone(DEMAND_SLOWER, 250, 90), 500, 10);
	assert_float_equal(said_alone(DEMAND_SLOWER, 5, 15), 15 * exp(0.5 * 2) - 10, 2);
	assert_float_equal(said_alone(DEMAND_DIRECT, 250, 15), 250, 2);
}

/* Other APIs: nothing that the old ones taught has a say, and no forecast of theirs is judged. */
static void other_apis_start_anew(void **state)
{
	struct demand_api api = {.rate = {normal(100, 3), normal(100, 3)}, .cost = {2, NAN, NAN}};
	struct demand_input in = input(&api, 1);
	struct forecast f[DEMAND_RESOURCES], own = normal(230, 5);
	struct demand_report report;
	static struct demand d;
	uint64_t seed = 6;

	(void)state;
	demand_init(&d);
	in.base[DEMAND_CPU] = 30;
	in.view[DEMAND_DIRECT][DEMAND_PEAK][DEMAND_CPU] = &own;
	for (int t = 0; t < 500; t++) {
		api.seen = 100 + 3 * input_normal(&seed);
		in.used[DEMAND_CPU] = 30 + 2 * api.seen;
		demand_step(&d, &in, f);
	}
	demand_report(&d, DEMAND_PEAK, DEMAND_CPU, &report);
	assert_true(report.experts[DEMAND_APIS].loss > 0);
	demand_forget_apis(&d);
	demand_report(&d, DEMAND_PEAK, DEMAND_CPU, &report);
	assert_true(isnan(report.experts[DEMAND_APIS].loss));
	assert_true(report.experts[DEMAND_DIRECT].loss > 0);
	for (size_t i = 0; i < DEMAND_WAITING; i++)
		assert_int_equal(d.waiting[i].end, 0);
}

/* What was loaded is a file's word: an index in it is looked at before it is used. */
static void rows_of_no_api_are_unsound(void **state)
{
	static struct demand d;

	(void)state;
	demand_init(&d);
	assert_true(demand_is_sound(&d));
	d.apis.api_of[3] = DEMAND_MAX_APIS;
	assert_false(demand_is_sound(&d));
}

/* Of 40 APIs the busiest, number 33, gets a row of its own. */
static void the_busiest_apis_have_rows(void **state)
{
	struct demand_api apis[40] = {};
	struct demand_input in = input(apis, 40);
	struct forecast f[DEMAND_RESOURCES];
	static struct demand d;
	bool found = false;

	(void)state;
	demand_init(&d);
	in.base[DEMAND_CPU] = 10;
	for (int k = 0; k < 40; k++) {
		apis[k].cost[DEMAND_CPU] = 1;
		apis[k].rate[DEMAND_PEAK] = apis[k].rate[DEMAND_MEAN] =
			normal(k == 33 ? 500 : 5, 1);
		apis[k].seen = k == 33 ? 500 : 5;
	}
	for (int t = 0; t < 300; t++) {
		in.used[DEMAND_CPU] = 10 + 500 + 39 * 5;
		demand_step(&d, &in, f);
	}
	for (int u = 0; u < COPULA_UNITS - 1; u++)
		found |= d.apis.api_of[u] == 33;
	assert_true(found);
	assert_true(fabs(f[DEMAND_CPU].q[Q50] - 705) < 7);
}

static double anything(uint64_t *seed)
{
	static const double odd[] = {0, 1, 1e15, 1e30, 1e300, INFINITY, NAN, -1, 1e-300};
	double at = input_random(seed);

	return at < 0.3 ? odd[(size_t)(9 * input_random(seed))] : 100 * input_random(seed);
}

/* As a series gives it: finite, ascending, of one that has seen up to 1e30. */
static struct forecast any_forecast(uint64_t *seed)
{
	struct forecast f = {};
	double at = fmin(fmax(anything(seed), 0), 1e30);

	for (int l = 0; l < FORECAST_LEVELS; l++) {
		f.q[l] = fmin(at, 4e30);
		at += input_random(seed) < 0.5 ? 0 : at * input_random(seed);
	}
	f.mean = f.q[Q50];
	return f;
}

static void any_input_gives_a_sound_forecast(void **state)
{
	static struct demand d;
	uint64_t seed = 8;

	(void)state;
	for (int round = 0; round < 60; round++) {
		size_t n = (size_t)(DEMAND_MAX_APIS * input_random(&seed)) + 1;
		unsigned int lead = 1 + (unsigned int)(40 * input_random(&seed));
		struct demand_api apis[DEMAND_MAX_APIS];

		demand_init(&d);
		for (int t = 0; t < 200; t++) {
			struct demand_input in = input(apis, n);
			struct forecast f[DEMAND_RESOURCES], view = any_forecast(&seed);

			in.lead_steps = lead;
			in.gap = input_random(&seed) < 0.02;
			for (size_t k = 0; k < n; k++) {
				apis[k].seen = anything(&seed);
				apis[k].rate[0] = any_forecast(&seed);
				apis[k].rate[1] = any_forecast(&seed);
				for (int r = 0; r < DEMAND_RESOURCES; r++)
					apis[k].cost[r] = input_random(&seed) < 0.9
								  ? 1e18 * input_random(&seed)
								  : NAN;
			}
			for (int r = 0; r < DEMAND_RESOURCES; r++) {
				in.used[r] = anything(&seed);
				in.base[r] = anything(&seed);
				in.error[r] = anything(&seed);
				if (input_random(&seed) < 0.8)
					in.view[DEMAND_DIRECT][DEMAND_PEAK][r] = &view;
			}
			demand_step(&d, &in, f);
			for (int r = 0; r < DEMAND_RESOURCES; r++) {
				assert_true(isfinite(f[r].mean));
				for (int l = 0; l < FORECAST_LEVELS; l++) {
					assert_true(isfinite(f[r].q[l]) && f[r].q[l] >= 0);
					assert_true(l == 0 || f[r].q[l] >= f[r].q[l - 1]);
				}
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(demand_is_base_and_requests_times_costs),
		cmocka_unit_test(a_slow_resource_is_forecast_now_and_then),
		cmocka_unit_test(a_series_alone_is_given_as_it_is),
		cmocka_unit_test(intervals_hold_over_correlated_apis),
		cmocka_unit_test(opposed_apis_need_less_room),
		cmocka_unit_test(the_better_expert_has_the_say),
		cmocka_unit_test(a_gap_ends_what_waits),
		cmocka_unit_test(longer_steps_learn_their_bias),
		cmocka_unit_test(other_apis_start_anew),
		cmocka_unit_test(rows_of_no_api_are_unsound),
		cmocka_unit_test(the_busiest_apis_have_rows),
		cmocka_unit_test(any_input_gives_a_sound_forecast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
