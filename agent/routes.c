// SPDX-License-Identifier: GPL-2.0-or-later
/* routes.c - subset construction: route patterns to one deterministic table over byte classes. */
#include "agent/routes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "agent/base/cleanup.h"
#include "bpf/route.h"

#define NO_STATE   0 /* the dead state, whose set is empty */
#define BUCKETS    (4 * FSH_MAX_STATES)
#define RANK_BYTES 64 /* segments that decide between two patterns that match the same path */

/*
 * What a pattern's position asks of the next byte. A {name} is FIRST then MORE; MORE may also be
 * left without a byte.
 */
enum ask { ASK_BYTE, ASK_FIRST, ASK_MORE, ASK_REST, ASK_END };

struct position {
	uint8_t ask; /* enum ask */
	uint8_t byte;
	uint16_t pattern;
};

struct pattern {
	uint32_t begin; /* its first position */
	uint32_t row;
	uint32_t service;
	uint32_t order;
	int method; /* enum fsh_method; -1: every one */
	char rank[RANK_BYTES];
};

/* A state: the sorted positions a path can stand at. */
struct set {
	uint32_t begin, n; /* in items */
};

struct compiler {
	struct fsh_route_table *table;
	struct pattern *patterns; /* sorted, best first */
	size_t n_patterns;
	struct position *positions;
	size_t n_positions;
	struct set sets[FSH_MAX_STATES];
	uint32_t *items;
	size_t n_items, max_items;
	uint32_t *next;   /* items of the set being built */
	uint32_t *marked; /* round in which a position was put into it, by position */
	uint32_t round;
	uint8_t byte_of[FSH_MAX_CLASSES]; /* a byte of each class */
	uint32_t classes;
	uint16_t buckets[BUCKETS]; /* state + 1 by hash of its set */
};

static void compiler_freep(struct compiler **c)
{
	if (!*c)
		return;
	free((*c)->patterns);
	free((*c)->positions);
	free((*c)->items);
	free((*c)->next);
	free((*c)->marked);
	free(*c);
}

static const char *const METHODS[FSH_METHODS] = {
	[FSH_METHOD_GET] = "GET",         [FSH_METHOD_HEAD] = "HEAD",
	[FSH_METHOD_POST] = "POST",       [FSH_METHOD_PUT] = "PUT",
	[FSH_METHOD_DELETE] = "DELETE",   [FSH_METHOD_CONNECT] = "CONNECT",
	[FSH_METHOD_OPTIONS] = "OPTIONS", [FSH_METHOD_TRACE] = "TRACE",
	[FSH_METHOD_PATCH] = "PATCH",
};

enum fsh_method routes_method(const char *name)
{
	for (int i = 0; i < FSH_METHODS; i++)
		if (METHODS[i] && streq(METHODS[i], name))
			return (enum fsh_method)i;
	return FSH_METHOD_OTHER;
}

/* One character a segment: literal, literal with {name} in it, {name} alone, rest. */
static void rank_segments(const char *route, char rank[RANK_BYTES])
{
	size_t n = 0;

	while (*route && n < RANK_BYTES - 1) {
		const char *segment = route + (*route == '/');
		size_t len = strcspn(segment, "/");
		bool name = memchr(segment, '{', len);

		if (!len && !*segment && n)
			break;
		if (len && segment[len - 1] == '*' && !segment[len])
			rank[n++] = '3';
		else if (name)
			rank[n++] = segment[0] == '{' && segment[len - 1] == '}' ? '2' : '1';
		else
			rank[n++] = '0';
		route = segment + len;
	}
	rank[n] = '\0';
}

static int by_rank(const void *a, const void *b)
{
	const struct pattern *x = a, *y = b;
	int r = strcmp(x->rank, y->rank);

	if (r)
		return r;
	if ((x->method < 0) != (y->method < 0))
		return x->method < 0 ? 1 : -1;
	return x->order < y->order ? -1 : 1;
}

static void add_position(struct compiler *c, enum ask ask, char byte)
{
	c->positions[c->n_positions++] =
		(struct position){.ask = (uint8_t)ask, .byte = (uint8_t)byte};
}

/* Appends the positions of @route; at most one a character and one for the end. */
static void add_positions(struct compiler *c, const char *route)
{
	for (const char *s = route; *s; s++) {
		const char *close = *s == '{' ? strchr(s, '}') : NULL;

		if (close) {
			add_position(c, ASK_FIRST, 0);
			add_position(c, ASK_MORE, 0);
			s = close;
		} else if (*s == '*' && !s[1]) {
			add_position(c, ASK_REST, 0);
		} else {
			add_position(c, ASK_BYTE, *s);
		}
	}
	add_position(c, ASK_END, 0);
}

