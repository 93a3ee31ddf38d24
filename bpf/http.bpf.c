// SPDX-License-Identifier: GPL-2.0-or-later
/* http.bpf.c - the packet programs: count every HTTP/1 request and response of managed cgroups. */
#include "bpf/held.h"
#include "bpf/owner.h"
#include "bpf/quick.h"

char LICENSE[] SEC("license") = "GPL";

#define PASS 1 /* what every program returns: 0 would drop the packet */

enum { STEP_MAIN, STEP_OPEN, STEP_SCAN, STEP_HELD, STEP_LISTEN, STEPS };

int http_ingress(struct __sk_buff *skb);
int http_egress(struct __sk_buff *skb);
int in_open(struct __sk_buff *skb);
int in_scan(struct __sk_buff *skb);
int in_held(struct __sk_buff *skb);
int in_listen(struct __sk_buff *skb);
int out_open(struct __sk_buff *skb);
int out_scan(struct __sk_buff *skb);
int out_held(struct __sk_buff *skb);

/* One array a direction: since 6.18 a program may only call those of its own attach type. */
#define PROGRAMS(name, ...)                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                             \
		__uint(max_entries, STEPS);                                                        \
		__uint(key_size, sizeof(__u32));                                                   \
		__array(values, int(void *));                                                      \
	} name SEC(".maps") = {.values = {__VA_ARGS__}}

PROGRAMS(in_programs, [STEP_MAIN] = (void *)&http_ingress, [STEP_OPEN] = (void *)&in_open,
	 [STEP_SCAN] = (void *)&in_scan, [STEP_HELD] = (void *)&in_held,
	 [STEP_LISTEN] = (void *)&in_listen);
PROGRAMS(out_programs, [STEP_MAIN] = (void *)&http_egress, [STEP_OPEN] = (void *)&out_open,
	 [STEP_SCAN] = (void *)&out_scan, [STEP_HELD] = (void *)&out_held);

static __always_inline struct conn *conn_of(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_sk_storage_get(&conns, sk, 0, 0) : 0;
}

/* TCP's own time of sending where it is there (it is for data), so that no clock is read. */
static __always_inline __u64 sent_ns(struct __sk_buff *skb)
{
	__u64 ns = skb->tstamp;

	return ns ? ns : bpf_ktime_get_ns();
}

SEC("cgroup_skb/ingress")
int http_ingress(struct __sk_buff *skb)
{
	struct conn *c = conn_of(skb);
	struct fsh_traffic *t;
	struct packet p;
	__u32 service;

	if (!c || c->epoch != epoch_now()) {
		bpf_tail_call(skb, &in_programs, STEP_OPEN);
		return PASS;
	}
	if (c->role == ROLE_UNOWNED)
		return PASS;
	service = c->service;
	t = bpf_map_lookup_elem(&traffic, &service);
	if (t)
		ADD(t->bytes_in, skb->len);
	if (c->role != ROLE_HTTP && c->role != ROLE_MUTE) {
		if (c->role == ROLE_LISTENER)
			bpf_tail_call(skb, &in_programs, STEP_LISTEN);
		return PASS;
	}
	if (!packet_read(skb, &p) || (!p.len && !(p.flags & TCP_RST)))
		return PASS;
	if (c->role == ROLE_HTTP && p.seq == c->in.next) {
		if (c->in.phase == PHASE_START && !c->n_held && quick_request(skb, c, &p))
			return PASS;
	}
	bpf_tail_call(skb, &in_programs, STEP_SCAN);
	return PASS;
}

SEC("cgroup_skb/egress")
int http_egress(struct __sk_buff *skb)
{
	struct conn *c = conn_of(skb);
	struct fsh_service_conf *s;
	struct fsh_traffic *t;
	struct packet p;
	__u32 service;

	if (!c || c->epoch != epoch_now()) {
		bpf_tail_call(skb, &out_programs, STEP_OPEN);
		return PASS;
	}
	if (c->role == ROLE_UNOWNED)
		return PASS;
	service = c->service;
	t = bpf_map_lookup_elem(&traffic, &service);
	if (t)
		ADD(t->bytes_out, skb->len);
	s = bpf_map_lookup_elem(&services, &service);
	if (s && s->priority)
		skb->priority = s->priority;
	if (c->role != ROLE_HTTP && c->role != ROLE_MUTE)
		return PASS;
	if (!packet_read(skb, &p) || (!p.len && !(p.flags & (TCP_FIN | TCP_RST))))
		return PASS;
	if (c->role == ROLE_HTTP && p.seq == c->out.next && p.len && !(p.flags & TCP_FIN)) {
		if (c->out.phase == PHASE_START && c->pushed - c->popped == 1 &&
		    quick_response(skb, c, &p, sent_ns(skb)))
			return PASS;
	}
	bpf_tail_call(skb, &out_programs, STEP_SCAN);
	return PASS;
}

