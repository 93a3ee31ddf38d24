// SPDX-License-Identifier: GPL-2.0-or-later
/* test_keeper_disks.c - io.weight and io.max as text in plain files, of both cgroup versions. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "tests/agent/knob_files.h"

#include "shaping/knobs/knob_ops.h"

/* What tiers have by default is as it is; the whole range has its place, in order. */
static void weights_fit_into_the_thousand_of_bfq(void **state)
{
	(void)state;
	assert_int_equal(knob_weight_to_bfq(1), 1);
	assert_int_equal(knob_weight_to_bfq(50), 50);
	assert_int_equal(knob_weight_to_bfq(400), 400);
	assert_int_equal(knob_weight_to_bfq(10000), 1000);
	for (uint64_t w = 1; w <= 10000; w++) {
		uint64_t bfq = knob_weight_to_bfq(w), back = knob_bfq_to_weight(bfq);

		assert_in_range(bfq, 1, 1000);
		assert_true(bfq >= knob_weight_to_bfq(w - 1));
		assert_true(fabs((double)back - (double)w) <= 0.02 * (double)w);
		assert_true(knob_same(KNOB_IO_WEIGHT, w, back));
		assert_false(knob_same(KNOB_IO_WEIGHT, w, w + w / 20 + 1));
	}
}

static void on_v1_io_weight_is_bfqs(void **state)
{
	char raw[KNOB_RAW_MAX];
	uint64_t got;

	(void)state;
	file_is("blkio.bfq.weight", "100\n");
	assert_int_equal(knob_io_weight_v1.get(dir_fd, &got, raw), 0);
	assert_int_equal(got, 100);
	assert_string_equal(raw, "100");
	file_is("blkio.bfq.weight", "");
	assert_int_equal(knob_io_weight_v1.set(dir_fd, 10000), 0);
	assert_file("blkio.bfq.weight", "1000");
	assert_int_equal(knob_io_weight_v1.get(dir_fd, &got, raw), 0);
	assert_int_equal(got, 10000);
	file_is("blkio.bfq.weight", "");
	assert_int_equal(knob_io_weight_v1.set_raw(dir_fd, "100"), 0);
	assert_file("blkio.bfq.weight", "100");
	assert_int_equal(knob_io_weight_v1.set(dir_fd, UNLIMITED), -EINVAL);
}

/* NULL: there is no such file. */
static void io_files_are(const char *cost, const char *bfq)
{
	(void)unlinkat(dir_fd, "io.weight", 0);
	(void)unlinkat(dir_fd, "io.bfq.weight", 0);
	if (cost)
		file_is("io.weight", cost);
	if (bfq)
		file_is("io.bfq.weight", bfq);
}

static void on_v2_io_weight_is_read_from_what_there_is(void **state)
{
	/* clang-format off */
	static const struct { const char *cost, *bfq; int r; uint64_t weight; const char *raw; } rows[] = {
		{ "default 100\n", NULL, 0, 100, "100 -" },
		{ "default 7000\n8:0 50\n254:16 1\n", NULL, 0, 7000, "7000 -" }, /* devices are no default */
		{ NULL, "default 300\n", 0, 300, "- 300" },
		{ NULL, "default 1000\n8:16 2\n", 0, 10000, "- 1000" },
		{ "default 100\n", "default 100\n", 0, 100, "100 100" },
		{ "default 1000\n", "default 526\n", 0, 1000, "1000 526" }, /* the same, rounded */
		{ "default 100\n", "default 200\n", 0, 200, "100 200" },    /* set by its own */
		{ NULL, NULL, -EOPNOTSUPP, 0, NULL },
		{ "8:0 50\n", NULL, -ENODATA, 0, NULL },
	};
	/* clang-format on */

	(void)state;
	file_is("cgroup.procs", "");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char raw[KNOB_RAW_MAX];
		uint64_t got;

		io_files_are(rows[i].cost, rows[i].bfq);
		assert_int_equal(knob_io_weight_v2.get(dir_fd, &got, raw), rows[i].r);
		if (rows[i].r < 0)
			continue;
		assert_int_equal(got, rows[i].weight);
		assert_string_equal(raw, rows[i].raw);
	}
}

