// SPDX-License-Identifier: GPL-2.0-or-later
/* models.c - generations of what the models have learned: two in turn, each a row a service. */
#include "agent/models.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"

#define APART_NS    (60 * NS_PER_S) /* from the begin of a generation to the next, at least */
#define BYTES_PER_S (128 * KIB)     /* written in the mean */
#define QUEUE_BYTES (2 * MIB)       /* at once; the queue holds more, but not for us alone */
#define FLUSH_MS    2000
#define SLOTS       2
#define KEY_SIZE    48

static void key_of(uint32_t slot, size_t part, char ret[KEY_SIZE])
{
	(void)snprintf(ret, KEY_SIZE, "models/%u/%zu", slot, part);
}

static void begin(struct models *m, const struct controller *c, int64_t now_real_ns)
{
	m->generation = MAX((uint64_t)MAX(now_real_ns, 0), m->generation + 1);
	m->left = controller_n_parts(c);
}

/* The last part that is left: the host's, without which the others are nothing, comes at the end.
 * Returns its size; 0: not written. */
static size_t save_part(struct models *m, const struct controller *c, struct store *s)
{
	size_t part = m->left - 1, size = controller_part_size(c, part);
	_cleanup_(freep) void *buf = malloc(size);
	char key[KEY_SIZE];

	if (!buf || controller_save_part(c, m->generation, part, buf, size) != size)
		return 0;
	key_of(m->slot, part, key);
	if (!store_state(s, key, buf, size))
		return 0;
	m->left--;
	if (m->left == 0)
		m->slot = (m->slot + 1) % SLOTS;
	return size;
}

void models_save(struct models *m, const struct controller *c, struct store *s,
		 uint64_t now_mono_ns, int64_t now_real_ns)
{
	size_t n;

	if (m->begun_mono_ns == 0)
		m->begun_mono_ns = now_mono_ns;
	m->credit_bytes = MIN(m->credit_bytes + BYTES_PER_S, (double)QUEUE_BYTES);
	if (m->left == 0) {
		if (now_mono_ns - m->begun_mono_ns < APART_NS)
			return;
		m->begun_mono_ns = now_mono_ns;
		begin(m, c, now_real_ns);
	}
	for (; m->left > 0 && m->credit_bytes > 0; m->credit_bytes -= (double)n) {
		n = save_part(m, c, s);
		if (n == 0)
			return;
	}
}

void models_save_all(struct models *m, const struct controller *c, struct store *s,
		     int64_t now_real_ns)
{
	size_t queued = 0, n;

	begin(m, c, now_real_ns);
	while (m->left > 0) {
		n = save_part(m, c, s);
		queued += n;
		if (n > 0 && queued < QUEUE_BYTES)
			continue;
		if (store_flush(s, FLUSH_MS) < 0)
			return;
		if (n == 0 && queued == 0)
			return;
		queued = 0;
	}
}

void models_restart(struct models *m)
{
	m->left = 0;
}

static int read_part(const char *path, uint32_t slot, size_t part, void **ret, size_t *size)
{
	char key[KEY_SIZE];
	struct err e = {};

	key_of(slot, part, key);
	return store_state_load(path, key, ret, size, &e);
}

/* Of part 0 of @slot: its generation and how many parts there are. */
static int find(const char *path, uint32_t slot, uint64_t *generation, size_t *n_parts)
{
	_cleanup_(freep) void *bytes = NULL;
	size_t size;
	int r = read_part(path, slot, 0, &bytes, &size);

	return r < 0 ? r : controller_part(bytes, size, generation, n_parts);
}

/* Whether parts 1 and on of @slot are all of @generation. */
static bool is_whole(const char *path, uint32_t slot, uint64_t generation, size_t n_parts)
{
	for (size_t part = 1; part < n_parts; part++) {
		_cleanup_(freep) void *bytes = NULL;
		uint64_t its;
		size_t size, n;

		if (read_part(path, slot, part, &bytes, &size) < 0 ||
		    controller_part(bytes, size, &its, &n) < 0 || its != generation || n != n_parts)
			return false;
	}
	return true;
}

static int load_parts(struct controller *c, const char *path, uint32_t slot, size_t n_parts)
{
	int r = 0;

	for (size_t part = 0; r == 0 && part < n_parts; part++) {
		_cleanup_(freep) void *bytes = NULL;
		size_t size;

		r = read_part(path, slot, part, &bytes, &size);
		if (r == 0)
			r = controller_load(c, bytes, size);
	}
	return r;
}

int models_load(struct models *m, struct controller *c, const char *path)
{
	size_t n_parts[SLOTS], n = 0;
	uint64_t generation[SLOTS], newest = 0;
	uint32_t slot = 0;
	bool any = false;

	for (uint32_t i = 0; i < SLOTS; i++) {
		int r = find(path, i, &generation[i], &n_parts[i]);

		any |= r != -ENOENT;
		if (r < 0)
			continue;
		m->generation = MAX(m->generation, generation[i]);
		if (generation[i] <= newest || !is_whole(path, i, generation[i], n_parts[i]))
			continue;
		newest = generation[i];
		slot = i;
		n = n_parts[i];
	}
	if (n == 0)
		return any ? -EINVAL : -ENOENT;
	m->slot = (slot + 1) % SLOTS;
	return load_parts(c, path, slot, n);
}
