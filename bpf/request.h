/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.h - the scanner of requests: request line, route, arrival. */
#ifndef FORESHAPE_REQUEST_H
#define FORESHAPE_REQUEST_H

#include "bpf/message.h"
#include "bpf/route.h"

#define METHOD_CHARS 24 /* longest method */
#define WALK         16 /* path bytes a step */

/* The last 8 characters of a method, first one highest. */
static __always_inline __u32 method_of(__u64 word)
{
	switch (word) {
	case 0x474554: /* GET */
		return FSH_METHOD_GET;
	case 0x48454144: /* HEAD */
		return FSH_METHOD_HEAD;
	case 0x504f5354: /* POST */
		return FSH_METHOD_POST;
	case 0x505554: /* PUT */
		return FSH_METHOD_PUT;
	case 0x44454c455445: /* DELETE */
		return FSH_METHOD_DELETE;
	case 0x434f4e4e454354: /* CONNECT */
		return FSH_METHOD_CONNECT;
	case 0x4f5054494f4e53: /* OPTIONS */
		return FSH_METHOD_OPTIONS;
	case 0x5452414345: /* TRACE */
		return FSH_METHOD_TRACE;
	case 0x5041544348: /* PATCH */
		return FSH_METHOD_PATCH;
	}
	return FSH_METHOD_OTHER;
}

#define METHOD_PRI 0x505249 /* of the HTTP/2 preface */

static __always_inline __u32 other_row(__u32 service)
{
	struct fsh_service_conf *s = bpf_map_lookup_elem(&services, &service);

	return s ? s->other_row : FSH_ROW_NONE;
}

/* A request is known: queues it for its response and counts it. */
/* Egress counts popped on another CPU: looked at once in PIPELINE requests, not for each. */
static __always_inline bool pipeline_full(struct conn *c)
{
	if (c->pushed - c->popped_seen < PIPELINE)
		return false;
	c->popped_seen = c->popped;
	return c->pushed - c->popped_seen >= PIPELINE;
}

/* Remembers of a request that is not queued only what its response's end depends on. */
static __always_inline void skip(struct conn *c, __u32 method)
{
	__u64 *heads = &c->heads[c->skips / 64 & (SKIPPED / 64 - 1)], bit = 1ULL << (c->skips & 63);

	if (c->skipped < SKIPPED)
		*heads = method == FSH_METHOD_HEAD ? *heads | bit : *heads & ~bit;
	c->skips++;
	ADD(c->skipped, 1);
	count_unseen(c->service, FSH_UNSEEN_PIPELINE_FULL, 1);
}

static __always_inline void request_arrived(struct conn *c, __u32 row, __u32 method, __u64 at_ns)
{
	struct fsh_row *r;

	c->fresh = 0;
	c->method = method;
	c->row = FSH_ROW_NONE;
	if (c->skipped || pipeline_full(c)) {
		skip(c, method);
		return;
	}
	if (c->internal) {
		count_unseen(c->service, FSH_UNSEEN_INTERNAL, 1);
	} else {
		c->row = row;
		r = row_of(row);
		if (r)
			ADD(r->requests, 1);
	}
	c->queue[c->pushed & (PIPELINE - 1)] =
		(struct pending){.at_ns = at_ns, .row = c->row, .method = method};
	c->pushed++;
	c->newest = c->queue[(c->pushed - 1) & (PIPELINE - 1)];
}

/* Gives the bytes read since the last call to the request under way, once that is known. */
static __always_inline void request_credit(struct conn *c)
{
	struct flow *f = &c->in;
	__u64 n = f->uncounted + flow_consumed(f);
	struct fsh_row *r;

	if (f->phase >= PHASE_METHOD && f->phase <= PHASE_VERSION && f->head_bytes <= HEAD_MAX) {
		f->uncounted = n;
		return;
	}
	f->uncounted = 0;
	if (f->phase != PHASE_START && f->phase <= PHASE_HEAD_END && f->head_bytes > HEAD_MAX) {
		count_unseen(c->service, FSH_UNSEEN_HEAD_TOO_LONG, 1);
		f->phase = PHASE_LOST;
	}
	if (!n)
		return;
	if (c->role == ROLE_HTTP && f->phase == PHASE_TUNNEL)
		count_unseen(c->service, FSH_UNSEEN_UPGRADED, n);
	r = f->phase == PHASE_LOST || f->phase == PHASE_TUNNEL ? 0 : row_of(c->row);
	if (r)
		ADD(r->bytes_in, n);
	else
		count_unseen(c->service, FSH_UNSEEN_BYTES, n);
}

/* What arrived is no request: why depends on what the connection was known to be. */
static __always_inline void request_broken(struct conn *c)
{
	struct flow *f = &c->in;
	__u32 reason = FSH_UNSEEN_BAD_REQUEST;

	if (c->fresh) {
		reason = FSH_UNSEEN_UNKNOWN_PROTOCOL;
		if (f->phase == PHASE_METHOD && f->window[within(f->pos - f->base, WINDOW)] == 0x16)
			reason = FSH_UNSEEN_TLS;
		else if (f->phase == PHASE_VERSION && f->word == METHOD_PRI)
			reason = FSH_UNSEEN_HTTP2;
		c->role = ROLE_MUTE;
	}
	if (!f->lost)
		count_unseen(c->service, reason, 1);
	f->phase = PHASE_LOST;
	f->pos = f->end;
}

