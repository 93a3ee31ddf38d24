// SPDX-License-Identifier: GPL-2.0-or-later
/* memory.c - memory.low, memory.high and memory.max, on v1 the limit alone; never memsw. */
#include <errno.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "shaping/knobs/control_file.h"
#include "shaping/knobs/knob_ops.h"

#define LIMIT_V1 "memory.limit_in_bytes"

static int get(int dir_fd, const char *file, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	int r = control_read(dir_fd, file, raw, KNOB_RAW_MAX);

	if (r < 0)
		return r;
	if (streq(raw, "max")) {
		*ret = UNLIMITED;
		return 0;
	}
	return parse_u64(raw, ret);
}

static int set(int dir_fd, const char *file, uint64_t bytes, const char *unlimited)
{
	if (bytes == UNLIMITED)
		return control_write(dir_fd, file, unlimited);
	return control_write_u64(dir_fd, file, bytes);
}

/* v1 says "no limit" as the largest number of whole pages in a long. */
static int max_get_v1(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	uint64_t bytes;
	int r = get(dir_fd, LIMIT_V1, &bytes, raw);

	if (r < 0)
		return r;
	*ret = bytes >= (uint64_t)INT64_MAX - (uint64_t)sysconf(_SC_PAGESIZE) ? UNLIMITED : bytes;
	return 0;
}

static int max_set_v1(int dir_fd, uint64_t bytes)
{
	return set(dir_fd, LIMIT_V1, bytes, "-1");
}

static int max_set_raw_v1(int dir_fd, const char *raw)
{
	return control_write(dir_fd, LIMIT_V1, raw);
}

#define V2(word)                                                                                   \
	static int word##_get(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX])                   \
	{                                                                                          \
		return get(dir_fd, "memory." #word, ret, raw);                                     \
	}                                                                                          \
	static int word##_set(int dir_fd, uint64_t bytes)                                          \
	{                                                                                          \
		return set(dir_fd, "memory." #word, bytes, "max");                                 \
	}                                                                                          \
	static int word##_set_raw(int dir_fd, const char *raw)                                     \
	{                                                                                          \
		return control_write(dir_fd, "memory." #word, raw);                                \
	}                                                                                          \
	const struct knob_ops knob_memory_##word##_v2 = {                                          \
		word##_get, word##_set, word##_set_raw, {"memory." #word}};

V2(low)
V2(high)
V2(max)

const struct knob_ops knob_memory_max_v1 = {max_get_v1, max_set_v1, max_set_raw_v1, {LIMIT_V1}};

/* Sum of those of @keys that the file has. */
static int sum_keys(int dir_fd, const char *const *keys, uint64_t *ret)
{
	uint64_t sum = 0, one;
	int r;

	for (; *keys; keys++) {
		r = control_read_key(dir_fd, "memory.stat", *keys, &one);
		if (r < 0 && r != -ENODATA)
			return r;
		if (r == 0)
			sum += one;
	}
	*ret = sum;
	return 0;
}

int knob_memory_usage(int dir_fd, bool v2, uint64_t *usage_bytes, uint64_t *needed_bytes)
{
	static const char *const keys_v1[] = {"total_rss", "total_shmem", "total_unevictable",
					      NULL};
	static const char *const keys_v2[] = {
		"anon",         "shmem",      "unevictable", "slab_unreclaimable",
		"kernel_stack", "pagetables", "sock",        NULL};
	uint64_t kernel_bytes = 0;
	int r;

	r = control_read_u64(dir_fd, v2 ? "memory.current" : "memory.usage_in_bytes", usage_bytes);
	if (r == 0)
		r = sum_keys(dir_fd, v2 ? keys_v2 : keys_v1, needed_bytes);
	if (r == 0 && !v2 &&
	    control_read_u64(dir_fd, "memory.kmem.usage_in_bytes", &kernel_bytes) == 0)
		*needed_bytes += kernel_bytes;
	return r;
}
