// SPDX-License-Identifier: GPL-2.0-or-later
/* rows.c - hands out rows of counters and service numbers, and remembers them over reloads. */
#include "agent/rows.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/base/cleanup.h"

struct row {
	char method[16], route[POLICY_ROUTE_MAX]; /* both "" for "other" */
	uint32_t service;
	uint64_t used; /* round of rows_assign it was last in the policies; 0: never given */
};

struct number {
	char name[POLICY_NAME_MAX];
	uint64_t used;
};

struct rows {
	uint64_t bytes; /* of this struct, where it was made: another's is of no use */
	uint64_t round;
	struct number services[FSH_MAX_SERVICES];
	struct row rows[FSH_MAX_ROWS];
};

static int map_rows(int fd, int flags, struct rows **ret)
{
	struct rows *rows = mmap(NULL, sizeof(*rows), PROT_READ | PROT_WRITE, flags, fd, 0);

	if (rows == MAP_FAILED)
		return -errno;
	if (rows->bytes != sizeof(*rows))
		memset(rows, 0, sizeof(*rows));
	rows->bytes = sizeof(*rows);
	*ret = rows;
	return 0;
}

int rows_new(struct rows **ret)
{
	return map_rows(-1, MAP_PRIVATE | MAP_ANONYMOUS, ret);
}

int rows_open(int fd, struct rows **ret, struct err *e)
{
	int r = ftruncate(fd, sizeof(struct rows)) < 0 ? -errno : map_rows(fd, MAP_SHARED, ret);

	return r < 0 ? err_set(e, r, "map whose counters are whose") : 0;
}

void rows_free(struct rows *rows)
{
	if (rows)
		(void)munmap(rows, sizeof(*rows));
}

uint32_t rows_round(const struct rows *rows)
{
	return (uint32_t)rows->round;
}

void rows_freep(struct rows **rows)
{
	rows_free(*rows);
}

int rows_service(const struct rows *rows, const char *name)
{
	for (int i = 0; i < FSH_MAX_SERVICES; i++)
		if (rows->services[i].used && streq(rows->services[i].name, name))
			return i;
	return -ENOENT;
}

static const char *method_of(const struct policy_service *service, size_t api)
{
	return api < service->n_apis ? service->apis[api].method : "";
}

static const char *route_of(const struct policy_service *service, size_t api)
{
	return api < service->n_apis ? service->apis[api].route : "";
}

static struct row *find_row(const struct rows *rows, uint32_t service, const char *method,
			    const char *route)
{
	for (size_t i = 0; i < FSH_MAX_ROWS; i++) {
		const struct row *row = &rows->rows[i];

		if (row->used && row->service == service && streq(row->route, route) &&
		    streq(row->method, method))
			return (struct row *)row;
	}
	return NULL;
}

uint32_t rows_of(const struct rows *rows, const struct policy_service *service, size_t api)
{
	int number = rows_service(rows, service->name);
	const struct row *row;

	if (number < 0)
		return FSH_ROW_NONE;
	row = find_row(rows, (uint32_t)number, method_of(service, api), route_of(service, api));
	return row ? (uint32_t)(row - rows->rows) : FSH_ROW_NONE;
}

/* The longest unused one; NULL when all are in use in this round. */
static struct row *spare_row(struct rows *rows)
{
	struct row *best = &rows->rows[0];

	for (size_t i = 1; i < FSH_MAX_ROWS; i++)
		if (rows->rows[i].used < best->used)
			best = &rows->rows[i];
	return best->used < rows->round ? best : NULL;
}

static struct number *spare_number(struct rows *rows)
{
	struct number *best = &rows->services[0];

	for (size_t i = 1; i < FSH_MAX_SERVICES; i++)
		if (rows->services[i].used < best->used)
			best = &rows->services[i];
	return best->used < rows->round ? best : NULL;
}

static void settle(struct rows *rows, uint32_t number, const struct rows_clear *clear)
{
	for (uint32_t i = 0; i < FSH_MAX_ROWS; i++)
		if (rows->rows[i].used && rows->rows[i].service == number)
			clear->settle_row(clear->arg, i);
	clear->settle_service(clear->arg, number);
}

static void keep_used(struct rows *rows, const struct policy_service *service,
		      const struct rows_clear *clear)
{
	int number = rows_service(rows, service->name);

	if (number < 0)
		return;
	if (rows->services[number].used + 1 < rows->round && clear && clear->settle_row)
		settle(rows, (uint32_t)number, clear);
	rows->services[number].used = rows->round;
	for (size_t api = 0; api <= service->n_apis; api++) {
		struct row *row = find_row(rows, (uint32_t)number, method_of(service, api),
					   route_of(service, api));

		if (row)
			row->used = rows->round;
	}
}

static uint32_t give_number(struct rows *rows, const char *name, const struct rows_clear *clear)
{
	int known = rows_service(rows, name);
	struct number *n;
	uint32_t number;

	if (known >= 0)
		return (uint32_t)known;
	n = spare_number(rows);
	assert(n);
	number = (uint32_t)(n - rows->services);
	for (size_t i = 0; i < FSH_MAX_ROWS; i++)
		if (rows->rows[i].service == number)
			rows->rows[i].used = 0;
	n->used = 0; /* whatever ends us in between leaves it nobody's */
	if (clear)
		clear->service(clear->arg, number);
	copy_str(n->name, sizeof(n->name), name);
	n->used = rows->round;
	return number;
}

static void give_rows(struct rows *rows, const struct policy_service *service, uint32_t number,
		      const struct rows_clear *clear)
{
	for (size_t api = 0; api <= service->n_apis; api++) {
		const char *method = method_of(service, api), *route = route_of(service, api);
		struct row *row;

		if (find_row(rows, number, method, route))
			continue;
		row = spare_row(rows);
		assert(row); /* rows_assign counted them */
		row->used = 0;
		if (clear)
			clear->row(clear->arg, (uint32_t)(row - rows->rows));
		copy_str(row->method, sizeof(row->method), method);
		copy_str(row->route, sizeof(row->route), route);
		row->service = number;
		row->used = rows->round;
	}
}

int rows_assign(struct rows *rows, const struct policy_set *set, const struct rows_clear *clear,
		struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_services; i++)
		n += set->services[i].n_apis + 1;
	if (set->n_services > FSH_MAX_SERVICES)
		return err_say(e, -E2BIG, "%zu services are more than the %d counted for",
			       set->n_services, FSH_MAX_SERVICES);
	if (n > FSH_MAX_ROWS)
		return err_say(e, -E2BIG,
			       "%zu APIs in all are more than the %d counted for: "
			       "join routes with {name} or *",
			       n, FSH_MAX_ROWS);
	rows->round++;
	for (size_t i = 0; i < set->n_services; i++)
		keep_used(rows, &set->services[i], clear);
	for (size_t i = 0; i < set->n_services; i++) {
		const struct policy_service *service = &set->services[i];
		uint32_t number = give_number(rows, service->name, clear);

		give_rows(rows, service, number, clear);
	}
	return 0;
}
