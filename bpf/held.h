/* SPDX-License-Identifier: GPL-2.0-or-later */
/* held.h - segments that come before their turn, or before their socket: kept, then scanned. */
#ifndef FORESHAPE_HELD_H
#define FORESHAPE_HELD_H

#include "bpf/packet.h"
#include "bpf/request.h"

#define MAX_STEPS (1 << 17) /* of the scanner over one segment */

static __always_inline __u32 kept(__u32 len)
{
	return len < HELD_BYTES ? len : HELD_BYTES;
}

/* Copies the payload of @p aside, or its beginning: the rest may be within a body. */
static __always_inline bool segment_keep(struct __sk_buff *skb, const struct packet *p,
					 struct held *ret)
{
	__u32 zero = 0, *cursor = bpf_map_lookup_elem(&held_cursor, &zero), ticket, slot,
	      n = kept(p->len);
	struct held_segment *h;

	if (!cursor || !n)
		return false;
	ticket = __sync_fetch_and_add(cursor, 1);
	slot = ticket & (HELD_SLOTS - 1);
	h = bpf_map_lookup_elem(&held_segments, &slot);
	if (!h || packet_load(skb, p->at, h->bytes, n, HELD_BYTES))
		return false;
	h->at_ns = bpf_ktime_get_ns();
	h->ticket = ticket;
	*ret = (struct held){.seq = p->seq, .len = p->len, .ticket = ticket};
	return true;
}

static __always_inline void gap(struct conn *c)
{
	count_unseen(c->service, FSH_UNSEEN_GAP, 1);
	c->fresh = 0; /* its start was not seen in whole: not judged by what follows */
	c->in.phase = PHASE_LOST;
}

/* Keeps a segment behind a hole, or counts the hole and goes on behind it with the next message. */
static __always_inline void hold(struct __sk_buff *skb, struct conn *c, const struct packet *p)
{
	__u32 k = c->n_held;

#pragma clang loop unroll(disable)
	for (int i = 0; i < HELD; i++)
		if (i < c->n_held && c->held[i].seq == p->seq && c->held[i].len >= p->len)
			return;
	if (k < HELD && segment_keep(skb, p, &c->held[k])) {
		c->n_held = k + 1;
		return;
	}
	gap(c);
	c->in.next = p->seq + p->len;
	c->n_held = 0;
}

/* Takes one held segment whose turn has come. Returns false when there is none. */
static __always_inline bool take_held(struct conn *c, struct held *ret)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < HELD; i++) {
		if (i >= c->n_held || (__s32)(c->held[i].seq - c->in.next) > 0)
			continue;
		*ret = c->held[i];
		c->n_held--;
		c->held[i] = c->held[c->n_held & (HELD - 1)];
		return true;
	}
	return false;
}

/* Steps over @n bytes that were not kept. Returns false when more than a body is among them. */
static __always_inline bool skip_rest(struct conn *c, __u32 n)
{
	struct flow *f = &c->in;

	if (f->phase == PHASE_TUNNEL || f->phase == PHASE_LOST)
		return true;
	if ((f->phase != PHASE_BODY && f->phase != PHASE_CHUNK) || n > f->left)
		return false;
	f->left -= n;
	f->uncounted += n;
	if (!f->left && f->phase == PHASE_BODY)
		request_ended(c);
	return true;
}

/* Scans one held segment whose turn has come. Returns true when others may follow. */
static __always_inline bool scan_held(struct __sk_buff *skb, struct conn *c)
{
	struct scan s = {.skb = skb, .c = c, .f = &c->in, .routes = route_table()};
	struct held take = {};
	struct held_segment *h;
	__u32 skip, slot, n;

	if (!s.routes || !take_held(c, &take))
		return false;
	skip = c->in.next - take.seq;
	if (skip >= take.len)
		return c->n_held;
	slot = take.ticket & (HELD_SLOTS - 1);
	h = bpf_map_lookup_elem(&held_segments, &slot);
	n = kept(take.len);
	if (!h || h->ticket != take.ticket) {
		gap(c);
	} else {
		flow_feed(&c->in, skip < n ? skip : n, n, slot + 1, h->at_ns);
		bpf_loop(MAX_STEPS, request_step, &s, 0);
		if (take.len > n && !skip_rest(c, take.len - (skip < n ? n : skip)))
			gap(c);
		request_credit(c);
	}
	c->in.next = take.seq + take.len;
	return c->n_held;
}

/* Keeps data that reached the listening socket, for the socket of the connection. */
static __always_inline void early_keep(struct __sk_buff *skb, const struct packet *p, __u16 port)
{
	struct early_key key = {};
	struct held held = {};

	key.local_port = port;
	if (packet_peer(skb, true, key.address, &key.port) && segment_keep(skb, p, &held))
		bpf_map_update_elem(&early, &key, &held, BPF_ANY);
}

/* Begins @c with the data that came before it. Returns false when there was none. */
static __always_inline bool early_take(struct __sk_buff *skb, struct conn *c, bool ingress,
				       __u16 port)
{
	struct early_key key = {};
	struct held *held;

	key.local_port = port;
	if (!packet_peer(skb, ingress, key.address, &key.port))
		return false;
	held = bpf_map_lookup_elem(&early, &key);
	if (!held)
		return false;
	c->held[0] = *held;
	c->n_held = 1;
	c->in.next = held->seq;
	bpf_map_delete_elem(&early, &key);
	return true;
}

#endif
