// SPDX-License-Identifier: GPL-2.0-or-later
/* test_chart.c - pictures of small forecasts, character by character; round ticks and words. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "agent/base/util.h"
#include "agent/chart.h"

static const struct chart_conf ascii = {.columns = 40, .rows = 6};

static void add(struct plot *p, int64_t at_s, double value, double lo, double median, double hi)
{
	struct plot_point *point = plot_add(p, at_s * (int64_t)NS_PER_S);

	assert_non_null(point);
	point->v[PLOT_VALUE] = value;
	point->v[PLOT_Q05] = lo;
	point->v[PLOT_Q50] = median;
	point->v[PLOT_Q95] = hi;
}

static void expect(struct plot *p, const struct chart_conf *conf, const char *picture)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	chart_draw(p, conf, out);
	(void)fclose(out);
	assert_string_equal(text, picture);
	free(text);
	plot_free(p);
}

static void a_ramp_goes_on_in_a_band_that_opens(void **state)
{
	struct plot p = {.unit = "CPUs", .clock = true, .origin_real_ns = 1800000000 * NS_PER_S};

	(void)state;
	for (int t = -10; t <= 0; t++)
		add(&p, 60 * t, 2 + 0.1 * t, NAN, NAN, NAN);
	p.points[p.n - 1].v[PLOT_Q05] = p.points[p.n - 1].v[PLOT_Q50] =
		p.points[p.n - 1].v[PLOT_Q95] = 2;
	for (int t = 1; t <= 10; t++)
		add(&p, 60 * t, NAN, 2 - 0.1 * t, 2 + 0.05 * t, 2 + 0.2 * t);
	expect(&p, &ascii,
	       "  CPUs; forecast of 2027-01-15 08:00:00 UTC\n"
	       "4 +                              .......\n"
	       "  |                        .............\n"
	       "  |                  -------------------\n"
	       "2 +      *************..................\n"
	       "  |*******                       .......\n"
	       "0 +\n"
	       "  ++-----------------^-----------------+\n"
	       "   07:50           08:00\n"
	       "   * measured   - median   . 90 % band   ^ forecast\n");
}

static void nothing_measured_is_said(void **state)
{
	struct plot p = {.unit = "CPUs"}, none = {.unit = "CPUs"};

	(void)state;
	add(&p, -1, NAN, NAN, NAN, NAN);
	add(&p, 0, INFINITY, NAN, NAN, NAN);
	expect(&p, &ascii, "no values to draw\n");
	expect(&none, &ascii, "no values to draw\n");
}

static void a_constant_with_a_gap_is_a_line_with_a_gap(void **state)
{
	struct plot p = {.unit = ""};

	(void)state;
	for (int t = -8; t <= 0; t++)
		add(&p, t, t == -3 || t == -4 ? NAN : 7, NAN, NAN, NAN);
	expect(&p, &ascii,
	       "10 +\n"
	       "   |**************            **********\n"
	       "   |\n"
	       " 5 +\n"
	       "   |\n"
	       " 0 +\n"
	       "   +-------------+---------------------^\n"
	       "               -5 s                    0\n"
	       "    * measured   ^ forecast\n");
}

static void one_value_and_zeros_have_an_axis(void **state)
{
	struct plot one = {.unit = ""}, zeros = {.unit = ""};

	(void)state;
	add(&one, 0, 3e5, NAN, NAN, NAN);
	expect(&one, &ascii,
	       "400k +\n"
	       "     |*\n"
	       "     |\n"
	       "200k +\n"
	       "     |\n"
	       "  0k +\n"
	       "     +^---------------------------------\n"
	       "      0\n"
	       "      * measured   ^ forecast\n");
	add(&zeros, -1, 0, NAN, NAN, NAN);
	add(&zeros, 0, 0, NAN, NAN, NAN);
	expect(&zeros, &ascii,
	       "1.0 +\n"
	       "    |\n"
	       "    |\n"
	       "0.5 +\n"
	       "    |\n"
	       "0.0 +***********************************\n"
	       "    ++----------------+----------------^\n"
	       "     -1000 ms      -500 ms             0\n"
	       "     * measured   ^ forecast\n");
}

static void unicode_has_dots_and_blocks(void **state)
{
	struct chart_conf conf = {.columns = 40, .rows = 3, .utf8 = true, .colour = true};
	struct plot p = {.unit = ""};

	(void)state;
	add(&p, -2, 0, NAN, NAN, NAN);
	add(&p, 0, 10, 10, 10, 10);
	add(&p, 2, NAN, 4, 5, 8);
	expect(&p, &conf,
	       "10 ┤            ⣀⣠⠴⠒⠚⠉⠁\033[0m\033[36m━━━━━━━━━━━░░░░░░\033[0m\n"
	       "   │      ⣀⡤⠤⠖⠚⠉⠁              \033[0m\033[36m░░━━━━━━━\033[0m\n"
	       " 0 ┤⣀⣠⠤⠖⠚⠉⠁\033[0m\n"
	       "   └┬─────────────────▲────────────────┬\n"
	       "    -2 s              0\n"
	       "    ⠒ measured   \033[36m━\033[0m median   \033[36m░\033[0m 90 % band   ▲ forecast\n");
}

static void ticks_are_round(void **state)
{
	static const struct {
		double lo, hi;
		const char *first, *last;
		size_t n;
	} rows[] = {
		{0, 9.3, "0", "10", 2},
		{0, 0.031, "0.00", "0.04", 4},
		{990, 1013, "990", "1020", 3},
		{0, 123456, "0k", "150k", 3},
		{5, 5, "0", "6", 3},
		{0, 1e30, "0", "1e+30", 2},
		{3e-9, 4e-9, "3e-09", "4e-09", 2},
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plot p = {};
		struct plot_axis a;

		add(&p, 0, rows[i].lo, NAN, NAN, rows[i].hi);
		a = plot_axis(&p, 4);
		assert_string_equal(plot_tick(text, sizeof(text), &a, a.lo), rows[i].first);
		assert_string_equal(plot_tick(text, sizeof(text), &a, a.hi), rows[i].last);
		assert_int_equal(a.n, rows[i].n);
		plot_free(&p);
	}
}

static void a_basis_is_in_words(void **state)
{
	struct series_report r = {
		.n_models = 3,
		.models = {{"last", 0.1, 1}, {"ets", 0.9, 1}, {"ar", 0.001, 1}},
		.n_periods = 2,
		.periods = {168, 24},
		.coverage90 = 0.895,
	};
	char text[360];

	(void)state;
	assert_string_equal(plot_basis(text, sizeof(text), &r, 3600 * NS_PER_S),
			    "ets 0.90, last 0.10; periods of a week, a day; 90% interval held "
			    "89.5%");
	r.coverage90 = NAN;
	r.n_periods = 1;
	assert_string_equal(plot_basis(text, sizeof(text), &r, 0),
			    "ets 0.90, last 0.10; a period of 168 steps");
	assert_string_equal(plot_basis(text, 20, &r, 0), "ets 0.90, last 0.10");
	assert_string_equal(plot_basis(text, sizeof(text), &(struct series_report){}, 0),
			    "no model yet; no period found; 90% interval held 0.0%");
	assert_string_equal(plot_period(text, sizeof(text), 14 * S_PER_DAY * NS_PER_S), "2 weeks");
	assert_string_equal(plot_period(text, sizeof(text), 90 * NS_PER_S), "1.5 min");
	assert_string_equal(plot_period(text, sizeof(text), 250 * NS_PER_MS), "250 ms");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ramp_goes_on_in_a_band_that_opens),
		cmocka_unit_test(nothing_measured_is_said),
		cmocka_unit_test(a_constant_with_a_gap_is_a_line_with_a_gap),
		cmocka_unit_test(one_value_and_zeros_have_an_axis),
		cmocka_unit_test(unicode_has_dots_and_blocks),
		cmocka_unit_test(ticks_are_round),
		cmocka_unit_test(a_basis_is_in_words),
	};

	(void)setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
