/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quick.h - the cheap path: one whole request, or one whole response, in one packet. */
#ifndef FORESHAPE_QUICK_H
#define FORESHAPE_QUICK_H

#include "bpf/packet.h"
#include "bpf/request.h"
#include "bpf/response.h"

#define QUICK      512 /* bytes of a request it reads */
#define QUICK_PATH 128 /* of which path, and as many of the query */

struct quick_buffer {
	__u8 bytes[QUICK + 16];
	__u32 at; /* through here the verifier forgets where a loop ended, and need not go on from
		     each */
};

/* Only ingress uses it, and that runs with soft interrupts off: never twice on a CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct quick_buffer);
} quick_buffers SEC(".maps");

#define U32(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)
#define U64(s)          ((__u64)U32(s[0], s[1], s[2], s[3]) | (__u64)U32(s[4], s[5], s[6], s[7]) << 32)

static __always_inline __u32 u32_at(const __u8 *b, __u32 at)
{
	return *(const __u32 *)(b + within(at, QUICK));
}

static __always_inline __u32 forget(struct quick_buffer *q, __u32 at)
{
	*(volatile __u32 *)&q->at = at;
	return *(volatile __u32 *)&q->at;
}

static __always_inline __u64 u64_at(const __u8 *b, __u32 at)
{
	return *(const __u64 *)(b + within(at, QUICK));
}

/* True for the line at @at that may say how long the body is, or that ends the head before @end. */
static __always_inline bool line_matters(const __u8 *b, __u32 at, __u32 end)
{
	__u32 word = u32_at(b, at), letters = word | 0x20202020;

	if (at >= end)
		return false;
	return (__u8)word == '\r' || (__u8)word == '\n' || letters == U32('c', 'o', 'n', 't') ||
	       letters == U32('t', 'r', 'a', 'n');
}

/* True when the lines from @at on hold nothing but headers the framing does not depend on. */
static __always_inline bool lines_plain(const __u8 *b, __u32 at, __u32 n)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < QUICK / 8; i++, at += 8) {
		__u64 marks;

		if (at >= n)
			break;
		marks = newlines(u64_at(b, at));
		if (!marks)
			continue;
		if (line_matters(b, at + first_marked(marks) + 1, n - 2))
			return false;
		/* After the first newline the marks may be too many, never too few. */
		marks &= marks - 1;
		if (marks && line_matters(b, at + first_marked(marks) + 1, n - 2))
			return false;
		marks &= marks - 1;
		if (marks && at + 8 < n)
			return false;
	}
	return true;
}

/* True when the @n bytes in @b are those of the request remembered. */
static __always_inline bool same_again(const struct same *same, const __u8 *b, __u32 n,
				       __u32 generation)
{
	if (same->n != n || same->generation != generation)
		return false;
#pragma clang loop unroll(disable)
	for (int i = 0; i < SAME_BYTES / 8; i++) {
		if (i * 8 + 8 > n)
			break;
		if (*(const __u64 *)(b + i * 8) != same->words[i])
			return false;
	}
	/* What does not fill a word: with the bytes before it. */
	return u64_at(b, n - 8) ==
	       *(const __u64 *)((const __u8 *)same->words + within(n - 8, SAME_BYTES));
}

static __always_inline void same_keep(struct same *same, const __u8 *b, __u32 n, __u32 generation)
{
	same->n = n;
	same->generation = generation;
#pragma clang loop unroll(disable)
	for (int i = 0; i < SAME_BYTES / 8; i++) {
		if (i * 8 >= n)
			break;
		same->words[i] = *(const __u64 *)(b + i * 8);
	}
}

/* The row and method of the @n bytes in @q, one request without a body. Returns false for all else.
 */
static __always_inline bool quick_match(struct quick_buffer *q, __u32 n, __u32 service,
					struct fsh_route_table *t, struct same *ret)
{
	__u32 at, state, shift = t->shift, class = 0;
	const __u8 *b = q->bytes;

	if (u32_at(b, n - 4) != U32('\r', '\n', '\r', '\n'))
		return false;
	if (u32_at(b, 0) == U32('G', 'E', 'T', ' ')) {
		ret->method = FSH_METHOD_GET;
		at = 4;
	} else if (u32_at(b, 0) == U32('H', 'E', 'A', 'D') && b[4] == ' ') {
		ret->method = FSH_METHOD_HEAD;
		at = 5;
	} else {
		return false;
	}
	if (b[at] != '/')
		return false;
	state = fsh_route_start(t, service, ret->method);
#pragma clang loop unroll(disable)
	for (int i = 0; i < QUICK_PATH; i++, at++) {
		class = t->class_of[b[within(at, QUICK)]];
		if (class == FSH_CLASS_END)
			break;
		state = fsh_route_next(t, shift, state, class);
	}
	if (class != FSH_CLASS_END) /* the path goes on: the scanner reads all of it */
		return false;
	at = forget(q, at);
#pragma clang loop unroll(disable)
	for (int i = 0; i < QUICK_PATH && b[within(at, QUICK)] > ' '; i++)
		at++;
	at = forget(q, at);
	if (u64_at(b, at) != U64(" HTTP/1."))
		return false;
	at += 9;
	if (at >= n || !lines_plain(b, at, n))
		return false;
	ret->row = fsh_route_row(t, state);
	if (ret->row == FSH_ROW_NONE)
		ret->row = other_row(service);
	return true;
}

