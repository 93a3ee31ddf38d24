/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_queue.h - records on their way to the history: bytes, so that the loop copies and goes on.
 * One struct records is one side of a double buffer; the caller locks.
 */
#ifndef FORESHAPE_STORE_QUEUE_H
#define FORESHAPE_STORE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_kind {
	RECORD_SERVICE_SAMPLE,
	RECORD_ROUTE_SAMPLE,
	RECORD_FORECAST,
	RECORD_FORECAST_MODEL,
	RECORD_DEMAND,
	RECORD_SLO,
	RECORD_STATE,
	RECORD_TAPE,
	RECORD_DECISION,
	RECORD_WRITE,
	RECORD_EVENT,
	RECORD_BASELINE,
	RECORD_KNOWN_ADD,
	RECORD_KNOWN_REMOVE,
	RECORD_KINDS
};

struct records {
	uint8_t *bytes;
	size_t used, size;
	size_t max;   /* bytes it may grow to */
	size_t start; /* of the record being built */
	uint32_t n;   /* whole records */
	bool no_room; /* the record being built did not fit */
};

void records_free(struct records *q);
/* Forgets all records; gives memory beyond 256 KiB back. */
void records_clear(struct records *q);

/* A record: begin, its values in the order of the statement's parameters, end. */
void record_begin(struct records *q, enum record_kind kind);
void record_int(struct records *q, int64_t v);
void record_count(struct records *q, uint64_t v);   /* beyond INT64_MAX: INT64_MAX */
void record_limit(struct records *q, uint64_t v);   /* UNLIMITED: NULL; else as record_count */
void record_real(struct records *q, double v);      /* not finite: NULL */
void record_text(struct records *q, const char *v); /* NULL: NULL */
void record_blob(struct records *q, const void *v, size_t size);
/* Returns false, and leaves @q as before record_begin, when the record did not fit. */
bool record_end(struct records *q);

enum value_type { VALUE_NULL, VALUE_INT, VALUE_REAL, VALUE_TEXT, VALUE_BLOB };

struct value {
	enum value_type type;
	int64_t i;
	double real;
	const void *bytes; /* into the queue; texts are not terminated */
	size_t size;
};

/* Walks @q from *@at (0 at first). Returns false at the end. */
bool records_next(const struct records *q, size_t *at, enum record_kind *kind);
/* The next value of the record records_next stands in. Returns false at its end. */
bool records_value(const struct records *q, size_t *at, struct value *ret);

#endif
