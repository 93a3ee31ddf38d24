/* SPDX-License-Identifier: GPL-2.0-or-later */
/* csv.h - one column of a CSV file as values at even steps. */
#ifndef FORESHAPE_CSV_H
#define FORESHAPE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

#define CSV_MAX_LINE   65536 /* bytes */
#define CSV_MAX_ROWS   50000000
#define CSV_MAX_COLUMN 128 /* bytes of a column's name */

/* How the file writes its times; written out the same way. */
enum csv_time {
	CSV_EPOCH, /* seconds */
	CSV_ISO,   /* 2027-03-20T08:00:00Z */
	CSV_DATE,  /* 2027-03-20 */
};

struct csv_series {
	double *values; /* [n]; NAN: blank, negative, or no row for this step */
	size_t n;
	size_t n_rows, n_missing; /* rows read; values that are NAN */
	size_t n_negative;        /* rows below 0, which count as blank */
	int64_t start_real_ns;    /* of values[0]; 0 where the file has no times */
	uint64_t step_ns;
	enum csv_time time;
	char column[CSV_MAX_COLUMN];
};

/*
 * Reads @column (NULL: the second, or the only one) of file @path ("-": standard input). The first
 * of several columns is the time, epoch seconds or ISO-8601 (UTC where no zone is given), and must
 * grow. The first line is a header where it does not read as a row. @step_ns 0: the median
 * difference of the times; a larger one than that averages the rows within a step. One column needs
 * a step. Returns 0 and *ret (csv_free), or a negative errno with the line in @e: -EINVAL for what
 * cannot be read, -E2BIG beyond the bounds or where the last step ends beyond the year 2262.
 */
int csv_read(const char *path, const char *column, uint64_t step_ns, struct csv_series *ret,
	     struct err *e);
void csv_free(struct csv_series *s);

/*
 * Makes it @n steps from @start_real_ns on, what is not of them blank; its rows go to the nearest
 * steps. Returns 0, or -ENOMEM with @s as it was.
 */
int csv_move(struct csv_series *s, int64_t start_real_ns, size_t n);

/* Writes the time of values[@index] (may lie beyond the end) into @buf and returns @buf. */
char *csv_format_time(char *buf, size_t size, const struct csv_series *s, size_t index);

#endif
