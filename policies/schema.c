// SPDX-License-Identifier: GPL-2.0-or-later
/* schema.c - reading a tree into a struct as the tables of keys say. */
#include "policies/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/nearest.h"
#include "policies/scalar.h"

#define TYPED_MAX 200 /* bytes of a value or key repeated in a message */

static const char *const kinds[] = {
	[YAMLTREE_SCALAR] = "a value", [YAMLTREE_MAP] = "a map", [YAMLTREE_LIST] = "a list"};

static void *field(void *base, size_t offset)
{
	return (char *)base + offset;
}

void schema_defaults(const struct schema_map *map, void *base)
{
	for (size_t i = 0; i < map->n_keys; i++) {
		const struct schema_key *key = &map->keys[i];

		if (key->count != SCHEMA_ONE)
			continue;
		if (key->map)
			schema_defaults(key->map, field(base, key->offset));
		else
			scalar_default(key, field(base, key->offset));
	}
}

const struct schema_key *schema_find(const struct schema_map *map, const char *path)
{
	size_t n = strcspn(path, ".");

	for (size_t i = 0; i < map->n_keys; i++) {
		const struct schema_key *key = &map->keys[i];

		if (strlen(key->name) != n || strncmp(key->name, path, n) != 0)
			continue;
		if (!path[n])
			return key;
		return key->map ? schema_find(key->map, path + n + 1) : NULL;
	}
	return NULL;
}

static const struct schema_key *nearest_key(const struct schema_map *map, const char *word)
{
	const struct schema_key *best = NULL;
	unsigned least = NEAREST_FAR;

	for (size_t i = 0; i < map->n_keys; i++) {
		unsigned d = nearest_distance(word, map->keys[i].name);

		if (d < least) {
			least = d;
			best = &map->keys[i];
		}
	}
	for (size_t i = 0; i < map->n_keys && least > 0; i++) {
		if (nearest_listed(word, map->keys[i].also))
			return &map->keys[i];
	}
	return best;
}

/*
 * A key of a map below @map meant by @word: "cpu_floor" and "floor" are both "floor" in "cpu".
 * Sets @parent to the key that holds it.
 */
static const struct schema_key *nearest_below(const struct schema_map *map, const char *word,
					      const struct schema_key **parent)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < map->n_keys; i++) {
			const struct schema_key *key = &map->keys[i], *found = NULL;
			size_t n = strlen(key->name);
			bool prefixed = strncmp(word, key->name, n) == 0 && word[n];

			if (!key->map)
				continue;
			if (pass == 0 && prefixed)
				found = nearest_key(key->map, word + n);
			else if (pass == 1)
				found = nearest_key(key->map, word);
			if (found) {
				*parent = key;
				return found;
			}
		}
	}
	return NULL;
}

/* Reports a key that does not exist. Returns the key of @map that was meant, or NULL. */
static const struct schema_key *unknown(struct schema_reader *r, const struct schema_map *map,
					const struct yamltree_node *node)
{
	const struct schema_key *near = nearest_key(map, node->text), *parent;

	if (near) {
		findings_error(r->f, node->line, node->column,
			       "unknown key '%.*s', did you mean '%s'?", TYPED_MAX, node->text,
			       near->name);
		return near;
	}
	near = nearest_below(map, node->text, &parent);
	if (near)
		findings_error(r->f, node->line, node->column,
			       "unknown key '%.*s', did you mean '%s: %s%s: ...%s'?", TYPED_MAX,
			       node->text, parent->name, parent->count ? "[{ " : "{ ", near->name,
			       parent->count ? " }]" : " }");
	else
		findings_error(r->f, node->line, node->column, "unknown key '%.*s'", TYPED_MAX,
			       node->text);
	return NULL;
}

static void wrong_kind(struct schema_reader *r, const struct schema_key *key,
		       enum yamltree_kind want, const struct yamltree_node *node)
{
	if (want == YAMLTREE_LIST && node->kind == YAMLTREE_SCALAR && key->type)
		findings_error(r->f, node->line, node->column,
			       "'%s' must be a list, did you mean '[%.*s]'?", key->name, TYPED_MAX,
			       node->text);
	else
		findings_error(r->f, node->line, node->column,
			       "'%s' must be %s, not %s: write it like '%s'", key->name,
			       kinds[want], kinds[node->kind], key->example);
}

/* True when a plain scalar is one that other readers of YAML take for something else. */
static bool ambiguous(const struct yamltree_node *node)
{
	static const char *const words[] = {"yes", "no", "on", "off", "true", "false", "null", "~"};

	for (size_t i = 0; i < ARRAY_SIZE(words) && !node->quoted; i++) {
		if (strcasecmp(words[i], node->text) == 0)
			return true;
	}
	return false;
}

static void read_scalar(struct schema_reader *r, const struct schema_key *key,
			const struct yamltree_node *node, void *to)
{
	char why[400];

	if (!node->quoted && !*node->text)
		findings_error(r->f, node->line, node->column,
			       "'%s' has no value: write it like '%s'", key->name, key->example);
	else if (ambiguous(node))
		findings_error(
			r->f, node->line, node->column,
			"'%s' means a truth or nothing in YAML: quote it if it is meant as text",
			node->text);
	else if (strlen(node->text) > TYPED_MAX && !key->size)
		findings_error(r->f, node->line, node->column, "longer than %d characters",
			       TYPED_MAX);
	else if (!scalar_read(key, node->text, to, why, sizeof(why)))
		findings_error(r->f, node->line, node->column, "%s", why);
}

