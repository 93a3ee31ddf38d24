/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rows.h - who has which row of counters: kept over reloads, so that an API's totals go on. */
#ifndef FORESHAPE_ROWS_H
#define FORESHAPE_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "bpf/abi.h"
#include "policies/policy.h"

struct rows;

/* Returns 0 and *ret (rows_free), or -ENOMEM. */
int rows_new(struct rows **ret);

/*
 * As rows_new, in the file @fd (borrowed), which may be memory: who opens it next has the same
 * rows, so that totals outlive the process. Empty at first. Returns 0 or a negative errno.
 */
int rows_open(int fd, struct rows **ret, struct err *e);
void rows_free(struct rows *rows);
void rows_freep(struct rows **rows);

/*
 * @row and @service are called for what is given to another: its counters must start from 0 again;
 * @settle_row and @settle_service for what comes back to a service that was gone from the policies,
 * so that nobody counted for it. Those two may be NULL.
 */
struct rows_clear {
	void (*row)(void *arg, uint32_t row);
	void (*service)(void *arg, uint32_t service);
	void *arg;
	void (*settle_row)(void *arg, uint32_t row);
	void (*settle_service)(void *arg, uint32_t service);
};

/*
 * Gives a number to every service of @set and rows to its APIs. What is gone from the policies
 * keeps its number and rows until they are needed; then the longest gone is taken over and @clear
 * called (NULL: nobody). Returns 0, or -E2BIG naming what is too many: nothing is changed then.
 */
int rows_assign(struct rows *rows, const struct policy_set *set, const struct rows_clear *clear,
		struct err *e);

/* The number of service @name in the maps, or -ENOENT. */
int rows_service(const struct rows *rows, const char *name);

/* How often rows were assigned: differs from one route table to the next, over processes too. */
uint32_t rows_round(const struct rows *rows);

/* The row of @service's API @api, or of "other" with @api == n_apis; FSH_ROW_NONE when it has none.
 */
uint32_t rows_of(const struct rows *rows, const struct policy_service *service, size_t api);

#endif
