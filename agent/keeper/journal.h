/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal.h - what foreshape changed on this host since it booted, so that any later process can
 * undo it. A log of whole entries with a CRC each: a later record of the same key replaces the
 * earlier one, a torn tail is cut off, a journal of another boot is thrown away.
 */
#ifndef FORESHAPE_JOURNAL_H
#define FORESHAPE_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "shaping/knobs/group.h"
#include "shaping/knobs/knob_ops.h"

#define JOURNAL_MAX_ENTRIES 8192
#define JOURNAL_BOOT_ID_MAX 40
#define JOURNAL_NAME_MAX    64

enum journal_kind {
	JOURNAL_KNOB, /* a knob of a cgroup: written, or let go of */
	JOURNAL_MADE, /* the groups at @path were made for a service */
	JOURNAL_ROOT, /* the HTB root on interface @path, of index @cgroup_id, is ours */
};

enum journal_flags {
	JOURNAL_WRITTEN = 1,   /* the baseline stands from before our first write */
	JOURNAL_YIELDED = 2,   /* somebody else's until adopted */
	JOURNAL_SHRINKING = 4, /* in the middle of a guarded shrink: @before is to be given back */
};

/* One fact. Its key is kind, knob and cgroup_id; and for JOURNAL_MADE the path. */
struct journal_entry {
	uint16_t kind;
	uint16_t knob;
	uint32_t flags;
	uint64_t cgroup_id; /* of the directory the knob's file is in */
	uint64_t baseline;
	uint64_t before, value; /* of the last intent: a killed write left one of them */
	char raw[KNOB_RAW_MAX]; /* the baseline as the kernel spelled it */
	char path[GROUP_PATH_MAX];
	char name[JOURNAL_NAME_MAX]; /* of the service, for people */
};
_Static_assert(sizeof(struct journal_entry) == 408, "plain: it goes to the file as it is");

struct journal {
	int fd, dir_fd;
	char boot_id[JOURNAL_BOOT_ID_MAX];
	struct journal_entry *entries; /* [n], in no order */
	size_t n, capacity;
	uint64_t end_bytes; /* of the file's good part */
	size_t n_records;   /* in the file, dead ones included */
};

/* Reads this boot's id. Returns 0 or -errno. */
int journal_boot_id(char ret[JOURNAL_BOOT_ID_MAX]);

/*
 * Opens "journal" in directory @dir_fd (borrowed) for @boot_id, or makes it; the caller holds the
 * lock. What cannot be read is cut off. Returns 0 and *ret (journal_close), or -errno.
 */
int journal_open(int dir_fd, const char *boot_id, struct journal **ret, struct err *e);
void journal_close(struct journal *j);
void journal_closep(struct journal **j);

/* NULL when there is no such entry. Pointers stay valid until the next put or delete. */
struct journal_entry *journal_find(struct journal *j, enum journal_kind kind, enum knob knob,
				   uint64_t cgroup_id);

/*
 * Adds @e or replaces the one with its key; written, so that it survives this process. Returns 0,
 * -ENOSPC (disk, or JOURNAL_MAX_ENTRIES), -ENOMEM, -EIO; the old state is then what counts.
 */
int journal_put(struct journal *j, const struct journal_entry *e);
/* The same, on the disk when it returns: for the first write of a knob. */
int journal_put_durable(struct journal *j, const struct journal_entry *e);
/* Forgets the entry with @e's key; one that is not there is none the less forgotten. */
int journal_delete(struct journal *j, const struct journal_entry *e);

#endif