static void on_v2_io_weight_goes_to_both_and_back(void **state)
{
	(void)state;
	file_is("cgroup.procs", "");
	io_files_are("", "");
	assert_int_equal(knob_io_weight_v2.set(dir_fd, 1000), 0);
	assert_file("io.weight", "default 1000");
	assert_file("io.bfq.weight", "default 526");
	io_files_are("", "");
	assert_int_equal(knob_io_weight_v2.set_raw(dir_fd, "70 80"), 0);
	assert_file("io.weight", "default 70");
	assert_file("io.bfq.weight", "default 80");
	io_files_are(NULL, "");
	assert_int_equal(knob_io_weight_v2.set(dir_fd, 50), 0);
	assert_file("io.bfq.weight", "default 50");
	io_files_are(NULL, "");
	assert_int_equal(knob_io_weight_v2.set_raw(dir_fd, "- 100"), 0);
	assert_file("io.bfq.weight", "default 100");
	io_files_are("", NULL);
	assert_int_equal(knob_io_weight_v2.set(dir_fd, 200), 0);
	assert_file("io.weight", "default 200");
	assert_int_equal(knob_io_weight_v2.set(dir_fd, UNLIMITED), -EINVAL);
	assert_int_equal(knob_io_weight_v2.set_raw(dir_fd, "nonsense"), -EINVAL);
	io_files_are(NULL, NULL);
	assert_int_equal(knob_io_weight_v2.set(dir_fd, 200), -EOPNOTSUPP);
	(void)unlinkat(dir_fd, "cgroup.procs", 0);
}

static void disks_are(const char *limits, const char *used)
{
	file_is("io.max", limits);
	file_is("io.stat", used);
}

static void on_v2_io_max_is_the_tightest_of_all(void **state)
{
	/* clang-format off */
	static const struct { const char *text; int r; uint64_t value; const char *raw; } rows[] = {
		{ "", 0, UNLIMITED, "max" },
		{ "254:0 rbps=max wbps=max riops=100 wiops=max\n", 0, UNLIMITED, "max" }, /* not ours */
		{ "254:0 rbps=2000000 wbps=2000000 riops=max wiops=max\n", 0, 2000000, "254:0 2000000 2000000" },
		{ "254:0 rbps=max wbps=500000 riops=max wiops=max\n", 0, 499999, "254:0 max 500000" },
		{ "8:0 rbps=7 wbps=9 riops=max wiops=max\n254:16 rbps=8 wbps=max riops=max wiops=max\n",
		  0, 6, "several" },
		{ "8:0 rbps=7 wbps=7\n254:16 rbps=7 wbps=7\n254:0 rbps=max wbps=max riops=9\n", 0, 7, "several" },
		{ "254:0 rbps=18446744073709551614 wbps=18446744073709551614 riops=max wiops=max\n",
		  0, UNLIMITED - 1, "254:0 18446744073709551614 18446744073709551614" },
		{ "1048575:0 rbps=18446744073709551614 wbps=18446744073709551614\n",
		  0, UNLIMITED - 1, "several" }, /* does not fit */
		{ "254:0 rbps=x wbps=max\n", -EINVAL, 0, NULL },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char raw[KNOB_RAW_MAX];
		uint64_t got;

		disks_are(rows[i].text, "");
		assert_int_equal(knob_io_max_v2.get(dir_fd, &got, raw), rows[i].r);
		if (rows[i].r < 0)
			continue;
		assert_true(got == rows[i].value);
		assert_string_equal(raw, rows[i].raw);
	}
}

static void on_v2_io_max_goes_to_the_disks_used(void **state)
{
	(void)state;
	disks_are("", "254:0 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=0 dios=0\n");
	assert_int_equal(knob_io_max_v2.set(dir_fd, 3000000), 0);
	assert_file("io.max", "254:0 rbps=3000000 wbps=3000000");
	disks_are("8:0 rbps=5 wbps=5 riops=9 wiops=9\n", ""); /* limited, not used */
	assert_int_equal(knob_io_max_v2.set(dir_fd, 40), 0);
	assert_starts("io.max", "8:0 rbps=40 wbps=40");
	disks_are("8:0 rbps=5 wbps=5 riops=max wiops=max", "254:0 rbytes=1\n");
	assert_int_equal(knob_io_max_v2.set(dir_fd, UNLIMITED), 0);
	assert_starts("io.max", "8:0 rbps=max wbps=max"); /* the other has none to lift */
	disks_are("", "");
	assert_int_equal(knob_io_max_v2.set(dir_fd, UNLIMITED), 0);
	assert_file("io.max", "");
}

