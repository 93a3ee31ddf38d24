/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules.h - checks of what several keys, several maps or several files say together. */
#ifndef FORESHAPE_RULES_H
#define FORESHAPE_RULES_H

#include "policies/schema.h"

/* Checks of one map, for schema_map.check. */
void rules_match(struct schema_reader *r, const struct yamltree_node *node, void *base);
void rules_cpu(struct schema_reader *r, const struct yamltree_node *node, void *base);
void rules_memory(struct schema_reader *r, const struct yamltree_node *node, void *base);
void rules_bandwidth(struct schema_reader *r, const struct yamltree_node *node, void *base);
void rules_event(struct schema_reader *r, const struct yamltree_node *node, void *base);
void rules_service(struct schema_reader *r, const struct yamltree_node *node, void *base);
void rules_retention(struct schema_reader *r, const struct yamltree_node *node, void *base);
void rules_host(struct schema_reader *r, const struct yamltree_node *node, void *base);

/*
 * Checks of a whole set: names, matches and routes in all, floors against @capacity_mcpu and
 * @memory_bytes less the reserve (0: not checked) and against the links. @at finds the findings of
 * a file by the name in policy_pos.
 */
struct rules_set {
	const struct policy_set *set;
	uint64_t capacity_mcpu, memory_bytes;
	struct findings *(*at)(void *files, const char *file);
	void *files;
};
void rules_all(const struct rules_set *r);

#endif
