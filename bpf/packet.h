/* SPDX-License-Identifier: GPL-2.0-or-later */
/* packet.h - finds the TCP payload of a packet, over IPv4 and IPv6. */
#ifndef FORESHAPE_PACKET_H
#define FORESHAPE_PACKET_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define MAX_EXTENSIONS 6 /* IPv6 extension headers in front of TCP */

struct packet {
	__u32 seq; /* of the first payload byte */
	__u32 at;  /* offset of the payload */
	__u32 len; /* of the payload */
	__u8 flags;
};

/* The first 20 bytes of a TCP header, read in words. */
struct tcp_words {
	__be16 source, dest;
	__be32 seq, ack_seq;
	__u8 doff; /* in its upper four bits */
	__u8 flags;
	__be16 window;
};

/* Steps over IPv6 extension headers. Returns the offset of the TCP header, or 0: it is not TCP. */
static __always_inline __u32 tcp_offset_v6(void *start, void *end)
{
	struct ipv6hdr *ip = start;
	__u32 at = sizeof(*ip), next;

	if ((void *)(ip + 1) > end)
		return 0;
	next = ip->nexthdr;
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		__u8 *h = start + at;

		if (next == IPPROTO_TCP)
			return at;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			return 0;
		if ((void *)(h + 2) > end)
			return 0;
		next = h[0];
		at += (h[1] + 1) * 8;
		if (at > 1024)
			return 0;
	}
	return 0;
}

/* The far end's address (IPv4: in the first word) and port, of a packet without IP options. */
static __always_inline bool packet_peer(struct __sk_buff *skb, bool ingress, __be32 address[4],
					__be16 *port)
{
	void *start = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = start;
	struct ipv6hdr *ip6 = start;
	__be16 *ports;

	if ((void *)(ip + 1) > end)
		return false;
	if (ip->version == 4) {
		address[0] = ingress ? ip->saddr : ip->daddr;
		ports = (__be16 *)(ip + 1);
	} else {
		if ((void *)(ip6 + 1) > end)
			return false;
		for (int i = 0; i < 4; i++)
			address[i] = ingress ? ip6->saddr.in6_u.u6_addr32[i]
					     : ip6->daddr.in6_u.u6_addr32[i];
		ports = (__be16 *)(ip6 + 1);
	}
	if ((void *)(ports + 2) > end)
		return false;
	*port = ingress ? ports[0] : ports[1];
	return true;
}

/* Fills @p from a packet that starts with its IP header. Returns false for all but TCP. */
static __always_inline bool packet_read(struct __sk_buff *skb, struct packet *p)
{
	void *start = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = start;
	struct tcp_words *tcp;
	__u32 at;

	if ((void *)(ip + 1) > end)
		return false;
	if (ip->version == 4) {
		if (ip->protocol != IPPROTO_TCP)
			return false;
		at = ip->ihl * 4;
	} else {
		at = tcp_offset_v6(start, end);
		if (!at)
			return false;
	}
	tcp = start + at;
	if ((void *)(tcp + 1) > end)
		return false;
	p->flags = tcp->flags;
	p->seq = bpf_ntohl(tcp->seq) + !!(p->flags & TCP_SYN);
	p->at = at + (tcp->doff >> 4) * 4;
	p->len = skb->len > p->at ? skb->len - p->at : 0;
	return true;
}

/* @at within @size, a power of two, by a mask the compiler does not take for needless. */
static __always_inline __u32 within(__u32 at, __u32 size)
{
	asm volatile("" : "+r"(at));
	return at & (size - 1);
}

/*
 * Loads @n bytes, 1 to @max, a power of two, to @to, which holds @max. The size is bounded in a way
 * every verifier since 6.1 follows. Returns 0 or a negative errno.
 */
static __always_inline long packet_load(struct __sk_buff *skb, __u32 at, void *to, __u32 n,
					__u32 max)
{
	return bpf_skb_load_bytes(skb, at, to, within(n - 1, max) + 1);
}

#endif
