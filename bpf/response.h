/* SPDX-License-Identifier: GPL-2.0-or-later */
/* response.h - the scanner of responses: status, first and last byte, end of the connection. */
#ifndef FORESHAPE_RESPONSE_H
#define FORESHAPE_RESPONSE_H

#include "bpf/message.h"

#define STATUS_AT    9 /* of "HTTP/1.1 200" */
#define STATUS_CHARS 12

static __always_inline struct pending *answered(struct conn *c)
{
	return &c->queue[c->popped & (PIPELINE - 1)];
}

static __always_inline __u64 since(__u64 now_ns, __u64 at_ns)
{
	return now_ns > at_ns ? now_ns - at_ns : 0;
}

static __always_inline void add_ttfb(struct fsh_row *r, __u64 ns)
{
	__u32 slot = fsh_hist_slot(ns);

	ADD(r->ttfb_sum_ns, ns);
	if (slot < FSH_HIST_SLOTS)
		ADD(r->ttfb_hist[slot], 1);
}

static __always_inline void add_total(struct fsh_row *r, __u64 ns)
{
	__u32 slot = fsh_hist_slot(ns);

	ADD(r->done, 1);
	ADD(r->total_sum_ns, ns);
	if (slot < FSH_HIST_SLOTS)
		ADD(r->total_hist[slot], 1);
}

/* Index in responses of a final status: 2xx is 1; 101 is 0. */
static __always_inline __u32 class_of_status(__u32 status)
{
	__u32 class = status / 100 - 1;

	return class < 5 ? class : 4;
}

/* Gives the bytes sent since the last call to the response under way. */
static __always_inline void response_credit(struct conn *c)
{
	struct flow *f = &c->out;
	__u64 n = flow_consumed(f);
	struct fsh_row *r = 0;

	if (!n)
		return;
	if (f->phase == PHASE_TUNNEL)
		count_unseen(c->service, FSH_UNSEEN_UPGRADED, n);
	else if (f->phase != PHASE_LOST && c->pushed != c->popped)
		r = row_of(answered(c)->row);
	if (r)
		ADD(r->bytes_out, n);
	else
		count_unseen(c->service, FSH_UNSEEN_BYTES, n);
}

/*
 * Takes the request at @popped from the queue. Returns false when another CPU was faster: ingress
 * does not hold the socket's lock, and ends the requests of a connection nobody follows.
 */
static __always_inline bool pop(struct conn *c, __u32 popped)
{
	if (!c->followed)
		return popped != *(volatile __u32 *)&c->pushed &&
		       __sync_bool_compare_and_swap(&c->popped, popped, popped + 1);
	c->popped = popped + 1;
	return true;
}

/* The response under way has its last byte at @now_ns: its request is done. */
static __always_inline void response_done(struct conn *c, __u64 now_ns)
{
	__u32 popped = c->popped;
	struct pending w = c->queue[popped & (PIPELINE - 1)];
	struct fsh_row *r = row_of(w.row);

	response_credit(c);
	c->out.phase = PHASE_START;
	if (!pop(c, popped))
		c->out.phase = PHASE_LOST;
	else if (r)
		add_total(r, since(now_ns, w.at_ns));
}

/* The connection ends: what still waits is never answered. */
static __always_inline void abort_pending(struct conn *c)
{
	c->out.phase = PHASE_LOST;
#pragma clang loop unroll(disable)
	for (int i = 0; i < PIPELINE; i++) {
		__u32 popped = *(volatile __u32 *)&c->popped;
		struct fsh_row *r = row_of(c->queue[popped & (PIPELINE - 1)].row);

		if (popped == c->pushed)
			break;
		if (pop(c, popped) && r)
			ADD(r->aborted, 1);
	}
	c->skipped = 0;
	c->drained = c->skips;
}

static __always_inline void status_known(struct conn *c)
{
	struct flow *f = &c->out;
	struct pending *p = answered(c);
	struct fsh_row *r = row_of(p->row);

	if (f->lost)
		count_unseen(c->service, FSH_UNSEEN_RESYNC, 1);
	f->lost = 0;
	f->phase = PHASE_SKIP_LINE;
	if (!r)
		return;
	if (f->status < 200 && f->status != 101) {
		ADD(r->interim, 1);
		return;
	}
	ADD(r->responses[class_of_status(f->status)], 1);
	add_ttfb(r, since(f->at_ns, p->at_ns));
}