/* Counts the payload of a connection that is not parsed. */
static __always_inline void count_mute(struct conn *c, struct flow *f, struct packet *p)
{
	__s32 fresh = p->seq + p->len - f->next;

	if (fresh <= 0)
		return;
	f->next = p->seq + p->len;
	count_unseen(c->service, FSH_UNSEEN_BYTES, (__u32)fresh < p->len ? (__u32)fresh : p->len);
}

/*
 * Brings @f to the first byte of @p not looked at yet; what a body skips need not have come.
 * Returns 0, -EAGAIN when bytes in front of it are missing, or -ENODATA when there is nothing new
 * in it.
 */
static __always_inline int line_up(struct flow *f, struct packet *p)
{
	__s32 ahead = p->seq - f->next;

	if (ahead < 0) {
		if ((__u32)-ahead >= p->len)
			return -61;
		p->at += -ahead;
		p->len -= -ahead;
		p->seq = f->next;
		return 0;
	}
	if (!ahead || f->phase >= PHASE_UNTIL_CLOSE)
		return 0;
	if (ahead > REORDER_MAX)
		return -61;
	if (f->phase == PHASE_LOST)
		return 0;
	if ((f->phase != PHASE_BODY && f->phase != PHASE_CHUNK) || (__u32)ahead > f->left)
		return -11;
	f->left -= ahead;
	f->uncounted += ahead;
	return 0;
}

SEC("cgroup_skb/ingress")
int in_scan(struct __sk_buff *skb)
{
	struct conn *c = conn_of(skb);
	struct scan s = {.skb = skb, .c = c, .routes = route_table()};
	struct packet p;
	int r;

	if (!c || !s.routes || !packet_read(skb, &p))
		return PASS;
	s.f = &c->in;
	if (c->role == ROLE_MUTE) {
		count_mute(c, &c->in, &p);
		return PASS;
	}
	if (p.flags & TCP_RST) {
		if (p.seq == c->in.next && !c->followed)
			abort_pending(c);
		return PASS;
	}
	r = line_up(&c->in, &p);
	if (r) {
		if (r == -11)
			hold(skb, c, &p);
		return PASS;
	}
	flow_feed(&c->in, p.at, p.at + p.len, 0, bpf_ktime_get_ns());
	bpf_loop(MAX_STEPS, request_step, &s, 0);
	c->in.next = p.seq + p.len;
	request_credit(c);
	if (c->n_held)
		bpf_tail_call(skb, &in_programs, STEP_HELD);
	return PASS;
}

SEC("cgroup_skb/ingress")
int in_held(struct __sk_buff *skb)
{
	struct conn *c = conn_of(skb);

	if (c && scan_held(skb, c))
		bpf_tail_call(skb, &in_programs, STEP_HELD);
	if (c && c->opening) {
		c->opening = 0;
		bpf_tail_call(skb, &in_programs, STEP_MAIN);
	}
	return PASS;
}

SEC("cgroup_skb/egress")
int out_held(struct __sk_buff *skb)
{
	struct conn *c = conn_of(skb);

	if (c) {
		c->opening = 0;
		scan_held(skb, c);
		bpf_tail_call(skb, &out_programs, STEP_MAIN);
	}
	return PASS;
}

SEC("cgroup_skb/egress")
int out_scan(struct __sk_buff *skb)
{
	struct conn *c = conn_of(skb);
	struct scan s = {.skb = skb, .c = c};
	struct packet p;
	int r;

	if (!c || !packet_read(skb, &p))
		return PASS;
	s.f = &c->out;
	if (c->role == ROLE_MUTE) {
		count_mute(c, &c->out, &p);
		return PASS;
	}
	if (p.len) {
		r = line_up(&c->out, &p);
		if (r == -11) {
			count_unseen(c->service, FSH_UNSEEN_GAP, 1);
			c->out.phase = PHASE_LOST;
		}
		if (r != -61) {
			flow_feed(&c->out, p.at, p.at + p.len, 0, sent_ns(skb));
			bpf_loop(MAX_STEPS, response_step, &s, 0);
			c->out.next = p.seq + p.len;
			c->out.last_ns = c->out.now_ns;
			response_credit(c);
		}
	}
	if (p.flags & TCP_FIN && c->out.phase == PHASE_UNTIL_CLOSE && c->pushed != c->popped)
		response_done(c, c->out.last_ns);
	if (p.flags & (TCP_FIN | TCP_RST))
		abort_pending(c);
	return PASS;
}

/* True when the service @c was found to belong to left and came back in between. */
static __always_inline bool was_away(const struct conn *c)
{
	__u32 service = c->service;
	struct fsh_service_conf *conf = bpf_map_lookup_elem(&services, &service);

	return conf && (__s32)(conf->since - c->epoch) > 0;
}

/* What waits is never answered here; what waited before a service came back is ended already. */
static __always_inline void end_pending(struct conn *c)
{
	if (was_away(c))
		c->popped = c->pushed;
	abort_pending(c);
}

