// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * io_max.c - io.max: bytes a second that may be read, and as many that may be written, on each disk
 * the group uses. Limits on operations are left alone. On v1, blkio.throttle.*, each group by
 * itself: groups below are not limited, nor is what the kernel writes back for it later.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "shaping/knobs/control_file.h"
#include "shaping/knobs/group.h"
#include "shaping/knobs/knob_ops.h"

#define READ_V1     "blkio.throttle.read_bps_device"
#define WRITE_V1    "blkio.throttle.write_bps_device"
#define USED_V1     "blkio.throttle.io_service_bytes"
#define LIMITS_V2   "io.max"
#define USED_V2     "io.stat"
#define DISKS       "/sys/block/*/device" /* real ones: not loop, zram, dm, md */
#define MAX_DEVICES 64
#define MAX_TEXT    8192
#define DEVICE_MAX  16        /* of a name: "254:16" */
#define MANY        "several" /* in a raw value: what does not fit into one, which nobody can set */

enum way { WAY_READ, WAY_WRITE, WAY_COUNT };

struct device {
	char name[DEVICE_MAX]; /* "MAJOR:MINOR", as all these files have it */
	uint64_t bytes_per_s[WAY_COUNT];
};

struct devices {
	size_t n;
	struct device at[MAX_DEVICES];
};

static bool is_name(const char *word)
{
	size_t major = strspn(word, "0123456789"), minor;

	if (major == 0 || word[major] != ':')
		return false;
	minor = strspn(word + major + 1, "0123456789");
	return minor > 0 && word[major + 1 + minor] == '\0' && major + 1 + minor < DEVICE_MAX;
}

/* The one named @name, new where it was not there; NULL: there are too many. */
static struct device *device_named(struct devices *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (streq(d->at[i].name, name))
			return &d->at[i];
	if (d->n == MAX_DEVICES)
		return NULL;
	(void)copy_str(d->at[d->n].name, DEVICE_MAX, name);
	d->at[d->n].bytes_per_s[WAY_READ] = d->at[d->n].bytes_per_s[WAY_WRITE] = UNLIMITED;
	return &d->at[d->n++];
}

static int parse_limit(const char *word, uint64_t *ret)
{
	if (!streq(word, "max"))
		return parse_u64(word, ret);
	*ret = UNLIMITED;
	return 0;
}

/* The words after a device's name: v1 "1048576", v2 "rbps=1048576 wbps=max riops=max wiops=max". */
typedef int line_fn_t(struct device *device, char *words, enum way way);

static int line_v1(struct device *device, char *words, enum way way)
{
	return parse_u64(words, &device->bytes_per_s[way]);
}

static int line_v2(struct device *device, char *words, enum way way)
{
	char *word;
	int r = 0;

	(void)way; /* both */
	while (r == 0 && (word = strsep(&words, " "))) {
		if (strncmp(word, "rbps=", 5) == 0)
			r = parse_limit(word + 5, &device->bytes_per_s[WAY_READ]);
		else if (strncmp(word, "wbps=", 5) == 0)
			r = parse_limit(word + 5, &device->bytes_per_s[WAY_WRITE]);
	}
	return r;
}

/* Names alone, as of what was used. */
static int line_used(struct device *device, char *words, enum way way)
{
	(void)device;
	(void)words;
	(void)way;
	return 0;
}

/* Adds what @file says to @d; lines that start with no device are left out. */
static int read_devices(int dir_fd, const char *file, line_fn_t *line_fn, enum way way,
			struct devices *d)
{
	char text[MAX_TEXT], *rest = text, *line;
	int r = control_read(dir_fd, file, text, sizeof(text));

	while (r == 0 && (line = strsep(&rest, "\n"))) {
		char *words = line, *name = strsep(&words, " ");
		struct device *device;

		if (!words || !is_name(name))
			continue;
		device = device_named(d, name);
		r = device ? line_fn(device, words, way) : -E2BIG;
	}
	return r;
}

