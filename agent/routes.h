/* SPDX-License-Identifier: GPL-2.0-or-later */
/* routes.h - the policies' routes as the table the packet programs match paths with. */
#ifndef FORESHAPE_ROUTES_H
#define FORESHAPE_ROUTES_H

#include <stdint.h>

#include "agent/rows.h"

/*
 * Compiles the routes of @set into @ret, a table of generation @generation, with the rows of @rows
 * (rows_assign first). Per segment a literal goes before {name} (one segment that is not empty),
 * that before '*' (the end of a pattern: it takes the rest, slashes and nothing included); of two
 * such the one with a method before the one for all. Methods FSH_METHOD_OTHER stands for share
 * their routes. Paths are matched as sent. Returns 0, -E2BIG naming the
 * service whose routes no longer fit, -ENOMEM.
 */
int routes_compile(const struct policy_set *set, const struct rows *rows, uint32_t generation,
		   struct fsh_route_table *ret, struct err *e);

/* The row of a request as the packet programs find it; FSH_ROW_NONE is "other". */
uint32_t routes_walk(const struct fsh_route_table *table, uint32_t service, enum fsh_method method,
		     const char *path);

/* enum fsh_method of "GET"; FSH_METHOD_OTHER for what it does not list. */
enum fsh_method routes_method(const char *name);

#endif