/* First sight of a socket in this epoch: whose it is and what to do with it. */
static __always_inline struct conn *conn_open(struct __sk_buff *skb, bool ingress)
{
	struct bpf_sock *sk = skb->sk;
	struct fsh_owner o = {};
	struct fsh_service_conf *conf;
	struct bpf_tcp_sock *tcp;
	struct packet p = {};
	struct conn *c;
	bool is_tcp, early;
	__u8 was;

	if (!sk)
		return 0;
	is_tcp = packet_read(skb, &p);
	if (!owner_of(sk, is_tcp ? sk->src_port : 0, &o))
		o.service = FSH_MAX_SERVICES;
	conf = bpf_map_lookup_elem(&services, &o.service);
	if (!conf || !conf->active)
		o.service = FSH_MAX_SERVICES;
	c = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c) {
		count_unseen(o.service, FSH_UNSEEN_NO_STATE, 1);
		return 0;
	}
	was = c->role;
	if (was == ROLE_HTTP && (o.service >= FSH_MAX_SERVICES || was_away(c))) {
		/* Without the socket's lock: left to the next packet out, or to http_sockops. */
		if (ingress && c->followed && c->pushed != c->popped)
			return 0;
		end_pending(c);
		was = ROLE_UNOWNED;
	}
	c->epoch = epoch_now();
	if (o.service >= FSH_MAX_SERVICES) {
		c->role = ROLE_UNOWNED;
		return c;
	}
	c->service = o.service;
	c->same.n = 0;
	if (was != ROLE_UNKNOWN && was != ROLE_UNOWNED)
		return c;
	if (is_tcp && sk->state == STATE_LISTEN) {
		c->role = ROLE_LISTENER;
		return c;
	}
	if (!is_tcp || (!ingress && (p.flags & TCP_SYN))) {
		c->role = ROLE_OUTGOING;
		if (is_tcp && (p.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && !ingress)
			count_unseen(c->service, FSH_UNSEEN_CLIENT_SIDE, 1);
		return c;
	}
	c->role = ROLE_HTTP;
	c->n_held = 0;
	c->in.phase = c->out.phase = PHASE_LOST;
	tcp = bpf_tcp_sock(sk);
	if (!tcp)
		return c;
	c->in.next = tcp->rcv_nxt;
	c->out.next = ingress ? tcp->snd_nxt : p.seq;
	early = was == ROLE_UNKNOWN && tcp->bytes_received && !tcp->bytes_acked &&
		early_take(skb, c, ingress, sk->src_port);
	if (o.other_port) {
		c->role = ROLE_MUTE;
		count_unseen(c->service, FSH_UNSEEN_OTHER_PORT, 1);
	} else if (early || (was == ROLE_UNKNOWN && !tcp->bytes_received && !tcp->bytes_acked)) {
		c->opening = early;
		c->fresh = 1;
		c->in.phase = c->out.phase = PHASE_START;
		c->internal = client_is_own(skb, sk, c->service);
	} else {
		count_unseen(c->service, FSH_UNSEEN_OLDER_CONNECTION, 1);
		c->internal = client_is_own(skb, sk, c->service);
	}
	return c;
}

/* A listening socket's packets are handshakes; one with data belongs to a socket not there yet. */
SEC("cgroup_skb/ingress")
int in_listen(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct packet p;

	if (sk && packet_read(skb, &p) && p.len)
		early_keep(skb, &p, sk->src_port);
	return PASS;
}

SEC("cgroup_skb/ingress")
int in_open(struct __sk_buff *skb)
{
	struct conn *c = conn_open(skb, true);

	if (c)
		bpf_tail_call(skb, &in_programs, c->opening ? STEP_HELD : STEP_MAIN);
	return PASS;
}

SEC("cgroup_skb/egress")
int out_open(struct __sk_buff *skb)
{
	struct conn *c = conn_open(skb, false);

	if (c)
		bpf_tail_call(skb, &out_programs, c->opening ? STEP_HELD : STEP_MAIN);
	return PASS;
}

/* From here on the end of the connection is told, whoever it will be found to belong to. */
static __always_inline void follow(struct bpf_sock_ops *ops, struct bpf_sock *sk)
{
	struct conn *c;

	if (!sk ||
	    bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG))
		return;
	c = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c)
		return;
	c->followed = 1;
	if (c->role == ROLE_UNKNOWN)
		c->epoch = epoch_now() - 1;
}

/*
 * Connections that are reset or end without a packet (timed out, orphaned): their requests are
 * aborted. A reset's packet is seen without the socket's lock, with a response perhaps just being
 * sent; this is called with it.
 */
SEC("sockops")
int http_sockops(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	struct conn *c;

	if (ops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
		follow(ops, sk);
		return PASS;
	}
	if (ops->op != BPF_SOCK_OPS_STATE_CB || ops->args[1] != BPF_TCP_CLOSE || !sk)
		return PASS;
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (c && c->role == ROLE_HTTP)
		end_pending(c);
	return PASS;
}