static __always_inline void target_begin(struct scan *s, __u8 b)
{
	struct conn *c = s->c;
	struct flow *f = s->f;

	f->matched = 0;
	c->method = method_of(f->word);
	c->state = fsh_route_start(s->routes, c->service, c->method);
	c->generation = s->routes->generation;
	if (b == '/') {
		f->phase = PHASE_PATH;
		return;
	}
	if (c->method != FSH_METHOD_CONNECT && b != '*') {
		f->phase = PHASE_SCHEME;
		return;
	}
	c->state = 0;
	f->phase = PHASE_QUERY;
}

/* "http://host/path": behind the second slash is the host, from the third on the path. */
static __always_inline void scheme_step(struct flow *f, __u8 b)
{
	f->pos++;
	if (b == '/' && ++f->matched == 2)
		f->phase = PHASE_AUTHORITY;
}

static __always_inline void path_step(struct scan *s)
{
	struct flow *f = s->f;
	__u32 at = f->pos - f->base, state = s->c->state, shift = s->routes->shift, class;

#pragma clang loop unroll(disable)
	for (int i = 0; i < WALK; i++) {
		__u8 b = f->window[within(at, WINDOW)];

		if (at >= f->loaded)
			break;
		class = s->routes->class_of[b];
		if (class == FSH_CLASS_END) {
			f->phase = PHASE_QUERY;
			break;
		}
		state = fsh_route_next(s->routes, shift, state, class);
		at++;
	}
	f->pos = f->base + at;
	s->c->state = state;
}

static __always_inline void query_step(struct flow *f)
{
	__u32 at = f->pos - f->base;

	f->matched = 0;
#pragma clang loop unroll(disable)
	for (int i = 0; i < WALK; i++) {
		__u8 b = f->window[within(at, WINDOW)];

		if (at >= f->loaded)
			break;
		if (b == ' ' || b == '\n') {
			f->phase = PHASE_VERSION;
			break;
		}
		at++;
	}
	f->pos = f->base + at;
}

static __always_inline enum outcome version_step(struct scan *s, __u8 b)
{
	struct conn *c = s->c;
	struct flow *f = s->f;
	__u32 row = FSH_ROW_NONE;

	if (b == ' ' && f->matched == 1) { /* servers take several, here and before the target */
		f->pos++;
		return WENT_ON;
	}
	if (b != word_at(WORD_VERSION, f->matched))
		return BROKEN;
	f->pos++;
	if (++f->matched < 8)
		return WENT_ON;
	if (c->generation == s->routes->generation)
		row = fsh_route_row(s->routes, c->state);
	if (row == FSH_ROW_NONE)
		row = other_row(c->service);
	if (f->lost)
		count_unseen(c->service, FSH_UNSEEN_RESYNC, 1);
	f->lost = 0;
	f->phase = PHASE_SKIP_LINE;
	request_arrived(c, row, c->method, f->at_ns);
	return WENT_ON;
}

static __always_inline enum outcome method_step(struct flow *f, __u8 b)
{
	if (b == ' ' && f->matched) {
		f->phase = PHASE_TARGET;
		f->pos++;
		return WENT_ON;
	}
	if (!((b >= 'A' && b <= 'Z') || b == '-' || b == '_') || f->matched >= METHOD_CHARS)
		return BROKEN;
	f->word = f->word << 8 | b;
	f->matched++;
	f->pos++;
	return WENT_ON;
}

static __always_inline enum outcome start_step(struct flow *f, __u8 b)
{
	if (b == '\r' || b == '\n') {
		f->pos++;
		return WENT_ON;
	}
	message_begin(f);
	f->phase = PHASE_METHOD;
	return WENT_ON;
}

static __always_inline enum outcome request_line_step(struct scan *s, __u8 b)
{
	struct flow *f = s->f;

	switch (f->phase) {
	case PHASE_START:
		return start_step(f, b);
	case PHASE_METHOD:
		return method_step(f, b);
	case PHASE_TARGET:
		if (b == ' ')
			f->pos++;
		else
			target_begin(s, b);
		return WENT_ON;
	case PHASE_SCHEME:
		if (b == ' ' || b == '\n')
			return BROKEN;
		scheme_step(f, b);
		return WENT_ON;
	case PHASE_AUTHORITY:
		if (b == '/') {
			f->phase = PHASE_PATH;
			return WENT_ON;
		}
		if (s->routes->class_of[b] == FSH_CLASS_END) {
			s->c->state = 0;
			f->phase = PHASE_QUERY;
			return WENT_ON;
		}
		f->pos++;
		return WENT_ON;
	case PHASE_PATH:
		path_step(s);
		return WENT_ON;
	case PHASE_QUERY:
		query_step(f);
		return WENT_ON;
	case PHASE_VERSION:
		return version_step(s, b);
	}
	return message_step(f, b);
}

static __always_inline void request_ended(struct conn *c)
{
	request_credit(c);
	c->in.phase = PHASE_START;
}

static __always_inline void request_head_ended(struct conn *c)
{
	struct flow *f = &c->in;

	f->head_bytes = 0;
	if (f->chunked)
		chunk_size_begin(f);
	else if (f->left)
		f->phase = PHASE_BODY;
	else
		request_ended(c);
}

/* One step of the scanner over a packet; returns 1 at its end. */
static long request_step(__u32 i, struct scan *s)
{
	struct flow *f = s->f;
	enum outcome o;

	if (f->pos >= f->end)
		return 1;
	if (!body_step(f, &o)) {
		if (!window_fill(s))
			return 1;
		o = request_line_step(s, f->window[within(f->pos - f->base, WINDOW)]);
	}
	if (o == HEAD_ENDED)
		request_head_ended(s->c);
	else if (o == MESSAGE_ENDED)
		request_ended(s->c);
	else if (o == BROKEN)
		request_broken(s->c);
	return 0;
}

#endif