static void on_v2_io_max_goes_back(void **state)
{
	(void)state;
	disks_are("8:0 rbps=5 wbps=5 riops=max wiops=max", "");
	assert_int_equal(knob_io_max_v2.set_raw(dir_fd, "max"), 0);
	assert_starts("io.max", "8:0 rbps=max wbps=max");
	disks_are("254:0 rbps=5 wbps=5 riops=max wiops=max", "");
	assert_int_equal(knob_io_max_v2.set_raw(dir_fd, "254:0 max 700"), 0);
	assert_starts("io.max", "254:0 rbps=max wbps=700");
	assert_int_equal(knob_io_max_v2.set_raw(dir_fd, "several"), -EINVAL);
	assert_int_equal(knob_io_max_v2.set_raw(dir_fd, "254:0 700"), -EINVAL);
	assert_int_equal(knob_io_max_v2.set_raw(dir_fd, ""), -EINVAL);
}

static void v1_is(const char *reads, const char *writes, const char *used)
{
	file_is("blkio.throttle.read_bps_device", reads);
	file_is("blkio.throttle.write_bps_device", writes);
	file_is("blkio.throttle.io_service_bytes", used);
}

static void on_v1_io_max_has_a_file_each_way(void **state)
{
	char raw[KNOB_RAW_MAX];
	uint64_t got;

	(void)state;
	v1_is("", "", "254:0 Read 20\n254:0 Write 0\n254:0 Total 20\nTotal 20\n");
	assert_int_equal(knob_io_max_v1.get(dir_fd, &got, raw), 0);
	assert_true(got == UNLIMITED);
	assert_string_equal(raw, "max");
	assert_int_equal(knob_io_max_v1.set(dir_fd, 600), 0);
	assert_file("blkio.throttle.read_bps_device", "254:0 600");
	assert_file("blkio.throttle.write_bps_device", "254:0 600");
	v1_is("254:0 600\n", "254:0 400\n", "");
	assert_int_equal(knob_io_max_v1.get(dir_fd, &got, raw), 0);
	assert_int_equal(got, 399);
	assert_string_equal(raw, "254:0 600 400");
	v1_is("", "254:0 400", "");
	assert_int_equal(knob_io_max_v1.set_raw(dir_fd, "max"), 0);
	assert_starts("blkio.throttle.read_bps_device", "254:0 0");
	assert_starts("blkio.throttle.write_bps_device", "254:0 0");
}

static void more_disks_than_there_is_room_for_are_an_error(void **state)
{
	char text[4096], *p = text;
	char raw[KNOB_RAW_MAX];
	uint64_t got;

	(void)state;
	for (int i = 0; i < 65; i++)
		p += snprintf(p, (size_t)(text + sizeof(text) - p), "8:%d rbps=9 wbps=9\n", i * 16);
	disks_are(text, "");
	assert_int_equal(knob_io_max_v2.get(dir_fd, &got, raw), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_fit_into_the_thousand_of_bfq),
		cmocka_unit_test(on_v1_io_weight_is_bfqs),
		cmocka_unit_test(on_v2_io_weight_is_read_from_what_there_is),
		cmocka_unit_test(on_v2_io_weight_goes_to_both_and_back),
		cmocka_unit_test(on_v2_io_max_is_the_tightest_of_all),
		cmocka_unit_test(on_v2_io_max_goes_to_the_disks_used),
		cmocka_unit_test(on_v2_io_max_goes_back),
		cmocka_unit_test(on_v1_io_max_has_a_file_each_way),
		cmocka_unit_test(more_disks_than_there_is_room_for_are_an_error),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
