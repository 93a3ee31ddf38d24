/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route.h - one step of the walk over a route table, the same in the kernel and in user space. */
#ifndef FORESHAPE_ROUTE_H
#define FORESHAPE_ROUTE_H

#include "bpf/abi.h"

/*
 * A request's row: state = fsh_route_start(), then for each byte of the path as it was sent its
 * class; at FSH_CLASS_END the path is over (it is '?', '#', ' ' or ends the line), else state =
 * fsh_route_next(); fsh_route_row() at the end. Every index is cut to its array, so that a table of
 * any content is safe to walk; state 0 leads only to itself.
 */
static inline __attribute__((always_inline)) __u32 fsh_route_start(const struct fsh_route_table *t,
								   __u32 service, __u32 method)
{
	return t->start[service & (FSH_MAX_SERVICES - 1)][method & 15];
}

static inline __attribute__((always_inline)) __u32 fsh_route_next(const struct fsh_route_table *t,
								  __u32 shift, __u32 state,
								  __u32 class)
{
	__u32 at = (state << (shift & 7)) | class;

	/* Masked last, or the compiler masks before the "or", whose bounds Linux 6.1 does not see.
	 */
	asm volatile("" : "+r"(at));
	return t->next[at & (FSH_MAX_NEXT - 1)];
}

static inline __attribute__((always_inline)) __u32 fsh_route_row(const struct fsh_route_table *t,
								 __u32 state)
{
	return t->row_of[state & (FSH_MAX_STATES - 1)];
}

#endif