static void add_patterns(struct compiler *c, const struct policy_service *service,
			 const struct rows *rows)
{
	int number = rows_service(rows, service->name);

	for (size_t api = 0; number >= 0 && api < service->n_apis; api++) {
		const struct policy_api *a = &service->apis[api];
		struct pattern *p = &c->patterns[c->n_patterns];

		*p = (struct pattern){
			.begin = (uint32_t)c->n_positions,
			.row = rows_of(rows, service, api),
			.service = (uint32_t)number,
			.order = (uint32_t)c->n_patterns++,
			.method = streq(a->method, "*") ? -1 : (int)routes_method(a->method)};
		rank_segments(a->route, p->rank);
		add_positions(c, a->route);
	}
}

/* Sorted patterns, so that the lowest number among those that match is the row. */
static void number_patterns(struct compiler *c)
{
	qsort(c->patterns, c->n_patterns, sizeof(*c->patterns), by_rank);
	for (size_t i = 0; i < c->n_patterns; i++) {
		size_t p = c->patterns[i].begin;

		do
			c->positions[p].pattern = (uint16_t)i;
		while (c->positions[p++].ask != ASK_END);
	}
}

static const char PATH_ENDS[] = " ?#\r\n";

/* Each byte some route names has a class of its own, so has '/'; all others share class 0. */
static int classify(struct compiler *c, struct err *e)
{
	struct fsh_route_table *t = c->table;

	for (const char *end = PATH_ENDS; *end; end++)
		t->class_of[(uint8_t)*end] = FSH_CLASS_END;
	c->classes = 1;
	c->byte_of[0] = '\0';
	for (size_t i = 0; i <= c->n_positions; i++) {
		uint8_t byte = i < c->n_positions ? c->positions[i].byte : '/';

		if ((i < c->n_positions && c->positions[i].ask != ASK_BYTE) || t->class_of[byte])
			continue;
		if (c->classes == FSH_MAX_CLASSES)
			return err_say(e, -E2BIG, "routes use more than %d different characters",
				       FSH_MAX_CLASSES - 1);
		c->byte_of[c->classes] = byte;
		t->class_of[byte] = (uint8_t)c->classes++;
	}
	while (1U << t->shift < c->classes)
		t->shift++;
	return 0;
}

static void put(struct compiler *c, uint32_t position, size_t *n)
{
	for (;; position++) {
		if (c->marked[position] != c->round) {
			c->marked[position] = c->round;
			c->next[(*n)++] = position;
		}
		if (c->positions[position].ask != ASK_MORE)
			return;
	}
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The best row among the positions that may end here. */
static uint32_t row_of_set(const struct compiler *c, const uint32_t *items, size_t n)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < n; i++) {
		const struct position *p = &c->positions[items[i]];

		if ((p->ask == ASK_END || p->ask == ASK_REST) && p->pattern < best)
			best = p->pattern;
	}
	return best == SIZE_MAX ? FSH_ROW_NONE : c->patterns[best].row;
}

static int grow_items(struct compiler *c, size_t n)
{
	size_t max = c->max_items ? c->max_items : 4096;
	uint32_t *items;

	while (max < c->n_items + n)
		max *= 2;
	if (max == c->max_items)
		return 0;
	items = realloc(c->items, max * sizeof(*items));
	if (!items)
		return -ENOMEM;
	c->items = items;
	c->max_items = max;
	return 0;
}

/* The state of the @n positions in c->next, a new one if need be. Returns it, -E2BIG or -ENOMEM. */
static int state_of(struct compiler *c, size_t n)
{
	struct fsh_route_table *t = c->table;
	uint32_t hash = 2166136261U, at, state;

	if (!n)
		return NO_STATE;
	qsort(c->next, n, sizeof(*c->next), by_number);
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ c->next[i]) * 16777619U;
	for (at = hash % BUCKETS; c->buckets[at]; at = (at + 1) % BUCKETS) {
		const struct set *s = &c->sets[c->buckets[at] - 1];

		if (s->n == n && !memcmp(c->items + s->begin, c->next, n * sizeof(*c->next)))
			return c->buckets[at] - 1;
	}
	state = t->states;
	if (state >= FSH_MAX_STATES || (state + 1) << t->shift > FSH_MAX_NEXT)
		return -E2BIG;
	if (grow_items(c, n) < 0)
		return -ENOMEM;
	memcpy(c->items + c->n_items, c->next, n * sizeof(*c->next));
	c->sets[state] = (struct set){.begin = (uint32_t)c->n_items, .n = (uint32_t)n};
	c->n_items += n;
	c->buckets[at] = (uint16_t)(state + 1);
	t->row_of[state] = row_of_set(c, c->next, n);
	t->states++;
	return (int)state;
}

