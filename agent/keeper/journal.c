// SPDX-License-Identifier: GPL-2.0-or-later
/* journal.c - what foreshape changed on this host since it booted, and how to undo it. */
#include "agent/keeper/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"

#define NAME     "journal"
#define NAME_NEW "journal.new"
#define MAGIC    "FSHJRNL1"
#define SLACK    1024 /* dead records before the file is written anew */

enum record_kind { RECORD_PUT = 1, RECORD_DELETE = 2 };

struct header {
	char magic[8];
	char boot_id[JOURNAL_BOOT_ID_MAX];
};

struct record {
	uint32_t crc; /* of all that follows */
	uint32_t kind;
	struct journal_entry entry;
};

/* CRC-32 (IEEE 802.3), bit by bit: a record is 412 bytes and comes a few times a second. */
static uint32_t crc32_of(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	uint32_t crc = ~UINT32_C(0);

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	return ~crc;
}

static uint32_t record_crc(const struct record *r)
{
	return crc32_of(&r->kind, sizeof(*r) - offsetof(struct record, kind));
}

int journal_boot_id(char ret[JOURNAL_BOOT_ID_MAX])
{
	_cleanup_(closep) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	memset(ret, 0, JOURNAL_BOOT_ID_MAX);
	n = read(fd, ret, JOURNAL_BOOT_ID_MAX - 1);
	if (n <= 0)
		return n < 0 ? -errno : -EIO;
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

static bool same_key(const struct journal_entry *a, const struct journal_entry *b)
{
	if (a->kind != b->kind || a->knob != b->knob || a->cgroup_id != b->cgroup_id)
		return false;
	return a->kind != JOURNAL_MADE || streq(a->path, b->path);
}

static size_t find_index(const struct journal *j, const struct journal_entry *key)
{
	size_t i = 0;

	while (i < j->n && !same_key(&j->entries[i], key))
		i++;
	return i;
}

struct journal_entry *journal_find(struct journal *j, enum journal_kind kind, enum knob knob,
				   uint64_t cgroup_id)
{
	struct journal_entry key = {.kind = kind, .knob = knob, .cgroup_id = cgroup_id};
	size_t i = find_index(j, &key);

	return i < j->n ? &j->entries[i] : NULL;
}

static int reserve(struct journal *j)
{
	size_t capacity = j->capacity ? j->capacity * 2 : 16;
	struct journal_entry *grown;

	if (j->n < j->capacity)
		return 0;
	if (j->n >= JOURNAL_MAX_ENTRIES)
		return -ENOSPC;
	grown = reallocarray(j->entries, capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	j->entries = grown;
	j->capacity = capacity;
	return 0;
}

/* Takes a record into memory; there is room for one more. */
static void apply(struct journal *j, const struct record *r)
{
	size_t i = find_index(j, &r->entry);

	if (r->kind == RECORD_PUT) {
		j->entries[i] = r->entry;
		j->n += i == j->n;
	} else if (i < j->n) {
		j->entries[i] = j->entries[--j->n];
	}
}

/* A write that did not fit is cut off again: what follows it would be lost with it. */
static int append(struct journal *j, const void *bytes, size_t size)
{
	ssize_t n = pwrite(j->fd, bytes, size, (off_t)j->end_bytes);
	int r = n < 0 ? -errno : -ENOSPC;

	if (n == (ssize_t)size) {
		j->end_bytes += size;
		return 0;
	}
	(void)!ftruncate(j->fd, (off_t)j->end_bytes);
	return r;
}

static int write_header(struct journal *j)
{
	struct header h = {};

	memcpy(h.magic, MAGIC, sizeof(h.magic));
	memcpy(h.boot_id, j->boot_id, sizeof(h.boot_id));
	j->end_bytes = 0;
	j->n_records = 0;
	return append(j, &h, sizeof(h));
}

static int append_record(struct journal *j, enum record_kind kind, const struct journal_entry *e)
{
	struct record r = {.kind = kind, .entry = *e};
	int err;

	r.crc = record_crc(&r);
	err = append(j, &r, sizeof(r));
	if (err == 0)
		j->n_records++;
	return err;
}

/* Writes what counts to a new file and puts it in the old one's place. */
static int compact(struct journal *j)
{
	_cleanup_(closep) int fresh = -1;
	struct journal next = *j;
	int r;

	(void)unlinkat(j->dir_fd, NAME_NEW, 0); /* a death in here left it */
	fresh = openat(j->dir_fd, NAME_NEW, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fresh < 0)
		return -errno;
	next.fd = fresh;
	r = write_header(&next);
	for (size_t i = 0; i < j->n && r == 0; i++)
		r = append_record(&next, RECORD_PUT, &j->entries[i]);
	if (r == 0 && fsync(fresh) < 0)
		r = -errno;
	if (r == 0 && renameat(j->dir_fd, NAME_NEW, j->dir_fd, NAME) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(j->dir_fd, NAME_NEW, 0);
		return r;
	}
	(void)fsync(j->dir_fd);
	if (j->fd >= 0)
		close(j->fd);
	*j = next;
	j->fd = take_fd(fresh);
	return 0;
}

static int put(struct journal *j, enum record_kind kind, const struct journal_entry *e)
{
	struct record r = {.kind = kind, .entry = *e};
	int err = reserve(j);

	if (err == 0)
		err = append_record(j, kind, e);
	if (err < 0)
		return err;
	apply(j, &r);
	if (j->n_records > j->n + SLACK)
		(void)compact(j);
	return 0;
}

int journal_put(struct journal *j, const struct journal_entry *e)
{
	return put(j, RECORD_PUT, e);
}

int journal_put_durable(struct journal *j, const struct journal_entry *e)
{
	int r = put(j, RECORD_PUT, e);

	if (r == 0 && fdatasync(j->fd) < 0)
		r = -errno;
	return r;
}

int journal_delete(struct journal *j, const struct journal_entry *e)
{
	struct journal_entry key = *e; /* @e may be in the array that changes */

	return put(j, RECORD_DELETE, &key);
}

static bool is_sound(const struct record *r)
{
	const struct journal_entry *e = &r->entry;

	return r->crc == record_crc(r) && (r->kind == RECORD_PUT || r->kind == RECORD_DELETE) &&
	       e->kind <= JOURNAL_ROOT && e->knob < KNOB_COUNT &&
	       memchr(e->raw, '\0', sizeof(e->raw)) && memchr(e->path, '\0', sizeof(e->path)) &&
	       memchr(e->name, '\0', sizeof(e->name));
}

/* Replays the file up to its first record that is not whole. */
static int replay(struct journal *j)
{
	_cleanup_(closep) int fd = openat(j->dir_fd, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct header h;
	struct record rec;
	int r = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (read(fd, &h, sizeof(h)) != sizeof(h) || memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0 ||
	    memcmp(h.boot_id, j->boot_id, sizeof(h.boot_id)) != 0)
		return 0;
	while (r == 0 && read(fd, &rec, sizeof(rec)) == sizeof(rec) && is_sound(&rec)) {
		r = reserve(j);
		if (r == 0)
			apply(j, &rec);
	}
	return r;
}

int journal_open(int dir_fd, const char *boot_id, struct journal **ret, struct err *e)
{
	_cleanup_(journal_closep) struct journal *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return err_set(e, -ENOMEM, "open the journal");
	j->fd = -1;
	j->dir_fd = dir_fd;
	(void)copy_str(j->boot_id, sizeof(j->boot_id), boot_id);
	r = replay(j);
	if (r == 0)
		r = compact(j);
	if (r < 0)
		return err_set(e, r, "open the journal");
	*ret = take_ptr(j);
	return 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (j->fd >= 0)
		close(j->fd);
	free(j->entries);
	free(j);
}

void journal_closep(struct journal **j)
{
	journal_close(*j);
}