static int read_limits(int dir_fd, bool v2, struct devices *d)
{
	int r;

	d->n = 0;
	if (v2)
		return read_devices(dir_fd, LIMITS_V2, line_v2, WAY_READ, d);
	r = read_devices(dir_fd, READ_V1, line_v1, WAY_READ, d);
	return r < 0 ? r : read_devices(dir_fd, WRITE_V1, line_v1, WAY_WRITE, d);
}

static bool is_limited(const struct device *device)
{
	return device->bytes_per_s[WAY_READ] != UNLIMITED ||
	       device->bytes_per_s[WAY_WRITE] != UNLIMITED;
}

static void spell_limit(uint64_t bytes_per_s, char ret[24])
{
	if (bytes_per_s == UNLIMITED)
		(void)copy_str(ret, 24, "max");
	else
		(void)snprintf(ret, 24, "%" PRIu64, bytes_per_s);
}

static void spell(const struct devices *d, char raw[KNOB_RAW_MAX])
{
	const struct device *only = NULL;
	char number[WAY_COUNT][24], text[80];
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		if (!is_limited(&d->at[i]))
			continue;
		only = &d->at[i];
		n++;
	}
	(void)copy_str(raw, KNOB_RAW_MAX, n ? MANY : "max");
	if (n != 1)
		return;
	for (int way = 0; way < WAY_COUNT; way++)
		spell_limit(only->bytes_per_s[way], number[way]);
	(void)snprintf(text, sizeof(text), "%s %s %s", only->name, number[WAY_READ],
		       number[WAY_WRITE]);
	if (strlen(text) < KNOB_RAW_MAX)
		(void)copy_str(raw, KNOB_RAW_MAX, text);
}

/* The tightest of all; a byte less where they differ, which is then taken for none of ours. */
static int get(int dir_fd, bool v2, uint64_t *ret, char raw[KNOB_RAW_MAX])
{
	uint64_t least = UNLIMITED, most = 0;
	struct devices d;
	int r = read_limits(dir_fd, v2, &d);

	if (r < 0)
		return r;
	for (size_t i = 0; i < d.n; i++) {
		if (!is_limited(&d.at[i]))
			continue;
		for (int way = 0; way < WAY_COUNT; way++) {
			least = MIN(least, d.at[i].bytes_per_s[way]);
			most = MAX(most, d.at[i].bytes_per_s[way]);
		}
	}
	*ret = least == UNLIMITED || least == most || least == 0 ? least : least - 1;
	spell(&d, raw);
	return 0;
}

static int write_v1(int dir_fd, const struct device *device)
{
	static const char *const files[WAY_COUNT] = {READ_V1, WRITE_V1};
	int r = 0;

	for (int way = 0; r == 0 && way < WAY_COUNT; way++) {
		uint64_t v = device->bytes_per_s[way];
		char text[48];

		(void)snprintf(text, sizeof(text), "%s %" PRIu64, device->name,
			       v == UNLIMITED ? 0 : v);
		r = control_write(dir_fd, files[way], text);
	}
	return r;
}

static int write_v2(int dir_fd, const struct device *device)
{
	char text[96];
	char number[WAY_COUNT][24];

	for (int way = 0; way < WAY_COUNT; way++)
		spell_limit(device->bytes_per_s[way], number[way]);
	(void)snprintf(text, sizeof(text), "%s rbps=%s wbps=%s", device->name, number[WAY_READ],
		       number[WAY_WRITE]);
	return control_write(dir_fd, LIMITS_V2, text);
}

/* Returns how many took it; a disk that is not there any more cannot. */
static int write_all(int dir_fd, bool v2, const struct devices *d)
{
	int n = 0;

	for (size_t i = 0; i < d->n; i++) {
		int r = v2 ? write_v2(dir_fd, &d->at[i]) : write_v1(dir_fd, &d->at[i]);

		if (r < 0 && (r != -ENODEV || !group_is_alive(dir_fd)))
			return r;
		n += r == 0;
	}
	return n;
}