/* Where position @p leads on a byte of class @class. */
static void follow(struct compiler *c, uint32_t p, uint32_t class, size_t *n)
{
	const struct position *at = &c->positions[p];
	bool slash = c->byte_of[class] == '/';

	switch ((enum ask)at->ask) {
	case ASK_BYTE:
		if (class && c->byte_of[class] == at->byte)
			put(c, p + 1, n);
		break;
	case ASK_FIRST:
		if (!slash)
			put(c, p + 1, n);
		break;
	case ASK_MORE:
		if (!slash)
			put(c, p, n);
		break;
	case ASK_REST:
		put(c, p, n);
		break;
	case ASK_END:
		break;
	}
}

/* Fills in the transitions of all states from @first on, and of those that appear on the way. */
static int expand(struct compiler *c, uint32_t first)
{
	struct fsh_route_table *t = c->table;

	for (uint32_t state = first; state < t->states; state++) {
		for (uint32_t class = 0; class < c->classes; class ++) {
			const struct set s = c->sets[state];
			size_t n = 0;
			int to;

			c->round++;
			for (uint32_t i = 0; i < s.n; i++)
				follow(c, c->items[s.begin + i], class, &n);
			to = state_of(c, n);
			if (to < 0)
				return to;
			t->next[(state << t->shift) | class] = (uint16_t)to;
		}
	}
	return 0;
}

/* The start states of service @number, and all that follows from them. */
static int compile_service(struct compiler *c, uint32_t number)
{
	uint32_t first = c->table->states;

	for (int method = 0; method < FSH_METHODS; method++) {
		size_t n = 0;
		int state;

		c->round++;
		for (size_t i = 0; i < c->n_patterns; i++) {
			const struct pattern *p = &c->patterns[i];

			if (p->service == number && (p->method < 0 || p->method == method))
				put(c, p->begin, &n);
		}
		state = state_of(c, n);
		if (state < 0)
			return state;
		c->table->start[number][method] = (uint16_t)state;
	}
	return expand(c, first);
}

static int compiler_new(const struct policy_set *set, struct compiler **ret)
{
	_cleanup_(compiler_freep) struct compiler *c = calloc(1, sizeof(*c));
	size_t patterns = 1, positions = 1;

	for (size_t i = 0; i < set->n_services; i++) {
		patterns += set->services[i].n_apis;
		for (size_t k = 0; k < set->services[i].n_apis; k++)
			positions += strlen(set->services[i].apis[k].route) + 1;
	}
	if (!c)
		return -ENOMEM;
	c->patterns = calloc(patterns, sizeof(*c->patterns));
	c->positions = calloc(positions, sizeof(*c->positions));
	c->next = calloc(positions, sizeof(*c->next));
	c->marked = calloc(positions, sizeof(*c->marked));
	if (!c->patterns || !c->positions || !c->next || !c->marked)
		return -ENOMEM;
	*ret = take_ptr(c);
	return 0;
}

int routes_compile(const struct policy_set *set, const struct rows *rows, uint32_t generation,
		   struct fsh_route_table *ret, struct err *e)
{
	_cleanup_(compiler_freep) struct compiler *c = NULL;
	int r = compiler_new(set, &c);

	if (r < 0)
		return err_set(e, r, "compile the routes");
	memset(ret, 0, sizeof(*ret));
	ret->generation = generation;
	ret->states = 1;
	ret->row_of[NO_STATE] = FSH_ROW_NONE;
	c->table = ret;
	for (size_t i = 0; i < set->n_services; i++)
		add_patterns(c, &set->services[i], rows);
	number_patterns(c);
	r = classify(c, e);
	for (size_t i = 0; r >= 0 && i < set->n_services; i++) {
		int number = rows_service(rows, set->services[i].name);

		if (number < 0)
			continue;
		r = compile_service(c, (uint32_t)number);
		if (r == -E2BIG)
			return err_say(e, r,
				       "the routes of service %s do not fit any more: shorten "
				       "them, or join some with {name} or *",
				       set->services[i].name);
		if (r < 0)
			return err_set(e, r, "compile the routes");
	}
	return r;
}

uint32_t routes_walk(const struct fsh_route_table *table, uint32_t service, enum fsh_method method,
		     const char *path)
{
	uint32_t state = fsh_route_start(table, service, method);

	for (; *path; path++) {
		uint8_t class = table->class_of[(uint8_t)*path];

		if (class == FSH_CLASS_END)
			break;
		state = fsh_route_next(table, table->shift, state, class);
	}
	return fsh_route_row(table, state);
}
