/* SPDX-License-Identifier: GPL-2.0-or-later */
/* owner.h - whose socket this is: nearest owner among its cgroups, and whether its client is the
 * same. */
#ifndef FORESHAPE_OWNER_H
#define FORESHAPE_OWNER_H

#include "bpf/state.h"

#define DEPTH 24 /* levels of cgroups looked at */

#define STATE_LISTEN 10 /* of struct bpf_sock */
#define AF_INET      2
#define AF_INET6     10

/* Looks up (cgroup, port), then (cgroup, every port). */
static __always_inline struct fsh_owner *owner_at(__u64 cgroup_id, __u16 port)
{
	struct fsh_owner_key key = {.cgroup_id = cgroup_id, .port = port};
	struct fsh_owner *o = bpf_map_lookup_elem(&owners, &key);

	if (o || !port)
		return o;
	key.port = 0;
	return bpf_map_lookup_elem(&owners, &key);
}

/* The owner of the deepest cgroup above or at @sk's that has one. Returns false when none has. */
static __always_inline bool owner_of(void *sk, __u16 port, struct fsh_owner *ret)
{
	bool found = false;

	for (int level = 0; level < DEPTH; level++) {
		__u64 id = bpf_sk_ancestor_cgroup_id(sk, level);
		struct fsh_owner *o;

		if (!id)
			break;
		o = owner_at(id, port);
		if (o) {
			*ret = *o;
			found = true;
		}
	}
	return found;
}

/* Keeps the compiler from folding two loads of a socket's fields into one through a pointer. */
#define APART() asm volatile("" ::: "memory")

/* Fills @t with how a packet from @sk to its peer is addressed. Returns its size, 0: no TCP over
 * IP. */
static __always_inline __u32 tuple_to_peer(struct bpf_sock *sk, struct bpf_sock_tuple *t)
{
	__u16 sport = bpf_htons(sk->src_port), dport = sk->dst_port;
	__u32 mapped;

	if (sk->family == AF_INET) {
		t->ipv4.saddr = sk->src_ip4;
		APART();
		t->ipv4.daddr = sk->dst_ip4;
		t->ipv4.sport = sport;
		t->ipv4.dport = dport;
		return sizeof(t->ipv4);
	}
	if (sk->family != AF_INET6)
		return 0;
	t->ipv6.saddr[0] = sk->src_ip6[0];
	t->ipv6.saddr[1] = sk->src_ip6[1];
	t->ipv6.saddr[2] = sk->src_ip6[2];
	t->ipv6.saddr[3] = sk->src_ip6[3];
	APART();
	t->ipv6.daddr[0] = sk->dst_ip6[0];
	t->ipv6.daddr[1] = sk->dst_ip6[1];
	t->ipv6.daddr[2] = sk->dst_ip6[2];
	t->ipv6.daddr[3] = sk->dst_ip6[3];
	t->ipv6.sport = sport;
	t->ipv6.dport = dport;
	APART();
	/* An IPv4 client of an IPv6 listener: its own socket is most often an IPv4 one. */
	mapped = t->ipv6.daddr[0] | t->ipv6.daddr[1] | (t->ipv6.daddr[2] ^ bpf_htonl(0xffff));
	if (mapped)
		return sizeof(t->ipv6);
	t->ipv4.saddr = t->ipv6.saddr[3];
	t->ipv4.daddr = t->ipv6.daddr[3];
	t->ipv4.sport = sport;
	t->ipv4.dport = dport;
	return sizeof(t->ipv4);
}

/* True when the socket at the other end of @sk is in this namespace and of the same service. */
static __always_inline bool client_is_own(struct __sk_buff *skb, struct bpf_sock *sk, __u32 service)
{
	struct bpf_sock_tuple t = {};
	struct fsh_owner o = {};
	struct bpf_sock *peer;
	__u32 size = tuple_to_peer(sk, &t);
	bool own;

	if (size == sizeof(t.ipv4))
		peer = bpf_sk_lookup_tcp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	else if (size)
		peer = bpf_sk_lookup_tcp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
	else
		peer = 0;
	if (!peer)
		return false;
	own = peer->state != STATE_LISTEN && owner_of(peer, 0, &o) && o.service == service;
	bpf_sk_release(peer);
	return own;
}

#endif
