// SPDX-License-Identifier: GPL-2.0-or-later
/* yamltree.c - libyaml's events to a tree, refusing what the strict subset leaves out. */
#include "policies/yamltree.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "agent/base/cleanup.h"
#include "policies/yamltext.h"

struct yamltree_chunk {
	struct yamltree_chunk *next;
	size_t used, size;
	max_align_t bytes[];
};

/* A collection that is still open. */
struct level {
	struct yamltree_node *node, *last; /* last: key or item */
	bool wants_value;                  /* of a map: last is a key without its value */
};

struct builder {
	struct findings *f;
	struct yamltree *tree;
	struct level levels[YAMLTREE_MAX_DEPTH];
	size_t depth, n_documents;
};

static void *allocate(struct yamltree *tree, size_t bytes)
{
	struct yamltree_chunk *c = tree->chunks;
	size_t size = MAX(bytes, (size_t)(16 * KIB));
	void *p;

	bytes = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (!c || c->size - c->used < bytes) {
		c = calloc(1, sizeof(*c) + size + sizeof(max_align_t));
		if (!c)
			return NULL;
		c->size = size + sizeof(max_align_t);
		c->next = tree->chunks;
		tree->chunks = c;
	}
	p = (char *)c->bytes + c->used;
	c->used += bytes;
	return p;
}

static struct yamltree_node *new_node(struct builder *b, const yaml_event_t *event,
				      enum yamltree_kind kind)
{
	struct yamltree_node *node = allocate(b->tree, sizeof(*node));

	if (!node)
		return NULL;
	node->kind = kind;
	node->line = (uint32_t)event->start_mark.line + 1;
	node->column = (uint32_t)event->start_mark.column + 1;
	node->text = "";
	return node;
}

static void refuse(struct builder *b, const struct yamltree_node *node, const char *why)
{
	findings_error(b->f, node->line, node->column, "%s", why);
}

/* Reports anchors and tags of a node that may have either. */
static void refuse_properties(struct builder *b, const struct yamltree_node *node,
			      const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		refuse(b, node, "anchors ('&') are not part of the language: write the value out");
	else if (tag)
		refuse(b, node,
		       "tags ('!') are not part of the language: units say what a value is");
}

/* A node in the place of a map's key. */
static void become_key(struct builder *b, struct yamltree_node *node)
{
	if (node->bad)
		return;
	if (node->kind != YAMLTREE_SCALAR)
		refuse(b, node, "a key must be a word");
	else if (!node->quoted && streq(node->text, "<<"))
		refuse(b, node,
		       "merge keys ('<<') are not part of the language: write the keys out");
	else
		return;
	node->bad = true;
}

/* Hangs @node into the innermost open collection. */
static void attach(struct builder *b, struct yamltree_node *node)
{
	struct level *l = b->depth ? &b->levels[b->depth - 1] : NULL;

	if (!l) {
		b->tree->root = node;
	} else if (l->wants_value) {
		l->last->value = node;
		l->wants_value = false;
	} else {
		if (l->last)
			l->last->next = node;
		else
			l->node->first = node;
		l->last = node;
		l->wants_value = l->node->kind == YAMLTREE_MAP;
		if (l->wants_value)
			become_key(b, node);
	}
}

static int add_scalar(struct builder *b, const yaml_event_t *event)
{
	struct yamltree_node *node = new_node(b, event, YAMLTREE_SCALAR);
	size_t n = event->data.scalar.length;
	char *text = node ? allocate(b->tree, n + 1) : NULL;

	if (!text)
		return -ENOMEM;
	memcpy(text, event->data.scalar.value, n);
	text[n] = '\0';
	node->text = text;
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	refuse_properties(b, node, event->data.scalar.anchor, event->data.scalar.tag);
	for (size_t i = 0; i < n && !node->bad; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
			refuse(b, node, "a value must be one line without control characters");
			node->bad = true;
		}
	}
	attach(b, node);
	return 0;
}

