// SPDX-License-Identifier: GPL-2.0-or-later
/* replay_align.c - recordings of several services of one history as steps of the same times. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "agent/base/cleanup.h"
#include "agent/replay_db.h"

struct ends {
	int64_t *list; /* of steps, ascending, each once */
	size_t n;
};

static int ascending(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The ends of all steps of all. */
static int collect(struct replay_db *const *dbs, size_t n, struct ends *ret)
{
	size_t all = 0, kept = 0;
	int64_t *list;

	for (size_t k = 0; k < n; k++)
		all += dbs[k]->n;
	list = calloc(MAX(all, (size_t)1), sizeof(*list));
	if (!list)
		return -ENOMEM;
	all = 0;
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < dbs[k]->n; i++)
			list[all++] = dbs[k]->rows[i].step.ends_real_ns;
	qsort(list, all, sizeof(*list), ascending);
	for (size_t i = 0; i < all; i++)
		if (i == 0 || list[i] != list[i - 1])
			list[kept++] = list[i];
	*ret = (struct ends){list, kept};
	return 0;
}

/* The first step of the earliest lasts as long as it says. */
static uint64_t first_interval(struct replay_db *const *dbs, size_t n, int64_t end_ns)
{
	for (size_t k = 0; k < n; k++)
		if (dbs[k]->n > 0 && dbs[k]->rows[0].step.ends_real_ns == end_ns)
			return dbs[k]->rows[0].step.interval_ns;
	return dbs[0]->step_ns;
}

static int place(struct replay_db *db, const struct ends *ends, uint64_t first_ns)
{
	struct replay_db_row *rows = calloc(MAX(ends->n, (size_t)1), sizeof(*rows));
	size_t at = 0;

	if (!rows)
		return -ENOMEM;
	db->n_missing = 0;
	for (size_t i = 0; i < ends->n; i++) {
		int64_t end_ns = ends->list[i];
		uint64_t lasts_ns = i > 0 ? (uint64_t)(end_ns - ends->list[i - 1]) : first_ns;

		rows[i].step = replay_step_blank(end_ns, lasts_ns);
		if (at < db->n && db->rows[at].step.ends_real_ns == end_ns)
			rows[i] = db->rows[at++];
		rows[i].step.interval_ns = lasts_ns;
		db->n_missing += !isfinite(rows[i].step.used_mcpu);
	}
	free(db->rows);
	db->rows = rows;
	db->n = db->room = ends->n;
	return 0;
}

int replay_db_align(struct replay_db *const *dbs, size_t n)
{
	struct ends ends = {};
	uint64_t first_ns;
	int r = collect(dbs, n, &ends);

	if (r < 0)
		return r;
	first_ns = ends.n > 0 ? first_interval(dbs, n, ends.list[0]) : 0;
	for (size_t k = 0; r == 0 && k < n; k++)
		r = place(dbs[k], &ends, first_ns);
	free(ends.list);
	return r;
}
