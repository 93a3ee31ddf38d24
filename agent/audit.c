// SPDX-License-Identifier: GPL-2.0-or-later
/* audit.c - tapes told again, each decision against its row. */
#include "agent/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/decision_text.h"
#include "agent/store_schema.h"
#include "agent/tape_play.h"

/* clang-format off */
static const char tapes_sql[] = "SELECT begun_real_ns FROM planner_tape WHERE part = 0 AND"
	" begun_real_ns BETWEEN ?1 AND ?2 ORDER BY begun_real_ns";
static const char parts_sql[] = "SELECT part, told FROM planner_tape WHERE begun_real_ns = ?1"
	" ORDER BY part";
static const char decision_sql[] = "SELECT service, knob, before, value, reason, refused, inputs,"
	" at_real_ns FROM decision WHERE id = ?1";
/* clang-format on */

struct audit {
	sqlite3 *sql;
	sqlite3_stmt *decision;
	struct policy_set *set;
	struct audit_result *res;
	int64_t begun_real_ns;
	int64_t *last_id; /* [n_services * KNOB_COUNT], 0: none yet */
};

static void finalizep(sqlite3_stmt **q)
{
	sqlite3_finalize(*q);
}

static uint64_t limit(sqlite3_stmt *q, int i)
{
	return sqlite3_column_type(q, i) == SQLITE_NULL ? UNLIMITED
							: (uint64_t)sqlite3_column_int64(q, i);
}

static bool is_text(sqlite3_stmt *q, int i, const char *text)
{
	const char *had = (const char *)sqlite3_column_text(q, i);

	return had && streq(had, text);
}

static void say(char *buf, uint64_t value, const char *reason)
{
	reason = reason ? reason : "?";
	if (value == UNLIMITED)
		(void)snprintf(buf, AUDIT_TEXT, "unlimited, %s", reason);
	else
		(void)snprintf(buf, AUDIT_TEXT, "%" PRIu64 ", %s", value, reason);
}

static struct audit_difference *differ(struct audit *a, int64_t id, uint32_t service, uint16_t knob)
{
	struct audit_difference *d;

	a->res->different++;
	if (a->res->n_shown == AUDIT_MAX_SHOWN)
		return NULL;
	d = &a->res->shown[a->res->n_shown++];
	*d = (struct audit_difference){.id = id, .knob = knob, .then = "nothing", .now = "nothing"};
	(void)copy_str(d->service, sizeof(d->service), a->set->services[service].name);
	return d;
}

static bool same_rest(sqlite3_stmt *q, const struct plan_entry *e)
{
	_cleanup_(freep) char *refused = decision_refused(e->refused);
	_cleanup_(freep) char *inputs = decision_inputs(e);

	return refused && inputs && is_text(q, 5, refused) && is_text(q, 6, inputs);
}

/* The row of a decision against what is decided now; of a repeat the reason is kept alone. */
static void compare(struct audit *a, int64_t id, const struct plan_entry *e, bool repeats)
{
	sqlite3_stmt *q = a->decision;
	const char *reason = reason_rows[e->reason].name;
	bool same = is_text(q, 0, a->set->services[e->service].name) &&
		    is_text(q, 1, knob_rows[e->knob].name) && is_text(q, 4, reason);
	struct audit_difference *d;

	if (!repeats)
		same = same && limit(q, 2) == e->before && limit(q, 3) == e->value &&
		       same_rest(q, e);
	a->res->same += same;
	d = same ? NULL : differ(a, id, e->service, e->knob);
	if (!d)
		return;
	say(d->then, limit(q, 3), (const char *)sqlite3_column_text(q, 4));
	say(d->now, e->value, reason);
	if (streq(d->then, d->now))
		(void)copy_str(d->now, sizeof(d->now), "the same, from other inputs");
}

static void decided(void *arg, int64_t id, uint32_t service, uint16_t knob,
		    const struct plan_entry *e)
{
	struct audit *a = arg;
	size_t at = (size_t)service * KNOB_COUNT + knob;
	struct audit_difference *d;
	bool repeats;

	if (service >= a->set->n_services || knob >= KNOB_COUNT)
		return;
	a->res->decisions++;
	sqlite3_reset(a->decision);
	(void)sqlite3_bind_int64(a->decision, 1, id);
	if (id > 0 && e && sqlite3_step(a->decision) == SQLITE_ROW) {
		repeats = id == a->last_id[at] ||
			  sqlite3_column_int64(a->decision, 7) < a->begun_real_ns;
		a->last_id[at] = id;
		compare(a, id, e, repeats);
		return;
	}
	d = differ(a, id, service, knob);
	if (d && id > 0)
		(void)copy_str(d->then, sizeof(d->then), e ? "gone from the history" : "a change");
	if (d && e)
		say(d->now, e->value, reason_rows[e->reason].name);
}

/* The rows of a tape, by part. */
struct parts {
	sqlite3_stmt *q;
	int64_t next; /* that comes if none is missing */
};

/* Steps to the next part. 1: it is there; 0: none is left, or one is missing, as why says; -EIO. */
static int next_part(struct audit *a, struct parts *p)
{
	int r = sqlite3_step(p->q);

	if (r != SQLITE_ROW)
		return r == SQLITE_DONE ? 0 : -EIO;
	if (sqlite3_column_int64(p->q, 0) == p->next++)
		return 1;
	(void)snprintf(a->res->why, sizeof(a->res->why), "part %lld of a recording is missing",
		       (long long)p->next - 1);
	return 0;
}

