// SPDX-License-Identifier: GPL-2.0-or-later
/* test_svg_replay.c - a limit is steps, use is spans, and what was too little is marked. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/util.h"
#include "agent/svg_replay.h"
#include "tests/check.h"

static char *drawn;

static const char *draw(struct plot *p)
{
	size_t size = 0;
	FILE *out;

	free(drawn);
	drawn = NULL;
	out = open_memstream(&drawn, &size);
	svg_replay_draw(p, out);
	(void)fclose(out);
	plot_free(p);
	return drawn;
}

static struct plot_point *add(struct plot *p, int64_t at, double least, double most, double limit)
{
	struct plot_point *point = plot_add(p, at);

	point->v[PLOT_LEAST] = least;
	point->v[PLOT_VALUE] = most;
	point->v[PLOT_LIMIT] = point->v[PLOT_LIMIT_LO] = point->v[PLOT_LIMIT_HI] = limit;
	return point;
}

/* 852 x 316 from (84, 92): of 4 spans each is 213 wide; 10 is 316 high. */
static void limits_hold_until_the_next(void **state)
{
	struct plot p = {.unit = ""};
	struct plot_point *point;

	(void)state;
	add(&p, 0, 0, 0, 5);
	add(&p, 1, 0, 0, 5);
	point = add(&p, 2, 0, 0, 10);
	point->v[PLOT_LIMIT_LO] = 0; /* 5, 0, 10 within the span */
	add(&p, 3, 0, 0, NAN);
	add(&p, 4, 0, 0, 5);
	assert_non_null(strstr(draw(&p), "d=\"M84.0 250.0h0H297.0H510.0V408.0V92.0V92.0"
					 "M936.0 250.0h0\""));
	assert_non_null(strstr(drawn, ">limit<"));
	assert_null(strstr(drawn, "limit of A"));
}

static void use_goes_through_the_most_and_the_least(void **state)
{
	struct plot p = {.unit = ""};

	(void)state;
	add(&p, 0, 5, 10, NAN);
	add(&p, 1, NAN, NAN, NAN);
	add(&p, 2, 5, 5, NAN);
	add(&p, 3, 0, 10, NAN);
	add(&p, 4, 10, 10, NAN);
	assert_non_null(strstr(draw(&p), "d=\"M84.0 92.0V250.0M510.0 250.0h0L723.0 92.0V408.0"
					 "L936.0 92.0\""));
	assert_null(strstr(drawn, ">limit<"));
	assert_null(strstr(drawn, "nan"));
}

static void what_is_above_the_limit_is_marked(void **state)
{
	struct plot p = {.unit = ""};
	struct plot_point *point;

	(void)state;
	add(&p, 0, 0, 0, 5);
	point = add(&p, 1, 0, 10, 5);
	point->v[PLOT_SHORT] = 10;
	add(&p, 4, 0, 0, 5);
	assert_non_null(strstr(draw(&p), "d=\"M297.0 92.0V250.0M297.0 83v7\""));
	assert_non_null(strstr(drawn, ">too little<"));
}

static void two_limits_have_their_names(void **state)
{
	struct plot p = {.unit = ""};

	(void)state;
	for (int t = 0; t < 2; t++) {
		struct plot_point *point = add(&p, t, 0, 0, 10);

		point->v[PLOT_OTHER] = point->v[PLOT_OTHER_LO] = point->v[PLOT_OTHER_HI] = 5;
	}
	assert_non_null(strstr(draw(&p), "d=\"M84.0 250.0h0H936.0\""));
	assert_non_null(strstr(drawn, "d=\"M84.0 92.0h0H936.0\""));
	assert_non_null(strstr(drawn, ">limit of A<"));
	assert_non_null(strstr(drawn, ">limit of B<"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_hold_until_the_next),
		cmocka_unit_test(use_goes_through_the_most_and_the_least),
		cmocka_unit_test(what_is_above_the_limit_is_marked),
		cmocka_unit_test(two_limits_have_their_names),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(drawn);
	return failed;
}