/* New kernels (6.18) count on v1 only where some limit was ever set: before, nothing seems used. */
static int add_disks(struct devices *d)
{
	size_t size = sizeof(((struct device *)NULL)->name);
	char name[sizeof(((struct device *)NULL)->name)];
	int r = 0;
	glob_t g;

	if (glob(DISKS, 0, NULL, &g) != 0)
		return 0;
	for (size_t i = 0; r == 0 && i < g.gl_pathc; i++) {
		char *end = strrchr(g.gl_pathv[i], '/');

		memcpy(end, "/dev", sizeof("/dev")); /* in place of "/device" */
		if (control_read(AT_FDCWD, g.gl_pathv[i], name, size) == 0 && is_name(name))
			r = device_named(d, name) ? 0 : -E2BIG;
	}
	globfree(&g);
	return r;
}

static void to_all(struct devices *d, uint64_t bytes_per_s)
{
	for (size_t i = 0; i < d->n; i++)
		d->at[i].bytes_per_s[WAY_READ] = d->at[i].bytes_per_s[WAY_WRITE] = bytes_per_s;
}

static int set(int dir_fd, bool v2, uint64_t bytes_per_s)
{
	struct devices d;
	int r = read_limits(dir_fd, v2, &d);

	if (r == 0 && bytes_per_s != UNLIMITED)
		r = read_devices(dir_fd, v2 ? USED_V2 : USED_V1, line_used, WAY_READ, &d);
	if (r == 0 && bytes_per_s != UNLIMITED && d.n == 0)
		r = add_disks(&d);
	if (r < 0)
		return r;
	to_all(&d, bytes_per_s);
	r = write_all(dir_fd, v2, &d);
	if (r == 0 && bytes_per_s != UNLIMITED)
		return -EOPNOTSUPP; /* no disk here takes a limit */
	return MIN(r, 0);
}

static int take_raw(struct devices *d, const char *raw)
{
	char copy[KNOB_RAW_MAX], *rest = copy, *name, *word;
	struct device *device;
	int r = 0;

	(void)copy_str(copy, sizeof(copy), raw);
	name = strsep(&rest, " ");
	if (!is_name(name))
		return streq(raw, "max") ? 0 : -EINVAL;
	device = device_named(d, name);
	if (!device)
		return -E2BIG;
	for (int way = 0; r == 0 && way < WAY_COUNT; way++) {
		word = strsep(&rest, " ");
		r = word ? parse_limit(word, &device->bytes_per_s[way]) : -EINVAL;
	}
	return r;
}

static int set_raw(int dir_fd, bool v2, const char *raw)
{
	struct devices d;
	int r = read_limits(dir_fd, v2, &d);

	if (r < 0)
		return r;
	to_all(&d, UNLIMITED);
	r = take_raw(&d, raw);
	return r < 0 ? r : MIN(write_all(dir_fd, v2, &d), 0);
}

#define OPS(name, v2)                                                                              \
	static int get_##name(int dir_fd, uint64_t *ret, char raw[KNOB_RAW_MAX])                   \
	{                                                                                          \
		return get(dir_fd, v2, ret, raw);                                                  \
	}                                                                                          \
	static int set_##name(int dir_fd, uint64_t bytes_per_s)                                    \
	{                                                                                          \
		return set(dir_fd, v2, bytes_per_s);                                               \
	}                                                                                          \
	static int set_raw_##name(int dir_fd, const char *raw)                                     \
	{                                                                                          \
		return set_raw(dir_fd, v2, raw);                                                   \
	}

OPS(v1, false)
OPS(v2, true)

const struct knob_ops knob_io_max_v1 = {get_v1, set_v1, set_raw_v1, {READ_V1, WRITE_V1}};
const struct knob_ops knob_io_max_v2 = {get_v2, set_v2, set_raw_v2, {LIMITS_V2}};
