/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain_db.h - a past decision out of the history. */
#ifndef FORESHAPE_EXPLAIN_DB_H
#define FORESHAPE_EXPLAIN_DB_H

#include <jansson.h>
#include <stdint.h>

#include "agent/base/err.h"

/*
 * The decision of @id, or of the write of @id, in the history at @path: {"schema":1, "id",
 * "at_real_ns", "service", "knob", "before", "value", "reason", "mode", "policy", "inputs":{},
 * "refused":[], "writes":[{"id","at_real_ns","before","after","asked","errno","reason"}]}; null
 * limits are unlimited. A write without a decision (guard, restore) has its own values and inputs
 * null. Returns 0 and *ret (json_decref), -ENOENT: no such id, or what store_read_open gives.
 */
int store_explain(const char *path, int64_t id, json_t **ret, struct err *e);

#endif