static __always_inline enum outcome status_step(struct conn *c, __u8 b)
{
	struct flow *f = &c->out;
	__u8 want = word_at(WORD_VERSION, f->matched + 1);

	if (want == '.' && f->matched > 6) {
		if (b < '0' || b > '9')
			return BROKEN;
		if (f->matched >= STATUS_AT)
			f->status = f->status * 10 + (b - '0');
	} else if (b != want)
		return BROKEN;
	f->pos++;
	if (++f->matched == STATUS_CHARS) {
		if (f->status < 100)
			return BROKEN;
		status_known(c);
	}
	return WENT_ON;
}

/* Data nobody asked for: another protocol whose server speaks first, or a stray response. */
static __always_inline void response_unexpected(struct conn *c)
{
	struct flow *f = &c->out;

	if (c->fresh) {
		c->role = ROLE_MUTE;
		count_unseen(c->service, FSH_UNSEEN_UNKNOWN_PROTOCOL, 1);
	} else if (!f->lost) {
		count_unseen(c->service, FSH_UNSEEN_UNEXPECTED_RESPONSE, 1);
	}
	f->phase = PHASE_LOST;
	f->pos = f->end;
}

static __always_inline __u32 skipped_method(const struct conn *c)
{
	__u64 heads = c->heads[c->drained / 64 & (SKIPPED / 64 - 1)];

	return heads >> (c->drained & 63) & 1 ? FSH_METHOD_HEAD : FSH_METHOD_OTHER;
}

static __always_inline void response_begin(struct conn *c)
{
	struct flow *f = &c->out;

	/* Behind a full pipeline nothing is queued until its last response: ours to write. */
	if (c->pushed == c->popped && c->skipped) {
		*answered(c) = (struct pending){.row = FSH_ROW_NONE, .method = skipped_method(c)};
		c->newest = *answered(c);
		c->pushed++;
		c->drained++;
		ADD(c->skipped, -1);
	}
	if (c->pushed == c->popped) {
		response_unexpected(c);
		return;
	}
	message_begin(f);
	f->status = 0;
	f->phase = PHASE_STATUS;
}

static __always_inline void response_broken(struct conn *c)
{
	struct flow *f = &c->out;

	if (!f->lost)
		count_unseen(c->service, FSH_UNSEEN_BAD_RESPONSE, 1);
	f->phase = PHASE_LOST;
	f->pos = f->end;
}

static __always_inline void tunnel(struct conn *c)
{
	struct fsh_row *r = row_of(answered(c)->row);

	if (r)
		ADD(r->upgrades, 1);
	response_done(c, c->out.now_ns);
	c->out.phase = PHASE_TUNNEL;
	c->in.phase = PHASE_TUNNEL;
}

/* Lets the cheap path find the length line of the row's next response at once. */
static __always_inline void remember_length_line(struct conn *c)
{
	struct fsh_row *r = row_of(answered(c)->row);

	if (r && c->out.has_length && c->out.begun && r->length_at != c->out.length_at)
		r->length_at = c->out.length_at;
}

static __always_inline void response_head_ended(struct conn *c)
{
	struct flow *f = &c->out;
	__u32 method = answered(c)->method, status = f->status;

	if (status == 101 || (method == FSH_METHOD_CONNECT && status / 100 == 2)) {
		tunnel(c);
	} else if (status < 200) {
		f->phase = PHASE_START;
	} else if (method == FSH_METHOD_HEAD || status == 204 || status == 304) {
		response_done(c, f->now_ns);
	} else if (f->chunked) {
		chunk_size_begin(f);
	} else if (!f->has_length) {
		f->phase = PHASE_UNTIL_CLOSE;
	} else {
		remember_length_line(c);
		if (f->left)
			f->phase = PHASE_BODY;
		else
			response_done(c, f->now_ns);
	}
}

/* One step of the scanner over a packet; returns 1 at its end. */
static long response_step(__u32 i, struct scan *s)
{
	struct conn *c = s->c;
	struct flow *f = &c->out;
	enum outcome o;
	__u8 b;

	if (f->pos >= f->end)
		return 1;
	if (!body_step(f, &o)) {
		if (!window_fill(s))
			return 1;
		b = f->window[within(f->pos - f->base, WINDOW)];
		if (f->phase == PHASE_START) {
			response_begin(c);
			return 0;
		}
		o = f->phase == PHASE_STATUS ? status_step(c, b) : message_step(f, b);
	}
	if (o == HEAD_ENDED)
		response_head_ended(c);
	else if (o == MESSAGE_ENDED)
		response_done(c, f->now_ns);
	else if (o == BROKEN)
		response_broken(c);
	return 0;
}

#endif