static int add_alias(struct builder *b, const yaml_event_t *event)
{
	struct yamltree_node *node = new_node(b, event, YAMLTREE_SCALAR);

	if (!node)
		return -ENOMEM;
	refuse(b, node,
	       "aliases ('*') are not part of the language: write the value out, or quote it");
	node->bad = true;
	attach(b, node);
	return 0;
}

/* Returns -E2BIG, reported, when it is nested too deep. */
static int open_collection(struct builder *b, const yaml_event_t *event)
{
	bool is_map = event->type == YAML_MAPPING_START_EVENT;
	struct yamltree_node *node = new_node(b, event, is_map ? YAMLTREE_MAP : YAMLTREE_LIST);

	if (!node)
		return -ENOMEM;
	if (is_map)
		refuse_properties(b, node, event->data.mapping_start.anchor,
				  event->data.mapping_start.tag);
	else
		refuse_properties(b, node, event->data.sequence_start.anchor,
				  event->data.sequence_start.tag);
	if (b->depth == YAMLTREE_MAX_DEPTH) {
		refuse(b, node, "nested deeper than 8 levels");
		return -E2BIG;
	}
	attach(b, node);
	b->levels[b->depth++] = (struct level){.node = node};
	return 0;
}

static int start_document(struct builder *b, const yaml_event_t *event)
{
	uint32_t line = (uint32_t)event->start_mark.line + 1;
	uint32_t column = (uint32_t)event->start_mark.column + 1;

	if (b->n_documents++ > 0) {
		findings_error(
			b->f, line, column,
			"a second document: one file holds one policy, without '---' inside");
		return -E2BIG;
	}
	if (event->data.document_start.version_directive ||
	    event->data.document_start.tag_directives.start !=
		    event->data.document_start.tag_directives.end)
		findings_error(b->f, line, column,
			       "directives ('%%') are not part of the language");
	return 0;
}

static int take_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return start_document(b, event);
	case YAML_ALIAS_EVENT:
		return add_alias(b, event);
	case YAML_SCALAR_EVENT:
		return add_scalar(b, event);
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		return open_collection(b, event);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		assert(b->depth > 0); /* libyaml gives no end without its start */
		b->depth--;
		return 0;
	default:
		return 0;
	}
}

static int build(struct builder *b, yaml_parser_t *p)
{
	yaml_event_t event;
	bool last = false;
	int r = 0;

	while (!last && r == 0 && !findings_enough(b->f)) {
		if (!yaml_parser_parse(p, &event))
			return p->error == YAML_MEMORY_ERROR ? -ENOMEM : -EINVAL;
		last = event.type == YAML_STREAM_END_EVENT;
		r = take_event(b, &event);
		yaml_event_delete(&event);
	}
	b->tree->stopped = !last;
	return r == -E2BIG ? 0 : r;
}

int yamltree_parse(struct findings *f, struct yamltree **ret)
{
	_cleanup_(yamltree_freep) struct yamltree *tree = calloc(1, sizeof(*tree));
	_cleanup_(freep) char *text = NULL;
	struct builder b = {.f = f, .tree = tree};
	yaml_parser_t p;
	int r;

	if (!tree)
		return -ENOMEM;
	r = yamltext_clean(f, &text, &tree->cut);
	if (r < 0)
		return r;
	if (!yaml_parser_initialize(&p))
		return -ENOMEM;
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, f->size);
	r = build(&b, &p);
	yaml_parser_delete(&p);
	if (r < 0)
		return r;
	*ret = take_ptr(tree);
	return 0;
}

void yamltree_free(struct yamltree *tree)
{
	if (!tree)
		return;
	while (tree->chunks) {
		struct yamltree_chunk *next = tree->chunks->next;

		free(tree->chunks);
		tree->chunks = next;
	}
	free(tree);
}

void yamltree_freep(struct yamltree **tree)
{
	yamltree_free(*tree);
}

const struct yamltree_node *yamltree_key(const struct yamltree_node *map, const char *name)
{
	for (const struct yamltree_node *key = map->first; key; key = key->next) {
		if (!key->bad && streq(key->text, name))
			return key;
	}
	return NULL;
}
