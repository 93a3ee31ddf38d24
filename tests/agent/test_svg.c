// SPDX-License-Identifier: GPL-2.0-or-later
/* test_svg.c - pictures hold what was measured and expected, and no text breaks them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "agent/base/util.h"
#include "agent/svg.h"

static char *drawn;

static const char *draw(struct plot *p)
{
	size_t size = 0;
	FILE *out;

	free(drawn);
	drawn = NULL;
	out = open_memstream(&drawn, &size);
	svg_draw(p, out);
	(void)fclose(out);
	plot_free(p);
	return drawn;
}

static void texts_are_escaped(void **state)
{
	static const struct {
		const char *title, *text;
	} rows[] = {
		{"a<b>&\"c\"", "<title>a&lt;b&gt;&amp;\"c\"</title>"},
		{"tab\there\x01", "<title>tab?here?</title>"},
		{"gr\xc3\xbc\xc3\x9f \xe2\x82\xac",
		 "<title>gr\xc3\xbc\xc3\x9f \xe2\x82\xac</title>"},
		{"\xe9t\xe9", "<title>?t?</title>"},       /* Latin-1 */
		{"\xc0\xaf", "<title>\?\?</title>"},       /* overlong */
		{"\xed\xa0\x80", "<title>\?\?\?</title>"}, /* a surrogate */
		{"cut \xe2\x82", "<title>cut \?\?</title>"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plot p = {.unit = ""};

		(void)copy_str(p.title, sizeof(p.title), rows[i].title);
		assert_non_null(strstr(draw(&p), rows[i].text));
		assert_non_null(strstr(drawn, "no values to draw"));
	}
}

static void curves_break_where_nothing_is_known(void **state)
{
	static const double values[] = {0, 10, NAN, 5, NAN, 10, 10};
	struct plot p = {.unit = ""};

	(void)state;
	for (int t = 0; t < 7; t++)
		plot_add(&p, t - 6)->v[PLOT_VALUE] = values[t];
	draw(&p);
	/* 852 x 316 from (84, 92); a point alone is a dot. */
	assert_non_null(
		strstr(drawn, "d=\"M84.0 408.0L226.0 92.0M510.0 250.0h0M794.0 92.0L936.0 92.0\""));
	assert_null(strstr(drawn, "nan"));
	assert_null(strstr(drawn, "median"));
}

static void bands_are_closed(void **state)
{
	struct plot p = {.unit = ""};

	(void)state;
	for (int t = 0; t < 3; t++) {
		struct plot_point *point = plot_add(&p, t);

		point->v[PLOT_Q05] = 0;
		point->v[PLOT_Q95] = 5.0 * t;
	}
	assert_non_null(strstr(draw(&p), "d=\"M84.0 408.0L510.0 250.0L936.0 92.0"
					 "L936.0 408.0L510.0 408.0L84.0 408.0Z\""));
	assert_non_null(strstr(drawn, "90 % band"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_escaped),
		cmocka_unit_test(curves_break_where_nothing_is_known),
		cmocka_unit_test(bands_are_closed),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(drawn);
	return failed;
}
