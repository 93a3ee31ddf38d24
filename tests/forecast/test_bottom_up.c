// SPDX-License-Identifier: GPL-2.0-or-later
/* test_bottom_up.c - rows of a service with more APIs than rows: who has one, and what is learned.
 */
#include "forecast/bottom_up.h"
#include "tests/check.h"

#define APIS (COPULA_UNITS + 4)

/* A forecast of @median that is no spread at all. */
static struct forecast sure(double median)
{
	struct forecast f = {.mean = median};

	for (int l = 0; l < FORECAST_LEVELS; l++)
		f.q[l] = median;
	return f;
}

static struct demand_input input(struct demand_api *apis, const double *rates)
{
	struct demand_input in = {.lead_steps = 1, .n_apis = APIS, .apis = apis};

	for (size_t i = 0; i < APIS; i++)
		apis[i] = (struct demand_api){.seen = rates[i],
					      .rate = {sure(rates[i]), sure(rates[i])},
					      .cost = {2, 0, 0}};
	return in;
}

static size_t row_of(const struct bottom_up *b, uint8_t api)
{
	size_t u = 0;

	while (u < COPULA_UNITS - 1 && b->api_of[u] != api)
		u++;
	return u;
}

/*
 * API 18 has no row; when it is asked for most, it takes that of API 3, the least. What waited for
 * API 3 at that time says nothing of API 18: its row learns nothing, the others do, and the ratio
 * of use to what was explained stays as it was.
 */
static void a_row_that_changed_hands_learns_nothing_of_the_former(void **state)
{
	const double used[DEMAND_KINDS][DEMAND_RESOURCES] = {{1000, 1, 1}, {1000, 1, 1}};
	const double offsets[DEMAND_RESOURCES] = {1, 1, 1};
	struct bottom_up_waiting before, after;
	struct demand_api apis[APIS];
	double rates[APIS];
	struct demand_input in;
	struct bottom_up b;
	size_t row;
	float ratio;

	(void)state;
	for (size_t i = 0; i < APIS; i++)
		rates[i] = i == 3 ? 9 : 10;
	bottom_up_init(&b);
	in = input(apis, rates);
	row = row_of(&b, 3);
	/* Twice: one forecast is judged before the row changes hands, one after. */
	bottom_up_issue(&b, &in, &before);
	bottom_up_see(&b, &in, &before);
	bottom_up_judge(&b, &in, &before, used, offsets);
	assert_true(b.copula.n[row] == 1);
	bottom_up_issue(&b, &in, &before);
	bottom_up_see(&b, &in, &before);

	rates[18] = 500;
	in = input(apis, rates);
	bottom_up_issue(&b, &in, &after);
	assert_true(row_of(&b, 18) == row);
	assert_true(b.copula.n[row] == 0);
	ratio = b.ratio[DEMAND_PEAK][DEMAND_CPU].n;
	bottom_up_judge(&b, &in, &before, used, offsets);
	assert_true(b.copula.n[row] == 0);
	assert_true(b.copula.n[row == 0 ? 1 : 0] == 2);
	assert_true(b.ratio[DEMAND_PEAK][DEMAND_CPU].n == ratio);

	bottom_up_see(&b, &in, &after);
	bottom_up_judge(&b, &in, &after, used, offsets);
	assert_true(b.copula.n[row] == 1);
	assert_true(b.ratio[DEMAND_PEAK][DEMAND_CPU].n == ratio + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_that_changed_hands_learns_nothing_of_the_former),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