/* Tells the parts after the state, as far as none is missing. */
static int tell(struct audit *a, struct tape_player *p, struct parts *parts)
{
	struct audit_result *res = a->res;
	struct err e = {};
	int r;

	while ((r = next_part(a, parts)) > 0) {
		if (tape_play(p, sqlite3_column_blob(parts->q, 1),
			      (size_t)sqlite3_column_bytes(parts->q, 1), &e) < 0) {
			(void)copy_str(res->why, sizeof(res->why), e.text);
			break;
		}
	}
	tape_play_end(p);
	res->ticks += p->n_ticks;
	res->guards += p->n_guards;
	return MIN(r, 0);
}

/* The parts that are the state, one after the other; less of it where one is missing. */
static int read_state(struct audit *a, struct parts *parts, struct tape_bytes *ret)
{
	uint64_t all;
	int r;

	do {
		r = next_part(a, parts);
		if (r <= 0)
			return r;
		tape_put_raw(ret, sqlite3_column_blob(parts->q, 1),
			     (size_t)sqlite3_column_bytes(parts->q, 1));
		all = tape_state_size(ret->bytes, ret->used);
	} while (!ret->failed && ret->used < all);
	return ret->failed ? -ENOMEM : 0;
}

static int start(struct audit *a, struct parts *parts, struct tape_player *ret)
{
	_cleanup_(tape_bytes_free) struct tape_bytes state = {};
	struct err why = {};
	int r = read_state(a, parts, &state);

	if (r < 0)
		return r;
	r = tape_player_new(a->set, state.bytes, state.used, ret, &why);
	if (r < 0 && !*a->res->why)
		(void)copy_str(a->res->why, sizeof(a->res->why), why.text);
	return r;
}

static int play(struct audit *a, struct err *e)
{
	_cleanup_(finalizep) sqlite3_stmt *q = NULL;
	_cleanup_(tape_player_free) struct tape_player p = {};
	struct parts parts = {};
	int r;

	if (sqlite3_prepare_v2(a->sql, parts_sql, -1, &q, NULL))
		return store_sql_err(a->sql, e, "read history");
	(void)sqlite3_bind_int64(q, 1, a->begun_real_ns);
	parts.q = q;
	r = start(a, &parts, &p);
	if (r == -EIO)
		return store_sql_err(a->sql, e, "read history");
	if (r < 0) {
		a->res->skipped++;
		return r == -ENOMEM ? err_set(e, r, "replay") : 0;
	}
	p.decided = decided;
	p.arg = a;
	memset(a->last_id, 0, a->set->n_services * KNOB_COUNT * sizeof(*a->last_id));
	a->res->tapes++;
	return tell(a, &p, &parts) < 0 ? store_sql_err(a->sql, e, "read history") : 0;
}

static int64_t count_tapes(sqlite3 *sql, int64_t from_real_ns, int64_t to_real_ns)
{
	_cleanup_(finalizep) sqlite3_stmt *q = NULL;
	int64_t n = 0;

	if (sqlite3_prepare_v2(sql, tapes_sql, -1, &q, NULL))
		return -1;
	(void)sqlite3_bind_int64(q, 1, from_real_ns);
	(void)sqlite3_bind_int64(q, 2, to_real_ns);
	while (sqlite3_step(q) == SQLITE_ROW)
		n++;
	return n;
}

static int play_all(struct audit *a, int64_t from_real_ns, int64_t to_real_ns, progress_t *progress,
		    struct err *e)
{
	_cleanup_(finalizep) sqlite3_stmt *tapes = NULL;
	int64_t n = count_tapes(a->sql, from_real_ns, to_real_ns);
	int r = 0;

	if (sqlite3_prepare_v2(a->sql, tapes_sql, -1, &tapes, NULL) ||
	    sqlite3_prepare_v2(a->sql, decision_sql, -1, &a->decision, NULL))
		return store_sql_err(a->sql, e, "read history");
	(void)sqlite3_bind_int64(tapes, 1, from_real_ns);
	(void)sqlite3_bind_int64(tapes, 2, to_real_ns);
	for (int64_t i = 0; r == 0 && sqlite3_step(tapes) == SQLITE_ROW; i++) {
		if (progress)
			progress((size_t)i, (size_t)n);
		a->begun_real_ns = sqlite3_column_int64(tapes, 0);
		r = play(a, e);
	}
	if (progress)
		progress((size_t)n, (size_t)n);
	if (r == 0 && n == 0)
		return err_say(e, -ENOENT, "the history has no recording of the planner there");
	return r;
}

int audit_run(sqlite3 *db, struct policy_set *set, int64_t from_real_ns, int64_t to_real_ns,
	      progress_t *progress, struct audit_result *ret, struct err *e)
{
	struct audit a = {.sql = db, .set = set, .res = ret};
	int r;

	*ret = (struct audit_result){};
	a.last_id = calloc(set->n_services * KNOB_COUNT + 1, sizeof(*a.last_id));
	if (!a.last_id)
		return err_set(e, -ENOMEM, "replay");
	r = play_all(&a, from_real_ns, to_real_ns, progress, e);
	sqlite3_finalize(a.decision);
	free(a.last_id);
	return r;
}