/* Counts the packet if it is exactly one request without a body. Returns false having done nothing.
 */
static __always_inline bool quick_request(struct __sk_buff *skb, struct conn *c, struct packet *p)
{
	struct quick_buffer *q;
	struct fsh_route_table *t = route_table();
	struct same *same = &c->same;
	__u32 zero = 0, n = p->len;
	struct fsh_row *r;

	q = bpf_map_lookup_elem(&quick_buffers, &zero);
	if (!q || !t || n < 18 || n > QUICK || packet_load(skb, p->at, q->bytes, n, QUICK))
		return false;
	if (!same_again(same, q->bytes, n, t->generation)) {
		same->n = 0;
		if (!quick_match(q, n, c->service, t, same))
			return false;
		if (n <= SAME_BYTES && c->pushed % SAME_EVERY == 0)
			same_keep(same, q->bytes, n, t->generation);
	}
	request_arrived(c, same->row, same->method, bpf_ktime_get_ns());
	r = row_of(c->row);
	if (r)
		ADD(r->bytes_in, n);
	else
		count_unseen(c->service, FSH_UNSEEN_BYTES, n);
	c->in.next += n;
	return true;
}

#define LENGTH_LINE 32 /* "\nContent-Length: " and the digits */
#define LETTERS     0x2020202020202020ULL

static __always_inline __u64 head_u64(const struct conn *c, __u32 at)
{
	return *(const __u64 *)(c->head + within(at, QUICK_HEAD));
}

/*
 * Reads the length line of a response where the row's responses had theirs last. Returns the
 * length, or -1 when it stands elsewhere.
 */
static __always_inline __s32 length_at(const struct conn *c, __u32 at)
{
	__u32 length = 0;
	__u64 word;

	if (at > QUICK_HEAD - LENGTH_LINE || (__u8)head_u64(c, at) != '\n' ||
	    (head_u64(c, at) | LETTERS) != (U64("\ncontent") | LETTERS) ||
	    (head_u64(c, at + 8) | LETTERS) != U64("-length:") || (__u8)head_u64(c, at + 16) != ' ')
		return -1;
	word = head_u64(c, at + 17);
	for (int i = 0; i < 8; i++, word >>= 8) {
		__u8 d = (__u8)word - '0';

		if (d > 9)
			return i && (__u8)word == '\r' ? (__s32)length : -1;
		length = length * 10 + d;
	}
	return -1;
}

/* "HTTP/1.x 2.." to "5.." except what has no body. Returns the class's index, or -1. */
static __always_inline int status_class(const struct conn *c)
{
	__u32 status = head_u64(c, 8), class = (__u8)(status >> 8) - '1';

	if (head_u64(c, 0) << 8 != U64("HTTP/1.\0") << 8 || (__u8)status != ' ' || class < 1 ||
	    class > 4 || status == U32(' ', '2', '0', '4') || status == U32(' ', '3', '0', '4'))
		return -1;
	return class;
}

/* The four bytes at @at of the payload @p; 0 when they cannot be read. */
static __always_inline __u32 payload_u32(struct __sk_buff *skb, const struct conn *c,
					 const struct packet *p, __u32 at)
{
	__u32 word = 0;

	if (at <= QUICK_HEAD - 4)
		return head_u64(c, at);
	if (bpf_skb_load_bytes(skb, p->at + at, &word, sizeof(word)))
		return 0;
	return word;
}

static __always_inline bool head_load(struct __sk_buff *skb, struct conn *c, const struct packet *p)
{
	__u32 n = p->len < QUICK_HEAD ? p->len : QUICK_HEAD;

	return !packet_load(skb, p->at, c->head, n, QUICK_HEAD);
}

/*
 * Counts the packet if it is exactly the one response waited for: its length line is where it was
 * the last time, and a head ends right before a body of that length. With a single response due,
 * no other reading of the packet is possible. Returns false having done nothing.
 */
static __always_inline bool quick_response(struct __sk_buff *skb, struct conn *c, struct packet *p,
					   __u64 now_ns)
{
	struct pending w = c->newest;
	struct fsh_row *r = row_of(w.row);
	__u32 slot, rest, popped = c->popped;
	__s32 length;
	__u64 ns;
	int class;

	/* Still the only one due: what was read of it is not the next one's, come meanwhile. */
	if (*(volatile __u32 *)&c->pushed - popped != 1)
		return false;
	if (!r || !r->length_at || w.method == FSH_METHOD_HEAD || w.method == FSH_METHOD_CONNECT ||
	    !head_load(skb, c, p))
		return false;
	class = status_class(c);
	length = length_at(c, r->length_at);
	rest = length + r->length_at + LENGTH_LINE / 2 + 4;
	if (class < 0 || length < 0 || rest > p->len ||
	    payload_u32(skb, c, p, p->len - 4 - length) != U32('\r', '\n', '\r', '\n'))
		return false;
	ns = since(now_ns, w.at_ns);
	slot = fsh_hist_slot(ns);
	if (!pop(c, popped))
		return true;
	c->out.next += p->len;
	ADD(r->bytes_out, p->len);
	ADD(r->whole_sum_ns, ns);
	if (class < 5)
		ADD(r->whole[class], 1);
	if (slot < FSH_HIST_SLOTS)
		ADD(r->whole_hist[slot], 1);
	return true;
}

#endif
