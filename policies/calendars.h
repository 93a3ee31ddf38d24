/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calendars.h - the calendar files that policies name. */
#ifndef FORESHAPE_CALENDARS_H
#define FORESHAPE_CALENDARS_H

#include "policies/schema.h"

/*
 * Puts the next events of the calendars of @s, which lie beside the file @r reads, behind its own
 * events, POLICY_MAX_EVENTS together. What is wrong goes to the reader's findings, at @list, the
 * node of the calendars' names.
 */
void calendars_read(struct schema_reader *r, const struct yamltree_node *list,
		    struct policy_service *s);

#endif
