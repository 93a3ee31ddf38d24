/* SPDX-License-Identifier: GPL-2.0-or-later */
/* yamltree.h - the strict subset of YAML as a tree in which every node knows its place. */
#ifndef FORESHAPE_YAMLTREE_H
#define FORESHAPE_YAMLTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policies/findings.h"

#define YAMLTREE_MAX_DEPTH 8

enum yamltree_kind { YAMLTREE_SCALAR, YAMLTREE_MAP, YAMLTREE_LIST };

struct yamltree_node {
	enum yamltree_kind kind;
	bool quoted;                       /* of a scalar */
	bool bad;                          /* already reported: say nothing more about it */
	uint32_t line, column;             /* from 1 */
	const char *text;                  /* of a scalar; without control characters */
	const struct yamltree_node *first; /* of a map: its first key; of a list: its first item */
	const struct yamltree_node *next;  /* the key or item after this one */
	const struct yamltree_node *value; /* of a key */
};

struct yamltree {
	const struct yamltree_node *root; /* NULL: nothing but comments */
	bool cut;     /* keys at the left margin were left out because of syntax errors */
	bool stopped; /* the end was not read: anything may be missing */
	struct yamltree_chunk *chunks;
};

/*
 * Reads the bytes of @f as one document without anchors, aliases, tags, merge keys, directives and
 * with at most YAMLTREE_MAX_DEPTH levels; what is not allowed goes to @f. After a syntax error it
 * goes on with the next key at the left margin. Duplicate keys are left to the reader of the tree.
 * Returns 0 and *ret (yamltree_free) also after errors; -EINVAL when nothing can be read; -ENOMEM.
 */
int yamltree_parse(struct findings *f, struct yamltree **ret);
void yamltree_free(struct yamltree *tree);
void yamltree_freep(struct yamltree **tree);

/* The key @name of @map, or NULL. */
const struct yamltree_node *yamltree_key(const struct yamltree_node *map, const char *name);

#endif