static void set_position(struct schema_reader *r, const struct yamltree_node *node, void *at)
{
	struct policy_pos pos = {.file = r->file, .line = node->line, .column = node->column};

	memcpy(at, &pos, sizeof(pos));
}

/* Reads one value, or one item of a list. */
static int read_one(struct schema_reader *r, const struct schema_key *key,
		    const struct yamltree_node *node, void *to)
{
	enum yamltree_kind want = key->map ? YAMLTREE_MAP : YAMLTREE_SCALAR;

	if (node->bad)
		return 0;
	if (node->kind != want) {
		wrong_kind(r, key, want, node);
		return 0;
	}
	if (key->map)
		return schema_read(r, key->map, node, to);
	read_scalar(r, key, node, to);
	return 0;
}

/* Room for item @i of the list @key of @base, zeroed and with defaults; NULL: no memory. */
static void *list_item(const struct schema_key *key, void *base, size_t i)
{
	void *items = field(base, key->offset), *item;

	if (key->count == SCHEMA_GROWING) {
		void *grown;

		memcpy(&grown, items, sizeof(grown));
		if ((i & (i - 1)) == 0) { /* at 0, 1, 2, 4, ...: room for as many again */
			grown = reallocarray(grown, i ? i * 2 : 1, key->stride);
			if (!grown)
				return NULL;
			memcpy(items, &grown, sizeof(grown));
		}
		items = grown;
	}
	item = field(items, i * key->stride);
	memset(item, 0, key->stride);
	if (key->map)
		schema_defaults(key->map, item);
	return item;
}

static int read_list(struct schema_reader *r, const struct schema_key *key,
		     const struct yamltree_node *node, void *base)
{
	size_t n = 0;

	if (node->kind != YAMLTREE_LIST) {
		if (!node->bad)
			wrong_kind(r, key, YAMLTREE_LIST, node);
		return 0;
	}
	for (const struct yamltree_node *item = node->first; item; item = item->next) {
		void *to;
		int k;

		if (n == key->max) {
			findings_error(r->f, item->line, item->column, "more than %zu in '%s'",
				       key->max, key->name);
			return 0;
		}
		to = list_item(key, base, n);
		if (!to)
			return -ENOMEM;
		memcpy(field(base, key->n), &(size_t){++n}, sizeof(n));
		if (key->at && key->map)
			set_position(r, item, field(to, key->at));
		k = read_one(r, key, item, to);
		if (k < 0)
			return k;
	}
	return 0;
}

static int read_value(struct schema_reader *r, const struct schema_key *key,
		      const struct yamltree_node *node, void *base)
{
	if (key->given)
		memcpy(field(base, key->given), &(bool){true}, sizeof(bool));
	if (key->count != SCHEMA_ONE)
		return node->value ? read_list(r, key, node->value, base) : 0;
	if (key->at)
		set_position(r, node, field(base, key->at));
	return node->value ? read_one(r, key, node->value, field(base, key->offset)) : 0;
}

/* Reads one key of a map; @lines holds the line of each key already seen, 0 for the others. */
static int read_key(struct schema_reader *r, const struct schema_map *map,
		    const struct yamltree_node *node, void *base, uint32_t *lines)
{
	for (size_t i = 0; i < map->n_keys; i++) {
		if (!streq(map->keys[i].name, node->text))
			continue;
		if (lines[i]) {
			findings_error(r->f, node->line, node->column,
				       "duplicate key '%s', it is on line %u already", node->text,
				       lines[i]);
			return 0;
		}
		lines[i] = node->line;
		return read_value(r, &map->keys[i], node, base);
	}
	return 1;
}

/* Reports the keys of @map that must be there and are not, at the map's beginning. */
static void require(struct schema_reader *r, const struct schema_map *map,
		    const struct yamltree_node *node, const uint32_t *lines)
{
	if (r->tree->stopped || (r->tree->cut && node == r->tree->root))
		return;
	for (size_t i = 0; i < map->n_keys; i++) {
		const struct schema_key *key = &map->keys[i];

		if (key->required && !lines[i])
			findings_error(r->f, node->line, node->column,
				       "missing key '%s': write it like '%s'", key->name,
				       key->example);
	}
}

int schema_read(struct schema_reader *r, const struct schema_map *map,
		const struct yamltree_node *node, void *base)
{
	uint32_t lines[SCHEMA_MAX_KEYS] = {};
	size_t errors_before = r->f->n_errors;

	for (const struct yamltree_node *key = node->first; key; key = key->next) {
		const struct schema_key *meant;
		int k;

		if (findings_enough(r->f))
			return 0;
		if (key->bad)
			continue;
		k = read_key(r, map, key, base, lines);
		if (k < 0)
			return k;
		if (k == 0)
			continue;
		meant = unknown(r, map, key);
		if (meant && !lines[meant - map->keys])
			lines[meant - map->keys] = UINT32_MAX;
	}
	require(r, map, node, lines);
	if (map->check && r->f->n_errors == errors_before)
		map->check(r, node, base);
	return 0;
}
