/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema.h - the const tables of keys: names, places in the structs, ranges, defaults, help. */
#ifndef FORESHAPE_SCHEMA_H
#define FORESHAPE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "policies/findings.h"
#include "policies/yamltree.h"

#define SCHEMA_MAX_KEYS 24 /* of one map */

struct scalar_type;
struct schema_map;

/* load.c: the time of day, since 1970. */
int64_t policy_now(void);

/* The reading of one file. */
struct schema_reader {
	struct findings *f;
	const char *file;              /* what policy_pos.file becomes; outlives the structs */
	const struct policy_input *in; /* what is read */
	const struct yamltree *tree;
	int64_t now_real_ns;
};

/* How often a value may stand: once, or as a list into an array in the struct or one that grows. */
enum schema_count { SCHEMA_ONE, SCHEMA_ARRAY, SCHEMA_GROWING };

/* A key. @offset, @at, @given and @n are offsets in the struct of its map; 0: none but for @offset.
 */
struct schema_key {
	const char *name;
	const struct scalar_type *type; /* of a scalar; NULL: @map */
	const struct schema_map *map;
	size_t offset;
	size_t size;  /* of a text's array, terminator included */
	size_t at;    /* policy_pos; of a list of maps: in the element */
	size_t given; /* bool, set when the key is there */
	enum schema_count count;
	size_t n, max, stride; /* of lists: the size_t counter, its bound, bytes of an element */
	const char *lowest, *highest; /* range, spelled as a value; NULL: none */
	bool open_range;              /* the ends do not belong to it */
	bool may_be_unlimited;        /* "unlimited" is a value */
	bool may_be_auto;             /* "auto" is one: POLICY_AUTO */
	bool required;
	const char
		*otherwise; /* the default, spelled as a value; NULL: unlimited, unset or empty */
	const char *absent; /* what its absence means, where @otherwise does not say it */
	const char *example;
	const char *also; /* other words for it, blank-separated, for "did you mean" */
	const char *help;
};

/* A map of keys. */
struct schema_map {
	const char *help;
	const struct schema_key *keys;
	size_t n_keys;
	/* Checks what concerns several keys, when all of them were read without an error; NULL:
	 * nothing. */
	void (*check)(struct schema_reader *r, const struct yamltree_node *node, void *base);
};

extern const struct schema_map schema_service; /* into struct policy_service */
extern const struct schema_map schema_host;    /* into struct policy_host */

/* Sets every field of a key of @map in @base to its default. */
void schema_defaults(const struct schema_map *map, void *base);

/*
 * Reads @node into @base, which holds the defaults. What is wrong goes to the reader's findings.
 * Returns 0, also then, or -ENOMEM. Growing arrays in @base are the caller's to free.
 */
int schema_read(struct schema_reader *r, const struct schema_map *map,
		const struct yamltree_node *node, void *base);

/* The key at dotted @path ("cpu.floor", "apis.route") below @map, or NULL. */
const struct schema_key *schema_find(const struct schema_map *map, const char *path);

#endif
